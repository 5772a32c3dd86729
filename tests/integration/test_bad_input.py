# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong, in one inventory: one run names all of it, and nothing is written anywhere."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    PAYMENTS,
    SERVER,
    KubeNetwork,
    SystemNetwork,
    snapshot_namespace,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from tests.cluster.clusters import Cluster, unique, write_kubeconfig

Take = Callable[[int], list[Cluster]]


def store_unreadable(network: KubeNetwork) -> str:
    network.store.mkdir()
    (network.store / "authority").write_text("a file where the store keeps a folder")
    return "the store cannot be read"


def store_of_another_network(network: KubeNetwork) -> str:
    fill_store(network, skupper_tls_network="other")
    return "belongs to another network"


def wrong_passphrase(network: KubeNetwork) -> str:
    fill_store(network, skupper_tls_store={"type": "directory", "path": network.store, "passphrase": "right"})
    network.variables["skupper_tls_store"]["passphrase"] = "wrong"
    return "the store's passphrase is wrong"


def fill_store(network: KubeNetwork, **variables: Any) -> None:
    """Let another network's run fill the store."""
    other = SystemNetwork(network.folder.parent / "other")
    other.variables["skupper_tls_store"]["path"] = network.store
    other.variables.update(variables)
    other.run("issue").good()


def expired_authority(network: KubeNetwork) -> str:
    old = factory.root(not_before=factory.NOW - 9 * factory.DAY, not_after=factory.NOW - factory.DAY)
    import_authority(network, old.certificate)
    return "expired"


def authority_without_ca(network: KubeNetwork) -> str:
    import_authority(network, factory.make("not a CA").certificate)
    return "CA"


def import_authority(network: KubeNetwork, certificate: Any) -> None:
    file = network.folder / "ca.pem"
    file.write_bytes(factory.pem_of(certificate))
    network.variables["skupper_tls_authority"] = {"source": {"certificate_path": file}}


