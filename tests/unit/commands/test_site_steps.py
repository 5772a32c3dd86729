# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands secrets, service and site_info, on real directories of a system site and on real API servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands import service as service_command
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.applying import apply_plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SiteConflict, SiteError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Change, Observed, Plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import Item, SiteKind
from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, tree
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import entry, parsed

Take = Callable[[str], "World"]
KINDS = ["v1", "v2", "linux"]


@dataclass
class World:
    """A site, a store, and the options for both."""

    kind: str
    options: dict[str, Any]
    folder: Path
    cluster: Any = None
    namespace: str = ""
    services: list[dict[str, Any]] = field(default_factory=lambda: [entry()])

    def run(self, module: str, host: str = "east", check: bool = False, **given: Any) -> dict[str, Any]:
        options = {"services": self.services, **self.options, **given}
        result: dict[str, Any] = command(module, options, check, host=host)
        return result

    def state(self) -> Any:
        """Everything that stands on the site."""
        if self.kind == "linux":
            return tree(self.folder)
        core = self.cluster.core
        found: dict[str, Any] = {}
        for one in core.list_namespaced_secret(self.namespace).items:
            found[one.metadata.name] = (one.metadata.resource_version, one.metadata.labels)
        for one in core.list_namespaced_config_map(self.namespace).items:
            found["c " + one.metadata.name] = one.metadata.resource_version
        for kind in ("Listener", "Connector"):
            for made in self.cluster.list_skupper(self.namespace, kind):
                found[f"{kind} {made['metadata']['name']}"] = made["metadata"]["resourceVersion"]
        return found


@pytest.fixture
def take(clusters: Any, tmp_path: Path) -> Take:
    def taking(kind: str) -> World:
        store = {"path": str(tmp_path / "store")}
        command("authority", {"store": store, "network": "shop"})
        for name in ("server-cert-secret", "second"):
            names = {"name": name, "alternative_names": ["payments", "stock"]}
            command("certificate", {"store": store, "network": "shop", **names})
        options: dict[str, Any] = {"store": store, "network": "shop"}
        if kind == "linux":
            folder = tmp_path / "home" / "namespaces" / "ns"
            (folder / "input" / "resources").mkdir(parents=True)
            (folder / "input" / "resources" / "Site-edge.yaml").write_text("kind: Site\n")
            options.update(platform="linux", namespace="ns", data_home=str(tmp_path / "home"))
            return World(kind, options, folder)
        (cluster,) = clusters(1)
        namespace = unique(kind)
        (cluster.make_v1_site if kind == "v1" else cluster.make_v2_site)(namespace)
        cluster.make_workload(namespace, "payments", {"app": "payments"})
        options.update(namespace=namespace, kubeconfig=str(cluster.kubeconfig))
        return World(kind, options, tmp_path, cluster, namespace)

    return taking


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["east", "west"])
def test_there_and_back(take: Take, kind: str, host: str) -> None:
    """Each step: check mode writes nothing and predicts; the run changes that; the next run rests."""
    world = take(kind)
    steps: list[tuple[str, dict[str, Any], bool]] = [
        ("secrets", {}, True),
        ("service", {"wait_timeout": 0}, not (kind == "v1" and host == "west")),
        ("service", {"state": "absent"}, not (kind == "v1" and host == "west")),
        ("secrets", {"state": "absent"}, True),
    ]
    for module, given, changed in steps:
        before = world.state()
        predicted = world.run(module, host, check=True, **given)
        assert world.state() == before
        done = world.run(module, host, **given)
        assert not done.get("failed"), done
        assert predicted["changed"] == done["changed"] == changed
        assert predicted.get("diff") == done.get("diff")
        assert (world.state() != before) == changed
        after = world.state()
        again = world.run(module, host, **given)
        assert not again["changed"]
        assert "diff" not in again
        assert world.state() == after
        assert "PRIVATE" not in json.dumps([predicted, done])


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_before_is_not_done(take: Take, kind: str) -> None:
    """Nothing is exposed without its secrets (invariant 2)."""
    world = take(kind)
    before = world.state()
    result = world.run("service")
    assert [error["field"] for error in result["errors"]] == ["Secret/server-cert-secret", "Secret/ca-cert-secret"]
    assert {error["site"] for error in result["errors"]} == {"east"}
    assert world.state() == before


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_in_use_are_not_removed(take: Take, kind: str) -> None:
    world = take(kind)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    before = world.state()
    result = world.run("secrets", state="absent")
    assert result["failed"]
    assert all("is still used by" in error["message"] for error in result["errors"])
    assert world.state() == before


