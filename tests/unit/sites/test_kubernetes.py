# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes sites, v1 and v2, against a real API server."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from ansible_collections.multisite.skupper_tls.plugins.module_utils import kube
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    ForeignObject,
    NotPermitted,
    SiteConflict,
    SiteError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Change, Plan, plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.base import SiteAddress
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.kubernetes import KubernetesSite, is_ready
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import (
    Item,
    Material,
    SiteKind,
    secret_items,
    service_items,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import Workload
from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import parsed

Open = Callable[..., KubernetesSite]
V1, V2 = SiteKind("kubernetes", "v1"), SiteKind("kubernetes", "v2")
SECRET, CA = "server-cert-secret", "ca-cert-secret"


@pytest.fixture
def cluster(clusters: Any) -> Any:
    return clusters(1)[0]


@pytest.fixture
def v2(cluster: Any) -> str:
    namespace = unique("v2")
    cluster.make_v2_site(namespace)
    return namespace


@pytest.fixture
def v1(cluster: Any) -> str:
    namespace = unique("v1")
    cluster.make_v1_site(namespace)
    return namespace


@pytest.fixture
def opened(cluster: Any) -> Iterator[Open]:
    def opening(namespace: str, kubeconfig: Any = None, **address: Any) -> KubernetesSite:
        where = SiteAddress(
            **{"name": "east", "platform": "kubernetes", "namespace": namespace, "network": "shop", **address}
        )
        return KubernetesSite(where, kube.Api(kube.Connection(kubeconfig=str(kubeconfig or cluster.kubeconfig))))

    with kube.session():
        yield opening


def planned(site: KubernetesSite, items: Iterable[Item], adopt: bool = False, gone: Iterable[Any] = ()) -> Plan:
    items, gone = list(items), list(gone)
    names = {name for kind, name in [*(item.key for item in items), *gone] if kind == "Secret"}
    return plan(items, site.observe(names, site.kind().kinds), adopt, gone)


def converge(site: KubernetesSite, items: Iterable[Item], adopt: bool = False, gone: Iterable[Any] = ()) -> list[str]:
    items = list(items)
    result = planned(site, items, adopt, gone)
    assert result.problems == ()
    for change in result.changes:
        site.apply(change)
    assert planned(site, items, adopt, gone).changes == ()
    return [change.action for change in result.changes]


def secrets(mark: str = "1", kind: SiteKind = V2) -> list[Item]:
    material = Material(*(f"{part} {mark}\n".encode() for part in ("crt", "key", "ca")))
    return secret_items(parsed().tls, material, kind, True)


def data_of(cluster: Any, namespace: str, name: str = SECRET) -> dict[str, str]:
    found = cluster.core.read_namespaced_secret(name, namespace).data
    return {key: b64decode(value).decode() for key, value in found.items()}


# -- what it is


def test_detected(opened: Open, v1: str, v2: str) -> None:
    assert opened(v1).kind() == replace(V1, namespace=v1)
    assert opened(v2).kind() == replace(V2, namespace=v2)


def test_no_namespace(opened: Open) -> None:
    name = unique("none")
    with pytest.raises(SiteError) as caught:
        opened(name).kind()
    assert caught.value.message == f"the namespace {name} does not exist"
    assert (caught.value.site, caught.value.field) == ("east", "skupper_site_namespace")


def test_no_skupper(opened: Open, cluster: Any) -> None:
    name = cluster.create_namespace(unique("bare"))
    with pytest.raises(SiteError) as caught:
        opened(name).kind()
    assert caught.value.message == f"there is no Skupper site in namespace {name}"


def test_both_versions(opened: Open, cluster: Any, v1: str) -> None:
    cluster.create_skupper(v1, "Site", "s", {})
    with pytest.raises(SiteError) as caught:
        opened(v1).kind()
    assert "both a Skupper v1 and a Skupper v2 site" in caught.value.message
    assert opened(v1, version="v1").kind() == replace(V1, namespace=v1)
    assert opened(v1, version="v2").kind() == replace(V2, namespace=v1)


def rule(resources: str, verbs: str, group: str = "", names: str = "") -> dict[str, Any]:
    made = {"apiGroups": [group], "resources": resources.split(), "verbs": verbs.split()}
    return {**made, "resourceNames": names.split()} if names else made


V2_RULES = [
    rule("secrets", "get create patch"),
    rule("listeners connectors", "list create patch delete", "skupper.io"),
    rule("sites", "list", "skupper.io"),
    rule("deployments", "get", "apps", "payments"),
]
V1_RULES = [
    rule("secrets", "get create patch"),
    rule("configmaps", "get patch", "", "skupper-services skupper-internal"),
    rule("configmaps", "get", "", "skupper-site"),
    rule("deployments", "get", "apps", "payments skupper-service-controller"),
]


@pytest.mark.parametrize(("version", "rules"), [("v1", V1_RULES), ("v2", V2_RULES)])
def test_what_preflight_asks_for_is_enough(
    opened: Open, cluster: Any, v1: str, v2: str, version: str, rules: list[Any]
) -> None:
    """A user with just these permissions goes through a whole rollout."""
    namespace = {"v1": v1, "v2": v2}[version]
    cluster.make_workload(namespace, "payments")
    site = opened(namespace, cluster.make_user(namespace, "least", rules))
    assert site.kind().version == version
    assert site.health([parsed()], time.time(), False).missing_permissions == ()
    for host in ("west", "east"):
        service = parsed(host)
        selector = site.selector(service.workload)
        items = [*secrets(kind=site.kind()), *service_items(service, site.kind(), selector)]
        converge(site, items, gone=[("Listener", "payments-5001")] if host == "east" and version == "v2" else [])
        assert site.ready([item.key for item in items], 0.1) is not None


@pytest.mark.parametrize(
    ("version", "rules", "missing"),
    [
        (
            "v2",
            [rule("sites", "list", "skupper.io")],
            ["get secrets", "create secrets", "patch secrets"]
            + [f"{verb} {kind}.skupper.io" for kind in ("listeners", "connectors")
               for verb in ("list", "create", "patch", "delete")]
            + ["get deployments.apps/payments"],
        ),
        ("v2", [*V2_RULES[1:], rule("secrets", "get create")], ["patch secrets"]),
        ("v2", [V2_RULES[0], *V2_RULES[2:], rule("listeners", "*", "skupper.io"),
                rule("connectors", "list create patch", "skupper.io")], ["delete connectors.skupper.io"]),
        ("v2", V2_RULES[:3], ["get deployments.apps/payments"]),
        (
            "v1",
            [rule("configmaps", "get", "", "skupper-site")],
            ["get secrets", "create secrets", "patch secrets"]
            + [f"{verb} configmaps/{name}" for name in ("skupper-services", "skupper-internal")
               for verb in ("get", "patch")]
            + ["get deployments.apps/skupper-service-controller", "get deployments.apps/payments"],
        ),
        ("v1", [*V1_RULES[:1], *V1_RULES[2:], rule("configmaps", "get patch", "", "skupper-services")],
         ["get configmaps/skupper-internal", "patch configmaps/skupper-internal"]),
        ("v1", V1_RULES[:3], ["get deployments.apps/skupper-service-controller", "get deployments.apps/payments"]),
    ],
)  # fmt: skip
def test_missing_permissions_are_named(
    opened: Open, cluster: Any, v1: str, v2: str, version: str, rules: list[Any], missing: list[str]
) -> None:
    namespace = {"v1": v1, "v2": v2}[version]
    site = opened(namespace, cluster.make_user(namespace, "restricted", rules))
    assert list(site.health([parsed()], time.time(), False).missing_permissions) == missing


@pytest.mark.parametrize(("adopt", "missing"), [(False, ()), (True, ("delete secrets",))])
def test_to_adopt_needs_one_more(opened: Open, cluster: Any, v2: str, adopt: bool, missing: tuple[str, ...]) -> None:
    """A secret of another type cannot be changed, only made anew."""
    site = opened(v2, cluster.make_user(v2, "least", V2_RULES))
    assert site.health([parsed()], time.time(), adopt).missing_permissions == missing


def test_who_may_not_even_look(opened: Open, cluster: Any, v2: str) -> None:
    with pytest.raises(NotPermitted) as caught:
        opened(v2, cluster.make_user(v2, "nobody", [])).kind()
    assert caught.value.message == f"not permitted: verb list on sites.skupper.io in namespace {v2}"


def test_health(opened: Open, cluster: Any, v1: str, v2: str) -> None:
    uids = {
        v1: cluster.core.read_namespaced_config_map("skupper-site", v1).metadata.uid,
        v2: cluster.list_skupper(v2, "Site")[0]["metadata"]["uid"],
    }
    for namespace, version in ((v1, ""), (v2, ""), (v1, "v1"), (v2, "v2")):
        health = opened(namespace, version=version, name="other").health([], time.time() - 100, False)
        assert health.identity == uids[namespace]
        assert health.missing_permissions == ()
        assert health.clock_offset is not None
        assert 98 < health.clock_offset < 105
        assert health.controller


def test_no_controller(opened: Open, cluster: Any, v1: str) -> None:
    cluster.apps.delete_namespaced_deployment("skupper-service-controller", v1)
    assert not opened(v1).health([], time.time(), False).controller
    namespace = cluster.create_namespace(unique("fresh"))
    cluster.create_skupper(namespace, "Site", "s", {})
    assert not opened(namespace).health([], time.time(), False).controller


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_health_where_the_version_is_wrong(opened: Open, cluster: Any, version: str) -> None:
    namespace = cluster.create_namespace(unique("bare"))
    with pytest.raises(SiteError, match="there is no Skupper site"):
        opened(namespace, version=version).health([], 0, False)


# -- workloads


@pytest.mark.parametrize("kind", ["deployment", "statefulset", "daemonset"])
def test_selector(opened: Open, cluster: Any, v2: str, kind: str) -> None:
    labels = {"tier": "api", "app": "payments"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "m", "image": "x"}]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "statefulset":
        spec["serviceName"] = "x"
    getattr(cluster.apps, f"create_namespaced_{_snake(kind)}")(v2, {"metadata": {"name": "p"}, "spec": spec})
    assert opened(v2).selector(Workload(kind, "p")) == "app=payments,tier=api"
    assert opened(v2).selector(Workload(selector="a=b")) == "a=b"


