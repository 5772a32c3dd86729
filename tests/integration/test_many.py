# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several services and networks in one inventory and in one namespace, and what a site sets otherwise."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    PAYMENTS,
    SERVER,
    SITES,
    KubeNetwork,
    SystemNetwork,
    openssl_verify,
    same_everywhere,
    store_records,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Run
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
ROLLOUT = "multisite.skupper_tls.rollout"
NETWORK = "multisite.skupper-tls/network"
ORDERS: dict[str, Any] = {
    "address": "orders",
    "ports": [7000],
    "workload": {"kind": "deployment", "name": "orders"},
    "providers": ["west"],
    "tls": {"server_secret": "orders-server", "ca_secret": "orders-ca"},
}


@pytest.fixture
def make(clusters: Take, tmp_path: Path) -> Callable[[str], Any]:
    """Make a network of three sites: v1, v2 or system."""

    def network(kind: str) -> Any:
        if kind == "system":
            return SystemNetwork(tmp_path / "run")
        made = KubeNetwork(tmp_path / "run", clusters(3), version=kind)
        made.clusters["west"].make_workload(made.namespace, "orders", {"app": "orders"})
        return made

    return network


@pytest.fixture
def system(tmp_path: Path) -> SystemNetwork:
    return SystemNetwork(tmp_path / "run")


def state(network: Any) -> Any:
    """Everything that a run may write."""
    sites = network.snapshot() if isinstance(network, KubeNetwork) else tree(network.data_home)
    return sites, tree(network.store) if network.store.exists() else {}


def rolled_out(network: Any, *arguments: str, **options: Any) -> Run:
    """Run in check mode, then really, then again; return the real run, after asserting what must hold of the three."""
    before = state(network)
    predicted = network.run(ROLLOUT, "--check", "--diff", *arguments, **options).good()
    assert state(network) == before, "check mode wrote something"
    first: Run = network.run(ROLLOUT, "--diff", *arguments, **options).good()
    assert first.changes() == predicted.changes()
    assert first.diffs() == predicted.diffs()
    after = state(network)
    second = network.run(ROLLOUT, "--diff", *arguments, **options).good()
    assert second.count("changed") == 0
    assert second.diffs() == {}
    assert state(network) == after, "the second run wrote something"
    return first


def refused(network: Any, *texts: str, step: str = ROLLOUT, extra: Any = None) -> Run:
    """Run, and assert that it is refused with these texts before anything is written."""
    before = state(network)
    run: Run = network.run(step, extra=extra).bad(*texts)
    assert state(network) == before, "something was written before the refusal"
    return run


def exposed(network: Any, site: str) -> list[str]:
    """What exposes services on a site, in one form for all platforms."""
    return sorted(name.removesuffix(".yaml").replace("/", "-") for name in network.exposed(site))


def listener(network: Any, site: str, name: str, kind: str = "Listener") -> Any:
    """Return the spec of a listener or connector."""
    if isinstance(network, KubeNetwork):
        return network.objects(site, kind)[name]["spec"]
    file = network.site(site) / "input/resources" / f"{kind}-{name}.yaml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]


# -- several services


@pytest.mark.parametrize("kind", ["v2", "v1", "system"])
def test_services_with_own_pairs_and_providers(make: Any, kind: str) -> None:
    """East provides one and west the other; one of them goes, and the other stays as it is."""
    network = make(kind)
    network.variables["skupper_tls_services"].append(copy.deepcopy(ORDERS))
    rolled_out(network)
    held = same_everywhere(network, SERVER, CA, "orders-server", "orders-ca")
    assert held[CA]["ca.crt"] == held["orders-ca"]["ca.crt"], "one authority"
    assert held[SERVER]["tls.crt"] != held["orders-server"]["tls.crt"]
    if kind != "v1":
        assert "Listener-orders-7000" in exposed(network, "east")
        assert "Connector-orders-7000" in exposed(network, "west")
        assert "Listener-payments-5001" in exposed(network, "west")
    network.variables["skupper_tls_services"] = [copy.deepcopy(PAYMENTS)]
    before = state(network)
    assert network.run().good().count("changed") == 0
    assert state(network) == before


