# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of a network, read from what the user wrote and checked as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError, SkupperTlsError, raise_all
from . import names
from . import overrides as site_overrides

CUSTOM, GENERATED = "custom", "generated"
MODES = (CUSTOM, GENERATED)
PROTOCOLS = ("tcp", "http2", "http")
WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset")
DEFAULT_SERVER_SECRET = "server-cert-secret"
DEFAULT_CA_SECRET = "ca-cert-secret"
DEFAULT_AUTHORITY = "default"

# A label's key, maybe with a prefix, and its value; neither != nor == nor a set.
_SELECTOR_PAIR = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])? *= *[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Port:
    """A port of the address, and the port of the workload behind it.

    Attributes:
        port: the port that the site at hand listens on.
        target: the port of the workload.
        network: the network's port, where the site at hand listens on another one.
    """

    port: int
    target: int
    network: int = 0

    @property
    def key(self) -> int:
        """The network's port, which is the same on every site and names routing key and objects."""
        return self.network or self.port


@dataclass(frozen=True)
class Workload:
    """Where a provider sends connections: a workload's name, a label selector, or a host (system sites)."""

    kind: str = ""
    name: str = ""
    selector: str = ""
    host: str = ""

    @property
    def text(self) -> str:
        """The workload in a form for messages."""
        return self.selector or self.host or f"{self.kind} {self.name}".strip() or "(none)"


@dataclass(frozen=True)
class Mount:
    """A secret of a service in the pods of a workload of the site at hand.

    Attributes:
        kind: deployment, statefulset or daemonset.
        name: the workload.
        path: where in the containers.
        containers: the containers, empty for all.
        role: ``server`` for the certificate with its key, ``ca`` for the CA alone.
        field: where the user wrote it, for messages.
    """

    kind: str
    name: str
    path: str
    containers: tuple[str, ...]
    role: str
    field: str

    @property
    def workload(self) -> str:
        """Kind and name."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Tls:
    """The two secrets of a service, and who signs the certificate in them.

    Attributes:
        mode: ``custom`` (one certificate of the network on every site) or ``generated`` (each site's own CA signs).
        server_secret: certificate, key and CA. In generated mode ``skupper-tls-<address>``.
        ca_secret: the CA. In generated mode ``skupper-service-client``.
        authority: in custom mode, the authority of the store that issues, empty for the network's default.
        signer: in generated mode, the authority of the store that is the CA of every site, empty for their own.
        site_intermediates: whether each site gets an intermediate CA under the signer instead of the signer's key.
        stored: the network's name of the pair, where the site at hand has other names for its secrets.
    """

    mode: str = CUSTOM
    server_secret: str = DEFAULT_SERVER_SECRET
    ca_secret: str = DEFAULT_CA_SECRET
    authority: str = ""
    signer: str = ""
    site_intermediates: bool = False
    stored: str = ""

    @property
    def generated(self) -> bool:
        """Whether Skupper makes the secrets."""
        return self.mode == GENERATED

    @property
    def certificate(self) -> str:
        """The name of the certificate in the store: that of the network's server secret."""
        return self.stored or self.server_secret


@dataclass(frozen=True)
class Service:
    """One service of the network, as the site at hand wants it.

    Attributes:
        sites: the sites that take part besides the providers, as the user names them; empty for all.
        provides: whether the site at hand provides it.
        takes_part: whether the site at hand provides or consumes it.
        mounts: what of it is to be mounted into workloads of the site at hand.
        network: the service as the network's entry has it, where the site at hand sets some of it otherwise.
    """

    address: str
    protocol: str
    ports: tuple[Port, ...]
    workload: Workload
    providers: tuple[str, ...]
    tls: Tls
    provides: bool = False
    certificate: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    sites: tuple[str, ...] = ()
    takes_part: bool = True
    mounts: tuple[Mount, ...] = ()
    network: Service | None = field(default=None, compare=False, repr=False)


def parse_services(
    raw: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]] | None = None,
    host: str = "",
    option: str = "services",
    overrides: Mapping[str, Any] | None = None,
) -> list[Service]:
    """Return the services that the user wrote.

    Args:
        raw: the list of services after the module's argument spec has seen it.
        groups: the inventory's groups with their hosts, to find providers in; without it providers are not looked up.
        host: the inventory name of the site at hand, for ``provides``.
        option: its name, for messages.
        overrides: by address, the fields that the site at hand sets otherwise.

    Raises:
        Problems or InputError: everything that is wrong with any of them, together.
    """
    services, problems = sound_services(raw, groups, host, option, overrides)
    raise_all(problems)
    return services


