# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts: what the user may write, which fields they come to, and whose the fields are that stand there already."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Observed, plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import mounts
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import SiteKind, site_problems
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import Service, parse_services
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS, entry, errors_of, parsed

PRINTS = {"server-cert-secret": "AA:AA", "ca-cert-secret": "CC:CC"}
MINE = "multisite.skupper_tls/shop/payments"
KEY = ("Workload", "deployment/web (payments)")
VOLUME, ANNOTATION = "skupper-tls-payments-ca", "ca.multisite.skupper-tls/payments"


def client(**changed: Any) -> dict[str, Any]:
    return {"workload": {"name": "web"}, "mount_path": "/ca", **changed}


def consumer(**changed: Any) -> Service:
    return parsed("west", consumers=[client(**changed)])


# -- what the user writes


@pytest.mark.parametrize(
    ("host", "sites", "found"),
    [
        ("west", None, True),
        ("east", [], True),
        ("west", ["west"], True),
        ("west", "east, west", True),
        ("east", ["left"], True),
        ("west", ["left"], False),
        ("west", ["east"], False),
    ],
)
def test_the_sites_of_a_consumer(host: str, sites: Any, found: bool) -> None:
    service = parsed(host, consumers=[client(sites=sites)])
    assert [(mount.workload, mount.path, mount.role) for mount in service.mounts] == (
        [("deployment/web", "/ca", "ca")] if found else []
    )


@pytest.mark.parametrize(("host", "found"), [("east", True), ("west", False)])
def test_the_server_is_on_providers(host: str, found: bool) -> None:
    service = parsed(host, workload={"kind": "StatefulSet", "name": "db", "mount_path": "/tls", "containers": "a,b"})
    assert [(mount.workload, mount.role, mount.containers) for mount in service.mounts] == (
        [("statefulset/db", "server", ("a", "b"))] if found else []
    )


PATH = "is not the path of a mount"


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        *[
            ({"consumers": [client(mount_path=path)]}, "consumers[0].mount_path", PATH)
            for path in ("", "/", "ca", "./ca", "/ca/", "/a//b", "/a/../b", "/a/./b", "/a:b", None)
        ],
        ({"workload": {"name": "a", "mount_path": "tls"}}, "workload.mount_path", PATH),
        ({"workload": {"selector": "app=a", "mount_path": "/a"}}, "workload.mount_path",
         "needs a workload to mount into, and none is named"),
        ({"workload": {"name": "a", "containers": ["b"]}}, "workload.containers", "are given without mount_path"),
        ({"consumers": [client(workload={"name": "a", "kind": "job"})]}, "consumers[0].workload.kind",
         "is not a kind of workload"),
        ({"consumers": [client(workload={})]}, "consumers[0].workload", "names no workload"),
        ({"consumers": [client(), client(sites=["nowhere"])]}, "consumers[1].sites",
         "is neither a host nor a group of the inventory"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("host", ["east", "west"])
def test_refused(host: str, changed: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(SkupperTlsError) as caught:
        parsed(host, **changed)
    assert [found[:2] for found in errors_of(caught.value)] == [(f"services[0] (payments).{field}", message)]


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ({}, {}, True),
        ({}, {"mount_path": "/other"}, False),
        ({}, {"workload": {"name": "other"}}, False),
        ({}, {"workload": {"kind": "daemonset", "name": "web"}}, False),
        ({"containers": ["a"]}, {"containers": ["b"]}, False),
        ({"containers": ["a", "b"]}, {"containers": ["b", "c"]}, True),
        ({"containers": ["a"]}, {}, True),
        ({"sites": ["east"]}, {"sites": ["west"]}, False),
    ],
)
def test_two_services_on_one_path(first: dict[str, Any], second: dict[str, Any], clash: bool) -> None:
    raw = [
        entry(consumers=[client(**first)]),
        entry(address="stock", ports=[6001], consumers=[client(**second)]),
    ]
    if not clash:
        parse_services(raw, GROUPS, "west")
        return
    with pytest.raises(SkupperTlsError, match="in the same container as well"):
        parse_services(raw, GROUPS, "west")


def test_server_and_ca_on_one_path() -> None:
    workload = {"name": "web", "mount_path": "/ca"}
    with pytest.raises(SkupperTlsError, match="in the same container as well"):
        parsed("east", workload=workload, consumers=[client()])