def test_services_that_share_the_pair(system: SystemNetwork, tmp_path: Path) -> None:
    shared = {**ORDERS, "providers": ["east", "edge"], "tls": {"server_secret": SERVER, "ca_secret": CA}}
    system.variables["skupper_tls_services"].append(shared)
    rolled_out(system)
    held = same_everywhere(system)
    for name in ("payments", "orders", "orders.edge.svc", "payments.east"):
        openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"], name)
    assert list(store_records(system, "certificate")) == [SERVER]
    assert f"Certificate-{CA}-profile" in exposed(system, "edge")
    system.variables["skupper_tls_services"].pop()
    system.run().good()
    assert {"Connector-payments-5001", "Connector-orders-7000"} <= set(exposed(system, "east"))


def test_services_with_own_authorities(system: SystemNetwork) -> None:
    """The role issue makes one authority; another is made by the module."""
    orders = copy.deepcopy(ORDERS)
    orders["tls"]["authority"] = "orders-root"
    system.variables["skupper_tls_services"].append(orders)
    refused(system, "the store has no authority orders-root")
    system.play([{"multisite.skupper_tls.authority": {"name": "orders-root"}, "run_once": True}]).good()
    rolled_out(system)
    held = same_everywhere(system, SERVER, CA, "orders-server", "orders-ca")
    assert held[CA]["ca.crt"] != held["orders-ca"]["ca.crt"]
    system.variables["skupper_tls_services"][1]["tls"].update(server_secret=SERVER, ca_secret=CA)
    refused(system, "TLS801", "is a secret of two authorities", f"{SERVER}: default and orders-root (orders)")


# -- sites that take no part


@pytest.mark.parametrize("kind", ["v2", "system"])
def test_a_site_that_takes_no_part_is_left_alone(make: Any, kind: str) -> None:
    network = make(kind)
    network.service["sites"] = ["west"]
    if kind == "system":
        (network.site("edge") / "input/certs").mkdir()
    else:  # nothing is written there, so nobody need be permitted to
        rules = [{"apiGroups": ["skupper.io"], "resources": ["sites", "listeners", "connectors"], "verbs": ["list"]}]
        network.use("edge", network.clusters["edge"].make_user(network.namespace, "reader", rules))
    alone = tree(network.site("edge")) if kind == "system" else network.snapshot()
    rolled_out(network)
    if kind == "system":
        assert tree(network.site("edge")) == alone
    else:
        left = {key: value for key, value in network.snapshot().items() if key.startswith("edge/")}
        assert left == {key: value for key, value in alone.items() if key.startswith("edge/")}
    assert network.secret("west", SERVER) == network.secret("east", SERVER) != {}
    for step in ("distribute", "expose", "verify"):
        assert network.run(step).good().count("changed") == 0
    row = next(line for line in network.run("verify").good().output.splitlines() if line.startswith("edge "))
    assert row.split()[3:] == ["-", "-", "-", "-", "ok"]


@pytest.mark.parametrize("kind", ["v2", "system"])
def test_another_service_needs_the_pair_there(make: Any, kind: str) -> None:
    """Edge takes part in orders alone, which has the pair of payments."""
    network = make(kind)
    network.service["sites"] = ["west"]
    pair = {"server_secret": SERVER, "ca_secret": CA}
    network.variables["skupper_tls_services"].append({**ORDERS, "sites": ["edge"], "tls": pair})
    rolled_out(network)
    same_everywhere(network)
    assert [name for name in exposed(network, "edge") if "payments" in name] == []
    assert "Listener-orders-7000" in exposed(network, "edge")
    assert "Listener-orders-7000" not in exposed(network, "east")


@pytest.mark.parametrize("kind", ["v2", "system"])
def test_a_site_that_no_longer_takes_part(make: Any, kind: str) -> None:
    network = make(kind)
    network.variables["skupper_tls_services"].append(copy.deepcopy(ORDERS))
    network.run().good()
    network.service["sites"] = ["west"]
    first = rolled_out(network)
    assert {host for dummy, host in first.changes()} == {"edge"}
    assert exposed(network, "edge") == ["Listener-orders-7000"]
    assert network.secret("edge", SERVER), "secrets are not removed by a rollout"
    assert exposed(network, "west")


