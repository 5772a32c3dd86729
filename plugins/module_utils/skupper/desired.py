# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site must hold so that Skupper serves a service with the network's own certificates.

A site's content is a set of *items*, the same kinds whatever the platform: ``Secret``, ``Listener``,
``Connector``, ``Certificate`` (v2), ``RouterProfile`` and ``ServiceEntry`` (v1), ``Workload`` (see mounts.py). The
site's backend knows where an item is kept: an API object, a key of a ConfigMap, a file. Rules come from Skupper 1.9.6
and 2.2.1 as observed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from .names import ADDRESS_LABEL, MOUNTS_LABEL, SERVICE_CA
from .overrides import OPTION
from .services import Port, Service, Tls

SECRET_TYPE = "kubernetes.io/tls"
"""The only type that Skupper v2 uses (2.2.1 ignores an Opaque secret silently); v1 takes any type."""

SECRET_KEYS = ("tls.crt", "tls.key", "ca.crt")
SECRET_KINDS = ("Secret", "Issuer")
"""The kinds of item that hold keys."""

ROUTER_CERTS = "/etc/skupper-router-certs"

SYSTEM_PLATFORMS = ("linux", "podman", "docker")
PLATFORMS = ("kubernetes", *SYSTEM_PLATFORMS)

SERVICE_KINDS = {
    ("kubernetes", "v1"): ("RouterProfile", "ServiceEntry", "Workload"),
    ("kubernetes", "v2"): ("Listener", "Connector", "Workload"),
    ("system", "v2"): ("Listener", "Connector", "Certificate"),
}
"""The kinds of item that expose a service and bring it to its users, by family of platform and Skupper version."""


@dataclass(frozen=True)
class Item:
    """A thing that a site must hold.

    Attributes:
        kind: one of the kinds named in this module's description.
        name: its name within the site.
        content: the fields that this collection owns; others that stand there are left alone. A value of None
            means that the field must be absent.
        labels: labels besides those of ownership.
        immutable: the top-level fields of the content that Skupper or the API server does not take a change of:
            where one differs, the item is removed and added again.
        shared: one with the same content is accepted whoever wrote it, since it is nobody's own.
        record: what the backend must remember beside the item (v1: our targets, the secrets it was written after).
    """

    kind: str
    name: str
    content: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    immutable: frozenset[str] = frozenset()
    shared: bool = False
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.kind, self.name


@dataclass(frozen=True)
class Material:
    """The bytes of a pair of secrets, PEM, every block with its newline (the router refuses glued blocks)."""

    tls_crt: bytes
    tls_key: bytes
    ca_crt: bytes

    def __repr__(self) -> str:
        return "Material(...)"


@dataclass(frozen=True)
class SiteKind:
    """What decides the form of the items: platform, version, namespace, and where a system site's listeners bind."""

    platform: str
    version: str
    listener_host: str = "0.0.0.0"  # what `skupper listener create` binds on system sites
    namespace: str = ""

    @property
    def family(self) -> str:
        """``kubernetes`` or ``system``."""
        return "kubernetes" if self.platform == "kubernetes" else "system"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of item that expose a service here."""
        return SERVICE_KINDS[(self.family, self.version)]

    @property
    def certificates(self) -> bool:
        """Whether generated secrets are made of Certificate objects, before the services are exposed."""
        return (self.family, self.version) == ("kubernetes", "v2")


def secret_names(services: Iterable[Service], site: SiteKind) -> list[str]:
    """Return the names of the secrets of the services: those to be written, and those that Skupper generates."""
    wanted: list[str] = []
    for service in services:
        wanted += [service.tls.server_secret, service.tls.ca_secret]
        if service.tls.generated and site.certificates:
            wanted.append(SERVICE_CA)
        elif site.family == "system" and service.provides and not service.tls.generated:
            wanted.append(profile_name(service.tls))
    return list(dict.fromkeys(wanted))


def item_kinds(services: Iterable[Service], site: SiteKind) -> tuple[str, ...]:
    """Return the kinds of item, besides secrets, that the services are made of on the site."""
    generated = any(service.tls.generated for service in services)
    more = ("Certificate",) if site.certificates else ("Issuer",) if site.family == "system" else ()
    return (*site.kinds, *(more if generated else ()))


def signer_item(material: Material, site: SiteKind) -> Item:
    """Return the CA that the site is to sign with: a secret, or on a system site a folder of its issuers.

    Args:
        material: the CA with its chain, its key as PKCS#1 RSA (Skupper 2.2.1 reads no other), and the root.
    """
    data = {"tls.crt": material.tls_crt, "tls.key": material.tls_key, "ca.crt": material.ca_crt}
    if site.family == "system":
        return Item("Issuer", SERVICE_CA, {"data": data})
    return _secret(SERVICE_CA, data, site)


def secret_items(pair: Tls, material: Material, site: SiteKind, provides: bool) -> list[Item]:
    """Return the pair of secrets. On a providing system site also the files of the Connector's profile."""
    server = {"tls.crt": material.tls_crt, "tls.key": material.tls_key, "ca.crt": material.ca_crt}
    # Skupper demands all three keys (files); the API server and Skupper both accept empty ones.
    ca_only = {"tls.crt": b"", "tls.key": b"", "ca.crt": material.ca_crt}
    items = [_secret(pair.server_secret, server, site), _secret(pair.ca_secret, ca_only, site)]
    if site.family == "system" and provides:
        items.append(_secret(profile_name(pair), ca_only, site))
    return items


