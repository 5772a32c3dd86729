# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: every refusal, with the field that it names; and all of them together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError, SkupperTlsError, flatten
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import (
    Port,
    Service,
    Tls,
    Workload,
    concerning,
    custom_pairs,
    expand_hosts,
    generated_services,
    parse_services,
    secret_pairs,
    signing,
)
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS, entry, errors_of, parsed


def refused(raw: list[dict[str, Any]], **options: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(SkupperTlsError) as caught:
        parse_services(raw, GROUPS, "east", **options)
    assert all(isinstance(single, InputError) for single in flatten(caught.value))
    return errors_of(caught.value)


def test_a_service() -> None:
    service = parsed()
    assert service.address == "payments"
    assert service.protocol == "http2"
    assert service.ports == (Port(5001, 5001), Port(5002, 5002))
    assert service.workload == Workload("deployment", "payments")
    assert service.tls == Tls("custom", "server-cert-secret", "ca-cert-secret")
    assert service.provides


def test_defaults() -> None:
    (service,) = parse_services([{"address": "a", "ports": 80}], GROUPS, "east")
    assert service.protocol == "tcp"
    assert service.tls == Tls("custom", "server-cert-secret", "ca-cert-secret", "")
    assert service.providers == ()
    assert not service.provides


@pytest.mark.parametrize(
    ("host", "providers", "provides"),
    [
        ("east", ["east"], True),
        ("west", ["east"], False),
        ("edge1", ["left"], True),
        ("west", ["left"], False),
        ("west", ["left", "west"], True),
        ("west", "east, west", True),
        ("west", ["all"], True),
        ("west", [], False),
        ("west", None, False),
    ],
)
def test_providers(host: str, providers: Any, provides: bool) -> None:
    assert parsed(host, providers=providers).provides is provides


def test_a_host_wins_over_a_group_of_its_name() -> None:
    members, problems = expand_hosts(["east"], {**GROUPS, "east": ["west"]}, "x")
    assert (members, problems) == (frozenset({"east"}), [])


def test_without_inventory_nothing_is_looked_up() -> None:
    (service,) = parse_services([entry(providers=["nobody"])], None, "east")
    assert not service.provides


@pytest.mark.parametrize(
    ("raw", "ports"),
    [
        ([5001], [(5001, 5001)]),
        (5001, [(5001, 5001)]),
        ("5001", [(5001, 5001)]),
        ("5001,5002", [(5001, 5001), (5002, 5002)]),
        ("5001:8443", [(5001, 8443)]),
        (["5001:8443", 5002], [(5001, 8443), (5002, 5002)]),
        ("5001:8443, 5002:8443", [(5001, 8443), (5002, 8443)]),
        ((5001,), [(5001, 5001)]),
        ([65535, 1], [(65535, 65535), (1, 1)]),
    ],
    ids=repr,
)
def test_ports(raw: Any, ports: list[tuple[int, int]]) -> None:
    assert [(port.port, port.target) for port in parsed(ports=raw).ports] == ports


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ([0], "0"),
        ([65536], "65536"),
        ([-5], "-5"),
        (["http"], "http"),
        (True, "True"),
        ([True], "True"),
        ([5001.5], "5001.5"),
        (["5001:0"], "5001:0"),
        (["5001:65536"], "5001:65536"),
        (["5001:8443:1"], "5001:8443:1"),
        ([":8443"], ":8443"),
        (["5001-5003"], "5001-5003"),
        ([{"port": 5001}], "{'port': 5001}"),
        (["٥"], "٥"),
    ],
    ids=repr,
)
def test_refused_ports(raw: Any, found: str) -> None:
    assert refused([entry(ports=raw)]) == [
        ("services[0] (payments).ports", "is not a port, or a pair port:target_port", found)
    ]


@pytest.mark.parametrize("raw", [[5001, 5001], ["5001:1", "5001:2"], "5001,5001", [5001, "5001"]], ids=repr)
def test_a_port_twice(raw: Any) -> None:
    assert refused([entry(ports=raw)]) == [("services[0] (payments).ports", "names a port twice", "5001")]


