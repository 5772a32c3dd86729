# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: generate, read in whatever form a user has them, write as PKCS#8.

No message and no exception context in this file may hold a byte of a key or of a passphrase. The
library is therefore called inside :func:`_load`, which returns the kind of failure, and errors are raised
outside of any ``except`` block, so that they have no context at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Union

from ..errors import InputError
from . import pem

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
except ImportError:  # modules must import without it; run.py says what is missing
    pass

if TYPE_CHECKING:
    PrivateKey = Union[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]
else:
    PrivateKey = Any

#: What :func:`generate_key` makes.
KEY_TYPES: tuple[str, ...] = ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096", "ed25519")

#: What :func:`load_key` accepts, for messages; an RSA key may be of any size (strength is a check of its own).
_SUPPORTED = "RSA, ECDSA P-256, ECDSA P-384, Ed25519"
_CURVE_NAMES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}
_PKCS12_COMMAND = "openssl pkcs12 -in FILE -nocerts -nodes | openssl pkey -out key.pem"


class _Loaded(NamedTuple):
    """A key, or the kind of failure: ``locked`` (needs a passphrase), ``unsupported`` or ``damaged``."""

    key: Any = None
    failure: str = ""


def generate_key(key_type: str) -> PrivateKey:
    """Return a new private key.

    Args:
        key_type: one of :data:`KEY_TYPES`.

    Raises:
        InputError: the key type is unknown.
    """
    if key_type not in KEY_TYPES:
        raise InputError(
            "the key type is unknown", field="key_type", found=key_type, remedy=f"Use one of {', '.join(KEY_TYPES)}"
        )
    kind, dummy, size = key_type.partition("-")
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1() if size == "p256" else ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate()


def load_key(data: bytes, field: str, passphrase: bytes | None = None) -> PrivateKey:
    """Return the one private key in ``data``.

    PEM (PKCS#8, PKCS#1, SEC1, encrypted PKCS#8, the older ``Proc-Type: 4,ENCRYPTED``) and DER are read;
    certificates and EC parameters in the same file are passed over. A passphrase that is not needed is
    ignored, and an empty one counts as none.

    Args:
        data: the content of the file.
        field: the user's option, for messages.
        passphrase: opens an encrypted key.

    Raises:
        InputError: no key, two keys, a certificate or another thing in the key's place, a passphrase missing
            or wrong, a damaged key, or a kind of key that is not supported.
    """
    if not data.strip():
        raise InputError("the private key is empty", field=field, remedy="Give a private key in PEM form")
    if not pem.is_pem(data):
        return accepted(_load_der(data, field, passphrase or None), field)
    blocks = pem.scan(data, field)
    keys = [block for block in blocks if block.is_private_key]
    if len(keys) > 1:
        raise InputError(
            "the file holds more than one private key, so it is not clear which one is meant",
            field=field,
            found=f"{len(keys)} private keys",
            remedy="Leave only the key that belongs to the certificate",
        )
    if not keys:
        raise _no_key(blocks, field)
    return accepted(_load_pem(keys[0], field, passphrase or None), field)


def key_to_pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """Return the key as PKCS#8 PEM that ends with a newline, encrypted if a passphrase is given.

    The router reads only unencrypted keys; encrypted ones are for a store.
    """
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def key_to_pkcs1(key: PrivateKey) -> bytes:
    """Return an RSA key as PKCS#1 PEM (RFC 8017 appendix A.1.2), the only form that Skupper 2.2.1 signs with."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def key_type_of(public_key: Any) -> str:
    """Return the kind and size of a public key, as ``ecdsa-p256``, ``rsa-1024`` or ``ed25519``."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return f"rsa-{public_key.key_size}"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return f"ecdsa-{_CURVE_NAMES.get(public_key.curve.name, public_key.curve.name)}"
    if isinstance(public_key, dsa.DSAPublicKey):
        return f"dsa-{public_key.key_size}"
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(public_key, ed448.Ed448PublicKey):
        return "ed448"
    return type(public_key).__name__.replace("PublicKey", "").lower()


