# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""Print the folder to put on ANSIBLE_COLLECTIONS_PATH and PYTHONPATH, and make it first if need be.

``ansible_collections.multisite.skupper_tls`` must be importable from a clone in any folder. In a
clone that stands at ``.../ansible_collections/multisite/skupper_tls`` it is already. Any other gets
``.envs/collections/ansible_collections/multisite/skupper_tls``: a real folder that links to each of
the clone's top-level entries, not to the clone itself, so that no tool which follows links walks
into ``.envs`` again and again.
"""

from __future__ import annotations

import os
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
PACKAGE = Path("ansible_collections", "multisite", "skupper_tls")


def _wanted(name: str) -> bool:
    """Everything but hidden folders and caches; the few hidden files that tools read are no packages."""
    return not name.startswith(".") and name != "__pycache__"


def collections_root() -> Path:
    """Return the folder that holds ``ansible_collections``; its links are brought up to date."""
    if REPO.parts[-3:] == PACKAGE.parts:
        return REPO.parents[2]
    root = REPO / ".envs" / "collections"
    package = root / PACKAGE
    if package.is_symlink():
        package.unlink()
    package.mkdir(parents=True, exist_ok=True)
    entries = {entry.name for entry in REPO.iterdir() if _wanted(entry.name)}
    for link in package.iterdir():
        if link.name not in entries and link.is_symlink():
            link.unlink()
    for name in entries:
        target = os.path.relpath(REPO / name, package)
        try:
            (package / name).symlink_to(target)
        except FileExistsError:  # there already, or another make was faster
            continue
    return root


if __name__ == "__main__":
    print(collections_root())
