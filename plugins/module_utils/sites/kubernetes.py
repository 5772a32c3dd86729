# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites that are Kubernetes or OpenShift namespaces, with Skupper v1 or v2."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Callable

from ..errors import NotPermitted, SiteConflict, SiteError, SkupperTlsError
from ..kube import Api, namespaced, review_permissions
from ..plan import FOREIGN, OURS, Change, Observed
from ..skupper import mounts, v1config
from ..skupper.desired import SECRET_TYPE, Item, SiteKind
from ..skupper.names import MANAGED_BY, MANAGED_BY_LABEL, NETWORK_LABEL, ownership_labels
from ..skupper.services import Service, Workload
from .base import Health, SiteAddress

V2_GROUP = "skupper.io/v2alpha1"
V2_PLURALS = {"Listener": "listeners", "Connector": "connectors", "Certificate": "certificates"}
WORKLOAD_PLURALS = {"deployment": "deployments", "statefulset": "statefulsets", "daemonset": "daemonsets"}

ENTRIES, ROUTER = "skupper-services", "skupper-internal"
ROUTER_KEY = "skrouterd.json"
CONTROLLER = "skupper-service-controller"
ENTRY_ANNOTATION = "entry.multisite.skupper-tls/"
PROFILE_ANNOTATION = "profile.multisite.skupper-tls/"

_NOTED = {"RouterProfile": (ROUTER, PROFILE_ANNOTATION), "ServiceEntry": (ENTRIES, ENTRY_ANNOTATION)}
_CONTROLLED = ("internal.skupper.io/controlled", "internal.skupper.io/certificate")

CONFLICT_RETRIES = 8
POLL_SECONDS = 0.5


