# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""Run ``ansible-test sanity`` with the ansible-core of the environment that runs this script.

    .envs/test/bin/python tools/sanity.py [ansible-test's own arguments, such as --test pylint]

ansible-test wants the collection in a folder called ansible_collections/multisite/skupper_tls, and
looks at every file in it. So what git knows or would add is copied to such a folder, and the tests
run there. ansible-test makes an environment for each of its tests by itself, under a home folder of
its own (.envs/sanity), and installs there by pip, whatever index pip is set up for.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
HOME = REPO / ".envs" / "sanity"

# The tests that cannot run here, each with the reason. None so far.
SKIPPED: dict[str, str] = {}


def export(target: Path) -> int:
    """Copy tracked and untracked files, but not ignored or deleted ones, and return how many."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO,
        check=True,
        capture_output=True,
    ).stdout.decode()
    count = 0
    for name in sorted({name for name in listed.split("\0") if name}):
        source = REPO / name
        if not source.is_symlink() and not source.is_file():
            continue
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination, follow_symlinks=False)
        count += 1
    return count


# Takes the place of get-pip.py: the pip of this environment installs one into the new environment.
BOOTSTRAP = """\
import subprocess, sys
words = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([{python!r}, "-m", "pip", "--python", sys.executable, "install", "--quiet", *words]))
"""


def prepare_home() -> None:
    """Lay the script that brings pip where ansible-test would else download it from a site of its own."""
    spec = find_spec("ansible_test")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("ansible-test is not in this environment; run this script by: make sanity")
    source = Path(next(iter(spec.submodule_search_locations))) / "_internal" / "python_requirements.py"
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in re.findall(r"pip='([\d.]+)'", source.read_text(encoding="utf-8")):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        script.write_text(BOOTSTRAP.format(python=sys.executable), encoding="utf-8")


def environment() -> dict[str, str]:
    """The caller's environment without the clone's import path, which is not the copy's."""
    drop = {"PYTHONPATH", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG", "MYPYPATH"}
    kept = {key: value for key, value in os.environ.items() if key not in drop}
    # pip still finds its settings and its cache in the caller's home.
    kept.setdefault("XDG_CONFIG_HOME", str(Path.home() / ".config"))
    kept.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    kept["HOME"] = str(HOME)
    return kept


def main() -> int:
    prepare_home()
    with tempfile.TemporaryDirectory(prefix="sanity-") as root:
        tree = Path(root) / "ansible_collections" / "multisite" / "skupper_tls"
        print(f"ansible-test sanity on a copy of {export(tree)} files", flush=True)
        # ansible-test lists the files of a git tree by git, and every file of any other tree.
        subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = [
            str(Path(sys.executable).parent / "ansible-test"),
            "sanity",
            "--color",
            "no",
            "--requirements",
            "--python",
            version,
        ]
        for name, reason in SKIPPED.items():
            print(f"skipped: {name}: {reason}", flush=True)
            command += ["--skip-test", name]
        return subprocess.run([*command, *sys.argv[1:]], cwd=tree, check=False, env=environment()).returncode


if __name__ == "__main__":
    sys.exit(main())