def sound_services(
    raw: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Sequence[str]] | None = None,
    host: str = "",
    option: str = "services",
    overrides: Mapping[str, Any] | None = None,
) -> tuple[list[Service], list[SkupperTlsError]]:
    """Return the services that are in order by themselves, and everything that is wrong with any of them.

    For the steps that look without writing: an error in one service must not hide what is wrong with the others.
    """
    overrides = overrides or {}
    addresses = [str(entry.get("address")) for entry in raw]
    problems: list[SkupperTlsError] = list(site_overrides.unknown_addresses(overrides, addresses))
    services = []
    for index, entry in enumerate(raw):
        where = f"{option}[{index}]"
        service, found = _parse_service(entry, groups, host, where)
        if service is not None and service.address in overrides:
            service, found = _of_site(service, entry, overrides[service.address], groups, host)
        problems += found
        if service is not None:
            services.append(service)
    return services, problems + _clashes(services, option) + _renamings(services)


def secret_pairs(services: Iterable[Service]) -> list[Tls]:
    """Return each pair of secrets once, in the order of the services."""
    return list(dict.fromkeys(service.tls for service in services))


def custom_pairs(services: Iterable[Service]) -> list[Tls]:
    """Return each pair of secrets that this collection writes once, in the order of the services."""
    return [pair for pair in secret_pairs(services) if not pair.generated]


def generated_services(services: Iterable[Service]) -> list[Service]:
    """Return the services whose certificates Skupper makes."""
    return [service for service in services if service.tls.generated]


def signing(services: Iterable[Service]) -> Tls | None:
    """Return what says how the sites' own CA is made, None if no service needs one; all services say the same."""
    return next((service.tls for service in services if service.tls.generated), None)


def provides_with(services: Iterable[Service], pair: Tls) -> bool:
    """Return whether the site at hand provides a service with this pair of secrets."""
    return any(service.provides and service.tls == pair for service in services)


def concerning(services: Iterable[Service], version: str) -> list[Service]:
    """Return the services that concern a site of that version of Skupper; it is left alone for the others.

    On v1 all do: service-sync sends every entry to every site, and a site without the secrets of one loses the
    bridges of all (1.9.6). So they do where the version is not known.
    """
    return [service for service in services if service.takes_part or version != "v2"]


def _parse_service(
    entry: Mapping[str, Any], groups: Mapping[str, Sequence[str]] | None, host: str, where: str
) -> tuple[Service | None, list[InputError]]:
    address = entry.get("address")
    problems = names.address_problems(address, f"{where}.address")
    if not problems:
        where = f"{where} ({address})"
    tls, tls_problems = _parse_tls(entry.get("tls") or {}, str(address), f"{where}.tls")
    ports, port_problems = _parse_ports(entry.get("ports") or [], f"{where}.ports")
    workload, workload_problems = _parse_workload(entry.get("workload") or {}, f"{where}.workload")
    providers = _strings(entry.get("providers"))
    problems += tls_problems + port_problems + workload_problems
    protocol = str(entry.get("protocol") or "tcp")
    problems += _protocol_problems(protocol, f"{where}.protocol")
    sites = _strings(entry.get("sites"))
    members: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    if groups is not None:
        members, provider_problems = expand_hosts(providers, groups, f"{where}.providers")
        named, site_problems = expand_hosts(sites, groups, f"{where}.sites")
        problems += provider_problems + site_problems
    mounts, mount_problems = _parse_mounts(entry, workload, host in members, groups, host, where)
    problems += mount_problems
    if problems:
        return None, problems
    takes_part = not sites or groups is None or host in members | named
    service = Service(
        str(address),
        protocol,
        ports,
        workload,
        providers,
        tls,
        provides=host in members,
        certificate=(entry.get("tls") or {}).get("certificate") or {},
        sites=sites,
        takes_part=takes_part,
        mounts=mounts if takes_part else (),
    )
    return service, []