def _snake(kind: str) -> str:
    return {"statefulset": "stateful_set", "daemonset": "daemon_set"}.get(kind, kind)


def test_no_workload(opened: Open, cluster: Any, v2: str) -> None:
    cluster.make_workload(v2, "payments")
    with pytest.raises(SiteError) as caught:
        opened(v2).selector(Workload("statefulset", "payments"))
    assert caught.value.message == f"the workload statefulset payments does not exist in namespace {v2}"
    assert (caught.value.site, caught.value.field) == ("east", "services.workload")


def test_a_workload_of_expressions(opened: Open, cluster: Any, v2: str) -> None:
    expression = {"key": "app", "operator": "In", "values": ["p"]}
    template = {"metadata": {"labels": {"app": "p"}}, "spec": {"containers": [{"name": "m", "image": "x"}]}}
    body = {"metadata": {"name": "p"}, "spec": {"selector": {"matchExpressions": [expression]}, "template": template}}
    cluster.apps.create_namespaced_deployment(v2, body)
    with pytest.raises(SiteError, match="selects its pods by expressions only"):
        opened(v2).selector(Workload("deployment", "p"))


# -- secrets


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_secrets(opened: Open, cluster: Any, v1: str, v2: str, version: str) -> None:
    namespace, kind = {"v1": (v1, V1), "v2": (v2, V2)}[version]
    site = opened(namespace)
    assert converge(site, secrets(kind=kind)) == ["create", "create"]
    assert data_of(cluster, namespace) == {"tls.crt": "crt 1\n", "tls.key": "key 1\n", "ca.crt": "ca 1\n"}
    assert data_of(cluster, namespace, CA) == {"tls.crt": "", "tls.key": "", "ca.crt": "ca 1\n"}
    for name in (SECRET, CA):
        found = cluster.core.read_namespaced_secret(name, namespace)
        assert found.type == "kubernetes.io/tls"
        assert found.metadata.labels == {
            "app.kubernetes.io/managed-by": "multisite.skupper_tls",
            "multisite.skupper-tls/network": "shop",
        }
    observed = site.observe([SECRET, CA, "none"], [])
    assert {key: (item.owner, item.network) for key, item in observed.items()} == {
        ("Secret", SECRET): (OURS, "shop"),
        ("Secret", CA): (OURS, "shop"),
    }
    assert observed[("Secret", SECRET)].content["data"] == secrets()[0].content["data"]
    assert converge(site, secrets("2", kind)) == ["update", "update"]
    assert data_of(cluster, namespace)["tls.key"] == "key 2\n"
    assert converge(site, [], gone=[("Secret", SECRET)]) == ["delete"]
    with pytest.raises(ApiException):
        cluster.core.read_namespaced_secret(SECRET, namespace)


