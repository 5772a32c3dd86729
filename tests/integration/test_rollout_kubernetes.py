# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole rollout to Skupper v2 and v1 on real API servers, read back with clients of our own."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    GROUP,
    LABELS,
    SERVER,
    SITES,
    VERSION,
    KubeNetwork,
    openssl_verify,
    refusing,
    same_everywhere,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import STEPS
from tests.cluster.clusters import Cluster

EXPOSE = "Expose the services on the site"
ADDRESS_LABEL = {"multisite.skupper-tls/address": "payments"}
Take = Callable[[int], list[Cluster]]


@pytest.fixture
def make(clusters: Take, tmp_path: Path) -> Callable[..., KubeNetwork]:
    def network(**options: Any) -> KubeNetwork:
        return KubeNetwork(tmp_path / "run", clusters(3), **options)

    return network


@pytest.mark.parametrize("store", ["directory", "kubernetes"])
@pytest.mark.parametrize("version", ["v2", "v1"])
def test_check_first_run_second_run(make: Any, tmp_path: Path, version: str, store: str) -> None:
    network = make(version=version, store=store, passphrase="words of the store" if store == "directory" else "")
    neighbours = make_neighbours(network)
    before = network.snapshot()
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    assert network.snapshot() == before, "check mode wrote something"
    assert not network.store.exists()

    first = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert first.changes() == predicted.changes()
    assert first.diffs() == predicted.diffs()
    check_exact(network)
    held = same_everywhere(network)
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"])
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"], f"payments.{network.namespace}.svc")
    assert neighbours == read_neighbours(network)
    if store == "directory":
        assert all("ENCRYPTED" in file.read_text() for file in network.store.rglob("*.json"))
    else:
        records = network.clusters["edge"].core.list_namespaced_secret(network.store_namespace).items
        assert len(records) == 2

    written, files = network.snapshot(), tree(network.store)
    second = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert second.count("changed") == 0
    assert second.diffs() == {}
    assert network.snapshot() == written, "a run without a change wrote something"
    assert tree(network.store) == files


def make_neighbours(network: KubeNetwork) -> Any:
    """Make what others have on each site; return it as it reads."""
    for site, cluster in network.clusters.items():
        cluster.core.create_namespaced_secret(
            network.namespace, {"metadata": {"name": "neighbour"}, "stringData": {"a": "b"}}
        )
        if network.version == "v2":
            for kind, spec in (
                ("Listener", {"host": "payments-old", "port": 6000, "routingKey": "payments-old"}),
                ("Connector", {"selector": "app=old", "port": 6000, "routingKey": "payments-old"}),
            ):
                cluster.create_skupper(network.namespace, kind, "payments-old", spec)
        else:
            entry = json.dumps({"address": "orders", "protocol": "tcp", "ports": [7000], "targets": []})
            network.patch_config_map(site, "skupper-services", {"orders": entry + " "})
    return read_neighbours(network)


def read_neighbours(network: KubeNetwork) -> Any:
    found = {}
    for site in network.clusters:
        neighbour = network.read(site, "neighbour")
        found[site] = [neighbour.metadata.resource_version]
        if network.version == "v2":
            found[site] += [network.objects(site, kind)["payments-old"] for kind in ("Listener", "Connector")]
        else:
            found[site].append(network.config_map(site, "skupper-services").data["orders"])
            config = json.loads(network.config_map(site, "skupper-internal").data["skrouterd.json"])
            found[site].append([entry for entry in config if entry[1].get("name") != CA])
    return found


def check_exact(network: KubeNetwork) -> None:
    """Assert that what stands on the sites is what Skupper reads, to the letter."""
    for site in SITES:
        for name in (SERVER, CA):
            secret = network.read(site, name)
            assert secret.type == "kubernetes.io/tls"
            assert secret.metadata.labels == LABELS
        assert network.secret(site, CA)["tls.crt"] == b""
        assert network.secret(site, SERVER)["ca.crt"] == network.secret(site, CA)["ca.crt"]
    if network.version == "v2":
        check_exact_v2(network)
    else:
        check_exact_v1(network)


