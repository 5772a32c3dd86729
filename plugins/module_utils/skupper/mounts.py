# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts of a service's secrets in the pods of workloads, of which we own a few fields and no more.

An item of kind ``Workload`` is what one service has in one workload: volumes, mounts of them in containers, and
annotations of the pod template. It is written by server-side apply, by a field manager of the service's own, so that
services do not remove each other's fields, and whoever applies the workload itself neither removes ours nor meets
them. The fields are kept here under the keys that the API server merges them by: containers by name, their mounts by
path, volumes by name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import SiteError, SkupperTlsError
from ..plan import FOREIGN, OURS, UNKNOWN, Observed
from .desired import SECRET_KEYS, Item
from .names import ADDRESS_LABEL, MANAGED_BY, MOUNTS_LABEL
from .services import Mount, Service

LABEL = MOUNTS_LABEL
_KEYS: Mapping[str, Sequence[str]] = {"server": SECRET_KEYS, "ca": ("ca.crt",)}
_VOLUME = "skupper-tls-"
_KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
_CONTAINERS = ("containers", "initContainers")
_LONGEST_MANAGER = 128  # of the API server
_NAME = re.compile(r"(\w+)/(.+) \((.+)\)")

Place = tuple[str, ...]
"""Where a field is: ``(annotations, key)``, ``(volumes, name)``, ``(containers, container, path of the mount)``."""


@dataclass(frozen=True)
class Resolved:
    """What the mounts come to.

    Attributes:
        items: what the services must have in workloads.
        seen: what the site holds, with what stands there of each item in place of the workloads.
        problems: what keeps the items from being.
        waiting: the secrets that are not there yet, whose items were left out.
    """

    items: tuple[Item, ...]
    seen: dict[tuple[str, str], Observed]
    problems: tuple[SkupperTlsError, ...]
    waiting: frozenset[str] = frozenset()


def manager(network: str, address: str) -> str:
    """Return the field manager of a service."""
    name = f"{MANAGED_BY}/{network}/{address}"
    return name if len(name) <= _LONGEST_MANAGER else f"{MANAGED_BY}/{_digest(network)}/{address}"


def volume_name(address: str, role: str) -> str:
    """Return the name of a service's volume, an RFC 1123 label."""
    name = f"{_VOLUME}{address}-{role}"
    return name if len(name) <= 63 else f"{_VOLUME}{_digest(address)}-{role}"


def annotation(address: str, role: str) -> str:
    """Return the annotation of the pod template that holds the fingerprint of what is mounted."""
    return f"{role}.multisite.skupper-tls/{address}"


def item_name(workload: str, address: str) -> str:
    """Return the name of the item of one service in one workload."""
    return f"{workload} ({address})"