def test_what_others_added_to_a_secret_stays(opened: Open, cluster: Any, v2: str) -> None:
    site = opened(v2)
    converge(site, secrets())
    mine = {"metadata": {"annotations": {"internal.skupper.io/tls-profile-context": "{}"}, "labels": {"backup": "yes"}}}
    cluster.core.patch_namespaced_secret(SECRET, v2, {**mine, "data": {"extra": b64encode(b"x").decode()}})
    assert converge(site, secrets()) == []
    assert converge(site, secrets("2")) == ["update", "update"]
    found = cluster.core.read_namespaced_secret(SECRET, v2)
    assert found.metadata.annotations == {"internal.skupper.io/tls-profile-context": "{}"}
    assert found.metadata.labels["backup"] == "yes"
    assert data_of(cluster, v2)["extra"] == "x"


def make_secret(cluster: Any, namespace: str, secret_type: str = "Opaque", labels: Any = None) -> None:
    data = {key: b64encode(b"mine").decode() for key in ("tls.crt", "tls.key", "ca.crt")}
    metadata = {"name": SECRET, "labels": labels or {}}
    cluster.core.create_namespaced_secret(namespace, {"metadata": metadata, "type": secret_type, "data": data})


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"multisite.skupper-tls/network": "shop"},
        {"app.kubernetes.io/managed-by": "Helm", "multisite.skupper-tls/network": "shop"},
        {"app.kubernetes.io/managed-by": "multisite.skupper_tls"},
        {"app.kubernetes.io/managed-by": "multisite.skupper_tls", "multisite.skupper-tls/network": "kiosk"},
    ],
)
def test_a_secret_of_others_is_refused(opened: Open, cluster: Any, v2: str, labels: dict[str, str]) -> None:
    make_secret(cluster, v2, labels=labels)
    before = cluster.core.read_namespaced_secret(SECRET, v2)
    for result in (planned(opened(v2), secrets()[:1]), planned(opened(v2), [], gone=[("Secret", SECRET)])):
        assert isinstance(result.problems[0], ForeignObject)
        assert result.changes == ()
    assert cluster.core.read_namespaced_secret(SECRET, v2) == before