def test_on_v1_every_site_holds_the_secrets(make: Any) -> None:
    """Service-sync sends the entry to every site, and one without the secrets has no bridges for any service."""
    network = make("v1")
    network.service["sites"] = ["west"]
    rolled_out(network)
    same_everywhere(network)
    said = network.run("verify").good().of("Read back what the site holds")
    roles = {host: event.result["services"]["payments"]["role"] for host, event in said.items()}
    assert roles == {"east": "provider", "west": "consumer", "edge": "synced"}
    network.clusters["edge"].core.delete_namespaced_secret(CA, network.namespace)
    network.run("expose").bad("TLS201 edge", "nothing is exposed anywhere")


@pytest.mark.parametrize("kind", ["v2", "system"])
def test_the_barrier_asks_who_takes_part(make: Any, kind: str) -> None:
    network = make(kind)
    network.service["sites"] = ["west"]
    for step in ("issue", "distribute"):
        network.run(step).good()
    if kind == "system":
        shutil.rmtree(network.site("west") / "input/certs" / CA)
    else:
        network.clusters["west"].core.delete_namespaced_secret(CA, network.namespace)
    run = network.run("expose").bad("TLS201 west", "nothing is exposed anywhere", "1 of 3 sites")
    assert "TLS201 edge" not in run.output
    assert [exposed(network, site) for site in SITES] == [[], [], []]


def test_unknown_sites(system: SystemNetwork) -> None:
    system.service["sites"] = ["west", "nowhere"]
    refused(system, "TLS801", "services[0] (payments).sites", "is neither a host nor a group", "nowhere")
    system.children["branches"] = {"hosts": {"edge": {}}}
    system.service["sites"] = "branches"
    system.run().good()
    assert (exposed(system, "west"), bool(exposed(system, "edge"))) == ([], True)


# -- what a site sets otherwise


@pytest.mark.parametrize("kind", ["v2", "system"])
def test_overrides(make: Any, kind: str) -> None:
    network = make(kind)
    network.hosts["east"]["skupper_site_services"] = {
        "payments": {
            "ports": ["5001:9443", "5002"],
            "workload": {"kind": None, "name": None, "selector": "app=mine", "host": "10.0.0.7"},
        }
    }
    network.hosts["west"]["skupper_site_services"] = {
        "payments": {"ports": [6001, 5002], "tls": {"server_secret": "west-server", "ca_secret": "west-ca"}}
    }
    rolled_out(network)
    keys = ["payments-5001", "payments-5002"]
    connectors = [listener(network, "east", name, "Connector") for name in keys]
    listeners = [listener(network, "west", name) for name in keys]
    assert [spec["routingKey"] for spec in connectors] == keys
    assert [spec["port"] for spec in connectors] == [9443, 5002]
    assert {spec.get("selector", spec.get("host")) for spec in connectors} == {
        "app=mine" if kind == "v2" else "10.0.0.7"
    }
    assert [spec["routingKey"] for spec in listeners] == keys
    assert [spec["port"] for spec in listeners] == [6001, 5002]
    assert {spec["tlsCredentials"] for spec in listeners} == {"west-server"}
    assert [listener(network, "edge", name)["port"] for name in keys] == [5001, 5002]
    assert network.secret("west", SERVER) == {}
    assert network.secret("west", "west-server") == network.secret("edge", SERVER)
    assert network.secret("west", "west-ca") == network.secret("edge", CA)
    for step in ("distribute", "expose", "verify"):
        assert network.run(step).good().count("changed") == 0

    network.hosts["west"]["skupper_site_services"]["payments"]["ports"] = [6002, 5002]
    rolled_out(network)
    assert listener(network, "west", "payments-5001")["port"] == 6002


def test_renamed_secrets_are_compared(system: SystemNetwork) -> None:
    names = {"server_secret": "west-server", "ca_secret": "west-ca"}
    system.hosts["west"]["skupper_site_services"] = {"payments": {"tls": names}}
    system.run().good()
    other = SystemNetwork(system.folder.parent / "other")
    other.run().good()
    for name, here in ((SERVER, "west-server"), (CA, "west-ca")):
        folder = system.site("west") / "input/certs" / here
        shutil.rmtree(folder)
        shutil.copytree(other.site("west") / "input/certs" / name, folder)
    for step in ("expose", "verify"):
        run = system.run(step).bad("TLS601 west", "TLS602 west", f"Secret/{SERVER}", f"Secret/{CA}")
        assert "TLS201" not in run.output
    shutil.rmtree(system.site("west") / "input/certs/west-ca")
    system.run("expose").bad("TLS201 west")
    rolled_out(system)


