# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Source: PEM or DER, as files of the control node or as content, which may come from a vault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from ...x509 import keys, pem
from ..context import Context
from .base import Kind, Source, one_of, phrase, read_file


def read(options: Mapping[str, Any], field: str, context: Context) -> Source:
    """Read what is to be imported. A key may stand in the certificate's file (one PEM with both).

    Raises:
        InputError: a file cannot be read, or what it holds is no certificate or key.
    """
    certificate, certificate_field = _read(options, "certificate", field, context)
    key, key_field = _read(options, "key", field, context)
    if certificate is None:
        raise InputError(
            "no certificate is given",
            field=field,
            remedy="Set source.certificate_path or source.certificate_content",
        )
    passphrase = phrase(options, "key_passphrase")
    certificates = pem.parse_certificates(certificate, certificate_field)
    loaded = None
    if key is not None:
        loaded = keys.load_key(key, key_field, passphrase)
    elif b"PRIVATE KEY-----" in certificate:
        loaded = keys.load_key(certificate, certificate_field, passphrase)
    where_key = "Set source.key_path or source.key_content to the key of the certificate"
    return Source(field, certificates, key=loaded, where_key=where_key)


def _read(options: Mapping[str, Any], what: str, field: str, context: Context) -> tuple[bytes | None, str]:
    name, value = one_of(options, what, field)
    where = f"{field}.{name}"
    if value is None:
        return None, where
    content = str(value).encode("utf-8") if name.endswith("content") else read_file(str(value), what, where, context)
    return content, where


PEM = Kind(("certificate_path", "certificate_content", "key_path", "key_content"), read)
