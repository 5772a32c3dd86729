# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: services, whole networks and orphans, unexposed everywhere before any secret goes."""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from kubernetes import watch
from urllib3.exceptions import HTTPError

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    LABELS,
    PAYMENTS,
    SERVER,
    SITES,
    KubeNetwork,
    SystemNetwork,
    store_records,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Run
from tests.cluster.clusters import Cluster
from tests.cluster.controller import Controller

Take = Callable[[int], list[Cluster]]
Make = Callable[..., Any]
REMOVE = "multisite.skupper_tls.remove"
KINDS = ["system", "v2", "v1"]
UNEXPOSE, SECRETS = "Take away what exposes the services", "Take away the secrets"
ENTRIES, ROUTER = "skupper-services", "skupper-internal"
STOCK: dict[str, Any] = {**copy.deepcopy(PAYMENTS), "address": "stock", "ports": [6001]}


@pytest.fixture
def make(clusters: Take, tmp_path: Path) -> Make:
    """A network with two services that share the pair of secrets; with ``own`` the second has its own."""

    def making(kind: str, own: bool = False) -> Any:
        folder = tmp_path / "run"
        network: Any = SystemNetwork(folder) if kind == "system" else KubeNetwork(folder, clusters(3), version=kind)
        stock = copy.deepcopy(STOCK)
        if own:
            stock["tls"] = {"server_secret": "stock-server", "ca_secret": "stock-ca"}
        network.variables["skupper_tls_services"].append(stock)
        network.variables["skupper_tls_remove_timeout"] = 3
        return network

    return making


def remove(network: Any, what: Any, *arguments: str, **extra: Any) -> Run:
    run: Run = network.run(REMOVE, *arguments, extra={"skupper_tls_remove": what, **extra})
    return run


def state(network: Any) -> Any:
    """All that a run may write."""
    if isinstance(network, SystemNetwork):
        return tree(network.data_home, network.store)
    return network.snapshot(), tree(network.store)


def ours(network: Any, site: str) -> list[str]:
    """What stands on a site and is ours."""
    if isinstance(network, SystemNetwork):
        manifest = network.site(site) / "skupper-tls-manifest.json"
        return sorted(json.loads(manifest.read_text())["items"]) if manifest.exists() else []
    found = [
        f"Secret/{item.metadata.name}"
        for item in network.secrets(site)
        if LABELS.items() <= (item.metadata.labels or {}).items()
    ]
    for kind in ("Listener", "Connector", "Certificate"):
        objects = network.objects(site, kind).items()
        found += [f"{kind}/{name}" for name, item in objects if "labels" in item["metadata"]]
    for name in (ENTRIES, ROUTER) if network.version == "v1" else ():
        found += network.config_map(site, name).metadata.annotations or {}
    return sorted(found)


def at_rest(network: Any) -> Any:
    """The state, when those who play Skupper have written all that they had to."""
    before = None
    while (now := state(network)) != before:
        before = now
        time.sleep(1)
    return now


def predicted_and_done(network: Any, what: Any, played: bool = False, **extra: Any) -> Run:
    """Remove, after check mode has written nothing and said the same; and once more, which changes nothing."""
    read = at_rest if played else state
    before = read(network)
    predicted = remove(network, what, "--check", "--diff", **extra).good()
    assert read(network) == before, "check mode wrote something"
    done = remove(network, what, "--diff", **extra).good()
    assert done.changes() == predicted.changes()
    assert done.diffs() == predicted.diffs()
    after = read(network)
    again = remove(network, what, "--diff", **extra).good()
    assert again.count("changed") == 0
    assert read(network) == after
    assert "PRIVATE" not in predicted.output + done.output
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_one_of_two_services_that_share_their_secrets(make: Make, kind: str) -> None:
    network = make(kind)
    network.run().good()
    exposed = {site: network.exposed(site) for site in SITES}
    secrets = {site: (network.secret(site, SERVER), network.secret(site, CA)) for site in SITES}
    done = predicted_and_done(network, "payments")
    assert {site: network.exposed(site) for site in SITES} == {
        site: [name for name in names if "payments" not in name] for site, names in exposed.items()
    }
    assert {site: (network.secret(site, SERVER), network.secret(site, CA)) for site in SITES} == secrets
    assert not any(task.endswith(SECRETS) for task, _site in done.changes())
    # Then the other one, and with it the secrets; the store keeps what it has.
    done = predicted_and_done(network, ["payments", "stock"])
    assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}
    assert "the store keeps certificate server-cert-secret, authority default" in done.output
    assert store_records(network, "certificate")
    network.run().good()
    assert {site: network.exposed(site) for site in SITES} == exposed
    assert {site: (network.secret(site, SERVER), network.secret(site, CA)) for site in SITES} == secrets


