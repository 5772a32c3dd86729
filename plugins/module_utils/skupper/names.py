# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for names and ports, and the names that this collection itself writes."""

from __future__ import annotations

import re
from typing import Any

from ..errors import InputError

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "multisite.skupper_tls"
NETWORK_LABEL = "multisite.skupper-tls/network"
ADDRESS_LABEL = "multisite.skupper-tls/address"
MOUNTS_LABEL = "multisite.skupper-tls/mounts"
"""Of workloads that have mounts of ours, and of what exposes a service with mounts."""

RESERVED_PREFIX = "skupper-tls-"
"""Skupper v1 deletes every secret of this prefix when it unexposes the address (seen with 1.9.6)."""

SERVICE_CA = "skupper-service-ca"
"""The CA with which a site signs the certificates of its services, where it generates them."""

SERVICE_CLIENT = "skupper-service-client"
"""The secret with that CA's certificate: the clients of the site trust it, its router checks servers with it."""

# An RFC 1123 label, as Kubernetes applies it to names that become DNS labels.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def is_label(text: str) -> bool:
    """Return whether the text is an RFC 1123 label: at most 63 characters of a-z, 0-9 and inner hyphens."""
    return bool(_LABEL.fullmatch(text))


def label_problems(value: Any, field: str) -> list[InputError]:
    """Return what keeps the value from being an RFC 1123 label."""
    if isinstance(value, str) and is_label(value):
        return []
    return [
        InputError(
            "is not an RFC 1123 label",
            field=field,
            found=repr(value),
            remedy="Use at most 63 characters: lower-case letters, digits and hyphens, a letter or digit at both ends",
        )
    ]


def address_problems(value: Any, field: str) -> list[InputError]:
    """Return what keeps the value from being the address of a service, which becomes the name of a Service."""
    problems = label_problems(value, field)
    if not problems and value[0].isdigit():
        problems.append(
            InputError(
                "begins with a digit",
                field=field,
                found=value,
                remedy="Begin with a letter, as Kubernetes and Skupper demand of a Service's name (RFC 1035)",
            )
        )
    return problems


def secret_name_problems(value: Any, field: str) -> list[InputError]:
    """Return what keeps the value from naming a secret of custom mode (design, invariant 3)."""
    problems = label_problems(value, field)
    if not problems and value.startswith(RESERVED_PREFIX):
        problems.append(
            InputError(
                f"begins with {RESERVED_PREFIX}",
                field=field,
                found=value,
                remedy="Choose another name: Skupper v1 deletes such secrets when it unexposes the service",
            )
        )
    if value in (SERVICE_CA, SERVICE_CLIENT):
        problems.append(
            InputError(
                "is a secret that Skupper makes itself",
                field=field,
                found=value,
                remedy="Choose another name, or set tls.mode to generated to use Skupper's own certificates",
            )
        )
    return problems


def is_generated(secret: str) -> bool:
    """Return whether Skupper generates the secret of that name, so that no custom secret may have it."""
    return secret.startswith(RESERVED_PREFIX) or secret in (SERVICE_CA, SERVICE_CLIENT)


def mount_path_problems(value: Any, field: str) -> list[InputError]:
    """Return what keeps the value from being the path of a mount in a container."""
    text = str(value or "")
    parts = text.split("/")
    if text.startswith("/") and len(text) > 1 and ":" not in text and not {"", ".", ".."} & set(parts[1:]):
        return []
    return [
        InputError(
            "is not the path of a mount",
            field=field,
            found=repr(value),
            remedy="Give an absolute path without . and .., without a colon and without a slash at its end",
        )
    ]


def parse_port(value: Any) -> int | None:
    """Return a TCP port from 1 to 65535 given as an integer or as its digits, None for anything else."""
    if isinstance(value, bool):
        return None
    text = str(value).strip()
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        return None
    port = int(text)
    return port if 1 <= port <= 65535 else None


def ownership_labels(network: str) -> dict[str, str]:
    """Return the labels that mark an object as this collection's and the network's."""
    return {MANAGED_BY_LABEL: MANAGED_BY, NETWORK_LABEL: network}
