# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the host's side of a system site from sources that never become files.

Executed on the site's host by the bootstrap of :mod:`remote`: Python 3.9 and its standard library only.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Mapping, Sequence
from typing import Any

PACKAGE = "skupper_tls_on_host"


class Sources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports modules from their texts, by their names below one package."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = {f"{PACKAGE}.{name}": text for name, text in texts.items()}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in self._texts or self.is_package(fullname):
            return importlib.util.spec_from_loader(fullname, self)
        return None

    def is_package(self, fullname: str) -> bool:
        return any(name.startswith(fullname + ".") for name in self._texts)

    def get_source(self, fullname: str) -> str:
        return self._texts.get(fullname, "")


def start(given: Mapping[str, Any]) -> str:
    """Return the answer to a request that came with the sources of the code that gives it."""
    sys.meta_path.insert(0, Sources(given["sources"]))
    agent = importlib.import_module(f"{PACKAGE}.sites.agent")
    answer: str = agent.main(given["request"], given["nonce"])
    return answer
