# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: every form that users have, and nothing of them in a message."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
PKCS8 = serialization.PrivateFormat.PKCS8
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
SECRET = b"correct horse battery staple"
LOCKED = serialization.BestAvailableEncryption(SECRET)

P256 = factory.key("ecdsa-p256")
RSA = factory.key("rsa-2048")
CERTIFICATE = factory.make(key=P256).certificate


def written(key: Any, encoding: Any = PEM, form: Any = PKCS8, encryption: Any = PLAIN) -> bytes:
    data: bytes = key.private_bytes(encoding, form, encryption)
    return data


def same(one: Any, other: Any) -> bool:
    return keys.public_bytes(one.public_key()) == keys.public_bytes(other.public_key())


PARAMETERS = factory.openssl("ecparam", "-name", "prime256v1")

READABLE = {
    "pkcs8": (written(P256), P256),
    "sec1": (written(P256, form=TRADITIONAL), P256),
    "pkcs1": (written(RSA, form=TRADITIONAL), RSA),
    "p384": (written(factory.key("ecdsa-p384")), factory.key("ecdsa-p384")),
    "ed25519": (written(factory.key("ed25519")), factory.key("ed25519")),
    "der pkcs8": (written(P256, DER), P256),
    "der pkcs1": (written(RSA, DER, TRADITIONAL), RSA),
    "der sec1": (written(P256, DER, TRADITIONAL), P256),
    "crlf": (written(P256).replace(b"\n", b"\r\n"), P256),
    "old mac line ends": (written(P256).replace(b"\n", b"\r"), P256),
    "bom": (b"\xef\xbb\xbf" + written(P256), P256),
    "utf-16": (written(P256).decode().encode("utf-16"), P256),
    "no last newline": (written(P256).rstrip(), P256),
    "indented": (b"".join(b"    " + line + b"\n" for line in written(P256).splitlines()), P256),
    "one line": (written(P256).replace(b"\n", b" "), P256),
    "parameters first": (PARAMETERS + written(P256, form=TRADITIONAL), P256),
    "certificate first": (factory.pem_of(CERTIFICATE) + written(P256), P256),
    "certificate last": (written(P256) + factory.pem_of(CERTIFICATE), P256),
    "text around": (b"Bag Attributes\n    friendlyName: \xc3\xa4\n" + written(P256) + b"\nend", P256),
}


@pytest.mark.parametrize("case", READABLE)
def test_reads_what_users_have(case: str) -> None:
    data, expected = READABLE[case]
    assert same(keys.load_key(data, "tls.key"), expected)
    # A passphrase that is not needed does no harm.
    assert same(keys.load_key(data, "tls.key", SECRET), expected)


