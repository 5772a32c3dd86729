# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan, then apply; and plan anew where another writer came in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

from ..errors import SiteConflict, raise_all
from ..plan import Change, Observed, Plan
from ..sites.base import Site

ATTEMPTS = 5


@dataclass(frozen=True)
class Done:
    """What was changed (in check mode: would be), and how the plan saw the site before."""

    changes: tuple[Change, ...]
    seen: Mapping[tuple[str, str], Observed]

    @property
    def reloaded(self) -> bool:
        """Whether Skupper was told to read what is written."""
        return any(change.action == "reload" for change in self.changes)


def apply_plan(
    site: Site,
    planned: Callable[[], tuple[Plan, Mapping[tuple[str, str], Observed]]],
    check: bool,
    reloaded: bool = False,
) -> Done:
    """Apply what the plan says, all refusals before the first write.

    A conflict means that somebody wrote in between: what stands there now is read and planned again, so that two
    runs at once end in the same state.

    Args:
        planned: reads the site and returns the plan and what it was made from.
        check: True to write nothing.
        reloaded: whether an earlier step of a check-mode run would have reloaded the site, so that it owes none.

    Raises:
        SkupperTlsError: the plan's problems, all of them; or the last conflict.
    """
    written: list[Change] = []
    if not check:
        site.tidy()
    for attempt in range(ATTEMPTS):
        result, seen = planned()
        raise_all(problem.at(site.address.name) for problem in result.problems)
        follow_up = site.follow_up(result.changes) if result.changes or not reloaded else []
        changes = (*result.changes, *follow_up)
        if check:
            return Done(changes, seen)
        try:
            if changes:
                site.apply_all(changes, written.append)
            return Done(tuple(written), seen)
        except SiteConflict as error:
            if attempt == ATTEMPTS - 1:
                raise error.at(site.address.name) from None
    raise AssertionError("unreachable")
