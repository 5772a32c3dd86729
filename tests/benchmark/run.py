# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The benchmark: the same work three ways, on the same API servers, in one run.

    make bench                                    by hand at 24 sites, the other two at 24 and 200
    make bench BENCH_ARGS='--by-hand 24,200'      by hand at 200 as well (a quarter of an hour)
    make bench BENCH_ARGS='--sizes 24 --repeat 1' a quick look

1. ours: ``multisite.skupper_tls.rollout``.
2. by hand: ``by_hand.yml``, kubernetes.core and community.crypto, as a careful user would write it.
3. floor: as many ``debug`` tasks as our play has tasks, in the same plays, run once where ours run once. It is made
   from our own playbooks each time, so it cannot drift.

Each way has namespaces of its own, so each first run writes the same. Every run is checked: exit code, ``changed=0`` on
the second one, and that the sites hold what they should.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.cluster.clusters import Clusters  # noqa: E402

CONTEXTS = ("one", "two", "three")
ADDRESS, PORTS = "payments", (5001, 5002)
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class Measured:
    """One run: seconds on the wall, seconds of CPU of the whole process tree, its peak memory in MiB."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Way:
    """One way of doing the work at one size: its inventory and playbook."""

    name: str
    sites: int
    inventory: Path
    playbook: str
    forks: int


def main() -> int:
    """Run the benchmark, print the table."""
    arguments = _arguments()
    results: dict[str, dict[int, dict[str, Measured]]] = {}
    sizes = [int(size) for size in arguments.sizes.split(",")]
    by_hand = [int(size) for size in arguments.by_hand.split(",") if size != "0"]
    with tempfile.TemporaryDirectory(prefix="skupper-tls-bench-") as temporary, Clusters(CONTEXTS) as clusters:
        folder = Path(temporary)
        for size in sorted({*sizes, *by_hand}):
            ways = ["ours", "floor"] if size in sizes else []
            if size in by_hand:
                ways.append("by hand")
            for name in ways:
                measured = measure(name, size, folder, clusters, arguments)
                results.setdefault(name, {})[size] = measured
    print()
    print("\n".join(report(results, arguments)))
    if arguments.json:
        shown = {
            name: {s: {k: asdict(m) for k, m in runs.items()} for s, runs in by.items()} for name, by in results.items()
        }
        arguments.json.write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")
    missed = [line for line in targets(results) if line[-1] == "missed"]
    return 1 if missed and arguments.check else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="24,200", help="numbers of sites for ours and the floor")
    parser.add_argument("--by-hand", default="24", help="numbers of sites for the playbook by hand, 0 for none")
    parser.add_argument("--repeat", type=int, default=3, help="how often a run without changes is measured (median)")
    parser.add_argument("--forks", type=int, default=10, help="the same for all ways")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    return parser.parse_args()


# -- the three ways


def measure(
    name: str, size: int, folder: Path, clusters: Clusters, arguments: argparse.Namespace
) -> dict[str, Measured]:
    """Return the figures of one way at one size: its first run and the median of its runs without changes."""
    way = prepare(name, size, folder, clusters, arguments.forks)
    print(f"{name}, {size} sites ...", end="", flush=True)
    figures: dict[str, Measured] = {}
    if name != "floor":
        figures["first"], output = run(way)
        if changes(output) == 0:
            raise SystemExit(f"{name}: the first run changed nothing")
        check_sites(way, clusters)
    runs = []
    for _repeat in range(arguments.repeat if name != "by hand" else 1):
        measured, output = run(way)
        if changes(output):
            raise SystemExit(f"{name}: a run that should change nothing changed {changes(output)} things")
        runs.append(measured)
    figures["again"] = sorted(runs, key=lambda measured: measured.wall)[len(runs) // 2]
    print(" " + ", ".join(f"{kind} {measured.wall:.1f} s" for kind, measured in figures.items()), flush=True)
    return figures


def prepare(name: str, size: int, folder: Path, clusters: Clusters, forks: int) -> Way:
    """Make the namespaces and sites for one way, and its inventory."""
    prefix = f"{name.replace(' ', '-')}-{secrets.token_hex(3)}"
    hosts = {}
    for number in range(size):
        context, namespace = CONTEXTS[number % len(CONTEXTS)], f"{prefix}-{number:04d}"
        if name != "floor":
            clusters[context].create_namespace(namespace)
            clusters[context].create_skupper(namespace, "Site", "site", {})
            if number == 0:
                clusters[context].make_workload(namespace, ADDRESS, {"app": ADDRESS})
        hosts[f"site{number:04d}"] = {"skupper_site_context": context, "skupper_site_namespace": namespace}
    work = folder / prefix
    work.mkdir()
    variables: dict[str, Any] = {"skupper_site_kubeconfig": str(clusters.kubeconfig)}
    playbook = "multisite.skupper_tls.rollout"
    if name == "by hand":
        variables.update(
            ansible_connection="local",
            ansible_python_interpreter="{{ ansible_playbook_python }}",
            service={"address": ADDRESS, "ports": list(PORTS), "workload": ADDRESS, "provider": "site0000"},
            pki=str(work / "pki"),
        )
        playbook = str(Path(__file__).with_name("by_hand.yml"))
    else:
        variables.update(
            skupper_tls_store={"type": "directory", "path": str(work / "store")},
            skupper_tls_services=[
                {
                    "address": ADDRESS,
                    "protocol": "http2",
                    "ports": list(PORTS),
                    "workload": {"kind": "deployment", "name": ADDRESS},
                    "providers": ["site0000"],
                }
            ],
        )
    if name == "floor":
        floor = work / "floor.yml"
        floor.write_text(yaml.safe_dump(list(floor_plays()), sort_keys=False), encoding="utf-8")
        playbook = str(floor)
    inventory: dict[str, Any] = {"skupper_sites": {"vars": variables, "hosts": hosts}}
    if name == "by hand":
        inventory["all"] = {
            "hosts": {"localhost": {"ansible_connection": "local"}},
            "vars": {key: variables[key] for key in ("service", "pki", "ansible_python_interpreter")},
        }
    file = work / "inventory.yml"
    file.write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
    return Way(name, size, file, playbook, forks)


def floor_plays() -> Iterator[dict[str, Any]]:
    """Yield the plays of rollout.yml with a debug task in the place of each task of ours."""
    for play in _plays(REPOSITORY / "playbooks" / "rollout.yml"):
        if "canary" in play["name"]:
            continue  # no canary group here: that play has no hosts in our run either
        tasks = [task for entry in play["tasks"] for task in _tasks(entry)]
        yield {
            "name": play["name"],
            "hosts": "skupper_sites",
            "gather_facts": False,
            "tasks": [
                {
                    "name": task["name"],
                    "ansible.builtin.debug": {"msg": "floor"},
                    "run_once": bool(task.get("run_once")),
                }
                for task in tasks
            ],
        }


def _plays(file: Path) -> Iterator[dict[str, Any]]:
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")):
        imported = entry.get("ansible.builtin.import_playbook")
        if imported:
            yield from _plays(file.parent / imported)
        else:
            yield entry


def _tasks(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    imported = entry.get("ansible.builtin.import_role")
    if not imported:
        yield entry
        return
    role = REPOSITORY / "roles" / imported["name"].rpartition(".")[2] / "tasks"
    for task in yaml.safe_load((role / imported.get("tasks_from", "main.yml")).read_text(encoding="utf-8")):
        yield from _tasks(task)


# -- running and checking


def run(way: Way) -> tuple[Measured, str]:
    """Run ansible-playbook and return what it took and what it said."""
    environment = {
        **os.environ,
        "ANSIBLE_FORKS": str(way.forks),
        "ANSIBLE_NOCOWS": "1",
        "ANSIBLE_HOST_KEY_CHECKING": "0",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }
    command = [str(PLAYBOOK), "-i", str(way.inventory), way.playbook]
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        peak = _Peak(process.pid)
        peak.start()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        peak.stop()
        out.seek(0)
        output = out.read()
    if process.returncode:
        raise SystemExit(f"{way.name}: ansible-playbook ended with {process.returncode}\n{output[-3000:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime, peak.mebibytes), output


class _Peak(threading.Thread):
    """Watches the memory of a process and its descendants: the sum of their proportional shares, ten times a second."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self._root = root
        self._done = threading.Event()
        self.mebibytes = 0.0

    def run(self) -> None:
        while not self._done.wait(0.1):
            self.mebibytes = max(self.mebibytes, sum(map(_share, self._processes())) / 1024)

    def stop(self) -> None:
        """Stop watching."""
        self._done.set()
        self.join()

    def _processes(self) -> set[int]:
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                parents[int(entry.name)] = int(fields[1])
        found = {self._root}
        while children := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= children
        return found


