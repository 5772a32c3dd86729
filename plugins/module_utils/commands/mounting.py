# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mounts of a site's workloads, with the fingerprints of what they show to the pods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plan import Observed
from ..skupper import mounts
from ..skupper.desired import SiteKind
from ..skupper.services import Service, secret_pairs
from .context import Context
from .secrets import secret_summaries


def resolve_mounts(
    services: list[Service],
    seen: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
    network: str,
    params: Mapping[str, Any],
    context: Context,
    early: bool = True,
) -> mounts.Resolved:
    """Return what the services must have in workloads, by the secrets that stand on the site.

    In check mode the secrets count that the step distribute of the same run would have written. ``early``: see
    :func:`mounts.resolve`.
    """
    asked = any(service.mounts for service in services)
    fingerprints = _fingerprints(services, seen, kind, params, context) if asked else {}
    return mounts.resolve(services, seen, fingerprints, network, early)


def _fingerprints(
    services: list[Service],
    seen: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
    params: Mapping[str, Any],
    context: Context,
) -> dict[str, str]:
    predicted: dict[str, str] = {}
    for result in (params.get("known") or []) if context.check else []:
        predicted.update((result.get("predicted") or {}) if isinstance(result, Mapping) else {})
    summaries = secret_summaries(seen, services, kind, context)
    found: dict[str, str] = {}
    for pair in secret_pairs(services):
        for name, key in ((pair.server_secret, "tls_sha256"), (pair.ca_secret, "ca_sha256")):
            found[name] = predicted.get(name) or str((summaries.get(name) or {}).get(key) or "")
    return found
