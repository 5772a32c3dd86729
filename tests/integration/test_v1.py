# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skupper v1: entries and profiles in ConfigMaps that Skupper and its users write as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.integration.networks import CA, SERVER, SITES, KubeNetwork
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
ENTRIES, ROUTER = "skupper-services", "skupper-internal"


@pytest.fixture
def network(clusters: Take, tmp_path: Path) -> KubeNetwork:
    return KubeNetwork(tmp_path / "run", clusters(3), version="v1")


def entry(**more: Any) -> dict[str, Any]:
    return {
        "address": "payments",
        "protocol": "http2",
        "ports": [5001, 5002],
        "exposeIngress": "",
        "targets": [],
        "tlsCredentials": SERVER,
        "tlsCertAuthority": CA,
        **more,
    }


def text(network: KubeNetwork, site: str, address: str = "payments") -> Any:
    return (network.config_map(site, ENTRIES).data or {}).get(address)


def add_to_router(network: KubeNetwork, site: str, *entities: Any) -> None:
    config = json.loads(network.config_map(site, ROUTER).data["skrouterd.json"])
    network.patch_config_map(site, ROUTER, {"skrouterd.json": json.dumps([*config, *entities])})


def events(network: KubeNetwork, site: str, name: str, since: str) -> list[Any]:
    """Return the contents that a ConfigMap has had since a resourceVersion, in order."""
    from kubernetes import watch

    core = network.clusters[site].core
    end = network.config_map(site, name).metadata.resource_version
    found = []
    for event in watch.Watch().stream(
        core.list_namespaced_config_map,
        network.namespace,
        field_selector=f"metadata.name={name}",
        resource_version=since,
        timeout_seconds=10,
    ):
        found.append(event["object"].data or {})
        if event["object"].metadata.resource_version == end:
            break
    return found


def test_an_entry_before_its_secrets_is_healed_once(network: KubeNetwork) -> None:
    """Service-sync has sent the entry to west and edge; west's router has no bridges, edge's has."""
    sent = json.dumps(entry(origin="east-site"))
    for site in ("west", "edge"):
        network.patch_config_map(site, ENTRIES, {"payments": sent})
    add_to_router(network, "edge", ["tcpListener", {"name": "payments:5001", "address": "payments:5001"}])
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    assert text(network, "west") == sent
    first = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert first.changes() == predicted.changes()
    assert text(network, "west") != sent, "not touched, so Skupper would never set it up"
    assert json.loads(text(network, "west")) == json.loads(sent)
    assert text(network, "edge") == sent, "touched, though it has its bridges"

    healed = network.snapshot()
    assert network.run().good().count("changed") == 0
    assert network.snapshot() == healed, "touched again, though nothing is new"

    network.clusters["west"].core.delete_namespaced_secret(SERVER, network.namespace)
    network.clusters["edge"].core.delete_namespaced_secret(SERVER, network.namespace)
    before = text(network, "west")
    network.run().good()
    assert text(network, "west") != before, "its secret is a new one, so it must be touched again"
    assert network.run().good().count("changed") == 0


def test_changed_secret_names_remove_and_add_the_entry(network: KubeNetwork) -> None:
    network.run().good()
    target = {"name": "by-hand", "selector": "app=by-hand", "targetPorts": {"5001": 5001}}
    mine = network.entry("east")
    assert mine is not None
    added = {**mine, "targets": [*mine["targets"], target]}
    network.patch_config_map("east", ENTRIES, {"payments": json.dumps(added)})
    since = network.config_map("east", ENTRIES).metadata.resource_version
    network.service["tls"].update(server_secret="new-server", ca_secret="new-ca")
    network.run().good()

    texts = [data.get("payments") for data in events(network, "east", ENTRIES, since)]
    states = [json.loads(each) if each else None for each in texts]
    assert None in states, "Skupper ignores changed credentials unless it sees the entry gone"
    assert states[-1] is not None
    assert states.index(None) < len(states) - 1
    assert states[-1]["tlsCredentials"] == "new-server"
    assert states[-1]["tlsCertAuthority"] == "new-ca"
    assert target in states[-1]["targets"], "the target of another user is gone"
    profile = {"name": "new-ca", "caCertFile": "/etc/skupper-router-certs/new-ca/ca.crt"}
    assert network.profile("east", "new-ca") == profile
    assert network.run().good().count("changed") == 0