def _share(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(match.group(1)) if match else 0


def changes(output: str) -> int:
    """Return the number of changes in the recap of a run."""
    recap = output.rpartition("PLAY RECAP")[2]
    return sum(int(number) for number in re.findall(r"changed=(\d+)", recap))


def check_sites(way: Way, clusters: Clusters) -> None:
    """Refuse figures of a run that did not do its work: read what every site holds."""
    hosts = yaml.safe_load(way.inventory.read_text(encoding="utf-8"))["skupper_sites"]["hosts"]
    found = set()
    for name, host in hosts.items():
        cluster, namespace = clusters[host["skupper_site_context"]], host["skupper_site_namespace"]
        pair = [
            cluster.core.read_namespaced_secret(secret, namespace)
            for secret in ("server-cert-secret", "ca-cert-secret")
        ]
        found.add(json.dumps([sorted(secret.data.items()) for secret in pair]))
        kind = "Connector" if name == "site0000" else "Listener"
        if len(cluster.list_skupper(namespace, kind)) != len(PORTS):
            raise SystemExit(f"{way.name}: {name} has not its {kind}s")
    if len(found) != 1:
        raise SystemExit(f"{way.name}: the sites hold {len(found)} different pairs of secrets")


# -- the figures


def targets(results: dict[str, dict[int, dict[str, Measured]]]) -> list[tuple[str, str, str, str]]:
    """Return what is to be reached: what, the ratio, the target, and reached or missed."""
    ours, hand, floor = (results.get(name, {}) for name in ("ours", "by hand", "floor"))
    rows = []
    for kind, label in (("first", "first run"), ("again", "run without changes")):
        for size in sorted(set(ours) & set(hand)):
            ratio = hand[size][kind].wall / ours[size][kind].wall
            rows.append((f"by hand / ours, {label}, {size} sites", ratio, 15.0, ratio >= 15))
    for size in sorted(set(ours) & set(floor)):
        ratio = ours[size]["again"].wall / floor[size]["again"].wall
        rows.append((f"ours / floor, run without changes, {size} sites", ratio, 2.0, ratio <= 2))
    if {24, 200} <= set(ours):
        for kind, label in (("first", "first run"), ("again", "run without changes")):
            ratio = ours[200][kind].wall / ours[24][kind].wall
            rows.append((f"ours, 200 sites / 24 sites, {label}", ratio, 9.0, ratio <= 9))
    return [
        (
            what,
            f"{ratio:.1f}",
            f"{'at least' if target == 15 else 'at most'} {target:.0f}",
            "reached" if ok else "missed",
        )
        for what, ratio, target, ok in rows
    ]


def report(results: dict[str, dict[int, dict[str, Measured]]], arguments: argparse.Namespace) -> list[str]:
    """Return the tables, as Markdown."""
    conditions = (
        f"{os.cpu_count()} cores, forks {arguments.forks}, Python {sys.version.split()[0]}. Without changes: median of "
        f"{arguments.repeat} (by hand: one). CPU: user and system of ansible-playbook and its workers, without the API "
        "servers. Memory: peak of the sum of the processes' proportional shares."
    )
    lines = [
        conditions,
        "",
        "| way | sites | run | wall s | CPU s | memory MiB |",
        "| --- | ---: | --- | ---: | ---: | ---: |",
    ]
    for name in ("by hand", "ours", "floor"):
        for size, runs in sorted(results.get(name, {}).items()):
            for kind, measured in runs.items():
                label = "first" if kind == "first" else "no change"
                lines.append(
                    f"| {name} | {size} | {label} | {measured.wall:.1f} | {measured.cpu:.1f} | {measured.memory:.0f} |"
                )
    lines += ["", "| what | ratio | target | |", "| --- | ---: | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in targets(results)]
    return lines


if __name__ == "__main__":
    sys.exit(main())
