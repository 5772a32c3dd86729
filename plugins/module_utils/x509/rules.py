# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of RFC 5280 and of Skupper's router for one certificate, and for a certificate and its issuer.

Each ``*_problems`` function returns every breach as an error with the certificate's subject in the message,
nothing if there is none, so that callers can collect all of them. Chains are judged in :mod:`chain`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from ..errors import InputError
from . import keys, names

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
except ImportError:  # modules must import without it; run.py says what is missing
    pass

if TYPE_CHECKING:
    ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

_MIN_RSA_BITS = 2048
_MIN_CURVE_BITS = 256
_MAX_SERIAL_OCTETS = 20  # RFC 5280 section 4.1.2.2


def label(certificate: x509.Certificate) -> str:
    """Return how messages call a certificate: its subject, or its serial number if that is empty."""
    return names.subject_text(certificate.subject) or f"without subject (serial {certificate.serial_number:X})"


def time_text(moment: datetime) -> str:
    """Return an aware UTC time in the form of RFC 3339, in seconds (``2026-11-24T08:00:00Z``)."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def extension(
    certificate: x509.Certificate | x509.CertificateSigningRequest, kind: type[ExtensionT]
) -> x509.Extension[ExtensionT] | None:
    """Return an extension with its criticality, nothing if the certificate or request has none of the kind."""
    try:
        return certificate.extensions.get_extension_for_class(kind)
    except x509.ExtensionNotFound:
        return None


def is_ca(certificate: x509.Certificate | x509.CertificateSigningRequest) -> bool:
    """Tell whether basicConstraints says CA:TRUE (RFC 5280 section 4.2.1.9)."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.value.ca


def path_length(certificate: x509.Certificate | x509.CertificateSigningRequest) -> int | None:
    """Return how many CAs may stand below a CA (RFC 5280 section 4.2.1.9), None if nothing says so."""
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints.value.path_length if constraints is not None else None


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer's name and key made this certificate.

    Names are compared as they are encoded, as the library does; OpenSSL would also take another encoding of
    the same text.
    """
    if certificate.issuer != issuer.subject:
        return False
    try:
        if hash_name(certificate) in ("md5", "sha1"):
            _verify_weak(certificate, issuer)
        else:
            certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate's own key signed it, as a root's does."""
    return issued_by(certificate, certificate)


def hash_name(certificate: x509.Certificate) -> str:
    """Return the hash of the certificate's signature (``sha256``), nothing for Ed25519."""
    algorithm = certificate.signature_hash_algorithm
    return algorithm.name if algorithm else ""


def date_problems(certificate: x509.Certificate, now: datetime, field: str) -> list[InputError]:
    """Check the validity period at ``now`` (RFC 5280 section 4.1.2.5); both ends count as valid."""
    if now > certificate.not_valid_after_utc:
        return [
            _problem(
                certificate,
                "has expired",
                field,
                f"not after {time_text(certificate.not_valid_after_utc)}, now {time_text(now)}",
                "Renew it, and give the new one",
            )
        ]
    if now < certificate.not_valid_before_utc:
        return [
            _problem(
                certificate,
                "is not valid yet",
                field,
                f"not before {time_text(certificate.not_valid_before_utc)}, now {time_text(now)}",
                "Wait until then, or set the clock right",
            )
        ]
    return []


def ca_problems(certificate: x509.Certificate, field: str) -> list[InputError]:
    """Check that a certificate may issue server certificates, by the rules that every verifier applies."""
    problems = []
    if not is_ca(certificate):
        problems.append(
            _problem(
                certificate,
                "is not a CA certificate: basicConstraints CA:TRUE is missing",
                field,
                "a server certificate, or a CA made without the extension",
                "Give the certificate of the CA; if this is meant to be one, make it anew with "
                "basicConstraints=critical,CA:TRUE",
            )
        )
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.value.key_cert_sign:
        problems.append(
            _problem(
                certificate,
                "may not sign certificates: keyUsage has no keyCertSign",
                field,
                "keyUsage without keyCertSign",
                "Make the CA anew with keyUsage=critical,keyCertSign,cRLSign",
            )
        )
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    # OpenSSL, and so the router, does not take anyExtendedKeyUsage for serverAuth.
    if purposes is not None and ExtendedKeyUsageOID.SERVER_AUTH not in purposes.value:
        problems.append(
            _problem(
                certificate,
                "may not issue server certificates: its extendedKeyUsage has no serverAuth",
                field,
                _purposes_text(purposes.value),
                "Use a CA without extendedKeyUsage, or with serverAuth in it",
            )
        )
    return problems