def test_a_changed_workload_changes_the_entry_in_place(network: KubeNetwork) -> None:
    network.run().good()
    since = network.config_map("east", ENTRIES).metadata.resource_version
    network.clusters["east"].make_workload(network.namespace, "payments-next", {"app": "next"})
    network.service["workload"]["name"] = "payments-next"
    network.run().good()
    assert all("payments" in data for data in events(network, "east", ENTRIES, since)), "it was removed"
    now = network.entry("east")
    assert now is not None
    assert [target["selector"] for target in now["targets"]] == ["app=next"]


@pytest.mark.parametrize("adopt", [False, True])
def test_an_entry_of_another_user(network: KubeNetwork, adopt: bool) -> None:
    other = json.dumps(entry(tlsCredentials="theirs", note="mine")) + "\n"
    network.patch_config_map("east", ENTRIES, {"payments": other})
    network.variables["skupper_tls_adopt"] = adopt
    if not adopt:
        before = network.snapshot()
        network.run().bad("TLS402", "east", "ServiceEntry/payments", "adopt")
        assert network.snapshot() == before
        return
    network.run().good()
    taken = network.entry("east")
    assert taken is not None
    assert taken["tlsCredentials"] == SERVER
    assert taken["note"] == "mine", "a field that is not ours is gone"
    assert network.run().good().count("changed") == 0


def test_a_plain_entry_of_another_user_on_a_consumer_is_left_alone(network: KubeNetwork) -> None:
    other = json.dumps(entry(targets=[{"name": "x", "selector": "app=x", "targetPorts": {"5001": 1}}]))
    network.patch_config_map("west", ENTRIES, {"payments": other})
    network.run().good()
    assert text(network, "west") == other


@pytest.mark.parametrize("same", [True, False])
def test_a_profile_that_the_command_line_wrote(network: KubeNetwork, same: bool) -> None:
    folder = CA if same else "elsewhere"
    profile = {"name": CA, "caCertFile": f"/etc/skupper-router-certs/{folder}/ca.crt"}
    add_to_router(network, "east", ["sslProfile", profile])
    if not same:
        before = network.snapshot()
        network.run().bad("TLS402", "east", f"RouterProfile/{CA}")
        assert network.snapshot() == before
        return
    network.run().good()
    assert network.profile("east") == profile
    assert network.run().good().count("changed") == 0


def test_mixed_versions_are_refused_with_the_list(network: KubeNetwork, clusters: Take, tmp_path: Path) -> None:
    v2 = KubeNetwork(tmp_path / "v2", clusters(3))
    network.hosts["west"] = {**v2.hosts["west"], "skupper_site_namespace": v2.namespace}
    before = network.snapshot(), v2.snapshot()
    network.run().bad("TLS106", "v1: east, edge; v2: west", "nothing was written anywhere")
    assert (network.snapshot(), v2.snapshot()) == before
    assert not network.store.exists()


def test_both_versions_in_one_namespace(network: KubeNetwork) -> None:
    west = network.clusters["west"]
    west.create_skupper(network.namespace, "Site", "new", {"linkAccess": "default"})
    network.run().bad("TLS102", "west", "both a Skupper v1 and a Skupper v2 site")
    network.hosts["west"]["skupper_site_version"] = "v1"
    network.run().good()
    assert network.objects("west", "Listener") == {}
    assert [bool(network.secret(site, CA)) for site in SITES] == [True, True, True]
