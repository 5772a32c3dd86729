# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing requests, as openssl reads them and signs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import certificates, describe, keys
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

ROOT = factory.root("root", key=factory.key())
SERVER = certificates.CertificateRequest("O=Shop,CN=payments", ("payments", "10.0.0.1"))


def signed(folder: Path, request: x509.CertificateSigningRequest) -> x509.Certificate:
    """Return what openssl makes of a request when it takes over all that is asked for."""
    (folder / "csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    (folder / "ca").write_bytes(factory.pem_of(ROOT.certificate) + keys.key_to_pem(ROOT.key))
    arguments: list[str | Path] = [
        "-req",
        "-in",
        folder / "csr",
        "-CA",
        folder / "ca",
        "-CAkey",
        folder / "ca",
        "-CAcreateserial",
    ]
    made = factory.openssl("x509", *arguments, "-days", "9", "-copy_extensions", "copyall")
    return x509.load_pem_x509_certificate(made)


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_server(tmp_path: Path, key_type: str) -> None:
    key = factory.key(key_type)
    request = certificates.certificate_signing_request(SERVER, key)
    (tmp_path / "csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    text = factory.openssl("req", "-in", tmp_path / "csr", "-noout", "-text", "-verify").decode()
    assert "DNS:payments" in text
    assert "IP Address:10.0.0.1" in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    assert ("Key Encipherment" in text) == key_type.startswith("rsa")
    shown = describe.describe_request(request)
    assert shown == {
        "subject": "O=Shop,CN=payments",
        "alternative_names": ["DNS:payments", "IP:10.0.0.1", "DNS:10.0.0.1"],
        "key_type": key_type,
        "key_sha256": describe.key_fingerprint(key.public_key()),
        "ca": False,
    }
    leaf = signed(tmp_path, request)
    assert factory.openssl_verify(tmp_path, [leaf, ROOT.certificate], "-verify_hostname", "payments") == ""
    assert keys.matches(key, leaf)


def test_authority(tmp_path: Path) -> None:
    key = factory.key(number=1)
    request = certificates.authority_signing_request(certificates.AuthorityRequest("CN=Shop CA"), key)
    made = signed(tmp_path, request)
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value == factory.usage("key_cert_sign", "crl_sign")
    assert describe.describe_request(request)["ca"]
    now = made.not_valid_before_utc
    leaf = certificates.issue(SERVER, key.public_key(), made, key, now, above=[ROOT.certificate])
    assert factory.openssl_verify(tmp_path, [leaf, made, ROOT.certificate]) == ""


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (certificates.certificate_signing_request, certificates.CertificateRequest("x", ())),
        (certificates.certificate_signing_request, certificates.CertificateRequest("x", ("x",), "ecdsa-p256", 1, ())),
        (certificates.authority_signing_request, certificates.AuthorityRequest("")),
    ],
)
def test_refused(make: Any, wanted: Any) -> None:
    with pytest.raises(SkupperTlsError):
        make(wanted, factory.key())
