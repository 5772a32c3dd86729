# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 6: a run that is killed at any moment is finished by running it again, and there is no second CA."""

from __future__ import annotations

import time
from collections.abc import Callable
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
POINTS = 8
CHECKED = (2, 5)  # a third run each would take too long


@pytest.mark.parametrize("kind", ["system", "v2"])
def test_killed_at_any_moment(clusters: Take, tmp_path: Path, kind: str) -> None:
    def network(name: str) -> Any:
        return SystemNetwork(tmp_path / name) if kind == "system" else KubeNetwork(tmp_path / name, clusters(3))

    seconds, hit = measure(network("measure")), 0
    for point in range(POINTS):
        one = network(f"point{point}")
        one.ansible.write_inventory(one.inventory)
        run = one.ansible.start()
        wait_for_first_write(run, seconds * point / POINTS)
        hit += run.process.poll() is None
        run.kill()
        finished = one.run().good()
        assert finished.count("failed") == 0
        held = same_everywhere(one, SERVER, CA)
        openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"])
        for records in (store_records(one, "authority"), store_records(one, "certificate")):
            assert [(len(record["revisions"]), record["revision"]) for record in records.values()] == [(1, 1)], records
        assert all(one.exposed(site) for site in one.hosts)
        if point in CHECKED:
            assert one.run().good().count("changed") == 0
    assert hit >= POINTS - 2, f"only {hit} runs were killed before their end"


def measure(network: Any) -> float:
    """Return how long the part of a run takes that writes: from the end of preflight to the start of verify."""
    times = [event.time for event in network.run().good().events if not event.play.startswith(("Preflight", "Verify"))]
    return max(times) - min(times)


def wait_for_first_write(run: Any, more: float) -> None:
    """Wait until preflight is over, which writes nothing, and then some more."""
    deadline = time.monotonic() + 60
    while run.process.poll() is None and time.monotonic() < deadline:
        if "Tell every problem" in run._events.read_text():
            time.sleep(more)
            return
        time.sleep(0.01)
