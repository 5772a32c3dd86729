# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown of certificates, with openssl as the judge."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import describe
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

ROOT = factory.root()
LEAF = factory.make(issuer=ROOT, names=["payments", "payments.shop"], serial=0xABC)


@pytest.mark.parametrize("party", [ROOT, LEAF])
def test_fingerprint_is_that_of_openssl(party: factory.Party) -> None:
    printed = factory.openssl("x509", "-noout", "-fingerprint", "-sha256", data=factory.pem_of(party.certificate))
    assert printed.decode().strip().split("=", 1)[1] == describe.fingerprint(party.certificate)


def test_key_fingerprint_is_that_of_the_der() -> None:
    der = factory.openssl(
        "pkey",
        "-pubin",
        "-outform",
        "DER",
        data=LEAF.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    assert describe.key_fingerprint(LEAF.key.public_key()).replace(":", "").lower() == hashlib.sha256(der).hexdigest()


def test_describe() -> None:
    shown = describe.describe(LEAF.certificate)
    assert shown == {
        "subject": "CN=leaf",
        "issuer": "CN=root",
        "serial_number": "ABC",
        "not_before": (factory.NOW - factory.DAY).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "not_after": (factory.NOW + 30 * factory.DAY).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "alternative_names": ["DNS:payments", "DNS:payments.shop"],
        "sha256": describe.fingerprint(LEAF.certificate),
        "key_type": "ecdsa-p256",
        "ca": False,
    }
    assert json.loads(json.dumps(shown)) == shown


def test_describe_bundle() -> None:
    data = factory.pem_of(LEAF.certificate, ROOT.certificate)
    shown = describe.describe_bundle(data, "f")
    assert [(one["subject"], one["ca"]) for one in shown] == [("CN=leaf", False), ("CN=root", True)]
    with pytest.raises(InputError):
        describe.describe_bundle(b"", "f")