def test_overrides_of_a_group(system: SystemNetwork) -> None:
    system.children["branches"] = {
        "hosts": {"west": {}, "edge": {}},
        "vars": {"skupper_site_services": {"payments": {"ports": [7001, 7002]}}},
    }
    system.hosts["edge"]["skupper_site_services"] = {"payments": {"ports": "{{ 8001 }}, 8002"}}
    rolled_out(system)
    ports = [listener(system, site, "payments-5001")["port"] for site in ("west", "edge")]
    assert ports == [7001, 8001]


def test_two_services_on_one_port_of_a_host(system: SystemNetwork) -> None:
    system.variables["skupper_tls_services"].append({**ORDERS, "ports": [5001], "providers": ["east"]})
    refused(system, "TLS801 edge services (orders).ports; west", "is a port of payments as well")
    for site in ("west", "edge"):
        system.hosts[site]["skupper_site_services"] = {"orders": {"ports": [7001]}}
    rolled_out(system)
    assert listener(system, "west", "orders-5001")["port"] == 7001


def test_refused_overrides_are_told_together(system: SystemNetwork) -> None:
    """Every wrong one of every site, before anything is written; the table of them all is in the unit tests."""
    system.hosts["east"]["skupper_site_services"] = {"payment": {"ports": [1]}}
    system.hosts["west"]["skupper_site_services"] = {"payments": {"porst": [1], "providers": ["west"]}}
    system.hosts["edge"]["skupper_site_services"] = {"payments": {"ports": [6001]}}
    refused(
        system,
        "TLS801 east skupper_site_services: is not the address of a service of the network (payment)",
        "Use one of payments",
        "TLS801 west skupper_site_services (payments).porst: is not a field",
        "Use protocol, ports, workload, consumers, tls",
        "TLS801 west skupper_site_services (payments).providers: cannot differ from site to site",
        "TLS801 edge skupper_site_services (payments).ports: has 1 ports, and the service has 2 in the network",
        "nothing was written anywhere",
    )
    for step in ("distribute", "expose"):
        refused(system, "skupper_site_services (payments).porst", step=step)


def test_overrides_on_v1(make: Any) -> None:
    """One entry goes to every site: only workload and target ports are a site's own."""
    network = make("v1")
    network.hosts["west"]["skupper_site_services"] = {
        "payments": {"ports": [6001, 5002], "protocol": "tcp", "tls": {"server_secret": "mine"}}
    }
    where = "skupper_site_services (payments)"
    texts = [f"TLS801 west {where}.{field}: cannot differ" for field in ("ports", "protocol", "tls.server_secret")]
    refused(network, *texts, "6001, 5002, and 5001, 5002 in the network")
    network.run("issue").good()
    network.run("distribute").bad("cannot differ from site to site on Skupper v1")
    assert network.secret("west", "mine") == {}
    del network.hosts["west"]["skupper_site_services"]
    network.hosts["east"]["skupper_site_services"] = {
        "payments": {"ports": ["5001:9443", 5002], "workload": {"kind": None, "name": None, "selector": "app=mine"}}
    }
    rolled_out(network)
    (target,) = network.entry("east")["targets"]
    assert target["selector"] == "app=mine"
    assert target["targetPorts"] == {"5001": 9443, "5002": 5002}


# -- several networks


def two_networks(network: Any, **billing: Any) -> None:
    """Put the sites into the network shop, and hosts of the same namespaces into billing, with a service of its own."""
    service = {
        "address": "invoices",
        "ports": [6000],
        "workload": {"selector": "app=invoices"},
        "providers": ["b-west"],
        "tls": {"server_secret": "invoices-server", "ca_secret": "invoices-ca"},
    }
    variables: dict[str, Any] = {
        "skupper_tls_network": "billing",
        "skupper_tls_services": [service],
        "skupper_tls_authority": {"name": "billing-root"},
        **billing,
    }
    network.children = {
        "shop_sites": {"hosts": {name: {} for name in network.hosts}},
        "billing_sites": {"hosts": {f"b-{name}": dict(network.hosts[name]) for name in network.hosts}},
    }
    network.children["billing_sites"]["vars"] = variables