def _of_site(
    network: Service, entry: Mapping[str, Any], override: Any, groups: Mapping[str, Sequence[str]] | None, host: str
) -> tuple[Service | None, list[InputError]]:
    """Return a service with what the site at hand sets otherwise. What it is called in the network stays."""
    merged, problems = site_overrides.merged(entry, override)
    service: Service | None = None
    if not problems:
        service, problems = _parse_service(merged, groups, host, site_overrides.OPTION)
    if service is None:
        return None, problems
    if len(service.ports) != len(network.ports):
        return None, [
            InputError(
                f"has {len(service.ports)} ports, and the service has {len(network.ports)} in the network",
                field=f"{site_overrides.OPTION} ({network.address}).ports",
                found=_some([str(port.port) for port in service.ports]),
                remedy="Give the site's port for each port of the entry, in the same order",
            )
        ]
    ports = tuple(
        port if port.port == known.key else replace(port, network=known.key)
        for port, known in zip(service.ports, network.ports)
    )
    tls = service.tls
    if tls.server_secret != network.tls.server_secret or tls.ca_secret != network.tls.ca_secret:
        tls = replace(tls, stored=network.tls.server_secret)
    return replace(service, ports=ports, tls=tls, network=network), []


def _protocol_problems(protocol: str, where: str) -> list[InputError]:
    if protocol not in PROTOCOLS:
        return [InputError("is not a protocol of Skupper", field=where, found=protocol, remedy="Use tcp or http2")]
    if protocol == "http":
        return [
            InputError(
                "protocol http cannot be combined with TLS, Skupper refuses it",
                field=where,
                found="http",
                remedy="Use http2, or tcp for HTTP/1.1 over TLS",
            )
        ]
    return []


def _parse_tls(raw: Mapping[str, Any], address: str, where: str) -> tuple[Tls, list[InputError]]:
    mode = str(raw.get("mode") or CUSTOM)
    if mode == GENERATED:
        return _parse_generated(raw, address, where)
    server = raw.get("server_secret") or DEFAULT_SERVER_SECRET
    ca = raw.get("ca_secret") or DEFAULT_CA_SECRET
    problems = names.secret_name_problems(server, f"{where}.server_secret")
    problems += names.secret_name_problems(ca, f"{where}.ca_secret")
    problems += _of_other_mode(raw, {"signer": "", "site_intermediates": False}, CUSTOM, where)
    if mode not in MODES:
        problems.append(
            InputError(
                "is not a TLS mode",
                field=f"{where}.mode",
                found=mode,
                remedy="Use custom (one certificate of the network on every site) or generated (each site's own CA)",
            )
        )
    if server == ca:
        problems.append(
            InputError(
                "server_secret and ca_secret have the same name",
                field=where,
                found=str(server),
                remedy="Give the CA a secret of its own: clients mount it, and it must not hold the private key",
            )
        )
    return Tls(mode, str(server), str(ca), str(raw.get("authority") or "")), problems


def _parse_generated(raw: Mapping[str, Any], address: str, where: str) -> tuple[Tls, list[InputError]]:
    others = {
        "server_secret": DEFAULT_SERVER_SECRET,
        "ca_secret": DEFAULT_CA_SECRET,
        "authority": "",
        "certificate": {},
    }
    problems = _of_other_mode(raw, others, GENERATED, where)
    signer, intermediates = str(raw.get("signer") or ""), bool(raw.get("site_intermediates"))
    if signer:
        problems += names.label_problems(signer, f"{where}.signer")
    elif intermediates:
        problems.append(
            InputError(
                "intermediate CAs are asked for without a CA above them",
                field=f"{where}.site_intermediates",
                remedy="Name an authority of the store as tls.signer",
            )
        )
    server = names.RESERVED_PREFIX + address
    return Tls(GENERATED, server, names.SERVICE_CLIENT, signer=signer, site_intermediates=intermediates), problems


def _of_other_mode(raw: Mapping[str, Any], without: Mapping[str, Any], mode: str, where: str) -> list[InputError]:
    return [
        InputError(
            f"has no meaning in TLS mode {mode}",
            field=f"{where}.{option}",
            found=str(raw[option]) if isinstance(raw[option], (str, bool)) else "",
            remedy=f"Remove it, or set tls.mode to {GENERATED if mode == CUSTOM else CUSTOM}",
        )
        for option, default in without.items()
        if raw.get(option) and raw[option] != default
    ]


def _parse_ports(raw: Any, where: str) -> tuple[tuple[Port, ...], list[InputError]]:
    problems: list[InputError] = []
    ports: list[Port] = []
    entries = _strings(raw)
    if not entries:
        problems.append(InputError("has no port", field=where, remedy="Name at least one port, for example [8443]"))
    for text in entries:
        outer, inner = [*text.split(":", 1), ""][:2]
        port, target = names.parse_port(outer), names.parse_port(inner or outer)
        if port is None or target is None:
            problems.append(
                InputError(
                    "is not a port, or a pair port:target_port",
                    field=where,
                    found=text,
                    remedy="Use numbers from 1 to 65535, for example 5001 or 5001:8443",
                )
            )
        elif any(known.port == port for known in ports):
            problems.append(
                InputError("names a port twice", field=where, found=str(port), remedy="Name each port once")
            )
        else:
            ports.append(Port(port, target))
    return tuple(ports), problems


