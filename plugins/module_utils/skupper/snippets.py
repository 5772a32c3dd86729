# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a client connects to a service with the CA alone: commands to copy, for a person or a test."""

from __future__ import annotations

import shlex
from typing import Any

from .services import Service

CA_FILE, TRUST_STORE = "ca.crt", "truststore.p12"
PASSWORD_VARIABLE = "TRUST_STORE_PASSWORD"


def snippets(service: Service, ca_file: str = CA_FILE, trust_store: str = TRUST_STORE) -> dict[str, Any]:
    """Return by tool the commands that connect to each port of a service, for a POSIX shell.

    They run where the address resolves, such as in a pod of any site.

    Args:
        ca_file: the path of the CA bundle in PEM.
        trust_store: the path of the PKCS#12 trust store; its password is taken from a variable.
    """
    http2 = service.protocol == "http2"
    found: dict[str, Any] = {
        "curl": [_curl(service.address, port.port, ca_file, http2) for port in service.ports],
        "openssl": [_openssl(service.address, port.port, ca_file, http2) for port in service.ports],
        "java": [_java(trust_store)],
    }
    if http2:
        found["grpcurl"] = [
            shlex.join(["grpcurl", "-cacert", ca_file, f"{service.address}:{port.port}", "list"])
            for port in service.ports
        ]
    return found


def lines(address: str, commands: dict[str, Any]) -> list[str]:
    """Return the commands of a service as lines to print."""
    return [f"{address}:", *(f"  {command}" for tool in sorted(commands) for command in commands[tool])]


def _curl(address: str, port: int, ca_file: str, http2: bool) -> str:
    options = ["--http2"] if http2 else []
    return shlex.join(["curl", *options, "--cacert", ca_file, f"https://{address}:{port}/"])


def _openssl(address: str, port: int, ca_file: str, http2: bool) -> str:
    names = ["-servername", address, "-verify_hostname", address, "-verify_return_error"]
    options = ["-alpn", "h2"] if http2 else []
    command = ["openssl", "s_client", "-connect", f"{address}:{port}", *names, *options, "-CAfile", ca_file]
    return shlex.join(command) + " </dev/null"


def _java(trust_store: str) -> str:
    store = shlex.quote(f"-Djavax.net.ssl.trustStore={trust_store}")
    options = f"{store} -Djavax.net.ssl.trustStoreType=PKCS12"
    return f'java {options} -Djavax.net.ssl.trustStorePassword="${PASSWORD_VARIABLE}" -jar client.jar'
