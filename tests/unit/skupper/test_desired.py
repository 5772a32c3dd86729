# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site must hold, by platform, version and side; the exact content as Skupper wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import v1config
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import (
    Item,
    Material,
    SiteKind,
    secret_items,
    secret_names,
    service_items,
    site_problems,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import parse_services
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS, entry, parsed

V1, V2 = SiteKind("kubernetes", "v1"), SiteKind("kubernetes", "v2")
LINUX, PODMAN, DOCKER = (SiteKind(platform, "v2") for platform in ("linux", "podman", "docker"))
MATERIAL = Material(b"leaf\n", b"key\n", b"ca\n")
PROVIDER, CONSUMER = "east", "west"


def items(site: SiteKind, host: str, selector: str = "app=payments", **changed: Any) -> list[Item]:
    return service_items(parsed(host, **changed), site, selector)


@pytest.mark.parametrize(
    ("site", "host", "keys"),
    [
        (V2, CONSUMER, ["Listener payments-5001", "Listener payments-5002"]),
        (V2, PROVIDER, ["Connector payments-5001", "Connector payments-5002"]),
        (V1, CONSUMER, []),
        (V1, PROVIDER, ["RouterProfile ca-cert-secret", "ServiceEntry payments"]),
        *[(site, CONSUMER, ["Listener payments-5001", "Listener payments-5002"]) for site in (LINUX, PODMAN, DOCKER)],
        *[
            (
                site,
                PROVIDER,
                ["Certificate ca-cert-secret-profile", "Connector payments-5001", "Connector payments-5002"],
            )
            for site in (LINUX, PODMAN, DOCKER)
        ],
    ],
)
def test_items(site: SiteKind, host: str, keys: list[str]) -> None:
    assert [f"{item.kind} {item.name}" for item in items(site, host)] == keys
    assert {item.kind for item in items(site, host)} <= set(site.kinds)


def test_listener_on_kubernetes() -> None:
    first = items(V2, CONSUMER)[0]
    assert first.content == {
        "spec": {
            "host": "payments",
            "port": 5001,
            "routingKey": "payments-5001",
            "tlsCredentials": "server-cert-secret",
        }
    }
    assert first.labels == {"multisite.skupper-tls/address": "payments"}
    assert first.immutable == frozenset()
    assert not first.shared


def test_connector_on_kubernetes() -> None:
    first = items(V2, PROVIDER, ports=["5001:8443"])[0]
    assert first.name == "payments-5001"
    assert first.content == {
        "spec": {
            "selector": "app=payments",
            "port": 8443,
            "routingKey": "payments-5001",
            "tlsCredentials": "ca-cert-secret",
        }
    }
    assert first.labels == {"multisite.skupper-tls/address": "payments"}


def test_listener_on_a_system_site_binds_its_own_host() -> None:
    site = SiteKind("podman", "v2", "127.0.0.1")
    assert items(site, CONSUMER)[0].content["spec"]["host"] == "127.0.0.1"
    assert items(LINUX, CONSUMER)[0].content["spec"]["host"] == "0.0.0.0"


@pytest.mark.parametrize(
    ("workload", "host"), [(None, "127.0.0.1"), ({"host": "10.1.1.1"}, "10.1.1.1"), ({"name": "x"}, "127.0.0.1")]
)
def test_connector_on_a_system_site(workload: Any, host: str) -> None:
    certificate, first, _second = items(LINUX, PROVIDER, workload=workload)
    assert first.content == {
        "spec": {"host": host, "port": 5001, "routingKey": "payments-5001", "tlsCredentials": "ca-cert-secret"}
    }
    assert certificate.name == "ca-cert-secret-profile"
    assert certificate.content == {"spec": {"subject": "ca-cert-secret", "client": True}}
    assert certificate.shared
    assert certificate.labels == {}


def test_v1_entry_and_profile_are_the_texts_of_the_facts() -> None:
    profile, entry = items(V1, PROVIDER)
    assert v1config.render_entry(entry.content) == (
        '{"address":"payments","protocol":"http2","ports":[5001,5002],"exposeIngress":"","targets":[{"name":"payments",'
        '"selector":"app=payments","targetPorts":{"5001":5001,"5002":5002}}],"tlsCredentials":"server-cert-secret",'
        '"tlsCertAuthority":"ca-cert-secret"}'
    )
    config = v1config.with_profile([], profile.name, profile.content)
    assert json.dumps(config, separators=(",", ":")) == (
        '[["sslProfile",{"name":"ca-cert-secret","caCertFile":"/etc/skupper-router-certs/ca-cert-secret/ca.crt"}]]'
    )
    assert profile.shared
    assert entry.immutable == {"protocol", "ports", "tlsCredentials", "tlsCertAuthority"}
    assert entry.record == {"targets": ["payments"]}


def test_v1_entry_with_selector_and_target_port() -> None:
    _profile, entry = items(V1, PROVIDER, "tier=api", workload={"selector": "tier=api"}, ports=["5001:8443"])
    assert entry.content["targets"] == {
        "payments": {"name": "payments", "selector": "tier=api", "targetPorts": {"5001": 8443}}
    }


@pytest.mark.parametrize(
    ("site", "provides", "names", "secret_type"),
    [
        (V1, True, ["s", "c"], None),
        (V1, False, ["s", "c"], None),
        (V2, True, ["s", "c"], "kubernetes.io/tls"),
        (V2, False, ["s", "c"], "kubernetes.io/tls"),
        (LINUX, True, ["s", "c", "c-profile"], None),
        (PODMAN, False, ["s", "c"], None),
    ],
)
def test_secrets(site: SiteKind, provides: bool, names: list[str], secret_type: str | None) -> None:
    service = parsed(PROVIDER if provides else CONSUMER, tls={"server_secret": "s", "ca_secret": "c"})
    made = secret_items(service.tls, MATERIAL, site, provides)
    assert [item.name for item in made] == names
    assert secret_names([service, service], site) == names
    assert {item.content.get("type") for item in made} == {secret_type}
    assert made[0].content["data"] == {"tls.crt": b"leaf\n", "tls.key": b"key\n", "ca.crt": b"ca\n"}
    for item in made[1:]:
        # Clients mount it: no key, and all three keys, as Skupper wants them.
        assert item.content["data"] == {"tls.crt": b"", "tls.key": b"", "ca.crt": b"ca\n"}
    assert all(item.immutable == {"type"} for item in made)


def test_material_does_not_show_itself() -> None:
    assert "key" not in repr(MATERIAL)


@pytest.mark.parametrize(
    ("site", "host", "workload", "refused"),
    [
        (V1, PROVIDER, None, True),
        (V2, PROVIDER, None, True),
        (V2, PROVIDER, {"host": "10.0.0.1"}, True),
        (V2, PROVIDER, {"selector": "a=b"}, False),
        (V2, PROVIDER, {"name": "x"}, False),
        (V2, CONSUMER, None, False),
        (V1, CONSUMER, None, False),
        (LINUX, PROVIDER, None, False),
    ],
)
def test_a_provider_needs_a_workload(site: SiteKind, host: str, workload: Any, refused: bool) -> None:
    problems = site_problems([parsed(host, workload=workload)], site)
    assert [(problem.field, problem.message) for problem in problems] == (
        [("services (payments).workload", "the site provides the service, but no workload is named")] if refused else []
    )


@pytest.mark.parametrize(("length", "refused"), [(58, 0), (59, 2), (63, 2)])
def test_object_names_are_labels_too(length: int, refused: int) -> None:
    problems = site_problems([parsed(CONSUMER, address="a" * length)], V2)
    assert len(problems) == refused
    for problem, port in zip(problems, (5001, 5002)):
        assert problem.found == "a" * length + f"-{port}"


def test_two_services_on_one_port_of_a_host() -> None:
    services = [parsed(CONSUMER), parsed(CONSUMER, address="stock", ports=[5002, 5003])]
    (problem,) = site_problems(services, LINUX)
    assert problem.field == "services (stock).ports"
    assert problem.found == "5002"
    assert "payments" in problem.message
    assert site_problems(services, V2) == []
    assert site_problems([parsed(PROVIDER), parsed(PROVIDER, address="stock")], LINUX) == []


@pytest.mark.parametrize(
    ("fields", "version", "field"),
    [
        ({"protocol": "tcp"}, "v1", "protocol"),
        ({"ports": "6001,5002"}, "v1", "ports"),
        ({"tls": {"server_secret": "x"}}, "v1", "tls.server_secret"),
        ({"tls": {"ca_secret": "x"}}, "v1", "tls.ca_secret"),
        ({"ports": "5001:9,5002:10"}, "v1", ""),
        ({"workload": {"name": "x"}}, "v1", ""),
        ({"protocol": "tcp", "ports": "6001,5002", "tls": {"ca_secret": "x"}}, "v2", ""),
    ],
)
def test_what_v1_sends_to_every_site_cannot_differ(fields: Any, version: str, field: str) -> None:
    (service,) = parse_services([entry()], GROUPS, "east", overrides={"payments": fields})
    problems = site_problems([service], SiteKind("kubernetes", version))
    assert [problem.field for problem in problems] == ([f"skupper_site_services (payments).{field}"] if field else [])


def test_another_listening_port_keeps_name_and_routing_key() -> None:
    (service,) = parse_services([entry()], GROUPS, "west", overrides={"payments": {"ports": "6001,5002:9"}})
    items = service_items(service, SiteKind("kubernetes", "v2"))
    assert [item.name for item in items] == ["payments-5001", "payments-5002"]
    specs = [item.content["spec"] for item in items]
    assert [(spec["port"], spec["routingKey"]) for spec in specs] == [(6001, "payments-5001"), (5002, "payments-5002")]
