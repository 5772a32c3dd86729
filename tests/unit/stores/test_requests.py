# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pending requests in the store: each by its public key, none lost to another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import StoreConflict, StoreError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import requests
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import certificates, keys
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def public(number: int) -> bytes:
    return keys.public_bytes(factory.key(number=number).public_key())


def add(store: DirectoryStore, number: int, seen: Any = None) -> None:
    wanted = certificates.CertificateRequest("payments", ("payments",))
    request = certificates.certificate_signing_request(wanted, factory.key(number=number))
    key = keys.key_to_pem(factory.key(number=number), b"words")
    requests.add(store, seen or load(store), request, key, NOW)


def load(store: DirectoryStore) -> requests.Requests:
    return requests.load(store, "certificate", "s", "shop")


def test_kept_until_dropped(store: DirectoryStore) -> None:
    assert load(store).pending == ()
    for number in (1, 2, 3):
        add(store, number)
    assert [one.public_key for one in load(store).pending] == [public(1), public(2), public(3)]
    assert all(b"ENCRYPTED" in one.key_pem for one in load(store).pending)
    requests.drop(store, load(store), public(2))
    assert load(store).of(public(2)) is None
    kept = load(store).of(public(3))
    assert kept is not None
    assert keys.public_bytes(keys.load_key(kept.key_pem, "x", b"words").public_key()) == public(3)
    for number in (1, 3):
        requests.drop(store, load(store), public(number))
    assert store.names("certificate-request") == []


def test_deleted_as_a_whole(store: DirectoryStore) -> None:
    requests.delete(store, load(store))
    add(store, 1)
    add(store, 2)
    requests.delete(store, load(store))
    assert load(store).pending == ()


@pytest.mark.parametrize("existing", [0, 1])
def test_another_run_in_between(store: DirectoryStore, existing: int) -> None:
    for number in range(existing):
        add(store, number)
    seen = load(store)
    add(store, 5)
    with pytest.raises(StoreConflict):
        add(store, 6, seen)
    if existing:
        with pytest.raises(StoreConflict):
            requests.drop(store, seen, public(0))
        with pytest.raises(StoreConflict):
            requests.delete(store, seen)
    assert load(store).of(public(5)) is not None


def test_no_key_in_a_repr(store: DirectoryStore) -> None:
    add(store, 1)
    text = repr(load(store)) + repr(load(store).pending[0])
    assert "PRIVATE" not in text
    assert json.loads((Path(store.describe().split()[1]) / "certificate-request/s.json").read_text())["pending"]


def test_another_network(store: DirectoryStore) -> None:
    add(store, 1)
    with pytest.raises(StoreError, match="belongs to another network"):
        requests.load(store, "certificate", "s", "kiosk")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("pending"),
        lambda document: document["pending"][0].pop("key"),
        lambda document: document["pending"][0].update(request="junk"),
        lambda document: document.update(pending=[1]),
        lambda document: document.update(format=9),
    ],
)
def test_damaged(store: DirectoryStore, tmp_path: Path, change: Any) -> None:
    add(store, 1)
    file = tmp_path / "certificate-request" / "s.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))
    with pytest.raises(StoreError, match="is damaged"):
        load(store)