def leaf_problems(certificate: x509.Certificate, field: str) -> list[InputError]:
    """Check that a certificate can be that of a TLS server."""
    problems = []
    if is_ca(certificate):
        problems.append(
            _problem(
                certificate,
                "is a CA certificate and stands in the place of the server certificate",
                field,
                "basicConstraints CA:TRUE",
                "Give the server certificate first, then its intermediates",
            )
        )
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and ExtendedKeyUsageOID.SERVER_AUTH not in purposes.value:
        problems.append(
            _problem(
                certificate,
                "is not for servers: its extendedKeyUsage has no serverAuth",
                field,
                _purposes_text(purposes.value),
                "Issue it anew with extendedKeyUsage=serverAuth",
            )
        )
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.value.digital_signature:
        problems.append(
            _problem(
                certificate,
                "cannot be used in TLS 1.3: its keyUsage has no digitalSignature (RFC 8446 section 4.4.2.2)",
                field,
                "keyUsage without digitalSignature",
                "Issue it anew with keyUsage=digitalSignature",
            )
        )
    return problems


def critical_problems(certificate: x509.Certificate, field: str) -> list[InputError]:
    """Refuse critical extensions that this package does not process (RFC 5280 section 4.2)."""
    known = {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
    return [
        _problem(
            certificate,
            "has a critical extension that is not understood here",
            field,
            found.oid.dotted_string,
            "Issue it anew without this extension, or with the extension not critical",
        )
        for found in certificate.extensions
        if found.critical and found.oid not in known
    ]


def strength_problems(certificate: x509.Certificate, field: str, allow: Collection[str] = ()) -> list[InputError]:
    """Refuse weak keys and hashes that ``allow`` does not name (``rsa-under-2048``, ``sha1``, ``md5``).

    Skupper's router checks no strength, so nobody does if not this function.
    """
    problems = []
    key = certificate.public_key()
    key_type = keys.key_type_of(key)
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < _MIN_RSA_BITS and "rsa-under-2048" not in allow:
            problems.append(
                _problem(
                    certificate,
                    f"has an RSA key of less than {_MIN_RSA_BITS} bits",
                    field,
                    key_type,
                    "Use a key of 2048 bits or more, or allow rsa-under-2048",
                )
            )
    elif not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _MIN_CURVE_BITS
    ):
        problems.append(
            _problem(
                certificate,
                "has a key of a kind that TLS does not use, or that is too weak",
                field,
                key_type,
                "Use an ECDSA, RSA or Ed25519 key",
            )
        )
    hashed = hash_name(certificate)
    if hashed in ("md5", "sha1") and hashed not in allow:
        problems.append(
            _problem(
                certificate,
                f"is signed with {'MD5' if hashed == 'md5' else 'SHA-1'}, which can be forged",
                field,
                f"signature with {hashed}",
                f"Have it signed with SHA-256 or better, or allow {hashed}",
            )
        )
    return problems


def strict_problems(certificate: x509.Certificate, field: str) -> list[InputError]:
    """Check what only strict verifiers do: Python 3.13's default, ``openssl verify -x509_strict``.

    Whether the rules for a CA or those for a leaf apply follows from basicConstraints.
    """
    if certificate.version is not x509.Version.v3:
        return [_strict(certificate, "is not of X.509 version 3 (RFC 5280 section 4.1.2.1)", field)]
    breaches = _ca_breaches(certificate) if is_ca(certificate) else _leaf_breaches(certificate)
    breaches += _identifier_breaches(certificate) + _name_breaches(certificate)
    octets = (certificate.serial_number.bit_length() + 8) // 8
    if certificate.serial_number <= 0 or octets > _MAX_SERIAL_OCTETS:
        breaches.append("has a serial number that is not positive and of at most 20 octets (RFC 5280 section 4.1.2.2)")
    return [_strict(certificate, breach, field) for breach in breaches]


def identifier_mismatch(certificate: x509.Certificate, issuer: x509.Certificate, field: str) -> list[InputError]:
    """Check that the certificate points at this issuer's key (RFC 5280 section 4.2.1.1).

    OpenSSL does not take an issuer whose key identifier differs, even if its signature is right.
    """
    pointer = extension(certificate, x509.AuthorityKeyIdentifier)
    target = extension(issuer, x509.SubjectKeyIdentifier)
    if pointer is None:
        return []
    wanted = pointer.value.key_identifier
    if _names_certificate(pointer.value, issuer) and (
        wanted is None or target is None or wanted == target.value.digest
    ):
        return []
    return [
        _problem(
            certificate,
            f"has an authorityKeyIdentifier that does not point at its issuer {label(issuer)}",
            field,
            f"key identifier {wanted.hex(':').upper()}" if wanted else "another name or serial number",
            "Give the issuer's certificate that was in force when this one was issued, or issue it anew",
        )
    ]


