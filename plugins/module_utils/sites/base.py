# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every kind of site can do. Callers hold a site and call it; none asks which platform it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ..plan import Change, Observed
from ..skupper.desired import SiteKind
from ..skupper.services import Service, Workload


@dataclass(frozen=True)
class SiteAddress:
    """Which site is meant, as the inventory says it.

    Attributes:
        name: the inventory host name.
        platform: kubernetes, linux, podman or docker.
        namespace: the Kubernetes namespace, or the namespace of the system site.
        version: ``v1`` or ``v2``, empty to find out.
        data_home: of a system site, the folder that holds ``namespaces``; empty for Skupper's own default.
        listener_host: of a system site, the address that its listeners bind.
        network: the name of the network, for ownership.
    """

    name: str
    platform: str
    namespace: str
    version: str = ""
    data_home: str = ""
    listener_host: str = "0.0.0.0"
    network: str = "skupper"


@dataclass(frozen=True)
class Health:
    """What a site says of itself.

    Attributes:
        identity: a text that only this site has, to recognise one site under two host names.
        missing_permissions: verbs on resources that are needed and not granted.
        clock_offset: seconds that the site's clock is ahead of ours, None if unknown.
        controller: whether a Skupper controller is seen at work (it has written a status).
    """

    identity: str
    missing_permissions: tuple[str, ...] = ()
    clock_offset: float | None = None
    controller: bool = False


class Site(Protocol):
    """One site."""

    address: SiteAddress

    def kind(self) -> SiteKind:
        """Return platform and Skupper version; SiteError where there is no Skupper."""

    def observe(
        self, secrets: Iterable[str], kinds: Iterable[str], owned: bool = False, workloads: Iterable[str] = ()
    ) -> dict[tuple[str, str], Observed]:
        """Return the named secrets, and every item of the given kinds; ``owned``: every secret of ours as well.

        Workloads are those that have mounts of ours, and those named ``kind/name``; each is returned as it stands,
        once, and :func:`skupper.mounts.resolve` makes items of it.

        Besides items there are the kinds ``Note`` (what was noted of an item of ours that is there no longer),
        ``Bridge`` (of a v1 router, with TLS) and ``File`` (of a user, on system sites, that names a secret).
        """

    def follow_up(self, changes: Sequence[Change]) -> list[Change]:
        """Return what must be done after these changes so that Skupper reads them, or still owes to earlier ones."""

    def apply_all(self, changes: Sequence[Change], done: Callable[[Change], None]) -> None:
        """Make the changes in their order, and tell each that is made.

        Each is compare-and-swap against what the plan saw; SiteConflict if that is no longer there.
        """

    def tidy(self) -> None:
        """Remove what a run that was killed left over. Never called in check mode."""

    def selector(self, workload: Workload) -> str:
        """Return the label selector of a workload, empty where the platform has none; SiteError if it is missing."""

    def health(self, services: Iterable[Service], now: float, adopt: bool = False) -> Health:
        """Return what preflight wants to know; ``now`` is seconds since the epoch, ``adopt`` as in the modules."""

    def removal_permissions(self, listing: bool) -> tuple[str, ...]:
        """Return what a removal needs and is not granted; ``listing``: it must find all secrets of ours."""

    def ready(self, keys: Iterable[tuple[str, str]], seconds: float) -> Mapping[tuple[str, str], Any]:
        """Wait until Skupper has taken up the items, at most so many seconds, where a controller is at work."""

    def after_change(self, changes: Sequence[Change]) -> str:
        """Return what a person must still do on the site after these changes, empty if nothing."""
