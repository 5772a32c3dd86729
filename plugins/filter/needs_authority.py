# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter: whether the services of a network need an authority in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import sound_services


def needs_authority(services: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether one of the services has a certificate from the store, or a signer there."""
    parsed, problems = sound_services(services)
    return bool(problems) or not parsed or any(not item.tls.generated or item.tls.signer for item in parsed)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"needs_authority": needs_authority}
