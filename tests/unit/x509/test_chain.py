# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chains: order, completeness and the rules, against openssl where it is the judge."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import chain
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW, Party, make, root

ROOT = root()
UPPER = make("upper", ROOT, ca=True)
LOWER = make("lower", UPPER, ca=True)
LEAF = make("leaf", LOWER, names=["payments"])
R, U, L, X = (party.certificate for party in (ROOT, UPPER, LOWER, LEAF))
STRANGER = root("stranger").certificate


@pytest.mark.parametrize("others", list(itertools.permutations([R, U, L, U])))
def test_any_order_is_put_right(others: tuple[x509.Certificate, ...]) -> None:
    assert chain.order_chain(X, others, [R]) == [X, L, U]


@pytest.mark.parametrize(
    ("others", "authorities", "expected"),
    [
        ([L, U], [R], [X, L, U]),
        ([X, L, U], [STRANGER, R], [X, L, U]),
        # An intermediate that clients hold need not be sent; if it was given, it is kept for those who do not.
        ([], [R, U, L], [X]),
        ([L], [R, U], [X, L]),
        ([L, U], [R, U], [X, L, U]),
        ([L, U, STRANGER], [R, STRANGER], [X, L, U]),
    ],
)
def test_what_is_sent(
    others: list[x509.Certificate], authorities: list[x509.Certificate], expected: list[x509.Certificate]
) -> None:
    assert chain.order_chain(X, others, authorities) == expected


def test_openssl_takes_the_order(tmp_path: Path) -> None:
    assert factory.openssl_verify(tmp_path, [*chain.order_chain(X, [U, R, L], [R]), R]) == ""


def refused(leaf: Any, others: list[Any], authorities: list[Any], message: str) -> InputError:
    with pytest.raises(InputError) as caught:
        chain.order_chain(leaf, others, authorities, "tls.x")
    factory.check_error(caught.value, message)
    assert caught.value.found
    return caught.value


def test_names_the_missing_issuer() -> None:
    refused(X, [U], [R], "the certificate of CN=lower, which issued CN=leaf, is missing")
    refused(X, [L], [R], "the certificate of CN=upper, which issued CN=lower, is missing")
    refused(X, [L, U], [STRANGER], "the certificate of CN=root, which issued CN=upper, is missing")
    refused(X, [L, U], [], "the certificate of CN=root, which issued CN=upper, is missing")
    refused(X, [], [R], "the certificate of CN=lower, which issued CN=leaf, is missing")


def test_names_a_root_that_is_not_trusted() -> None:
    refused(X, [L, U, R], [STRANGER], "ends in CN=root, which is not among the authorities")
    refused(STRANGER, [], [R], "is self-signed and not issued by an authority")


def test_names_what_belongs_to_nothing() -> None:
    error = refused(X, [L, U, STRANGER], [R], "do not belong to the chain")
    assert error.found == "CN=stranger"


def test_says_that_a_ca_was_made_anew_under_its_name() -> None:
    again = root("root").certificate
    error = refused(X, [L, U], [again], "was not signed by the given CN=root")
    assert "its key is another" in error.message


def test_finds_the_right_one_of_two_cas_of_one_name() -> None:
    again = root("root").certificate
    for authorities in ([R, again], [again, R]):
        assert chain.order_chain(X, [L, U], authorities) == [X, L, U]


def test_cross_signed_ca_takes_the_way_that_is_trusted() -> None:
    old = root("old root")
    crossed = make("root", old, ca=True, key=ROOT.key).certificate
    # Clients with the new root need no cross certificate; those with the old one do.
    assert chain.order_chain(X, [L, U, crossed], [R]) == [X, L, U]
    assert chain.order_chain(X, [L, U, crossed], [old.certificate]) == [X, L, U, crossed]
    chain.verify(X, [L, U, crossed], [old.certificate], ["payments"], NOW, "f")


def test_takes_another_way_around_an_expired_cross_certificate() -> None:
    old = root("old root")
    stale = make("lower", old, ca=True, key=LOWER.key, not_before=NOW - 9 * DAY, not_after=NOW - DAY).certificate
    chain.verify(X, [stale, L, U], [R, old.certificate], ["payments"], NOW, "f")
    with pytest.raises(InputError, match="lower has expired"):
        chain.verify(X, [stale], [old.certificate], ["payments"], NOW, "f")


