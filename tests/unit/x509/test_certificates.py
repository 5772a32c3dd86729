# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is issued passes strict verifiers, and what could not is refused."""

from __future__ import annotations

import dataclasses
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError, Problems, SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import certificates, chain, keys, names, pem
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW

HOSTS = ("payments", "payments.shop.svc", "10.0.0.1", "*.example.com", "2001:db8::1")
CA_REQUEST = certificates.AuthorityRequest("CN=Test CA,O=Example")
REQUEST = certificates.CertificateRequest("payments", HOSTS)


def pair(ca_type: str = "ecdsa-p256", key_type: str = "ecdsa-p256") -> tuple[factory.Party, factory.Party]:
    """Return a CA and a leaf, both made by the code under test."""
    ca_key, key = factory.key(ca_type, 1), factory.key(key_type, 2)
    authority = certificates.build_authority(CA_REQUEST, ca_key, NOW)
    leaf = certificates.issue(REQUEST, key.public_key(), authority, ca_key, NOW)
    return factory.Party(authority, ca_key), factory.Party(leaf, key)


@pytest.mark.parametrize("key_type", keys.KEY_TYPES)
@pytest.mark.parametrize("ca_type", keys.KEY_TYPES)
def test_openssl_verifies_strictly(ca_type: str, key_type: str, tmp_path: Path) -> None:
    authority, leaf = pair(ca_type, key_type)
    path = [leaf.certificate, authority.certificate]
    for host in ("payments", "a.example.com"):
        assert factory.openssl_verify(tmp_path, path, "-verify_hostname", host) == ""
    for address in ("10.0.0.1", "2001:db8::1"):
        assert factory.openssl_verify(tmp_path, path, "-verify_ip", address) == ""
    assert "hostname mismatch" in factory.openssl_verify(tmp_path, path, "-verify_hostname", "other")
    chain.verify(leaf.certificate, [], [authority.certificate], HOSTS, NOW, "f")


def handshake(authority: factory.Party, leaf: factory.Party, host: str, folder: Path) -> str:
    """Let a strict client meet a server that holds the leaf; return the client's error, or nothing."""
    (folder / "chain.pem").write_bytes(pem.certificates_to_pem([leaf.certificate]) + keys.key_to_pem(leaf.key))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "chain.pem")
    client = ssl.create_default_context(cadata=pem.certificates_to_pem([authority.certificate]).decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = {
        "client": client.wrap_bio(to_client, to_server, server_hostname=host),
        "server": server.wrap_bio(to_server, to_client, server_side=True),
    }
    waiting = set(ends)
    for dummy in range(10):
        for one in sorted(waiting):
            try:
                ends[one].do_handshake()
                waiting.discard(one)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return str(error)
    return "" if not waiting else f"no end for {waiting}"


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "rsa-2048", "ed25519"])
@pytest.mark.parametrize("ca_type", ["ecdsa-p384", "rsa-2048", "ed25519"])
def test_strict_tls_client_accepts(ca_type: str, key_type: str, tmp_path: Path) -> None:
    authority, leaf = pair(ca_type, key_type)
    for host in ("payments", "10.0.0.1", "x.example.com"):
        assert handshake(authority, leaf, host, tmp_path) == ""
    assert "mismatch" in handshake(authority, leaf, "other", tmp_path)


def test_the_handshake_test_is_strict(tmp_path: Path) -> None:
    bad = factory.root(ski=False, aki=None)
    leaf = factory.make(issuer=bad, names=["payments"])
    assert "Missing Subject Key Identifier" in handshake(bad, leaf, "payments", tmp_path)


def test_the_authority() -> None:
    made = pair()[0].certificate
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, True)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    assert (usage.critical, usage.value) == (True, factory.usage("key_cert_sign", "crl_sign"))
    ski = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    aki = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert aki.key_identifier == ski
    assert made.not_valid_before_utc == NOW - certificates.CLOCK_SKEW
    assert made.not_valid_after_utc == NOW + 3650 * DAY
    assert 0 < made.serial_number < 2**159
    assert made.issuer == made.subject
    assert names.subject_text(made.subject) == "CN=Test CA,O=Example"


@pytest.mark.parametrize(("key_type", "encipher"), [("rsa-2048", True), ("ecdsa-p256", False), ("ed25519", False)])
def test_the_leaf(key_type: str, encipher: bool) -> None:
    authority, leaf = pair(key_type=key_type)
    made = leaf.certificate
    assert frozenset(names.names_of(made)) == names.expected_names(HOSTS)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)
    flags = ("digital_signature", "key_encipherment") if encipher else ("digital_signature",)
    assert (usage.critical, usage.value) == (True, factory.usage(*flags))
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert list(purposes.value) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not made.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    aki = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    ski = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert aki.key_identifier == ski.digest
    assert made.not_valid_before_utc == NOW - certificates.CLOCK_SKEW
    assert made.not_valid_after_utc == NOW + 365 * DAY


