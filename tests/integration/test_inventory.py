# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin: sites from kubeconfig contexts and from the view of a running network, on real API servers.

No Skupper controller runs: what one writes, the view of the network, is written by the tests in its form.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    GROUP,
    SITES,
    VERSION,
    KubeNetwork,
    same_everywhere,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Ansible, Run
from tests.cluster.clusters import Cluster, unique, write_kubeconfig

Take = Callable[[int], list[Cluster]]
PLUGIN = "multisite.skupper_tls.network"
TIMEOUT = 120.0


@dataclass(frozen=True)
class Listed:
    """What ansible-inventory said."""

    code: int
    text: str
    said: str
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: Mapping[str, list[str]] = field(default_factory=dict)

    def good(self) -> Listed:
        """Return this, after asserting that it went well and without a warning."""
        assert self.code == 0, self.said
        assert "WARNING" not in self.said, self.said
        return self

    def warned(self, *texts: str) -> Listed:
        """Return this, after asserting that it went well and warned of these."""
        assert self.code == 0, self.said
        assert [text for text in texts if text not in self.said] == [], self.said
        return self

    def bad(self, *texts: str) -> Listed:
        """Return this, after asserting that it failed, without a traceback, and said these texts."""
        assert self.code != 0, self.text
        assert "Traceback (most recent call last)" not in self.said, self.said
        assert [text for text in texts if text not in self.said] == [], self.said
        return self