def test_a_circle_ends() -> None:
    first, second = factory.key("ecdsa-p256", 11), factory.key("ecdsa-p256", 12)
    a = make("a", Party(root("b", key=second).certificate, second), ca=True, key=first)
    b = make("b", Party(root("a", key=first).certificate, first), ca=True, key=second)
    leaf = make("leaf", a, names=["payments"]).certificate
    refused(leaf, [a.certificate, b.certificate], [R], "go in a circle")


def test_a_heap_of_cross_signed_cas_ends() -> None:
    key = factory.key("ecdsa-p256", 13)
    base = root("same", key=key)
    heap = [make("same", base, ca=True, key=key).certificate for dummy in range(30)]
    leaf = make("leaf", base, names=["payments"]).certificate
    refused(leaf, heap, [STRANGER], "")


def tower(height: int) -> list[Party]:
    parties = [root("top")]
    for level in range(height):
        parties.append(make(f"level {level}", parties[-1], ca=True))
    return [make("leaf", parties[-1], names=["payments"]), *reversed(parties)]


def test_depth_limit() -> None:
    deepest = [party.certificate for party in tower(chain.MAX_DEPTH - 2)]
    chain.verify(deepest[0], deepest[1:-1], deepest[-1:], ["payments"], NOW, "f")
    too_deep = [party.certificate for party in tower(chain.MAX_DEPTH - 1)]
    refused(too_deep[0], too_deep[1:-1], too_deep[-1:], "is longer than 10 certificates")


@pytest.mark.parametrize("order", list(itertools.permutations([X, L, U])))
def test_picks_the_leaf_wherever_it_stands(order: tuple[x509.Certificate, ...]) -> None:
    leaf, others = chain.pick_leaf(order, LEAF.key)
    assert leaf == X
    assert others == [one for one in order if one != X]


def test_picks_the_leaf_and_not_a_ca_of_the_same_key() -> None:
    own = root("own", key=LEAF.key).certificate
    assert chain.pick_leaf([own, X], LEAF.key)[0] == X
    assert chain.pick_leaf([own], LEAF.key)[0] == own


def test_picks_no_leaf_for_a_strange_key() -> None:
    with pytest.raises(InputError) as caught:
        chain.pick_leaf([X, L], factory.key("rsa-2048"), "tls.x")
    factory.check_error(caught.value, "the key does not match the certificates")
    assert caught.value.found == "a key of type rsa-2048; CN=leaf (ecdsa-p256); CN=lower (ecdsa-p256)"


def verify(path: list[Party], names: tuple[str, ...] = ("payments",), strict: bool = True) -> None:
    certificates = [party.certificate for party in path]
    chain.verify(certificates[0], certificates[1:-1], certificates[-1:], names, NOW, "tls.x", strict)


def bad_ca(**options: Any) -> Callable[[], list[Party]]:
    """Return a chain whose intermediate is as told."""

    def build() -> list[Party]:
        middle = make("middle", ROOT, **{"ca": True, **options})
        return [make("leaf", middle, names=["payments"]), middle, ROOT]

    return build


def bad_root(**options: Any) -> Callable[[], list[Party]]:
    def build() -> list[Party]:
        top = root(**options)
        return [make("leaf", top, names=["payments"]), top]

    return build


def bad_leaf(**options: Any) -> Callable[[], list[Party]]:
    return lambda: [make(issuer=ROOT, **{"names": ["payments"], **options}), ROOT]


def deep_below(**options: Any) -> Callable[[], list[Party]]:
    """Return a chain of two intermediates of which the upper is as told."""

    def build() -> list[Party]:
        upper = make("upper", ROOT, **{"ca": True, **options})
        lower = make("lower", upper, ca=True)
        return [make("leaf", lower, names=["payments"]), lower, upper, ROOT]

    return build