def _parse_workload(raw: Mapping[str, Any], where: str) -> tuple[Workload, list[InputError]]:
    kind = str(raw.get("kind") or "").lower()
    name = str(raw.get("name") or "")
    selector = str(raw.get("selector") or "")
    host = str(raw.get("host") or "")
    if name and not kind:
        kind = "deployment"
    problems = []
    if kind and kind not in WORKLOAD_KINDS:
        problems.append(
            InputError(
                "is not a kind of workload",
                field=f"{where}.kind",
                found=kind,
                remedy=f"Use {', '.join(WORKLOAD_KINDS)}",
            )
        )
    if kind and not name:
        problems.append(
            InputError("kind is given without a name", field=where, found=kind, remedy="Add name, or use selector")
        )
    if name and selector:
        problems.append(
            InputError(
                "names a workload and a selector",
                field=where,
                found=f"{kind} {name} and {selector}",
                remedy="Keep one of them",
            )
        )
    if selector and not _is_selector(selector):
        problems.append(
            InputError(
                "is not an equality selector",
                field=f"{where}.selector",
                found=selector,
                remedy="Write label=value pairs separated by commas, for example app=payments,tier=api",
            )
        )
    return Workload(kind, name, selector, host), problems


def _parse_mounts(
    entry: Mapping[str, Any],
    workload: Workload,
    provides: bool,
    groups: Mapping[str, Sequence[str]] | None,
    host: str,
    where: str,
) -> tuple[tuple[Mount, ...], list[InputError]]:
    """Return what of the service is to be mounted on the site at hand; what is wrong is told on every site."""
    raw = entry.get("workload") or {}
    mounts, problems = _parse_server_mount(raw, workload, f"{where}.workload")
    mounts = mounts if provides else []
    for index, consumer in enumerate(entry.get("consumers") or []):
        field_ = f"{where}.consumers[{index}]"
        client, client_problems = _parse_workload(consumer.get("workload") or {}, f"{field_}.workload")
        problems += client_problems
        if not client.name:
            problems.append(
                InputError("names no workload", field=f"{field_}.workload", remedy="Give the workload's kind and name")
            )
        problems += names.mount_path_problems(consumer.get("mount_path"), f"{field_}.mount_path")
        sites = _strings(consumer.get("sites"))
        members: frozenset[str] = frozenset()
        if groups is not None:
            members, site_problems = expand_hosts(sites, groups, f"{field_}.sites")
            problems += site_problems
        if not sites or host in members:
            path, containers = str(consumer.get("mount_path")), _strings(consumer.get("containers"))
            mounts.append(Mount(client.kind, client.name, path, containers, "ca", field_))
    return tuple(mounts), problems


def _parse_server_mount(raw: Mapping[str, Any], workload: Workload, where: str) -> tuple[list[Mount], list[InputError]]:
    path, containers = raw.get("mount_path"), _strings(raw.get("containers"))
    if not path:
        found = ", ".join(containers)
        remedy = "Add mount_path, or leave containers out"
        problem = InputError("are given without mount_path", field=f"{where}.containers", found=found, remedy=remedy)
        return [], [problem] if containers else []
    problems = names.mount_path_problems(path, f"{where}.mount_path")
    if not workload.name:
        problems.append(
            InputError(
                "needs a workload to mount into, and none is named",
                field=f"{where}.mount_path",
                found=workload.text,
                remedy="Give the workload's kind and name instead of a selector",
            )
        )
    return [Mount(workload.kind, workload.name, str(path), containers, "server", where)], problems


def _is_selector(text: str) -> bool:
    return all(_SELECTOR_PAIR.fullmatch(pair.strip()) for pair in text.split(","))


def _strings(value: Any) -> tuple[str, ...]:
    """Return a list, a single value or comma separated text as a tuple of texts (surveys give only text)."""
    if value is None:
        return ()
    if isinstance(value, str):
        value = value.split(",")
    elif not isinstance(value, (list, tuple)):
        value = [value]
    return tuple(text for text in (str(part).strip() for part in value) if text)


