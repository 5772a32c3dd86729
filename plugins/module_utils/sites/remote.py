# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System sites on another machine, or of another user: asks :mod:`agent`, which runs on the site's host.

Code and request go to the host's Python by standard input, so that neither becomes a file there or here, and nothing
but the constant :data:`BOOTSTRAP` is an argument of a process.
"""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from ..errors import NotReached, SkupperTlsError, raise_all
from ..plan import OURS, Change, Observed
from ..skupper.desired import SECRET_KINDS, SiteKind
from ..skupper.services import Service, Workload
from . import wire
from .base import Health, SiteAddress
from .system import Uptake

Reach = Callable[[bytes], str]
"""Gives bytes to the bootstrap on the host as standard input, and returns what that wrote to standard output."""

MARK = "skupper-tls-answer:"
MINIMUM = "3.9"

# Old Pythons must be able to read it, to say that they are too old.
BOOTSTRAP = f"""\
import sys
sys.path[:] = [place for place in sys.path if place]
given = getattr(sys.stdin, "buffer", sys.stdin).read()
if sys.version_info < (3, 9):
    answer = '{{"too_old": "%d.%d.%d"}}' % tuple(sys.version_info[:3])
else:
    import json
    given = json.loads(given)
    names = {{"__name__": "start"}}
    exec(compile(given["start"], "start", "exec"), names)
    answer = names["start"](given)
sys.stdout.write("\\n{MARK}" + answer + "\\n")
"""

MODULES = (
    "errors",
    "plan",
    "skupper.desired",
    "options",
    "skupper.names",
    "skupper.overrides",
    "skupper.services",
    "sites.agent",
    "sites.base",
    "sites.system",
    "sites.wire",
)
"""What the agent is made of, by name below module_utils."""


@functools.lru_cache(maxsize=1)
def sources() -> Mapping[str, Any]:
    """Return the sources of the host's side: of what starts it, and of its modules by name."""
    base = Path(__file__).parents[1]
    texts = {name: (base / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8") for name in MODULES}
    return {"start": (base / "sites/start.py").read_text(encoding="utf-8"), "sources": texts}


class RemoteSite:
    """A system site that is not in reach of this process.

    Args:
        address: the site.
        reach: the way to its host.
        secrets: the secrets that will be asked for, so that one answer can bring all.
        kinds: the same of kinds of item.
    """

    def __init__(
        self, address: SiteAddress, reach: Reach, secrets: Iterable[str] = (), kinds: Iterable[str] = ()
    ) -> None:
        self.address = address
        self._reach = reach
        self._secrets = list(secrets)
        self._kinds = list(kinds)
        self._kind = SiteKind(address.platform, "v2", address.listener_host, address.namespace)
        self._said: dict[str, Any] = {}
        self._fresh = False
        self._owned = False

    def kind(self) -> SiteKind:
        self._known()
        return self._kind

    def observe(
        self, secrets: Iterable[str], kinds: Iterable[str], owned: bool = False, workloads: Iterable[str] = ()
    ) -> dict[tuple[str, str], Observed]:
        names, wanted = list(secrets), list(kinds)
        expected = set(names) <= set(self._secrets) and set(wanted) <= set(self._kinds) and owned <= self._owned
        if not (self._fresh and expected):
            self._expect(names, wanted)
            self._owned = self._owned or owned
            self._ask()
        self._fresh = False  # who reads again wants to know what stands there by then
        return {
            (kind, name): wire.observed(found)
            for kind, name, found in self._said["observed"]
            if (name in names or (owned and found["owner"] == OURS) if kind == "Secret" else kind in wanted)
        }

    def follow_up(self, changes: Sequence[Change]) -> list[Change]:
        return self._uptake(changes).follow_up(changes, self.address.namespace)

    def after_change(self, changes: Sequence[Change]) -> str:
        return self._uptake(changes).to_do(changes, self.address)

    def _uptake(self, changes: Sequence[Change]) -> Uptake:
        names = [change.item.name for change in changes if change.item.kind in SECRET_KINDS]
        if not set(names) <= set(self._secrets):
            self._expect(names, [])
            self._ask()
        said = self._known()["uptake"]
        return Uptake(**{**said, "used": tuple(said["used"])})

    def apply_all(self, changes: Sequence[Change], done: Callable[[Change], None]) -> None:
        self._ask(changes, done)

    def tidy(self) -> None:
        if self._known()["left_over"]:
            self._ask(tidy=True)

    def selector(self, workload: Workload) -> str:
        return ""

    def health(self, services: Iterable[Service], now: float, adopt: bool = False) -> Health:
        said = self._known()
        return Health(
            identity=said["health"]["identity"],
            missing_permissions=tuple(said["health"]["missing_permissions"]),
            clock_offset=said["clock_offset"],
        )

    def removal_permissions(self, listing: bool) -> tuple[str, ...]:
        return tuple(self._known()["health"]["missing_permissions"])

    def ready(self, keys: Iterable[tuple[str, str]], seconds: float) -> Mapping[tuple[str, str], Any]:
        return {}

    # -- asking

    def _known(self) -> dict[str, Any]:
        if not self._said:
            self._ask()
        return self._said

    def _expect(self, secrets: Iterable[str], kinds: Iterable[str]) -> None:
        self._secrets = list(dict.fromkeys([*self._secrets, *secrets]))
        self._kinds = list(dict.fromkeys([*self._kinds, *kinds]))

    def _ask(
        self,
        changes: Sequence[Change] = (),
        done: Callable[[Change], None] = lambda change: None,
        tidy: bool = False,
    ) -> None:
        """Send a request, and keep what the host says of the site after it; raise the errors that it tells."""
        self._fresh = False
        nonce = os.urandom(32)
        request = {
            "address": self.address,
            "changes": list(changes),
            "tidy": tidy,
            "secrets": self._secrets,
            "kinds": self._kinds,
            "owned": self._owned,
        }
        message = {**sources(), "nonce": nonce.hex(), "request": wire.Wire(nonce, "request").dump(request)}
        sent = time.time()
        text = self._reach(json.dumps(message).encode("ascii"))
        said = wire.Wire(nonce, "reply").load(self._parsed(text))
        for change in changes[: said["done"]]:
            done(change)
        raise_all(wire.load_errors(said["errors"]))
        # The host looked at its clock at some time between; the middle is off by half the way at most.
        self._said = {**said, "clock_offset": said["time"] - (sent + time.time()) / 2}
        self._fresh = True

    def _parsed(self, text: str) -> Any:
        try:
            said = json.loads(text.rpartition(MARK)[2].splitlines()[0])
        except (IndexError, ValueError):
            raise self._error("the host's answer is cut off", remedy="Run again") from None
        if "too_old" in said:
            raise self._error(
                f"Python {MINIMUM} or later is needed on the site's host",
                field="ansible_python_interpreter",
                found=f"Python {said['too_old']}",
                remedy="Set ansible_python_interpreter of the host to a newer Python; it needs no further package",
            )
        if "broken" in said:
            raise self._error(
                "the program on the site's host failed",
                found=said["broken"],
                remedy="Report it as a bug of this collection",
            )
        return said

    def _error(self, message: str, **details: str) -> SkupperTlsError:
        return NotReached(message, site=self.address.name, **details)
