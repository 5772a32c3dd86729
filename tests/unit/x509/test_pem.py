# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate files: every form that users have."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys, pem
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

ROOT = factory.root()
LEAF = factory.make(issuer=ROOT, names=["payments"])
ONE, TWO = LEAF.certificate, ROOT.certificate
P1, P2 = factory.pem_of(ONE), factory.pem_of(TWO)
KEY = keys.key_to_pem(LEAF.key)


def openssl_text(data: bytes) -> bytes:
    return factory.openssl("x509", "-text", data=data)


def pkcs7(form: str, folder: Path) -> bytes:
    (folder / "c.pem").write_bytes(P1 + P2)
    return factory.openssl("crl2pkcs7", "-nocrl", "-certfile", folder / "c.pem", "-outform", form)


READABLE = {
    "one": (P1, [ONE]),
    "two": (P1 + P2, [ONE, TWO]),
    "twice the same": (P1 + P1, [ONE, ONE]),
    "crlf": ((P1 + P2).replace(b"\n", b"\r\n"), [ONE, TWO]),
    "bom": (b"\xef\xbb\xbf" + P1 + P2, [ONE, TWO]),
    "utf-16": ((P1 + P2).decode().encode("utf-16"), [ONE, TWO]),
    "text between": (openssl_text(P1) + openssl_text(P2), [ONE, TWO]),
    "text in utf-8": ("# Zertifikat für Zürich\n".encode() + P1, [ONE]),
    "no last newline": (P1.rstrip(), [ONE]),
    "glued": (P1.rstrip() + P2.rstrip(), [ONE, TWO]),
    "empty lines": (P1.replace(b"\n", b"\n\n"), [ONE]),
    "indented": (b"".join(b"  " + line + b"\n" for line in P1.splitlines()), [ONE]),
    "one line": (P1.replace(b"\n", b" "), [ONE]),
    "long lines": (P1[:28] + P1[28:-26].replace(b"\n", b"") + b"\n" + P1[-26:], [ONE]),
    "older label": (P1.replace(b" CERTIFICATE", b" X509 CERTIFICATE"), [ONE]),
    "key in between": (P1 + KEY + P2, [ONE, TWO]),
    "der": (factory.der_of(ONE), [ONE]),
}


@pytest.mark.parametrize("case", READABLE)
def test_reads_what_users_have(case: str) -> None:
    data, expected = READABLE[case]
    assert pem.parse_certificates(data, "tls.x") == expected


def request() -> bytes:
    return factory.openssl("req", "-new", "-key", "/dev/stdin", "-subj", "/CN=x", data=KEY)