@pytest.mark.parametrize(("platform", "refused"), [("kubernetes", 0), ("linux", 2), ("podman", 2)])
def test_system_sites_have_no_pods(platform: str, refused: int) -> None:
    service = parsed("east", workload={"name": "a", "mount_path": "/tls"}, consumers=[client()])
    problems = site_problems([service], SiteKind(platform, "v2"))
    assert [problem.field for problem in problems] == [
        "services[0] (payments).workload",
        "services[0] (payments).consumers[0]",
    ][:refused]
    assert all("which has no pods" in problem.message and problem.remedy for problem in problems)


# -- what stands on a site


def managed(name: str, places: dict[str, Any], operation: str = "Apply") -> dict[str, Any]:
    return {
        "manager": name,
        "operation": operation,
        "fieldsV1": {"f:spec": {"f:template": {"f:metadata": places.pop("metadata", {}), "f:spec": places}}},
    }


def fields(volume: str = VOLUME, path: str = "/ca", key: str = ANNOTATION, container: str = "app") -> dict[str, Any]:
    mount: dict[str, Any] = {f'k:{{"mountPath":"{path}"}}': {".": {}, "f:name": {}}}
    return {
        "metadata": {"f:annotations": {".": {}, f"f:{key}": {}}},
        "f:volumes": {".": {}, f'k:{{"name":"{volume}"}}': {"f:secret": {}}},
        "f:containers": {f'k:{{"name":"{container}"}}': {"f:volumeMounts": mount}},
    }


def body(managers: list[dict[str, Any]], **changed: Any) -> dict[str, Any]:
    """A Deployment in which our fields stand as they are to be, but for what is changed."""
    mount = {"mountPath": changed.get("path", "/ca"), "name": changed.get("mounted", VOLUME), "readOnly": True}
    secret = {"secretName": "ca-cert-secret", "items": [{"key": "ca.crt", "path": "ca.crt"}], "defaultMode": 420}
    pod = {
        "containers": [{"name": "app", "image": "x", "volumeMounts": [mount]}, {"name": "proxy", "image": "y"}],
        "initContainers": [{"name": "init", "image": "z"}],
        "volumes": [{"name": VOLUME, "secret": secret}, {"name": "work", "emptyDir": {}}],
    }
    metadata = {"name": "web", "uid": "u1", "labels": {mounts.LABEL: "true", "app": "web"}, "managedFields": managers}
    annotations = {ANNOTATION: changed.get("print", "CC:CC"), "other": "x"}
    return {"metadata": metadata, "spec": {"template": {"metadata": {"annotations": annotations}, "spec": pod}}}


def resolve(service: Service, made: Any, early: bool = True, prints: Any = None) -> mounts.Resolved:
    seen = {("Workload", "deployment/web"): mounts.observed(made)} if made else {}
    seen[("Secret", "ca-cert-secret")] = Observed({})
    return mounts.resolve([service], seen, PRINTS if prints is None else prints, "shop", early)


APP = consumer(containers=["app"])


@pytest.mark.parametrize(
    ("managers", "changed", "owner", "actions"),
    [
        ([managed(MINE, fields())], {}, OURS, []),
        ([managed(MINE, fields())], {"print": "DD:DD"}, OURS, ["update"]),
        ([managed(MINE, fields(path="/old"))], {"path": "/old"}, OURS, ["update"]),
        ([], {}, None, ["create"]),
        ([], {"print": "DD:DD"}, None, ["create"]),
        ([managed("helm", fields())], {}, None, ["create"]),
        ([managed("helm", fields())], {"print": "DD:DD"}, FOREIGN, []),
        ([managed("helm", fields())], {"mounted": "work"}, FOREIGN, []),
        ([managed("helm", fields(path="/x"))], {"path": "/x"}, None, ["create"]),
        ([managed("kubectl-edit", fields(), "Update")], {"print": "DD:DD"}, FOREIGN, []),
        ([managed(MINE, fields(), "Update")], {"print": "DD:DD"}, FOREIGN, []),
        ([managed("multisite.skupper_tls/other/payments", fields())], {"print": "DD:DD"}, FOREIGN, []),
        ([managed(MINE, fields()), managed("helm", fields())], {}, OURS, []),
        ([managed(MINE, fields()), managed("helm", fields())], {"print": "DD:DD"}, FOREIGN, []),
        ([{**managed("helm", fields()), "subresource": "status"}], {"print": "DD:DD"}, None, ["create"]),
    ],
)
def test_whose_the_fields_are(
    managers: list[dict[str, Any]], changed: dict[str, Any], owner: str | None, actions: list[str]
) -> None:
    found = resolve(APP, body(managers, **changed))
    assert ("Secret", "ca-cert-secret") in found.seen
    state = found.seen.get(KEY)
    assert (state.owner if state is not None else None) == owner
    planned = plan(found.items, found.seen, adopt=False)
    assert [change.action for change in planned.changes] == actions
    assert [problem.field for problem in planned.problems] == (["/".join(KEY)] if owner == FOREIGN else [])
    if owner == FOREIGN:
        assert managers[-1]["manager"] in planned.problems[0].found
        (adopted,) = plan(found.items, found.seen, adopt=True).changes
        assert (adopted.action, adopted.before and adopted.before.owner) == ("update", FOREIGN)


