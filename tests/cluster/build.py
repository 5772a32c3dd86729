# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the test API server once, into a cache folder outside the repository.

``python3 tests/cluster/build.py`` prints the path of the binary. The first build of a machine takes minutes (it
compiles Kubernetes); the next one after a change of our own sources takes seconds, from Go's build cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "apiserver"
KEEP = 3
_VERSION = "k8s.io/component-base/version"


class BuildError(Exception):
    """The server cannot be built here; the text says what to do."""


def cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "multisite.skupper_tls"


def _arguments() -> list[str]:
    match = re.search(r"^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\S+)$", (SOURCES / "go.mod").read_text(), re.MULTILINE)
    if not match:
        raise BuildError(f"no k8s.io/kubernetes in {SOURCES / 'go.mod'}")
    major, minor, patch = match.groups()
    # Without these the server calls itself v0.0.0, and clients that look at its version are misled.
    version = {"gitVersion": f"v{major}.{minor}.{patch}", "gitMajor": major, "gitMinor": minor}
    link = " ".join(["-s", "-w", *(f"-X {_VERSION}.{key}={value}" for key, value in version.items())])
    # -buildvcs=false: git may refuse to answer for a clone that somebody else owns.
    return ["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", link]


def _digest(arguments: list[str]) -> str:
    digest = hashlib.sha256("\0".join([platform.system(), platform.machine(), *arguments]).encode())
    files = [SOURCES / "go.mod", SOURCES / "go.sum", *SOURCES.glob("*.go"), *SOURCES.glob("crds/*.yaml")]
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(SOURCES)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def binary() -> Path:
    """The path of an up-to-date server binary; builds it if it is not there."""
    arguments = _arguments()
    cache = cache_directory()
    target = cache / f"testapiserver-{_digest(arguments)}"
    if target.exists():
        os.utime(target)  # the oldest are removed by this date
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():  # another process may have built it while we waited
            _build(arguments, target)
            _remove_old(cache)
    return target


def _build(arguments: list[str], target: Path) -> None:
    go = shutil.which("go")
    if go is None:
        raise BuildError(
            "the test API server needs Go 1.24 or later to be built, and there is no 'go' in PATH; install it, "
            "or set SKUPPER_TLS_TEST_KUBECONFIG to use clusters of your own (see tests/cluster/README.md)"
        )
    print("building the test API server (minutes the first time, seconds after that) ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    unfinished = target.with_name(target.name + ".part")
    # A go.work above the clone, or a C compiler that is not there, must not matter.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    done = subprocess.run([go, *arguments, "-o", str(unfinished), "."], cwd=SOURCES, env=environment, check=False)
    if done.returncode != 0:
        raise BuildError(f"'go build' in {SOURCES} ended with status {done.returncode}")
    unfinished.replace(target)
    print(f"built {target} in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _remove_old(cache: Path) -> None:
    """Each binary is 100 MB; keep the few that were used last (a running server does not mind)."""
    binaries = [path for path in cache.glob("testapiserver-*") if path.suffix != ".part"]
    for path in sorted(binaries, key=lambda path: path.stat().st_mtime, reverse=True)[KEEP:]:
        path.unlink()


def main() -> int:
    try:
        print(binary())
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
