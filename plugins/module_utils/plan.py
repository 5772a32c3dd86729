# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired items against observed items: what must change, and how to show it without a byte of a key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from .errors import ForeignObject, SkupperTlsError
from .skupper.desired import SECRET_KINDS, Item

OURS = "ours"
FOREIGN = "foreign"

UNKNOWN = "known after the run"
"""Stands, in check mode, for what cannot be known before."""

Describe = Callable[[bytes], "list[Any]"]
"""Turns PEM certificates into what may be shown: subject, alternative names, not after, fingerprint."""


@dataclass(frozen=True)
class Observed:
    """An item as it stands on a site.

    Attributes:
        content: its fields, as far as the backend knows them.
        labels: its labels.
        owner: ``ours`` (this collection's, for this network) or ``foreign``.
        network: the network whose label it carries, empty where none.
        token: what the backend needs for compare-and-swap (resourceVersion, a hash), opaque here.
        status: what Skupper reports of it.
        uid: the identity of this incarnation, where the backend knows one.
        record: what the backend remembers beside the item.
        synced: a v1 entry that another site sent: not ours, yet not a user's own either.
        generated: a secret that Skupper is known to have made.
        mentions: the secrets that are named in an item whose content the backend does not know.
    """

    content: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: str = FOREIGN
    network: str = ""
    token: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)
    uid: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    synced: bool = False
    generated: bool = False
    mentions: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Observed(owner={self.owner!r}, network={self.network!r}, token={self.token!r})"


@dataclass(frozen=True)
class Pending:
    """Stands in a secret's data, in check mode, for bytes that are still to be issued. It equals nothing there is.

    Attributes:
        shown: what may be shown of them.
        another_key: of a key, whether it will be another one than before.
    """

    shown: Any
    another_key: bool = True


@dataclass(frozen=True)
class Change:
    """One write. ``action`` is create, update (merge), replace (remove and add), delete or touch (v1 heal).

    On a system site also reload: Skupper is told to read what was written.
    """

    action: str
    item: Item
    before: Observed | None = None


@dataclass(frozen=True)
class Plan:
    """The writes, in order, and what forbids them. With problems nothing may be applied."""

    changes: tuple[Change, ...]
    problems: tuple[SkupperTlsError, ...]


def plan(
    desired: Iterable[Item],
    observed: Mapping[tuple[str, str], Observed],
    adopt: bool,
    unwanted: Iterable[tuple[str, str]] = (),
) -> Plan:
    """Return the difference between what must be there and what is there.

    Args:
        desired: the items that must be there, in the order in which they must be made.
        observed: what is there, by kind and name.
        adopt: whether items that this collection did not write may be changed or deleted.
        unwanted: kind and name of items that must not be there.
    """
    changes: list[Change] = []
    problems: list[SkupperTlsError] = []
    for item in desired:
        before = observed.get(item.key)
        change = _needed(item, before)
        if change is None or (before is not None and _lent(item, before)):
            continue
        if before is not None and before.owner != OURS and not adopt and not before.synced:
            problems.append(_foreign(item, before))
        else:
            changes.append(change)
    for kind, name in unwanted:
        before = observed.get((kind, name))
        if before is None:
            continue
        item = Item(kind, name, {})
        if before.owner != OURS and not adopt:
            problems.append(_foreign(item, before))
        else:
            changes.append(Change("delete", item, before))
    return Plan(tuple(changes), tuple(problems))


def joined(*plans: Plan) -> Plan:
    """Return several plans as one."""
    return Plan(
        tuple(change for each in plans for change in each.changes),
        tuple(problem for each in plans for problem in each.problems),
    )


def _needed(item: Item, before: Observed | None) -> Change | None:
    if before is None:
        return Change("create", item)
    differing = {key for key, value in item.content.items() if not _holds(before.content.get(key), value)}
    if differing & item.immutable:
        return Change("replace", item, before)
    labelled = all(before.labels.get(key) == value for key, value in item.labels.items())
    unowned = before.owner != OURS and not before.synced and not item.shared
    if differing or not labelled or unowned:
        return Change("update", item, before)
    return None


