# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package imports neither Ansible nor I/O nor a clock, and can be imported without the library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils import x509 as package

FOLDER = Path(str(package.__file__)).parent
FILES = sorted(FOLDER.glob("*.py"))
ALLOWED = {
    "__future__", "collections", "cryptography", "dataclasses", "datetime", "fractions", "hashlib", "ipaddress",
    "re", "typing", "warnings",
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_imports(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom):
            assert node.level or str(node.module).split(".", maxsplit=1)[0] in ALLOWED
            assert node.level < 2 or node.module == "errors"
        elif isinstance(node, ast.Attribute):
            assert node.attr not in ("now", "utcnow", "today")
        elif isinstance(node, ast.Name):
            assert node.id not in ("open", "print")


def test_every_file_can_be_imported_without_the_library() -> None:
    code = "import sys, importlib\nsys.modules['cryptography'] = None\n" + "".join(
        f"importlib.import_module({f'{package.__name__}.{file.stem}'!r})\n" for file in FILES if file.stem != "__init__"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
