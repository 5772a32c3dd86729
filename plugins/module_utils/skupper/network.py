# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a namespace and a running network say of the sites there are: markers of sites, and the network's own view.

Skupper 1.x and 2.x keep the view as JSON in ConfigMap skupper-network-status, newer 2.x in the status of the Site.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ..errors import InputError, SiteError
from .names import is_label

STATUS_CONFIG_MAP, STATUS_KEY = "skupper-network-status", "NetworkStatus"

# Every site of a network writes its own name, and ansible-core up to 2.18 takes variables of an inventory for
# templates: a brace in a name would run code on the control node.
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/@+-]{0,252}")
_NOT_IN_HOST_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_MAJOR = re.compile(r"v?([12])\.\d")
_PLATFORMS = {"systemd": "linux"}  # as Skupper 2.0 called it in its previews


@dataclass(frozen=True)
class SeenSite:
    """A site as something says of it. What is not known is empty.

    Attributes:
        name: Skupper's name of the site.
        namespace: the namespace, of the cluster or of the system site.
        platform: kubernetes, linux, podman, docker, or what else was said.
        version: ``v1`` or ``v2``.
        release: the version in full.
        role: ``interior`` or ``edge``.
        identity: what Skupper tells sites apart by: the uid of the Site object (v2) or of ConfigMap skupper-site (v1).
    """

    name: str
    namespace: str
    platform: str = "kubernetes"
    version: str = ""
    release: str = ""
    role: str = ""
    identity: str = ""

    @property
    def groups(self) -> list[str]:
        """The inventory groups that follow from what is known."""
        return [f"skupper_{_group(part)}" for part in (self.version, self.platform, self.role) if part]


def major(release: str) -> str:
    """Return ``v1`` or ``v2`` of a full version, empty where it says neither: builds from source give a commit."""
    found = _MAJOR.match(release)
    return f"v{found[1]}" if found else ""


def host_name(text: str) -> str:
    """Return a text as a host name that patterns, --limit and the folder host_vars can use."""
    return _NOT_IN_HOST_NAMES.sub("-", text).strip("-")


# -- what marks a site


def site_of_object(body: Mapping[str, Any]) -> SeenSite:
    """Return the site of a Site object (v2)."""
    metadata, spec = body["metadata"], _mapping(body.get("spec"))
    edge = spec.get("edge") is True or spec.get("routerMode") == "edge"
    return SeenSite(
        name=_text(metadata, "name"),
        namespace=_text(metadata, "namespace"),
        version="v2",
        release=_text(_mapping(_mapping(body.get("status")).get("controller")), "version"),
        role="edge" if edge else "interior",
        identity=_text(metadata, "uid"),
    )


def site_of_config_map(body: Mapping[str, Any]) -> SeenSite:
    """Return the site of ConfigMap skupper-site (v1)."""
    metadata, data = body["metadata"], _mapping(body.get("data"))
    return SeenSite(
        name=_text(data, "name") or _text(metadata, "namespace"),
        namespace=_text(metadata, "namespace"),
        version="v1",
        role="edge" if data.get("router-mode") == "edge" else "interior",
        identity=_text(metadata, "uid"),
    )


def one_a_namespace(sites: Iterable[SeenSite]) -> list[SeenSite]:
    """Return one site for each namespace; where v1 and v2 are in the same one, without a version."""
    found: dict[str, SeenSite] = {}
    for site in sites:
        first = found.setdefault(site.namespace, site)
        if first.version != site.version:
            found[site.namespace] = replace(first, version="", release="", role="")
    return list(found.values())


# -- the view of a running network


def parse_network_status(text: str) -> list[SeenSite]:
    """Return the sites of a NetworkStatus; an empty text has none.

    Raises:
        SiteError: it is no JSON, or not of the form that Skupper writes.
    """
    try:
        document = json.loads(text or "{}")
    except ValueError as error:
        raise _unreadable(f"no JSON: {error}") from None
    entries = _member(document, "siteStatus") or []
    if not isinstance(document, Mapping) or not isinstance(entries, list):
        raise _unreadable("no object with a list siteStatus")
    return _records((_member(entry, "site"), _role(_member(entry, "routerStatus"))) for entry in entries)


def sites_of_status(body: Mapping[str, Any]) -> list[SeenSite]:
    """Return the sites in the status of a Site object (v2); it says nothing of their roles.

    Raises:
        SiteError: it is not of the form that Skupper writes.
    """
    entries = _mapping(body.get("status")).get("network") or []
    if not isinstance(entries, list):
        raise _unreadable("no list status.network")
    return _records((entry, "") for entry in entries)


def united(*views: Iterable[SeenSite]) -> list[SeenSite]:
    """Return the sites of several views once each; what one view does not know is taken from the next.

    A site whose platform none tells is on Kubernetes, where Skupper began.
    """
    found: dict[tuple[str, ...], SeenSite] = {}
    for view in views:
        for site in view:
            key = (site.identity,) if site.identity else (site.name, site.namespace)
            found[key] = _completed(found[key], site) if key in found else site
    return [replace(site, platform=site.platform or "kubernetes") for site in found.values()]