def _secret(name: str, data: Mapping[str, bytes], site: SiteKind) -> Item:
    content: dict[str, Any] = {"data": dict(data)}
    if (site.family, site.version) == ("kubernetes", "v2"):
        content["type"] = SECRET_TYPE
    return Item("Secret", name, content, immutable=frozenset({"type"}))


def profile_name(pair: Tls) -> str:
    """Return the certificate directory that a Connector without client certificate reads (2.2.1, system sites)."""
    return f"{pair.ca_secret}-profile"


def service_items(service: Service, site: SiteKind, selector: str = "") -> list[Item]:
    """Return what exposes the service on the site.

    Args:
        service: the service; ``provides`` decides between the two sides.
        site: platform and version of the site.
        selector: the label selector of the workload, needed on a providing Kubernetes site.
    """
    if (site.family, site.version) == ("kubernetes", "v1"):
        return _v1_items(service, selector) if service.provides else []
    if not service.provides:
        return [_listener(service, port, site) for port in service.ports]
    items = [_connector(service, port, site, selector) for port in service.ports]
    if site.family == "system" and not service.tls.generated:
        items.insert(0, _profile_certificate(service))
    return items


def _listener(service: Service, port: Port, site: SiteKind) -> Item:
    host = service.address if site.family == "kubernetes" else site.listener_host
    spec = {
        "host": host,
        "port": port.port,
        "routingKey": routing_key(service, port),
        "tlsCredentials": service.tls.server_secret,
    }
    return _object("Listener", object_name(service, port), spec, service)


def _connector(service: Service, port: Port, site: SiteKind, selector: str) -> Item:
    spec: dict[str, Any] = {
        "port": port.target,
        "routingKey": routing_key(service, port),
        "tlsCredentials": service.tls.ca_secret,
    }
    if site.family == "kubernetes":
        spec["selector"] = selector
    else:
        spec["host"] = service.workload.host or "127.0.0.1"
    return _object("Connector", object_name(service, port), spec, service)


def _profile_certificate(service: Service) -> Item:
    # Skupper 2.2.1 writes runtime/certs/<name> only for a Certificate of that name; the files of the user
    # under input/certs/<name> then take the place of the generated ones.
    name = profile_name(service.tls)
    # Shared by every service with this pair, hence no address label: it belongs to the pair.
    return Item("Certificate", name, {"spec": {"subject": service.tls.ca_secret, "client": True}}, shared=True)


def _object(kind: str, name: str, spec: Mapping[str, Any], service: Service) -> Item:
    # With mounts, it says so: the site's workloads are only looked through where there may be mounts of ours.
    mounted = {MOUNTS_LABEL: "true"} if service.mounts else {}
    return Item(kind, name, {"spec": dict(spec)}, labels={ADDRESS_LABEL: service.address, **mounted})


def object_name(service: Service, port: Port) -> str:
    """Return the name of the Listener or Connector of one port."""
    return f"{service.address}-{port.key}"