@pytest.mark.parametrize(
    ("secret_type", "version", "action"),
    [("Opaque", "v2", "replace"), ("kubernetes.io/tls", "v2", "update"), ("Opaque", "v1", "update")],
)
def test_a_secret_of_others_is_adopted(
    opened: Open, cluster: Any, v1: str, v2: str, secret_type: str, version: str, action: str
) -> None:
    namespace, kind = {"v1": (v1, V1), "v2": (v2, V2)}[version]
    make_secret(cluster, namespace, secret_type)
    assert converge(opened(namespace), secrets(kind=kind)[:1], adopt=True) == [action]
    found = cluster.core.read_namespaced_secret(SECRET, namespace)
    assert found.type == ("kubernetes.io/tls" if version == "v2" else "Opaque")
    assert data_of(cluster, namespace)["tls.key"] == "key 1\n"


@pytest.mark.parametrize("how", ["changed", "deleted", "made anew", "appeared"])
@pytest.mark.parametrize("action", ["apply", "delete"])
def test_a_secret_changed_since_the_plan_is_a_conflict(
    opened: Open, cluster: Any, v2: str, how: str, action: str
) -> None:
    site = opened(v2)
    if how != "appeared":
        converge(site, secrets()[:1])
    gone = [("Secret", SECRET)] if action == "delete" else []
    (change, *dummy) = [*planned(site, [] if gone else secrets("2")[:1], gone=gone).changes, None]
    if change is None:
        return  # nothing to delete that appears later
    if how == "changed":
        cluster.core.patch_namespaced_secret(SECRET, v2, {"metadata": {"labels": {"a": "b"}}})
    if how in ("deleted", "made anew"):
        cluster.core.delete_namespaced_secret(SECRET, v2)
    if how in ("made anew", "appeared"):
        make_secret(cluster, v2)
    if how == "deleted" and action == "delete":
        site.apply(change)  # it is gone, as wanted
        return
    with pytest.raises(SiteConflict):
        site.apply(change)
    if how != "deleted":
        assert data_of(cluster, v2)["tls.key"] != "key 2\n"


# -- v2 objects


def test_listeners_and_connectors(opened: Open, cluster: Any, v2: str) -> None:
    site = opened(v2)
    listeners = service_items(parsed("west"), V2)
    assert converge(site, listeners) == ["create", "create"]
    specs = {found["metadata"]["name"]: found["spec"] for found in cluster.list_skupper(v2, "Listener")}
    assert specs == {item.name: item.content["spec"] for item in listeners}
    connectors = service_items(parsed("east"), V2, "app=payments")
    gone = [item.key for item in listeners]
    assert converge(site, connectors, gone=gone) == ["create", "create", "delete", "delete"]
    assert cluster.list_skupper(v2, "Listener") == []
    first = cluster.list_skupper(v2, "Connector")[0]
    assert first["spec"] == connectors[0].content["spec"]
    assert first["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "multisite.skupper_tls",
        "multisite.skupper-tls/network": "shop",
        "multisite.skupper-tls/address": "payments",
    }
    moved = service_items(parsed("east", ports=["5001:8443", 5002]), V2, "app=payments")
    assert converge(site, moved) == ["update"]


