# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of imported material: all problems at once, and the allowances."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import checks
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW, Party, make, root

ROOT = root()
MIDDLE = make("middle", ROOT, ca=True)
LEAF = make("leaf", MIDDLE, names=["payments", "payments.shop"])
WEAK_KEY = rsa.generate_private_key(65537, 1024)


def authority(*parties: Party, key: Any = None, allow: tuple[str, ...] = ()) -> list[InputError]:
    return checks.check_authority([party.certificate for party in parties], key, NOW, "tls.x", allow)


def certificate(leaf: Party, *path: Party, **options: Any) -> list[InputError]:
    """Check a leaf with its path, the last of which is the authority."""
    values: dict[str, Any] = {"key": leaf.key, "names": ["payments"], "allow": (), **options}
    return checks.check_certificate(
        leaf.certificate,
        [party.certificate for party in path[:-1]],
        [path[-1].certificate],
        values["key"],
        values["names"],
        NOW,
        "tls.x",
        values["allow"],
    )


def test_good_material_has_no_problems() -> None:
    assert authority(ROOT) == []
    assert authority(ROOT, key=ROOT.key) == []
    assert authority(MIDDLE, ROOT, key=MIDDLE.key) == []
    assert authority(ROOT, root("second")) == []
    assert certificate(LEAF, MIDDLE, ROOT) == []


AUTHORITIES: dict[str, tuple[dict[str, Any], str, str]] = {
    # options of the root, message, the allowance that lets it through
    "no CA": ({"ca": False, "key_usage": ("key_cert_sign",)}, "is not a CA certificate: basicConstraints CA:TRUE", ""),
    "no keyCertSign": ({"key_usage": ("crl_sign",)}, "keyUsage has no keyCertSign", ""),
    "expired": ({"not_after": NOW - DAY / 24}, "has expired", ""),
    "not yet": ({"not_before": NOW + DAY}, "is not valid yet", ""),
    "for clients": ({"purposes": [factory.CLIENT]}, "extendedKeyUsage has no serverAuth", ""),
    "critical": (
        {"extra": [(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True)]},
        "critical extension",
        "",
    ),
    "weak key": ({"key": WEAK_KEY}, "RSA key of less than 2048 bits", "rsa-under-2048"),
    "sha1": ({"key": factory.key("rsa-2048"), "weak": hashes.SHA1()}, "is signed with SHA-1", "sha1"),
    "keyUsage missing": ({"key_usage": None}, "without keyUsage keyCertSign", "non-strict"),
    "SKI missing": ({"ski": False, "aki": None}, "without subjectKeyIdentifier", "non-strict"),
    "not critical": ({"constraints_critical": False}, "basicConstraints is not critical", "non-strict"),
}


@pytest.mark.parametrize("case", AUTHORITIES)
def test_refused_authorities(case: str) -> None:
    options, message, allowance = AUTHORITIES[case]
    bad = root("bad", **options)
    others = tuple(one for one in checks.ALLOWANCES if one != allowance)
    for allow in ((), others if allowance else ("sha1", "md5", "rsa-under-2048")):
        errors = authority(bad, allow=allow)
        assert any(message in error.message and "CN=bad" in error.message for error in errors)
        for error in errors:
            factory.check_error(error, "")
    if allowance:
        factory.check_only(authority(bad), message)
        assert authority(bad, allow=(allowance,)) == []
        assert allowance in authority(bad)[0].remedy


def test_md5() -> None:
    bad = root("old", key=factory.key("rsa-2048"), weak=hashes.MD5())
    factory.check_only(authority(bad), "is signed with MD5")
    assert authority(bad, allow=("md5",)) == []
    leaf = make("leaf", bad, names=["payments"])
    factory.check_only(certificate(leaf, bad), "CN=old is signed with MD5")
    assert certificate(leaf, bad, allow=("md5",)) == []


def test_the_second_certificate_of_a_bundle_is_checked_too() -> None:
    factory.check_only(authority(ROOT, root("second", not_after=NOW - DAY / 24)), "CN=second has expired")


def test_a_server_certificate_as_authority() -> None:
    assert "is not a CA certificate" in authority(make("server", ROOT, names=["a"]), ROOT)[0].message


def test_intermediate_authority_without_its_root() -> None:
    factory.check_only(authority(MIDDLE), "the CA that issued it is missing")


def test_intermediate_without_key_identifier() -> None:
    bad = make("middle", ROOT, ca=True, aki=None)
    factory.check_only(authority(bad, ROOT), "has no authorityKeyIdentifier")
    assert authority(bad, ROOT, allow=("non-strict",)) == []


def test_authority_key() -> None:
    errors = authority(MIDDLE, ROOT, key=ROOT.key)
    factory.check_only(errors, "the key does not match the certificate")


def test_no_authority_at_all() -> None:
    factory.check_only(authority(), "there is no CA certificate")


def test_unknown_allowance() -> None:
    factory.check_only(authority(ROOT, allow=("weak",)), "the allowance is unknown")
    factory.check_only(certificate(LEAF, MIDDLE, ROOT, allow=("weak",)), "the allowance is unknown")


