# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The intermediate CA of each site in the store: made once, made anew when it must be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.signers import (
    record_name,
    signer_problems,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.names import is_label
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, context, tree
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import parsed
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW

PASSPHRASE = "words"
WANTED = {"east": ["payments", "payments.shop"], "west.example.net": ["payments"]}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def run(store: Path, wanted: Any = None, check: bool = False, **options: Any) -> dict[str, Any]:
    network = options.pop("network", "shop")
    given = {"store": {"type": "directory", "path": str(store), "passphrase": PASSPHRASE}, "network": network}
    now = options.pop("now", NOW)
    result: dict[str, Any] = command(
        "authority", {**given, "site_intermediates": wanted or WANTED, **options}, check, now
    )
    assert not result.get("failed"), result
    return result


def record(store: Path, host: str = "east", authority: str = "default") -> records.Record:
    found = records.load(DirectoryStore(store), "signer", record_name("shop", authority, host), "shop")
    assert found is not None
    return found


def public(found: records.Record) -> bytes:
    return keys.public_bytes(found.certificates[0].public_key())


def test_made_once(store: Path) -> None:
    predicted = run(store, check=True)
    assert not store.exists()
    made = run(store)
    assert predicted["changed"]
    assert made["changed"]
    assert set(made["site_intermediates"]) == set(predicted["site_intermediates"]) == set(WANTED)
    assert made["site_intermediates"]["east"]["permitted_names"] == WANTED["east"]
    before = tree(store)
    again = run(store)
    assert (again["changed"], again["site_intermediates"]) == (False, {})
    assert tree(store) == before
    assert b"ENCRYPTED" in record(store).key_pem


def test_other_names_keep_the_key(store: Path) -> None:
    run(store)
    first = record(store)
    wanted = {**WANTED, "east": [*WANTED["east"], "stock"]}
    assert list(run(store, wanted, check=True)["site_intermediates"]) == ["east"]
    assert record(store).revision == 1
    assert list(run(store, wanted)["site_intermediates"]) == ["east"]
    assert (record(store).revision, public(record(store))) == (2, public(first))
    assert not run(store, wanted)["changed"]


def test_due_is_made_anew_with_another_key(store: Path) -> None:
    run(store, validity_days=3000)
    first = record(store)
    run(store, validity_days=30)  # the authority is not replaced, nor is an intermediate that is not due
    assert record(store).revision == 1
    later = NOW + timedelta(days=2100)
    made = run(store, now=later)
    assert made["site_intermediates"] == {}  # it could not last longer than its authority does
    assert public(record(store)) == public(first)


def test_due_under_an_authority_that_lasts(store: Path) -> None:
    run(store, {"other": ["x"]}, validity_days=3000)
    run(store, validity_days=300)
    first = record(store)
    assert run(store, now=NOW + timedelta(days=190), validity_days=300)["site_intermediates"] == {}
    assert set(run(store, now=NOW + timedelta(days=210), validity_days=300)["site_intermediates"]) == set(WANTED)
    assert public(record(store)) != public(first)


def test_removed_with_the_authority(store: Path) -> None:
    run(store)
    run(store, name="other")
    given = {"store": {"type": "directory", "path": str(store)}, "network": "shop", "state": "absent"}
    assert command("authority", given, check=True)["changed"]
    assert len(DirectoryStore(store).names("signer")) == 4
    assert command("authority", given)["changed"]
    assert len(DirectoryStore(store).names("signer")) == 2
    assert record(store, authority="other").revision == 1


@pytest.mark.parametrize("host", ["east", "East_1", "a.b.example.net", "x" * 200, "ä", "-", "a b"])
def test_names_in_the_store(host: str) -> None:
    assert is_label(record_name("shop", "default", host))
    assert record_name("shop", "default", host) != record_name("shop", "default", host + "-")


def test_two_networks_may_have_hosts_of_one_name(store: Path) -> None:
    run(store, networks=["billing"])
    borrowed = run(store, network="billing")
    assert set(borrowed["site_intermediates"]) == set(WANTED)
    assert record_name("shop", "default", "east") != record_name("billing", "default", "east")


SERVICES = {"mode": "generated", "signer": "corp"}


@pytest.mark.parametrize(
    ("tls", "said", "message"),
    [
        (SERVICES, {"name": "corp", "authority": {"key_type": "rsa-2048"}, "key": True}, ""),
        (SERVICES, {"name": "corp", "authority": {"key_type": "ecdsa-p256"}, "key": True}, "signs with RSA keys only"),
        (SERVICES, {"name": "corp", "authority": {"key_type": "rsa-2048"}, "key": False}, "has no key in the store"),
        (SERVICES, {"name": "default", "authority": {"key_type": "rsa-2048"}, "key": True}, "is no authority of the"),
        (SERVICES, {}, "is no authority of the store"),
        (SERVICES, {"failed": True}, ""),
        (
            {**SERVICES, "site_intermediates": True},
            {"name": "corp", "authority": {"key_type": "ed25519"}, "key": True},
            "",
        ),
        ({"mode": "generated"}, {}, ""),
        ({"mode": "custom"}, {}, ""),
    ],
)
def test_a_signer_is_looked_at_before_anything_is_made(
    tmp_path: Path, tls: dict[str, Any], said: dict[str, Any], message: str
) -> None:
    params = {"store": {"type": "directory", "path": str(tmp_path / "none")}, "network": "shop"}
    problems = signer_problems([parsed(tls=tls)], said, params, context())
    assert len(problems) == bool(message)
    assert all(message in str(problem) for problem in problems)
