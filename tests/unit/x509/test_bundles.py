# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles for clients: what goes in comes out, and what is not certificates alone is not taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import bundles, keys
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509.bundles import Entry
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import make, pem_of, root

NOTE = "CA bundle of the Skupper network shop, managed by us"


def entries(*names: str) -> list[Entry]:
    return [Entry(name, root(name).certificate) for name in names]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("b", "a"), ("with space/and ü",)])
def test_there_and_back(names: tuple[str, ...]) -> None:
    made = entries(*names)
    first, second = (bundles.to_pkcs12(made, "pässword", "x") for dummy in range(2))
    assert first != second, "the comparison by content would not be needed"
    assert bundles.read_pkcs12(first, "pässword") == bundles.read_pkcs12(second, "pässword") == made


def test_another_order_or_name_is_another_bundle() -> None:
    one, two = entries("a", "b")
    data = bundles.to_pkcs12([one, two], "x", "x")
    assert bundles.read_pkcs12(data, "x") != [two, one]
    assert bundles.read_pkcs12(data, "x") != [one._replace(name="c"), two]
    assert bundles.read_pkcs12(data, "x") != [one]


def test_what_is_no_bundle() -> None:
    ca = root("a")
    leaf = make("leaf", ca)
    with_key = pkcs12.serialize_key_and_certificates(
        b"a", leaf.key, leaf.certificate, [ca.certificate], BestAvailableEncryption(b"x")
    )
    good = bundles.to_pkcs12(entries("a"), "x", "x")
    for data, password in ((with_key, "x"), (good, "y"), (good, ""), (b"", "x"), (b"0", "x"), (good[:-9], "x")):
        assert bundles.read_pkcs12(data, password) is None


def test_a_library_that_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pkcs12, "serialize_java_truststore")
    with pytest.raises(InputError) as caught:
        bundles.to_pkcs12(entries("a"), "x", "destinations[0].format")
    assert (caught.value.field, "cryptography 45" in caught.value.remedy) == ("destinations[0].format", True)


@pytest.mark.parametrize("note", ["", NOTE])
def test_pem(note: str) -> None:
    made = entries("a", "b")
    data = bundles.to_pem(made, note)
    assert data == (f"# {note}\n".encode() if note else b"") + pem_of(*(entry.certificate for entry in made))
    assert bundles.has_note(data, NOTE) is bool(note)


@pytest.mark.parametrize("kind", ["other note", "note further down", "key"])
def test_a_pem_file_of_others(kind: str) -> None:
    data = bundles.to_pem(entries("a"), NOTE)
    others: dict[str, Any] = {
        "other note": data.replace(b"shop", b"shop-2"),
        "note further down": b"\n" + data,
        "key": data + keys.key_to_pem(root("a").key),
    }
    assert not bundles.has_note(others[kind], NOTE)
