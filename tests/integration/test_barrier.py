# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 2: nothing is exposed before every site in the play holds both secrets with the same fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    SITES,
    KubeNetwork,
    SystemNetwork,
    refusing,
    same_everywhere,
)
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
NOTHING: list[list[str]] = [[], [], []]


@pytest.fixture
def network(clusters: Take, tmp_path: Path) -> KubeNetwork:
    return KubeNetwork(tmp_path / "run", clusters(3))


@pytest.mark.parametrize("site", ["east", "edge"])
def test_a_site_that_refuses_secrets_in_a_rollout(network: KubeNetwork, site: str) -> None:
    """The refusal comes after preflight, which cannot see it: an admission policy. East is where run_once runs."""
    with refusing(network, site, "", "secrets"):
        run = network.run().bad(
            "refused by a policy of the test",
            f"{site}: the API server refused to create secrets",
            "nothing is exposed anywhere",
        )
        assert not any(event.play.startswith("Expose") for event in run.events)
        assert [network.exposed(each) for each in SITES] == NOTHING
        assert [bool(network.secret(each, SERVER)) for each in SITES] == [each != site for each in SITES]
        network.run("expose").bad(site, "nothing is exposed anywhere")
        assert [network.exposed(each) for each in SITES] == NOTHING
    network.run().good()
    same_everywhere(network)
    assert all(network.exposed(each) for each in SITES)
    assert network.run().good().count("changed") == 0


def test_a_user_who_may_not_create_secrets(network: KubeNetwork) -> None:
    """Without preflight: the steps distribute and expose by themselves."""
    rules = [
        {"apiGroups": ["skupper.io"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "patch"]},
    ]
    network.use("west", network.clusters["west"].make_user(network.namespace, "writer", rules))
    network.run("issue").good()
    network.run("distribute").bad("west", "not permitted: verb create on secrets", "nothing is exposed anywhere")
    network.run("expose").bad("west", "nothing is exposed anywhere")
    assert [network.exposed(site) for site in SITES] == NOTHING
    more = [{"op": "add", "path": "/rules/1/verbs/-", "value": "create"}]
    network.clusters["west"].rbac.patch_namespaced_role("writer", network.namespace, more)
    network.run().good()
    same_everywhere(network)
    assert all(network.exposed(site) for site in SITES)


def test_a_site_that_is_gone_between_the_steps(network: KubeNetwork) -> None:
    west = network.clusters["west"]
    if not west.owned:
        pytest.skip("a server of ours is needed, to kill it")
    network.run("issue").good()
    west.kill()
    try:
        network.run("distribute").bad("west", "cannot be reached", "nothing is exposed anywhere")
        network.run("expose").bad("west", "cannot be reached", "nothing is exposed anywhere")
    finally:
        west.start()
    assert [network.exposed(site) for site in SITES] == NOTHING
    network.run().good()
    same_everywhere(network)
    assert network.run().good().count("changed") == 0


def test_a_site_that_does_not_answer(network: KubeNetwork) -> None:
    """A network that drops packets: the time that a request may take is the user's to set."""
    west = network.clusters["west"]
    if not west.owned:
        pytest.skip("a server of ours is needed, to pause it")
    network.variables["skupper_site_request_timeout"] = 1
    west.pause()
    try:
        run = network.run().bad("TLS101 west", "cannot be reached", "nothing was written anywhere")
    finally:
        west.resume()
    assert run.seconds < 30
    assert not network.store.exists()
    assert [network.secret(site, CA) for site in SITES] == [{}, {}, {}]


def test_sites_with_different_secrets(network: KubeNetwork) -> None:
    """Each site is whole by itself, but one has another network's certificate: the barrier compares."""
    for step in ("issue", "distribute"):
        network.run(step).good()
    other = SystemNetwork(network.folder.parent / "other")
    other.run().good()
    data = {key: value.decode() for key, value in other.secret("east", SERVER).items()}
    network.clusters["west"].core.patch_namespaced_secret(SERVER, network.namespace, {"stringData": data})
    network.run("expose").bad("TLS601 west", "TLS602", f"Secret/{SERVER}", "nothing is exposed anywhere")
    assert [network.exposed(site) for site in SITES] == NOTHING
    network.run().good()
    same_everywhere(network)


def test_the_module_alone_refuses_without_secrets(network: KubeNetwork) -> None:
    network.play([{"multisite.skupper_tls.service": {}}]).bad("is not complete, so the service is not exposed")
    assert [network.exposed(site) for site in SITES] == NOTHING
