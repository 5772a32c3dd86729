# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of Skupper v1's ConfigMaps."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SiteError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import v1config

CONFIG: list[Any] = [
    ["router", {"id": "east", "metadata": '{"id":"é"}'}],
    ["sslProfile", {"name": "skupper-amqps", "certFile": "/a", "privateKeyFile": "/b", "caCertFile": "/c"}],
    ["listener", {"name": "amqp", "port": 5672}],
    ["tcpListener", {"name": "payments:5001", "address": "payments:5001", "sslProfile": "server-cert-secret"}],
    ["tcpConnector", {"name": "payments.x@5002", "address": "payments:5002"}],
    ["httpListener", {"name": "stock", "address": "stock:80"}],
    ["tcpListener", {"name": "payments2:1", "address": "payments2:1"}],
]
PROFILE = {"name": "ca-cert-secret", "caCertFile": "/etc/skupper-router-certs/ca-cert-secret/ca.crt"}


@pytest.mark.parametrize(("text", "config"), [("", []), ("[]", []), (json.dumps(CONFIG), CONFIG)])
def test_router_config(text: str, config: list[Any]) -> None:
    assert v1config.parse_router_config(text) == config


@pytest.mark.parametrize("text", ["{", "{}", "null", "7", '["router"]', '[["router"]]', '[["a",{},1]]', '[{"a":1}]'])
def test_no_router_config(text: str) -> None:
    with pytest.raises(SiteError) as caught:
        v1config.parse_router_config(text)
    assert caught.value.field == "ConfigMap skupper-internal, key skrouterd.json"


def test_a_profile_is_appended() -> None:
    before = json.dumps(CONFIG)
    config = v1config.with_profile(CONFIG, "ca-cert-secret", PROFILE)
    assert config == [*CONFIG, ["sslProfile", PROFILE]]
    assert json.dumps(CONFIG) == before


def test_a_profile_is_changed_in_its_place() -> None:
    config = v1config.with_profile([*CONFIG], "skupper-amqps", {"name": "skupper-amqps", "caCertFile": "/new"})
    assert config[1] == ["sslProfile", {"name": "skupper-amqps", "caCertFile": "/new"}]
    assert config[:1] + config[2:] == CONFIG[:1] + CONFIG[2:]


def test_a_profile_is_removed_alone() -> None:
    config = v1config.with_profile(CONFIG, "ca-cert-secret", PROFILE)
    assert v1config.without_profile(config, "ca-cert-secret") == CONFIG
    assert v1config.without_profile(CONFIG, "ca-cert-secret") == CONFIG
    # Another kind of entity of the same name is not it.
    assert v1config.without_profile(CONFIG, "amqp") == CONFIG


def test_profiles() -> None:
    assert v1config.profiles(v1config.with_profile(CONFIG, "ca-cert-secret", PROFILE)) == {
        "skupper-amqps": CONFIG[1][1],
        "ca-cert-secret": PROFILE,
    }


@pytest.mark.parametrize(
    ("address", "bridges"),
    [
        ("payments", ["payments:5001", "payments.x@5002"]),
        ("payments2", ["payments2:1"]),
        ("stock", ["stock"]),
        ("pay", []),
        ("amqp", []),
    ],
)
def test_bridges(address: str, bridges: list[str]) -> None:
    assert v1config.bridges(CONFIG, address) == bridges


ENTRY = '{"address":"payments","ports":[5001],"targets":[{"name":"a","selector":"app=a"},{"name":"b"}],"origin":"x"}'


def test_an_entry_there_and_back() -> None:
    parsed = v1config.parse_entry(ENTRY)
    assert parsed["targets"] == {"a": {"name": "a", "selector": "app=a"}, "b": {"name": "b"}}
    assert json.loads(v1config.render_entry(parsed)) == json.loads(ENTRY)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7"])
def test_no_entry(text: str) -> None:
    assert v1config.parse_entry(text) == {}


@pytest.mark.parametrize("targets", ["null", "[]", '["x"]', "[7]"])
def test_odd_targets(targets: str) -> None:
    assert v1config.parse_entry(f'{{"targets":{targets}}}')["targets"] == {}


def test_none_is_left_out() -> None:
    text = v1config.render_entry({"address": "a", "origin": None, "targets": {"x": None, "y": {"name": "y"}}})
    assert text == '{"address":"a","targets":[{"name":"y"}]}'


def test_touching_toggles_white_space() -> None:
    once = v1config.touched(ENTRY)
    assert once == ENTRY + " "
    assert v1config.touched(once) == ENTRY


@given(
    st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
    st.text(alphabet=" \n\t\r", max_size=3),
)
def test_touching_changes_the_text_and_not_the_json(entry: dict[str, Any], space: str) -> None:
    text = json.dumps(entry) + space
    touched = v1config.touched(text)
    assert touched != text
    assert json.loads(touched) == entry
    assert len(v1config.touched(touched)) <= len(text) + 1