def test_the_hash_follows_the_signer() -> None:
    expected: dict[str, type] = {"ecdsa-p384": hashes.SHA384, "ed25519": type(None)}
    for ca_type in keys.KEY_TYPES:
        authority, leaf = pair(ca_type)
        wanted = expected.get(ca_type, hashes.SHA256)
        assert isinstance(authority.certificate.signature_hash_algorithm, wanted)
        assert isinstance(leaf.certificate.signature_hash_algorithm, wanted)


def issue(issuer: factory.Party, **changes: Any) -> x509.Certificate:
    request = dataclasses.replace(REQUEST, **changes)
    return certificates.issue(request, factory.key().public_key(), issuer.certificate, issuer.key, NOW, "tls.ca")


def intermediate(**changes: Any) -> tuple[factory.Party, factory.Party]:
    """Return a CA, and one below it that may sign for payments."""
    root, key = pair()[0], factory.key("rsa-2048", 3)
    options = {"request": certificates.AuthorityRequest("CN=east service CA", "rsa-2048"), "now": NOW, **changes}
    made = certificates.build_intermediate(
        options["request"], key.public_key(), ["payments", "shop.svc"], root.certificate, root.key, options["now"]
    )
    return root, factory.Party(made, key)


@pytest.mark.parametrize(
    ("hosts", "accepted"),
    [
        (("payments",), True),
        (("payments", "payments.shop.svc"), True),
        (("a.payments",), True),
        (("other",), False),
        (("payments", "payments.example.com"), False),
    ],
)
def test_an_intermediate_signs_for_its_names_only(hosts: tuple[str, ...], accepted: bool, tmp_path: Path) -> None:
    root, below = intermediate()
    constraints = below.certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert certificates.permitted_names(below.certificate) == ("payments", "shop.svc")
    assert certificates.permitted_names(root.certificate) == ()
    length = below.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
    assert length == 0
    request = dataclasses.replace(REQUEST, subject=hosts[0], names=hosts)
    key = factory.key("ecdsa-p256", 4)
    if not accepted:
        with pytest.raises(SkupperTlsError, match="nameConstraints"):
            certificates.issue(request, key.public_key(), below.certificate, below.key, NOW)
        return
    leaf = certificates.issue(request, key.public_key(), below.certificate, below.key, NOW)
    assert factory.openssl_verify(tmp_path, [leaf, below.certificate, root.certificate]) == ""
    chain.verify(leaf, [below.certificate], [root.certificate], hosts, NOW, "f")


def test_an_intermediate_does_not_outlive_its_issuer() -> None:
    longer = certificates.AuthorityRequest("CN=east service CA", "rsa-2048", validity_days=36500)
    root, below = intermediate(request=longer)
    assert below.certificate.not_valid_after_utc == root.certificate.not_valid_after_utc
    with pytest.raises(SkupperTlsError, match="expired"):
        intermediate(now=NOW + timedelta(days=4000))


def test_never_outlives_its_issuer_nor_begins_before() -> None:
    issuer = factory.root(not_before=NOW - timedelta(minutes=1), not_after=NOW + 3 * DAY)
    made = issue(issuer)
    assert made.not_valid_before_utc == NOW - timedelta(minutes=1)
    assert made.not_valid_after_utc == NOW + 3 * DAY
    assert issue(issuer, validity_days=2).not_valid_after_utc == NOW + 2 * DAY


def test_empty_subject_makes_the_names_critical(tmp_path: Path) -> None:
    issuer = factory.root()
    made = issue(issuer, subject="")
    assert made.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert factory.openssl_verify(tmp_path, [made, issuer.certificate]) == ""
    chain.verify(made, [], [issuer.certificate], HOSTS, NOW, "f")


def test_client_auth_beside_server_auth() -> None:
    made = issue(factory.root(), extended_key_usage=("serverAuth", "clientAuth", "serverAuth"))
    purposes = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [factory.SERVER, factory.CLIENT]
    assert set(certificates.usages_of(made)) == {"serverAuth", "clientAuth"}


def test_usages_of() -> None:
    assert certificates.usages_of(issue(factory.root())) == ("serverAuth",)
    assert certificates.usages_of(factory.make(purposes=None).certificate) == ()


def test_takes_an_identifier_that_is_no_hash_of_the_key(tmp_path: Path) -> None:
    identifier = x509.SubjectKeyIdentifier(b"not a hash")
    issuer = factory.root(ski=False, aki=None, extra=[(identifier, False)])
    made = issue(issuer)
    aki = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert aki.key_identifier == b"not a hash"
    assert factory.openssl_verify(tmp_path, [made, issuer.certificate]) == ""


def test_microseconds_and_zones_do_not_matter() -> None:
    from datetime import timezone

    odd = (NOW + timedelta(microseconds=123456)).astimezone(timezone(timedelta(hours=5)))
    made = certificates.build_authority(CA_REQUEST, factory.key(), odd)
    assert made.not_valid_after_utc == NOW + 3650 * DAY


