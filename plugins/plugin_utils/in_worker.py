# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action behind every module of the collection: each has a file of its name in plugins/action that imports it.

It runs the module's command inside Ansible's worker: no connection, no interpreter start, no module archive; only
what reads and writes a system site on another machine runs there (:mod:`on_host`). The strategy loads this class in
the parent process before it forks the workers, so what is imported here, and in what it imports, is paid for once a
play and not once a task.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.multisite.skupper_tls.plugins.module_utils import options, run
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.context import Context
from ansible_collections.multisite.skupper_tls.plugins.plugin_utils.on_host import Host

run.warm_up()

_COLLECTION = Path(options.__file__).resolve().parents[2]

_SITE_OPTIONS = {name: options.SITE_VARIABLES + name for name in {**options.connection(), **options.site()}}

# Made once, in the parent: each copies its whole spec.
_VALIDATORS = {module: ArgumentSpecValidator(options.spec(module)) for module in run.COMMANDS}


class ActionModule(ActionBase):
    """Validates the options, fills in the site's variables, runs the command."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the command's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        module = self._task.action.rpartition(".")[2]
        arguments = {**self._defaults(module, variables), **plain(self._task.args)}
        validation = _VALIDATORS[module].validate(arguments)
        if validation.error_messages:
            errors = [{"message": message, "check": "TLS801"} for message in validation.error_messages]
            return {**result, "failed": True, "msg": "; ".join(validation.error_messages), "errors": errors}
        params = {**validation.validated_parameters, **_registered(arguments, variables)}
        if module == "authority" and self._task.run_once and not any(params["known"]):
            params["networks_of_hosts"] = self._networks(module, params["network"], variables)
        host = Host(self, variables)
        result.update(run.execute(module, params, self._context(variables, host)))
        host.remember(result)
        if not self._task.diff:
            result.pop("diff", None)
        for line in result.get("table") or []:
            self._display.display(line)
        if result.get("failed"):
            result.pop("table", None)
        return result

    def _defaults(self, module: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the options that the variables skupper_site_* and skupper_tls_* give where the task does not.

        Read here and not in the tasks of the roles: a template costs a worker a millisecond, a variable nothing.
        """
        spec = options.SPECS[module]
        known = {name: variable for name, variable in options.NETWORK_VARIABLES.items() if name in spec}
        if module in run.SITE_MODULES:
            known.update(_SITE_OPTIONS)
        mapping = self._value(options.OPTION_VARIABLES.get(module, ""), variables)
        named = {
            name: self._value(variable, variables)
            for name, variable in known.items()
            if variables.get(variable) is not None and not self._given(module, name)
        }
        if "default_authority" in spec and "default_authority" not in self._task.args:
            authority = self._value(options.OPTION_VARIABLES["authority"], variables)
            named.update({"default_authority": authority["name"]} if (authority or {}).get("name") else {})
        return {**(mapping or {}), **named}

    def _networks(self, module: str, own: str, variables: dict[str, Any]) -> dict[str, str]:
        """Return by host the network of each host that a task runs once for.

        Empty where the task gives the network, or the play by a variable of its own: it holds for all hosts then.
        """
        if self._given(module, "network"):
            return {}
        variable, otherwise = options.NETWORK_VARIABLES["network"], options.network()["network"]["default"]
        hosts = variables["ansible_play_hosts_all"]
        found = {host: str(variables["hostvars"][host].get(variable) or otherwise) for host in hosts}
        return found if found.get(variables["inventory_hostname"]) == own else {}

    def _value(self, variable: str, variables: dict[str, Any]) -> Any:
        value = variables.get(variable)
        return plain(self._templar.template(value) if has_template(value) else value)

    def _given(self, module: str, option: str) -> bool:
        names = (option, *options.SPECS[module][option].get("aliases", ()))
        return any(name in self._task.args for name in names)

    def _context(self, variables: dict[str, Any], host: Host) -> Context:
        return Context(
            host=str(variables.get("inventory_hostname", "")),
            check=bool(self._task.check_mode),
            now=datetime.now(timezone.utc),
            groups=variables.get("groups"),
            base=self._base(variables),
            environment=dict(os.environ),
            user_id=os.getuid(),
            remote=host.remote,
            reach=host.reach,
        )

    def _base(self, variables: dict[str, Any]) -> Path:
        """Return the folder of the playbook; the user's own folder is the inventory's where the playbook is ours."""
        folder = Path(self._loader.get_basedir())
        if _COLLECTION not in folder.resolve().parents:
            return folder
        return Path(variables.get("inventory_dir") or Path.cwd())


def _registered(arguments: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """Return the results that options name by the variable in which they are registered.

    They are taken from the variables as they are: templated into arguments, they would be copied several times over
    by every worker.
    """
    found: dict[str, Any] = {}
    for option in ("known", "issued", "pending", "removal", "signers"):
        name = arguments.get(option)
        if isinstance(name, str):
            found[option] = variables.get(name)
        elif isinstance(name, list):
            found[option] = [variables.get(each) for each in name]
    if "removal" in found and found["removal"] is None:
        found["removal"] = {}  # None is the option not given: that would be every service, and not those that are to go
    if arguments.get("registered"):
        hostvars = variables["hostvars"]
        hosts = {host: hostvars[host] for host in variables["ansible_play_hosts_all"]}
        found["sites"] = {host: _last(said, arguments["registered"]) for host, said in hosts.items()}
        if "site_overrides" not in arguments:
            variable = options.NETWORK_VARIABLES["overrides"]
            found["site_overrides"] = {host: plain(said.get(variable)) or {} for host, said in hosts.items()}
    return found


def _last(variables: Any, names: Any) -> Any:
    """Return the result of the last of the tasks that the host has one of: a host that failed has none of the next."""
    listed = names.split(",") if isinstance(names, str) else names
    return next((variables[name] for name in reversed(listed) if variables.get(name)), {})


def has_template(value: Any) -> bool:
    """Return whether a template stands anywhere in a variable's value."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, dict):
        return any(has_template(inner) for inner in value.values())
    return isinstance(value, (list, tuple)) and any(has_template(inner) for inner in value)


def plain(value: Any) -> Any:
    """Return a value without Ansible's own types, which are slow to copy."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value