def _completed(site: SeenSite, other: SeenSite) -> SeenSite:
    return replace(
        site, **{name: getattr(other, name) for name in site.__dataclass_fields__ if not getattr(site, name)}
    )


def _records(entries: Iterable[tuple[Any, str]]) -> list[SeenSite]:
    found = []
    for record, role in entries:
        name = _text(record, "name")
        identity = _text(record, "identity") or _text(record, "id")
        if not (name or identity):
            raise _unreadable("a site with neither name nor identity")
        if _member(record, "endTime"):
            continue  # v1 keeps those that have left for a while
        release = _text(record, "siteVersion") or _text(record, "version")
        platform = _text(record, "platform").lower()
        namespace = _text(record, "namespace")
        found.append(
            SeenSite(
                name=name or identity,
                namespace=namespace if is_label(namespace) else "",
                platform=_PLATFORMS.get(platform, platform),
                version=major(release),
                release=release,
                role=role,
                identity=identity,
            )
        )
    return found


def _role(routers: Any) -> str:
    """Return interior where one router is that: the routers of v1's headless services are edge ones beside it."""
    modes = {
        _text(_member(entry, "router"), "mode").lower() for entry in (routers if isinstance(routers, list) else [])
    }
    return next((role for role in ("interior", "edge") if role in modes), "")


def _unreadable(found: str) -> SiteError:
    return SiteError(
        "what the site says of its network cannot be read",
        field=f"{STATUS_KEY} of ConfigMap {STATUS_CONFIG_MAP}, or status.network of the Site",
        found=found,
        remedy="Look whether the Skupper controller and router of the entry site run, or take another entry site",
    )


def _member(mapping: Any, name: str) -> Any:
    """Return a member whatever the case of its name: Skupper writes nameSpace or namespace, and reads both."""
    if not isinstance(mapping, Mapping):
        return None
    wanted = name.lower()
    return next((value for key, value in mapping.items() if str(key).lower() == wanted), None)


def _text(mapping: Any, name: str) -> str:
    """Return a member that is a text of harmless characters, empty otherwise."""
    value = _member(mapping, name)
    return value if isinstance(value, str) and _SAFE.fullmatch(value) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _group(text: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", text.lower())


# -- which rule a site comes under


def is_pattern(text: str) -> bool:
    """Return whether a text is a glob and not a name."""
    return any(sign in text for sign in "*?[")


def matching(text: str, patterns: Iterable[str]) -> str | None:
    """Return the first name or glob that fits the text, None if there is none."""
    return next((pattern for pattern in patterns if text == pattern or fnmatchcase(text, pattern)), None)


def reach_key(site: SeenSite, keys: Sequence[str]) -> str | None:
    """Return the key of the option reach that a site comes under: its identity, its name, then globs in order."""
    if site.identity and site.identity in keys:
        return site.identity
    return site.name if site.name in keys else matching(site.name, keys)


_SECRET = re.compile(r"(api_key|password|passphrase|_pass|token|secret|private_key|key_content)$")


def variable_problems(variables: Mapping[str, Any], field: str, refused: Mapping[str, str]) -> list[InputError]:
    """Return what is wrong with host variables that an inventory file gives.

    Args:
        refused: the names of variables that have an option of their own, and that option.
    """
    problems = [
        InputError("is not taken here", field=f"{field}.{name}", remedy=f"Use the option {refused[name]}")
        for name in variables
        if name in refused
    ]
    if "skupper_site_kubeconfig" in variables and "skupper_site_kubeconfig" not in refused:
        problems += kubeconfig_problems(variables["skupper_site_kubeconfig"], f"{field}.skupper_site_kubeconfig")
    return problems + [
        InputError(
            "is a secret, which has no place in an inventory that is listed and cached",
            field=where,
            remedy="Put it into group_vars or host_vars beside the inventory file, under Ansible Vault",
        )
        for where in _secrets(variables, field)
    ]


def _secrets(value: Any, where: str) -> Iterator[str]:
    """Yield where a secret is written out; a template that names one is none."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if _SECRET.search(str(name)) and inner and "{{" not in str(inner):
                yield f"{where}.{name}"
            else:
                yield from _secrets(inner, f"{where}.{name}")
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _secrets(inner, f"{where}[{number}]")


def kubeconfig_problems(value: Any, field: str) -> list[InputError]:
    """Return the refusal of a kubeconfig's content, which holds tokens and keys; paths are fine."""
    entries = value if isinstance(value, (list, tuple)) else [value]
    if all(isinstance(entry, str) and "\n" not in entry for entry in entries):
        return []
    return [
        InputError(
            "takes paths only: a kubeconfig's content would end in host variables and in the cache",
            field=field,
            found="something else than a path",
            remedy="Write it to a file and give the path",
        )
    ]