CERTIFICATES: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"not_after": NOW - DAY / 24}, "has expired", ""),
    "not yet": ({"not_before": NOW + DAY}, "is not valid yet", ""),
    "other names": ({"names": ["other"]}, "does not cover payments", ""),
    "no names": ({"names": []}, "does not cover payments", ""),
    "name only contained": ({"names": ["payments2", "xpayments", "payments.shop"]}, "does not cover payments", ""),
    "for clients": ({"purposes": [factory.CLIENT]}, "is not for servers", ""),
    "no digitalSignature": ({"key_usage": ("key_encipherment",)}, "cannot be used in TLS 1.3", ""),
    "a CA": (
        {"ca": True, "key_usage": ("digital_signature", "key_cert_sign")},
        "stands in the place of the server certificate",
        "",
    ),
    "weak key": ({"key": WEAK_KEY}, "RSA key of less than 2048 bits", "rsa-under-2048"),
    "sha1": ({"weak": hashes.SHA1()}, "is signed with SHA-1", "sha1"),
    "no AKI": ({"aki": None}, "has no authorityKeyIdentifier", "non-strict"),
}


@pytest.mark.parametrize("case", CERTIFICATES)
def test_refused_certificates(case: str) -> None:
    options, message, allowance = CERTIFICATES[case]
    bad = make("bad", MIDDLE, **{"names": ["payments"], **options})
    factory.check_only(certificate(bad, MIDDLE, ROOT), message)
    others = tuple(one for one in checks.ALLOWANCES if one != allowance)
    factory.check_only(certificate(bad, MIDDLE, ROOT, allow=others), message)
    if allowance:
        assert certificate(bad, MIDDLE, ROOT, allow=(allowance,)) == []


def test_strength_of_every_certificate_of_the_chain() -> None:
    weak_root = root("weak root", key=WEAK_KEY)
    middle = make("middle", weak_root, ca=True, key=factory.key("rsa-2048"), weak=hashes.SHA1())
    leaf = make("leaf", middle, names=["payments"])
    messages = [error.message for error in certificate(leaf, middle, weak_root)]
    assert len(messages) == 2
    assert "CN=middle is signed with SHA-1" in messages[0]
    assert "CN=weak root has an RSA key of less than 2048 bits" in messages[1]
    assert certificate(leaf, middle, weak_root, allow=("sha1", "rsa-under-2048")) == []


def test_key_and_chain() -> None:
    factory.check_only(certificate(LEAF, MIDDLE, ROOT, key=ROOT.key), "the key does not match the certificate")
    factory.check_only(certificate(LEAF, ROOT), "the chain is incomplete: the certificate of CN=middle")
    factory.check_only(certificate(LEAF, MIDDLE, root("stranger"), ROOT), "do not belong to the chain")


def test_missing_names_are_listed_with_those_there() -> None:
    (error,) = certificate(LEAF, MIDDLE, ROOT, names=["payments", "a", "b.c"])
    assert "does not cover a, b.c" in error.message
    assert error.found == "DNS:payments, DNS:payments.shop"


def test_all_problems_at_once() -> None:
    top = root("top", not_after=NOW - DAY / 24)
    bad = make("bad", top, names=["other"], key=WEAK_KEY, purposes=[factory.CLIENT], not_after=NOW - DAY / 24, aki=None)
    messages = [error.message for error in certificate(bad, top, key=ROOT.key)]
    expected = [
        "the key does not match",
        "does not cover payments",
        "CN=bad is not for servers",
        "CN=bad has expired",
        "CN=bad has no authorityKeyIdentifier",
        "CN=top has expired",
        "CN=bad has an RSA key",
    ]
    assert len(messages) == len(expected), messages
    for part in expected:
        assert any(part in message for message in messages), part


def test_all_problems_even_without_a_chain() -> None:
    bad = make("bad", MIDDLE, names=["other"], not_after=NOW - DAY / 24, key=WEAK_KEY)
    messages = [error.message for error in certificate(bad, ROOT, key=ROOT.key)]
    expected = ["the key does not match", "does not cover", "is incomplete", "has expired", "RSA key of less"]
    assert len(messages) == len(expected), messages
    for part in expected:
        assert any(part in message for message in messages), part


@pytest.mark.parametrize("key_type", ["ecdsa-p384", "rsa-2048", "ed25519"])
def test_every_key_type_is_good(key_type: str) -> None:
    top = root("top", key=factory.key(key_type, 3))
    leaf = make("leaf", top, names=["payments"], key=factory.key(key_type, 4))
    assert authority(top, key=top.key) == []
    assert certificate(leaf, top) == []


def test_what_no_rule_knows_is_found_by_the_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import chain

    leaf = make(issuer=ROOT, names=["payments"], names_critical=True)
    monkeypatch.setattr(chain, "_in_web_profile", lambda path: True)
    factory.check_only(certificate(leaf, ROOT), "does not pass strict verification")
    assert certificate(leaf, ROOT, allow=("non-strict",)) == []
