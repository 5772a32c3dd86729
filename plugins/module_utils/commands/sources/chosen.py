# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source the user's options choose. Another kind is a file of its own, a name here and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...errors import InputError
from ..context import Context
from .base import Source
from .pem import PEM
from .pkcs12 import PKCS12
from .secret import SECRET

KINDS = (PEM, PKCS12, SECRET)


def read_source(options: Mapping[str, Any], field: str, context: Context) -> Source:
    """Read what is to be imported.

    Args:
        options: of the option ``source``.
        field: how messages call that option.
        context: the surroundings.

    Raises:
        SkupperTlsError: no source is given, or several, or it cannot be read.
    """
    given = {kind: [name for name in kind.options if options.get(name)] for kind in KINDS}
    chosen = [kind for kind in KINDS if given[kind]]
    if len(chosen) > 1:
        raise InputError(
            "several sources are given, so it is not clear which one is meant",
            field=field,
            found=", ".join(name for kind in chosen for name in given[kind]),
            remedy="Keep one: certificate and key, a PKCS#12 file, or a Secret",
        )
    if not chosen:
        raise InputError(
            "no certificate is given",
            field=field,
            remedy=f"Set one of {', '.join(f'source.{kind.options[0]}' for kind in KINDS)}",
        )
    return replace(chosen[0].read(options, field, context), allow=tuple(options.get("allow") or ()))
