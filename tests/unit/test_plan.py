# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Desired against observed: the whole table, and a diff that never shows a key."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands import summaries
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import ForeignObject
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import (
    FOREIGN,
    OURS,
    Change,
    Observed,
    Pending,
    Plan,
    diff,
    plan,
    redact,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import SECRET_TYPE, Item
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

CONTENT = {"spec": {"port": 1, "host": "a"}, "type": "x"}
ITEM = Item("Listener", "a-1", CONTENT, labels={"l": "1"}, immutable=frozenset({"type"}))
SHARED = Item("RouterProfile", "ca", {"name": "ca"}, shared=True)
OTHER = {"spec": {"port": 2, "host": "a"}, "type": "x"}
RETYPED = {**CONTENT, "type": "y"}


def seen(content: Any = None, owner: str = OURS, **fields: Any) -> Observed:
    labels = fields.pop("labels", {"l": "1"})
    return Observed(CONTENT if content is None else content, labels, owner, **fields)


@pytest.mark.parametrize(
    ("item", "before", "adopt", "action"),
    [
        (ITEM, None, False, "create"),
        (ITEM, None, True, "create"),
        (ITEM, seen(), False, ""),
        (ITEM, seen({**CONTENT, "status": 1, "spec": {"port": 1, "host": "a", "more": 2}}), False, ""),
        (ITEM, seen(labels={"l": "1", "other": "2"}), False, ""),
        (ITEM, seen(labels={}), False, "update"),
        (ITEM, seen(labels={"l": "2"}), False, "update"),
        (ITEM, seen(OTHER), False, "update"),
        (ITEM, seen({}), False, "replace"),
        (ITEM, seen(RETYPED), False, "replace"),
        (ITEM, seen({**OTHER, "type": "y"}), False, "replace"),
        (ITEM, seen(owner=FOREIGN), False, "refused"),
        (ITEM, seen(owner=FOREIGN), True, "update"),
        (ITEM, seen(OTHER, FOREIGN), False, "refused"),
        (ITEM, seen(OTHER, FOREIGN), True, "update"),
        (ITEM, seen(RETYPED, FOREIGN), False, "refused"),
        (ITEM, seen(RETYPED, FOREIGN), True, "replace"),
        (ITEM, seen(owner=FOREIGN, network="other"), False, "refused"),
        (ITEM, seen(owner=FOREIGN, network="other"), True, "update"),
        (ITEM, seen(owner=FOREIGN, synced=True), False, ""),
        (ITEM, seen(OTHER, FOREIGN, synced=True), False, "update"),
        (ITEM, seen(RETYPED, FOREIGN, synced=True), False, "replace"),
        (SHARED, seen({"name": "ca"}, FOREIGN), False, ""),
        (SHARED, seen({"name": "ca"}, FOREIGN), True, ""),
        (SHARED, seen({"name": "b"}, FOREIGN), False, "refused"),
        (SHARED, seen({"name": "b"}, FOREIGN), True, "update"),
        (SHARED, seen({"name": "ca"}, OURS), False, ""),
    ],
)
def test_desired(item: Item, before: Observed | None, adopt: bool, action: str) -> None:
    result = plan([item], {} if before is None else {item.key: before}, adopt)
    if action == "refused":
        assert result.changes == ()
        (problem,) = result.problems
        assert isinstance(problem, ForeignObject)
        assert problem.field == f"{item.kind}/{item.name}"
        assert "adopt" in problem.remedy
    else:
        assert result.problems == ()
        assert [(change.action, change.item, change.before) for change in result.changes] == (
            [(action, item, before)] if action else []
        )


@pytest.mark.parametrize(
    ("before", "adopt", "action"),
    [
        (None, False, ""),
        (seen(), False, "delete"),
        (seen(owner=FOREIGN), False, "refused"),
        (seen(owner=FOREIGN), True, "delete"),
        (seen(owner=FOREIGN, network="other"), False, "refused"),
        (seen(owner=FOREIGN, synced=True), False, "refused"),
    ],
)
def test_unwanted(before: Observed | None, adopt: bool, action: str) -> None:
    result = plan([], {} if before is None else {ITEM.key: before}, adopt, [ITEM.key])
    assert len(result.problems) == (action == "refused")
    assert [(change.action, change.item.key, change.before) for change in result.changes] == (
        [("delete", ITEM.key, before)] if action == "delete" else []
    )


def test_the_refusal_says_whose_it_is() -> None:
    (problem,) = plan([ITEM], {ITEM.key: seen(owner=FOREIGN, network="other")}, False).problems
    assert "belongs to the network other" in problem.message
    (problem,) = plan([ITEM], {ITEM.key: seen(owner=FOREIGN)}, False).problems
    assert "this collection did not write it" in problem.message


def test_everything_is_refused_together_and_the_order_is_kept() -> None:
    items = [Item("Listener", name, CONTENT) for name in "bac"]
    observed = {("Listener", "a"): seen(owner=FOREIGN), ("Listener", "z"): seen(owner=FOREIGN)}
    result = plan(items, observed, False, [("Listener", "z")])
    assert [problem.field for problem in result.problems] == ["Listener/a", "Listener/z"]
    assert [change.item.name for change in result.changes] == ["b", "c"]


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False),
        ({"a": [1, 2]}, {"a": [1, 2]}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": [{"b": 1, "c": 2}]}, {"a": [{"b": 1}]}, False),
        ({}, {"a": None}, True),
        ({"a": 1}, {"a": None}, False),
        ({"t": {"mine": {}, "his": {}}}, {"t": {"mine": {}, "gone": None}}, True),
        ({"t": {"mine": {}, "gone": {}}}, {"t": {"mine": {}, "gone": None}}, False),
        ({"a": 1}, {"a": {"b": 1}}, False),
        ({"a": None}, {"a": {}}, False),
        ({"a": "1"}, {"a": 1}, False),
    ],
)
def test_subset(found: dict[str, Any], wanted: dict[str, Any], same: bool) -> None:
    item = Item("ServiceEntry", "a", wanted)
    assert plan([item], {item.key: Observed(found, owner=OURS)}, False).changes == (
        () if same else (Change("update", item, Observed(found, owner=OURS)),)
    )


