# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real ansible-playbook, of the Python environment that runs pytest, and says what came of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.multisite.skupper_tls.tools.collection_path import collections_root

HERE = Path(__file__).resolve().parent
TIMEOUT = 120.0
ROLLOUT = "multisite.skupper_tls.rollout"
STEPS = ("preflight", "issue", "distribute", "expose", "verify")

_RECAP = re.compile(r"^(\S+)\s+: (ok=\d+ .*)$", re.MULTILINE)
_COUNT = re.compile(r"(\w+)=(\d+)")

# Dates, serial numbers and fingerprints are other ones each time; a prediction cannot have them.
_CHANGING = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|(?:[0-9A-F]{2}:){10,}[0-9A-F]{2}|known after the run"
    r"|(?<=serial_number\": \")[^\"]*"
)


@dataclass(frozen=True)
class Event:
    """One result, as Ansible gave it to its callback plugins."""

    time: float
    play: str
    task: str
    host: str
    status: str
    result: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        """Whether the task changed something."""
        return bool(self.result.get("changed"))


@dataclass(frozen=True)
class Run:
    """What one run of ansible-playbook left."""

    code: int
    output: str
    seconds: float
    recap: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def count(self, what: str) -> int:
        """Return a number of the recap (changed, failed, unreachable) over all hosts."""
        return sum(host.get(what, 0) for host in self.recap.values())

    def changes(self) -> list[tuple[str, str]]:
        """Return task and host of every change, sorted."""
        return sorted((event.task, event.host) for event in self.events if event.changed)

    def diffs(self) -> dict[tuple[str, str], Any]:
        """Return by task and host the diff that was shown, without what no prediction can know."""
        shown = {}
        for event in self.events:
            results = event.result.get("results") or [event.result]
            found = [entry["diff"] for entry in results if entry.get("diff")]
            if found:
                shown[(event.task, event.host)] = json.loads(_masked(json.dumps(found, sort_keys=True)))
        return shown

    def of(self, task: str) -> dict[str, Event]:
        """Return by host the results of the task whose name contains this text."""
        return {event.host: event for event in self.events if task in event.task}

    def good(self) -> Run:
        """Return this run, after asserting that it went well."""
        assert self.code == 0, f"exit code {self.code}\n{self.output}"
        assert self.count("failed") == self.count("unreachable") == 0, self.output
        return self

    def bad(self, *texts: str) -> Run:
        """Return this run, after asserting that it failed, without a traceback, and said these texts."""
        assert self.code not in (0, None), f"it should have failed\n{self.output}"
        assert "Traceback (most recent call last)" not in self.output, self.output
        flat = " ".join(self.output.split())
        missing = [text for text in texts if text not in flat]
        assert not missing, f"{missing} is not in\n{self.output}"
        return self


def _masked(text: str) -> str:
    return _CHANGING.sub("masked", text)


def parse_recap(output: str) -> dict[str, dict[str, int]]:
    """Return by host the numbers of the recap at the end of an output."""
    dummy, dummy, end = output.rpartition("PLAY RECAP")
    return {host: {key: int(number) for key, number in _COUNT.findall(line)} for host, line in _RECAP.findall(end)}