@pytest.mark.parametrize("raw", [None, [], "", ",", 0], ids=repr)
def test_no_port(raw: Any) -> None:
    assert refused([entry(ports=raw)]) == [("services[0] (payments).ports", "has no port", "")]


@pytest.mark.parametrize("address", ["", None, "Pay", "pay.ments", "-a", "a" * 64, 7])
def test_refused_addresses(address: Any) -> None:
    assert refused([{**entry(), "address": address}]) == [
        ("services[0].address", "is not an RFC 1123 label", repr(address))
    ]


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("http", "protocol http cannot be combined with TLS, Skupper refuses it"),
        ("udp", "is not a protocol of Skupper"),
        ("TCP", "is not a protocol of Skupper"),
    ],
)
def test_refused_protocols(protocol: str, message: str) -> None:
    assert refused([entry(protocol=protocol)]) == [("services[0] (payments).protocol", message, protocol)]


@pytest.mark.parametrize("protocol", ["tcp", "http2"])
def test_protocols(protocol: str) -> None:
    assert parsed(protocol=protocol).protocol == protocol


TLS = "services[0] (payments).tls"
SKUPPERS = "is a secret that Skupper makes itself"


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ({"server_secret": "Bad_"}, (f"{TLS}.server_secret", "is not an RFC 1123 label", "'Bad_'")),
        ({"ca_secret": "a" * 64}, (f"{TLS}.ca_secret", "is not an RFC 1123 label", repr("a" * 64))),
        ({"server_secret": "skupper-tls-x"}, (f"{TLS}.server_secret", "begins with skupper-tls-", "skupper-tls-x")),
        ({"ca_secret": "skupper-tls-x"}, (f"{TLS}.ca_secret", "begins with skupper-tls-", "skupper-tls-x")),
        ({"server_secret": "skupper-service-client"}, (f"{TLS}.server_secret", SKUPPERS, "skupper-service-client")),
        ({"ca_secret": "skupper-service-ca"}, (f"{TLS}.ca_secret", SKUPPERS, "skupper-service-ca")),
        ({"mode": "none"}, (f"{TLS}.mode", "is not a TLS mode", "none")),
        ({"signer": "corp"}, (f"{TLS}.signer", "has no meaning in TLS mode custom", "corp")),
        (
            {"site_intermediates": True},
            (f"{TLS}.site_intermediates", "has no meaning in TLS mode custom", "True"),
        ),
        (
            {"mode": "generated", "server_secret": "mine"},
            (f"{TLS}.server_secret", "has no meaning in TLS mode generated", "mine"),
        ),
        (
            {"mode": "generated", "ca_secret": "mine"},
            (f"{TLS}.ca_secret", "has no meaning in TLS mode generated", "mine"),
        ),
        (
            {"mode": "generated", "authority": "corp"},
            (f"{TLS}.authority", "has no meaning in TLS mode generated", "corp"),
        ),
        (
            {"mode": "generated", "certificate": {"validity_days": 1}},
            (f"{TLS}.certificate", "has no meaning in TLS mode generated", ""),
        ),
        ({"mode": "generated", "signer": "Bad_"}, (f"{TLS}.signer", "is not an RFC 1123 label", "'Bad_'")),
        (
            {"mode": "generated", "site_intermediates": True},
            (f"{TLS}.site_intermediates", "intermediate CAs are asked for without a CA above them", ""),
        ),
        (
            {"server_secret": "same", "ca_secret": "same"},
            (TLS, "server_secret and ca_secret have the same name", "same"),
        ),
        (
            {"server_secret": "ca-cert-secret"},
            (TLS, "server_secret and ca_secret have the same name", "ca-cert-secret"),
        ),
    ],
)
def test_refused_tls(tls: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert refused([entry(tls=tls)]) == [expected]


WORKLOAD = "services[0] (payments).workload"


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        ({"kind": "pod", "name": "p"}, (f"{WORKLOAD}.kind", "is not a kind of workload", "pod")),
        ({"kind": "deployment"}, (WORKLOAD, "kind is given without a name", "deployment")),
        (
            {"kind": "deployment", "selector": "app=a"},
            (WORKLOAD, "kind is given without a name", "deployment"),
        ),
        (
            {"kind": "deployment", "name": "p", "selector": "app=a"},
            (WORKLOAD, "names a workload and a selector", "deployment p and app=a"),
        ),
        ({"selector": "app"}, (f"{WORKLOAD}.selector", "is not an equality selector", "app")),
        ({"selector": "app="}, (f"{WORKLOAD}.selector", "is not an equality selector", "app=")),
        ({"selector": "=a"}, (f"{WORKLOAD}.selector", "is not an equality selector", "=a")),
        ({"selector": "app=a,"}, (f"{WORKLOAD}.selector", "is not an equality selector", "app=a,")),
        ({"selector": "app in (a)"}, (f"{WORKLOAD}.selector", "is not an equality selector", "app in (a)")),
        ({"selector": "app!=a"}, (f"{WORKLOAD}.selector", "is not an equality selector", "app!=a")),
        ({"selector": "app==a"}, (f"{WORKLOAD}.selector", "is not an equality selector", "app==a")),
    ],
)
def test_refused_workloads(workload: dict[str, Any], expected: tuple[str, str, str]) -> None:
    assert refused([entry(workload=workload)]) == [expected]


