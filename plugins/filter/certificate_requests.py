# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: the certificates that the services of a network need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError, raise_all
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import requests
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import (
    expand_hosts,
    sound_services,
)


def certificate_requests(
    services: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Any] | None = None,
    authority: str = "default",
    strict: bool = True,
) -> dict[str, dict[str, Any]]:
    """Return by name the options of each certificate; without strict, what can be said of the services in order."""
    parsed, problems = sound_services(services, groups, option="skupper_tls_services")
    providers = {host for service in parsed for host in expand_hosts(service.providers, groups, "providers")[0]}
    # Only the providers' variables: to ask for those of every host would cost a second at a thousand sites.
    namespaces = {host: str(hostvars[host].get("skupper_site_namespace") or "") for host in providers}
    wanted, more = requests.collected_requests(parsed, groups, namespaces, defaults or {}, authority)
    try:
        raise_all([*problems, *more] if strict else [])
    except SkupperTlsError as error:
        raise AnsibleFilterError(str(error)) from None
    return wanted


class FilterModule:
    """The collection's filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"certificate_requests": certificate_requests}
