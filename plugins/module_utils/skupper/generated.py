# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated mode: the certificates that a site's own CA signs, as Skupper's ``Certificate`` items.

On Skupper v1 the controller makes them all when it sees the entry of the service. On v2 they must be asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .desired import Item, SiteKind, profile_name
from .names import ADDRESS_LABEL, SERVICE_CA, SERVICE_CLIENT
from .services import Service, generated_services

CLUSTER_DOMAIN = "cluster.local"
ANY_ADDRESS = ("0.0.0.0", "::", "")


def hosts(service: Service, site: SiteKind) -> list[str]:
    """Return the names that clients of the site may use for the service."""
    if site.family == "system":
        return [service.address, *([] if site.listener_host in ANY_ADDRESS else [site.listener_host])]
    return _forms(service.address, site)


def _forms(name: str, site: SiteKind) -> list[str]:
    return [name, f"{name}.{site.namespace}", f"{name}.{site.namespace}.svc"]


def permitted_names(services: Iterable[Service], site: SiteKind) -> list[str]:
    """Return the DNS names that the site's CA must be able to sign for."""
    found: list[str] = []
    for names in [*(hosts(service, site) for service in services), _forms(SERVICE_CLIENT, site)]:
        found += [name for name in (*names, *other_hosts(names)) if not _is_address(name)]
    return list(dict.fromkeys(found))


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def other_hosts(names: list[str]) -> list[str]:
    """Return the same hosts with one more, or without it again, so that Skupper issues the certificate anew.

    Skupper 2.2.1 does not issue a leaf anew because its CA is another one, but does because its hosts are others;
    and while it does, the old secret stays, which a new Certificate object could not give.
    """
    return names[:-1] if is_longer(names) else [*names, f"{names[-1]}.{CLUSTER_DOMAIN}"]


def is_longer(names: Iterable[str]) -> bool:
    """Return whether these are the hosts with one more, or the names of a certificate that was issued for them."""
    return any(name.endswith(f".{CLUSTER_DOMAIN}") for name in names)


def authority_certificate(site_name: str, standing: Mapping[str, Any]) -> Item:
    """Return the signing CA of a site. One that stands keeps its subject: another would be another CA."""
    subject = str(standing.get("subject") or f"{site_name} service CA")
    return Item("Certificate", SERVICE_CA, {"spec": {"ca": "", "subject": subject, "signing": True}}, shared=True)


def leaf_certificates(services: Iterable[Service], site: SiteKind) -> list[Item]:
    """Return what the site's CA is to sign: for the router as a client, and for each service as a server."""
    generated = generated_services(services)
    if not generated:
        return []
    items = [_client(SERVICE_CLIENT, site)]
    if site.family == "system" and any(service.provides for service in generated):
        items.append(_client(profile_name(generated[0].tls), site))
    return items + [_server(service, site) for service in generated]


def _client(name: str, site: SiteKind) -> Item:
    spec: dict[str, Any] = {"ca": SERVICE_CA, "subject": SERVICE_CLIENT, "client": True}
    if site.family == "kubernetes":
        spec["hosts"] = _forms(SERVICE_CLIENT, site)  # to have it issued anew, see other_hosts
    return Item("Certificate", name, {"spec": spec}, shared=True)


def _server(service: Service, site: SiteKind) -> Item:
    spec = {"ca": SERVICE_CA, "subject": service.address, "hosts": hosts(service, site), "server": True}
    return Item("Certificate", service.tls.server_secret, {"spec": spec}, labels={ADDRESS_LABEL: service.address})