def test_a_place_that_we_leave_is_given_up() -> None:
    found = resolve(APP, body([managed(MINE, fields(path="/old"))], path="/old"))
    (item,) = found.items
    assert item.content["containers"]["app"] == {"/ca": {"name": VOLUME, "readOnly": True}, "/old": None}
    applied = mounts.configuration(item, "u1")
    assert "/old" not in json.dumps(applied)
    # Nobody's image, ports or other volumes are among the fields, and no container that has no mount of ours.
    assert applied == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u1", "labels": {mounts.LABEL: "true"}},
        "spec": {
            "template": {
                "metadata": {"annotations": {ANNOTATION: "CC:CC"}},
                "spec": {
                    "volumes": [
                        {
                            "name": VOLUME,
                            "secret": {
                                "secretName": "ca-cert-secret",
                                "items": [{"key": "ca.crt", "path": "ca.crt"}],
                            },
                        }
                    ],
                    "containers": [
                        {
                            "name": "app",
                            "volumeMounts": [{"mountPath": "/ca", "name": VOLUME, "readOnly": True}],
                        }
                    ],
                },
            }
        },
    }


def test_a_container_that_we_leave_is_not_named() -> None:
    found = resolve(consumer(containers=["proxy"]), body([managed(MINE, fields())]))
    pod = mounts.configuration(found.items[0], "u1")["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["proxy"]


@pytest.mark.parametrize(
    ("containers", "named"),
    [
        (None, {"containers": ["app", "proxy"]}),
        (["proxy"], {"containers": ["proxy"]}),
        (["init"], {"initContainers": ["init"]}),
        (["init", "app"], {"containers": ["app"], "initContainers": ["init"]}),
    ],
)
def test_containers(containers: Any, named: dict[str, list[str]]) -> None:
    (item,) = resolve(consumer(containers=containers), body([])).items
    parts = {part: sorted(item.content[part]) for part in ("containers", "initContainers") if part in item.content}
    assert parts == named


def test_what_is_not_there() -> None:
    assert [(problem.field, problem.found) for problem in resolve(APP, None).problems] == [
        ("services[0] (payments).consumers[0].workload", "no deployment/web")
    ]
    wrong = resolve(consumer(containers=["nope"]), body([]))
    assert [problem.found for problem in wrong.problems] == ["nope; it has app, init, proxy"]
    slash = resolve(APP, body([], path="/ca/"))
    assert [problem.found for problem in slash.problems] == ["/ca/ in container app"]
    assert not resolve(parsed("east", workload={"name": "web", "mount_path": "/a"}), None).problems  # told elsewhere


def test_no_longer_asked() -> None:
    """What we own for a service that is named and has no mount here; not for another service's."""
    made = body([managed(MINE, fields()), managed("multisite.skupper_tls/shop/stock", fields())])
    found = resolve(parsed("west"), made)
    assert (found.items, list(found.seen)) == ((), [("Secret", "ca-cert-secret"), KEY])
    assert found.seen[KEY].owner == OURS
    (change,) = plan([], found.seen, False, [KEY]).changes
    assert mounts.configuration(change.item, "u1") == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "uid": "u1"},
    }


def test_a_secret_that_is_not_there_yet() -> None:
    made = body([managed(MINE, fields())])
    late = resolve(APP, made, early=False, prints={})
    assert not late.items
    assert late.waiting == {"ca-cert-secret"}
    assert KEY not in late.seen, "it would be removed"
    early = resolve(APP, made, early=True, prints={})
    assert early.items[0].content["annotations"] == {ANNOTATION: "known after the run"}
    assert not early.waiting


@pytest.mark.parametrize("length", [1, 40, 63])
def test_names_fit(length: int) -> None:
    address, network = "a" * length, "n" * 63
    assert len(mounts.manager(network, address)) <= 128
    for role in ("server", "ca"):
        assert len(mounts.volume_name(address, role)) <= 63
        assert all(len(part) <= 63 for part in mounts.annotation(address, role).split("/"))
    name = mounts.item_name("deployment/web", address)
    assert mounts.parse_name(name) == ("deployment", "web", address)
    others = {mounts.manager("n" * 62 + "m", address), mounts.manager(network, address)}
    assert len(others) == 2