SHOP, BILLING = {"skupper_tls_hosts": "shop_sites"}, {"skupper_tls_hosts": "billing_sites"}


def billing_service(network: Any) -> Any:
    return network.children["billing_sites"]["vars"]["skupper_tls_services"][0]


@pytest.mark.parametrize("step", [ROLLOUT, "preflight", "issue", "distribute", "expose", "verify"])
def test_a_run_is_for_one_network(system: SystemNetwork, step: str) -> None:
    two_networks(system)
    if step in ("distribute", "expose", "verify"):
        for extra in (SHOP, BILLING):
            system.run(extra=extra).good()
    listed = "billing: b-east, b-edge, b-west; shop: east, edge, west"
    refused(system, "belong to several networks", listed, "-e skupper_tls_hosts=GROUP", step=step)


def test_a_task_that_names_the_network_is_for_that(system: SystemNetwork) -> None:
    two_networks(system)
    task = {"multisite.skupper_tls.authority": {"network": "shop"}, "run_once": True}
    system.play([task]).good()
    assert store_records(system, "authority")["default"]["network"] == "shop"


@pytest.mark.parametrize("kind", ["v2", "v1", "system"])
def test_two_networks_in_one_namespace(make: Any, kind: str) -> None:
    network = make(kind)
    two_networks(network)
    rolled_out(network, extra=SHOP)
    held = same_everywhere(network)
    rolled_out(network, extra=BILLING)
    assert same_everywhere(network) == held
    assert network.run(extra=SHOP).good().count("changed") == 0
    invoices = same_everywhere(network, "invoices-server", "invoices-ca")
    assert invoices["invoices-ca"]["ca.crt"] != held[CA]["ca.crt"]
    if kind == "v2":
        assert network.objects("east", "Listener")["invoices-6000"]["metadata"]["labels"][NETWORK] == "billing"
        assert network.objects("west", "Listener")["payments-5001"]["metadata"]["labels"][NETWORK] == "shop"
    network.run("verify", extra=SHOP).good()
    tasks: list[Any] = [{"multisite.skupper_tls.service": {"state": "absent"}}]
    network.play(tasks, play={"hosts": "billing_sites"}).good()
    assert network.run(extra=SHOP).good().count("changed") == 0


@pytest.mark.parametrize("kind", ["v2", "v1", "system"])
def test_names_of_another_network_are_refused(make: Any, kind: str, tmp_path: Path) -> None:
    """The store is billing's own, so that the sites are what refuses."""
    network = make(kind)
    two_networks(network, skupper_tls_store={"type": "directory", "path": tmp_path / "billing"})
    network.run(extra=SHOP).good()
    billing_service(network)["tls"] = {"server_secret": SERVER, "ca_secret": CA}
    refused(network, f"Secret/{SERVER}", f"Secret/{CA}", "it belongs to the network shop", "run that of shop first",
            extra=BILLING)  # fmt: skip
    billing_service(network)["tls"] = {"server_secret": "invoices-server", "ca_secret": "invoices-ca"}
    billing_service(network).update(address="payments", ports=[5001], providers=["b-east"])
    item = "ServiceEntry/payments" if kind == "v1" else "Connector/payments-5001"
    refused(network, "TLS402", item, "it belongs to the network shop", extra=BILLING)
    assert not (tmp_path / "billing").exists()


# -- what networks share


def test_networks_that_share_an_authority(system: SystemNetwork, tmp_path: Path) -> None:
    authority = {"name": "corp", "networks": ["shop", "billing"]}
    system.variables["skupper_tls_authority"] = {"name": "corp"}
    two_networks(system, skupper_tls_authority={"name": "corp"})
    system.run(extra=SHOP).good()
    refused(system, "TLS701", "the store's authority corp belongs to another network", "option networks", extra=BILLING)
    system.variables["skupper_tls_authority"] = authority
    rolled_out(system, extra=SHOP)
    rolled_out(system, extra=BILLING)
    assert store_records(system, "authority")["corp"]["networks"] == ["billing"]
    assert len(store_records(system, "authority")["corp"]["revisions"]) == 1
    invoices = same_everywhere(system, "invoices-server", "invoices-ca")
    assert invoices["invoices-ca"] == same_everywhere(system)[CA]
    openssl_verify(tmp_path / "openssl", invoices["invoices-server"], system.secret("west", CA)["ca.crt"], "invoices")

    system.children["billing_sites"]["vars"]["skupper_tls_authority"] = {"name": "corp", "networks": ["x"]}
    refused(system, "authority corp belongs to the network shop, which shares it", extra=BILLING)
    system.variables["skupper_tls_authority"] = {"name": "corp", "networks": []}
    refused(system, "still used by a network", "certificates invoices-server of billing", extra=SHOP)