def test_observed_does_not_show_its_content() -> None:
    assert "secret" not in repr(Observed({"data": {"tls.key": b"secret"}}))


# -- the diff

ROOT = factory.root("ca", key=factory.key())
LEAF = factory.make("payments", ROOT, key=factory.key(number=1), names=["payments"])
CRT, CA = factory.pem_of(LEAF.certificate), factory.pem_of(ROOT.certificate)


def secret(key: bytes = b"KEY", crt: bytes = CRT, ca: bytes = CA, **more: bytes) -> dict[str, Any]:
    return {"type": SECRET_TYPE, "data": {"tls.crt": crt, "tls.key": key, "ca.crt": ca, **more}}


def test_diff_of_a_new_secret() -> None:
    got = diff([Change("create", Item("Secret", "s", secret()))], summaries.described)
    assert got["before"] == {}
    shown = got["after"]["Secret/s"]
    assert shown["tls.key"] == "present"
    assert shown["managed by"] == "ours"
    assert shown["type"] == SECRET_TYPE
    assert [entry["subject"] for entry in shown["tls.crt"]] == ["CN=payments"]
    assert set(shown["ca.crt"][0]) == {"subject", "alternative_names", "not_after", "sha256"}
    json.dumps(got)


def test_diff_of_an_empty_key() -> None:
    got = diff([Change("create", Item("Secret", "s", secret(b"", b"")))], summaries.described)
    assert (got["after"]["Secret/s"]["tls.key"], got["after"]["Secret/s"]["tls.crt"]) == ("empty", "empty")


def test_diff_says_that_only_the_key_changes() -> None:
    before = Observed(secret(b"OLD", more=b"x"), owner=OURS)
    got = diff([Change("update", Item("Secret", "s", secret(b"NEW")), before)], summaries.described)
    assert got["before"]["Secret/s"]["tls.key"] == "present"
    assert got["after"]["Secret/s"]["tls.key"] == "present, another key"
    assert got["before"]["Secret/s"]["tls.crt"] == got["after"]["Secret/s"]["tls.crt"]
    assert "more" not in got["before"]["Secret/s"]  # not ours: it stays


def test_diff_of_an_adoption() -> None:
    got = diff([Change("update", Item("Secret", "s", secret()), Observed(secret()))], summaries.described)
    assert got["before"]["Secret/s"].pop("managed by") == "foreign"
    assert got["after"]["Secret/s"].pop("managed by") == "ours"
    assert got["before"] == got["after"]


def test_diff_of_a_deletion_shows_all_that_goes() -> None:
    before = Observed({**secret(b"OLD"), "data": {**secret(b"OLD")["data"], "more": b"verysecret"}}, owner=OURS)
    got = diff([Change("delete", Item("Secret", "s", {}), before)], summaries.described)
    assert got["after"] == {}
    assert got["before"]["Secret/s"]["more"] == "present"
    assert "verysecret" not in json.dumps(got)


def test_diff_of_objects_shows_what_is_ours() -> None:
    item = Item("Listener", "a", {"spec": {"port": 2}, "gone": None})
    before = Observed({"spec": {"port": 1, "his": 1}, "status": {}}, owner=OURS)
    got = diff([Change("update", item, before)], summaries.described)
    assert got["before"] == {"Listener/a": {"spec": {"port": 1}, "managed by": "ours"}}
    assert got["after"] == {"Listener/a": {"spec": {"port": 2}, "managed by": "ours"}}


