# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin for the tests: writes every result to the file that SKUPPER_TLS_TEST_EVENTS names, a line each."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: recorder
type: notification
short_description: Writes results for the tests
description:
  - Writes what Ansible gives to every callback plugin, as one JSON object a line.
requirements: []
"""

_PARTS = ("task", "host", "result")


class CallbackModule(CallbackBase):
    """Writes results as they come."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Write a result."""
        self._write("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Write a failure."""
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Write that a host was not reached."""
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Write that a task was skipped."""
        self._write("skipped", result)

    def _write(self, status: str, result: Any) -> None:
        file = os.environ.get("SKUPPER_TLS_TEST_EVENTS")
        if not file:
            return
        # The names without underscore are those of ansible-core 2.19 and later.
        task, host, said = (getattr(result, name, None) or getattr(result, f"_{name}") for name in _PARTS)
        event = {
            "time": time.time(),
            "play": self._play,
            "task": task.get_name(),
            "host": host.get_name(),
            "status": status,
            "result": said,
        }
        with open(file, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(event, default=str) + "\n")
