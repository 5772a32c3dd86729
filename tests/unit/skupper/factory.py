# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as a user writes them, with one thing at a time made wrong."""

from __future__ import annotations

from typing import Any

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError, flatten
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import Service, parse_services

GROUPS = {"all": ["east", "west", "edge1"], "left": ["east", "edge1"]}


def entry(**changed: Any) -> dict[str, Any]:
    """Return a good entry of skupper_tls_services, but for the fields given; None takes a field away."""
    good = {
        "address": "payments",
        "protocol": "http2",
        "ports": [5001, 5002],
        "workload": {"kind": "deployment", "name": "payments"},
        "providers": ["east"],
        "tls": {"mode": "custom", "server_secret": "server-cert-secret", "ca_secret": "ca-cert-secret"},
    }
    return {key: value for key, value in {**good, **changed}.items() if value is not None}


def parsed(host: str = "east", **changed: Any) -> Service:
    """Return the one service of such an entry, as the host sees it."""
    (service,) = parse_services([entry(**changed)], GROUPS, host)
    return service


def errors_of(error: SkupperTlsError) -> list[tuple[str, str, str]]:
    """Return field, message and what was found of each single error; every one must have a remedy."""
    singles = flatten(error)
    assert all(single.remedy and not single.remedy.endswith(".") for single in singles), singles
    return [(single.field, single.message, single.found) for single in singles]