class Inventory:
    """An inventory file of the plugin, with a kubeconfig of one context a cluster, and the real ansible-inventory."""

    def __init__(self, folder: Path, clusters: Mapping[str, Cluster | Path], name: str = "shop.skupper.yml") -> None:
        self.ansible = Ansible(folder)
        self.ansible.inventory = self.file = folder / "inventory" / name
        self.file.parent.mkdir()
        self.kubeconfig = write_kubeconfig(self.file.parent / "kubeconfig", clusters)
        self.ansible.environment["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] = "true"

    def write(self, **options: Any) -> Inventory:
        """Write the file anew."""
        content = {"plugin": PLUGIN, "kubeconfig": "kubeconfig", **options}
        self.file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return self

    def list(self, *arguments: str) -> Listed:
        """Return what the file makes."""
        done = self.call("--list", *arguments)
        if done.returncode != 0:
            return Listed(done.returncode, done.stdout, " ".join(done.stderr.split()))
        document = plain(json.loads(done.stdout[done.stdout.index("{") :]))
        groups = {name: sorted(group.get("hosts", [])) for name, group in document.items() if name != "_meta"}
        return Listed(0, done.stdout, " ".join(done.stderr.split()), document["_meta"]["hostvars"], groups)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ansible-inventory."""
        command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(self.file), *arguments]
        environment = self.ansible.environment
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT, cwd=self.file.parent, env=environment
        )

    def run(self, playbook: str, *arguments: str, **options: Any) -> Run:
        """Run a playbook on it."""
        return self.ansible.run(playbook, *arguments, **options)


def plain(value: Any) -> Any:
    """Return values without the marks that ansible-core from 2.19 on puts on what is no template."""
    if isinstance(value, dict):
        inner = {key: plain(entry) for key, entry in value.items()}
        return inner.get("__ansible_unsafe", inner)
    return [plain(entry) for entry in value] if isinstance(value, list) else value


def uid(cluster: Cluster, namespace: str) -> str:
    """Return what Skupper tells the site apart by."""
    sites = cluster.list_skupper(namespace, "Site")
    if sites:
        return str(sites[0]["metadata"]["uid"])
    return str(cluster.core.read_namespaced_config_map("skupper-site", namespace).metadata.uid)


def say(cluster: Cluster, namespace: str, *entries: Any) -> None:
    """Write the view of the network that a controller writes."""
    text = json.dumps({"addresses": None, "siteStatus": list(entries)})
    say_text(cluster, namespace, text)


def say_text(cluster: Cluster, namespace: str, text: str) -> None:
    body = {"metadata": {"name": "skupper-network-status"}, "data": {"NetworkStatus": text}}
    cluster.core.create_namespaced_config_map(namespace, body)


def entry(name: str, identity: str, platform: str = "kubernetes", mode: str = "interior", **more: Any) -> Any:
    site = {"name": name, "identity": identity, "platform": platform, "siteVersion": "2.2.1", **more}
    return {"site": site, "routerStatus": [{"router": {"mode": mode}, "links": None}]}


@pytest.fixture
def shop() -> str:
    return unique("inv")


# -- from contexts


def test_a_named_namespace_in_every_context(clusters: Take, shop: str, tmp_path: Path) -> None:
    east, west, bare = clusters(3)
    east.make_v2_site(shop)
    west.make_v1_site(shop)
    bare.create_namespace(shop)
    inventory = Inventory(tmp_path, {"prod-east": east, "prod-west": west, "prod-bare": bare, "lab": bare})
    listed = inventory.write(contexts=[{"match": "prod-*", "namespaces": [shop]}]).list()
    listed.warned(f"there is no Skupper site in namespace {shop} of context prod-bare")
    common = {
        "skupper_site_kubeconfig": str(inventory.kubeconfig),
        "skupper_site_namespace": shop,
        "skupper_site_platform": "kubernetes",
    }
    seen = {"skupper_seen_name": shop, "skupper_seen_release": "", "skupper_seen_role": "interior"}
    nothing = dict.fromkeys(("skupper_seen_id", "skupper_seen_name", "skupper_seen_release", "skupper_seen_role"), "")
    assert listed.hosts == {
        "prod-east": {
            **common,
            **seen,
            "skupper_seen_id": uid(east, shop),
            "skupper_site_context": "prod-east",
            "skupper_site_version": "v2",
        },
        "prod-west": {
            **common,
            **seen,
            "skupper_seen_id": uid(west, shop),
            "skupper_site_context": "prod-west",
            "skupper_site_version": "v1",
        },
        "prod-bare": {**common, **nothing, "skupper_site_context": "prod-bare"},
    }
    every = ["prod-bare", "prod-east", "prod-west"]
    assert listed.groups["skupper_sites"] == listed.groups["skupper_kubernetes"] == every
    assert (listed.groups["skupper_v2"], listed.groups["skupper_v1"]) == (["prod-east"], ["prod-west"])
    assert listed.groups["skupper_interior"] == ["prod-east", "prod-west"]
    assert "skupper_unreached" not in listed.groups
    graph = inventory.call("--graph")
    assert graph.returncode == 0
    assert "|--@skupper_v1:\n  |  |--prod-west" in graph.stdout


def test_patterns_of_namespaces_find_sites(clusters: Take, shop: str, tmp_path: Path) -> None:
    east, west = clusters(2)
    east.make_v2_site(f"{shop}-a")
    east.make_v1_site(f"{shop}-b")
    east.create_namespace(f"{shop}-none")
    both = f"{shop}-both"
    west.make_v1_site(both)
    west.create_skupper(both, "Site", "new", {"edge": True})
    west.create_namespace(f"{shop}-edge")
    west.create_skupper(f"{shop}-edge", "Site", "rim", {"edge": True})
    inventory = Inventory(tmp_path, {"east": east, "west": west}, "skupper_tls.yaml")
    rules = [
        {"match": "west", "namespaces": [f"{shop}-edge"], "variables": {"first": True}},
        {"match": "*", "namespaces": [f"{shop}-*"]},
    ]
    listed = inventory.write(contexts=rules).list().good()
    versions = {name: host.get("skupper_site_version") for name, host in listed.hosts.items()}
    expected = {f"east-{shop}-a": "v2", f"east-{shop}-b": "v1", f"west-{both}": None, "west": "v2"}
    assert versions == expected, "the first rule for a namespace counts; v1 and v2 in one namespace is left open"
    assert listed.hosts["west"]["first"] is True
    assert listed.groups["skupper_edge"] == ["west"]
    only = inventory.write(contexts=rules[1:], versions=["v1"]).list().good()
    assert sorted(only.hosts) == sorted([f"east-{shop}-b", f"west-{both}"])


def test_the_namespace_of_the_context(clusters: Take, shop: str, tmp_path: Path) -> None:
    [east] = clusters(1)
    east.make_v2_site(shop)
    inventory = Inventory(tmp_path, {"east": east})
    other = write_kubeconfig(inventory.file.parent / "other", {"own": east}, namespace=shop)
    listed = inventory.write(contexts=[{"match": "own", "kubeconfig": "other"}], kubeconfig=None).list().good()
    assert listed.hosts["own"]["skupper_site_namespace"] == shop
    assert listed.hosts["own"]["skupper_site_kubeconfig"] == str(other)
    inventory.ansible.environment["K8S_AUTH_KUBECONFIG"] = str(other)
    listed = inventory.write(contexts=[{"match": "own"}], kubeconfig=None).list().good()
    assert "skupper_site_kubeconfig" not in listed.hosts["own"], "the modules read the same environment variable"
    assert listed.hosts["own"]["skupper_site_version"] == "v2"


def test_constructed(clusters: Take, shop: str, tmp_path: Path) -> None:
    [east] = clusters(1)
    for name in ("a", "b"):
        east.make_v2_site(f"{shop}-{name}")
    inventory = Inventory(tmp_path, {"east": east})
    options: dict[str, Any] = {
        "contexts": [{"match": "east", "namespaces": [f"{shop}-*"], "variables": {"doubled": "{{ 21 * 2 }}"}}],
        "host_name": f"skupper_site_namespace | replace('{shop}', 'site')",
        "group": "sites",
        "compose": {"where": "skupper_site_context ~ '/' ~ skupper_seen_name", "twice": "doubled"},
        "groups": {"canary": "skupper_seen_name.endswith('-a')"},
        "keyed_groups": [{"key": "skupper_seen_role", "prefix": "role"}],
        "strict": True,
    }
    listed = inventory.write(**options).list().good()
    assert {name: host["where"] for name, host in listed.hosts.items()} == {
        "site-a": f"east/{shop}-a",
        "site-b": f"east/{shop}-b",
    }
    assert listed.groups["sites"] == ["site-a", "site-b"]
    assert listed.groups["canary"] == ["site-a"]
    assert listed.groups["role_interior"] == ["site-a", "site-b"]
    debug = {"ansible.builtin.debug": {"var": "doubled"}}
    play = [{"name": "P", "hosts": "site-a", "gather_facts": False, "tasks": [debug]}]
    assert inventory.ansible.play(play).good().events[0].result["doubled"] in (42, "42")
    inventory.write(**{**options, "compose": {"where": "nowhere.at.all"}}).list().bad("where")
    inventory.write(**{**options, "host_name": "nowhere.at.all"}).list().bad("host_name", "nowhere.at.all")
    clash = inventory.write(**{**options, "host_name": "skupper_site_context"}).list()
    clash.bad("two sites would be the host east", shop)


def test_a_user_of_one_namespace(clusters: Take, shop: str, tmp_path: Path) -> None:
    """Who may read one namespace names it; a pattern needs to read the cluster, and says so."""
    [east] = clusters(1)
    east.make_v2_site(shop)
    rules = [{"apiGroups": [GROUP], "resources": ["sites"], "verbs": ["list"]}]
    inventory = Inventory(tmp_path, {"east": east.make_user(shop, "reader", rules)})
    named = inventory.write(contexts=[{"match": "east", "namespaces": [shop]}]).list().good()
    assert named.hosts["east"]["skupper_site_version"] == "v2"
    pattern = [{"match": "east", "namespaces": [f"{shop}*"]}]
    inventory.write(contexts=pattern).list().bad("site east", "not permitted", "list", "name the namespaces")


# -- a context that does not answer


@pytest.fixture
def pair(clusters: Take, shop: str, tmp_path: Path) -> tuple[Inventory, Cluster, Cluster]:
    east, west = clusters(2)
    if not west.owned:
        pytest.skip("the server is not ours to kill")
    east.make_v2_site(shop)
    west.make_v2_site(shop)
    return Inventory(tmp_path, {"east": east, "west": west}), east, west


def test_a_context_that_does_not_answer(pair: tuple[Inventory, Cluster, Cluster], shop: str) -> None:
    inventory, dummy, west = pair
    named, pattern = ([{"match": "*", "namespaces": [text]}] for text in (shop, f"{shop}*"))
    west.kill()
    try:
        inventory.write(contexts=named).list().bad("shop.skupper.yml: site west: the API server", "cannot be reached")
        warned = inventory.write(contexts=named, on_unreachable="warn").list().warned("site west: the API server")
        assert sorted(warned.hosts) == ["east", "west"], "a named site is not left out"
        assert warned.groups["skupper_v2"] == ["east"]
        blind = inventory.write(contexts=named, look=False).list().good()
        assert sorted(blind.hosts) == ["east", "west"]
        assert "skupper_v2" not in blind.groups
        found = inventory.write(contexts=pattern, on_unreachable="warn").list().warned("site west: the API server")
        assert sorted(found.hosts) == [f"east-{shop}"]
        entry_site = {"context": "west", "namespace": shop}
        inventory.write(entry=entry_site, on_unreachable="warn").list().bad("site west, entry: the API server")
    finally:
        west.start()


@pytest.mark.parametrize("named", [True, False])
def test_the_cache_needs_no_server(pair: tuple[Inventory, Cluster, Cluster], shop: str, named: bool) -> None:
    inventory, east, west = pair
    cache = inventory.file.parent.parent / "cache"
    kept = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(cache)}
    options: dict[str, Any] = {"contexts": [{"match": "*", "namespaces": [shop if named else f"{shop}*"]}], **kept}
    if not named:
        say(east, shop, entry("one", uid(east, shop)), entry("two", uid(west, shop)), entry("till", "t", "linux"))
        options["entry"] = {"context": "east", "namespace": shop}
        options["reach"] = {"till": {"ansible_host": "till.example.net", "note": "{{ 21 * 2 }}"}}
    first = inventory.write(**options).list().good()
    assert first.hosts
    assert [file for file in cache.rglob("*") if file.is_file()]
    east.kill()
    west.kill()
    try:
        second = inventory.list().good()
        assert (second.hosts, second.groups) == (first.hosts, first.groups)
        inventory.run("verify", "--list-hosts", "--flush-cache").bad("cannot be reached")
        inventory.write(**{**options, "request_timeout": 20}).list().bad("cannot be reached")
        inventory.write(**{**options, "cache": False}).list().bad("cannot be reached")
    finally:
        east.start()
        west.start()


def test_what_was_found_in_part_is_not_cached(pair: tuple[Inventory, Cluster, Cluster], shop: str) -> None:
    inventory, dummy, west = pair
    cache = str(inventory.file.parent.parent / "cache")
    kept = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": cache}
    inventory.write(contexts=[{"match": "*", "namespaces": [f"{shop}*"]}], on_unreachable="warn", **kept)
    west.kill()
    try:
        assert len(inventory.list().warned("site west").hosts) == 1
    finally:
        west.start()
    assert len(inventory.list().good().hosts) == 2


# -- from a running network


def test_the_view_of_a_v2_network(clusters: Take, shop: str, tmp_path: Path) -> None:
    east, west, far = clusters(3)
    east.make_v2_site(shop, "one")
    west.make_v2_site(shop, "two")
    far.make_v2_site(shop, "other")  # of another network, and namespace and context fit
    say(
        east,
        shop,
        entry("one", uid(east, shop), namespace=shop),
        entry("two", uid(west, shop), namespace=shop, mode="edge"),
        entry("lost", "u-lost", namespace=shop),
        entry("till-1", "u-till", "podman", mode="edge", namespace="till"),
        entry("till-2", "u-till-2", "systemd", namespace="till"),
        entry("hub", "u-hub", namespace="hub"),
    )
    inventory = Inventory(tmp_path, {"east": east, "west": west, "far": far})
    options: dict[str, Any] = {
        "entry": {"context": "east", "namespace": shop, "variables": {"is_entry": True}},
        "contexts": [{"match": "*", "variables": {"found": True}}],
        "reach": {
            "till-1": {"ansible_host": "till-1.example.net"},
            "hu*": {"skupper_site_context": "hub", "skupper_site_kubeconfig": "/etc/hub.kubeconfig"},
        },
    }
    listed = inventory.write(**options).list()
    listed.warned("no way to site lost is known", "no way to site till-2 is known")
    variables = {
        name: {key: value for key, value in host.items() if not key.startswith("skupper_seen")}
        for name, host in listed.hosts.items()
    }
    kubeconfig = {"skupper_site_kubeconfig": str(inventory.kubeconfig)}

    def common(platform: str, namespace: str) -> dict[str, str]:
        return {
            "skupper_site_platform": platform,
            "skupper_site_namespace": namespace,
            "skupper_site_version": "v2",
        }

    assert variables == {
        "one": {**common("kubernetes", shop), **kubeconfig, "skupper_site_context": "east", "is_entry": True},
        "two": {**common("kubernetes", shop), **kubeconfig, "skupper_site_context": "west", "found": True},
        "lost": {**common("kubernetes", shop), "skupper_site_context": "no-way-known"},
        "till-1": {**common("podman", "till"), "ansible_host": "till-1.example.net"},
        "till-2": {**common("linux", "till"), "ansible_host": "no-way-known.invalid"},
        "hub": {**common("kubernetes", "hub"), **options["reach"]["hu*"]},
    }
    assert listed.hosts["two"]["skupper_seen_id"] == uid(west, shop)
    assert listed.hosts["two"]["skupper_seen_release"] == "2.2.1"
    assert listed.groups["skupper_unreached"] == ["lost", "till-2"]
    assert listed.groups["skupper_edge"] == ["till-1", "two"]
    assert listed.groups["skupper_linux"] == ["till-2"]
    assert listed.groups["skupper_podman"] == ["till-1"]
    assert len(listed.groups["skupper_sites"]) == len(listed.groups["skupper_v2"]) == 6

    options["reach"] = {"lost": {"skupper_site_context": "west"}, "till-*": {}, "*": {"tier": 1}, "gone": {}}
    again = inventory.write(**options).list().warned("no way to site hub is known", "reach.gone: the network has no")
    assert again.groups["skupper_unreached"] == ["hub"]
    assert again.hosts["hub"]["tier"] == again.hosts["two"]["tier"] == 1, "variables that are no way do no harm"
    assert again.hosts["two"]["skupper_site_context"] == "west"
    options["reach"]["hub"] = {"skupper_site_host": "https://hub.example.net"}
    again = inventory.write(**options).list().warned("reach.gone: the network has no such site")
    assert "skupper_unreached" not in again.groups


def test_the_view_of_a_v1_network(clusters: Take, shop: str, tmp_path: Path) -> None:
    """1.x spells nameSpace, and a build from source has no version."""
    east, west = clusters(2)
    for cluster in (east, west):
        cluster.make_v1_site(shop)
    say(
        east,
        shop,
        entry("one", uid(east, shop), nameSpace=shop, siteVersion="1.9.6"),
        entry("two", uid(west, shop), nameSpace=shop, siteVersion="5a16a97"),
        entry("old", "u-old", nameSpace=shop, siteVersion="1.9.6", endTime=1696195725000000),
    )
    inventory = Inventory(tmp_path, {"east": east, "west": west})
    rules = [{"match": "*", "namespaces": [f"{shop}*"]}]
    listed = inventory.write(entry={"context": "east", "namespace": shop}, contexts=rules).list().good()
    assert listed.groups["skupper_v1"] == listed.groups["skupper_interior"] == ["one", "two"]
    assert {name: host["skupper_site_context"] for name, host in listed.hosts.items()} == {"one": "east", "two": "west"}


def test_the_view_in_the_status_of_the_site(clusters: Take, shop: str, tmp_path: Path) -> None:
    """Newer 2.x keeps the view there alone. The entry site is a host though the view does not have it yet."""
    [east] = clusters(1)
    east.make_v2_site(shop, "one")
    record = {"id": "u-2", "name": "two", "namespace": "till", "platform": "linux", "version": "2.2.1"}
    east.custom.patch_namespaced_custom_object_status(
        GROUP, VERSION, shop, "sites", "one", {"status": {"network": [record], "controller": {"version": "2.3.0"}}}
    )
    inventory = Inventory(tmp_path, {"east": east})
    listed = inventory.write(entry={"context": "east", "namespace": shop}, reach={"two": {}}).list().good()
    assert sorted(listed.hosts) == ["one", "two"]
    assert listed.hosts["one"]["skupper_seen_release"] == "2.3.0"
    assert listed.hosts["two"]["skupper_site_namespace"] == "till"
    assert listed.groups["skupper_linux"] == ["two"]


def test_a_context_that_does_not_answer_matters_only_if_a_site_may_be_there(
    pair: tuple[Inventory, Cluster, Cluster], shop: str
) -> None:
    inventory, east, west = pair
    say(east, shop, entry("one", uid(east, shop)), entry("two", uid(west, shop), namespace=shop))
    options: dict[str, Any] = {"entry": {"context": "east", "namespace": shop}, "contexts": [{"match": "*"}]}
    west.kill()
    try:
        inventory.write(**options).list().bad("site west: the API server", "cannot be reached")
        inventory.write(**options, on_unreachable="warn").list().warned("site west", "no way to site two is known")
        reach = {"two": {"skupper_site_context": "west"}}
        assert sorted(inventory.write(**options, reach=reach).list().good().hosts) == ["one", "two"]
    finally:
        west.start()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", ["NetworkStatus of ConfigMap skupper-network-status", "no JSON"]),
        ('{"siteStatus": 1}', ["no object with a list siteStatus"]),
        ("", ["the site does not say which sites its network has", "controller and router"]),
    ],
)
def test_a_view_that_cannot_be_used(clusters: Take, shop: str, tmp_path: Path, text: str, said: list[str]) -> None:
    [east] = clusters(1)
    east.make_v2_site(shop)
    say_text(east, shop, text)
    inventory = Inventory(tmp_path, {"east": east})
    inventory.write(entry={"context": "east", "namespace": shop}).list().bad("site east", *said)


def test_an_entry_that_is_no_site(clusters: Take, shop: str, tmp_path: Path) -> None:
    [east] = clusters(1)
    inventory = Inventory(tmp_path, {"east": east})
    wrong = inventory.write(entry={"context": "east", "namespace": shop}).list()
    wrong.bad("site east, entry.namespace: there is no Skupper site in namespace")


# -- what is refused


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, ["contexts: is not given, and entry neither"]),
        ({"contexts": [{"match": "nowhere-*"}]}, ["contexts[0].match", "nowhere-*; the contexts are east"]),
        ({"contexts": [{"match": "*"}], "contxts": 1}, ["contxts: is no option of this plugin"]),
        ({"contexts": [{"mach": "*"}]}, ["contexts.mach", "missing required arguments: match"]),
        ({"contexts": ["east"]}, ["contexts"]),
        ({"contexts": [{"match": "*"}], "reach": {"x": {}}}, ["reach: is for the sites of a network"]),
        ({"entry": {"context": "east"}}, ["missing required arguments: namespace"]),
        ({"contexts": [{"match": "*"}], "versions": ["v3"]}, ["versions"]),
        (
            {"contexts": [{"match": "*", "namespaces": ["a/../b"]}], "entry": {"namespace": "A"}},
            ["contexts[0].namespaces: is not an RFC 1123 label", "entry.namespace: is not an RFC 1123 label"],
        ),
        ({"contexts": [{"match": "*"}], "on_unreachable": "shrug"}, ["on_unreachable"]),
        ({"contexts": [{"match": "*"}], "kubeconfig": "nowhere"}, ["kubeconfig: the kubeconfig cannot be read"]),
        (
            {"contexts": [{"match": "*"}], "kubeconfig": {"users": [{"user": {"token": "HUSH"}}]}},
            ["contexts[0].kubeconfig: takes paths only", "Write it to a file"],
        ),
        (
            {"contexts": [{"match": "*", "kubeconfig": "users:\n- user: {token: HUSH}\n"}]},
            ["contexts[0].kubeconfig: takes paths only"],
        ),
        (
            {"contexts": [{"match": "*", "variables": {"skupper_site_api_key": "HUSH", "skupper_site_context": "x"}}]},
            ["contexts[0].variables.skupper_site_api_key: is a secret", "contexts[0].variables.skupper_site_context"],
        ),
        (
            {"entry": {"namespace": "x"}, "reach": {"a": {"ansible_password": "HUSH"}, "b": 3}},
            ["reach.a.ansible_password: is a secret", "reach.b: is no dictionary"],
        ),
    ],
)
def test_bad_files(clusters: Take, tmp_path: Path, options: dict[str, Any], said: list[str]) -> None:
    inventory = Inventory(tmp_path, {"east": clusters(1)[0]})
    listed = inventory.write(**options).list("-vvvv").bad(*said)
    assert "HUSH" not in listed.said + listed.text


def test_a_file_of_another_name_is_left_to_others(clusters: Take, tmp_path: Path) -> None:
    inventory = Inventory(tmp_path, {"east": clusters(1)[0]}, "shop.yml")
    inventory.write(contexts=[{"match": "*"}]).list().bad("shop.yml")


# -- secrets


def test_no_credential_is_told_or_cached(clusters: Take, shop: str, tmp_path: Path) -> None:
    east, west = clusters(2)
    for cluster in (east, west):
        cluster.make_v2_site(shop)
    rules = [{"apiGroups": ["", GROUP], "resources": ["configmaps", "sites"], "verbs": ["get", "list"]}]
    inventory = Inventory(tmp_path / "run", {"east": east.make_user(shop, "reader", rules), "west": west})
    users = yaml.safe_load(inventory.kubeconfig.read_text())["users"]
    credentials = [value for user in users for value in user["user"].values()]
    assert len(credentials) >= 2
    # As base64 they stand in the kubeconfig; a part is enough to find one that was cut or decoded and encoded anew.
    needles = [value[start : start + 24] for value in credentials for start in range(0, len(value) - 24, 12)]
    cache = tmp_path / "cache"
    kept = {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(cache)}
    inventory.ansible.environment["ANSIBLE_LOG_PATH"] = str(tmp_path / "log")
    say(east, shop, entry("one", uid(east, shop)), entry("two", uid(west, shop), namespace=shop))
    texts = []
    for source in (
        {"contexts": [{"match": "*", "namespaces": [shop]}]},
        {"entry": {"context": "east", "namespace": shop}, "contexts": [{"match": "*"}]},
    ):
        inventory.write(**source, **kept)
        for arguments in (["--list", "-vvvv"], ["--list", "--yaml"], ["--graph", "--vars"], ["--list", "--export"]):
            done = inventory.call(*arguments)
            assert done.returncode == 0, done.stderr
            texts += [done.stdout, done.stderr]
    files = [file for file in [*cache.rglob("*"), tmp_path / "log"] if file.is_file()]
    assert len(files) >= 2
    whole = "\n".join([*texts, *(file.read_text() for file in files)])
    assert str(inventory.kubeconfig) in whole
    assert [needle for needle in needles if needle in whole] == []
    assert any(needle in inventory.kubeconfig.read_text() for needle in needles)


# -- a run


def from_plugin(network: KubeNetwork, **options: Any) -> Inventory:
    """Return an inventory of the plugin for a network's sites, its variables in group_vars beside the file."""
    inventory = Inventory(network.folder / "plugin", network.clusters)
    inventory.write(contexts=[{"match": "*", "namespaces": [network.namespace]}], **options)
    variables = {key: value for key, value in network.variables.items() if not key.startswith("skupper_site_")}
    folder = inventory.file.parent / "group_vars"
    folder.mkdir()
    text = yaml.safe_dump(json.loads(json.dumps(variables, default=str)))
    (folder / "skupper_sites.yml").write_text(text, encoding="utf-8")
    return inventory


@pytest.mark.smoke
@pytest.mark.parametrize("version", ["v2", "v1"])
def test_rollout(clusters: Take, tmp_path: Path, version: str) -> None:
    network = KubeNetwork(tmp_path, clusters(3), version)
    inventory = from_plugin(network, keyed_groups=[{"key": "skupper_site_version", "prefix": "version"}])
    first = inventory.run("multisite.skupper_tls.rollout").good()
    assert sorted(first.recap) == sorted(SITES)
    assert first.count("changed")
    same_everywhere(network)
    before = network.snapshot()
    assert inventory.run("multisite.skupper_tls.rollout").good().count("changed") == 0
    assert network.snapshot() == before


def test_a_site_that_is_not_reached_stops_a_rollout(clusters: Take, tmp_path: Path) -> None:
    """Not even by the current context, which has the namespace of the site as well."""
    network = KubeNetwork(tmp_path, clusters(3))
    inventory = from_plugin(network)
    say(
        network.clusters["east"],
        network.namespace,
        *(entry(name, uid(cluster, network.namespace)) for name, cluster in network.clusters.items()),
        entry("lost", "u-lost", namespace=network.namespace),
        entry("till", "u-till", "linux", namespace="till"),
    )
    rules = [{"match": "*", "namespaces": [network.namespace]}]
    inventory.write(entry={"context": "east", "namespace": network.namespace}, contexts=rules)
    before = network.snapshot()
    inventory.ansible.environment["K8S_AUTH_KUBECONFIG"] = str(inventory.kubeconfig)
    inventory.run("multisite.skupper_tls.rollout").bad("no-way-known")
    assert network.snapshot() == before
    without = {"skupper_tls_hosts": "skupper_sites:!skupper_unreached"}
    assert sorted(inventory.run("multisite.skupper_tls.rollout", extra=without).good().recap) == sorted(SITES)