@pytest.mark.parametrize(
    "store",
    [
        store_unreadable,
        store_of_another_network,
        wrong_passphrase,
        expired_authority,
        authority_without_ca,
    ],
)
def test_one_run_names_everything(clusters: Take, tmp_path: Path, store: Callable[[KubeNetwork], str]) -> None:
    network = KubeNetwork(tmp_path / "run", clusters(3))
    east, west, edge = network.clusters.values()
    space = network.namespace
    east.core.create_namespaced_secret(space, {"metadata": {"name": SERVER}, "stringData": {"tls.key": "theirs"}})
    empty = west.create_namespace(unique("empty"))
    reading = [
        {"apiGroups": ["skupper.io"], "resources": ["sites", "listeners", "connectors"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]
    network.hosts.update(
        unreachable={"skupper_site_kubeconfig": unreachable(tmp_path, east), "skupper_site_context": "east"},
        stranger={"skupper_site_kubeconfig": edge.make_user(space, "stranger", [])},
        reader={"skupper_site_kubeconfig": edge.make_user(space, "reader", reading)},
        lost={"skupper_site_context": "west", "skupper_site_namespace": "no-such-namespace"},
        bare={"skupper_site_context": "west", "skupper_site_namespace": empty},
        twin={"skupper_site_context": "west"},
        misnamed={"skupper_site_context": "west", "skupper_site_namespace": "Not_A_Name"},
    )
    for name in ("stranger", "reader"):
        network.hosts[name]["skupper_site_context"] = edge.name
    network.variables["skupper_tls_services"] += [
        {**copy.deepcopy(PAYMENTS), "address": "ledger", "workload": {"name": "ledger"}},
        {**copy.deepcopy(PAYMENTS), "address": "Bad_Name"},
        {**copy.deepcopy(PAYMENTS), "address": "ports", "ports": [0, 70000, "x"]},
        {**copy.deepcopy(PAYMENTS), "address": "twice", "ports": [5001, 5001]},
        {**copy.deepcopy(PAYMENTS), "address": "nobody", "providers": ["no-such-host"]},
        {**copy.deepcopy(PAYMENTS), "address": "plain", "protocol": "http"},
        {**copy.deepcopy(PAYMENTS), "address": "reserved", "tls": {"server_secret": "skupper-tls-x"}},
    ]
    expected = store(network)

    def everything() -> Any:
        sites = [network.snapshot(), snapshot_namespace(west, empty)]
        return sites, tree(network.store) if network.store.is_dir() else network.store.exists()

    before = everything()
    run = network.run().bad(
        "preflight:",
        "nothing was written anywhere",
        "TLS101 unreachable: the API server",
        "TLS103 stranger",
        "verb list on sites.skupper.io",
        "TLS103 reader",
        "create secrets",
        "create listeners.skupper.io",
        "lost",
        "the namespace no-such-namespace does not exist",
        "bare",
        f"there is no Skupper site in namespace {empty}",
        "TLS105",
        "is the same site as",
        "misnamed",
        "'Not_A_Name'",
        "the workload deployment ledger does not exist",
        f"TLS202 east Secret/{SERVER}",
        "'Bad_Name'",
        "70000",
        "5001",
        "no-such-host",
        "http",
        "skupper-tls-x",
        "TLS701",
        expected,
    )
    assert everything() == before, "something was written"
    assert {event.play for event in run.events} == {"Preflight: look at every site before anything is written"}
    table = run.output[run.output.index("FAILED ") :]
    assert table.index("FAILED ") < table.index("SITE "), "the sites stand before what failed"


def unreachable(folder: Path, cluster: Cluster) -> Path:
    """Return the kubeconfig of a server that nobody runs."""
    file = write_kubeconfig(folder / "nowhere", {"east": cluster})
    lines = file.read_text().splitlines()
    lines = [
        line[: line.index("server:")] + "server: https://127.0.0.1:1" if "server:" in line else line for line in lines
    ]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        ({"skupper_tls_services": []}, ["no service is given"]),
        ({"skupper_tls_network": "Not A Label"}, ["network", "RFC 1123"]),
        ({"skupper_tls_store": None}, ["the store is not given"]),
        ({"skupper_tls_certificate": {"key_typ": "rsa"}}, ["key_typ", "nothing was written anywhere"]),
        ({"skupper_tls_certificate": {"key_type": "rsa-1024"}}, ["rsa-1024", "nothing was written anywhere"]),
        ({"skupper_tls_certificate": {"renew_before": "later"}}, ["renew_before", "later"]),
        ({"skupper_tls_authority": {"validity_days": 0}}, ["validity"]),
        ({"skupper_tls_authority": {"source": {"certificate_path": "no-such-file"}}}, ["no-such-file"]),
    ],
)
def test_bad_network_variables(tmp_path: Path, change: dict[str, Any], texts: list[str]) -> None:
    network = SystemNetwork(tmp_path / "run")
    network.variables.update(change)
    before = tree(network.data_home)
    network.run().bad(*texts)
    assert tree(network.data_home) == before
    assert not network.store.exists()


def test_services_that_share_a_secret_and_disagree(tmp_path: Path) -> None:
    network = SystemNetwork(tmp_path / "run")
    other = {**copy.deepcopy(PAYMENTS), "address": "ledger", "ports": [7000]}
    network.service["tls"]["certificate"] = {"key_type": "rsa-2048"}
    other["tls"]["certificate"] = {"key_type": "ed25519", "valid_days": 3}
    network.variables["skupper_tls_services"].append(other)
    network.run().bad("differs from that of payments", "valid_days", "nothing was written anywhere")
    assert not network.store.exists()


def test_not_a_system_site_and_not_permitted(tmp_path: Path) -> None:
    network = SystemNetwork(tmp_path / "run")
    network.hosts["nowhere"] = {"skupper_site_namespace": "nowhere"}
    network.hosts["twin"] = {"skupper_site_namespace": "west"}
    network.hosts["old"] = {"skupper_site_namespace": "edge", "skupper_site_version": "v1"}
    network.hosts["unnamed"] = {}
    before = tree(network.data_home)
    network.run().bad(
        "TLS102 nowhere",
        "there is no Skupper site",
        "is the same site as",
        "system sites are Skupper v2 only",
        "unnamed",
    )
    assert tree(network.data_home) == before
