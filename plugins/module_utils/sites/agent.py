# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of a system site on another machine: does what one request asks, and answers.

Runs on the site's host: Python 3.9 and its standard library only. Nothing of it is kept there: the code comes by
standard input with the request.
"""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError, SkupperTlsError
from ..plan import Change
from . import wire
from .base import SiteAddress
from .system import SystemSite, default_data_home


def main(request: Mapping[str, Any], nonce: str) -> str:
    """Do what a request asks and return the answer."""
    os.chdir("/")  # the folder that we were started in may be one that the site's owner must not enter
    seed = bytes.fromhex(nonce)
    try:
        reply = answer(wire.Wire(seed, "request").load(request))
    except Exception as error:  # pylint: disable=broad-except  # noqa: BLE001
        reply = {"broken": _where(error)}
    return json.dumps(wire.Wire(seed, "reply").dump(reply))


def _where(error: Exception) -> str:
    """Return kind and place of an error of the program itself; its text could quote what it was working on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f", line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename}" if trace is not None else ""
    return f"{type(error).__name__}{place}"


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Open the site, tidy up and make changes if asked to, and return what stands there then.

    Args:
        request: the address, the changes, whether to tidy up, names of secrets and kinds to observe, and whether all
            secrets of ours are to be observed.
    """
    done: list[Change] = []
    reply: dict[str, Any] = {"errors": []}
    try:
        site = _open(SiteAddress(**request["address"]))
        site.kind()
        if request["tidy"]:
            site.tidy()
        site.apply_all([wire.change(entry) for entry in request["changes"]], done.append)
        reply.update(_state(site, request))
    except SkupperTlsError as error:
        reply["errors"] = wire.dump_error(error)
    return {**reply, "done": len(done), "time": time.time()}


def _state(site: SystemSite, request: Mapping[str, Any]) -> dict[str, Any]:
    health = site.health([], 0)
    uptake = site.uptake(request["secrets"])
    observed = site.observe(request["secrets"], request["kinds"], owned=request["owned"])
    return {
        "health": {"identity": health.identity, "missing_permissions": health.missing_permissions},
        "uptake": {name: getattr(uptake, name) for name in ("command", "started", "owed", "used")},
        "left_over": bool(site.left_over()),
        "observed": [[kind, name, found] for (kind, name), found in observed.items()],
    }


def _open(address: SiteAddress) -> SystemSite:
    home = _data_home(address)
    site = SystemSite(address, home)
    _become_owner(site.folder)
    return site


def _data_home(address: SiteAddress) -> Path:
    """Return the data home that is meant, which the user may have written in terms of the host."""
    if not address.data_home:
        return default_data_home(os.environ, os.getuid())
    text = os.path.expanduser(os.path.expandvars(address.data_home))
    if not os.path.isabs(text):
        raise InputError(
            "is not an absolute path on the site's host",
            site=address.name,
            field="skupper_site_data_home",
            found=address.data_home,
            remedy="Give an absolute path, or one that begins with ~",
        )
    return Path(text)


def _become_owner(folder: Path) -> None:
    """Go on as the site's owner, where root works on the site of another user.

    So what is written belongs to the owner, Skupper reloads as the owner, and nothing that the owner may have put
    into the folder leads root astray.
    """
    try:
        owner = folder.stat()
    except OSError:
        return  # told when it is read
    if os.getuid() != 0 or owner.st_uid == 0:
        return
    try:
        user = pwd.getpwuid(owner.st_uid)
    except KeyError:
        groups = [owner.st_gid]
    else:
        groups = os.getgrouplist(user.pw_name, owner.st_gid)
        os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        os.environ.pop(name, None)
    os.setgroups(groups)
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)
