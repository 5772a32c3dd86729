# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records: every revision kept, keys encrypted at rest, and everything that can be wrong with one."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    InputError,
    StoreConflict,
    StoreError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW

ROOT = factory.root("root", key=factory.key())
SUB = factory.make("sub", ROOT, ca=True, key=factory.key(number=1))
LEAF = factory.make("payments", ROOT, key=factory.key(number=2), names=["payments"])
SUB_LEAF = factory.make("payments", SUB, key=factory.key(number=2), names=["payments"])


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


def save_authority(store: DirectoryStore, passphrase: bytes | None = None) -> records.Record:
    key = keys.key_to_pem(ROOT.key, passphrase)
    return records.save(store, None, ("shop", "authority", "default"), [ROOT.certificate], key, {"source": "x"}, NOW)


def save_leaf(store: DirectoryStore, passphrase: bytes | None = None, record: Any = None, **more: Any) -> Any:
    key = keys.key_to_pem(LEAF.key, passphrase)
    details = {"authority": "default", **more}
    return records.save(store, record, ("shop", "certificate", "s"), [LEAF.certificate], key, details, NOW)


def edit(tmp_path: Path, kind: str, name: str, change: Any) -> None:
    file = tmp_path / kind / f"{name}.json"
    document = json.loads(file.read_text())
    change(document)
    file.write_text(json.dumps(document))


def same_key(one: Any, two: Any) -> bool:
    public = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bool(one.public_key().public_bytes(*public) == two.public_key().public_bytes(*public))


def test_there_and_back(store: DirectoryStore) -> None:
    assert records.load(store, "authority", "default", "shop") is None
    saved = save_authority(store)
    loaded = records.load(store, "authority", "default", "shop")
    assert loaded is not None
    assert loaded.revision == saved.revision == 1
    assert loaded.certificates == (ROOT.certificate,)
    assert loaded.details["source"] == "x"
    assert loaded.details["created"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert loaded.stored.token == saved.stored.token
    assert same_key(records.load_key(loaded, None), ROOT.key)


def test_revisions_are_kept(store: DirectoryStore) -> None:
    first = save_leaf(store, note="one")
    second = save_leaf(store, record=first, note="two")
    third = save_leaf(store, record=second, note="three")
    assert third.revision == 3
    loaded = records.load(store, "certificate", "s", "shop")
    assert loaded is not None
    assert [entry["note"] for entry in loaded.stored.document["revisions"]] == ["one", "two", "three"]
    assert loaded.details["note"] == "three"


def test_a_revision_after_a_roll_back_has_a_new_number(store: DirectoryStore, tmp_path: Path) -> None:
    save_leaf(store, record=save_leaf(store))
    edit(tmp_path, "certificate", "s", lambda document: document.update(revision=1))
    rolled = records.load(store, "certificate", "s", "shop")
    assert rolled is not None
    assert rolled.revision == 1
    assert save_leaf(store, record=rolled).revision == 3


def test_two_writers(store: DirectoryStore) -> None:
    first = save_leaf(store)
    save_leaf(store, record=first)
    with pytest.raises(StoreConflict):
        save_leaf(store, record=first)
    with pytest.raises(StoreConflict):
        save_leaf(store)


def test_another_network(store: DirectoryStore) -> None:
    save_authority(store)
    with pytest.raises(StoreError) as caught:
        records.load(store, "authority", "default", "kiosk")
    assert "belongs to another network" in caught.value.message
    assert "'shop'" in caught.value.found


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("format"),
        lambda document: document.update(format=2),
        lambda document: document.pop("revisions"),
        lambda document: document.update(revisions=[]),
        lambda document: document.update(revisions=7),
        lambda document: document.update(revisions=["x"]),
        lambda document: document.update(revision=9),
        lambda document: document.pop("revision"),
        lambda document: document["revisions"][0].pop("certificates"),
        lambda document: document["revisions"][0].update(certificates=None),
        lambda document: document["revisions"][0].update(certificates="é"),
        lambda document: document["revisions"][0].update(certificates=""),
        lambda document: document["revisions"][0].update(certificates="-----BEGIN CERTIFICATE-----\nAAAA"),
        lambda document: document["revisions"][0].update(
            certificates="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        ),
        lambda document: document["revisions"][0].update(key="é"),
    ],
)
def test_damaged_records(store: DirectoryStore, tmp_path: Path, change: Any) -> None:
    save_authority(store)
    edit(tmp_path, "authority", "default", change)
    with pytest.raises(StoreError) as caught:
        records.load(store, "authority", "default", "shop")
    assert caught.value.message == "the store's record of authority default is damaged"
    assert str(tmp_path) in caught.value.found
    assert caught.value.remedy