ENCRYPTED = {
    "pkcs8": written(P256, encryption=LOCKED),
    "der": written(P256, DER, encryption=LOCKED),
    "proc-type": factory.openssl("ec", "-aes128", "-passout", f"pass:{SECRET.decode()}", data=written(P256)),
    "proc-type rsa": written(RSA, form=TRADITIONAL, encryption=LOCKED),
    "proc-type crlf": written(RSA, form=TRADITIONAL, encryption=LOCKED).replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("case", ENCRYPTED)
def test_reads_encrypted_keys(case: str) -> None:
    expected = RSA if "rsa" in case or "crlf" in case else P256
    assert same(keys.load_key(ENCRYPTED[case], "tls.key", SECRET), expected)


@pytest.mark.parametrize("case", ENCRYPTED)
@pytest.mark.parametrize("passphrase", [None, b""])
def test_says_that_a_passphrase_is_missing(case: str, passphrase: bytes | None) -> None:
    with pytest.raises(InputError) as caught:
        keys.load_key(ENCRYPTED[case], "tls.key", passphrase)
    factory.check_error(caught.value, "is encrypted and no passphrase is given", "tls.key")


@pytest.mark.parametrize("case", ENCRYPTED)
def test_says_that_a_passphrase_is_wrong(case: str) -> None:
    with pytest.raises(InputError) as caught:
        keys.load_key(ENCRYPTED[case], "tls.key", b"wrong")
    factory.check_error(caught.value, "the passphrase does not open the private key", "tls.key")


P12 = pkcs12.serialize_key_and_certificates(b"x", P256, CERTIFICATE, None, LOCKED)

REFUSED = {
    "empty": (b"", "the private key is empty"),
    "white space": (b"\n \r\n", "the private key is empty"),
    "garbage": (b"hello", "holds no private key, neither as PEM nor as DER"),
    "certificate": (factory.pem_of(CERTIFICATE), "a certificate stands where the private key should be"),
    "certificate der": (factory.der_of(CERTIFICATE), "a certificate stands where the private key should be"),
    "public key": (
        P256.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        "a public key stands where the private key should be",
    ),
    "parameters alone": (PARAMETERS, "the file holds no private key"),
    "pkcs12": (P12, "is a PKCS#12 bundle"),
    "armour lost": (b"".join(written(P256).splitlines(keepends=True)[1:-1]), "holds no private key, neither"),
    "base64 of pem": (factory.openssl("base64", "-A", data=written(P256)), "base64 of a PEM file"),
    "two keys": (written(P256) + written(RSA), "more than one private key"),
    "same key twice": (written(P256) + written(P256), "more than one private key"),
    "truncated": (written(P256)[:100], "PEM block 1 (PRIVATE KEY) is truncated"),
    "no begin": (written(P256)[30:], "has no BEGIN line"),
    "damaged": (written(P256).replace(b"M", b"!", 1), "the private key is damaged"),
    "der cut": (written(P256, DER)[:-1], "the private key is damaged"),
    "dsa": (factory.openssl("gendsa", "/dev/stdin", data=factory.openssl("dsaparam", "1024")), "not supported"),
    "p521": (written(ec.generate_private_key(ec.SECP521R1())), "not supported"),
    "secp256k1": (written(ec.generate_private_key(ec.SECP256K1())), "not supported"),
    "x25519": (factory.openssl("genpkey", "-algorithm", "X25519"), "not supported"),
    "ed448": (factory.openssl("genpkey", "-algorithm", "ED448"), "not supported"),
    "openssh": (written(P256, form=serialization.PrivateFormat.OpenSSH), "OpenSSH's own format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_is_no_usable_key(case: str) -> None:
    data, message = REFUSED[case]
    with pytest.raises(InputError) as caught:
        keys.load_key(data, "tls.key")
    factory.check_error(caught.value, message, "tls.key")


@pytest.mark.parametrize("case", ["dsa", "p521", "x25519"])
def test_names_the_supported_kinds(case: str) -> None:
    with pytest.raises(InputError, match="RSA, ECDSA P-256, ECDSA P-384, Ed25519"):
        keys.load_key(REFUSED[case][0], "tls.key")


def _fragments(data: bytes) -> list[str]:
    """Return every run of 12 characters of base64 and of hex that a message could leak."""
    lines = [line for line in data.decode("latin-1").splitlines() if len(line) > 20 and "-----" not in line]
    return [line[at : at + 12] for line in lines for at in range(0, len(line) - 12, 6)]


@pytest.mark.parametrize("case", [*REFUSED, *(f"wrong {one}" for one in ENCRYPTED)])
def test_no_message_or_context_holds_key_bytes(case: str) -> None:
    passphrase = b"tr0ub4dor"
    data = ENCRYPTED[case[6:]] if case.startswith("wrong ") else REFUSED[case][0]
    with pytest.raises(InputError) as caught:
        keys.load_key(data, "tls.key", passphrase)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    shown += repr(error) + str(error) + str(error.as_dict())
    assert passphrase.decode() not in shown
    secret = b"" if "certificate" in case or "public" in case else data
    assert not [part for part in _fragments(secret) if part in shown]
    if len(data) > 60:
        assert data.hex()[60:90] not in shown
        assert repr(data)[40:60] not in shown


def test_a_block_shows_no_content() -> None:
    from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import pem

    shown = repr(pem.scan(written(P256), "tls.key"))
    assert shown == "[Block(1, 'PRIVATE KEY')]"


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
def test_round_trip_of_every_type(key_type: str, tmp_path: Path) -> None:
    key = factory.key(key_type)
    assert keys.key_type_of(key.public_key()) == key_type
    data = keys.key_to_pem(key)
    assert data.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert data.endswith(b"-----END PRIVATE KEY-----\n")
    assert same(keys.load_key(data, "f"), key)
    locked = keys.key_to_pem(key, SECRET)
    assert locked.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert same(keys.load_key(locked, "f", SECRET), key)
    (tmp_path / "key").write_bytes(locked)
    factory.openssl("pkey", "-in", tmp_path / "key", "-passin", f"pass:{SECRET.decode()}", "-noout")


def test_unknown_type_to_generate() -> None:
    with pytest.raises(InputError) as caught:
        keys.generate_key("rsa-1024")
    factory.check_error(caught.value, "the key type is unknown", "key_type")


def test_type_of_other_kinds() -> None:
    assert keys.key_type_of(ec.generate_private_key(ec.SECP521R1()).public_key()) == "ecdsa-p521"
    assert keys.key_type_of(ec.generate_private_key(ec.SECP256K1()).public_key()) == "ecdsa-secp256k1"
    assert keys.key_type_of(rsa.generate_private_key(65537, 1024).public_key()) == "rsa-1024"
    for algorithm in ("X25519", "ED448"):
        loaded: Any = serialization.load_pem_private_key(factory.openssl("genpkey", "-algorithm", algorithm), None)
        assert keys.key_type_of(loaded.public_key()) == algorithm.lower()


def test_matches() -> None:
    assert keys.matches(P256, CERTIFICATE)
    assert not keys.matches(factory.key("ecdsa-p256", 1), CERTIFICATE)
    assert not keys.matches(RSA, CERTIFICATE)


@given(st.binary(max_size=400), st.sampled_from([None, b"x"]))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_raise_only_our_error(data: bytes, passphrase: bytes | None) -> None:
    with pytest.raises(InputError):
        keys.load_key(data, "f", passphrase)


SEEDS = [data for data, dummy in READABLE.values()] + list(ENCRYPTED.values())


@given(
    st.sampled_from(SEEDS),
    st.integers(0, 10**6),
    st.one_of(st.just(b""), st.binary(min_size=1, max_size=3)),
    st.integers(0, 4),
)
@settings(max_examples=500, deadline=None)
def test_mutated_keys_raise_only_our_error(seed: bytes, at: int, insert: bytes, drop: int) -> None:
    at %= len(seed)
    with contextlib.suppress(InputError):
        keys.load_key(seed[:at] + insert + seed[at + drop :], "f", SECRET)


@pytest.mark.parametrize("vector", ["", "00", "0" * 31, "0" * 31 + "Z", "0" * 64])
def test_a_panic_of_the_library_is_a_damaged_key(vector: str) -> None:
    head, dummy, rest = ENCRYPTED["proc-type"].partition(b"DEK-Info: AES-128-CBC,")
    assert rest
    data = head + b"DEK-Info: AES-128-CBC," + vector.encode() + rest[32:]
    with pytest.raises(InputError) as caught:
        keys.load_key(data, "tls.key", SECRET)
    factory.check_error(caught.value, "the passphrase does not open the private key", "tls.key")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_is_obeyed(stop: type[BaseException]) -> None:
    def loader(data: bytes, passphrase: bytes | None) -> None:
        raise stop

    with pytest.raises(stop):
        keys._load(loader, b"", None)
