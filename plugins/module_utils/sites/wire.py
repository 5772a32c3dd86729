# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes between the control node and the host of a system site: plain JSON, with all bytes masked.

Runs on both sides: Python 3.9 and its standard library only.

Ansible writes what a host answers into its log when it is asked to debug. So that no key stands there, bytes are
masked with a keystream from a nonce of the request, which goes by standard input and which nothing logs.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from .. import errors
from ..errors import SkupperTlsError, flatten
from ..plan import Change, Observed
from ..skupper.desired import Item
from .base import SiteAddress

MASKED = "masked"


class Wire:
    """Turns values into JSON and back, for one message in one direction.

    Args:
        nonce: the request's own.
        direction: a word for this direction, so that both have keystreams of their own.
    """

    def __init__(self, nonce: bytes, direction: str) -> None:
        self._seed = nonce + direction.encode("ascii")
        self._count = 0

    def dump(self, value: Any) -> Any:
        """Return a value as JSON has it."""
        if isinstance(value, bytes):
            self._count += 1
            return {MASKED: [self._count, b64encode(self._mask(value, self._count)).decode("ascii")]}
        if isinstance(value, Mapping):
            return {str(key): self.dump(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.dump(inner) for inner in value]
        if isinstance(value, (SiteAddress, Item, Observed, Change)):
            return {field.name: self.dump(getattr(value, field.name)) for field in fields(value)}
        return value

    def load(self, value: Any) -> Any:
        """Return the value again, the dataclasses as dictionaries."""
        if isinstance(value, dict):
            if set(value) == {MASKED}:
                number, text = value[MASKED]
                return self._mask(b64decode(text), int(number))
            return {key: self.load(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.load(inner) for inner in value]
        return value

    def _mask(self, data: bytes, number: int) -> bytes:
        """Mask or unmask: no two values of a message have the same keystream."""
        stream = hashlib.shake_256(self._seed + number.to_bytes(8, "big")).digest(len(data))
        return bytes(one ^ other for one, other in zip(data, stream))


def item(loaded: Mapping[str, Any]) -> Item:
    """Return an item that was loaded."""
    return Item(**{**loaded, "immutable": frozenset(loaded["immutable"])})


def observed(loaded: Mapping[str, Any]) -> Observed:
    """Return an observed item that was loaded."""
    return Observed(**{**loaded, "mentions": tuple(loaded["mentions"])})


def change(loaded: Mapping[str, Any]) -> Change:
    """Return a change that was loaded."""
    before = loaded["before"]
    return Change(loaded["action"], item(loaded["item"]), observed(before) if before is not None else None)


def dump_error(error: SkupperTlsError) -> list[dict[str, str]]:
    """Return an error's parts, and those of each that it is made of."""
    return [{"kind": type(single).__name__, **single.as_dict()} for single in flatten(error)]


def load_errors(loaded: Iterable[Mapping[str, str]]) -> list[SkupperTlsError]:
    """Return the errors again, each of its own class."""
    found = []
    for each in loaded:
        details = dict(each)
        kind = getattr(errors, details.pop("kind"))
        found.append(kind(details.pop("message"), **details))
    return found