def _lent(item: Item, before: Observed) -> bool:
    """Return whether it is a secret of another network with the very content that is wanted: two networks share it.

    It stays that network's, even with adopt: else two networks would take it from each other on every run.
    """
    return (
        item.kind == "Secret"
        and before.owner != OURS
        and bool(before.network)
        and all(_holds(before.content.get(key), value) for key, value in item.content.items())
    )


def _holds(found: Any, wanted: Any) -> bool:
    """Return whether a value holds all that is wanted; mappings may hold more, lists may not."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_holds(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)


def _foreign(item: Item, before: Observed) -> ForeignObject:
    if before.record.get("held"):
        return ForeignObject(
            "other field managers hold fields that the mount needs",
            field=f"{item.kind}/{item.name}",
            found="; ".join(before.record["held"]),
            remedy="Choose another mount_path, remove the other's fields, or set adopt: true to take them over",
        )
    owner = f"it belongs to the network {before.network}" if before.network else "this collection did not write it"
    remedy = "Choose another name, remove it, or set adopt: true to take it over"
    if before.network and item.kind == "Secret":
        # Of networks that share a pair of secrets, the one that owns it must have distributed first.
        remedy = (
            f"Choose another name; if both networks are to share it, run that of {before.network} first; "
            "or set adopt: true to take it over"
        )
    return ForeignObject(
        f"{item.kind} {item.name} is there already, and {owner}",
        field=f"{item.kind}/{item.name}",
        found=f"{item.kind} without our labels" if not before.network else f"network {before.network}",
        remedy=remedy,
    )


def redact(item: Item, content: Mapping[str, Any], describe: Describe) -> dict[str, Any]:
    """Return content in the form that may be shown: certificates described, keys only as present or absent."""
    if item.kind not in SECRET_KINDS:
        return {key: value for key, value in content.items() if value is not None}
    data = content.get("data") or {}
    shown: dict[str, Any] = {key: content[key] for key in ("type",) if content.get(key)}
    for name in sorted(data):
        if isinstance(data[name], Pending):
            shown[name] = data[name].shown
        elif name == "tls.key":
            shown[name] = "present" if data[name] else "empty"
        elif name in ("tls.crt", "ca.crt"):
            shown[name] = describe(data[name]) if data[name] else "empty"
        else:
            shown[name] = "present"
    return shown


def diff(changes: Iterable[Change], describe: Describe) -> dict[str, Any]:
    """Return Ansible's diff of the changes: before and after, by kind and name, redacted."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in changes:
        label = f"{change.item.kind}/{change.item.name}"
        content = change.before.content if change.before is not None else None
        if change.action == "touch":
            before[label], after[label] = "without bridges", "written again so that Skupper reads it"
            continue
        if change.action == "reload":
            before[label], after[label] = "as Skupper last read it", "read again by Skupper"
            continue
        if content is not None:
            known = content
            if change.action != "delete":
                known = {key: content.get(key) for key in change.item.content}
            before[label] = redact(change.item, _clip(known, change.item.content), describe)
            before[label]["managed by"] = change.before.owner if change.before is not None else ""
        if change.action != "delete":
            after[label] = redact(change.item, change.item.content, describe)
            after[label]["managed by"] = OURS
            _mark_key(change, before.get(label), after[label])
    return {"before": before, "after": after}


def _clip(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return of nested mappings only the keys that we own, so that a diff shows only what we change."""
    if not wanted:
        return dict(found)
    clipped: dict[str, Any] = {}
    for key, value in found.items():
        inner = wanted.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            value = {name: value[name] for name in inner if name in value}
        clipped[key] = value
    return clipped


def _mark_key(change: Change, before: Any, after: dict[str, Any]) -> None:
    """Say that a key changes, which redaction alone would hide."""
    if change.item.kind not in SECRET_KINDS or change.before is None or not isinstance(before, dict):
        return
    old = (change.before.content.get("data") or {}).get("tls.key")
    new = (change.item.content.get("data") or {}).get("tls.key")
    if old and new and (new.another_key if isinstance(new, Pending) else old != new):
        before["tls.key"], after["tls.key"] = "present", "present, another key"