def expand_hosts(
    wanted: Iterable[str], groups: Mapping[str, Sequence[str]], option: str
) -> tuple[frozenset[str], list[InputError]]:
    """Return the hosts that names of hosts or groups stand for, and an error for each name that is neither."""
    hosts = set(groups.get("all", ()))
    members: set[str] = set()
    problems = []
    for name in wanted:
        if name in hosts:
            members.add(name)
        elif name in groups:
            members.update(groups[name])
        else:
            problems.append(
                InputError(
                    "is neither a host nor a group of the inventory",
                    field=option,
                    found=name,
                    remedy=f"Use one of the hosts ({_some(sorted(hosts))}) or a group",
                )
            )
    return frozenset(members), problems


def _some(values: Sequence[str], most: int = 6) -> str:
    return ", ".join(values[:most]) + (", …" if len(values) > most else "")


def _mount_clashes(services: Sequence[Service]) -> list[InputError]:
    """Return an error for each mount whose place in a container another secret has."""
    problems = []
    taken: list[tuple[Mount, str, str]] = []
    for service in services:
        for mount in service.mounts:
            for other, address, role in taken:
                shared = not mount.containers or not other.containers or {*mount.containers} & {*other.containers}
                same_place = (mount.workload, mount.path) == (other.workload, other.path) and shared
                if same_place and (address, role) != (service.address, mount.role):
                    problems.append(
                        InputError(
                            f"is a mount of {other.field} in the same container as well",
                            field=f"{mount.field}.mount_path",
                            found=f"{mount.path} in {mount.workload}",
                            remedy="Give each mount a path of its own",
                        )
                    )
            taken.append((mount, service.address, mount.role))
    return problems


def _clashes(services: Sequence[Service], option: str) -> list[InputError]:
    problems = _mount_clashes(services)
    seen: set[str] = set()
    roles: dict[str, str] = {}
    authorities: dict[str, str] = {}
    signers: dict[str, tuple[str, bool]] = {}
    for service in services:
        if service.address in seen:
            problems.append(
                InputError(
                    "is the address of two services",
                    field=option,
                    found=service.address,
                    remedy="Merge them into one entry, or rename one",
                )
            )
        seen.add(service.address)
        if service.tls.generated:
            signers[service.address] = (service.tls.signer, service.tls.site_intermediates)
            continue
        for role, secret in (("server_secret", service.tls.server_secret), ("ca_secret", service.tls.ca_secret)):
            if roles.setdefault(secret, role) != role:
                problems.append(
                    InputError(
                        "is used as server_secret by one service and as ca_secret by another",
                        field=option,
                        found=secret,
                        remedy="Use different names",
                    )
                )
            authority = service.tls.authority or DEFAULT_AUTHORITY
            if authorities.setdefault(secret, authority) != authority:
                problems.append(
                    InputError(
                        "is a secret of two authorities",
                        field=option,
                        found=f"{secret}: {authorities[secret]} and {authority} ({service.address})",
                        remedy="Name the same authority in both services, or give each its own secrets",
                    )
                )
    if len(set(signers.values())) > 1:
        problems.append(
            InputError(
                "differs between services, and a site signs the certificates of all its services with one CA",
                field=f"{option}.tls.signer",
                found=", ".join(f"{address}: {signer or 'none'}" for address, (signer, dummy) in signers.items()),
                remedy="Give all services of mode generated the same signer and site_intermediates",
            )
        )
    return problems


def _renamings(services: Sequence[Service]) -> list[InputError]:
    """Return an error where a site has one secret for two of the network, or two for one: each holds the same there."""
    problems = []
    site_names: dict[str, str] = {}
    network_names: dict[str, str] = {}
    for service in services:
        network = (service.network or service).tls
        for known, here in (
            (network.server_secret, service.tls.server_secret),
            (network.ca_secret, service.tls.ca_secret),
        ):
            if site_names.setdefault(known, here) != here or network_names.setdefault(here, known) != known:
                problems.append(
                    InputError(
                        "gives the secrets of the network other names, but not one for each",
                        field=f"{site_overrides.OPTION} ({service.address}).tls",
                        found=f"{known} as {here}, but {_other(known, here, site_names, network_names)}",
                        remedy="Give services that share a secret the same name for it, and others another one",
                    )
                )
    return problems


def _other(known: str, here: str, site_names: Mapping[str, str], network_names: Mapping[str, str]) -> str:
    """Return the earlier renaming that another one does not go with."""
    first = site_names[known]
    return f"{known} as {first}" if first != here else f"{network_names[here]} as {here}"