class KubernetesSite:
    """A namespace of a cluster."""

    def __init__(self, address: SiteAddress, client: Api) -> None:
        self.address = address
        self._api = client
        self._version = address.version
        self._marker: dict[str, Any] = {}

    # -- what it is

    def kind(self) -> SiteKind:
        if not self._version:
            self._version = self._detect()
        return SiteKind("kubernetes", self._version, namespace=self.address.namespace)

    def _detect(self) -> str:
        """Return v1 or v2 by what marks a site: a Site object (v2), ConfigMap skupper-site (v1)."""
        refusals: list[NotPermitted] = []
        sites = _unless_forbidden(lambda: self._list("sites"), refusals)
        v1 = _unless_forbidden(lambda: self._api.get(self._path("configmaps", "skupper-site")), refusals)
        if sites and v1:
            raise self._error(
                "has both a Skupper v1 and a Skupper v2 site in one namespace",
                found="ConfigMap skupper-site and a Site object",
                remedy="Set skupper_site_version to v1 or v2, or finish the migration",
            )
        if sites:
            self._marker = sites[0]
            return "v2"
        if v1:
            self._marker = v1
            return "v1"
        # A user of a v1 site need not be permitted what marks a v2 site, and the other way round.
        raise refusals[0] if refusals else self._missing_site()

    def _missing_site(self) -> SkupperTlsError:
        namespace = self.address.namespace
        reply = self._api.request("GET", f"/api/v1/namespaces/{namespace}")
        if reply.status == 404:
            return self._error(
                f"the namespace {namespace} does not exist",
                field="skupper_site_namespace",
                found=f"no namespace {namespace} on {self._api.server}",
                remedy="Correct the name or the context, or create the namespace and a Skupper site in it",
            )
        return self._error(
            f"there is no Skupper site in namespace {namespace}",
            found="neither a Site object (v2) nor ConfigMap skupper-site (v1)",
            remedy="Create the site first (skupper site create, or skupper init for v1), or correct the namespace",
        )

    # -- reading

    def observe(
        self, secrets: Iterable[str], kinds: Iterable[str], owned: bool = False, workloads: Iterable[str] = ()
    ) -> dict[tuple[str, str], Observed]:
        found = self._own_secrets() if owned else {}
        for name in secrets:
            if ("Secret", name) in found:
                continue
            body = self._api.get(self._path("secrets", name))
            if body is not None:
                found[("Secret", name)] = self._secret(body)
        wanted = set(kinds)
        for kind in sorted(wanted & set(V2_PLURALS)):
            for body in self._list(V2_PLURALS[kind]):
                found[(kind, body["metadata"]["name"])] = self._object(body)
        if wanted & {"RouterProfile", "ServiceEntry"}:
            found.update(self._observe_v1(wanted))
        if "Workload" in wanted:
            found.update(self._observe_workloads(list(workloads), owned or self._may_have_mounts(found)))
        return found

    def _may_have_mounts(self, found: Mapping[tuple[str, str], Observed]) -> bool:
        """Return whether there may be mounts that nobody named: what exposes a service with mounts says so (v2)."""
        return self._version == "v1" or any(mounts.LABEL in item.labels for item in found.values())

    def _observe_workloads(self, named: list[str], looking: bool) -> dict[tuple[str, str], Observed]:
        """Return the named workloads, and those that have mounts of ours, where there may be some."""
        bodies: dict[str, dict[str, Any]] = {}
        for kind in WORKLOAD_PLURALS if named or looking else ():
            bodies.update((f"{kind}/{body['metadata']['name']}", body) for body in self._mounted(kind))
        for text in dict.fromkeys(named):
            kind, dummy, name = text.partition("/")
            body = bodies.get(text) or self._api.get(self._workload(kind, name))
            if body is not None:
                bodies[text] = body
        return {("Workload", text): mounts.observed(body) for text, body in bodies.items()}

    def _mounted(self, kind: str) -> list[dict[str, Any]]:
        # Who may not list workloads may still name them; what was dropped from the inventory is then not found.
        query = {"labelSelector": mounts.LABEL}
        body = _unless_forbidden(lambda: self._api.get(self._workload(kind), query), [])
        return list(body.get("items") or []) if body else []

    def _workload(self, kind: str, name: str = "") -> str:
        return namespaced(self.address.namespace, WORKLOAD_PLURALS[kind], name, "apps/v1")

    def _own_secrets(self) -> dict[tuple[str, str], Observed]:
        labels = ownership_labels(self.address.network)
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        body = self._api.get(self._path("secrets"), {"labelSelector": selector}) or {}
        return {("Secret", item["metadata"]["name"]): self._secret(item) for item in body.get("items") or []}

    def _observe_v1(self, wanted: set[str]) -> dict[tuple[str, str], Observed]:
        router = self._config_map(ROUTER)
        config = v1config.parse_router_config(_data(router).get(ROUTER_KEY, ""))
        found: dict[tuple[str, str], Observed] = {}
        for name, attributes in v1config.profiles(config).items():
            record = _record(router, PROFILE_ANNOTATION + name)
            found[("RouterProfile", name)] = self._kept(attributes, record)
        entries = self._config_map(ENTRIES)
        for address, text in _data(entries).items():
            content = v1config.parse_entry(text)
            record = _record(entries, ENTRY_ANNOTATION + address)
            status = {"bridges": v1config.bridges(config, address)}
            found[("ServiceEntry", address)] = self._kept(content, record, status, bool(content.get("origin")))
        if "Bridge" in wanted:
            found.update(
                {("Bridge", name): Observed(content) for name, content in v1config.tls_bridges(config).items()}
            )
        if "Note" in wanted:
            found.update(self._notes(router, "RouterProfile", found))
            found.update(self._notes(entries, "ServiceEntry", found))
        return found

    def _notes(
        self, body: Mapping[str, Any], kind: str, found: Mapping[tuple[str, str], Observed]
    ) -> dict[tuple[str, str], Observed]:
        """Return our annotations of what is not ours, or gone: who removes an item leaves its annotation."""
        prefix = _NOTED[kind][1]
        notes = {}
        for annotation in body["metadata"].get("annotations") or {}:
            name, record = annotation[len(prefix) :], _record(body, annotation)
            item = found.get((kind, name))
            if not annotation.startswith(prefix) or (item is not None and item.owner == OURS):
                continue
            if record.get("network") == self.address.network:
                notes[("Note", f"{kind}/{name}")] = Observed({"noted": record}, owner=OURS, network=record["network"])
        return notes

    def _secret(self, body: Mapping[str, Any]) -> Observed:
        data = {key: _decoded(value) for key, value in (body.get("data") or {}).items()}
        return self._observed(body, {"type": body.get("type", ""), "data": data}, {"controlled": _controlled(body)})

    def _object(self, body: Mapping[str, Any]) -> Observed:
        return self._observed(body, {"spec": body.get("spec") or {}}, body.get("status") or {})

    def _observed(
        self, body: Mapping[str, Any], content: Mapping[str, Any], status: Mapping[str, Any] | None = None
    ) -> Observed:
        metadata = body["metadata"]
        labels = metadata.get("labels") or {}
        network = labels.get(NETWORK_LABEL, "") if labels.get(MANAGED_BY_LABEL) == MANAGED_BY else ""
        return Observed(
            content=content,
            labels=labels,
            owner=OURS if network == self.address.network else FOREIGN,
            network=network,
            token=metadata.get("resourceVersion", ""),
            status=status or {},
            uid=metadata.get("uid", ""),
        )

    def _kept(
        self,
        content: Mapping[str, Any],
        record: Mapping[str, Any],
        status: Mapping[str, Any] | None = None,
        sent: bool = False,
    ) -> Observed:
        """Return an item that is kept inside a ConfigMap; who wrote it stands in an annotation."""
        network = str(record.get("network", "")) if record.get("owned", True) else ""
        ours = network == self.address.network
        return Observed(
            content,
            owner=OURS if ours else FOREIGN,
            network=network,
            status=status or {},
            record=record,
            synced=sent and not ours,
        )

    # -- writing

    def follow_up(self, changes: Sequence[Change]) -> list[Change]:
        return []

    def apply_all(self, changes: Sequence[Change], done: Callable[[Change], None]) -> None:
        for change in changes:
            self.apply(change)
            done(change)

    def apply(self, change: Change) -> None:
        kind = change.item.kind
        if kind == "RouterProfile":
            self._edit(ROUTER, lambda body: self._profile_patch(body, change))
        elif kind == "ServiceEntry":
            self._apply_entry(change)
        elif kind == "Note":
            self._remove_note(change)
        elif kind == "Workload":
            self._apply_mounts(change)
        elif change.action == "replace":
            self._delete(change)
            self._api.create(self._collection(kind), self._body(change.item))
        elif change.action == "delete":
            self._delete(change)
        elif change.action == "create":
            self._api.create(self._collection(kind), self._body(change.item))
        else:
            self._api.patch(self._collection(kind) + "/" + change.item.name, self._patch(change))

    def _apply_mounts(self, change: Change) -> None:
        kind, name, address = mounts.parse_name(change.item.name)
        before = change.before
        uid = str(change.item.record.get("uid") or (before.uid if before is not None else ""))
        body = mounts.configuration(change.item, uid)
        force = before is not None and before.owner == FOREIGN
        self._api.apply(self._workload(kind, name), body, mounts.manager(self.address.network, address), force)

    def _collection(self, kind: str) -> str:
        if kind == "Secret":
            return self._path("secrets")
        return namespaced(self.address.namespace, V2_PLURALS[kind], group=V2_GROUP)

    def _body(self, item: Item) -> dict[str, Any]:
        metadata = {"name": item.name, "namespace": self.address.namespace, "labels": self._labels(item)}
        api_version = "v1" if item.kind == "Secret" else V2_GROUP
        body = {"apiVersion": api_version, "kind": item.kind, "metadata": metadata, **_encoded(item)}
        if item.kind == "Secret":
            body.setdefault("type", SECRET_TYPE)  # v1 takes any type; the same one everywhere is easiest to read
        return body

    def _patch(self, change: Change) -> dict[str, Any]:
        metadata: dict[str, Any] = {"labels": self._labels(change.item)}
        if change.before is not None and change.before.token:
            metadata["resourceVersion"] = change.before.token
        return {"metadata": metadata, **_encoded(change.item)}

    def _labels(self, item: Item) -> dict[str, str]:
        return {**ownership_labels(self.address.network), **item.labels}

    def _delete(self, change: Change) -> None:
        before = change.before
        path = self._collection(change.item.kind) + "/" + change.item.name
        self._api.delete(path, before.uid if before else "", before.token if before else "")
        if change.item.kind == "Certificate":
            # Skupper deletes the secret after its Certificate: what is made meanwhile under the name would go too.
            secret = self._path("secrets", change.item.name)
            self._wait(lambda: self._api.get(secret) is None, True)

    def _profile_patch(self, body: Mapping[str, Any], change: Change) -> dict[str, Any]:
        name = change.item.name
        config = v1config.parse_router_config(_data(body).get(ROUTER_KEY, ""))
        self._unchanged(change, v1config.profiles(config).get(name))
        if change.action == "delete":
            config, mark = v1config.without_profile(config, name), None
        else:
            config, mark = v1config.with_profile(config, name, change.item.content), self._mark(change.item)
        return _config_map_patch(PROFILE_ANNOTATION + name, mark, ROUTER_KEY, json.dumps(config, indent=4))

    def _apply_entry(self, change: Change) -> None:
        if change.action == "replace":
            # Skupper ignores changed credentials in an entry that it knows: it must see it gone, then new.
            removal = Change("delete", change.item, change.before)
            self._edit(ENTRIES, lambda body: self._entry_patch(body, removal))
            self._wait(lambda: not self._bridges(change.item.name), bool(_bridges_of(change.before)))
            # What others put into the entry, such as a target of their own, comes back with it.
            found = change.before.content if change.before is not None else {}
            change = Change("create", replace(change.item, content=_merged(found, change.item.content)))
        self._edit(ENTRIES, lambda body: self._entry_patch(body, change))

    def _remove_note(self, change: Change) -> None:
        kind, dummy, name = change.item.name.partition("/")
        config_map, prefix = _NOTED[kind]

        def patch(body: Mapping[str, Any]) -> dict[str, Any]:
            record = _record(body, prefix + name)
            self._unchanged(change, {"noted": record} if record else None)
            return {"metadata": {"annotations": {prefix + name: None}}}

        self._edit(config_map, patch)

    def _entry_patch(self, body: Mapping[str, Any], change: Change) -> dict[str, Any]:
        address = change.item.name
        text = _data(body).get(address)
        current = v1config.parse_entry(text) if text is not None else None
        self._unchanged(change, current)
        mark: dict[str, Any] | None = self._mark(change.item)
        new: str | None
        if change.action == "delete":
            new, mark = None, None
        elif change.action == "touch":
            new = v1config.touched(text or "")
        else:
            new = v1config.render_entry(_merged(current or {}, change.item.content))
        return _config_map_patch(ENTRY_ANNOTATION + address, mark, address, new)

    def _mark(self, item: Item) -> dict[str, Any]:
        return {"network": self.address.network, **item.record}

    def _unchanged(self, change: Change, current: Mapping[str, Any] | None) -> None:
        """Refuse to write over an item that is no longer what the plan saw; its neighbours may have changed."""
        planned = change.before.content if change.before is not None else None
        if current != planned:
            raise SiteConflict(
                f"{change.item.kind} {change.item.name} changed while it was being written",
                site=self.address.name,
                remedy="Run again",
            )

    def _edit(self, name: str, patch: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
        """Change one key of a ConfigMap that Skupper's controller writes as well, by compare-and-swap."""
        for attempt in range(CONFLICT_RETRIES):
            body = self._config_map(name)
            change = patch(body)
            change["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"]
            try:
                self._api.patch(self._path("configmaps", name), change)
                return
            except SiteConflict:
                if attempt == CONFLICT_RETRIES - 1:
                    raise

    def tidy(self) -> None:
        """Nothing: the API server makes each write whole."""

    # -- around it

    def selector(self, workload: Workload) -> str:
        if workload.selector:
            return workload.selector
        body = self._api.get(self._workload(workload.kind, workload.name))
        if body is None:
            raise self._error(
                f"the workload {workload.text} does not exist in namespace {self.address.namespace}",
                field="services.workload",
                found=f"no {workload.kind} of that name",
                remedy="Correct kind or name, deploy it first, or give a selector",
            )
        labels = ((body.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
        if not labels:
            raise self._error(
                f"the workload {workload.text} selects its pods by expressions only",
                field="services.workload",
                remedy="Give a selector of label=value pairs instead",
            )
        return ",".join(f"{key}={labels[key]}" for key in sorted(labels))

    def health(self, services: Iterable[Service], now: float, adopt: bool = False) -> Health:
        kind = self.kind()
        wanted = _permissions(kind, list(services), adopt)
        missing = review_permissions(self._api, self.address.namespace, wanted)
        marker = self._marker or self._read_marker(kind)
        server_time = self._api.server_time
        return Health(
            identity=str(marker.get("metadata", {}).get("uid") or f"{self._api.server}/{self.address.namespace}"),
            missing_permissions=tuple(_permission_text(item) for item in missing),
            clock_offset=None if server_time is None else server_time - now,
            controller=self._controller(kind),
        )

    def _read_marker(self, kind: SiteKind) -> dict[str, Any]:
        if kind.version == "v2":
            sites = self._list("sites")
            found = sites[0] if sites else None
        else:
            found = self._api.get(self._path("configmaps", "skupper-site"))
        if not found:
            raise self._missing_site()
        self._marker = found
        return found

    def _controller(self, kind: SiteKind) -> bool:
        """Return whether a controller is at work: it has written the Site's status, or its pod is ready."""
        if kind.version == "v2":
            marker = self._marker or self._read_marker(kind)
            return bool((marker.get("status") or {}).get("conditions"))
        path = namespaced(self.address.namespace, "deployments", CONTROLLER, "apps/v1")
        # Not to be permitted to see it is told as a missing permission, and must not hide the others.
        deployment = _unless_forbidden(lambda: self._api.get(path), [])
        return bool(((deployment or {}).get("status") or {}).get("readyReplicas"))

    def removal_permissions(self, listing: bool) -> tuple[str, ...]:
        wanted = [("", "secrets", "", verb) for verb in ("get", "delete", *(["list"] if listing else []))]
        if self.kind().version == "v2":
            wanted += [
                ("skupper.io", plural, "", verb) for plural in V2_PLURALS.values() for verb in ("list", "delete")
            ]
        else:
            wanted += [("", "configmaps", name, verb) for name in (ENTRIES, ROUTER) for verb in ("get", "patch")]
        missing = review_permissions(self._api, self.address.namespace, wanted)
        return tuple(_permission_text(item) for item in missing)

    def ready(self, keys: Iterable[tuple[str, str]], seconds: float) -> Mapping[tuple[str, str], Any]:
        wanted = [key for key in keys if key[0] in ("Listener", "Connector", "ServiceEntry", "Secret")]
        kinds = sorted({kind for kind, _name in wanted} - {"Secret"})
        secrets = [name for kind, name in wanted if kind == "Secret"]
        found: dict[tuple[str, str], Observed] = {}

        def taken_up() -> bool:
            found.update(self.observe(secrets, kinds))
            return all(is_ready(key, found.get(key)) for key in wanted)

        if wanted and seconds > 0:
            self._wait(taken_up, self._controller(self.kind()), seconds)
        return {key: is_ready(key, found.get(key)) for key in wanted if key in found}

    def after_change(self, changes: Sequence[Change]) -> str:
        return ""

    def _wait(self, done: Callable[[], bool], worth_it: bool, seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while worth_it and not done() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def _bridges(self, address: str) -> list[str]:
        config = v1config.parse_router_config(_data(self._config_map(ROUTER)).get(ROUTER_KEY, ""))
        return v1config.bridges(config, address)

    def _list(self, plural: str) -> list[dict[str, Any]]:
        body = self._api.get(namespaced(self.address.namespace, plural, group=V2_GROUP))
        return list(body.get("items") or []) if body else []

    def _config_map(self, name: str) -> dict[str, Any]:
        body = self._api.get(self._path("configmaps", name))
        if body is None:
            raise self._error(
                f"the ConfigMap {name} of the Skupper v1 site is missing",
                found=f"no ConfigMap {name} in namespace {self.address.namespace}",
                remedy="Check that skupper init has finished and that the service-controller runs",
            )
        return body

    def _path(self, plural: str, name: str = "") -> str:
        return namespaced(self.address.namespace, plural, name)

    def _error(self, message: str, **details: str) -> SkupperTlsError:
        return SiteError(message, site=self.address.name, **details)


def is_ready(key: tuple[str, str], observed: Observed | None) -> bool:
    """Return whether Skupper says that it has taken an item up: Configured=True (v2), bridges (v1)."""
    if observed is None or key[0] == "Secret":
        return observed is not None
    if key[0] == "ServiceEntry":
        return bool(observed.status.get("bridges"))
    conditions = observed.status.get("conditions") or []
    return any(entry.get("type") == "Configured" and entry.get("status") == "True" for entry in conditions)


def _controlled(body: Mapping[str, Any]) -> bool:
    """Return whether Skupper v2 made the object itself: its annotations say so, or a Certificate owns it."""
    metadata = body["metadata"]
    annotations = metadata.get("annotations") or {}
    owners = [owner.get("kind") for owner in metadata.get("ownerReferences") or []]
    return any(annotations.get(name) == "true" for name in _CONTROLLED) or "Certificate" in owners


def _unless_forbidden(read: Callable[[], Any], refusals: list[NotPermitted]) -> Any:
    """Return what the call returns, or None where it is forbidden, and note that."""
    try:
        return read()
    except NotPermitted as error:
        refusals.append(error)
        return None


def _bridges_of(observed: Observed | None) -> list[str]:
    return list(observed.status.get("bridges") or []) if observed is not None else []


def _data(config_map: Mapping[str, Any]) -> dict[str, str]:
    return config_map.get("data") or {}


def _record(config_map: Mapping[str, Any], annotation: str) -> dict[str, Any]:
    text = (config_map["metadata"].get("annotations") or {}).get(annotation)
    try:
        record = json.loads(text) if text else {}
    except ValueError:
        record = {}
    return record if isinstance(record, dict) else {}


def _config_map_patch(annotation: str, mark: Mapping[str, Any] | None, key: str, value: str | None) -> dict[str, Any]:
    text = json.dumps(mark, separators=(",", ":")) if mark is not None else None
    return {"metadata": {"annotations": {annotation: text}}, "data": {key: value}}


def _merged(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry with our fields in it and everybody else's kept (RFC 7386, None removes)."""
    merged = dict(found)
    for key, value in wanted.items():
        inner = found.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[key] = _merged(inner, value)
        else:
            merged[key] = value
    return merged


def _decoded(value: Any) -> bytes:
    return b64decode(value or "")


def _encoded(item: Item) -> dict[str, Any]:
    if item.kind != "Secret":
        return {key: dict(value) if isinstance(value, Mapping) else value for key, value in item.content.items()}
    encoded = {key: b64encode(value).decode("ascii") for key, value in item.content["data"].items()}
    return {**{key: value for key, value in item.content.items() if key != "data"}, "data": encoded}


def _permissions(kind: SiteKind, services: list[Service], adopt: bool) -> list[tuple[str, str, str, str]]:
    """Return the (API group, resource, name, verb) that the steps of a rollout use on the site."""
    writes = any(not service.tls.generated or service.tls.signer for service in services)
    verbs: tuple[str, ...] = ("get", *(("create", "patch") if writes else ())) if services else ()
    wanted = [("", "secrets", "", verb) for verb in verbs]
    if adopt and services:
        wanted.append(("", "secrets", "", "delete"))  # a secret's type cannot be changed, only made anew
    if kind.version == "v2":
        for plural in ("listeners", "connectors"):
            # A site that is left alone is only looked at for what a service left there that has been there before.
            verbs = ("list", "create", "patch", "delete") if services else ("list",)
            wanted += [("skupper.io", plural, "", verb) for verb in verbs]
        wanted.append(("skupper.io", "sites", "", "list"))
        if any(service.tls.generated for service in services):
            wanted += [("skupper.io", "certificates", "", verb) for verb in ("list", "create", "patch", "delete")]
    else:
        for name in (ENTRIES, ROUTER):
            wanted += [("", "configmaps", name, verb) for verb in ("get", "patch")]
        wanted += [("", "configmaps", "skupper-site", "get"), ("apps", "deployments", CONTROLLER, "get")]
    for service in services:
        if service.provides and service.workload.name:
            wanted.append(("apps", WORKLOAD_PLURALS[service.workload.kind], service.workload.name, "get"))
        for mount in service.mounts:
            wanted += [("apps", WORKLOAD_PLURALS[mount.kind], mount.name, verb) for verb in ("get", "patch")]
    return list(dict.fromkeys(wanted))


def _permission_text(item: tuple[str, str, str, str]) -> str:
    group, resource, name, verb = item
    return f"{verb} {resource}" + (f".{group}" if group else "") + (f"/{name}" if name else "")