class Ansible:
    """ansible-playbook with one inventory, and with a home, temporary folder and events file of its own.

    Attributes:
        folder: where all of it is; the current folder of the runs.
        environment: the environment variables of the runs.
    """

    def __init__(self, folder: Path, inventory: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.inventory = folder / "inventory.yml"
        self.home, self.temporary = folder / "home", folder / "tmp"
        for each in (folder, self.home, self.temporary):
            each.mkdir(parents=True, exist_ok=True)
        if inventory is not None:
            self.write_inventory(inventory)
        collections = os.environ.get("ANSIBLE_COLLECTIONS_PATH") or str(collections_root())
        binaries = str(Path(sys.executable).parent)
        self.environment = {
            **{key: os.environ[key] for key in ("LANG", "LC_ALL", "PYTHONPATH") if key in os.environ},
            "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "ANSIBLE_HOME": str(self.home / ".ansible"),
            "ANSIBLE_COLLECTIONS_PATH": collections,
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOWS": "true",
            "ANSIBLE_NOCOLOR": "true",
            "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"),
        }

    def write_inventory(self, inventory: Mapping[str, Any]) -> Path:
        """Write the inventory anew."""
        self.inventory.write_text(yaml.safe_dump(_plain(inventory), sort_keys=False), encoding="utf-8")
        return self.inventory

    def play(self, playbook: Any, *arguments: str, **options: Any) -> Run:
        """Write a playbook of these plays and run it."""
        file = self.folder / "play.yml"
        file.write_text(yaml.safe_dump(_plain(playbook), sort_keys=False), encoding="utf-8")
        return self.run(str(file), *arguments, **options)

    def run(
        self,
        playbook: str = ROLLOUT,
        *arguments: str,
        extra: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Run:
        """Run a playbook to its end. A short name is one of the collection's steps.

        Args:
            playbook: a step, a playbook's full name, or a file.
            arguments: further ones for the command line.
            extra: extra variables, given as a file.
            environment: further environment variables.
            timeout: seconds after which the whole process group is killed and the test fails.
        """
        started = Started(self, playbook, arguments, extra, environment)
        try:
            return started.wait(timeout)
        finally:
            started.kill()

    def start(self, playbook: str = ROLLOUT, *arguments: str, extra: Mapping[str, Any] | None = None) -> Started:
        """Start a run and return at once."""
        return Started(self, playbook, arguments, extra, None)


class Started:
    """A run that goes on in a process group of its own."""

    def __init__(
        self,
        ansible: Ansible,
        playbook: str,
        arguments: tuple[str, ...],
        extra: Mapping[str, Any] | None,
        environment: Mapping[str, str] | None,
    ) -> None:
        descriptor, name = tempfile.mkstemp(prefix="events-", dir=ansible.folder)
        os.close(descriptor)
        self._events, self._began = Path(name), time.monotonic()
        self._output = self._events.with_suffix(".output")
        if playbook in STEPS:
            playbook = f"multisite.skupper_tls.{playbook}"
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(ansible.inventory), playbook]
        if extra is not None:
            variables = self._events.with_suffix(".yml")
            variables.write_text(yaml.safe_dump(_plain(extra)), encoding="utf-8")
            command += ["--extra-vars", f"@{variables}"]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ansible.folder,
                env={**ansible.environment, **(environment or {}), "SKUPPER_TLS_TEST_EVENTS": str(self._events)},
                start_new_session=True,
            )

    def wait(self, timeout: float = TIMEOUT) -> Run:
        """Return what came of it."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            output = self._output.read_text("utf-8", "replace")
            raise AssertionError(f"ansible-playbook did not end in {timeout:.0f} s\n{output}") from None
        output = self._output.read_text("utf-8", "replace")
        lines = self._events.read_text("utf-8").splitlines()
        events = tuple(Event(**json.loads(line)) for line in lines)
        return Run(code, output, time.monotonic() - self._began, parse_recap(output), events)

    def kill(self) -> None:
        """Kill ansible-playbook and all its workers at once, as a machine that loses power would."""
        if self.process.poll() is None:
            # Workers have sessions of their own from ansible-core 2.19 on. Nobody forks while it is stopped.
            self.process.send_signal(signal.SIGSTOP)
            family = descendants(self.process.pid)
            for process in family:
                _signal(process, signal.SIGSTOP)
            for process in dict.fromkeys([*family, *descendants(self.process.pid)]):
                _signal(process, signal.SIGKILL)
            self.process.kill()
        self.process.wait()


def descendants(process: int) -> list[int]:
    """Return the processes below a process."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue  # it has ended meanwhile
            children.setdefault(parent, []).append(int(folder.name))
    found, new = [], children.get(process, [])
    while new:
        found += new
        new = [child for one in new for child in children.get(one, [])]
    return found


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _plain(value: Any) -> Any:
    """Return a value with its paths as texts, for YAML."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