def check_exact_v2(network: KubeNetwork) -> None:
    provided = network.objects("east", "Connector")
    assert sorted(provided) == ["payments-5001", "payments-5002", "payments-old"]
    assert sorted(network.objects("east", "Listener")) == ["payments-old"]
    for port in (5001, 5002):
        assert provided[f"payments-{port}"]["metadata"]["labels"] == {**LABELS, **ADDRESS_LABEL}
        assert provided[f"payments-{port}"]["spec"] == {
            "selector": "app=payments",
            "port": port,
            "routingKey": f"payments-{port}",
            "tlsCredentials": CA,
        }
    for site in ("west", "edge"):
        consumed = network.objects(site, "Listener")
        assert sorted(consumed) == ["payments-5001", "payments-5002", "payments-old"]
        assert sorted(network.objects(site, "Connector")) == ["payments-old"]
        for port in (5001, 5002):
            assert consumed[f"payments-{port}"]["metadata"]["labels"] == {**LABELS, **ADDRESS_LABEL}
            assert consumed[f"payments-{port}"]["spec"] == {
                "host": "payments",
                "port": port,
                "routingKey": f"payments-{port}",
                "tlsCredentials": SERVER,
            }


def check_exact_v1(network: KubeNetwork) -> None:
    assert network.entry("east") == {
        "address": "payments",
        "protocol": "http2",
        "ports": [5001, 5002],
        "exposeIngress": "",
        "targets": [{"name": "payments", "selector": "app=payments", "targetPorts": {"5001": 5001, "5002": 5002}}],
        "tlsCredentials": SERVER,
        "tlsCertAuthority": CA,
    }
    assert network.profile("east") == {"name": CA, "caCertFile": f"/etc/skupper-router-certs/{CA}/ca.crt"}
    for site in ("west", "edge"):  # Skupper itself sends the entry there
        assert network.entry(site) is None
        assert network.profile(site) is None


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_each_step_alone(make: Any, version: str) -> None:
    network = make(version=version, store="kubernetes")
    make_neighbours(network)
    nothing = network.snapshot()
    for step, expected in zip(STEPS, (0, 2, 3, 3 if version == "v2" else 1, 0)):
        run = network.run(step).good()
        assert run.count("changed") == expected, f"{step}\n{run.output}"
        if step == "preflight":
            assert network.snapshot() == nothing, "preflight wrote something"
    check_exact(network)
    assert network.run().good().count("changed") == 0, "the rollout finds something to do after its own steps"


# -- Skupper's controller, played


class Controller(threading.Thread):
    """Says of every listener and connector that it is configured, as Skupper's controller does."""

    def __init__(self, network: KubeNetwork) -> None:
        super().__init__(daemon=True)
        self._network, self._ended = network, threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            for site in self._network.clusters:
                for kind in ("Listener", "Connector"):
                    for name, item in self._network.objects(site, kind).items():
                        if not item.get("status"):
                            with contextlib.suppress(ApiException):
                                set_configured(self._network, site, kind, name, "True", "OK")
            time.sleep(0.1)

    def end(self) -> None:
        self._ended.set()
        self.join(10)