def constrained(*permitted: x509.GeneralName, excluded: tuple[x509.GeneralName, ...] = (), **leaf: Any) -> Any:
    def build() -> list[Party]:
        constraints = x509.NameConstraints(permitted or None, excluded or None)
        top = root(extra=[(constraints, True)])
        return [make(issuer=top, **{"names": ["payments"], **leaf}), top]

    return build


DNS = x509.DNSName


def NET(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text))


UNKNOWN = (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)
ADDRESS = [(x509.SubjectAlternativeName([DNS("payments"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))]), False)]
ALWAYS = {
    "leaf expired": (bad_leaf(not_after=NOW - DAY / 24), "CN=leaf has expired"),
    "leaf not yet": (bad_leaf(not_before=NOW + DAY), "CN=leaf is not valid yet"),
    "middle expired": (bad_ca(not_after=NOW - DAY / 24), "CN=middle has expired"),
    "middle not yet": (bad_ca(not_before=NOW + DAY), "CN=middle is not valid yet"),
    "root expired": (bad_root(not_after=NOW - DAY / 24), "CN=root has expired"),
    "middle no CA": (bad_ca(ca=False, key_usage=("key_cert_sign",)), "CN=middle is not a CA certificate"),
    "middle without basicConstraints": (bad_ca(ca=None, key_usage=("key_cert_sign",)), "CN=middle is not a CA"),
    "middle no keyCertSign": (bad_ca(key_usage=("crl_sign",)), "CN=middle may not sign certificates"),
    "middle for clients": (bad_ca(purposes=[factory.CLIENT]), "CN=middle may not issue server certificates"),
    "root for clients": (bad_root(purposes=[factory.CLIENT]), "CN=root may not issue server certificates"),
    "leaf for clients": (bad_leaf(purposes=[factory.CLIENT]), "CN=leaf is not for servers"),
    "path length": (deep_below(path_length=0), "CN=upper allows 0 intermediate CAs"),
    "leaf unknown critical": (bad_leaf(extra=[UNKNOWN]), "critical extension"),
    "middle unknown critical": (bad_ca(extra=[UNKNOWN]), "critical extension"),
    "identifier": (bad_leaf(aki=x509.AuthorityKeyIdentifier(b"other", None, None)), "does not point at its issuer"),
    "constraint dns": (constrained(DNS("example.com")), "may not issue for payments (nameConstraints)"),
    "constraint excluded": (constrained(excluded=(DNS("payments"),)), "may not issue for payments"),
    "constraint above": (
        constrained(DNS("b.example"), names=["b.example", "xb.example", "payments"]),
        "may not issue for xb.example",
    ),
    "constraint address": (
        constrained(NET("192.168.0.0/16"), names=[], extra=ADDRESS),
        "may not issue for 10.0.0.1",
    ),
    "constraint subject": (constrained(x509.DirectoryName(factory.name("x"))), "may not issue for CN=leaf"),
}
STRICT = {
    "basicConstraints not critical": (bad_ca(constraints_critical=False), "basicConstraints is not critical"),
    "root basicConstraints not critical": (bad_root(constraints_critical=False), "basicConstraints is not critical"),
    "CA without keyUsage": (bad_ca(key_usage=None), "CA without keyUsage keyCertSign"),
    "root without keyUsage": (bad_root(key_usage=None), "CA without keyUsage keyCertSign"),
    "CA without SKI": (bad_ca(ski=False), "CA without subjectKeyIdentifier"),
    "root without SKI": (bad_root(ski=False, aki=None), "CA without subjectKeyIdentifier"),
    "CA without AKI": (bad_ca(aki=None), "CN=middle has no authorityKeyIdentifier"),
    "leaf without AKI": (bad_leaf(aki=None), "CN=leaf has no authorityKeyIdentifier"),
    "leaf signs": (bad_leaf(key_usage=("digital_signature", "key_cert_sign")), "keyCertSign without being a CA"),
    "empty subject": (bad_leaf(subject=""), "empty subject, and no critical alternative names"),
}


@pytest.mark.parametrize("case", [*ALWAYS, *STRICT])
def test_says_which_rule_is_broken(case: str, tmp_path: Path) -> None:
    build, message = {**ALWAYS, **STRICT}[case]
    path = build()
    with pytest.raises(InputError) as caught:
        verify(path)
    factory.check_error(caught.value, message)
    # The judge agrees that it is broken.
    assert factory.openssl_verify(tmp_path, [party.certificate for party in path])


