# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command is given besides its options, and how options become sites, stores and services."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import InputError, SiteError, SkupperTlsError, raise_all
from ..kube import Connection, api
from ..options import CONNECTION_ENVIRONMENT
from ..sites.base import Site, SiteAddress
from ..sites.kubernetes import KubernetesSite
from ..sites.remote import Reach, RemoteSite
from ..sites.system import SystemSite, default_data_home
from ..skupper import names
from ..skupper.desired import SiteKind, item_kinds, secret_names
from ..skupper.services import Service, parse_services, sound_services
from ..stores.base import Store
from ..stores.directory import DirectoryStore
from ..stores.kubernetes import KubernetesStore
from ..stores.records import SHARING

_FALSE = ("0", "false", "no", "off", "n", "f")
_VERSIONS = {"1": "v1", "v1": "v1", "2": "v2", "v2": "v2", "": "", "auto": "", "none": ""}
REFUSED_NAMESPACE = "Give the namespace of the Skupper site, as skupper_site_namespace of the host"


@dataclass(frozen=True)
class Context:
    """The surroundings of one run of a command.

    Attributes:
        host: the inventory name of the host at hand, empty outside a play.
        check: whether nothing may be written (Ansible's check mode).
        now: the time, aware, UTC.
        groups: the inventory's groups with their hosts; None where there is no inventory.
        base: the folder that relative paths start from.
        environment: the environment variables.
        user_id: the user that runs the command.
        remote: whether a system site is on another machine, or to be written as another user, than this process.
        reach: the way to run something there, None if there is none.
    """

    host: str
    check: bool
    now: datetime
    groups: Mapping[str, Sequence[str]] | None = None
    base: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=dict)
    user_id: int = -1
    remote: bool = False
    reach: Reach | None = None

    def path(self, text: str) -> Path:
        """Return a path of the user's, relative ones from the playbook's folder."""
        return self.base / Path(os.path.expandvars(text)).expanduser()


def open_site(params: Mapping[str, Any], context: Context) -> Site:
    """Return the site of the options.

    Raises:
        InputError: namespace or version are missing or not acceptable.
    """
    address = _address(params, context)
    if address.platform == "kubernetes":
        return KubernetesSite(address, api(connection(params, context)))
    home = context.path(address.data_home) if address.data_home else None
    site = SystemSite(address, home or default_data_home(context.environment, context.user_id))
    if context.reach is None:
        return site
    if not context.remote:
        if context.user_id != 0 or not site.is_of_another_user():
            return site
        address = replace(address, data_home=str(home or ""))
    # What a command will ask for; what is wrong with the services it finds out by itself.
    listed, overrides = params.get("services") or [], params.get("overrides")
    services, _problems = sound_services(listed, context.groups, context.host, overrides=overrides)
    kind = SiteKind(address.platform, "v2")
    return RemoteSite(address, context.reach, secret_names(services, kind), item_kinds(services, kind))


def _address(params: Mapping[str, Any], context: Context) -> SiteAddress:
    namespace = str(params.get("namespace") or "")
    platform = str(params.get("platform") or "kubernetes")
    version = str(params.get("version") or known_version(params)).lower()
    problems: list[SkupperTlsError] = []
    if not namespace:
        problems.append(InputError("the namespace is not given", field="namespace", remedy=REFUSED_NAMESPACE))
    else:
        problems += names.label_problems(namespace, "namespace")
    if version not in _VERSIONS:
        problems.append(
            InputError("is not a Skupper version", field="version", found=version, remedy="Use v1, v2, or leave it out")
        )
    problems += network_problems(params)
    raise_all(problem.at(context.host) for problem in problems)
    return SiteAddress(
        name=context.host,
        platform=platform,
        namespace=namespace,
        version=_VERSIONS[version],
        data_home=str(params.get("data_home") or ""),
        listener_host=str(params.get("listener_host") or "0.0.0.0"),
        network=str(params["network"]),
    )


def network_problems(params: Mapping[str, Any]) -> list[InputError]:
    """Return what is wrong with the network's name, which becomes a label's value."""
    return names.label_problems(params.get("network"), "network")


