# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The collection's frame: its files agree with each other, and its layers stay apart."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
PLUGINS = REPO / "plugins"
UTILS = PLUGINS / "module_utils"
PACKAGE = "ansible_collections.multisite.skupper_tls"

MODULES = ["authority", "certificate", "report", "secrets", "service", "site_info", "trust_bundle"]
ROLES = ["preflight", "issue", "distribute", "expose", "verify", "rotate", "remove", "export"]

# Dates, keys and decisions only: whoever calls brings the time, the files and the answers.
PURE = sorted(
    [*UTILS.glob("x509/**/*.py"), *UTILS.glob("skupper/**/*.py"), *UTILS.glob("plan.py"), *UTILS.glob("options.py")]
)
PURE_FORBIDDEN = {
    "ansible",
    "asyncio",
    "fcntl",
    "ftplib",
    "getpass",
    "glob",
    "http",
    "httpx",
    "io",
    "kubernetes",
    "logging",
    "multiprocessing",
    "os",
    "requests",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib3",
}
# pathlib's pure paths only put names together.
PURE_ALLOWED_NAMES = {"pathlib": {"PurePath", "PurePosixPath"}}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}
DOORS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}

# What is shipped to a site's host, which has Python and nothing else; and all that these import.
SHIPPED = sorted(
    UTILS / name for name in ("errors.py", "plan.py", "sites/agent.py", "sites/start.py", "sites/system.py")
) + sorted(UTILS.glob("skupper/**/*.py"))


def load(path: str) -> Any:
    return yaml.safe_load((REPO / path).read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def module_name(path: Path) -> str:
    """The full name under which a file is imported."""
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join((PACKAGE, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).rsplit(".", maxsplit=1)[-1] == "TYPE_CHECKING"


def imports(path: Path, typing_too: bool = True) -> Iterator[tuple[int, str, list[str]]]:
    """Every import of a file, wherever it stands: line, full module name, imported names."""
    own = module_name(path).split(".")
    package = own if path.name == "__init__.py" else own[:-1]
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield node.lineno, name, [alias.name for alias in node.names]
        elif not typing_too and isinstance(node, ast.If) and _is_type_checking(node):
            todo.extend(node.orelse)
            continue
        todo.extend(ast.iter_child_nodes(node))


def own_targets(name: str, names: list[str]) -> set[Path]:
    """The files of this collection that one import loads, without the packages around them."""
    if name != PACKAGE and not name.startswith(PACKAGE + "."):
        return set()
    base = REPO.joinpath(*name.split(".")[3:])
    found = set()
    for candidate in [base, *(base / part for part in names)]:
        if candidate.with_suffix(".py").is_file():
            found.add(candidate.with_suffix(".py"))
        elif (candidate / "__init__.py").is_file():
            found.add(candidate / "__init__.py")
    return found


def impurities(path: Path) -> list[str]:
    """Where a pure file reaches out of itself."""
    found = []
    pure = {*PURE, UTILS / "errors.py", UTILS / "__init__.py"}
    for line, name, names in imports(path):
        top = name.split(".", maxsplit=1)[0]
        if top in PURE_FORBIDDEN:
            found.append(f"line {line}: imports {name}")
        elif top in PURE_ALLOWED_NAMES and not (names and set(names) <= PURE_ALLOWED_NAMES[top]):
            found.append(f"line {line}: imports more of {name} than {', '.join(sorted(PURE_ALLOWED_NAMES[top]))}")
        for target in sorted(own_targets(name, names) - pure):
            found.append(f"line {line}: imports {relative(target)}, which is not pure")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func).split(".")
        if len(called) == 1 and called[0] in DOORS:
            found.append(f"line {node.lineno}: calls {called[0]}()")
        if tuple(called[-2:]) in CLOCKS:
            found.append(f"line {node.lineno}: reads the clock")
    return found


def closure(paths: list[Path]) -> list[Path]:
    """These files and every file of this collection that they import, one by way of another."""
    found: set[Path] = set()
    todo = list(paths)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [
                file for dummy, name, names in imports(path, typing_too=False) for file in own_targets(name, names)
            ]
    return sorted(found)


def strangers(path: Path) -> list[str]:
    """What a file imports besides the standard library and this collection."""
    return [
        f"line {line}: imports {name}, which a host need not have"
        for line, name, dummy in imports(path, typing_too=False)
        if name.split(".", maxsplit=1)[0] not in {*sys.stdlib_module_names, "ansible_collections"}
    ]


def test_galaxy_metadata() -> None:
    galaxy = load("galaxy.yml")
    assert (galaxy["namespace"], galaxy["name"]) == ("multisite", "skupper_tls")
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?", galaxy["version"])
    assert galaxy["license"] == ["GPL-3.0-or-later"]
    assert not galaxy["dependencies"]
    assert len(galaxy["tags"]) <= 20
    assert all(re.fullmatch(r"[a-z0-9]{1,64}", tag) for tag in galaxy["tags"])


def test_minimal_ansible_core_is_the_same_everywhere() -> None:
    minimum = load("meta/runtime.yml")["requires_ansible"].removeprefix(">=").removesuffix(".0")
    assert f"ansible-core>={minimum}\n" in (REPO / "requirements/runtime.txt").read_text(encoding="utf-8")
    assert f"ansible-core=={minimum}." in (REPO / "requirements/constraints.txt").read_text(encoding="utf-8")


def test_every_module_is_in_the_action_group() -> None:
    group = load("meta/runtime.yml")["action_groups"]["all"]
    assert sorted(group) == MODULES
    unknown = {path.stem for path in PLUGINS.glob("modules/*.py")} - {*group, "__init__"}
    assert not unknown, f"add to the action group in meta/runtime.yml: {sorted(unknown)}"


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("modules/*.py")), ids=relative)
def test_every_module_has_the_action_plugin(path: Path) -> None:
    """One of its own name: see meta/runtime.yml for why it is not routed."""
    assert "plugin_routing" not in load("meta/runtime.yml")
    action = PLUGINS / "action" / path.name
    assert action.is_file(), f"{relative(action)} is missing"
    imported = {name for found in imports(action) for name in found[2]}
    assert "ActionModule" in imported, f"{relative(action)} does not import ActionModule"


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("action/*.py")), ids=relative)
def test_every_action_plugin_has_a_module(path: Path) -> None:
    assert (PLUGINS / "modules" / path.name).is_file()


