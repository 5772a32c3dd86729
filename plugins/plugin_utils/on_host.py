# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a system site's host: Ansible's own connection, become and interpreter of the task.

Nothing of it is used, and no connection made, for a site that is reached without it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.executor.interpreter_discovery import discover_interpreter

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    NotPermitted,
    NotReached,
    SkupperTlsError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.remote import BOOTSTRAP, MARK

PYTHON_FACT = "discovered_interpreter_python"

_REMEDIES = (
    ("host key", "Find out why the host has another key than known_hosts says, then correct known_hosts"),
    ("host identification", "Find out why the host has another key than known_hosts says, then correct known_hosts"),
    ("permission denied", "Correct ansible_user, or the SSH key or password for that user"),
)
_PREAMBLE = re.compile(r"^.*?(over|via) ssh: ", re.DOTALL)
_REMEDY = "Check that the host is up, and ansible_host, ansible_port and ansible_user; then run again"


class Host:
    """The host of a task.

    Args:
        action: the action plugin at work.
        variables: the task's variables.
    """

    def __init__(self, action: Any, variables: dict[str, Any]) -> None:
        self._action = action
        self._connection = action._connection
        delegate = action._task.delegate_to
        self._variables = (variables.get("ansible_delegated_vars") or {}).get(delegate, {}) if delegate else variables
        self._name = str(variables.get("inventory_hostname", ""))
        self._found: dict[str, str] = {}

    @property
    def remote(self) -> bool:
        """Whether what the task does to its host is done on another machine or as another user."""
        return self._connection.transport != "local" or self._connection.become is not None

    def remember(self, result: dict[str, Any]) -> None:
        """Put the interpreter that was found for the host into a result, as Ansible does with a module's."""
        if self._found and not self._action._task.delegate_to:
            result["ansible_facts"] = {**(result.get("ansible_facts") or {}), **self._found}

    def reach(self, data: bytes) -> str:
        """Give bytes to the bootstrap on the host and return what that wrote.

        Raises:
            NotReached: there is no way to the host, or the connection or the host's Python is not fit for it.
            NotPermitted: it does not let us become the other user.
        """
        self._refuse_unfit()
        try:
            interpreter = self._interpreter()
            command = f"{interpreter} -E -s -S -c {shlex.quote(BOOTSTRAP)}"
            ended = self._action._low_level_execute_command(command, in_data=data)
        except AnsibleError as error:
            raise self._failed(self._reason(str(error))) from None
        if MARK not in ended["stdout"]:
            raise self._no_answer(ended, interpreter)
        return str(ended["stdout"])

    def _reason(self, text: str) -> str:
        """Return why there is no connection: one that ended before it took all of our data does not say it."""
        if "Data could not be sent" in text:
            try:
                self._action._low_level_execute_command("true")
            except AnsibleError as error:
                return str(error)
        return text

    def _refuse_unfit(self) -> None:
        become = self._connection.become
        if not self._connection.has_pipelining:
            raise self._unfit("ansible_connection", f"connection {self._connection.transport}")
        if become is not None and (become.name == "su" or not getattr(become, "pipelining", True)):
            raise self._unfit("ansible_become_method", f"become method {become.name}")
        if become is not None and self._connection.transport == "local":
            # Else a password is asked for on a terminal that takes the place of standard input.
            self._connection.set_option("pipelining", True)

    def _interpreter(self) -> str:
        """Return the host's Python: the configured one, or the one that Ansible finds, now or earlier."""
        configured = constants.config.get_config_value("INTERPRETER_PYTHON", variables=self._variables)
        interpreter = str(self._action._templar.template(configured) or "auto").strip()
        if not interpreter.startswith("auto"):
            return interpreter
        known = {**(self._variables.get("ansible_facts") or {}), **self._found}
        if not known.get(PYTHON_FACT):
            known[PYTHON_FACT] = str(discover_interpreter(self._action, "python", interpreter, self._variables))
            self._found[PYTHON_FACT] = known[PYTHON_FACT]
        return str(known[PYTHON_FACT])

    def _no_answer(self, ended: Mapping[str, Any], interpreter: str) -> SkupperTlsError:
        said = _said(ended["stderr"]) or _said(ended["stdout"]) or f"exit code {ended['rc']}"
        if self._connection.become and ("password" in said or "sudo" in said):
            return self._not_permitted(said)
        return self._error(
            f"the Python of the site's host does not run: {interpreter}",
            field="ansible_python_interpreter",
            found=said,
            remedy="Install Python 3.9 or later with its standard library, or set ansible_python_interpreter to it",
        )

    def _unfit(self, field: str, name: str) -> SkupperTlsError:
        return self._error(
            f"the {name} cannot give standard input to a command, which is how keys are sent",
            field=field,
            found=name,
            remedy="Use one that supports pipelining, such as the connection ssh and the become method sudo",
        )

    def _failed(self, text: str) -> SkupperTlsError:
        become = self._connection.become
        if become is not None and any(part in text for part in (f"{become.name} password", "become", "privilege")):
            return self._not_permitted(_said(text))
        remedy = next((remedy for part, remedy in _REMEDIES if part in text.lower()), _REMEDY)
        return self._error("the site's host is not reached", found=_said(_PREAMBLE.sub("", text)), remedy=remedy)

    def _not_permitted(self, said: str) -> SkupperTlsError:
        user = self._connection.become.get_option("become_user") or "root"
        return NotPermitted(
            f"the site's host does not let us become the user {user}",
            site=self._name,
            field="become",
            found=said,
            remedy="Set ansible_become_password, or permit the user of the connection to become that user",
        )

    def _error(self, message: str, **details: str) -> SkupperTlsError:
        return NotReached(message, site=self._name, **details)


def _said(text: str) -> str:
    """Return the last line of what a command said, without the connection's own chatter."""
    lines = [line.strip() for line in text.splitlines()]
    kept = [line for line in lines if line and not line.startswith(("debug", "Warning: Permanently added", "OpenSSH"))]
    return kept[-1][-300:] if kept else ""