@pytest.mark.parametrize(
    ("raw", "workload", "text"),
    [
        (None, Workload(), "(none)"),
        ({"name": "p"}, Workload("deployment", "p"), "deployment p"),
        ({"kind": "StatefulSet", "name": "p"}, Workload("statefulset", "p"), "statefulset p"),
        ({"kind": "daemonset", "name": "p"}, Workload("daemonset", "p"), "daemonset p"),
        ({"selector": "app=a,tier=b"}, Workload(selector="app=a,tier=b"), "app=a,tier=b"),
        ({"host": "10.0.0.1"}, Workload(host="10.0.0.1"), "10.0.0.1"),
        ({"name": "p", "host": "h"}, Workload("deployment", "p", host="h"), "h"),
    ],
)
def test_workloads(raw: Any, workload: Workload, text: str) -> None:
    service = parsed(workload=raw)
    assert service.workload == workload
    assert service.workload.text == text


def test_an_unknown_provider_names_the_hosts() -> None:
    with pytest.raises(InputError) as caught:
        parse_services([entry(providers=["east", "eats"])], GROUPS, "east")
    assert caught.value.field == "services[0] (payments).providers"
    assert caught.value.found == "eats"
    assert "east, edge1, west" in caught.value.remedy


def test_many_hosts_are_not_all_listed() -> None:
    _members, (problem,) = expand_hosts(["x"], {"all": [f"site{number:04}" for number in range(1000)]}, "x")
    assert "site0005, …" in problem.remedy
    assert "site0006" not in problem.remedy


def test_an_address_is_the_name_of_a_service() -> None:
    assert refused([{**entry(), "address": "9lives"}]) == [("services[0].address", "begins with a digit", "9lives")]


def test_one_address_twice() -> None:
    raw = [entry(), entry(ports=[6000]), entry(address="other")]
    assert refused(raw) == [("services", "is the address of two services", "payments")]


def test_a_secret_in_two_roles() -> None:
    raw = [
        entry(tls={"server_secret": "one", "ca_secret": "two"}),
        entry(address="b", tls={"server_secret": "two", "ca_secret": "three"}),
    ]
    assert refused(raw) == [("services", "is used as server_secret by one service and as ca_secret by another", "two")]


@pytest.mark.parametrize("secret", ["server_secret", "ca_secret"])
@pytest.mark.parametrize("authorities", [("a", "b"), ("", "b"), ("a", "")])
def test_a_secret_of_two_authorities(secret: str, authorities: tuple[str, str]) -> None:
    other = {"server_secret": "ca_secret", "ca_secret": "server_secret"}[secret]
    raw = [
        entry(address=f"s{number}", tls={secret: "shared", other: f"own{number}", "authority": authority})
        for number, authority in enumerate(authorities)
    ]
    ((field, message, found),) = refused(raw)
    assert field == "services"
    assert message == "is a secret of two authorities"
    assert found.startswith("shared: ")


