# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 3: what this collection did not write is never changed or deleted without adopt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    GROUP,
    LABELS,
    SERVER,
    SITES,
    VERSION,
    KubeNetwork,
    SystemNetwork,
    same_everywhere,
    tree,
)
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]


@pytest.fixture
def network(clusters: Take, tmp_path: Path) -> KubeNetwork:
    return KubeNetwork(tmp_path / "run", clusters(3))


def foreign_secret(network: KubeNetwork, **labels: str) -> None:
    metadata = {"name": SERVER, "annotations": {"note": "mine"}, "labels": {"team": "other", **labels}}
    body = {
        "metadata": metadata,
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": "theirs", "tls.key": "theirs", "extra": "keep me"},
    }
    network.clusters["west"].core.create_namespaced_secret(network.namespace, body)


def foreign_listener(network: KubeNetwork, **labels: str) -> None:
    body = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Listener",
        "metadata": {"name": "payments-5001", "labels": labels},
        "spec": {"host": "theirs", "port": 9, "routingKey": "theirs"},
    }
    network.clusters["edge"].custom.create_namespaced_custom_object(
        GROUP, VERSION, network.namespace, "listeners", body
    )


OTHER = {"app.kubernetes.io/managed-by": "multisite.skupper_tls", "multisite.skupper-tls/network": "other"}


@pytest.mark.parametrize("labels", [{}, OTHER, {"multisite.skupper-tls/network": "shop"}])
def test_foreign_things_are_refused_before_any_write(network: KubeNetwork, labels: dict[str, str]) -> None:
    foreign_secret(network, **labels)
    foreign_listener(network, **labels)
    before = network.snapshot()
    whose = "it belongs to the network other" if labels == OTHER else "this collection did not write it"
    run = network.run().bad(f"TLS202 west Secret/{SERVER}", "TLS402 edge Listener/payments-5001", whose)
    assert network.snapshot() == before
    assert run.count("changed") == 0
    assert not network.store.exists()


def test_the_modules_alone_refuse_too(network: KubeNetwork) -> None:
    foreign_secret(network)
    network.run("issue").good()
    before = network.snapshot()
    tasks: list[dict[str, Any]] = [{"multisite.skupper_tls.secrets": {}}]
    network.play(tasks, "--limit", "west").bad("did not write it", f"Secret {SERVER}")
    assert network.snapshot() == before, "the other secret of the pair was written before the refusal"
    network.clusters["west"].core.delete_namespaced_secret(SERVER, network.namespace)
    network.run("distribute").good()
    foreign_listener(network)
    before = network.snapshot()
    network.play([{"multisite.skupper_tls.service": {}}], "--limit", "edge").bad("Listener payments-5001")
    assert network.snapshot() == before, "the other listener was written before the refusal"


def test_adopt_takes_over_and_keeps_what_is_not_ours(network: KubeNetwork) -> None:
    foreign_secret(network)
    foreign_listener(network, team="other")
    network.variables["skupper_tls_adopt"] = True
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.diffs() == predicted.diffs()
    secret = network.read("west", SERVER)
    assert secret.metadata.annotations["note"] == "mine"
    assert secret.metadata.labels == {**LABELS, "team": "other"}
    taken = network.secret("west", SERVER)
    assert taken.pop("extra") == b"keep me"
    assert taken == network.secret("east", SERVER)
    listener = network.objects("edge", "Listener")["payments-5001"]
    assert listener["metadata"]["labels"]["team"] == "other"
    assert listener["spec"]["tlsCredentials"] == SERVER
    assert listener["spec"]["host"] == "payments"
    network.variables["skupper_tls_adopt"] = False
    assert network.run().good().count("changed") == 0


def test_an_opaque_secret_is_replaced_when_adopted(network: KubeNetwork) -> None:
    """Skupper v2 ignores it, and the API server takes no change of a type."""
    network.clusters["west"].core.create_namespaced_secret(
        network.namespace, {"metadata": {"name": CA}, "type": "Opaque", "stringData": {"ca.crt": "theirs"}}
    )
    network.run().bad(f"Secret/{CA}")
    network.variables["skupper_tls_adopt"] = True
    network.run().good()
    assert network.read("west", CA).type == "kubernetes.io/tls"
    same_everywhere(network)


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_absent_removes_only_ours(clusters: Take, tmp_path: Path, version: str) -> None:
    network = KubeNetwork(tmp_path / "run", clusters(3), version=version)
    network.run().good()
    network.clusters["west"].core.create_namespaced_secret(network.namespace, {"metadata": {"name": "theirs"}})
    secrets: list[dict[str, Any]] = [{"multisite.skupper_tls.secrets": {"state": "absent"}}]
    service: list[dict[str, Any]] = [{"multisite.skupper_tls.service": {"state": "absent"}}]
    used = network.play(secrets)
    used.bad("is still used by", "Remove the service first")
    users = SITES if version == "v2" else ("east",)  # on v1 the others get the entry from Skupper
    for site in users:
        assert network.secret(site, SERVER), f"{site}: a secret in use was deleted"
        assert network.exposed(site)

    predicted = network.play(service, "--check")
    assert all(network.exposed(site) for site in users)
    assert network.play(service).good().changes() == predicted.good().changes()
    assert [network.exposed(site) for site in SITES] == [[], [], []]
    network.play(secrets).good()
    assert [item.metadata.name for item in network.secrets("west")] == ["theirs"]
    assert [len(network.secrets(site)) for site in ("east", "edge")] == [0, 0]
    assert network.play(service + secrets).good().count("changed") == 0


def test_absent_refuses_what_is_not_ours(network: KubeNetwork) -> None:
    foreign_secret(network)
    foreign_listener(network)
    before = network.snapshot()
    network.play([{"multisite.skupper_tls.secrets": {"state": "absent"}}], "--limit", "west").bad("did not write it")
    network.play([{"multisite.skupper_tls.service": {"state": "absent"}}], "--limit", "edge").good()
    assert network.snapshot() == before


def test_reserved_names_are_refused(network: KubeNetwork) -> None:
    network.service["tls"]["ca_secret"] = "skupper-tls-payments"
    network.run().bad("begins with skupper-tls-", "nothing was written anywhere")


def test_system_sites(tmp_path: Path) -> None:
    network = SystemNetwork(tmp_path / "run")
    theirs = network.site("west") / "input" / "certs" / SERVER
    theirs.mkdir(parents=True)
    for name in ("tls.crt", "tls.key", "ca.crt", "note"):
        (theirs / name).write_text("theirs")
    resource = network.site("edge") / "input" / "resources" / "Listener-payments-5002.yaml"
    resource.write_text("kind: Listener\n")
    before = tree(network.data_home)
    network.run().bad(f"TLS202 west Secret/{SERVER}", "TLS402 edge Listener/payments-5002")
    assert tree(network.data_home) == before
    network.variables["skupper_tls_adopt"] = True
    network.run().good()
    taken = network.secret("west", SERVER)
    assert taken.pop("note") == b"theirs"
    assert taken == network.secret("east", SERVER)
    assert "routingKey: payments-5002" in resource.read_text()
    network.variables["skupper_tls_adopt"] = False
    assert network.run().good().count("changed") == 0
    network.play([{"multisite.skupper_tls.secrets": {"state": "absent"}}]).bad("is still used by")
    for module in ("service", "secrets"):
        network.play([{f"multisite.skupper_tls.{module}": {"state": "absent"}}]).good()
    assert network.exposed("west") == network.exposed("east") == []
    assert network.secret("east", SERVER) == {}