@pytest.mark.parametrize("case", ALWAYS)
def test_these_rules_hold_without_strictness(case: str) -> None:
    with pytest.raises(InputError):
        verify(ALWAYS[case][0](), strict=False)


@pytest.mark.parametrize("case", STRICT)
def test_these_rules_are_only_strict(case: str) -> None:
    verify(STRICT[case][0](), strict=False)


def test_serial_number_too_long() -> None:
    # The library makes no such certificate.
    key = factory.key("ecdsa-p256", 21)
    good = root("serial", key=key, serial=0x11223344)
    from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import rules

    class Long:
        """A certificate that differs in its serial number."""

        serial_number = 2**160
        version = x509.Version.v3

        def __getattr__(self, name: str) -> Any:
            return getattr(good.certificate, name)

    assert not rules.strict_problems(good.certificate, "f")
    for number in (2**160, 2**159, 0, -5):
        Long.serial_number = number
        messages = [error.message for error in rules.strict_problems(Long(), "f")]  # type: ignore[arg-type]
        assert any("serial number" in message for message in messages)


def test_no_digital_signature() -> None:
    with pytest.raises(InputError, match="no digitalSignature"):
        verify(bad_leaf(key_usage=("key_encipherment",))())


GOOD = {
    "plain": bad_leaf(),
    "no extendedKeyUsage": bad_leaf(purposes=None),
    "no keyUsage": bad_leaf(key_usage=None),
    "no basicConstraints": bad_leaf(ca=None),
    "both purposes": bad_leaf(purposes=[factory.SERVER, factory.CLIENT]),
    "names critical beside a subject": bad_leaf(names_critical=True),
    "wildcard": bad_leaf(names=["*.example.com", "payments"]),
    "intermediate": bad_ca(),
    "intermediate for servers": bad_ca(purposes=[factory.SERVER]),
    "path length fits": deep_below(path_length=1),
    "path length of the last": bad_ca(path_length=0),
    "root without AKI": bad_root(aki=None),
    "constraint fits": constrained(DNS("payments"), NET("10.0.0.0/8"), names=[], extra=ADDRESS),
    "constraint excludes another": constrained(excluded=(DNS("example.com"),)),
    "constraint subject fits": constrained(x509.DirectoryName(factory.name("leaf"))),
    "ed25519 root": bad_root(key=factory.key("ed25519")),
    "ed25519 leaf": bad_leaf(key=factory.key("ed25519")),
    "rsa root": bad_root(key=factory.key("rsa-2048")),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_chains_pass_here_and_in_openssl(case: str, tmp_path: Path) -> None:
    path = GOOD[case]()
    verify(path)
    verify(path, strict=False)
    assert factory.openssl_verify(tmp_path, [party.certificate for party in path]) == ""


def test_self_issued_certificates_do_not_count_for_path_length(tmp_path: Path) -> None:
    top = root("top", path_length=0)
    # A CA's new key, certified by its old one under the same name (RFC 5280 section 6.1).
    renewed = make("top", top, ca=True)
    path = [make("leaf", renewed, names=["payments"]), renewed, top]
    verify(path)
    assert factory.openssl_verify(tmp_path, [party.certificate for party in path]) == ""


def test_identifiers_by_issuer_and_serial_as_easy_rsa_writes_them(tmp_path: Path) -> None:
    def pointer(party: Party, serial: int) -> x509.AuthorityKeyIdentifier:
        digest = x509.SubjectKeyIdentifier.from_public_key(party.key.public_key()).digest
        return x509.AuthorityKeyIdentifier(digest, [x509.DirectoryName(party.certificate.issuer)], serial)

    top = root("top", aki=None)
    middle = make("middle", top, ca=True, aki=pointer(top, top.certificate.serial_number))
    good = make("leaf", middle, names=["payments"], aki=pointer(middle, middle.certificate.serial_number))
    verify([good, middle, top])
    assert factory.openssl_verify(tmp_path, [one.certificate for one in (good, middle, top)]) == ""
    for wrong in (pointer(middle, 5), pointer(good, middle.certificate.serial_number)):
        pointing = x509.AuthorityKeyIdentifier(None, wrong.authority_cert_issuer, wrong.authority_cert_serial_number)
        bad = make("leaf", middle, names=["payments"], aki=pointing)
        with pytest.raises(InputError, match="does not point at its issuer"):
            verify([bad, middle, top], strict=False)
        assert "unable to get local issuer" in factory.openssl_verify(
            tmp_path, [one.certificate for one in (bad, middle, top)]
        )


def test_a_root_must_be_there(tmp_path: Path) -> None:
    # OpenSSL without partial chains, and so the router, refuses an intermediate as trust anchor.
    assert chain.order_chain(X, [L], [U]) == [X, L]
    with pytest.raises(InputError) as caught:
        chain.verify(X, [L], [U], ["payments"], NOW, "tls.x")
    factory.check_error(caught.value, "CN=upper is an intermediate, and its root is missing")
    assert factory.openssl_verify(tmp_path, [X, L, U])
    chain.verify(X, [L], [U, R], ["payments"], NOW, "tls.x")


def test_a_whole_way_with_faults_is_told_before_one_without_root() -> None:
    top = root("top", key_usage=None, not_after=NOW - DAY / 24)
    middle = make("middle", top, ca=True)
    crossed = make("middle", root("old root"), ca=True, key=middle.key).certificate
    leaf = make("leaf", middle, names=["payments"]).certificate
    with pytest.raises(InputError, match="CN=top has expired"):
        chain.verify(leaf, [middle.certificate], [top.certificate, crossed], ["payments"], NOW, "f")


def test_names() -> None:
    with pytest.raises(InputError) as caught:
        verify([LEAF, LOWER, UPPER, ROOT], ("payments", "other", "third"))
    factory.check_error(caught.value, "does not cover other, third")
    assert caught.value.found == "DNS:payments"


def test_incomplete_chain() -> None:
    with pytest.raises(InputError, match="the chain is incomplete: the certificate of CN=lower"):
        verify([LEAF, ROOT])


def test_a_forged_signature_is_no_issuer() -> None:
    forger = root("root")
    forged = make("leaf", forger, names=["payments"])
    with pytest.raises(InputError, match="was not signed by the given CN=root"):
        verify([forged, ROOT])


@pytest.mark.parametrize("key_type", ["rsa-2048", "ecdsa-p256", "ecdsa-p384"])
def test_sha1_is_verified_and_not_just_believed(key_type: str) -> None:
    top = root("top", key=factory.key(key_type, 7))
    leaf = make("leaf", top, names=["payments"], weak=hashes.SHA1())
    verify([leaf, top])
    der = bytearray(factory.der_of(leaf.certificate))
    der[-1] ^= 1
    with pytest.raises(InputError, match="was not signed by"):
        verify([leaf._replace(certificate=x509.load_der_x509_certificate(bytes(der))), top])


def test_the_library_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    original = chain._verify_by_library

    def record(*args: Any) -> None:
        asked.append(args)
        original(*args)

    monkeypatch.setattr(chain, "_verify_by_library", record)
    verify([LEAF, LOWER, UPPER, ROOT])
    assert asked
    verify([LEAF, LOWER, UPPER, ROOT], strict=False)
    verify(GOOD["ed25519 root"]())
    assert len(asked) == 1


def test_the_librarys_verdict_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = make(issuer=ROOT, names=["payments"], names_critical=True)
    monkeypatch.setattr(chain, "_in_web_profile", lambda path: True)
    with pytest.raises(InputError) as caught:
        verify([leaf, ROOT])
    factory.check_error(caught.value, "does not pass strict verification for payments")
    assert "subjectAltName" in caught.value.found


def test_pem_of_the_chain_is_what_a_server_loads() -> None:
    from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import pem

    ordered = chain.order_chain(X, [U, L], [R])
    assert pem.parse_certificates(pem.certificates_to_pem(ordered), "f") == [X, L, U]
    assert X.public_bytes(serialization.Encoding.PEM).endswith(b"-----\n")
