# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What markers of sites and the view of a running network are read as."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SiteError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import network
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.network import SeenSite


def status(*entries: Any) -> str:
    return json.dumps({"addresses": [], "siteStatus": list(entries)})


def site(**fields: Any) -> dict[str, Any]:
    return {"site": fields, "routerStatus": None}


# -- versions and names


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("1.9.6", "v1"),
        ("v1.9.6", "v1"),
        ("2.2.1", "v2"),
        ("2.1.0-rh-1", "v2"),
        ("5a16a97", ""),
        ("1a16a97", ""),
        ("3.0.0", ""),
        ("21.0", ""),
        ("", ""),
    ],
)
def test_major(release: str, version: str) -> None:
    assert network.major(release) == version


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("east", "east"),
        ("arn:aws:eks:eu-west-1:123:cluster/shop", "arn-aws-eks-eu-west-1-123-cluster-shop"),
        ("default/api-shop:6443/kube:admin", "default-api-shop-6443-kube-admin"),
        ("public 1", "public-1"),
        ("a.b_c-d", "a.b_c-d"),
        (":/", ""),
    ],
)
def test_host_name(text: str, name: str) -> None:
    assert network.host_name(text) == name


# -- markers


@pytest.mark.parametrize(
    ("spec", "role"), [({}, "interior"), ({"edge": True}, "edge"), ({"routerMode": "edge"}, "edge"), (None, "interior")]
)
def test_site_object(spec: Any, role: str) -> None:
    body = {
        "metadata": {"name": "east", "namespace": "shop", "uid": "u-1"},
        "spec": spec,
        "status": {"controller": {"version": "2.2.1"}},
    }
    assert network.site_of_object(body) == SeenSite("east", "shop", "kubernetes", "v2", "2.2.1", role, "u-1")


def test_site_object_without_status() -> None:
    assert network.site_of_object({"metadata": {"name": "east", "namespace": "shop"}}).release == ""


@pytest.mark.parametrize(
    ("data", "name", "role"),
    [
        ({"name": "west", "router-mode": "interior"}, "west", "interior"),
        ({"name": "west", "router-mode": "edge"}, "west", "edge"),
        ({}, "shop", "interior"),
        (None, "shop", "interior"),
        ({"name": "{{ 7 * 7 }}"}, "shop", "interior"),
    ],
)
def test_site_config_map(data: Any, name: str, role: str) -> None:
    found = network.site_of_config_map({"metadata": {"namespace": "shop", "uid": "u-1"}, "data": data})
    assert found == SeenSite(name, "shop", "kubernetes", "v1", "", role, "u-1")


def test_both_versions_in_a_namespace_are_one_site_of_unknown_version() -> None:
    v2, v1 = SeenSite("a", "shop", version="v2", role="edge"), SeenSite("b", "shop", version="v1")
    other = SeenSite("c", "bank", version="v1")
    assert network.one_a_namespace([v2, v1, other]) == [SeenSite("a", "shop"), other]
    assert network.one_a_namespace([v2, v2]) == [v2]


# -- the network's view


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            {
                "site": {
                    "recType": "SITE",
                    "identity": "9c88f6dc",
                    "startTime": 1696195725000000,
                    "endTime": 0,
                    "platform": "kubernetes",
                    "name": "public1",
                    "nameSpace": "shop",
                    "siteVersion": "1.9.6",
                    "policy": "disabled",
                },
                "routerStatus": [
                    {"router": {"name": "0/public1-skupper-router-5945f87d48-j97sp", "mode": "interior"}, "links": None}
                ],
            },
            SeenSite("public1", "shop", "kubernetes", "v1", "1.9.6", "interior", "9c88f6dc"),
            id="1.x, nameSpace",
        ),
        pytest.param(
            {
                "site": {
                    "identity": "u-2",
                    "name": "west",
                    "namespace": "shop",
                    "platform": "kubernetes",
                    "siteVersion": "2.2.1",
                },
                "routerStatus": [{"router": {"mode": "edge"}}],
            },
            SeenSite("west", "shop", "kubernetes", "v2", "2.2.1", "edge", "u-2"),
            id="2.x",
        ),
        pytest.param(
            {"site": {"identity": "u-3"}, "routerStatus": []},
            SeenSite("u-3", "", "", identity="u-3"),
            id="a site that says nothing but its identity",
        ),
        pytest.param(
            {"site": {"name": "east"}}, SeenSite("east", "", ""), id="a site that says nothing but its name, no routers"
        ),
        pytest.param(
            {
                "site": {"identity": "u", "name": "store", "platform": "Podman"},
                "routerStatus": [{"router": {"mode": "edge"}}, {"router": {"mode": "INTERIOR"}}, None],
            },
            SeenSite("store", "", "podman", role="interior", identity="u"),
            id="case of platform; a headless service's edge router beside an interior one",
        ),
        pytest.param(
            site(identity="u", name="lab", platform="systemd", siteVersion="5a16a97"),
            SeenSite("lab", "", "linux", "", "5a16a97", "", "u"),
            id="the old name of linux; a build from source",
        ),
        pytest.param(
            site(identity="u", name="{{ lookup('pipe', 'id') }}", namespace="a}b", siteVersion="{% x %}"),
            SeenSite("u", "", "", identity="u"),
            id="templates of another site's administrator",
        ),
        pytest.param(
            site(identity="u", name="x", namespace="../secrets"),
            SeenSite("x", "", "", identity="u"),
            id="a namespace that would lead a request astray",
        ),
        pytest.param(site(identity=7, name="x", namespace=["y"]), SeenSite("x", "", ""), id="fields that are no texts"),
    ],
)
def test_network_status(entry: Any, expected: SeenSite) -> None:
    assert network.parse_network_status(status(entry)) == [expected]