def parse_name(text: str) -> tuple[str, str, str]:
    """Return kind and name of the workload, and the address, of an item's name."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return found[1], found[2], found[3]


def targets(services: Iterable[Service]) -> list[str]:
    """Return the workloads that the services are to be mounted in, each once."""
    return list(dict.fromkeys(mount.workload for service in services for mount in service.mounts))


def observed(body: Mapping[str, Any]) -> Observed:
    """Return a workload as it stands, with the fields of each of its field managers as ``record``."""
    template = (body.get("spec") or {}).get("template") or {}
    pod = template.get("spec") or {}
    content: dict[str, Any] = {
        "annotations": (template.get("metadata") or {}).get("annotations") or {},
        "volumes": {entry["name"]: _without(entry, "name") for entry in pod.get("volumes") or []},
    }
    for part in _CONTAINERS:
        content[part] = {
            container["name"]: {
                mount["mountPath"]: _without(mount, "mountPath") for mount in container.get("volumeMounts") or []
            }
            for container in pod.get(part) or []
        }
    metadata = body["metadata"]
    managers: dict[str, list[Place]] = {}
    for entry in metadata.get("managedFields") or []:
        if not entry.get("subresource"):
            owner = _owner(entry.get("manager", ""), entry.get("operation", ""))
            managers.setdefault(owner, []).extend(_places(entry.get("fieldsV1") or {}))
    return Observed(
        content=content,
        labels={key: value for key, value in (metadata.get("labels") or {}).items() if key == LABEL},
        uid=metadata.get("uid", ""),
        record={"managers": managers},
    )


def secrets_of(workload: Observed) -> list[str]:
    """Return the secrets that our volumes in a workload show; of anything but a workload none."""
    volumes = workload.content.get("volumes") or {}
    ours = [volume for name, volume in volumes.items() if name.startswith(_VOLUME)]
    return [str((volume.get("secret") or {}).get("secretName")) for volume in ours]


def resolve(
    services: Iterable[Service],
    seen: Mapping[tuple[str, str], Observed],
    fingerprints: Mapping[str, str],
    network: str,
    early: bool,
) -> Resolved:
    """Return the items that the services must have in workloads, and what is there of them.

    Args:
        services: those that the user named; of others nothing is looked at.
        seen: what the site holds, workloads as :func:`observed` returns them.
        fingerprints: by name of a secret, of what is mounted from it.
        network: the name of the network.
        early: whether to return the items of secrets that are not there yet, with a fingerprint still to come.
    """
    waiting: set[str] = set()
    workloads = {name: item for (kind, name), item in seen.items() if kind == "Workload"}
    found = {key: item for key, item in seen.items() if key[0] != "Workload"}
    items: list[Item] = []
    problems: list[SkupperTlsError] = []
    for service in services:
        for name in dict.fromkeys([*targets([service]), *workloads]):
            wanted, refused = _wanted(service, name, workloads.get(name), fingerprints)
            problems += refused
            workload = workloads.get(name)
            if workload is None or refused:
                continue
            missing = {secret for secret in _secrets(service, name) if not fingerprints.get(secret)}
            if missing and not early:
                waiting |= missing
                continue  # what stands there from an earlier run stays
            key = ("Workload", item_name(name, service.address))
            mine, names = _owner(manager(network, service.address), "Apply"), workload.record["managers"]
            owned = set(names.get(mine, ()))
            stale: dict[Place, Any] = dict.fromkeys(owned - set(wanted))
            if wanted:
                content = _nested({**wanted, **stale})
                items.append(Item(*key, content, labels={LABEL: "true"}, record={"uid": workload.uid}))
            state = _state(workload, wanted, owned, mine, service.address)
            if state is not None:
                found[key] = state
    return Resolved(tuple(items), found, tuple(problems), frozenset(waiting))


def standing(seen: Mapping[tuple[str, str], Observed], network: str) -> dict[tuple[str, str], Observed]:
    """Return what a site holds, with every mount of the network's in place of the workloads.

    What another network mounts stands under the workload's own name, as somebody else's.
    """
    found = {key: item for key, item in seen.items() if key[0] != "Workload"}
    for (kind, name), workload in seen.items():
        if kind != "Workload":
            continue
        theirs = _volumes_of_others(workload, network)
        if theirs:
            found[(kind, name)] = Observed({"volumes": theirs})
        for mine, places in workload.record["managers"].items():
            address = _address(mine, network)
            state = _state(workload, {}, set(places), mine, address) if address else None
            if state is not None:
                found[("Workload", item_name(name, address))] = state
    return found


def _volumes_of_others(workload: Observed, network: str) -> dict[str, Any]:
    ours = {
        place for owner, places in workload.record["managers"].items() if _address(owner, network) for place in places
    }
    volumes = workload.content.get("volumes") or {}
    return {name: it for name, it in volumes.items() if name.startswith(_VOLUME) and ("volumes", name) not in ours}


def _address(owner: str, network: str) -> str:
    """Return the address of the service whose field manager it is, empty for another's."""
    address = owner.rpartition("/")[2].rpartition(" ")[0]
    return address if address and owner == _owner(manager(network, address), "Apply") else ""


def configuration(item: Item, uid: str) -> dict[str, Any]:
    """Return what is applied for an item; without content it releases all that the manager owns."""
    kind, name, dummy = parse_name(item.name)
    body: dict[str, Any] = {"apiVersion": "apps/v1", "kind": _KINDS[kind], "metadata": {"name": name, "uid": uid}}
    if not item.content:
        return body
    body["metadata"]["labels"] = dict(item.labels)
    pod: dict[str, Any] = {"volumes": [{"name": key, **value} for key, value in _kept(item.content, "volumes")]}
    for part in _CONTAINERS:
        containers = [
            {
                "name": container,
                "volumeMounts": [{"mountPath": path, **mount} for path, mount in mounts.items() if mount is not None],
            }
            for container, mounts in (item.content.get(part) or {}).items()
        ]
        # A container named without a mount would be owned, and could then not be removed by its owner.
        containers = [container for container in containers if container["volumeMounts"]]
        if containers:
            pod[part] = containers
    template = {"metadata": {"annotations": dict(_kept(item.content, "annotations"))}, "spec": pod}
    return {**body, "spec": {"template": template}}


def _wanted(
    service: Service, name: str, workload: Observed | None, fingerprints: Mapping[str, str]
) -> tuple[dict[Place, Any], list[SkupperTlsError]]:
    """Return by place the fields that the service must have in a workload, in the order to show them."""
    wanted: dict[Place, Any] = {}
    problems: list[SkupperTlsError] = []
    for mount in service.mounts:
        if mount.workload != name:
            continue
        if workload is None:
            if mount.role == "ca":  # the target itself is looked up for its selector, and told there
                problems.append(_missing(mount))
            continue
        secret = _secret(service, mount)
        volume = volume_name(service.address, mount.role)
        places, refused = _mount_places(mount, workload)
        problems += refused
        wanted[("annotations", annotation(service.address, mount.role))] = fingerprints.get(secret) or UNKNOWN
        items = [{"key": key, "path": key} for key in _KEYS[mount.role]]
        wanted[("volumes", volume)] = {"secret": {"secretName": secret, "items": items}}
        wanted.update((place, {"name": volume, "readOnly": True}) for place in places)
    return wanted, problems