def test_the_default_authority_may_be_written_or_not() -> None:
    raw = [entry(), entry(address="b", tls={"authority": "default"})]
    assert len(parse_services(raw, GROUPS)) == 2


def test_generated() -> None:
    for tls in ({"mode": "generated"}, {"mode": "generated", "server_secret": "server-cert-secret", "certificate": {}}):
        (service,) = parse_services([entry(tls=tls)], GROUPS)
        assert service.tls == Tls("generated", "skupper-tls-payments", "skupper-service-client")
        assert (custom_pairs([service]), generated_services([service])) == ([], [service])
        assert signing([service]) == service.tls
    custom = parsed()
    assert (custom_pairs([custom]), generated_services([custom]), signing([custom])) == ([custom.tls], [], None)


def test_one_signer_for_all_generated_services() -> None:
    def services(*signers: str) -> list[dict[str, Any]]:
        return [
            entry(address=f"s{number}", tls={"mode": "generated", "signer": signer})
            for number, signer in enumerate(signers)
        ]

    assert len(parse_services([*services("corp", "corp"), entry()], GROUPS)) == 3
    message = "differs between services, and a site signs the certificates of all its services with one CA"
    assert refused(services("corp", "")) == [("services.tls.signer", message, "s0: corp, s1: none")]


def test_all_problems_together() -> None:
    raw = [
        entry(
            address="Bad",
            ports=[0, 70000],
            protocol="http",
            providers=["nobody"],
            tls={"mode": "x"},
            workload={"selector": "app"},
        ),
        entry(tls={"mode": "none", "server_secret": "skupper-tls-a", "ca_secret": "-"}),
        entry(address="c", workload={"kind": "pod"}),
        entry(address="d"),
        entry(address="d"),
    ]
    found = [(field, text) for field, _message, text in refused(raw, option="skupper_tls_services")]
    assert found == [
        ("skupper_tls_services[0].address", "'Bad'"),
        ("skupper_tls_services[0].tls.mode", "x"),
        ("skupper_tls_services[0].ports", "0"),
        ("skupper_tls_services[0].ports", "70000"),
        ("skupper_tls_services[0].workload.selector", "app"),
        ("skupper_tls_services[0].protocol", "http"),
        ("skupper_tls_services[0].providers", "nobody"),
        ("skupper_tls_services[1] (payments).tls.server_secret", "skupper-tls-a"),
        ("skupper_tls_services[1] (payments).tls.ca_secret", "'-'"),
        ("skupper_tls_services[1] (payments).tls.mode", "none"),
        ("skupper_tls_services[2] (c).workload.kind", "pod"),
        ("skupper_tls_services[2] (c).workload", "pod"),
        ("skupper_tls_services", "d"),
    ]


def test_each_pair_of_secrets_once() -> None:
    other = {"server_secret": "b", "ca_secret": "ca-cert-secret"}
    services = parse_services([entry(), entry(address="x"), entry(address="y", tls=other)], GROUPS)
    assert [pair.server_secret for pair in secret_pairs(services)] == ["server-cert-secret", "b"]


def test_certificate_options_are_no_part_of_the_identity() -> None:
    one, two = parsed(tls={"certificate": {"subject": "a"}}), parsed(tls={"certificate": {"subject": "b"}})
    assert one == two
    assert one.certificate == {"subject": "a"}


# -- the sites that take part


@pytest.mark.parametrize(
    ("host", "providers", "sites", "takes_part"),
    [
        ("east", ["east"], None, True),
        ("west", ["east"], None, True),
        ("west", ["east"], [], True),
        ("east", ["east"], ["west"], True),
        ("west", ["east"], ["west"], True),
        ("edge1", ["east"], ["west"], False),
        ("edge1", ["left"], ["west"], True),
        ("edge1", ["west"], ["left"], True),
        ("edge1", ["west"], "east, west", False),
        ("edge1", [], ["all"], True),
    ],
)
def test_sites(host: str, providers: Any, sites: Any, takes_part: bool) -> None:
    service = parsed(host, providers=providers, sites=sites)
    assert service.takes_part is takes_part
    assert concerning([service], "v2") == ([service] if takes_part else [])
    assert concerning([service], "v1") == concerning([service], "") == [service]