def test_what_others_added_to_an_object_stays(opened: Open, cluster: Any, v2: str) -> None:
    site, items = opened(v2), service_items(parsed("west"), V2)
    converge(site, items)
    site._api.patch(
        kube.namespaced(v2, "listeners", "payments-5001", "skupper.io/v2alpha1"),
        {"spec": {"settings": {"a": "b"}, "port": 9}, "metadata": {"annotations": {"x": "y"}}},
    )
    assert converge(site, items) == ["update"]
    found = next(one for one in cluster.list_skupper(v2, "Listener") if one["metadata"]["name"] == "payments-5001")
    assert found["spec"]["settings"] == {"a": "b"}
    assert found["spec"]["port"] == 5001
    assert found["metadata"]["annotations"] == {"x": "y"}


def set_status(cluster: Any, namespace: str, kind: str, name: str, status: str) -> None:
    condition = {"type": "Configured", "status": status, "reason": "r", "message": "m"}
    condition["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    cluster.custom.patch_namespaced_custom_object_status(
        "skupper.io", "v2alpha1", namespace, f"{kind.lower()}s", name, {"status": {"conditions": [condition]}}
    )


def test_taken_up(opened: Open, cluster: Any, v2: str) -> None:
    site, items = opened(v2), service_items(parsed("west"), V2)
    converge(site, items)
    keys = [*(item.key for item in items), ("Secret", SECRET)]
    begun = time.monotonic()
    assert site.ready(keys, 0.7) == {item.key: False for item in items}
    assert time.monotonic() - begun > 0.6
    set_status(cluster, v2, "Listener", "payments-5001", "True")
    set_status(cluster, v2, "Listener", "payments-5002", "False")
    assert site.ready(keys, 0.1) == {items[0].key: True, items[1].key: False}
    timer = threading.Timer(0.6, set_status, (cluster, v2, "Listener", "payments-5002", "True"))
    timer.start()
    assert site.ready(keys, 60) == {item.key: True for item in items}
    timer.join()


def waits(dummy: float) -> None:
    raise AssertionError("waits for somebody who is not there")


