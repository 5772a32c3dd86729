# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates the services need."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.requests import certificate_requests
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import parse_services
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS, entry, errors_of

NAMESPACES = {"east": "shop", "edge1": "kiosk", "west": "shop"}


def requests(*raw: dict[str, Any], defaults: dict[str, Any] | None = None, namespaces: Any = None) -> dict[str, Any]:
    services = parse_services(raw, GROUPS)
    return certificate_requests(services, GROUPS, NAMESPACES if namespaces is None else namespaces, defaults or {})


def test_one_service() -> None:
    assert requests(entry()) == {
        "server-cert-secret": {
            "alternative_names": ["payments", "payments.shop", "payments.shop.svc"],
            "authority": "default",
        }
    }


@pytest.mark.parametrize(
    ("providers", "names"),
    [
        ([], ["payments"]),
        (["left"], ["payments", "payments.kiosk", "payments.kiosk.svc", "payments.shop", "payments.shop.svc"]),
        (["east", "west"], ["payments", "payments.shop", "payments.shop.svc"]),
    ],
)
def test_names_of_each_providing_site_once(providers: list[str], names: list[str]) -> None:
    assert requests(entry(providers=providers))["server-cert-secret"]["alternative_names"] == names


def test_a_provider_without_namespace_adds_no_names() -> None:
    assert requests(entry(), namespaces={"east": ""})["server-cert-secret"]["alternative_names"] == ["payments"]


def test_names_added_by_the_user_come_last_and_once() -> None:
    tls = {"certificate": {"alternative_names": ["pay.example", "payments"]}}
    names = requests(entry(tls=tls))["server-cert-secret"]["alternative_names"]
    assert names == ["payments", "payments.shop", "payments.shop.svc", "pay.example"]


def test_a_single_name_as_text() -> None:
    names = requests(entry(tls={"certificate": {"alternative_names": "pay.example"}}))
    assert names["server-cert-secret"]["alternative_names"][-1] == "pay.example"


def test_services_that_share_a_secret() -> None:
    got = requests(
        entry(tls={"certificate": {"key_type": "ed25519"}}),
        entry(address="stock", providers=[], tls={"certificate": {"validity_days": 30}}),
        defaults={"key_type": "rsa-2048", "renew_before": "10d"},
    )
    assert got == {
        "server-cert-secret": {
            "key_type": "ed25519",
            "renew_before": "10d",
            "validity_days": 30,
            "alternative_names": ["payments", "payments.shop", "payments.shop.svc", "stock"],
            "authority": "default",
        }
    }


def test_names_of_services_that_share_a_secret_are_joined() -> None:
    got = requests(
        entry(tls={"certificate": {"alternative_names": ["one.example"]}}),
        entry(address="stock", tls={"certificate": {"alternative_names": ["two.example"]}}),
    )
    assert set(got["server-cert-secret"]["alternative_names"]) >= {"one.example", "two.example", "payments", "stock"}


def test_secrets_and_authorities_of_their_own() -> None:
    other = {"server_secret": "b", "ca_secret": "c", "authority": "second", "certificate": {"subject": "x"}}
    got = requests(entry(), entry(address="stock", tls=other))
    assert got["b"] == {
        "subject": "x",
        "authority": "second",
        "alternative_names": ["stock", "stock.shop", "stock.shop.svc"],
    }
    assert "subject" not in got["server-cert-secret"]


def test_services_that_share_a_secret_and_differ() -> None:
    with pytest.raises(SkupperTlsError) as caught:
        requests(
            entry(tls={"certificate": {"key_type": "ed25519", "subject": "a"}}),
            entry(address="stock", tls={"certificate": {"key_type": "rsa-2048", "subject": "a"}}),
        )
    ((field, message, dummy),) = errors_of(caught.value)
    assert field == "services (stock).tls.certificate.key_type"
    assert "payments" in message
    assert "server-cert-secret" in message


def test_unknown_options_all_together() -> None:
    with pytest.raises(SkupperTlsError) as caught:
        requests(entry(tls={"certificate": {"key-type": "x", "days": 3}}), defaults={"validity": 1})
    assert [field for field, dummy, dummy in errors_of(caught.value)] == [
        "skupper_tls_certificate.validity",
        "services (payments).tls.certificate.key-type",
        "services (payments).tls.certificate.days",
    ]