@pytest.mark.parametrize("path", sorted(path.parent for path in REPO.glob("roles/*/tasks")), ids=relative)
def test_role(path: Path) -> None:
    assert path.name in ROLES, "the design names no such role"
    assert (path / "README.md").is_file()
    specs = load(f"roles/{path.name}/meta/argument_specs.yml")["argument_specs"]
    assert "main" in specs
    # Public variables are shared by all roles; what a role keeps for itself has its name.
    public = {name for spec in specs.values() for name in spec.get("options", {})}
    strange = sorted(name for name in public if not name.startswith(("skupper_tls_", "skupper_site_")))
    assert not strange, f"public variables are skupper_tls_* or skupper_site_*, not {strange}"
    for tasks in sorted(path.glob("*/*.yml")):
        for name in re.findall(r"^\s+register:\s*(\S+)", tasks.read_text(encoding="utf-8"), re.MULTILINE):
            assert name.lstrip("_").startswith(f"{path.name}_"), f"{relative(tasks)} registers {name}"


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=relative)
def test_licence_header(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name == "__init__.py" and not text:
        return
    head = text.splitlines()[:6]
    assert "# SPDX-License-Identifier: GPL-3.0-or-later" in head
    assert "# Copyright (c) 2026 multisite.skupper_tls contributors" in head


@pytest.mark.parametrize("path", sorted(UTILS.rglob("__init__.py")), ids=relative)
def test_package_files_are_empty(path: Path) -> None:
    """As ansible-test wants them up to ansible-core 2.16."""
    assert not path.read_bytes()


@pytest.mark.parametrize("path", PURE, ids=relative)
def test_pure(path: Path) -> None:
    """x509/, skupper/ and plan.py import neither Ansible nor a client, nor do they read, write or look at a clock."""
    assert impurities(path) == []


@pytest.mark.parametrize("path", closure(SHIPPED), ids=relative)
def test_what_is_shipped_to_hosts(path: Path) -> None:
    assert strangers(path) == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\n",
        "from os import path\n",
        "def f():\n    import kubernetes.client\n",
        "from ansible.module_utils.basic import AnsibleModule\n",
        "from pathlib import Path\n",
        "import pathlib\n",
        "from ..run import run\n",
        "from .. import run\n",
        f"from {PACKAGE}.plugins.module_utils import run\n",
        "def f(p):\n    return open(p)\n",
        "import datetime\nNOW = datetime.datetime.now(datetime.timezone.utc)\n",
        "from datetime import datetime\nNOW = datetime.now()\n",
    ],
)
def test_impurity_is_found(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above is itself checked, on a small tree of its own."""
    utils = tmp_path / "plugins" / "module_utils"
    (utils / "x509").mkdir(parents=True)
    (utils / "run.py").touch()
    path = utils / "x509" / "sample.py"
    path.write_text(source, encoding="utf-8")
    monkeypatch.setitem(globals(), "REPO", tmp_path)
    monkeypatch.setitem(globals(), "UTILS", utils)
    assert len(impurities(path)) == 1


def test_purity_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utils = tmp_path / "plugins" / "module_utils"
    (utils / "x509").mkdir(parents=True)
    (utils / "errors.py").touch()
    path = utils / "x509" / "sample.py"
    path.write_text(
        "from pathlib import PurePosixPath\nfrom datetime import datetime\n"
        "from cryptography import x509\nfrom ..errors import SkupperTlsError\n"
        "def f(now):\n    return datetime.fromisoformat(now)\n",
        encoding="utf-8",
    )
    monkeypatch.setitem(globals(), "REPO", tmp_path)
    monkeypatch.setitem(globals(), "UTILS", utils)
    assert impurities(path) == []
    assert [path.name for path in closure([path])] == ["errors.py", "sample.py"]
    assert len(strangers(path)) == 1  # cryptography
