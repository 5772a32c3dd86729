# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be shown of a certificate or a key: names, dates, fingerprints, never content."""

from __future__ import annotations

import hashlib
from typing import Any

from . import keys, names, pem, rules

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:  # modules must import without it; run.py says what is missing
    pass


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint as ``openssl x509 -fingerprint -sha256`` prints it (``AB:CD:...``)."""
    return _pairs(certificate.public_bytes(serialization.Encoding.DER))


def key_fingerprint(public_key: Any) -> str:
    """Return the SHA-256 fingerprint of a public key's SubjectPublicKeyInfo, in the form of :func:`fingerprint`."""
    return _pairs(keys.public_bytes(public_key))


def describe(certificate: x509.Certificate) -> dict[str, Any]:
    """Return what a result, a diff or a report shows of a certificate; JSON types only."""
    return {
        "subject": names.subject_text(certificate.subject),
        "issuer": names.subject_text(certificate.issuer),
        "serial_number": f"{certificate.serial_number:X}",
        "not_before": rules.time_text(certificate.not_valid_before_utc),
        "not_after": rules.time_text(certificate.not_valid_after_utc),
        "alternative_names": list(names.names_of(certificate)),
        "sha256": fingerprint(certificate),
        "key_type": keys.key_type_of(certificate.public_key()),
        "ca": rules.is_ca(certificate),
    }


def describe_request(request: x509.CertificateSigningRequest) -> dict[str, Any]:
    """Return what a result or a diff shows of a signing request; JSON types only."""
    return {
        "subject": names.subject_text(request.subject),
        "alternative_names": list(names.names_of(request)),
        "key_type": keys.key_type_of(request.public_key()),
        "key_sha256": key_fingerprint(request.public_key()),
        "ca": rules.is_ca(request),
    }


def describe_bundle(data: bytes, field: str) -> list[dict[str, Any]]:
    """Return the descriptions of all certificates of a PEM file, in order.

    Raises:
        InputError: as :func:`pem.parse_certificates`.
    """
    return [describe(certificate) for certificate in pem.parse_certificates(data, field)]


def _pairs(data: bytes) -> str:
    return hashlib.sha256(data).digest().hex(":").upper()