P12 = pkcs12.serialize_key_and_certificates(b"x", LEAF.key, ONE, [TWO], serialization.NoEncryption())

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "is empty", "PEM"),
    "white space": (b" \n", "is empty", "PEM"),
    "garbage": (b"hello", "neither as PEM nor as DER", "BEGIN CERTIFICATE"),
    "truncated first": (P1[:200], "PEM block 1 (CERTIFICATE) is truncated", "anew"),
    "truncated second": (P1 + P2[:200], "PEM block 2 (CERTIFICATE) is truncated", "anew"),
    "truncated in the middle": (P1[:200] + P2, "PEM block 1 (CERTIFICATE) is truncated", "anew"),
    "end cut": (P1 + P2[:-10], "PEM block 2 (CERTIFICATE) is truncated", "anew"),
    "begin cut": (P1 + P2[8:], "PEM block 2 (CERTIFICATE) is damaged: it has no BEGIN line", "anew"),
    "ends as another": (P1.replace(b"END CERTIFICATE", b"END PKCS7"), "ends as PKCS7", "anew"),
    "not base64": (P1 + P2.replace(b"M", b"!", 1), "PEM block 2 (CERTIFICATE) is damaged", "anew"),
    "content missing": (P1[:28] + P1[-26:], "PEM block 1 (CERTIFICATE) is damaged", "anew"),
    "escaped line ends": (P1.replace(b"\n", b"\\n"), "PEM block 1 (CERTIFICATE) is damaged", "line breaks"),
    "der cut": (factory.der_of(ONE)[:-5], "neither as PEM nor as DER", "BEGIN CERTIFICATE"),
    "trusted": (factory.openssl("x509", "-trustout", data=P1), "TRUSTED CERTIFICATE", "openssl x509 -in"),
    "key": (KEY, "a private key stands where the certificate should be", "BEGIN CERTIFICATE"),
    "key der": (
        LEAF.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        "a private key stands where the certificate should be",
        "BEGIN CERTIFICATE",
    ),
    "request": (request(), "a signing request, not a certificate", "sign"),
    "pkcs12": (P12, "is a PKCS#12 bundle", "openssl pkcs12 -in"),
    "base64 of pem": (factory.openssl("base64", "-A", data=P1), "base64 of a PEM file", "base64 -d"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_with_a_remedy(case: str) -> None:
    data, message, remedy = REFUSED[case]
    with pytest.raises(InputError) as caught:
        pem.parse_certificates(data, "tls.x")
    factory.check_error(caught.value, message)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_refuses_pkcs7_with_the_command_that_converts_it(form: str, tmp_path: Path) -> None:
    bundle = pkcs7(form, tmp_path)
    with pytest.raises(InputError) as caught:
        pem.parse_certificates(bundle, "tls.x")
    factory.check_error(caught.value, "is a PKCS#7 bundle")
    command = caught.value.remedy.split(": ", 1)[1]
    (tmp_path / "bundle").write_bytes(bundle)
    words = command.replace("FILE", str(tmp_path / "bundle")).replace("certificates.pem", str(tmp_path / "out")).split()
    factory.openssl(*words[1:])
    assert pem.parse_certificates((tmp_path / "out").read_bytes(), "tls.x") == [ONE, TWO]


def test_the_command_for_pkcs12_works(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        pem.parse_certificates(P12, "tls.x")
    (tmp_path / "bundle").write_bytes(P12)
    command = caught.value.remedy.split(": ", 1)[1]
    words = command.replace("FILE", str(tmp_path / "bundle")).replace("certificates.pem", str(tmp_path / "out")).split()
    factory.openssl(*words[1:], "-passin", "pass:")
    assert pem.parse_certificates((tmp_path / "out").read_bytes(), "tls.x") == [ONE, TWO]


def test_refuses_a_certificate_of_which_a_part_cannot_be_read() -> None:
    der = factory.der_of(ONE)
    # The alternative names' DER: a length that runs over its end.
    broken = der.replace(b"\x30\x0a\x82\x08payments", b"\x30\x0a\x82\x09payments")
    assert broken != der
    with pytest.raises(InputError):
        pem.parse_certificates(broken, "tls.x")


def test_writes_what_the_router_reads() -> None:
    data = pem.certificates_to_pem([ONE, TWO])
    assert data == P1 + P2
    assert b"\r" not in data
    assert data.count(b"-----END CERTIFICATE-----\n") == 2
    assert pem.certificates_to_pem([]) == b""
    for text, certificates in READABLE.values():
        assert pem.certificates_to_pem(pem.parse_certificates(text, "f")) == factory.pem_of(*certificates)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_raise_only_our_error(data: bytes) -> None:
    with pytest.raises(InputError):
        pem.parse_certificates(data, "f")


@given(st.text(alphabet="-BEGIN CRTFADZ\n\r\\:=+/0xé\ud7ff", max_size=200))
@settings(max_examples=300, deadline=None)
def test_text_like_pem_raises_only_our_error(text: str) -> None:
    with pytest.raises(InputError):
        pem.parse_certificates(text.encode("utf-8"), "f")


SEEDS = [data for data, dummy in READABLE.values()]


@given(
    st.sampled_from(SEEDS),
    st.integers(0, 10**6),
    st.one_of(st.just(b""), st.binary(min_size=1, max_size=3)),
    st.integers(0, 4),
)
@settings(max_examples=600, deadline=None)
def test_mutated_files_raise_only_our_error(seed: bytes, at: int, insert: bytes, drop: int) -> None:
    at %= len(seed)
    mutant: Any = seed[:at] + insert + seed[at + drop :]
    with contextlib.suppress(InputError):
        pem.parse_certificates(mutant, "f")
