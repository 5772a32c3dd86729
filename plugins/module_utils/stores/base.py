# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both kinds of store can do: keep named records, and change one only if it is still what we read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable, Protocol, TypeVar

from ..errors import StoreConflict

ATTEMPTS = 5
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Stored:
    """A record as it stands in the store. ``token`` is for compare-and-swap and opaque."""

    document: Mapping[str, Any]
    token: str

    def __repr__(self) -> str:
        return f"Stored(token={self.token!r})"


class Store(Protocol):
    """A place for records. ``kind`` is ``authority``, ``certificate`` or one of these with ``-request`` behind it.

    Names are RFC 1123 labels.
    """

    def read(self, kind: str, name: str) -> Stored | None:
        """Return the record, None if there is none. StoreError if the store cannot be read."""

    def create(self, kind: str, name: str, document: Mapping[str, Any]) -> Stored:
        """Write a new record; StoreConflict if one is there."""

    def update(self, kind: str, name: str, document: Mapping[str, Any], token: str) -> Stored:
        """Write a record over the one that was read with this token; StoreConflict if it changed since."""

    def delete(self, kind: str, name: str, token: str) -> None:
        """Remove the record that was read with this token; StoreConflict if it changed since."""

    def names(self, kind: str) -> list[str]:
        """Return the names of all records of the kind, sorted."""

    def describe(self) -> str:
        """Return where the store is, for messages."""


def every(store: Store, kind: str) -> Iterator[tuple[str, Stored]]:
    """Return all records of a kind, of any network, by name."""
    for name in store.names(kind):
        stored = store.read(kind, name)
        if stored is not None:
            yield name, stored


def agreed(once: Callable[[], ResultT]) -> ResultT:
    """Return what reads and then writes the store returns; where another run was first, look again.

    Raises:
        StoreConflict: others were first again and again.
    """
    for dummy in range(ATTEMPTS - 1):
        try:
            return once()
        except StoreConflict:
            continue
    return once()