def test_diff_of_a_touch() -> None:
    got = diff([Change("touch", ITEM, seen())], summaries.described)
    assert got["before"] == {"Listener/a-1": "without bridges"}


def test_stand_ins_of_check_mode() -> None:
    """What is still to be issued differs from all there is, and is shown as far as it is known."""
    leaf = [{"subject": "CN=x"}]
    data = {"tls.crt": Pending(leaf), "tls.key": Pending("present"), "ca.crt": CRT}
    item = Item("Secret", "s", {"type": SECRET_TYPE, "data": data})
    assert [change.action for change in plan([item], {}, False).changes] == ["create"]
    before = Observed(secret(b"topsecretkey"), owner=OURS)
    (change,) = plan([item], {item.key: before}, False).changes
    assert change.action == "update"
    got = diff([change], summaries.described)
    assert got["after"]["Secret/s"]["tls.crt"] == leaf
    assert got["after"]["Secret/s"]["ca.crt"] == summaries.described(CRT)
    assert got["after"]["Secret/s"]["tls.key"] == "present, another key"
    assert got["before"]["Secret/s"]["tls.key"] == "present"
    assert "topsecretkey" not in json.dumps(got)
    data["tls.key"] = Pending("present", another_key=False)
    assert diff([change], summaries.described)["after"]["Secret/s"]["tls.key"] == "present"


KEY_PEM = b"-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n"
BYTES = st.binary(min_size=16, max_size=80)
KEYS = BYTES | BYTES.map(lambda data: KEY_PEM % b64encode(data))
#: What a user may have put anywhere: nothing, a certificate, the key, or the key in the certificate's file.
FILES = st.sampled_from(["", "crt", "key", "crt+key", "key+crt", "b64", "junk"])
PLACES = st.fixed_dictionaries({"tls.crt": FILES, "ca.crt": FILES, "my.key": FILES, "note": FILES})


def _file(what: str, key: bytes) -> bytes:
    parts = {"crt": CRT, "key": key, "b64": b64encode(key), "junk": b"-----BEGIN JUNK-----\n" + key}
    return b"".join(parts[part] for part in what.split("+") if part)


def _windows(data: bytes, size: int = 16) -> set[bytes]:
    return {data[at : at + size] for at in range(len(data) - size + 1)}


def _secret_content(places: dict[str, str], key: bytes) -> dict[str, Any]:
    return {"type": "Opaque", "data": {"tls.key": key, **{name: _file(what, key) for name, what in places.items()}}}


@given(KEYS, KEYS, PLACES, PLACES, st.sampled_from(["create", "update", "replace", "delete"]), st.booleans())
def test_no_byte_of_a_key_is_shown(
    old: bytes, new: bytes, old_places: dict[str, str], new_places: dict[str, str], action: str, pending: bool
) -> None:
    content = {"data": {"tls.key": Pending("present")}} if pending else _secret_content(new_places, new)
    item = Item("Secret", "s", {} if action == "delete" else content)
    before = None if action == "create" else Observed(_secret_content(old_places, old))
    shown = json.dumps(diff([Change(action, item, before)], summaries.described), ensure_ascii=False)
    known = _windows(CRT)
    for key in (old, new):
        body = key.split(b"\n")[1] if key.startswith(b"-----") else key
        for window in (_windows(body) | _windows(b64encode(key)) | _windows(b64encode(body))) - known:
            assert window.decode("latin-1") not in shown
            assert json.dumps(window.decode("latin-1"))[1:-1] not in shown


def test_redact_describes_and_shows_no_pem() -> None:
    shown = redact(Item("Secret", "s", {}), secret(b"k"), summaries.described)
    assert "BEGIN" not in json.dumps(shown)


@pytest.mark.parametrize("adopt", [False, True])
def test_a_secret_that_another_network_lends(adopt: bool) -> None:
    """Two networks share a pair: the same content is left as it is, even with adopt; any other is refused."""
    item = Item("Secret", "s", {"type": "t", "data": {"tls.crt": b"a"}})
    same = {"type": "t", "data": {"tls.crt": b"a", "more": b"b"}}
    lent = Observed(same, owner=FOREIGN, network="other")
    assert plan([item], {item.key: lent}, adopt) == Plan((), ())
    differing = Observed({**same, "data": {"tls.crt": b"c"}}, owner=FOREIGN, network="other")
    result = plan([item], {item.key: differing}, adopt)
    if adopt:
        assert [change.action for change in result.changes] == ["update"]
    else:
        (problem,) = result.problems
        assert problem.message == "Secret s is there already, and it belongs to the network other"
        assert "run that of other first" in problem.remedy
    foreign = plan([item], {item.key: Observed(same, owner=FOREIGN)}, adopt)
    assert bool(foreign.changes) is adopt
