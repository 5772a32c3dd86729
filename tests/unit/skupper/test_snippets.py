# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that connect to a service, and what a shell makes of them."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.snippets import lines, snippets
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import parsed

JAVA = (
    "java -Djavax.net.ssl.trustStore=truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12"
    ' -Djavax.net.ssl.trustStorePassword="$TRUST_STORE_PASSWORD" -jar client.jar'
)
VERIFY = "-servername payments -verify_hostname payments -verify_return_error"


@pytest.mark.parametrize(
    ("changed", "tool", "commands"),
    [
        ({}, "curl", ["curl --http2 --cacert ca.crt https://payments:5001/",
                      "curl --http2 --cacert ca.crt https://payments:5002/"]),
        ({"protocol": "tcp", "ports": "443"}, "curl", ["curl --cacert ca.crt https://payments:443/"]),
        # The port of the address counts, not that of the workload.
        ({"ports": ["5001:8443"]}, "grpcurl", ["grpcurl -cacert ca.crt payments:5001 list"]),
        ({"ports": [5001]}, "openssl",
         [f"openssl s_client -connect payments:5001 {VERIFY} -alpn h2 -CAfile ca.crt </dev/null"]),
        ({"protocol": "tcp", "ports": [5001]}, "openssl",
         [f"openssl s_client -connect payments:5001 {VERIFY} -CAfile ca.crt </dev/null"]),
        ({}, "java", [JAVA]),
    ],
)  # fmt: skip
def test_commands(changed: dict[str, Any], tool: str, commands: list[str]) -> None:
    assert snippets(parsed(**changed))[tool] == commands


def test_grpc_is_for_http2() -> None:
    assert sorted(snippets(parsed())) == ["curl", "grpcurl", "java", "openssl"]
    assert sorted(snippets(parsed(protocol="tcp"))) == ["curl", "java", "openssl"]


@pytest.mark.parametrize("path", ["/a b/ca.crt", "it's.pem", "$(reboot)", "a;b", 'quo"te', "-", "`x`"])
def test_a_path_is_one_word(path: str) -> None:
    found = snippets(parsed(), path, path)
    for tool, option in (("curl", "--cacert"), ("grpcurl", "-cacert"), ("openssl", "-CAfile")):
        words = shlex.split(found[tool][0])
        assert words[words.index(option) + 1] == path
    assert f"-Djavax.net.ssl.trustStore={path}" in shlex.split(found["java"][0])


def test_lines() -> None:
    assert lines("payments", {"b": ["two", "three"], "a": ["one"]}) == ["payments:", "  one", "  two", "  three"]