def _names_certificate(pointer: x509.AuthorityKeyIdentifier, issuer: x509.Certificate) -> bool:
    """Tell whether the other way to point, by the issuer's own issuer and serial number, fits or is not used."""
    if pointer.authority_cert_serial_number not in (None, issuer.serial_number):
        return False
    held = [name.value for name in pointer.authority_cert_issuer or () if isinstance(name, x509.DirectoryName)]
    return not held or issuer.issuer in held


def _verify_weak(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    # The library's own check refuses MD5 and SHA-1 outright, also where the user allows them by name.
    algorithm = certificate.signature_hash_algorithm
    key = issuer.public_key()
    signed, signature = certificate.tbs_certificate_bytes, certificate.signature
    if algorithm is not None and isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, signed, padding.PKCS1v15(), algorithm)
    elif algorithm is not None and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, signed, ec.ECDSA(algorithm))
    else:
        raise TypeError("no signature with this hash can be made by a key of this kind")


def _ca_breaches(certificate: x509.Certificate) -> list[str]:
    breaches = []
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is not None and not constraints.critical:
        breaches.append("is a CA whose basicConstraints is not critical (RFC 5280 section 4.2.1.9)")
    if extension(certificate, x509.KeyUsage) is None:
        breaches.append("is a CA without keyUsage keyCertSign (RFC 5280 section 4.2.1.3)")
    if extension(certificate, x509.SubjectKeyIdentifier) is None:
        breaches.append("is a CA without subjectKeyIdentifier (RFC 5280 section 4.2.1.2)")
    return breaches


def _leaf_breaches(certificate: x509.Certificate) -> list[str]:
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and usage.value.key_cert_sign:
        return ["has keyUsage keyCertSign without being a CA (RFC 5280 section 4.2.1.3)"]
    return []


def _identifier_breaches(certificate: x509.Certificate) -> list[str]:
    breaches = []
    subject = extension(certificate, x509.SubjectKeyIdentifier)
    if subject is not None and subject.critical:
        breaches.append("has a critical subjectKeyIdentifier (RFC 5280 section 4.2.1.2)")
    authority = extension(certificate, x509.AuthorityKeyIdentifier)
    if authority is not None and authority.critical:
        breaches.append("has a critical authorityKeyIdentifier (RFC 5280 section 4.2.1.1)")
    # A root is exempt: it can only name itself.
    if (authority is None or authority.value.key_identifier is None) and not is_self_signed(certificate):
        breaches.append("has no authorityKeyIdentifier with a key identifier (RFC 5280 section 4.2.1.1)")
    return breaches


def _name_breaches(certificate: x509.Certificate) -> list[str]:
    breaches = []
    alternative = extension(certificate, x509.SubjectAlternativeName)
    if not list(certificate.issuer):
        breaches.append("has an empty issuer (RFC 5280 section 4.1.2.4)")
    if not list(certificate.subject):
        if is_ca(certificate):
            breaches.append("is a CA with an empty subject (RFC 5280 section 4.1.2.6)")
        elif alternative is None or not alternative.critical:
            breaches.append("has an empty subject, and no critical alternative names (RFC 5280 section 4.2.1.6)")
    if alternative is not None and not list(alternative.value):
        breaches.append("has an empty list of alternative names (RFC 5280 section 4.2.1.6)")
    return breaches


def _strict(certificate: x509.Certificate, breach: str, field: str) -> InputError:
    return _problem(
        certificate,
        breach,
        field,
        "",
        "Issue it anew by the rule; Python 3.13 clients refuse it as it is, so allow non-strict only if you have none",
    )


def _purposes_text(purposes: x509.ExtendedKeyUsage) -> str:
    known = {
        ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
        ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
        ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
    }
    return ", ".join(known.get(purpose, purpose.dotted_string) for purpose in purposes)


def _problem(certificate: x509.Certificate, what: str, field: str, found: str, remedy: str) -> InputError:
    return InputError(f"the certificate {label(certificate)} {what}", field=field, found=found, remedy=remedy)
