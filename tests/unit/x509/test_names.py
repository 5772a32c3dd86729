# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alternative names and subjects."""

from __future__ import annotations

import contextlib
import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError, Problems, SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import names
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

LONG_NAME = ".".join(["a" * 63] * 3 + ["a" * 61])  # 253 characters


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["payments"], ("payments",)),
        (["DNS:payments", "dns:Payments.Shop"], ("payments", "payments.shop")),
        (["payments", "PAYMENTS", "other", "payments"], ("payments", "other")),
        (["*.example.com", "a.b-c.d9"], ("*.example.com", "a.b-c.d9")),
        (["10.0.0.1", "IP:10.0.0.1", "DNS:10.0.0.1"], ("10.0.0.1",)),
        (["2001:DB8:0:0::1", "IP:2001:db8::1", "::1", "ip:::1"], ("2001:db8::1", "::1")),
        ([" payments "], ("payments",)),
        (["a" * 63, LONG_NAME, "xn--bcher-kva.example", "0.example", "3com"], None),
        ([], ()),
    ],
)
def test_canonical_form(values: list[str], expected: tuple[str, ...] | None) -> None:
    assert names.parse_names(values, "tls.x") == (tuple(values) if expected is None else expected)


@pytest.mark.parametrize(
    ("value", "message", "remedy"),
    [
        ("", "is empty", "Leave it out"),
        ("DNS:", "not a host name", "letters"),
        ("payments.", "ends with a dot", "last dot"),
        ("bücher.example", "outside ASCII", "punycode"),
        ("a" * 64, "longer than 63", "shorter"),
        (LONG_NAME + "a", "longer than 253", "shorter"),
        ("a..b", "not a host name", "letters"),
        (".a", "not a host name", "letters"),
        ("-a", "not a host name", "edge"),
        ("a-", "not a host name", "edge"),
        ("a_b", "not a host name", "letters"),
        ("a b", "not a host name", "letters"),
        ("https://payments", "not a host name", "letters"),
        ("payments:5001", "not a host name", "letters"),
        ("*", "wildcard", "*.example.com"),
        ("*.shop", "wildcard", "*.example.com"),
        ("a.*.example.com", "wildcard", "*.example.com"),
        ("a*.example.com", "wildcard", "*.example.com"),
        ("*.*.example.com", "wildcard", "*.example.com"),
        ("IP:payments", "not an IP address", "IPv4 or IPv6"),
        ("10.0.0.256", "looks like an IP address", "0 to 255"),
        ("10.0.0", "looks like an IP address", "0 to 255"),
        ("fe80::1%eth0", "has a zone", "%"),
        ("payments\n", None, None),
        ("pay\nments", "not a host name", "letters"),
    ],
)
def test_refused_names(value: str, message: str | None, remedy: str) -> None:
    if message is None:  # white space around is not the user's meaning
        assert names.parse_names([value], "tls.x") == ("payments",)
        return
    with pytest.raises(InputError) as caught:
        names.parse_names(["good", value], "tls.x")
    factory.check_error(caught.value, message)
    assert remedy in caught.value.remedy
    assert caught.value.found


def test_all_bad_names_in_one_error() -> None:
    with pytest.raises(Problems) as caught:
        names.parse_names(["a_b", "good", "*"], "tls.x")
    assert [error.found for error in caught.value.errors] == ["a_b", "*"]