@pytest.mark.parametrize("kind", KINDS)
def test_other_secrets_for_a_service(take: Take, kind: str) -> None:
    world = take(kind)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    world.services = [entry(tls={"server_secret": "second", "ca_secret": "second-ca"})]
    assert world.run("secrets")["changed"]
    assert world.run("service", wait_timeout=0)["changed"]
    assert not world.run("service", wait_timeout=0)["changed"]
    world.services = [entry()]
    assert not world.run("secrets", state="absent").get("failed")  # nothing uses them any more


@pytest.mark.parametrize("kind", ["v2", "linux"])
def test_a_port_that_is_dropped_and_a_side_that_changes(take: Take, kind: str) -> None:
    world = take(kind)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    world.services = [entry(ports=[5001])]
    after = world.run("service", wait_timeout=0)["diff"]
    assert list(after["before"]) == ["Connector/payments-5002"]
    world.services = [entry(ports=[5001], providers=["west"])]
    world.run("secrets")
    shown = world.run("service", wait_timeout=0)["diff"]
    assert list(shown["after"]) == ["Listener/payments-5001"]
    assert "Connector/payments-5001" in shown["before"]
    assert not world.run("service", wait_timeout=0)["changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_store_has_no_certificate(take: Take, kind: str) -> None:
    world = take(kind)
    world.services = [entry(tls={"server_secret": "none"})]
    before = world.state()
    result = world.run("secrets")
    assert result["errors"][0]["message"] == "the store has no certificate none"
    pending = {"changed": True, "name": "none", "certificate": {"subject": "CN=x", "sha256": "known after the run"}}
    predicted = world.run("secrets", check=True, issued=pending)
    assert predicted["changed"]
    assert predicted["diff"]["after"]["Secret/none"]["tls.crt"] == [
        {"subject": "CN=x", "sha256": "known after the run"}
    ]
    assert world.run("service", check=True, issued=pending)["changed"]
    assert world.run("service", issued=pending)["failed"]
    assert world.state() == before


@pytest.mark.parametrize("kind", KINDS)
def test_foreign_secrets(take: Take, kind: str) -> None:
    world = take(kind)
    if kind == "linux":
        (world.folder / "input" / "certs" / "ca-cert-secret").mkdir(parents=True)
    else:
        world.cluster.core.create_namespaced_secret(world.namespace, {"metadata": {"name": "ca-cert-secret"}})
    before = world.state()
    result = world.run("secrets")
    assert [error["field"] for error in result["errors"]] == ["Secret/ca-cert-secret"]
    assert world.state() == before  # the other secret is not written either
    findings = command("site_info", {"services": world.services, **world.options, "check": "preflight"}, host="east")
    assert [(one["check"], one["severity"]) for one in findings["findings"]] == [("TLS202", "error")]
    assert world.run("secrets", adopt=True)["changed"]
    assert not world.run("secrets")["changed"]


def info(world: World, step: str, host: str = "east", **more: Any) -> dict[str, Any]:
    before = world.state()
    result: dict[str, Any] = command(
        "site_info", {"services": world.services, **world.options, "check": step, **more}, host=host
    )
    assert world.state() == before
    assert not result["changed"]
    return result


def checks(result: dict[str, Any]) -> list[str]:
    return [found["check"] for found in result["findings"]]


@pytest.mark.parametrize("kind", KINDS)
def test_site_info(take: Take, kind: str) -> None:
    world = take(kind)
    assert checks(info(world, "preflight")) == []
    assert set(checks(info(world, "verify"))) == {"TLS201", "TLS401"}
    world.run("secrets")
    assert checks(info(world, "secrets")) == []
    world.run("service", wait_timeout=0)
    result = info(world, "verify")
    assert set(checks(result)) == (set() if kind == "linux" else {"TLS403"})
    assert {found["severity"] for found in result["findings"]} <= {"warning"}
    assert result["reachable"]
    assert result["version"] == ("v1" if kind == "v1" else "v2")
    assert result["services"]["payments"]["role"] == "provider"
    assert result["secrets"]["server-cert-secret"]["key"] == "matches"
    assert "PRIVATE" not in json.dumps(result)


def test_preflight_finds_everything_at_once(take: Take) -> None:
    world = take("v2")
    world.cluster.core.create_namespaced_secret(world.namespace, {"metadata": {"name": "server-cert-secret"}})
    other = {"server_secret": "second", "ca_secret": "third"}
    world.services = [
        entry(),
        entry(address="stock", workload={"name": "none"}, tls=other),
        entry(address="x", workload=None),
    ]
    got = [(found["check"], found["subject"]) for found in info(world, "preflight")["findings"]]
    assert got == [
        ("TLS202", "Secret/server-cert-secret"),
        ("TLS404", "services.workload"),
        ("TLS801", "services (x).workload"),
    ]


@pytest.mark.parametrize(
    ("options", "check"),
    [
        ({"namespace": ""}, "TLS801"),
        ({"namespace": "no-such-namespace"}, "TLS102"),
        ({"namespace": "default"}, "TLS102"),
        ({"kubeconfig": "/no/such"}, "TLS801"),
        ({"kubeconfig": {"apiVersion": "v1"}}, "TLS801"),
        ({"kubeconfig": None, "host": "https://127.0.0.1:1", "api_key": "x"}, "TLS101"),
    ],
)
def test_sites_that_cannot_be_read(take: Take, options: dict[str, Any], check: str) -> None:
    world = take("v2")
    result = command(
        "site_info", {"services": [entry()], **world.options, **options, "check": "preflight"}, host="east"
    )
    assert not result.get("failed")
    assert checks(result) == [check]
    assert {found["site"] for found in result["findings"]} == {"east"}
    assert result["reachable"] == (check != "TLS101")


def test_an_entry_that_came_before_its_secrets_is_healed_once(take: Take) -> None:
    world = take("v1")
    synced = {"address": "payments", "protocol": "http2", "ports": [5001, 5002], "targets": [], "origin": "x",
              "tlsCredentials": "server-cert-secret", "tlsCertAuthority": "ca-cert-secret"}  # fmt: skip
    text = json.dumps(synced)
    core = world.cluster.core
    core.patch_namespaced_config_map("skupper-services", world.namespace, {"data": {"payments": text}})
    world.run("secrets", "west")
    assert world.run("service", "west", wait_timeout=0)["changed"]
    healed = core.read_namespaced_config_map("skupper-services", world.namespace).data["payments"]
    assert healed != text
    assert json.loads(healed) == synced
    assert not world.run("service", "west", wait_timeout=0)["changed"]
    # A secret that is made anew needs it again.
    core.delete_namespaced_secret("ca-cert-secret", world.namespace)
    world.run("secrets", "west")
    assert world.run("service", "west", wait_timeout=0)["changed"]
    assert not world.run("service", "west", state="absent")["changed"]  # another site's, not ours to remove


def test_an_entry_of_the_users_own_is_not_touched(take: Take) -> None:
    world = take("v1")
    own = {"address": "payments", "protocol": "http2", "ports": [5001, 5002], "targets": [],
           "tlsCredentials": "server-cert-secret", "tlsCertAuthority": "ca-cert-secret"}  # fmt: skip
    core = world.cluster.core
    core.patch_namespaced_config_map("skupper-services", world.namespace, {"data": {"payments": json.dumps(own)}})
    world.run("secrets", "west")
    before = world.state()
    assert not world.run("service", "west", wait_timeout=0)["changed"]
    assert world.state() == before
    assert world.run("service", "west", wait_timeout=0, adopt=True)["changed"]


def issue(world: World) -> dict[str, Any]:
    """What the step issue of this run says."""
    names = {"name": "server-cert-secret", "alternative_names": ["payments", "stock"]}
    store = {name: world.options[name] for name in ("store", "network")}
    result: dict[str, Any] = command("certificate", {**store, **names})
    return {"results": [result]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_settled_site_is_read_once(take: Take, kind: str) -> None:
    """What preflight found stands for the steps of the same run, as long as the store is as it was then."""
    world = take(kind)
    fresh = info(world, "preflight")
    assert (fresh["settled"]["secrets"], fresh["settled"]["services"]) == (None, False)
    issued = issue(world)
    assert world.run("secrets", known=[fresh], issued=issued)["changed"]
    assert world.run("service", known=[fresh, {"changed": True}], issued=issued, wait_timeout=0)["changed"]
    settled = info(world, "preflight")
    assert settled["settled"]["secrets"] == {"server-cert-secret": [1, 1]}
    assert settled["settled"]["services"] is True
    secrets = world.run("secrets", known=[settled], issued=issued)
    told = {name: settled[name] for name in ("version", "network", "secrets")}
    assert secrets == {"changed": False, "settled": True, **told}
    service = world.run("service", known=[settled, secrets], issued=issued)
    assert (service["changed"], service["settled"]) == (False, True)
    verified = command(
        "site_info",
        {"services": world.services, **world.options, "check": "verify", "known": [settled, secrets, service]},
        host="east",
    )
    plain = info(world, "verify")
    assert verified["findings"] == plain["findings"]
    assert verified["secrets"] == plain["secrets"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_settled_for_other_services_does_not_count(take: Take, kind: str) -> None:
    world = take(kind)
    issued = issue(world)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    settled = info(world, "preflight")
    assert settled["settled"]["services"] is True
    secrets = world.run("secrets", known=[settled], issued=issued)
    assert secrets["settled"] is True
    world.services[0]["ports"] = [5001, 5002, 5003]
    assert world.run("service", known=[settled, secrets], issued=issued, wait_timeout=0)["changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_asked_for_otherwise_is_not_settled(take: Take, kind: str) -> None:
    world = take(kind)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    settled, issued = info(world, "preflight"), issue(world)
    assert "settled" in world.run("service", known=[settled], issued=issued)
    overrides = {"payments": {"ports": "5001:8443,5002"}}
    assert "settled" not in world.run("service", check=True, known=[settled], issued=issued, overrides=overrides)
    world.services = [entry(ports=[5001])]
    result = world.run("service", known=[settled], issued=issued, wait_timeout=0)
    assert "settled" not in result
    assert result["changed"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "issued",
    [
        None,
        {"results": []},
        {"results": [{"name": "server-cert-secret", "changed": True, "revision": 1, "authority_revision": 1}]},
        {"results": [{"name": "server-cert-secret", "changed": False, "revision": 2, "authority_revision": 1}]},
        {"results": [{"name": "server-cert-secret", "changed": False, "revision": 1, "authority_revision": 2}]},
        {"results": [{"name": "server-cert-secret", "failed": True, "revision": 1, "authority_revision": 1}]},
        {"results": [{"name": "another", "changed": False, "revision": 1, "authority_revision": 1}]},
    ],
)
def test_a_site_is_read_again_if_the_store_may_have_changed(take: Take, kind: str, issued: Any) -> None:
    world = take(kind)
    world.run("secrets")
    world.run("service", wait_timeout=0)
    settled = info(world, "preflight")
    result = world.run("secrets", known=[settled], issued=issued)
    assert "settled" not in result
    assert not result["changed"]
    assert "settled" not in world.run("service", known=[settled, result], issued=issued)


# -- the pure parts

V1_ENTRY = ("ServiceEntry", "payments")


def test_what_v1_remembers() -> None:
    item = Item(*V1_ENTRY, {"targets": {"new": {}}}, record={"targets": ["new"]})
    seen = {
        V1_ENTRY: Observed({}, owner=OURS, record={"targets": ["old", "new"]}),
        ("Secret", "server-cert-secret"): Observed({}, uid="u1"),
    }
    (got,) = service_command.remembering([item], seen, [parsed()])
    assert got.content["targets"] == {"new": {}, "old": None}
    assert got.record == {"targets": ["new"], "secrets": ["u1", ""]}


LABELS = {"multisite.skupper-tls/address": "payments"}
CONNECTOR = Observed({"spec": {"tlsCredentials": "ca-cert-secret"}}, LABELS, OURS)


@pytest.mark.parametrize(
    ("key", "observed", "gone"),
    [
        (("Listener", "payments-1"), Observed({}, LABELS, OURS), True),
        (("Connector", "payments-1"), Observed({}, LABELS, OURS), True),
        (("Listener", "payments-1"), Observed({}, LABELS, FOREIGN), False),
        (("Listener", "other"), Observed({}, {"multisite.skupper-tls/address": "other"}, OURS), False),
        (("Listener", "payments-1"), Observed({}, {}, OURS), False),
        (V1_ENTRY, Observed({}, {}, OURS), True),
        (V1_ENTRY, Observed({}, {}, FOREIGN, synced=True), False),
        (("ServiceEntry", "other"), Observed({}, {}, OURS), False),
        (("RouterProfile", "ca-cert-secret"), Observed({}, {}, OURS), True),
        (("RouterProfile", "ca-cert-secret"), Observed({}, {}, FOREIGN), False),
        (("RouterProfile", "other"), Observed({}, {}, OURS), False),
        (("Certificate", "ca-cert-secret-profile"), Observed({}, {}, OURS), True),
        (("Secret", "server-cert-secret"), Observed({}, {}, OURS), False),
    ],
)
def test_unwanted(key: tuple[str, str], observed: Observed, gone: bool) -> None:
    kind = SiteKind("kubernetes", "v2")
    assert service_command.unwanted([], {key: observed}, [parsed()], kind) == ([key] if gone else [])
    kept = [Item(*key, {})]
    assert service_command.unwanted(kept, {key: observed}, [parsed()], kind) == []


@pytest.mark.parametrize(
    ("other", "gone"),
    [
        ((("Connector", "stock-1"), Observed({"spec": {"tlsCredentials": "ca-cert-secret"}}, {}, FOREIGN)), False),
        ((("Connector", "stock-1"), Observed({"spec": {"tlsCredentials": "other"}}, {}, OURS)), True),
        ((("ServiceEntry", "stock"), Observed({"tlsCertAuthority": "ca-cert-secret"}, {}, FOREIGN)), False),
        ((("Connector", "payments-1"), CONNECTOR), True),
    ],
)
def test_what_several_services_use_goes_with_the_last(other: Any, gone: bool) -> None:
    shared = ("Certificate", "ca-cert-secret-profile")
    seen = {shared: Observed({}, {}, OURS), other[0]: other[1]}
    kind = SiteKind("linux", "v2")
    assert (shared in service_command.unwanted([], seen, [parsed()], kind)) is gone


class Crowded:
    """A site that somebody else writes to at the same time: the first so many changes meet a conflict."""

    def __init__(self, conflicts: int) -> None:
        self.address = type("Address", (), {"name": "east"})
        self.conflicts = conflicts
        self.written: list[Change] = []

    def tidy(self) -> None:
        pass

    def follow_up(self, changes: Any) -> list[Change]:
        return []

    def apply_all(self, changes: Any, done: Any) -> None:
        for change in changes:
            if self.conflicts:
                self.conflicts -= 1
                raise SiteConflict("changed")
            self.written.append(change)
            done(change)


@pytest.mark.parametrize(("conflicts", "fails"), [(0, False), (1, False), (4, False), (5, True)])
def test_a_conflict_means_to_plan_anew(conflicts: int, fails: bool) -> None:
    site: Any = Crowded(conflicts)
    changes = [Change("create", Item("Listener", name, {})) for name in "ab"]

    def planned() -> Any:
        done = {change.item.name for change in site.written}
        return Plan(tuple(change for change in changes if change.item.name not in done), ()), {}

    if fails:
        with pytest.raises(SiteConflict) as caught:
            apply_plan(site, planned, False)
        assert caught.value.site == "east"
    else:
        assert apply_plan(site, planned, False).changes == tuple(changes)
        assert site.written == changes


def test_a_refused_plan_writes_nothing() -> None:
    site: Any = Crowded(0)
    plan = Plan((Change("create", Item("Listener", "a", {})),), (SiteError("no"),))
    with pytest.raises(SiteError, match="site east: no"):
        apply_plan(site, lambda: (plan, {}), False)
    assert site.written == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_site_that_takes_no_part(take: Take, kind: str) -> None:
    """It is left alone and settled at once, but on v1, which sends the service to it."""
    world = take(kind)
    world.services = [entry(providers=["west"], sites=["edge1"])]
    if kind == "v1":
        assert world.run("secrets")["changed"]
        assert world.run("service", wait_timeout=0)["services"]["payments"]["role"] == "synced"
        assert info(world, "verify")["findings"] == []
        return
    before, issued = world.state(), issue(world)
    settled = info(world, "preflight")
    assert (settled["findings"], settled["secrets"], settled["services"]) == ([], {}, {})
    assert settled["settled"]["secrets"] == {}
    secrets = world.run("secrets", known=[settled], issued=issued)
    assert (secrets["changed"], secrets["settled"], secrets["secrets"]) == (False, True, {})
    service = world.run("service", known=[settled, secrets], issued=issued)
    assert (service["changed"], service["settled"], service["services"]) == (False, True, {})
    for module in ("secrets", "service"):
        assert not world.run(module)["changed"]
    assert info(world, "verify")["findings"] == []
    assert world.state() == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_a_site_that_takes_no_part_any_more(take: Take, kind: str) -> None:
    world = take(kind)
    world.services = [entry(providers=["west"])]
    world.run("secrets")
    world.run("service", wait_timeout=0)
    world.services = [entry(providers=["west"], sites=["edge1"])]
    settled = info(world, "preflight")["settled"]
    assert settled["services"] is (kind == "v1"), "the listeners are still to be removed"
    result = world.run("service", wait_timeout=0, known=[])
    assert result["changed"] is (kind != "v1")
    assert world.run("secrets", state="absent")["changed"], "absent is for every service that is named"


@pytest.mark.parametrize("kind", KINDS)
def test_in_check_mode_secrets_to_come_count_as_there(take: Take, kind: str) -> None:
    """A site that joins later: its certificate has been issued before, and distribute would write the secrets."""
    world = take(kind)
    fresh = info(world, "preflight")
    written = world.run("secrets", check=True, known=[fresh])
    assert written["changed"]
    assert world.run("service", check=True, known=[fresh, written], wait_timeout=0)["changed"]
    assert world.run("service", check=True, known=[fresh], wait_timeout=0)["failed"]
    assert world.run("service", known=[fresh, written], wait_timeout=0)["failed"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("check", ["preflight", "verify"])
def test_overrides_are_judged(take: Take, kind: str, check: str) -> None:
    world = take(kind)
    findings = info(world, check, overrides={"payments": {"nonsense": 1}})["findings"]
    assert [(found["check"], found["site"], found["subject"]) for found in findings] == [
        ("TLS801", "east", "skupper_site_services (payments).nonsense")
    ]
    for module in ("secrets", "service"):
        result = world.run(module, overrides={"payments": {"nonsense": 1}})
        assert "site east, skupper_site_services (payments).nonsense" in result["msg"]
