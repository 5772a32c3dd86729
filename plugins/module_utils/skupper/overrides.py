# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site sets otherwise than the network's entry of a service (``skupper_site_services``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import options
from ..errors import InputError

OPTION = "skupper_site_services"

NETWORK_WIDE: Mapping[str, str] = {
    "address": "it names the service in the whole network",
    "providers": "every site must agree on which sites provide",
    "sites": "every site must agree on which sites take part",
    "tls.mode": "it holds for the whole network",
    "tls.authority": "the certificate is the same on every site",
    "tls.certificate": "the certificate is the same on every site",
    "tls.signer": "what the sites sign with is made once for the network",
    "tls.site_intermediates": "what the sites sign with is made once for the network",
}
"""The fields that no site can set for itself, and why."""


def merged(entry: Mapping[str, Any], override: Any) -> tuple[dict[str, Any], list[InputError]]:
    """Return the entry of a service as one site wants it, and what is wrong with the override.

    Mappings are merged key by key, anything else takes the place of what the entry says. A field that is None has its
    default again.
    """
    problems: list[InputError] = []
    fields = options.services(False)["services"]["options"]
    result = _merged(entry, override, fields, f"{OPTION} ({entry.get('address')})", "", problems)
    return result, problems


def unknown_addresses(overrides: Mapping[str, Any], addresses: list[str]) -> list[InputError]:
    """Return an error for each address that is no service's."""
    return [
        InputError(
            "is not the address of a service of the network",
            field=OPTION,
            found=str(address),
            remedy=f"Use one of {', '.join(addresses)}, or add the service to skupper_tls_services",
        )
        for address in overrides
        if address not in addresses
    ]


def _merged(
    base: Mapping[str, Any],
    override: Any,
    fields: Mapping[str, Any],
    where: str,
    prefix: str,
    problems: list[InputError],
) -> dict[str, Any]:
    result = dict(base)
    if not isinstance(override, Mapping):
        problems.append(_wrong_type(where, override, "a mapping of fields"))
        return result
    for name, value in override.items():
        path, field = f"{prefix}{name}", f"{where}.{name}"
        spec = fields.get(name)
        if spec is None or path in NETWORK_WIDE:
            problems.append(_refused(path, field, value, spec, fields, prefix))
        elif value is None:
            result.pop(name, None)
        elif "options" in spec and spec["type"] == "dict":
            result[name] = _merged(base.get(name) or {}, value, spec["options"], field, f"{path}.", problems)
        elif spec["type"] == "str" and isinstance(value, (Mapping, list, tuple)):
            problems.append(_wrong_type(field, value, "text"))
        elif spec["type"] == "list" and not isinstance(value, (str, list, tuple)):
            problems.append(_wrong_type(field, value, "a list"))
        else:
            result[name] = value
    return result


def _refused(path: str, field: str, value: Any, spec: Any, fields: Mapping[str, Any], prefix: str) -> InputError:
    if spec is None:
        known = [name for name in fields if f"{prefix}{name}" not in NETWORK_WIDE]
        return InputError(
            "is not a field of a service that a site can set", field=field, remedy=f"Use {', '.join(known)}"
        )
    return InputError(
        f"cannot differ from site to site: {NETWORK_WIDE[path]}",
        field=field,
        found="" if isinstance(value, Mapping) else str(value),  # tls.certificate may hold a key
        remedy=f"Set {path} in the entry of skupper_tls_services",
    )


def _wrong_type(field: str, value: Any, wanted: str) -> InputError:
    return InputError(
        f"is not {wanted}", field=field, found=type(value).__name__, remedy=f"Give {wanted}, or leave it out"
    )