def test_nobody_is_waited_for(opened: Open, cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = cluster.create_namespace(unique("fresh"))
    cluster.create_skupper(namespace, "Site", "s", {})
    site, items = opened(namespace), service_items(parsed("west"), V2)
    converge(site, items)
    monkeypatch.setattr(time, "sleep", waits)
    site.ready([item.key for item in items], 30)


def test_not_ready() -> None:
    assert not is_ready(("Listener", "a"), None)


# -- v1


def v1_items(**changed: Any) -> list[Item]:
    return service_items(parsed("east", **changed), V1, "app=payments")


def config_map(cluster: Any, namespace: str, name: str) -> Any:
    return cluster.core.read_namespaced_config_map(name, namespace)


def router(cluster: Any, namespace: str) -> list[Any]:
    loaded: list[Any] = json.loads(config_map(cluster, namespace, "skupper-internal").data["skrouterd.json"])
    return loaded


def entry(cluster: Any, namespace: str, address: str = "payments") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(config_map(cluster, namespace, "skupper-services").data[address])
    return loaded


def put_entry(cluster: Any, namespace: str, **fields: Any) -> None:
    text = {key: json.dumps(value) if isinstance(value, dict) else value for key, value in fields.items()}
    cluster.core.patch_namespaced_config_map("skupper-services", namespace, {"data": text})


def put_bridges(cluster: Any, namespace: str, *bridges: Any) -> None:
    config = [one for one in router(cluster, namespace) if one[0] not in ("tcpListener", "tcpConnector")]
    text = json.dumps([*config, *bridges])
    cluster.core.patch_namespaced_config_map("skupper-internal", namespace, {"data": {"skrouterd.json": text}})


def test_v1_service(opened: Open, cluster: Any, v1: str) -> None:
    before = router(cluster, v1)
    site = opened(v1)
    assert converge(site, v1_items()) == ["create", "create"]
    assert config_map(cluster, v1, "skupper-services").data["payments"] == (
        '{"address":"payments","protocol":"http2","ports":[5001,5002],"exposeIngress":"","targets":[{"name":"payments",'
        '"selector":"app=payments","targetPorts":{"5001":5001,"5002":5002}}],"tlsCredentials":"server-cert-secret",'
        '"tlsCertAuthority":"ca-cert-secret"}'
    )
    profile = {"name": CA, "caCertFile": f"/etc/skupper-router-certs/{CA}/ca.crt"}
    assert router(cluster, v1) == [*before, ["sslProfile", profile]]
    notes = config_map(cluster, v1, "skupper-services").metadata.annotations
    assert json.loads(notes["entry.multisite.skupper-tls/payments"]) == {"network": "shop", "targets": ["payments"]}
    notes = config_map(cluster, v1, "skupper-internal").metadata.annotations
    assert json.loads(notes[f"profile.multisite.skupper-tls/{CA}"]) == {"network": "shop"}
    found = site.observe([], V1.kinds)
    assert found[("ServiceEntry", "payments")].owner == OURS
    assert found[("ServiceEntry", "payments")].record == {"network": "shop", "targets": ["payments"]}
    assert found[("RouterProfile", CA)].owner == OURS
    assert found[("RouterProfile", "skupper-amqps")].owner == FOREIGN
    gone = [item.key for item in v1_items()]
    assert converge(site, [], gone=gone) == ["delete", "delete"]
    assert router(cluster, v1) == before
    assert not config_map(cluster, v1, "skupper-services").data
    assert not config_map(cluster, v1, "skupper-services").metadata.annotations


def test_v1_another_targets_and_fields_stay(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    converge(site, v1_items())
    theirs = {"name": "other", "selector": "app=other"}
    changed = entry(cluster, v1)
    put_entry(cluster, v1, payments={**changed, "targets": [theirs, *changed["targets"]], "headless": {"name": "x"}})
    assert converge(site, v1_items()) == []
    other_port = v1_items(ports=[5001, "5002:9"])
    assert converge(site, other_port) == ["update"]
    found = entry(cluster, v1)
    assert theirs in found["targets"]
    assert found["headless"] == {"name": "x"}
    assert {"5001": 5001, "5002": 9} in [target.get("targetPorts") for target in found["targets"]]


def test_v1_our_old_target_goes_when_it_is_told(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    converge(site, v1_items())
    profile, item = v1_items(workload={"name": "newer"})
    targets = {**item.content["targets"], "payments": None}
    assert converge(site, [profile, dataclasses.replace(item, content={**item.content, "targets": targets})]) == [
        "update"
    ]
    assert [target["name"] for target in entry(cluster, v1)["targets"]] == ["newer"]


def test_v1_an_entry_that_another_site_sent(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    synced = {"address": "payments", "protocol": "http2", "ports": [5001, 5002], "exposeIngress": "", "targets": [],
              "tlsCredentials": SECRET, "tlsCertAuthority": CA, "origin": "abc"}  # fmt: skip
    put_entry(cluster, v1, payments=synced)
    found = site.observe([], V1.kinds)[("ServiceEntry", "payments")]
    assert (found.owner, found.synced) == (FOREIGN, True)
    assert converge(site, v1_items()) == ["create", "update"]
    assert entry(cluster, v1)["origin"] == "abc"
    assert len(entry(cluster, v1)["targets"]) == 1


def test_v1_an_entry_of_the_users_is_refused_and_adopted_when_told(opened: Open, cluster: Any, v1: str) -> None:
    put_entry(cluster, v1, payments={"address": "payments", "protocol": "tcp", "ports": [1], "targets": []})
    site = opened(v1)
    (problem,) = planned(site, v1_items()).problems
    assert problem.field == "ServiceEntry/payments"
    assert entry(cluster, v1)["protocol"] == "tcp"
    assert converge(site, v1_items(), adopt=True) == ["create", "replace"]
    assert entry(cluster, v1)["protocol"] == "http2"


def test_v1_a_profile_that_the_cli_wrote_is_enough(opened: Open, cluster: Any, v1: str) -> None:
    profile = {"name": CA, "caCertFile": f"/etc/skupper-router-certs/{CA}/ca.crt"}
    text = json.dumps([*router(cluster, v1), ["sslProfile", profile]])
    cluster.core.patch_namespaced_config_map("skupper-internal", v1, {"data": {"skrouterd.json": text}})
    assert converge(opened(v1), v1_items()) == ["create"]
    assert config_map(cluster, v1, "skupper-internal").data["skrouterd.json"] == text


def watch(cluster: Any, namespace: str, since: str) -> list[dict[str, str]]:
    """Every state of skupper-services since a resourceVersion."""
    from kubernetes import watch as kubernetes_watch

    states = []
    events = kubernetes_watch.Watch().stream(
        cluster.core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=1
    )
    for event in events:
        if event["object"].metadata.name == "skupper-services":
            states.append(dict(event["object"].data or {}))
    return states


def test_v1_replaced_means_removed_and_added(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    converge(site, v1_items())
    theirs = {"name": "other", "selector": "app=other"}
    changed = entry(cluster, v1)
    put_entry(cluster, v1, payments={**changed, "targets": [*changed["targets"], theirs]}, other="{}")
    put_bridges(cluster, v1, ["tcpListener", {"name": "payments:5001", "address": "payments:5001"}])
    since = config_map(cluster, v1, "skupper-services").metadata.resource_version
    removed: list[float] = []

    def controller() -> None:
        """As Skupper's: it takes the bridges away some time after the entry went."""
        deadline = time.monotonic() + 15
        while "payments" in (config_map(cluster, v1, "skupper-services").data or {}):
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        time.sleep(0.7)
        put_bridges(cluster, v1)
        removed.append(time.monotonic())

    thread = threading.Thread(target=controller)
    thread.start()
    other = v1_items(tls={"server_secret": "second", "ca_secret": CA})
    assert converge(site, other) == ["replace"]
    done = time.monotonic()
    thread.join()
    assert removed
    assert removed[0] < done  # the entry came back only after its bridges had gone
    states = watch(cluster, v1, since)
    assert ["payments" in state for state in states] == [False, True]
    assert all(state["other"] == "{}" for state in states)
    assert entry(cluster, v1)["tlsCredentials"] == "second"
    assert theirs in entry(cluster, v1)["targets"]


def test_v1_replaced_without_a_controller_does_not_wait(opened: Open, v1: str, monkeypatch: pytest.MonkeyPatch) -> None:
    site = opened(v1)
    converge(site, v1_items())
    monkeypatch.setattr(time, "sleep", waits)
    assert converge(site, v1_items(protocol="tcp")) == ["replace"]


def test_v1_touch(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    converge(site, v1_items())
    before = config_map(cluster, v1, "skupper-services").data["payments"]
    seen = site.observe([], V1.kinds)[("ServiceEntry", "payments")]
    item = Item("ServiceEntry", "payments", seen.content, record={"targets": ["payments"], "secrets": ["u"]})
    site.apply(Change("touch", item, seen))
    after = config_map(cluster, v1, "skupper-services")
    assert after.data["payments"] != before
    assert json.loads(after.data["payments"]) == json.loads(before)
    note = json.loads(after.metadata.annotations["entry.multisite.skupper-tls/payments"])
    assert note == {"network": "shop", "targets": ["payments"], "secrets": ["u"]}
    site.apply(Change("touch", item, seen))
    assert config_map(cluster, v1, "skupper-services").data["payments"] == before


@pytest.mark.parametrize("how", ["changed", "gone"])
@pytest.mark.parametrize("what", ["entry", "profile"])
@pytest.mark.parametrize("action", ["update", "delete"])
def test_v1_a_change_since_the_plan_is_a_conflict(
    opened: Open, cluster: Any, v1: str, how: str, what: str, action: str
) -> None:
    site = opened(v1)
    converge(site, v1_items())
    profile, item = v1_items(ports=["5001:9", 5002])
    item = item if what == "entry" else dataclasses.replace(profile, content={**profile.content, "caCertFile": "/x"})
    changes = planned(site, [] if action == "delete" else [item], gone=[item.key] if action == "delete" else [])
    if what == "entry":
        put_entry(cluster, v1, payments=None if how == "gone" else {**entry(cluster, v1), "exposeIngress": "x"})
    else:
        config = [one for one in router(cluster, v1) if one[1].get("name") != CA]
        config += [] if how == "gone" else [["sslProfile", {"name": CA, "caCertFile": "/theirs"}]]
        text = json.dumps(config)
        cluster.core.patch_namespaced_config_map("skupper-internal", v1, {"data": {"skrouterd.json": text}})
    before = (config_map(cluster, v1, "skupper-services").data, router(cluster, v1))
    with pytest.raises(SiteConflict):
        site.apply(changes.changes[0])
    assert (config_map(cluster, v1, "skupper-services").data, router(cluster, v1)) == before


class Neighbour:
    """Somebody who writes to both ConfigMaps all the time, as Skupper's controller does: read, change, replace."""

    def __init__(self, cluster: Any, namespace: str) -> None:
        self.core, self.namespace = cluster.core, namespace
        self.written = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.written += self._write("skupper-services", self._entry) + self._write("skupper-internal", self._bridge)
            time.sleep(0.005)

    def _write(self, name: str, change: Callable[[Any], None]) -> int:
        body = self.core.read_namespaced_config_map(name, self.namespace)
        change(body)
        try:
            self.core.replace_namespaced_config_map(name, self.namespace, body)
        except ApiException as error:
            if error.status != 409:
                raise
            return 0
        return 1

    def _entry(self, body: Any) -> None:
        body.data = {**(body.data or {}), f"n{self.written}": json.dumps({"address": f"n{self.written}"})}

    def _bridge(self, body: Any) -> None:
        bridge = ["tcpListener", {"name": f"n{self.written}", "address": "n:1"}]
        body.data["skrouterd.json"] = json.dumps([*json.loads(body.data["skrouterd.json"]), bridge])

    def __enter__(self) -> Neighbour:
        self._thread.start()
        return self

    def __exit__(self, *dummy: Any) -> None:
        self._stop.set()
        self._thread.join()


def test_v1_beside_a_busy_neighbour(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    before = router(cluster, v1)
    rounds = 12
    with Neighbour(cluster, v1) as neighbour:
        for number in range(rounds):
            address = f"ours{number}"
            tls = {"server_secret": SECRET, "ca_secret": f"ca{number}"}
            items = v1_items(address=address, tls=tls)
            converge(site, items)
            if number % 2:
                converge(site, [], gone=[item.key for item in items])
    assert neighbour.written > 10
    entries = config_map(cluster, v1, "skupper-services").data
    ours = {f"ours{number}" for number in range(0, rounds, 2)}
    assert {name for name in entries if name.startswith("ours")} == ours
    config = router(cluster, v1)
    assert config[: len(before)] == before
    profiles = {one[1]["name"] for one in config if one[0] == "sslProfile" and one[1]["name"].startswith("ca")}
    assert profiles == {f"ca{number}" for number in range(0, rounds, 2)}
    theirs = [int(name[1:]) for name in entries if not name.startswith("ours")]
    bridges = [int(one[1]["name"][1:]) for one in config if one[0] == "tcpListener"]
    # Every write of the neighbour's that was accepted is still there.
    assert len(set(theirs)) + len(bridges) == neighbour.written


@pytest.mark.parametrize("name", ["skupper-services", "skupper-internal"])
def test_v1_a_missing_config_map(opened: Open, cluster: Any, v1: str, name: str) -> None:
    cluster.core.delete_namespaced_config_map(name, v1)
    with pytest.raises(SiteError) as caught:
        opened(v1).observe([], V1.kinds)
    assert caught.value.message == f"the ConfigMap {name} of the Skupper v1 site is missing"
    assert caught.value.site == "east"


def test_v1_a_broken_router_configuration(opened: Open, cluster: Any, v1: str) -> None:
    cluster.core.patch_namespaced_config_map("skupper-internal", v1, {"data": {"skrouterd.json": "{"}})
    with pytest.raises(SiteError, match="the router configuration is not a JSON list"):
        opened(v1).observe([], V1.kinds)


@pytest.mark.parametrize("note", ["", "{", "[]", "null", "7"])
def test_v1_a_broken_annotation_makes_nothing_ours(opened: Open, cluster: Any, v1: str, note: str) -> None:
    converge(opened(v1), v1_items())
    metadata = {"metadata": {"annotations": {"entry.multisite.skupper-tls/payments": note}}}
    cluster.core.patch_namespaced_config_map("skupper-services", v1, metadata)
    assert opened(v1).observe([], V1.kinds)[("ServiceEntry", "payments")].owner == FOREIGN


def test_v1_taken_up(opened: Open, cluster: Any, v1: str) -> None:
    site = opened(v1)
    converge(site, v1_items())
    keys = [("ServiceEntry", "payments"), ("RouterProfile", CA)]
    assert site.ready(keys, 0.1) == {keys[0]: False}
    put_bridges(cluster, v1, ["tcpConnector", {"name": "x", "address": "payments:5001"}])
    assert site.ready(keys, 5) == {keys[0]: True}
    assert site.observe([], V1.kinds)[keys[0]].status == {"bridges": ["x"]}