def test_keys_are_encrypted_at_rest(store: DirectoryStore, tmp_path: Path) -> None:
    save_authority(store, b"correct horse")
    save_leaf(store, b"correct horse")
    text = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"ENCRYPTED" in text
    # What is base64 in the files, decoded too.
    plain = text + b"".join(b64decode(line + b"=" * (-len(line) % 4)) for line in text.split(b"\\n") if _is64(line))
    for key in (ROOT.key, LEAF.key):
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        number = key.private_numbers().private_value.to_bytes(32, "big")
        for secret in (der, number, b64encode(der)[8:40], b64encode(number)[:24], number.hex().encode()):
            assert secret not in plain
    loaded = records.load(store, "authority", "default", "shop")
    assert loaded is not None
    assert same_key(records.load_key(loaded, b"correct horse"), ROOT.key)


def _is64(line: bytes) -> bool:
    return len(line) > 20 and all(chr(byte).isalnum() or byte in b"+/=" for byte in line)


def test_that_the_search_finds_an_unencrypted_key(store: DirectoryStore, tmp_path: Path) -> None:
    save_authority(store)
    key = keys.key_to_pem(ROOT.key).splitlines()[1]
    assert key in (tmp_path / "authority" / "default.json").read_bytes()


@pytest.mark.parametrize(
    ("passphrase", "message"),
    [
        (b"wrong", "the store's passphrase is wrong"),
        (None, "the store's keys are encrypted and no passphrase is given"),
        (b"", "the store's keys are encrypted and no passphrase is given"),
    ],
)
def test_passphrases(store: DirectoryStore, passphrase: bytes | None, message: str) -> None:
    record = save_authority(store, b"right")
    with pytest.raises(StoreError) as caught:
        records.load_key(record, passphrase)
    assert caught.value.message == message
    assert caught.value.field == "store.passphrase"
    assert "authority default" in caught.value.found
    assert "wrong" not in caught.value.found
    assert caught.value.__cause__ is None


def test_a_passphrase_that_is_not_needed(store: DirectoryStore) -> None:
    assert same_key(records.load_key(save_authority(store), b"any"), ROOT.key)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "the store has no private key of authority default"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a key of the store is damaged"),
        ("garbage", "a key of the store is damaged"),
    ],
)
def test_missing_and_damaged_keys(store: DirectoryStore, tmp_path: Path, key: str, message: str) -> None:
    save_authority(store)
    edit(tmp_path, "authority", "default", lambda document: document["revisions"][0].update(key=key))
    loaded = records.load(store, "authority", "default", "shop")
    assert loaded is not None
    with pytest.raises(StoreError) as caught:
        records.load_key(loaded, b"any")
    assert caught.value.message == message


@pytest.mark.parametrize("passphrase", [None, b"secret"])
def test_material(store: DirectoryStore, passphrase: bytes | None) -> None:
    assert records.issued(store, "s", "shop", passphrase) is None
    save_authority(store, passphrase)
    save_leaf(store, passphrase, save_leaf(store, passphrase))
    issued = records.issued(store, "s", "shop", passphrase)
    assert issued is not None
    assert issued.revisions == (2, 1)
    material = issued.material
    assert material.tls_crt == factory.pem_of(LEAF.certificate)
    assert material.ca_crt == factory.pem_of(ROOT.certificate)
    # The router knows no passphrase, and wants a newline at the end of every block.
    assert same_key(keys.load_key(material.tls_key, "x"), LEAF.key)
    assert all(part.endswith(b"-----\n") for part in (material.tls_crt, material.tls_key, material.ca_crt))
    assert "PRIVATE" not in repr(material)


def test_material_behind_an_intermediate(store: DirectoryStore) -> None:
    identity = ("shop", "authority", "default")
    authority = records.save(store, None, identity, [SUB.certificate, ROOT.certificate], b"", {}, NOW)
    assert authority.anchors == (ROOT.certificate,)
    assert authority.intermediates == (SUB.certificate,)
    key = keys.key_to_pem(SUB_LEAF.key)
    chain = [SUB_LEAF.certificate, SUB.certificate]
    records.save(store, None, ("shop", "certificate", "s"), chain, key, {"authority": "default"}, NOW)
    issued = records.issued(store, "s", "shop", None)
    assert issued is not None
    assert issued.material.tls_crt == factory.pem_of(*chain)
    assert issued.material.ca_crt == factory.pem_of(ROOT.certificate)