def routing_key(service: Service, port: Port) -> str:
    """Return the routing key of one port, the same on every site."""
    return f"{service.address}-{port.key}"


def _v1_items(service: Service, selector: str) -> list[Item]:
    ca = service.tls.ca_secret
    profile = Item("RouterProfile", ca, {"name": ca, "caCertFile": f"{ROUTER_CERTS}/{ca}/ca.crt"}, shared=True)
    target = service.workload.name or service.address
    entry = {
        "address": service.address,
        "protocol": service.protocol,
        "ports": [port.port for port in service.ports],
        "exposeIngress": "",
        "targets": {
            target: {
                "name": target,
                "selector": selector,
                "targetPorts": {str(port.port): port.target for port in service.ports},
            }
        },
        "tlsCredentials": service.tls.server_secret,
        "tlsCertAuthority": ca,
    }
    # Skupper 1.9.6 ignores a change of the credentials in an existing entry.
    immutable = frozenset({"protocol", "ports", "tlsCredentials", "tlsCertAuthority"})
    return [
        *([] if service.tls.generated else [profile]),  # Skupper has a profile for its own
        Item("ServiceEntry", service.address, entry, immutable=immutable, record={"targets": [target]}),
    ]


def site_problems(services: Iterable[Service], site: SiteKind) -> list[InputError]:
    """Return what makes the services impossible on this kind of site, before anything is read or written."""
    problems = []
    bound: dict[int, str] = {}
    for service in services:
        problems += synced_problems(service, site)
        problems += _mount_problems(service) if site.family == "system" else []
        if service.tls.signer and site.version == "v1":
            problems.append(
                InputError(
                    "Skupper v1 signs with a CA of its own only",
                    field=f"services ({service.address}).tls.signer",
                    found=service.tls.signer,
                    remedy="Remove signer, or use tls.mode custom for certificates of your own CA",
                )
            )
        if (
            service.provides
            and site.family == "kubernetes"
            and not (service.workload.name or service.workload.selector)
        ):
            problems.append(
                InputError(
                    "the site provides the service, but no workload is named",
                    field=f"services ({service.address}).workload",
                    remedy="Give workload kind and name, or a selector",
                )
            )
        for port in service.ports:
            name = object_name(service, port)
            if len(name) > 63:
                problems.append(
                    InputError(
                        "makes an object name of more than 63 characters",
                        field=f"services ({service.address}).address",
                        found=name,
                        remedy="Use a shorter address",
                    )
                )
            if site.family == "system" and not service.provides:
                other = bound.setdefault(port.port, service.address)
                if other != service.address:
                    problems.append(
                        InputError(
                            f"is a port of {other} as well, and both would listen on {site.listener_host} of the host",
                            field=f"services ({service.address}).ports",
                            found=str(port.port),
                            remedy="Give the services different ports, as Skupper refuses a host and port used twice",
                        )
                    )
    return problems


def synced_problems(service: Service, site: SiteKind) -> list[InputError]:
    """Return an error for what a v1 site sets otherwise though Skupper sends it to every site with the entry."""
    network = service.network
    if network is None or site.version != "v1":
        return []
    texts = (
        ("protocol", network.protocol, service.protocol),
        ("ports", _port_list(network), _port_list(service)),
        ("tls.server_secret", network.tls.server_secret, service.tls.server_secret),
        ("tls.ca_secret", network.tls.ca_secret, service.tls.ca_secret),
    )
    return [
        InputError(
            "cannot differ from site to site on Skupper v1, which sends one entry to all of them",
            field=f"{OPTION} ({service.address}).{field}",
            found=f"{here}, and {known} in the network",
            remedy="Remove it; a providing site may have another target port, as in 5001:8443",
        )
        for field, known, here in texts
        if known != here
    ]


def _port_list(service: Service) -> str:
    return ", ".join(str(port.port) for port in service.ports)


def _mount_problems(service: Service) -> list[InputError]:
    return [
        InputError(
            "asks for a mount on a system site, which has no pods",
            field=mount.field,
            found=f"{mount.path} in {mount.workload}",
            remedy="Name the Kubernetes sites under sites"
            if mount.role == "ca"
            else "Leave mount_path out, and let the service read the files of input/certs of the site's namespace",
        )
        for mount in service.mounts
    ]
