# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source of certificates offers, whatever it is, and how to read a file of the control node."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import InputError
from ..context import Context


@dataclasses.dataclass(frozen=True)
class Source:
    """What the user offers for import.

    Attributes:
        field: the user's option, for messages.
        certificates: the certificate and what came with it, in any order.
        authorities: CA certificates that came apart from them.
        key: the private key, None if none is offered.
        allow: the weaknesses that the user accepts by name.
        where_key: what to do where the key is missed.
    """

    field: str
    certificates: list[Any]
    authorities: list[Any] = dataclasses.field(default_factory=list)
    key: Any = dataclasses.field(default=None, repr=False)
    allow: tuple[str, ...] = ()
    where_key: str = ""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of source.

    Attributes:
        options: those that choose it; one of them is enough.
        read: takes the options, the field for messages and the context.
    """

    options: tuple[str, ...]
    read: Callable[[Mapping[str, Any], str, Context], Source]


def read_file(path: str, what: str, field_: str, context: Context) -> bytes:
    """Return the content of a file of the control node; ``what`` it is, for messages.

    Raises:
        InputError: it cannot be read.
    """
    file = context.path(path)
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"the {what} file cannot be read",
            field=field_,
            found=f"{file}: {error.strerror}",
            remedy="Give the path of a file on the control node that the user running Ansible may read",
        ) from None


def one_of(options: Mapping[str, Any], what: str, field_: str) -> tuple[str, Any]:
    """Return which one of ``<what>_path`` and ``<what>_content`` is given, and its value; the value None for neither.

    Raises:
        InputError: both are.
    """
    path, content = options.get(f"{what}_path"), options.get(f"{what}_content")
    if path and content:
        raise InputError(f"source has both {what}_path and {what}_content", field=field_, remedy="Keep one of them")
    return (f"{what}_content", content) if content else (f"{what}_path", path or None)


def phrase(options: Mapping[str, Any], name: str) -> bytes | None:
    """Return a passphrase as bytes, None for none or an empty one."""
    text = options.get(name)
    return str(text).encode("utf-8") if text else None
