# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs at once, as the slices of a sliced job: one CA, one certificate, and all of them agree."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command

COUNT = 10
PROCESSES = multiprocessing.get_context("fork")


def _run(store: dict[str, Any], start: Any, results: Any) -> None:
    try:
        start.wait()
        authority = command("authority", {"store": store})
        certificate = command("certificate", {"store": store, "name": "s", "alternative_names": ["payments"]})
        results.put((authority, certificate))
    except BaseException as error:
        results.put((repr(error), {}))


def run_together(store: dict[str, Any]) -> list[tuple[Any, Any]]:
    start, results = PROCESSES.Barrier(COUNT), PROCESSES.Queue()
    runners = [PROCESSES.Process(target=_run, args=(store, start, results)) for dummy in range(COUNT)]
    for runner in runners:
        runner.start()
    said = [results.get(timeout=60) for dummy in runners]
    for runner in runners:
        runner.join()
    return said


@pytest.mark.parametrize("kind", ["directory", "kubernetes"])
def test_ten_runs_at_once(clusters: Any, tmp_path: Path, kind: str) -> None:
    store: dict[str, Any] = {"type": "directory", "path": str(tmp_path / "store"), "passphrase": "pw"}
    if kind == "kubernetes":
        (cluster,) = clusters(1)
        namespace = cluster.create_namespace(unique("store"))
        store = {"type": "kubernetes", "namespace": namespace, "kubeconfig": str(cluster.kubeconfig)}
    said = run_together(store)
    for authority, certificate in said:
        assert isinstance(authority, dict), authority
        assert not authority.get("failed"), authority
        assert not certificate.get("failed"), certificate
    assert len({authority["authority"]["sha256"] for authority, dummy in said}) == 1
    assert len({certificate["certificate"]["sha256"] for dummy, certificate in said}) == 1
    assert [authority["changed"] for authority, dummy in said].count(True) == 1
    assert [certificate["changed"] for dummy, certificate in said].count(True) == 1
    assert {certificate["revision"] for dummy, certificate in said} == {1}
    again = run_together(store)
    assert not any(authority["changed"] or certificate["changed"] for authority, certificate in again)