def test_material_without_its_authority(store: DirectoryStore) -> None:
    save_leaf(store)
    with pytest.raises(StoreError) as caught:
        records.issued(store, "s", "shop", None)
    assert caught.value.message == "the store has certificate s but not its authority default"


def test_nothing_shows_a_key(store: DirectoryStore) -> None:
    record = save_leaf(store)
    for text in (repr(record), repr(record.stored)):
        assert "PRIVATE" not in text
        assert "BEGIN" not in text


def test_created_is_given_and_not_looked_up(store: DirectoryStore) -> None:
    then = NOW - timedelta(days=400)
    record = records.save(store, None, ("n", "authority", "a"), [ROOT.certificate], b"", {}, then)
    assert record.details["created"] == then.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(("seconds", "refused"), [(-1, False), (0, True), (1, True)])
def test_expired(store: DirectoryStore, seconds: int, refused: bool) -> None:
    record = save_authority(store)
    now = ROOT.certificate.not_valid_after_utc + timedelta(seconds=seconds)
    if not refused:
        records.refuse_expired(record, now)
        return
    with pytest.raises(StoreError) as caught:
        records.refuse_expired(record, now)
    assert caught.value.message == "the CA of authority default has expired"


def test_errors_are_not_of_the_users_input() -> None:
    assert not issubclass(StoreError, InputError)


# -- records that networks share


def test_a_shared_record(store: DirectoryStore) -> None:
    record = records.share(store, save_authority(store), ("shop", "billing"))
    assert (record.network, record.networks) == ("shop", ("shop", "billing"))
    loaded = records.load(store, "authority", "default", "billing")
    assert loaded is not None
    assert loaded.networks == ("shop", "billing")
    with pytest.raises(StoreError, match="belongs to another network") as caught:
        records.load(store, "authority", "default", "kiosk")
    assert "let the network shop share it" in caught.value.remedy
    with pytest.raises(StoreError, match="belongs to the network shop, which shares it"):
        records.save(store, loaded, ("billing", "authority", "default"), [ROOT.certificate], b"", {}, NOW)
    again = records.save(store, loaded, ("shop", "authority", "default"), [ROOT.certificate], b"", {}, NOW)
    assert (again.revision, again.networks) == (2, ("shop", "billing")), "a new revision keeps who shares it"
    assert "networks" not in records.share(store, again, ("shop",)).stored.document


def test_two_who_change_who_shares(store: DirectoryStore) -> None:
    record = save_authority(store)
    records.share(store, record, ("shop", "billing"))
    with pytest.raises(StoreConflict):
        records.share(store, record, ("shop", "kiosk"))


@pytest.mark.parametrize(
    ("current", "wanted", "network", "asked"),
    [
        (None, None, "shop", None),
        (None, [], "shop", None),
        (None, ["shop"], "shop", None),
        (None, ["z", "a", "shop", "a"], "shop", ("shop", "a", "z")),
        (("shop", "b"), None, "shop", None),
        (("shop", "b"), ["b"], "shop", None),
        (("shop", "b"), ["shop", "b"], "b", None),
        (("shop", "b"), [], "shop", ("shop",)),
        (("shop", "b"), ["c", "b"], "shop", ("shop", "b", "c")),
        (("shop", "b"), [], "b", StoreError),
        (("shop", "b"), ["b", "c"], "b", StoreError),
        (("shop",), ["Bad_"], "shop", InputError),
    ],
)
def test_who_is_to_share(store: DirectoryStore, current: Any, wanted: Any, network: str, asked: Any) -> None:
    record = records.share(store, save_authority(store), current) if current else None
    if isinstance(asked, type):
        with pytest.raises(asked):
            records.sharing(record, wanted, network)
    else:
        assert records.sharing(record, wanted, network) == asked


def test_the_authority_of_a_shared_certificate_need_not_be_shared(store: DirectoryStore) -> None:
    save_authority(store)
    records.share(store, save_leaf(store), ("shop", "billing"))
    issued = records.issued(store, "s", "billing", None)
    assert issued is not None
    assert issued.material.ca_crt == factory.pem_of(ROOT.certificate)