def open_store(params: Mapping[str, Any], context: Context) -> Store:
    """Return the store of the options.

    Raises:
        InputError: the store is not given, or incompletely.
    """
    options = params.get("store")
    if not options:
        raise InputError(
            "the store is not given",
            field="store",
            remedy="Set skupper_tls_store, for example {type: directory, path: ~/.skupper-tls}",
        )
    raise_all(network_problems(params))
    if options["type"] == "directory":
        if not options.get("path"):
            raise InputError("a directory store needs a path", field="store.path", remedy="Set store.path")
        return DirectoryStore(context.path(options["path"]))
    namespace = options.get("namespace")
    if not namespace:
        raise InputError("a kubernetes store needs a namespace", field="store.namespace", remedy="Set store.namespace")
    raise_all(names.label_problems(namespace, "store.namespace"))
    return KubernetesStore(api(connection(options, context)), namespace)


def passphrase(params: Mapping[str, Any]) -> bytes | None:
    """Return the store's passphrase, None if there is none."""
    text = (params.get("store") or {}).get("passphrase")
    return text.encode("utf-8") if text else None


def connection(params: Mapping[str, Any], context: Context) -> Connection:
    """Return how to reach the API server: the options, else the environment variables of kubernetes.core."""
    values = {
        name: params.get(name) if params.get(name) is not None else context.environment.get(variable)
        for name, variable in CONNECTION_ENVIRONMENT.items()
    }
    verify = values.pop("validate_certs")
    if isinstance(verify, str):
        verify = verify.strip().lower() not in _FALSE
    groups = values.pop("impersonate_groups") or ()
    if isinstance(groups, str):
        groups = groups.split(",")
    kubeconfig = values.pop("kubeconfig")
    if not kubeconfig and (values["context"] or not values["host"]):
        # kubectl's variable must not mix another cluster's credentials into what the options say.
        kubeconfig = context.environment.get("KUBECONFIG")
    return Connection(
        kubeconfig=kubeconfig,
        validate_certs=verify,
        impersonate_groups=tuple(groups),
        timeout=float(params.get("request_timeout") or 30.0),
        **values,
    )


def site_services(params: Mapping[str, Any], context: Context) -> list[Service]:
    """Return the services as the host at hand wants them."""
    overrides = params.get("overrides")
    try:
        return parse_services(params.get("services") or [], context.groups, context.host, overrides=overrides)
    except SkupperTlsError as error:
        raise error.at(context.host) from None


def issued_results(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what the module certificate said earlier in this run, an entry a certificate."""
    registered = params.get("issued")
    if not isinstance(registered, Mapping):
        return []
    return [entry for entry in registered.get("results") or [registered] if isinstance(entry, Mapping)]


def pending_certificates(params: Mapping[str, Any], context: Context) -> dict[str, Mapping[str, Any]]:
    """Return by name what the module certificate said of those that this check-mode run would have issued.

    Outside check mode nothing is pending: what is not in the store does not exist.
    """
    if not context.check:
        return {}
    changed = [entry for entry in issued_results(params) if entry.get("changed") and entry.get("reason") != SHARING]
    # A request for a renewal is a change of the store alone.
    return {str(entry.get("name")): entry for entry in changed if entry.get("reason") or "request" not in entry}


def known_site(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the step preflight of this run said of the site, if it found nothing to do there and it stands.

    The option ``known`` gives preflight's result first, then the results of the steps since: each must have found the
    site settled as well. So a site where nothing is to be done is read once in a run, and not once in every step.
    """
    results = params.get("known") or []
    if not results or not all(isinstance(result, Mapping) and result.get("settled") for result in results):
        return None
    found: Mapping[str, Any] = results[0]
    settled = found["settled"]
    return found if isinstance(settled, Mapping) and settled.get("asked") == asked(params) else None


def asked(params: Mapping[str, Any]) -> str:
    """Return a digest of what is asked of the site, so that a finding for one thing is not taken for another."""
    names_ = ("services", "overrides", "network", "namespace", "platform", "context", "host")
    parts = [params.get(name) for name in names_]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode("utf-8")).hexdigest()


def known_version(params: Mapping[str, Any]) -> str:
    """Return the Skupper version that an earlier step of this run found, empty if there was none."""
    results = params.get("known") or []
    return next(
        (str(result["version"]) for result in results if isinstance(result, Mapping) and result.get("version")), ""
    )


def was_reloaded(params: Mapping[str, Any]) -> bool:
    """Return whether an earlier step of this run says that it has reloaded the site."""
    return any(isinstance(result, Mapping) and result.get("reloaded") for result in params.get("known") or [])


def require(library: str, needed_for: str) -> None:
    """Refuse to go on without a Python library.

    Raises:
        SiteError: it cannot be imported.
    """
    try:
        __import__(library)
    except ImportError:
        raise SiteError(
            f"the Python library {library} is needed for {needed_for} and cannot be imported",
            remedy=f"Install {library} for the Python that runs Ansible",
        ) from None
