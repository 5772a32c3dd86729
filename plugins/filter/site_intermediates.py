# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the sites that need an intermediate CA of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import SiteKind
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.generated import permitted_names
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import sound_services


def site_intermediates(
    services: Sequence[Mapping[str, Any]], hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]
) -> dict[str, list[str]]:
    """Return by host the DNS names that the site's intermediate CA may sign for; empty where no service asks for it."""
    parsed = [item for item in sound_services(services)[0] if item.tls.site_intermediates]
    return {host: permitted_names(parsed, _site(hostvars[host])) for host in hosts} if parsed else {}


def _site(variables: Mapping[str, Any]) -> SiteKind:
    platform = str(variables.get("skupper_site_platform") or "kubernetes")
    listener_host = str(variables.get("skupper_site_listener_host") or "")
    return SiteKind(platform, "v2", listener_host, str(variables.get("skupper_site_namespace") or ""))


class FilterModule:
    """The collection's filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"site_intermediates": site_intermediates}