def test_without_inventory_every_site_takes_part() -> None:
    (service,) = parse_services([entry(sites=["nobody"])], None, "east")
    assert service.takes_part


def test_an_unknown_site() -> None:
    assert refused([entry(sites=["left", "nowhere"])]) == [
        ("services[0] (payments).sites", "is neither a host nor a group of the inventory", "nowhere")
    ]


# -- what a site sets otherwise


def overridden(fields: Any, address: str = "payments", **changed: Any) -> Service:
    (service,) = parse_services([entry(**changed)], GROUPS, "east", overrides={address: fields})
    return service


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, {}),
        ({"protocol": "tcp"}, {"protocol": "tcp"}),
        ({"protocol": None}, {"protocol": "tcp"}),
        ({"workload": {"name": "other"}}, {"workload": {"kind": "deployment", "name": "other"}}),
        ({"workload": {"kind": None, "name": None, "selector": "a=b"}}, {"workload": {"selector": "a=b"}}),
        ({"workload": None}, {"workload": {}}),
        ({"workload": {"host": "10.0.0.7"}}, {"workload": {**entry()["workload"], "host": "10.0.0.7"}}),
        ({"ports": ["5001:9443", 5002]}, {"ports": ["5001:9443", 5002]}),
        ({"tls": {"mode": "custom"}}, "refused"),
    ],
    ids=repr,
)
def test_overrides(fields: dict[str, Any], changed: Any) -> None:
    """What a site sets otherwise is as if the entry said it."""
    if changed == "refused":
        with pytest.raises(InputError):
            overridden(fields)
    else:
        assert replace(overridden(fields), network=None) == parsed(**changed)


def test_the_entry_stays_as_it_is() -> None:
    raw = [entry()]
    parse_services(raw, GROUPS, "east", overrides={"payments": {"workload": {"name": "x"}, "ports": "1,2"}})
    assert raw == [entry()]


def test_other_listening_ports_keep_what_the_network_calls_them() -> None:
    service = overridden({"ports": "6001,5002:8443"})
    assert service.ports == (Port(6001, 6001, 5001), Port(5002, 8443))
    assert [port.key for port in service.ports] == [5001, 5002]


def test_other_secret_names_keep_the_certificate() -> None:
    tls = overridden({"tls": {"ca_secret": "mine"}}).tls
    assert (tls.server_secret, tls.ca_secret, tls.certificate) == ("server-cert-secret", "mine", "server-cert-secret")
    tls = overridden({"tls": {"server_secret": "mine"}}).tls
    assert (tls.server_secret, tls.certificate) == ("mine", "server-cert-secret")
    assert overridden({"tls": {"server_secret": "server-cert-secret"}}).tls == parsed().tls