def _secret(service: Service, mount: Mount) -> str:
    return service.tls.server_secret if mount.role == "server" else service.tls.ca_secret


def _secrets(service: Service, workload: str) -> set[str]:
    return {_secret(service, mount) for mount in service.mounts if mount.workload == workload}


def _mount_places(mount: Mount, workload: Observed) -> tuple[list[Place], list[SkupperTlsError]]:
    parts = {name: part for part in reversed(_CONTAINERS) for name in workload.content[part]}
    missing = [name for name in mount.containers if name not in parts]
    if missing:
        return [], [
            SiteError(
                f"{mount.workload} has no container of that name",
                field=f"{mount.field}.containers",
                found=f"{', '.join(missing)}; it has {', '.join(sorted(parts))}",
                remedy="Correct the name, or leave containers out for all of them",
            )
        ]
    names = mount.containers or tuple(workload.content["containers"])
    places: list[Place] = [(parts[name], name, mount.path) for name in names]
    same = [
        f"{path} in container {name}"
        for part, name, dummy in places
        for path in workload.content[part][name]
        if path != mount.path and path.rstrip("/") == mount.path
    ]
    if same:
        problem = SiteError(
            "is the path of another mount of the container, written with a slash at its end",
            field=f"{mount.field}.mount_path",
            found="; ".join(same),
            remedy="Choose another mount_path",
        )
        return [], [problem]
    return places, []


def _missing(mount: Mount) -> SiteError:
    return SiteError(
        "the workload does not exist on the site",
        field=f"{mount.field}.workload",
        found=f"no {mount.workload}",
        remedy="Correct kind or name, deploy it first, or name the sites that have it under sites",
    )


def _state(
    workload: Observed, wanted: Mapping[Place, Any], owned: set[Place], mine: str, address: str
) -> Observed | None:
    """Return what stands at the places of an item, None where they are free and we own none of them."""
    managers = workload.record["managers"]
    differing = {place for place, value in wanted.items() if not _free_or_same(workload.content, place, value)}
    held = [
        f"{name}: {' '.join(place)}"
        for name in sorted(managers)
        if name != mine
        for place in sorted(differing & set(managers[name]))
    ]
    if not held and mine not in managers:
        return None
    there = {place: value for place in [*wanted, *sorted(owned - set(wanted))]
             if (value := _at(workload.content, place)) is not None}  # fmt: skip
    return Observed(
        content=_nested(there),
        labels={**workload.labels, ADDRESS_LABEL: address},
        owner=FOREIGN if held else OURS,
        uid=workload.uid,
        record={"held": held},
    )


def _free_or_same(content: Mapping[str, Any], place: Place, wanted: Any) -> bool:
    there = _at(content, place)
    if not isinstance(there, Mapping) or not isinstance(wanted, Mapping):
        return there is None or bool(there == wanted)
    return all(_free_or_same(there, (key,), value) for key, value in wanted.items())


def _at(content: Mapping[str, Any], place: Place) -> Any:
    value: Any = content
    for key in place:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _nested(places: Mapping[Place, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for place, value in places.items():
        inner = content
        for key in place[:-1]:
            inner = inner.setdefault(key, {})
        inner[place[-1]] = value
    return content


def _owner(name: str, operation: str) -> str:
    """Return who owns fields: to the API server a name that applies and the same name that updates are two."""
    return f"{name} ({operation})"


def _places(fields: Mapping[str, Any]) -> Iterator[Place]:
    """Return the places among the fields of a manager, which are in the API server's format FieldsV1."""
    template = _at(fields, ("f:spec", "f:template")) or {}
    for key in _at(template, ("f:metadata", "f:annotations")) or {}:
        if key.startswith("f:"):
            yield "annotations", key[2:]
    for name, dummy in _listed(_at(template, ("f:spec", "f:volumes")), "name"):
        yield "volumes", name
    for part in _CONTAINERS:
        for container, owned in _listed(_at(template, ("f:spec", f"f:{part}")), "name"):
            for path, dummy in _listed(owned.get("f:volumeMounts"), "mountPath"):
                yield part, container, path


def _listed(fields: Any, key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the entries of a list that is merged by a key."""
    for name, inner in (fields or {}).items():
        if name.startswith("k:"):
            yield str(json.loads(name[2:]).get(key)), inner


def _kept(content: Mapping[str, Any], part: str) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in (content.get(part) or {}).items() if value is not None]


def _without(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != key}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
