# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""Make a virtual environment under ``.envs`` and keep it as long as its requirements stay the same.

    python tools/env.py NAME [--constraints FILE] REQUIREMENT...

Each REQUIREMENT is a file of requirements or a requirement such as ``ansible-core~=2.16.0``. The
interpreter is the one that runs this script, which needs nothing but its standard library. Prints
the environment's interpreter on standard output and everything else on standard error.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
ENVS = REPO / ".envs"


def _fingerprint(args: argparse.Namespace) -> str:
    """What the environment depends on: interpreter, arguments, and every file of requirements."""
    digest = hashlib.sha256()
    for word in (sys.version, sys.base_prefix, args.constraints or "", *args.requirements):
        digest.update(word.encode() + b"\0")
    for path in sorted([*REPO.glob("requirements/*.txt"), REPO / "meta" / "ee-requirements.txt"]):
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _pip_arguments(args: argparse.Namespace) -> list[str]:
    words = ["install", "--quiet", "--disable-pip-version-check"]
    if args.constraints:
        words += ["--constraint", args.constraints]
    for requirement in args.requirements:
        words += ["--requirement", requirement] if requirement.endswith(".txt") else [requirement]
    return words


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a virtual environment under .envs.")
    parser.add_argument("name")
    parser.add_argument("requirements", nargs="+")
    parser.add_argument("--constraints", default="")
    args = parser.parse_args()

    env = ENVS / args.name
    python = env / "bin" / "python"
    stamp = env / ".made-from"
    fingerprint = _fingerprint(args)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint and python.exists():
        print(python)
        return 0

    version = ".".join(str(part) for part in sys.version_info[:3])
    print(f"making .envs/{args.name} with Python {version} from {', '.join(args.requirements)}", file=sys.stderr)
    shutil.rmtree(env, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(env)], check=False, stdout=sys.stderr)
    if made.returncode:
        print(
            f"{sys.executable} cannot make a virtual environment. On Debian and Ubuntu install the package"
            " python3-venv; or name another interpreter: make ... PYTHON=/path/to/python3",
            file=sys.stderr,
        )
        return 1
    pip = [str(python), "-m", "pip"]
    installed = subprocess.run([*pip, *_pip_arguments(args)], check=False, cwd=REPO, stdout=sys.stderr)
    if installed.returncode:
        print(f"the packages of .envs/{args.name} could not be installed; pip says why above", file=sys.stderr)
        return 1
    stamp.write_text(fingerprint, encoding="utf-8")
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