@pytest.mark.parametrize("kind", ["v2", "v1", "system"])
def test_networks_that_share_the_pair_in_one_namespace(make: Any, kind: str) -> None:
    network = make(kind)
    shared = {"networks": ["billing"], "alternative_names": ["invoices", "invoices.shop", "invoices.shop.svc"]}
    spaces = [network.namespace] if kind != "system" else list(SITES)
    shared["alternative_names"] = [f"invoices.{space}{suffix}" for space in spaces for suffix in ("", ".svc")]
    network.service["tls"]["certificate"] = shared
    two_networks(network)
    billing_service(network)["tls"] = {"server_secret": SERVER, "ca_secret": CA}
    network.run(extra=SHOP).good()
    refused(network, f"certificate {SERVER} of the network shop does not have every name", "lacking: DNS:invoices",
            extra=BILLING)  # fmt: skip
    shared["alternative_names"].append("invoices")
    network.run(extra=SHOP).good()
    held, files = same_everywhere(network), state(network)[1]
    before = network.snapshot() if kind != "system" else {}
    rolled_out(network, extra=BILLING)
    assert same_everywhere(network) == held
    assert set(store_records(network, "certificate")) == {SERVER}
    unchanged = {key: value for key, value in state(network)[1].items() if "billing-root" not in key}
    assert unchanged == files, "a record of the other network was changed"
    if kind == "v2":
        after = network.snapshot()
        assert {key: after[key] for key in before} == before
    network.children["billing_sites"]["vars"]["skupper_tls_adopt"] = True
    assert network.run(extra=BILLING).good().count("changed") == 0, "taken from the other network"
    network.children["billing_sites"]["vars"]["skupper_tls_adopt"] = False

    # The owner renews: until it has distributed, the other network would write another certificate than it holds.
    shared["alternative_names"].append("invoices.example.net")
    network.run("issue", extra=SHOP).good()
    refused(network, f"Secret/{SERVER}", "it belongs to the network shop", extra=BILLING)
    network.run(extra=SHOP).good()
    assert network.run(extra=BILLING).good().count("changed") == 0
    assert same_everywhere(network)[SERVER] != held[SERVER]

    # Neither deletes what the other uses.
    secrets: list[Any] = [{"multisite.skupper_tls.secrets": {"state": "absent"}}]
    service: list[Any] = [{"multisite.skupper_tls.service": {"state": "absent"}}]
    if kind != "v1":  # on v1 consumers hold no entry of ours
        network.play(service, play={"hosts": "shop_sites"}).good()
        network.play(secrets, play={"hosts": "shop_sites"}).bad("is still used by")
    network.play(service, play={"hosts": "billing_sites"}).good()
    gone = network.play(secrets, play={"hosts": "billing_sites"}).good()
    assert gone.count("changed") == (1 if kind == "system" else 0), "only the profile of west, which is billing's"
    assert network.secret("west", SERVER)
    assert network.secret("west", CA)


def test_the_certificate_of_another_network_is_not_changed(system: SystemNetwork) -> None:
    system.service["tls"]["certificate"] = {"networks": ["billing"]}
    two_networks(system, skupper_tls_certificate={"networks": ["billing", "x"]})
    billing_service(system).update(address="payments", tls={"server_secret": SERVER, "ca_secret": CA})
    billing_service(system)["providers"] = []
    system.run("issue", extra=SHOP).good()
    refused(system, f"certificate {SERVER} belongs to the network shop", extra=BILLING)
    tasks: list[Any] = [{"multisite.skupper_tls.certificate": {"name": SERVER, "state": "absent"}, "run_once": True}]
    system.play(tasks, play={"hosts": "billing_sites"}).bad("belongs to the network shop")
    assert SERVER in store_records(system, "certificate")