OTHER_KEY = factory.root()
REFUSED_ISSUERS = {
    "expired": (lambda: factory.root(not_after=NOW - timedelta(seconds=1)), "has expired"),
    "not yet": (lambda: factory.root(not_before=NOW + timedelta(seconds=1)), "is not valid yet"),
    "no CA": (factory.make, "is not a CA certificate"),
    "no basicConstraints": (lambda: factory.make(ca=None, key_usage=None), "is not a CA certificate"),
    "no keyCertSign": (lambda: factory.root(key_usage=("crl_sign",)), "keyUsage has no keyCertSign"),
    "client CA": (lambda: factory.root(purposes=[factory.CLIENT]), "extendedKeyUsage has no serverAuth"),
    "wrong key": (lambda: factory.root()._replace(key=factory.key("rsa-2048")), "key does not belong to the CA's"),
    "constrained": (
        lambda: factory.root(extra=[(x509.NameConstraints([x509.DNSName("example.com")], None), True)]),
        "may not issue for payments",
    ),
}


@pytest.mark.parametrize("case", REFUSED_ISSUERS)
def test_refused_issuers(case: str) -> None:
    make, message = REFUSED_ISSUERS[case]
    with pytest.raises(SkupperTlsError) as caught:
        issue(make())
    errors = caught.value.errors if isinstance(caught.value, Problems) else [caught.value]
    for error in errors:
        factory.check_error(error, "", "tls.ca")
    assert any(message in error.message for error in errors)


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"validity_days": 0}, "x.validity_days", "not 1 to 36500 days"),
        ({"validity_days": 36501}, "x.validity_days", "not 1 to 36500 days"),
        ({"validity_days": True}, "x.validity_days", "not 1 to 36500 days"),
        ({"validity_days": "10"}, "x.validity_days", "not 1 to 36500 days"),
        ({"key_type": "rsa-1024"}, "x.key_type", "the key type is unknown"),
        ({"subject": "/CN=a"}, "x.subject", "is not a valid name"),
        ({"names": ()}, "x.alternative_names", "at least one alternative name"),
        ({"names": ("a_b",)}, "x.alternative_names", "not a host name"),
        ({"extended_key_usage": ("clientAuth",)}, "x.extended_key_usage", "has no serverAuth"),
        ({"extended_key_usage": ()}, "x.extended_key_usage", "has no serverAuth"),
        ({"extended_key_usage": ("serverAuth", "codeSigning")}, "x.extended_key_usage", "is unknown"),
    ],
)
def test_refused_certificate_requests(changes: dict[str, Any], field: str, message: str) -> None:
    request = dataclasses.replace(REQUEST, **changes)
    factory.check_only(certificates.check_certificate_request(request, "x"), message, field)
    with pytest.raises(InputError) as caught:
        certificates.issue(request, factory.key().public_key(), OTHER_KEY.certificate, OTHER_KEY.key, NOW)
    assert caught.value.field == field[2:]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"subject": " "}, "x.subject", "a CA needs a subject"),
        ({"subject": "X=a"}, "x.subject", "is not a valid name"),
        ({"validity_days": -1}, "x.validity_days", "not 1 to 36500 days"),
        ({"key_type": "dsa"}, "x.key_type", "the key type is unknown"),
    ],
)
def test_refused_authority_requests(changes: dict[str, Any], field: str, message: str) -> None:
    request = dataclasses.replace(CA_REQUEST, **changes)
    factory.check_only(certificates.check_authority_request(request, "x"), message, field)
    with pytest.raises(InputError):
        certificates.build_authority(request, factory.key(), NOW)


def test_everything_wrong_with_a_request_at_once() -> None:
    request = certificates.CertificateRequest("X=a", ("a_b", "*"), "dsa", 0, ("clientAuth",))
    fields = [error.field for error in certificates.check_certificate_request(request)]
    names = ["alternative_names"] * 2
    assert fields == ["subject", "key_type", "validity_days", *names, "extended_key_usage"]


def test_good_requests_have_no_problems() -> None:
    assert certificates.check_certificate_request(REQUEST) == []
    assert certificates.check_authority_request(CA_REQUEST) == []


def test_the_longest_validity(tmp_path: Path) -> None:
    key = factory.key()
    request = dataclasses.replace(CA_REQUEST, validity_days=36500)
    authority = certificates.build_authority(request, key, NOW)
    leaf = issue(factory.Party(authority, key), validity_days=36500)
    assert leaf.not_valid_after_utc == authority.not_valid_after_utc
    assert factory.openssl_verify(tmp_path, [leaf, authority]) == ""
    chain.verify(leaf, [], [authority], HOSTS, NOW, "f")


def test_no_state_is_shared_between_threads() -> None:
    issuer, made = factory.root(), []
    threads = [threading.Thread(target=lambda: made.append(issue(issuer))) for dummy in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({certificate.serial_number for certificate in made}) == 8