def test_an_address_is_written_both_ways() -> None:
    result = names.general_names(("payments", "10.0.0.1", "::1"))
    assert result == [
        x509.DNSName("payments"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.DNSName("10.0.0.1"),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.DNSName("::1"),
    ]
    assert names.expected_names(("payments", "10.0.0.1")) == {"DNS:payments", "IP:10.0.0.1", "DNS:10.0.0.1"}


def with_names(*values: x509.GeneralName) -> x509.Certificate:
    return factory.make(extra=[(x509.SubjectAlternativeName(values), False)]).certificate


def test_names_of_every_kind_in_order() -> None:
    certificate = with_names(
        x509.UniformResourceIdentifier("spiffe://a/b"),
        x509.DNSName("Payments"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.RFC822Name("a@b.c"),
        x509.DirectoryName(factory.name("x")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.4"), b"\x05\x00"),
    )
    assert names.names_of(certificate) == (
        "URI:spiffe://a/b",
        "DNS:payments",
        "IP:10.0.0.1",
        "email:a@b.c",
        "dirName:CN=x",
        "RID:1.2.3",
        "otherName:1.2.4",
    )
    assert names.names_of(factory.make().certificate) == ()


@pytest.mark.parametrize(
    ("held", "host", "expected"),
    [
        ("payments", "payments", True),
        ("payments", "PAYMENTS", True),
        ("Payments", "payments", True),
        ("payments", "payments2", False),
        ("payments2", "payments", False),
        ("xpayments", "payments", False),
        ("payments.shop", "payments", False),
        ("payments", "payments.shop", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "aexample.com", False),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "*.b.example.com", False),
        ("*.b.example.com", "*.example.com", False),
        ("a*.example.com", "ab.example.com", False),
        ("*.shop", "payments.shop", False),
        ("a.*.com", "a.b.com", False),
        ("10.0.0.1", "10.0.0.1", True),
        ("*.0.0.1", "10.0.0.1", False),
        ("::1", "0:0::1", True),
    ],
)
def test_covers(held: str, host: str, expected: bool) -> None:
    assert names.covers(with_names(x509.DNSName(held)), host) is expected


def test_only_dns_names_count() -> None:
    assert not names.covers(with_names(x509.IPAddress(ipaddress.ip_address("10.0.0.1"))), "10.0.0.1")
    assert not names.covers(with_names(x509.UniformResourceIdentifier("payments")), "payments")
    assert not names.covers(factory.make("payments").certificate, "payments")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("payments", "CN=payments"),
        ("Example service CA", "CN=Example service CA"),
        ("CN=payments,O=Example", "CN=payments,O=Example"),
        ("CN=payments, O=Example", "CN=payments,O=Example"),
        ("cn=payments,o=Example,c=DE", "CN=payments,O=Example,C=DE"),
        ("CN=a\\,b,O=x", "CN=a\\,b,O=x"),
        ("CN=a+OU=b", "CN=a+OU=b"),
        ("CN=x,DC=example,DC=com", "CN=x,DC=example,DC=com"),
        ("emailAddress=a@b,CN=x", "1.2.840.113549.1.9.1=a@b,CN=x"),
        ("", ""),
        ("  ", ""),
        ("CN=" + "a" * 64, "CN=" + "a" * 64),
    ],
)
def test_subjects(text: str, expected: str) -> None:
    assert names.subject_text(names.parse_subject(text, "tls.x")) == expected


def test_the_most_specific_part_is_encoded_last() -> None:
    name = names.parse_subject("CN=payments,O=Example", "f")
    assert [attribute.oid for attribute in name] == [NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CN=" + "a" * 65, ""),
        ("a" * 65, ""),
        ("O=" + "a" * 65, "has not 1 to 64 characters"),
        ("OU=" + "a" * 65, "has not 1 to 64 characters"),
        ("L=" + "a" * 129, "has not 1 to 128 characters"),
        ("UID=" + "a" * 256, "has not 1 to 255 characters"),
        ("CN=", ""),
        ("O=,CN=x", ""),
        ("/CN=payments/O=x", "is not a valid name"),
        ("CN=a,b", "is not a valid name"),
        ("X=a", "is not a valid name"),
        ("C=Germany,CN=x", "is not a valid name"),
        ("=a", "is not a valid name"),
        ("CN=a,", "is not a valid name"),
        ("DC=é", "has characters outside ASCII"),
        ("C=éé", ""),
        ("CN=a,emailAddress=é@b", "has characters outside ASCII"),
        ("a\x00b", "cannot be printed"),
        ("a\nb", "cannot be printed"),
    ],
)
def test_refused_subjects(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        names.parse_subject(text, "tls.x")
    factory.check_error(caught.value, message)
    assert caught.value.found


@given(st.lists(st.text(max_size=30), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_name_or_our_error(values: list[str]) -> None:
    try:
        parsed = names.parse_names(values, "f")
    except SkupperTlsError:
        return
    assert names.parse_names(parsed, "f") == parsed
    x509.SubjectAlternativeName(names.general_names(parsed))


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_subject_or_our_error(text: str) -> None:
    with contextlib.suppress(InputError):
        names.parse_subject(text, "f").public_bytes()


@given(st.text(alphabet='CNOUDcn=,+\\ #"0aé', max_size=30))
@settings(max_examples=500, deadline=None)
def test_text_like_a_subject_is_one_or_our_error(text: str) -> None:
    with contextlib.suppress(InputError):
        names.parse_subject(text, "f").public_bytes()
