# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several rollouts at once on one store: one CA, one certificate, and all sites agree."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    KubeNetwork,
    SystemNetwork,
    openssl_verify,
    same_everywhere,
    store_records,
)
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
SLICES = (("--limit", "east"), ("--limit", "west"), ("--limit", "edge"))


def at_once(network: Any, arguments: Sequence[Sequence[str]]) -> None:
    """Run as many rollouts at once as there are arguments, then one more, and check what they left."""
    # A key that takes long to make: every run looks at the store before any has written to it.
    network.variables["skupper_tls_authority"] = {"key_type": "rsa-3072"}
    network.variables["skupper_tls_certificate"] = {"key_type": "rsa-2048"}
    network.ansible.write_inventory(network.inventory)
    started = [network.ansible.start("multisite.skupper_tls.rollout", *each) for each in arguments]
    told: dict[str, set[str]] = {"authority": set(), "certificate": set()}
    for one in started:
        try:
            run = one.wait()
        finally:
            one.kill()
        assert "Traceback" not in run.output
        for event in run.events:
            if event.play.startswith("Issue"):
                results = event.result.get("results") or [event.result]
                for result in (said for said in results if "revision" in said):
                    kind = "certificate" if "certificate" in result else "authority"
                    told[kind].add(result[kind]["sha256"])
        if run.code:
            conflicts = ("changed while it was being written", "changed by another run")
            assert any(conflict in run.output for conflict in conflicts), run.output
    assert [len(fingerprints) for fingerprints in told.values()] == [1, 1], f"they do not agree: {told}"
    network.run().good()
    assert network.run().good().count("changed") == 0


def check(network: Any, folder: Path) -> None:
    held = same_everywhere(network, SERVER, CA)
    openssl_verify(folder, held[SERVER], held[CA]["ca.crt"])
    for kind in ("authority", "certificate"):
        records = documents(network, kind)
        assert [len(record["revisions"]) for record in records] == [1], f"{kind}: more than one was issued"
    providing_alone = getattr(network, "version", "") == "v1"  # Skupper itself sends the entry to the others
    assert all(network.exposed(site) for site in (["east"] if providing_alone else network.hosts))


def documents(network: Any, kind: str) -> list[Any]:
    if not getattr(network, "store_namespace", ""):
        return list(store_records(network, kind).values())
    label = f"multisite.skupper-tls/record={kind}"
    found = network.clusters["edge"].core.list_namespaced_secret(network.store_namespace, label_selector=label).items
    return [json.loads(base64.b64decode(item.data["record.json"])) for item in found]


@pytest.mark.parametrize("arguments", [[()] * 2, [()] * 4, SLICES], ids=["two", "four", "slices"])
def test_directory_store(tmp_path: Path, arguments: Sequence[Sequence[str]]) -> None:
    network = SystemNetwork(tmp_path / "run")
    at_once(network, arguments)
    check(network, tmp_path / "openssl")


@pytest.mark.parametrize("arguments", [[()] * 2, [()] * 4, SLICES], ids=["two", "four", "slices"])
def test_kubernetes_store(clusters: Take, tmp_path: Path, arguments: Sequence[Sequence[str]]) -> None:
    version = "v1" if len(arguments) == 2 else "v2"
    network = KubeNetwork(tmp_path / "run", clusters(3), version=version, store="kubernetes", passphrase="of the store")
    at_once(network, arguments)
    check(network, tmp_path / "openssl")
