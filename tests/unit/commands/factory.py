# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands as the modules run them: options through the argument spec, the context of a run, stores to look at."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.multisite.skupper_tls.plugins.module_utils import options, run
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.context import Context
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW


def arguments(module: str, **given: Any) -> dict[str, Any]:
    """Return the options of a module with their defaults, as Ansible's own check of them makes them."""
    validated = ArgumentSpecValidator(options.spec(module)).validate(given)
    assert not validated.error_messages, validated.error_messages
    return dict(validated.validated_parameters)


def context(check: bool = False, now: datetime = NOW, host: str = "", base: Path | None = None) -> Context:
    """Return the context of a run."""
    return Context(host, check, now, GROUPS, base or Path("/"), {"HOME": "/nowhere"}, 1000)


#: Options that name a variable in a playbook, of which the action plugin passes on the value.
BY_NAME = ("known", "issued", "pending", "removal", "signers")


def command(
    module: str, given: Mapping[str, Any], check: bool = False, now: datetime | None = None, host: str = ""
) -> Any:
    """Run a module's command and return its result, failed or not.

    Without ``now`` the site's modules run at the real time, for a real API server's clock is compared with it; the
    others at the time when the tests began.
    """
    if now is None:
        now = datetime.now(timezone.utc) if module in run.SITE_MODULES else NOW
    values = {name: value for name, value in given.items() if name in BY_NAME}
    named = {name: value for name, value in given.items() if name not in BY_NAME}
    return run.execute(module, {**arguments(module, **named), **values}, context(check, now, host))


def tree(folder: Path) -> dict[str, str]:
    """Return a hash of every file below a folder, and a mark for every folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


def failure(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the one error of a failed result."""
    assert result.get("failed"), result
    (error,) = result["errors"]
    return dict(error)
