# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that Skupper v1 keeps in ConfigMaps: the router's configuration and the entries of services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import SiteError

_BRIDGES = ("tcpListener", "tcpConnector", "httpListener", "httpConnector")


def parse_router_config(text: str) -> list[Any]:
    """Return the router's configuration: a list of pairs of entity type and attributes."""
    try:
        config = json.loads(text or "[]")
    except ValueError:
        config = None
    if not isinstance(config, list) or not all(isinstance(entry, list) and len(entry) == 2 for entry in config):
        raise SiteError(
            "the router configuration is not a JSON list of [type, attributes]",
            field="ConfigMap skupper-internal, key skrouterd.json",
            remedy="Restore it, for example by restarting the service-controller",
        )
    return config


def profiles(config: list[Any]) -> dict[str, dict[str, Any]]:
    """Return the sslProfile entities by name."""
    return {str(attributes.get("name")): attributes for kind, attributes in config if kind == "sslProfile"}


def with_profile(config: list[Any], name: str, attributes: Mapping[str, Any]) -> list[Any]:
    """Return the configuration with that profile, in its place if there is one of the name, else at the end."""
    entry = ["sslProfile", dict(attributes)]
    if name not in profiles(config):
        return [*config, entry]
    return [entry if _is_profile(old, name) else old for old in config]


def without_profile(config: list[Any], name: str) -> list[Any]:
    """Return the configuration without the profile of that name."""
    return [entry for entry in config if not _is_profile(entry, name)]


def _is_profile(entry: list[Any], name: str) -> bool:
    return bool(entry[0] == "sslProfile" and entry[1].get("name") == name)


def bridges(config: list[Any], address: str) -> list[str]:
    """Return the names of the address's listeners and connectors in the router's configuration."""
    return [
        str(attributes.get("name"))
        for kind, attributes in config
        if kind in _BRIDGES and str(attributes.get("address", "")).split(":", maxsplit=1)[0] == address
    ]


def tls_bridges(config: list[Any]) -> dict[str, dict[str, str]]:
    """Return by name of a bridge with TLS its address and, as ``tlsCredentials``, its profile."""
    return {
        str(attributes.get("name")): {
            "address": str(attributes.get("address", "")).split(":", maxsplit=1)[0],
            "tlsCredentials": str(attributes["sslProfile"]),
        }
        for kind, attributes in config
        if kind in _BRIDGES and attributes.get("sslProfile")
    }


def parse_entry(text: str) -> dict[str, Any]:
    """Return the entry of a service, with its targets by name; empty for a text that is no JSON object."""
    try:
        entry = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(entry, dict):
        return {}
    targets = entry.get("targets")
    entry["targets"] = {str(target.get("name")): target for target in targets or [] if isinstance(target, dict)}
    return entry


def render_entry(entry: Mapping[str, Any]) -> str:
    """Return the text of an entry."""
    targets = [target for target in (entry.get("targets") or {}).values() if target is not None]
    shown = {key: value for key, value in entry.items() if value is not None}
    return json.dumps({**shown, "targets": targets}, separators=(",", ":"))


def touched(text: str) -> str:
    """Return the same entry as another text: white space is enough for Skupper to read it again (1.9.6)."""
    return text.rstrip() if text != text.rstrip() else text + " "