def public_bytes(public_key: Any) -> bytes:
    """Return the DER SubjectPublicKeyInfo of a public key (RFC 5280 section 4.1)."""
    encoded: bytes = public_key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def matches(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Tell whether the certificate was issued for the key."""
    return public_bytes(key.public_key()) == public_bytes(certificate.public_key())


def _load(loader: Any, data: bytes, passphrase: bytes | None) -> _Loaded:
    """Call a loader of the library and return its outcome as a value."""
    try:
        return _Loaded(loader(data, passphrase))
    except TypeError:
        # The library's way to say that a passphrase is missing (or, never here, that one is not needed).
        return _Loaded(failure="locked")
    except UnsupportedAlgorithm:
        return _Loaded(failure="unsupported")
    except BaseException as error:
        if not pem.is_parse_failure(error):
            raise
        return _Loaded(failure="damaged")


def _load_pem(block: pem.Block, field: str, passphrase: bytes | None) -> Any:
    if block.label == "OPENSSH PRIVATE KEY":
        raise InputError(
            "the private key is in OpenSSH's own format",
            field=field,
            found=block.label,
            remedy="Convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY",
        )
    encrypted = block.label == "ENCRYPTED PRIVATE KEY" or "ENCRYPTED" in block.headers
    if encrypted and not passphrase:
        raise _passphrase_missing(field)
    loaded = _load(serialization.load_pem_private_key, block.text(), passphrase if encrypted else None)
    if loaded.failure and encrypted:
        raise _not_opened(loaded.failure, field)
    if loaded.failure:
        raise _unreadable(loaded.failure, field)
    return loaded.key


def _load_der(data: bytes, field: str, passphrase: bytes | None) -> Any:
    loaded = _load(serialization.load_der_private_key, data, None)
    if loaded.failure == "locked":
        if not passphrase:
            raise _passphrase_missing(field)
        loaded = _load(serialization.load_der_private_key, data, passphrase)
        if loaded.failure:
            raise _not_opened(loaded.failure, field)
    if loaded.failure:
        raise _not_a_key(data, loaded.failure, field)
    return loaded.key


def accepted(key: Any, field: str) -> PrivateKey:
    """Return the key if it is of a kind that Skupper's router and this collection can use."""
    if isinstance(key, (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1"):
        return key
    found = key_type_of(key.public_key()) if hasattr(key, "public_key") else "another kind"
    raise InputError(
        "the private key is of a kind that is not supported",
        field=field,
        found=found,
        remedy=f"Use a key of one of these kinds: {_SUPPORTED}",
    )


def _passphrase_missing(field: str) -> InputError:
    return InputError(
        "the private key is encrypted and no passphrase is given",
        field=field,
        found="an encrypted key",
        remedy="Give the passphrase of this key, or an unencrypted key",
    )


def _not_opened(failure: str, field: str) -> InputError:
    if failure == "unsupported":
        return InputError(
            "the private key is encrypted in a way that is not supported",
            field=field,
            remedy="Encrypt it anew: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out key.pem",
        )
    return InputError(
        "the passphrase does not open the private key",
        field=field,
        found="an encrypted key",
        remedy="Give the right passphrase; if it is right, the key is damaged (openssl pkey -in FILE -noout tells)",
    )


def _unreadable(failure: str, field: str) -> InputError:
    if failure == "unsupported":
        return InputError(
            "the private key is of a kind that is not supported",
            field=field,
            remedy=f"Use a key of one of these kinds: {_SUPPORTED}",
        )
    return InputError(
        "the private key is damaged",
        field=field,
        remedy="Export it anew; openssl pkey -in FILE -noout -check tells whether it is whole",
    )


def _no_key(blocks: list[pem.Block], field: str) -> InputError:
    labels = [block.label for block in blocks]
    remedy = "Give the PEM file that says BEGIN PRIVATE KEY"
    if any(label in pem.CERTIFICATE_LABELS for label in labels):
        return InputError(
            "a certificate stands where the private key should be", field=field, found="a certificate", remedy=remedy
        )
    if any("PUBLIC KEY" in label for label in labels):
        return InputError(
            "a public key stands where the private key should be", field=field, found="a public key", remedy=remedy
        )
    return InputError(
        "the file holds no private key", field=field, found=", ".join(labels) or "no PEM block", remedy=remedy
    )


def _not_a_key(data: bytes, failure: str, field: str) -> InputError:
    kind = pem.kind_of_der(data)
    if kind == "certificate":
        return InputError(
            "a certificate stands where the private key should be",
            field=field,
            found="a certificate in DER form",
            remedy="Give the file that holds the private key",
        )
    if kind == "PKCS#12":
        return InputError(
            "the file is a PKCS#12 bundle, not a private key",
            field=field,
            found=kind,
            remedy=f"Take the key out of it: {_PKCS12_COMMAND}",
        )
    if kind == "base64":
        return pem.armoured_again(field)
    if kind or failure == "unsupported":
        return _unreadable(failure, field)
    return InputError(
        "the file holds no private key, neither as PEM nor as DER",
        field=field,
        found=f"{len(data)} bytes of something else",
        remedy="Give the PEM file that says BEGIN PRIVATE KEY",
    )