@pytest.mark.parametrize("text", ["", "{}", '{"siteStatus": null}', '{"siteStatus": []}'])
def test_a_view_without_sites(text: str) -> None:
    assert network.parse_network_status(text) == []


def test_a_site_that_has_left_is_none() -> None:
    assert network.parse_network_status(status(site(identity="u", name="old", endTime=1696195725000000))) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('"x"', "no object"),
        ('{"siteStatus": {}}', ""),
        ('{"siteStatus": {"a": 1}}', "no object"),
        (status(site()), "neither name nor identity"),
        (status("x"), "neither name nor identity"),
        (status(site(name="{{ x }}")), "neither name nor identity"),
    ],
)
def test_what_is_no_view_is_told(text: str, found: str) -> None:
    if not found:
        assert network.parse_network_status(text) == []  # an empty object is as good as an empty list
        return
    with pytest.raises(SiteError) as told:
        network.parse_network_status(text)
    assert found in told.value.found
    assert "NetworkStatus" in told.value.field
    assert told.value.remedy


def test_the_status_of_a_site_object() -> None:
    body = {
        "status": {
            "network": [
                {"id": "u-1", "name": "east", "namespace": "shop", "platform": "kubernetes", "version": "2.2.1"},
                {"id": "u-2", "name": "store", "platform": "linux", "namespace": "till", "links": []},
            ]
        }
    }
    assert network.sites_of_status(body) == [
        SeenSite("east", "shop", "kubernetes", "v2", "2.2.1", "", "u-1"),
        SeenSite("store", "till", "linux", identity="u-2"),
    ]
    assert network.sites_of_status({}) == []
    with pytest.raises(SiteError, match=r"no list status\.network"):
        network.sites_of_status({"status": {"network": {"a": 1}}})


def test_views_are_united_by_identity() -> None:
    one = [SeenSite("east", "", "", role="edge", identity="u-1"), SeenSite("nameless", "a", "")]
    two = [SeenSite("east", "shop", "linux", "v2", identity="u-1"), SeenSite("east", "shop", identity="u-2")]
    assert network.united(one, two) == [
        SeenSite("east", "shop", "linux", "v2", role="edge", identity="u-1"),
        SeenSite("nameless", "a"),
        SeenSite("east", "shop", identity="u-2"),
    ]


def test_groups() -> None:
    assert SeenSite("a", "b", "podman", "v2", role="edge").groups == ["skupper_v2", "skupper_podman", "skupper_edge"]
    assert SeenSite("a", "b").groups == ["skupper_kubernetes"]
    assert SeenSite("a", "b", "z/os 3").groups == ["skupper_z_os_3"]


# -- rules


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["west", "store-*", "store-1", "u-1"], "u-1"),
        (["west", "store-*", "store-1"], "store-1"),
        (["west", "*", "store-*"], "*"),
        (["west", "STORE-*"], None),
        ([], None),
    ],
)
def test_reach_key(keys: list[str], expected: str | None) -> None:
    assert network.reach_key(SeenSite("store-1", "a", identity="u-1"), keys) == expected


def test_a_site_without_identity_is_not_reached_by_an_empty_key() -> None:
    assert network.reach_key(SeenSite("store-1", "a"), [""]) is None


@pytest.mark.parametrize(
    "variables",
    [
        {"skupper_site_proxy": "http://x", "skupper_site_client_key": "/keys/x", "ansible_ssh_private_key_file": "~/k"},
        {"skupper_site_api_key": "{{ vault_key }}", "ansible_password": "", "skupper_site_kubeconfig": "a:b"},
        {"skupper_tls_store": {"path": "x", "passphrase": "{{ vault_x }}"}},
    ],
)
def test_variables_without_secrets(variables: dict[str, Any]) -> None:
    assert network.variable_problems(variables, "reach.x", {}) == []


@pytest.mark.parametrize(
    ("variables", "field"),
    [
        ({"skupper_site_api_key": "HUSH"}, "reach.x.skupper_site_api_key"),
        ({"ansible_ssh_pass": "HUSH"}, "reach.x.ansible_ssh_pass"),
        ({"ansible_become_password": "HUSH"}, "reach.x.ansible_become_password"),
        ({"skupper_tls_store": {"passphrase": "HUSH"}}, "reach.x.skupper_tls_store.passphrase"),
        ({"a": [{"api_token": "HUSH"}]}, "reach.x.a[0].api_token"),
        ({"skupper_site_kubeconfig": {"users": "HUSH"}}, "reach.x.skupper_site_kubeconfig"),
        ({"skupper_site_kubeconfig": "users:\n- HUSH"}, "reach.x.skupper_site_kubeconfig"),
        ({"skupper_site_namespace": "HUSH"}, "reach.x.skupper_site_namespace"),
    ],
)
def test_what_has_no_place_in_an_inventory(variables: dict[str, Any], field: str) -> None:
    problems = network.variable_problems(variables, "reach.x", {"skupper_site_namespace": "namespaces"})
    assert [problem.field for problem in problems] == [field]
    assert "HUSH" not in str(problems[0])
    assert problems[0].remedy
