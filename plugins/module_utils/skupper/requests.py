# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates the services of a network need, with which alternative names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InputError, SkupperTlsError, raise_all
from .services import DEFAULT_AUTHORITY, Service, custom_pairs, expand_hosts

OPTIONS = (
    "subject",
    "alternative_names",
    "key_type",
    "validity_days",
    "renew_before",
    "extended_key_usage",
    "networks",
    "source",
    "request_path",
)
"""The options of module ``certificate`` that a service may give under ``tls.certificate``."""


def certificate_requests(
    services: Sequence[Service],
    groups: Mapping[str, Sequence[str]],
    namespaces: Mapping[str, str],
    defaults: Mapping[str, Any],
    authority: str = DEFAULT_AUTHORITY,
) -> dict[str, dict[str, Any]]:
    """Return by name of the server secret the options of the certificate that goes into it.

    The alternative names are, for each service that shares the secret: its address, and ``address.namespace`` and
    ``address.namespace.svc`` for each providing site; then those that the user adds.

    Args:
        services: the services.
        groups: the inventory's groups with their hosts.
        namespaces: by host, the namespace of each site.
        defaults: options of every certificate, which ``tls.certificate`` of a service overrides.
        authority: the authority of services that name none.

    Raises:
        SkupperTlsError: services that share a secret ask for different certificates, or an option is unknown.
    """
    requests, problems = collected_requests(services, groups, namespaces, defaults, authority)
    raise_all(problems)
    return requests


def collected_requests(
    services: Sequence[Service],
    groups: Mapping[str, Sequence[str]],
    namespaces: Mapping[str, str],
    defaults: Mapping[str, Any],
    authority: str = DEFAULT_AUTHORITY,
) -> tuple[dict[str, dict[str, Any]], list[SkupperTlsError]]:
    """Return the same as :func:`certificate_requests` and what is wrong with it, for the step that only looks."""
    problems: list[SkupperTlsError] = list(_unknown(defaults, "skupper_tls_certificate"))
    requests: dict[str, dict[str, Any]] = {}
    for pair in custom_pairs(services):
        sharing = [service for service in services if service.tls.server_secret == pair.server_secret]
        options: dict[str, Any] = dict(defaults)
        names: list[str] = []
        for service in sharing:
            names += _default_names(service, groups, namespaces)
        added: list[Any] = []
        given: dict[str, tuple[str, Any]] = {}
        for service in sharing:
            field = f"services ({service.address}).tls.certificate"
            problems += _unknown(service.certificate, field)
            for option, value in service.certificate.items():
                problems += _conflict(given, option, value, service, field)
                given[option] = (service.address, value)
                options[option] = value
            added += _listed(service.certificate.get("alternative_names"))
        added = added or _listed(defaults.get("alternative_names"))
        options["alternative_names"] = list(dict.fromkeys([*names, *added]))
        options["authority"] = pair.authority or authority
        requests[pair.server_secret] = options
    return requests, [*problems, *_same_file(requests)]


def _same_file(requests: Mapping[str, Mapping[str, Any]]) -> Iterable[InputError]:
    """Refuse a file for two signing requests, which would take each other's place in every run."""
    by_path: dict[str, list[str]] = {}
    for name, options in requests.items():
        if options.get("request_path"):
            by_path.setdefault(str(options["request_path"]), []).append(name)
    return [
        InputError(
            "several certificates have the same file for their signing request",
            field="tls.certificate.request_path",
            found=f"{path} for {', '.join(names)}",
            remedy="Give the service of each secret a request_path of its own",
        )
        for path, names in by_path.items()
        if len(names) > 1
    ]


def _listed(names: Any) -> list[Any]:
    return [names] if isinstance(names, str) else list(names or [])


def _default_names(
    service: Service, groups: Mapping[str, Sequence[str]], namespaces: Mapping[str, str]
) -> Iterable[str]:
    providers, _unknown_names = expand_hosts(service.providers, groups, "providers")
    spaces = sorted({namespaces[host] for host in providers if namespaces.get(host)})
    qualified = [f"{service.address}.{space}{suffix}" for space in spaces for suffix in ("", ".svc")]
    return [service.address, *qualified]


def _unknown(options: Mapping[str, Any], field: str) -> list[InputError]:
    return [
        InputError("is not an option of a certificate", field=f"{field}.{name}", remedy=f"Use {', '.join(OPTIONS)}")
        for name in options
        if name not in OPTIONS
    ]


def _conflict(
    given: Mapping[str, tuple[str, Any]], option: str, value: Any, service: Service, field: str
) -> list[InputError]:
    if option == "alternative_names" or option not in given or given[option][1] == value:
        return []
    return [
        InputError(
            f"differs from that of {given[option][0]}, which shares the secret {service.tls.server_secret}",
            field=f"{field}.{option}",
            remedy="Give both the same, or give one a server_secret of its own",
        )
    ]