# -- a whole network


def foreign(network: Any) -> Callable[[], Any]:
    """Put things of others beside ours on the site west; return what reads them."""
    if isinstance(network, SystemNetwork):
        folder = network.site("west") / "input"
        (folder / "certs" / "theirs").mkdir(parents=True, exist_ok=True)
        (folder / "certs" / "theirs" / "ca.crt").write_text("theirs")
        (folder / "resources" / "Listener-theirs.yaml").write_text("kind: Listener\nspec: {tlsCredentials: theirs}\n")
        return lambda: tree(folder / "certs" / "theirs", folder / "resources" / "Listener-theirs.yaml")
    west = network.clusters["west"]
    west.core.create_namespaced_secret(network.namespace, {"metadata": {"name": "theirs"}})
    other = {**LABELS, "multisite.skupper-tls/network": "another"}
    west.core.create_namespaced_secret(network.namespace, {"metadata": {"name": "other-network", "labels": other}})
    names = ["Secret/theirs", "Secret/other-network"]
    if network.version == "v2":
        spec = {"host": "theirs", "port": 7001, "routingKey": "theirs", "tlsCredentials": "theirs"}
        west.create_skupper(network.namespace, "Listener", "theirs", spec)
        names.append("Listener/theirs")
        return lambda: {name: network.snapshot()[f"west/{network.namespace}/{name}"] for name in names}
    network.patch_config_map("west", ENTRIES, {"theirs": json.dumps({"address": "theirs", "targets": []})})
    return lambda: (network.entry("west", "theirs"), network.profile("west", "skupper-service-client"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_network_with_its_store(make: Make, kind: str) -> None:
    network = make(kind, own=True)
    network.run().good()
    theirs = foreign(network)
    before = theirs()
    with watching(network) as deleted:
        done = predicted_and_done(network, "all", skupper_tls_remove_store=True)
    assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}
    assert theirs() == before
    assert [store_records(network, each) for each in ("certificate", "authority")] == [{}, {}]
    gone = "certificate server-cert-secret, certificate stock-server, authority default"
    assert f"from the store go {gone}" in done.output
    if kind == "system":
        assert not any((network.site(site) / "skupper-tls-manifest.json").exists() for site in SITES)
        return
    exposing = [when for when, what in deleted if what != "Secret"]
    secrets = [when for when, what in deleted if what == "Secret"]
    assert len(exposing) == (2 if kind == "v1" else 9)
    assert len(secrets) == 12
    assert max(exposing) < min(secrets), "a secret went before the last site was unexposed"


@contextmanager
def watching(network: Any) -> Iterator[list[tuple[float, str]]]:
    """Note when secrets, and when what exposes services, are deleted on any site."""
    deleted: list[tuple[float, str]] = []
    if isinstance(network, SystemNetwork):
        yield deleted
        return
    watches: list[watch.Watch] = []
    threads = []
    started = threading.Barrier(len(network.clusters) * (2 if network.version == "v1" else 3) + 1)

    def follow(what: str, listing: Callable[..., Any], *arguments: str) -> None:
        watcher = watch.Watch()
        watches.append(watcher)
        first = listing(*arguments)
        known = first["metadata"]["resourceVersion"] if isinstance(first, dict) else first.metadata.resource_version
        maps = first.items if what == "Entry" else []
        had = dict(next((item.data or {} for item in maps if item.metadata.name == ENTRIES), {}))
        started.wait()
        with suppress(HTTPError):  # a server that ends while it is watched
            note(watcher.stream(listing, *arguments, resource_version=known, timeout_seconds=110), what, had)

    def note(stream: Any, what: str, had: dict[str, Any]) -> None:
        for event in stream:
            if what == "Entry":
                if event["object"].metadata.name == ENTRIES:
                    now = event["object"].data or {}
                    deleted.extend((time.monotonic(), what) for name in had if name not in now)
                    had = dict(now)
            elif event["type"] == "DELETED":
                deleted.append((time.monotonic(), what))

    for cluster in network.clusters.values():
        calls: list[tuple[Any, ...]] = [("Secret", cluster.core.list_namespaced_secret, network.namespace)]
        if network.version == "v1":
            calls.append(("Entry", cluster.core.list_namespaced_config_map, network.namespace))
        else:
            skupper = ("skupper.io", "v2alpha1", network.namespace)
            listing = cluster.custom.list_namespaced_custom_object
            calls += [(kind, listing, *skupper, f"{kind.lower()}s") for kind in ("Listener", "Connector")]
        threads += [threading.Thread(target=follow, args=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    started.wait(30)
    yield deleted
    time.sleep(1)  # the last events may still be on their way
    for watcher in watches:
        watcher.stop()


# -- what is refused


def test_what_to_remove_must_be_said(make: Make) -> None:
    network = make("system")
    network.run().good()
    network.variables["skupper_tls_services"].pop()
    before = state(network)
    network.run(REMOVE).bad(
        "TLS801",
        "it is not said what to remove",
        "orphans: Connector/stock-6001, Listener/stock-6001",
        "one or more of payments; or all, or orphans",
        "nothing was removed anywhere",
    )
    remove(network, "stock").bad("is not the address of a service of the inventory", "one or more of payments")
    remove(network, "all,payments").bad("all cannot be combined with an address")
    remove(network, "payments", skupper_tls_store=None, skupper_tls_remove_store=True).bad("the store is not given")
    assert state(network) == before


def test_without_the_step_before_nothing_goes(make: Make) -> None:
    network = make("system")
    network.run().good()
    before = state(network)
    for module in ("service", "secrets"):
        tasks = [{f"multisite.skupper_tls.{module}": {"state": "absent", "removal": "not_there"}}]
        network.play(tasks).bad("the step before has not said what is to be removed")
    assert state(network) == before


def test_a_site_that_is_not_reached(make: Make) -> None:
    network = make("v2")
    west = network.clusters["west"]
    if not west.owned:
        pytest.skip("a server of ours is needed, to kill it")
    network.run().good()
    west.kill()
    try:
        before = {site: ours(network, site) for site in ("east", "edge")}
        remove(network, "all").bad("TLS101 west", "cannot be reached", "nothing was removed anywhere")
        assert {site: ours(network, site) for site in ("east", "edge")} == before
        skip = {"skupper_tls_remove_skip_unreachable": True, "skupper_tls_remove_store": True}
        done = remove(network, "all", **skip).good()
        assert "What stands there is left" in done.output
        assert "for west may still hold them" in done.output
        assert {site: ours(network, site) for site in ("east", "edge")} == {"east": [], "edge": []}
    finally:
        west.start()
    assert ours(network, "west")
    assert store_records(network, "certificate")
    remove(network, "all", skupper_tls_remove_store=True).good()
    assert ours(network, "west") == []
    assert store_records(network, "authority") == {}


def test_a_site_that_cannot_be_unexposed_keeps_every_secret_everywhere(make: Make) -> None:
    """A finalizer: the API server says that it deleted the listener, and it is there all the same."""
    network = make("v2")
    network.run().good()
    place = ("skupper.io", "v2alpha1", network.namespace, "listeners", "payments-5001")
    custom = network.clusters["west"].custom
    custom.patch_namespaced_custom_object(*place, {"metadata": {"finalizers": ["example.net/kept"]}})
    run = remove(network, "all").bad("TLS207 west Listener/payments-5001", "no secret was removed anywhere")
    assert not run.of(SECRETS)
    assert all(network.secret(site, name) for site in SITES for name in (SERVER, CA))
    assert [network.exposed(site) for site in SITES] == [[], ["Listener/payments-5001"], []]
    custom.patch_namespaced_custom_object(*place, {"metadata": {"finalizers": None}})
    remove(network, "all").good()
    assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}


def test_a_user_who_may_not_delete(make: Make) -> None:
    network = make("v2")
    network.run().good()
    rules = [
        {"apiGroups": ["skupper.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "patch", "create"]},
    ]
    before = state(network)
    network.use("west", network.clusters["west"].make_user(network.namespace, "keeper", rules))
    remove(network, "payments").bad("TLS103 west: not permitted: delete secrets", "nothing was removed anywhere")
    after = state(network)
    assert after[1] == before[1]
    assert {key: value for key, value in after[0].items() if "token" not in key} == before[0]


# -- still in use


@pytest.mark.parametrize("kind", ["system", "v2", "v1"])
def test_secrets_that_something_else_uses_stay(make: Make, kind: str) -> None:
    network = make(kind)
    network.run().good()
    if kind == "system":
        file = network.site("west") / "input" / "resources" / "mine.yml"
        file.write_text(f'kind: Listener\nspec:\n  tlsCredentials: "{SERVER}"\n')
        user = "File mine.yml"
    elif kind == "v2":
        spec = {"host": "mine", "port": 7001, "routingKey": "mine", "tlsCredentials": SERVER}
        network.clusters["west"].create_skupper(network.namespace, "Listener", "mine", spec)
        user = "Listener mine"
    else:
        entry = {"address": "mine", "targets": [], "tlsCredentials": SERVER}
        network.patch_config_map("west", ENTRIES, {"mine": json.dumps(entry)})
        user = "ServiceEntry mine"
    done = predicted_and_done(network, "all", skupper_tls_remove_store=True)
    assert f"TLS207 west Secret/{SERVER}: it stays, for it is still used by {user}" in done.output
    assert network.secret("west", SERVER)
    assert not network.secret("west", CA)
    assert not network.secret("edge", SERVER)
    assert list(store_records(network, "certificate")) == [SERVER], "what a site still serves stays in the store"


# -- orphans


@pytest.mark.parametrize("kind", KINDS)
def test_orphans_are_found_and_removed(make: Make, kind: str) -> None:
    network = make(kind, own=True)
    network.run().good()
    assert "no service of the inventory" not in network.run("verify").good().output
    kept = {site: [name for name in network.exposed(site) if "payments" in name] for site in SITES}
    network.variables["skupper_tls_services"].pop()
    told = network.run("verify").good().output
    for text in ("TLS205", "Secret/stock-server", "TLS405", "TLS702", "certificate stock-server", "remove=orphans"):
        assert text in told
    assert not any("payments" in line for line in told.splitlines() if "no service of the inventory" in line)
    rollout = network.run().good()
    assert rollout.count("changed") == 0
    assert "TLS405" in rollout.output, "a settled site tells its orphans too"
    predicted_and_done(network, "orphans", skupper_tls_remove_store=True)
    assert not any("stock" in name for site in SITES for name in ours(network, site))
    assert {site: [name for name in network.exposed(site) if "payments" in name] for site in SITES} == kept
    assert list(store_records(network, "certificate")) == [SERVER]
    assert list(store_records(network, "authority")) == ["default"]
    assert "no service of the inventory" not in network.run("verify").good().output
    assert network.run().good().count("changed") == 0


# -- Skupper's own part, played by the test


def sync_entries(network: KubeNetwork, sites: tuple[str, ...] = ("west", "edge")) -> None:
    """What service-sync does on consuming sites: copy the entries of east, and take away those that are gone."""
    source = network.config_map("east", ENTRIES).data or {}
    for site in sites:
        copies = {
            name: json.dumps({**json.loads(text), "targets": [], "origin": "east-id"}) for name, text in source.items()
        }
        present = {name: json.loads(text) for name, text in (network.config_map(site, ENTRIES).data or {}).items()}
        gone = {name: None for name, entry in present.items() if entry.get("origin") and name not in source}
        new = {name: text for name, text in copies.items() if name not in present}
        if gone or new:
            network.patch_config_map(site, ENTRIES, {**gone, **new})


@contextmanager
def service_sync(network: KubeNetwork) -> Iterator[None]:
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(0.3):
            sync_entries(network)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)


def test_v1_secrets_wait_for_the_entries_of_other_sites(make: Make) -> None:
    network = make("v1")
    network.run().good()
    sync_entries(network)
    network.run().good()  # heals the entries of west and edge, and notes that in annotations there
    assert any("entry.multisite" in name for name in ours(network, "west"))
    secrets = {site: network.secret(site, SERVER) for site in SITES}
    run = remove(network, "all").bad("TLS207", "west", "ServiceEntry/payments", "skupper-service-controller")
    assert not run.of(SECRETS)
    assert {site: network.secret(site, SERVER) for site in SITES} == secrets
    assert network.profile("east"), "a profile must not go before the bridges that use it"
    with watching(network) as deleted, service_sync(network):
        remove(network, "all").good()
    assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}
    entries = [when for when, what in deleted if what == "Entry"]
    assert len(entries) == 4, "both entries of west and of edge"
    assert max(entries) < min(when for when, what in deleted if what == "Secret")


def test_v1_bridges_that_use_the_profile(make: Make) -> None:
    """The entry is gone and the router has not let go yet: its profile and secrets must wait."""
    network = make("v1")
    network.run().good()
    bridge = ["tcpConnector", {"name": "payments@x", "address": "payments:5001", "sslProfile": CA}]
    config = json.loads(network.config_map("east", ROUTER).data["skrouterd.json"])
    network.patch_config_map("east", ROUTER, {"skrouterd.json": json.dumps([*config, bridge])})
    remove(network, "all").bad("TLS207 east Bridge/payments@x", "no secret was removed anywhere")
    assert network.profile("east")
    config = [each for each in json.loads(network.config_map("east", ROUTER).data["skrouterd.json"]) if each != bridge]
    network.patch_config_map("east", ROUTER, {"skrouterd.json": json.dumps(config)})
    remove(network, "all").good()
    assert network.profile("east") is None


def test_v1_a_secret_that_skupper_deletes_is_told(make: Make) -> None:
    network = make("v1")
    network.run().good()
    core = network.clusters["east"].core
    secrets = {
        "skupper-service-ca": {"tls.crt": "the site's CA"},
        "skupper-tls-stock": {"ca.crt": "the site's CA"},
        "skupper-tls-payments": {"ca.crt": "mine"},
    }
    for name, data in secrets.items():
        core.create_namespaced_secret(network.namespace, {"metadata": {"name": name}, "stringData": data})
    done = remove(network, "all", "--check").good()
    assert "TLS206 east Secret/skupper-tls-payments: Skupper v1 deletes this secret" in done.output
    assert "skupper-tls-stock" not in done.output


def issue_by_skupper(network: KubeNetwork, name: str, controlled: bool) -> None:
    """A Certificate of ours, and the secret that Skupper's controller makes of it, or one of a user in its place."""
    west = network.clusters["west"]
    labels = {**LABELS, "multisite.skupper-tls/address": "payments"}
    west.create_skupper(network.namespace, "Certificate", name, {"ca": "skupper-service-ca", "subject": "payments"})
    place = ("skupper.io", "v2alpha1", network.namespace, "certificates", name)
    west.custom.patch_namespaced_custom_object(*place, {"metadata": {"labels": labels}})
    annotations = {"internal.skupper.io/controlled": "true"} if controlled else {}
    west.core.create_namespaced_secret(network.namespace, {"metadata": {"name": name, "annotations": annotations}})


def test_v2_a_certificate_that_would_take_a_users_secret_with_it(make: Make) -> None:
    network = make("v2")
    network.run().good()
    issue_by_skupper(network, "skupper-tls-payments", controlled=False)
    before = state(network)
    remove(network, "payments").bad("TLS206 west Certificate/skupper-tls-payments", "nothing was removed anywhere")
    assert state(network) == before
    core = network.clusters["west"].core
    core.delete_namespaced_secret("skupper-tls-payments", network.namespace)
    remove(network, "payments").good()
    assert network.objects("west", "Certificate") == {}


def test_v2_certificates_go_after_the_listeners_of_all_sites(make: Make) -> None:
    network = make("v2")
    network.run().good()
    issue_by_skupper(network, "skupper-tls-payments", controlled=True)
    done = predicted_and_done(network, "payments")
    assert network.objects("west", "Certificate") == {}
    assert "Certificate/skupper-tls-payments" in done.of(SECRETS)["west"].result["removed"]
    assert "Secret/skupper-tls-payments" not in done.of(SECRETS)["west"].result["removed"], "that is Skupper's to do"


@pytest.mark.parametrize("kind", KINDS)
def test_generated_mode(make: Make, kind: str) -> None:
    """Certificates and their secrets go with their service, what all share with the last one; Skupper is played."""
    network = make(kind)
    for service in network.variables["skupper_tls_services"]:
        service["tls"] = {"mode": "generated"}
    leaf, shared = "skupper-tls-payments", ("skupper-service-ca", "skupper-service-client")
    with ExitStack() as stack:
        others = [] if kind == "system" else [cluster for name, cluster in network.clusters.items() if name != "east"]
        for name, cluster in [] if kind == "system" else network.clusters.items():
            peers = others if kind == "v1" and name == "east" else []
            stack.enter_context(Controller(cluster, network.namespace, kind, peers))
        network.run().good()
        network.variables["skupper_tls_remove_timeout"] = 30
        predicted_and_done(network, "payments", played=True)
        assert not any("payments" in name for site in SITES for name in [*network.exposed(site), *ours(network, site)])
        if kind == "v2":
            eventually(lambda: not any(network.secret(site, leaf) for site in SITES))
            assert all(network.secret(site, name) for site in SITES for name in shared)
            assert {f"Certificate/{name}" for name in shared} <= set(ours(network, "west"))
        assert "no service of the inventory" not in network.run("verify").output
        predicted_and_done(network, "all", played=True)
        assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}
        if kind == "v2":
            eventually(lambda: not any(network.secret(site, name) for site in SITES for name in (leaf, *shared)))


def eventually(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0.2)


# -- what others have left, and what a run that died leaves


@pytest.mark.parametrize("kind", ["system", "v1"])
def test_notes_of_what_others_have_removed(make: Make, kind: str) -> None:
    network = make(kind)
    network.run().good()
    if kind == "system":
        (network.site("west") / "input" / "resources" / "Listener-payments-5001.yaml").unlink()
        site = "west"
    else:
        network.patch_config_map("east", ENTRIES, {"payments": None})
        site = "east"
    assert any("payments" in name for name in ours(network, site))
    predicted_and_done(network, "payments")
    assert not any("payments" in name for name in ours(network, site))


@pytest.mark.parametrize("kind", ["system", "v2"])
def test_killed_at_any_moment(make: Make, kind: str) -> None:
    network = make(kind, own=True)
    hit = 0
    what = {"skupper_tls_remove": "all", "skupper_tls_remove_store": True}
    for point, task in enumerate((UNEXPOSE, "Wait until nothing", "Stop unless every site is unexposed", SECRETS)):
        network.run().good()
        network.ansible.write_inventory(network.inventory)
        run = network.ansible.start(REMOVE, extra=what)
        deadline = time.monotonic() + 60
        before = ("Tell what goes", UNEXPOSE, "Wait until nothing", "Stop unless every site is unexposed")[point]
        while run.process.poll() is None and before not in run._events.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        hit += run.process.poll() is None
        run.kill()
        for site in SITES:
            assert secrets_of_all_uses(network, site), f"killed before {task}"
        network.run(REMOVE, extra=what).good()
        assert {site: ours(network, site) for site in SITES} == {site: [] for site in SITES}
        assert [store_records(network, each) for each in ("certificate", "authority")] == [{}, {}]
    assert hit >= 3, f"only {hit} runs were killed before their end"


def secrets_of_all_uses(network: Any, site: str) -> bool:
    """Whether every secret that something on the site uses is there, whole."""
    if isinstance(network, SystemNetwork):
        texts = [file.read_text() for file in (network.site(site) / "input" / "resources").iterdir()]
        used = {line.split(": ")[1] for text in texts for line in text.splitlines() if "tlsCredentials: " in line}
    else:
        objects = [item for kind in ("Listener", "Connector") for item in network.objects(site, kind).values()]
        used = {item["spec"]["tlsCredentials"] for item in objects}
    return all(network.secret(site, name) for name in used)


def test_one_site_of_a_network(make: Make) -> None:
    """With --limit: the site is emptied, the others and the store are left."""
    network = make("system")
    network.run().good()
    rest = tree(network.site("east"), network.site("edge"), network.store)
    done = network.run(REMOVE, "--limit", "west", extra={"skupper_tls_remove": "all", "skupper_tls_remove_store": True})
    assert "this run is limited to some of the sites" in done.good().output
    assert ours(network, "west") == []
    assert tree(network.site("east"), network.site("edge"), network.store) == rest
