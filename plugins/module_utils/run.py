# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one run path: every module, in Ansible's worker or on a host, comes through :func:`execute`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Callable

from . import kube
from .commands import authority, certificate, report, secrets, service, site_info, summaries, trust_bundle
from .commands.context import Context, require
from .errors import SkupperTlsError, flatten
from .sites import remote
from .skupper.checks import check_of

COMMANDS: Mapping[str, Callable[[Mapping[str, Any], Context], dict[str, Any]]] = {
    "authority": authority.run,
    "certificate": certificate.run,
    "secrets": secrets.run,
    "service": service.run,
    "site_info": site_info.run,
    "report": report.run,
    "trust_bundle": trust_bundle.run,
}

SITE_MODULES = ("secrets", "service", "site_info")
"""The modules that run once a site; the others run once a network."""


def execute(module: str, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Run a module's command and return its result; an error of ours becomes a failed result.

    Args:
        module: the module's short name.
        params: its options, as the argument spec returned them.
        context: the surroundings.
    """
    try:
        require("cryptography", "certificates")
        if _needs_kubernetes(module, params):
            require("kubernetes", "Kubernetes sites and stores")
        with kube.session():
            return COMMANDS[module](params, context)
    except SkupperTlsError as error:
        site = module in SITE_MODULES
        located = error.at(context.host) if site else error
        errors = [{**single.as_dict(), "check": check_of(single, site)} for single in flatten(located)]
        return {"failed": True, "changed": False, "msg": str(located), "errors": errors}


def _needs_kubernetes(module: str, params: Mapping[str, Any]) -> bool:
    store = params.get("store") or {}
    on_cluster = module in SITE_MODULES and (params.get("platform") or "kubernetes") == "kubernetes"
    exported = any(entry.get("config_map") for entry in params.get("destinations") or [])
    return on_cluster or exported or store.get("type") == "kubernetes"


def warm_up() -> None:
    """Do once, in the process that Ansible's workers are forked from, what each worker would else do for itself.

    A forked worker shares what its parent has loaded, looked up and cached. Without this, the first use of each
    library costs a worker about as much time as its requests.
    """
    remote.sources()
    try:
        require("cryptography", "certificates")
        summaries.warm_up(datetime.now(timezone.utc))
        require("kubernetes", "Kubernetes sites and stores")
        kube.warm_up()
    except SkupperTlsError:
        pass  # told by execute, if it is needed at all


def main(module: str) -> None:
    """Run as a module of its own on a host, where Ansible has shipped it."""
    from ansible.module_utils.basic import AnsibleModule

    from .options import spec

    ansible = AnsibleModule(argument_spec=spec(module), supports_check_mode=True)
    context = Context(
        host="",
        check=ansible.check_mode,
        now=datetime.now(timezone.utc),
        environment=dict(os.environ),
        user_id=os.getuid(),
    )
    result = execute(module, ansible.params, context)
    if result.pop("failed", False):
        ansible.fail_json(**result)
    ansible.exit_json(**result)