SITE = "skupper_site_services"
OF_PAYMENTS = f"{SITE} (payments)"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"payment": {}}, (SITE, "is not the address of a service of the network", "payment")),
        ({"payments": [1]}, (OF_PAYMENTS, "is not a mapping of fields", "list")),
        ({"payments": None}, (OF_PAYMENTS, "is not a mapping of fields", "NoneType")),
        ({"payments": {"prots": 1}}, (f"{OF_PAYMENTS}.prots", "is not a field of a service that a site can set", "")),
        (
            {"payments": {"workload": {"nam": "x"}}},
            (f"{OF_PAYMENTS}.workload.nam", "is not a field of a service that a site can set", ""),
        ),
        ({"payments": {"workload": "x"}}, (f"{OF_PAYMENTS}.workload", "is not a mapping of fields", "str")),
        ({"payments": {"protocol": ["tcp"]}}, (f"{OF_PAYMENTS}.protocol", "is not text", "list")),
        ({"payments": {"protocol": "http"}}, (f"{OF_PAYMENTS}.protocol", "protocol http cannot be combined", "http")),
        ({"payments": {"ports": "5001"}}, (f"{OF_PAYMENTS}.ports", "has 1 ports, and the service has 2", "5001")),
        ({"payments": {"ports": None}}, (f"{OF_PAYMENTS}.ports", "has no port", "")),
        ({"payments": {"ports": "7,7"}}, (f"{OF_PAYMENTS}.ports", "names a port twice", "7")),
        ({"payments": {"workload": {"selector": "a=b"}}}, (f"{OF_PAYMENTS}.workload", "names a workload and a", "dep")),
        (
            {"payments": {"tls": {"ca_secret": "server-cert-secret"}}},
            (f"{OF_PAYMENTS}.tls", "server_secret and ca_secret have the same name", "server-cert-secret"),
        ),
        (
            {"payments": {"tls": {"server_secret": "skupper-tls-x"}}},
            (f"{OF_PAYMENTS}.tls.server_secret", "begins with skupper-tls-", "skupper-tls-x"),
        ),
        *[
            ({"payments": fields}, (f"{OF_PAYMENTS}.{name}", "cannot differ from site to site", found))
            for name, fields, found in (
                ("address", {"address": "x"}, "x"),
                ("providers", {"providers": ["east"]}, "['east']"),
                ("sites", {"sites": None}, "None"),
                ("tls.mode", {"tls": {"mode": "generated"}}, "generated"),
                ("tls.authority", {"tls": {"authority": "a"}}, "a"),
                ("tls.certificate", {"tls": {"certificate": {"source": {"key_content": "k"}}}}, ""),
            )
        ],
    ],
    ids=repr,
)
def test_refused_overrides(overrides: Any, expected: tuple[str, str, str]) -> None:
    (found,) = refused([entry()], overrides=overrides)
    assert (found[0], found[1][: len(expected[1])]) == expected[:2]
    assert found[2].startswith(expected[2])
    assert bool(found[2]) is bool(expected[2])


def test_a_refused_override_names_what_is_known() -> None:
    with pytest.raises(SkupperTlsError) as caught:
        parse_services([entry()], GROUPS, "east", overrides={"x": {}, "payments": {"y": 1, "tls": {"z": 1}}})
    remedies = [single.remedy for single in flatten(caught.value)]
    assert remedies[0].startswith("Use one of payments,")
    assert {"protocol", "ports", "workload", "tls"} <= set(remedies[1].removeprefix("Use ").split(", "))
    assert not {"address", "providers", "sites"} & set(remedies[1].removeprefix("Use ").split(", "))
    assert {"server_secret", "ca_secret"} <= set(remedies[2].removeprefix("Use ").split(", "))


PAIR = {"server_secret": "server-cert-secret", "ca_secret": "ca-cert-secret"}
OWN = {"server_secret": "s", "ca_secret": "c"}


@pytest.mark.parametrize(
    ("pair", "overrides", "problems"),
    [
        (PAIR, {"payments": {"tls": OWN}, "orders": {"tls": OWN}}, []),
        (OWN, {"payments": {"tls": {"server_secret": "x"}}}, []),
        (OWN, {"payments": {"tls": OWN}, "orders": {"tls": PAIR}}, []),  # they change places
        (
            PAIR,
            {"payments": {"tls": {"server_secret": "x"}}},
            ["server-cert-secret as server-cert-secret, but server-cert-secret as x"],
        ),
        (OWN, {"payments": {"tls": {"server_secret": "s"}}}, ["s as s, but server-cert-secret as s"]),
    ],
)
def test_each_secret_of_the_network_has_one_name_on_a_site(pair: Any, overrides: Any, problems: list[str]) -> None:
    raw = [entry(), entry(address="orders", tls=pair)]
    if not problems:
        parse_services(raw, GROUPS, "east", overrides=overrides)
        return
    assert [found for field, dummy, found in refused(raw, overrides=overrides)] == problems


def test_overrides_do_not_hide_what_is_wrong_with_the_entry() -> None:
    assert refused([entry(ports=[0])], overrides={"payments": {"nonsense": 1}}) == [
        ("services[0] (payments).ports", "is not a port, or a pair port:target_port", "0")
    ]
