# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of every good and bad sort, made by the library directly and not by the code under test."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError, SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys

#: Real time, because openssl and the ssl module look at the clock.
NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


class Party(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any


@functools.cache
def key(key_type: str = "ecdsa-p256", number: int = 0) -> Any:
    """Return the same key for the same arguments, for RSA keys are slow to make."""
    return keys.generate_key(key_type)


def name(text: str) -> x509.Name:
    """Return a name of a common name alone, the empty one for an empty text."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


def usage(*flags: str) -> x509.KeyUsage:
    """Return a keyUsage with these flags."""
    known = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign "
        "crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{flag: flag in flags for flag in known.split()})


def make(
    subject: str = "leaf",
    issuer: Party | None = None,
    *,
    key: Any = None,
    issuer_name: str | None = None,
    ca: bool | None = False,
    path_length: int | None = None,
    constraints_critical: bool = True,
    key_usage: Sequence[str] | None = (),
    purposes: Sequence[x509.ObjectIdentifier] | None = (),
    names: Sequence[str] = (),
    names_critical: bool = False,
    ski: bool = True,
    aki: Any = True,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + 30 * DAY,
    weak: hashes.HashAlgorithm | None = None,
    extra: Sequence[tuple[x509.ExtensionType, bool]] = (),
    serial: int | None = None,
) -> Party:
    """Return a certificate as told; the defaults make a good leaf, ``ca=True`` a good CA.

    Without issuer it is self-signed. ``None`` leaves an extension out, an empty sequence takes the default.
    """
    own_key = key or ec.generate_private_key(ec.SECP256R1())
    issuer_key = issuer.key if issuer else own_key
    builder = x509.CertificateBuilder(
        subject_name=name(subject),
        issuer_name=issuer.certificate.subject if issuer and issuer_name is None else name(issuer_name or subject),
        public_key=own_key.public_key(),
        serial_number=serial or x509.random_serial_number(),
        not_valid_before=not_before,
        not_valid_after=not_after,
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), constraints_critical)
    if key_usage is not None:
        default = ("key_cert_sign", "crl_sign") if ca else ("digital_signature",)
        builder = builder.add_extension(usage(*(key_usage or default)), True)
    if purposes is not None and (purposes or not ca):
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes or [SERVER]), False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), names_critical
        )
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(own_key.public_key()), False)
    if aki is True:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False
        )
    elif aki:
        builder = builder.add_extension(aki, False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    made = builder.sign(issuer_key, None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return Party(made if weak is None else _signed_again(made, issuer_key, weak), own_key)


def _der(tag: int, body: bytes) -> bytes:
    length = len(body).to_bytes(3, "big").lstrip(b"\0")
    return bytes([tag]) + (length if len(body) < 128 else bytes([0x80 | len(length)]) + length) + body


def _signed_again(certificate: x509.Certificate, issuer_key: Any, weak: hashes.HashAlgorithm) -> x509.Certificate:
    """Return a certificate with a signature of SHA-1 or MD5, which the library's builder refuses to make."""
    if isinstance(issuer_key, rsa.RSAPrivateKey):
        strong = bytes.fromhex("300d06092a864886f70d01010b0500")
        weaker = strong.replace(b"\x0b", b"\x05" if weak.name == "sha1" else b"\x04")
    else:
        strong = bytes.fromhex("300a06082a8648ce3d040302")
        weaker = bytes.fromhex("300906072a8648ce3d0401")
    signed = certificate.tbs_certificate_bytes
    body = signed[2 + (signed[1] & 0x7F if signed[1] & 0x80 else 0) :]
    assert strong in body
    signed = _der(0x30, body.replace(strong, weaker, 1))
    if isinstance(issuer_key, rsa.RSAPrivateKey):
        signature = issuer_key.sign(signed, padding.PKCS1v15(), weak)
    else:
        signature = issuer_key.sign(signed, ec.ECDSA(weak))
    return x509.load_der_x509_certificate(_der(0x30, signed + weaker + _der(0x03, b"\0" + signature)))


def root(subject: str = "root", **options: Any) -> Party:
    """Return a good self-signed CA, but for the options."""
    return make(subject, **{"ca": True, **options})


def pem_of(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def der_of(certificate: x509.Certificate) -> bytes:
    """Return a certificate as DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    """Run openssl and return its output."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, (arguments, done.stdout + done.stderr)
    return done.stdout


def openssl_verify(folder: Path, path: Sequence[x509.Certificate], *options: str) -> str:
    """Return what ``openssl verify -x509_strict`` says of a path from the leaf to the root, empty if it is good."""
    files = {"leaf": path[:1], "middle": path[1:-1], "root": path[-1:]}
    for file, certificates in files.items():
        (folder / file).write_bytes(pem_of(*certificates))
    arguments = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(folder / "root")]
    arguments += ["-untrusted", str(folder / "middle")] if path[1:-1] else []
    done = subprocess.run([*arguments, *options, str(folder / "leaf")], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def check_error(error: SkupperTlsError, message: str, field: str = "tls.x") -> None:
    """Assert what every refusal must have: the message, the field and a remedy."""
    assert isinstance(error, InputError)
    assert message in error.message
    assert error.field == field
    assert error.remedy
    assert not error.remedy.endswith(".")
    assert not error.message.endswith(".")


def check_only(errors: Sequence[SkupperTlsError], message: str, field: str = "tls.x") -> None:
    """Assert that there is one error, and that it is this one."""
    assert len(errors) == 1, [str(error) for error in errors]
    check_error(errors[0], message, field)