@pytest.fixture
def controlled(clusters: Take, tmp_path: Path) -> Iterator[KubeNetwork]:
    network = KubeNetwork(tmp_path / "run", clusters(3))
    for site, cluster in network.clusters.items():
        condition = {"type": "Configured", "status": "True", "reason": "Configured", "message": "OK"}
        status = {"conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
        name = cluster.list_skupper(network.namespace, "Site")[0]["metadata"]["name"]
        patch_status(network, site, "Site", name, status)
    controller = Controller(network)
    controller.start()
    yield network
    controller.end()


def set_configured(network: KubeNetwork, site: str, kind: str, name: str, value: str, message: str) -> None:
    condition = {"type": "Configured", "status": value, "reason": "Test", "message": message}
    status = {"conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    patch_status(network, site, kind, name, status)


def patch_status(network: KubeNetwork, site: str, kind: str, name: str, status: Any) -> None:
    network.clusters[site].custom.patch_namespaced_custom_object_status(
        GROUP, VERSION, network.namespace, f"{kind.lower()}s", name, {"status": status}
    )


def test_the_controllers_answer_is_waited_for(controlled: KubeNetwork) -> None:
    run = controlled.run().good()
    assert "TLS403" not in run.output
    assert [event.result["not_taken_up"] for event in run.of(EXPOSE).values()] == [[], [], []]
    assert controlled.run().good().count("changed") == 0


def test_the_controllers_refusal_is_shown(controlled: KubeNetwork) -> None:
    controlled.run().good()
    message = "no secret of that name, says the controller"
    set_configured(controlled, "west", "Listener", "payments-5002", "False", message)
    controlled.run("verify").bad("TLS403", "west", "Listener/payments-5002", message)


def test_without_a_controller_nothing_is_waited_for(make: Any) -> None:
    network = make()
    network.variables["skupper_tls_wait_timeout"] = 90
    run = network.run().good()
    assert "warning TLS403" in run.output
    assert run.seconds < 60


# -- order


def test_canary_then_batches(make: Any) -> None:
    network = make()
    network.variables.update(skupper_tls_canary="west", skupper_tls_batches=[1, "100%"])
    run = network.run().good()
    exposed = [(event.play, event.host) for event in run.events if EXPOSE in event.task]
    assert exposed == [
        ("Expose: the canary sites", "west"),
        ("Expose: the other sites, in batches", "east"),
        ("Expose: the other sites, in batches", "edge"),
    ]
    assert network.run().good().count("changed") == 0


@pytest.mark.parametrize("canary", [True, False])
def test_a_failure_stops_the_rest(make: Any, canary: bool) -> None:
    network = make()
    network.variables.update({"skupper_tls_canary": "west"} if canary else {"skupper_tls_batches": [2, 1]})
    with refusing(network, "west" if canary else "east", GROUP, "listeners", "connectors"):
        run = network.run().bad("refused by a policy of the test")
        assert sorted(run.of(EXPOSE)) == (["west"] if canary else ["east", "west"])
        assert [bool(network.exposed(site)) for site in SITES] == [False, not canary, False]
        if not canary:
            network.variables["skupper_tls_max_fail_percentage"] = 60
            network.run("expose").bad("refused by a policy of the test")
            assert [bool(network.exposed(site)) for site in SITES] == [False, True, True]
    network.run().good()
    assert network.run().good().count("changed") == 0
    assert all(network.exposed(site) for site in SITES)


# -- a service that changes


def test_ports_and_provider_change(make: Any) -> None:
    network = make()
    make_neighbours(network)
    labelled = {"metadata": {"labels": ADDRESS_LABEL}}  # the address label alone does not make it ours
    network.clusters["west"].custom.patch_namespaced_custom_object(
        GROUP, VERSION, network.namespace, "listeners", "payments-old", labelled
    )
    neighbours = read_neighbours(network)
    network.run().good()

    network.service["ports"] = [5001, "5003:8443"]
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.diffs() == predicted.diffs()
    assert sorted(network.objects("west", "Listener")) == ["payments-5001", "payments-5003", "payments-old"]
    connectors = network.objects("east", "Connector")
    assert sorted(connectors) == ["payments-5001", "payments-5003", "payments-old"]
    assert connectors["payments-5003"]["spec"]["port"] == 8443
    assert connectors["payments-5003"]["spec"]["routingKey"] == "payments-5003"

    network.clusters["edge"].make_workload(network.namespace, "payments", {"app": "paying"})
    network.service["providers"] = ["edge"]
    network.run().good()
    assert sorted(network.objects("east", "Connector")) == ["payments-old"]
    assert sorted(network.objects("east", "Listener")) == ["payments-5001", "payments-5003", "payments-old"]
    assert sorted(network.objects("edge", "Listener")) == ["payments-old"]
    assert network.objects("edge", "Connector")["payments-5001"]["spec"]["selector"] == "app=paying"
    assert neighbours == read_neighbours(network)
    assert network.run().good().count("changed") == 0


def test_provider_moves_on_v1(make: Any) -> None:
    network = make(version="v1")
    neighbours = make_neighbours(network)
    network.run().good()
    network.clusters["edge"].make_workload(network.namespace, "payments", {"app": "paying"})
    network.service["providers"] = ["edge"]
    network.run().good()
    assert network.entry("east") is None
    entry = network.entry("edge")
    assert entry is not None
    assert entry["targets"][0]["selector"] == "app=paying"
    assert network.profile("east") is None
    assert network.profile("edge") is not None
    assert neighbours == read_neighbours(network)
    assert network.run().good().count("changed") == 0


def test_what_others_add_to_our_objects_stays(make: Any) -> None:
    """Skupper's controller annotates the secrets; a user labels the listener. Neither is undone or called a change."""
    network = make()
    network.run().good()
    west = network.clusters["west"]
    note = {"metadata": {"annotations": {"internal.skupper.io/tls-profile-context": "{}"}}}
    west.core.patch_namespaced_secret(SERVER, network.namespace, note)
    west.custom.patch_namespaced_custom_object(
        GROUP, VERSION, network.namespace, "listeners", "payments-5001", {"metadata": {"labels": {"team": "shop"}}}
    )
    assert network.run().good().count("changed") == 0
    network.variables["skupper_tls_certificate"] = {"alternative_names": ["payments.example.net"]}
    network.service["tls"]["ca_secret"] = "another-ca"
    network.run().good()
    assert network.read("west", SERVER).metadata.annotations == note["metadata"]["annotations"]
    assert network.objects("west", "Listener")["payments-5001"]["metadata"]["labels"]["team"] == "shop"
    assert network.objects("east", "Connector")["payments-5001"]["spec"]["tlsCredentials"] == "another-ca"
