# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be said of a secret."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands import summaries
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import OURS, Observed
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import SiteKind
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import describe, keys
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW

V1, V2, LINUX = SiteKind("kubernetes", "v1"), SiteKind("kubernetes", "v2"), SiteKind("linux", "v2")
ROOT = factory.root("root", key=factory.key())
OTHER = factory.root("other", key=factory.key(number=1))
SUB = factory.make("sub", ROOT, ca=True, key=factory.key(number=2))
LEAF = factory.make("leaf", ROOT, key=factory.key(number=3), names=["payments"])
SUB_LEAF = factory.make("leaf", SUB, key=factory.key(number=3), names=["payments"])
KEY = keys.key_to_pem(LEAF.key)


def pem(*parties: Any) -> bytes:
    return factory.pem_of(*(party.certificate for party in parties))


def summary(
    crt: bytes = pem(LEAF),
    key: bytes | None = KEY,
    ca: bytes = pem(ROOT),
    role: str = "server",
    kind: SiteKind = V2,
    **more: Any,
) -> dict[str, Any]:
    now = more.pop("now", NOW)
    data = {"tls.crt": crt, "tls.key": key, "ca.crt": ca, **more.pop("data", {})}
    content = {"type": more.pop("type", "kubernetes.io/tls"), "data": {k: v for k, v in data.items() if v is not None}}
    return summaries.secret(Observed(content, owner=OURS, network="shop"), kind, role, ["payments"], now)


def test_a_good_one() -> None:
    got = summary()
    assert got["problems"] == []
    assert got["missing_keys"] == []
    assert (got["key"], got["owner"], got["network"], got["usable_type"]) == ("matches", "ours", "shop", True)
    assert got["tls_sha256"] == describe.fingerprint(LEAF.certificate)
    assert got["ca_sha256"] == describe.fingerprint(ROOT.certificate)
    assert got["certificate"]["subject"] == "CN=leaf"
    text = json.dumps(got)
    assert "BEGIN" not in text
    assert KEY.decode().splitlines()[1][:20] not in text


def test_a_good_ca() -> None:
    got = summary(b"", b"", role="ca")
    assert (got["problems"], got["missing_keys"], got["key"], got["certificate"]) == ([], [], "absent", None)


@pytest.mark.parametrize(
    ("given", "check"),
    [
        ({"now": NOW + 31 * DAY}, "TLS302"),
        ({"now": NOW - 2 * DAY}, "TLS302"),
        ({"crt": pem(factory.make("x", ROOT, key=LEAF.key, names=["other"]))}, "TLS303"),
        ({"crt": pem(factory.make("payments", ROOT, key=LEAF.key))}, "TLS303"),
        ({"ca": pem(OTHER)}, "TLS304"),
        ({"crt": pem(SUB_LEAF)}, "TLS304"),
        ({"crt": b"junk"}, "TLS203"),
        ({"ca": b"junk"}, "TLS203"),
        ({"ca": pem(ROOT)[:-30]}, "TLS203"),
        ({"crt": pem(factory.make("x", ROOT, key=LEAF.key, names=["payments"], purposes=[factory.CLIENT]))}, "TLS304"),
    ],
)
def test_problems(given: dict[str, Any], check: str) -> None:
    problems = summary(**given)["problems"]
    assert problems
    assert {problem[0] for problem in problems} == {check}
    assert all(len(problem) == 4 and problem[3] for problem in problems)


@pytest.mark.parametrize(
    ("key", "state"),
    [
        (KEY, "matches"),
        (keys.key_to_pem(OTHER.key), "does not match"),
        (b"", "absent"),
        (None, "absent"),
        (keys.key_to_pem(LEAF.key, b"pw"), "unreadable: "),
        (b"hunter2", "unreadable: "),
    ],
)
def test_keys(key: bytes | None, state: str) -> None:
    got = summary(key=key)["key"]
    assert got.startswith(state)
    assert "hunter2" not in got


def test_a_key_without_certificate() -> None:
    assert summary(crt=b"")["key"] == "without certificate"


@pytest.mark.parametrize(
    ("kind", "role", "data", "missing"),
    [
        (V2, "server", {"tls.key": b""}, ["tls.key"]),
        (V2, "server", {"tls.key": None, "ca.crt": b""}, ["tls.key", "ca.crt"]),
        (V2, "ca", {"tls.key": b"", "tls.crt": b""}, []),
        (V2, "ca", {"tls.key": None, "tls.crt": None}, ["tls.crt", "tls.key"]),
        (V1, "ca", {"tls.key": None, "tls.crt": None}, []),
        (V1, "server", {"ca.crt": None}, ["ca.crt"]),
        (LINUX, "ca", {"tls.key": None}, ["tls.key"]),
    ],
)
def test_missing_keys(kind: SiteKind, role: str, data: dict[str, Any], missing: list[str]) -> None:
    assert summary(role=role, kind=kind, data=data)["missing_keys"] == missing


@pytest.mark.parametrize(
    ("kind", "secret_type", "usable"),
    [(V2, "Opaque", False), (V2, "kubernetes.io/tls", True), (V1, "Opaque", True), (LINUX, "", True)],
)
def test_types(kind: SiteKind, secret_type: str, usable: bool) -> None:
    assert summary(kind=kind, type=secret_type)["usable_type"] is usable


def test_the_order_of_anchors_does_not_count_and_that_of_the_chain_does() -> None:
    assert summary(ca=pem(ROOT, OTHER))["ca_sha256"] == summary(ca=pem(OTHER, ROOT))["ca_sha256"]
    assert summary(crt=pem(SUB_LEAF, SUB))["problems"] == []
    assert summary(crt=pem(SUB_LEAF, SUB))["tls_sha256"] != summary(crt=pem(SUB, SUB_LEAF))["tls_sha256"]


def test_at_the_second_of_the_end() -> None:
    end = LEAF.certificate.not_valid_after_utc
    assert summary(now=end - timedelta(seconds=1))["problems"] == []
    assert summary(now=end + timedelta(seconds=1))["problems"] != []


def test_described() -> None:
    (shown,) = summaries.described(pem(LEAF))
    assert set(shown) == {"subject", "alternative_names", "not_after", "sha256"}
    ((key, text),) = summaries.described(b"hunter2hunter2")[0].items()
    assert key == "unreadable"
    assert "hunter2" not in text
