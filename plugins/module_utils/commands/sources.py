# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an imported certificate and key come from: files of the control node, or content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..x509 import keys, pem
from .context import Context


@dataclass(frozen=True)
class Source:
    """What the user offers for import.

    Attributes:
        certificates: the certificates of the certificate option, then those in the key option's file, if any.
        key: the private key, None if none is offered.
        allow: the weaknesses that the user accepts by name.
    """

    certificates: list[Any]
    key: Any = field(default=None, repr=False)
    allow: tuple[str, ...] = ()


def read_source(options: Mapping[str, Any], context: Context) -> Source:
    """Read what is to be imported. A key may stand in the certificate's file (one PEM with both).

    Raises:
        InputError: a file cannot be read, or what it holds is no certificate or key.
    """
    certificate, certificate_field = _read(options, "certificate", context)
    key, key_field = _read(options, "key", context)
    if certificate is None:
        raise InputError(
            "no certificate is given",
            field="source",
            remedy="Set source.certificate_path or source.certificate_content",
        )
    phrase = options.get("key_passphrase")
    passphrase = phrase.encode("utf-8") if phrase else None
    certificates = pem.parse_certificates(certificate, certificate_field)
    loaded = None
    if key is not None:
        loaded = keys.load_key(key, key_field, passphrase)
    elif b"PRIVATE KEY-----" in certificate:
        loaded = keys.load_key(certificate, certificate_field, passphrase)
    return Source(certificates, loaded, tuple(options.get("allow") or ()))


def _read(options: Mapping[str, Any], what: str, context: Context) -> tuple[bytes | None, str]:
    path, content = options.get(f"{what}_path"), options.get(f"{what}_content")
    if path and content:
        raise InputError(f"source has both {what}_path and {what}_content", field="source", remedy="Keep one of them")
    if content:
        return str(content).encode("utf-8"), f"source.{what}_content"
    if not path:
        return None, f"source.{what}_path"
    file = context.path(str(path))
    try:
        return file.read_bytes(), f"source.{what}_path"
    except OSError as error:
        raise InputError(
            f"the {what} file cannot be read",
            field=f"source.{what}_path",
            found=f"{file}: {error.strerror}",
            remedy="Give the path of a file on the control node that the user running Ansible may read",
        ) from None
