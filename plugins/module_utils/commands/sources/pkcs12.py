# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Source: a PKCS#12 file of the control node, or its content as base64."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from ...x509 import pkcs12
from ..context import Context
from .base import Kind, Source, one_of, phrase, read_file


def read(options: Mapping[str, Any], field: str, context: Context) -> Source:
    """Read what is to be imported.

    Raises:
        InputError: the file cannot be read or opened, or the entry that is meant is not there.
    """
    name, value = one_of(options, "pkcs12", field)
    where = f"{field}.{name}"
    data = _decoded(str(value), where) if name.endswith("content") else read_file(str(value), "PKCS#12", where, context)
    return opened(data, options, field, where)


def opened(data: bytes, options: Mapping[str, Any], field: str, where: str) -> Source:
    """Return what a PKCS#12 file offers, by ``pkcs12_passphrase`` and ``friendly_name`` of the options."""
    passphrase, name = phrase(options, "pkcs12_passphrase"), str(options.get("friendly_name") or "")
    certificates, key = pkcs12.load_pkcs12(data, where, passphrase, name)
    where_key = "Export the file with its key: openssl pkcs12 -export -in CERTIFICATES -inkey KEY -out FILE"
    return Source(field, certificates, key=key, where_key=where_key)


def _decoded(text: str, where: str) -> bytes:
    if "-----BEGIN" in text:
        return text.encode("utf-8")  # PEM by mistake, of which load_pkcs12 says what to do
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise InputError(
        "the content is not base64", field=where, remedy="Give what base64 -w0 FILE prints, or the file as pkcs12_path"
    )


PKCS12 = Kind(("pkcs12_path", "pkcs12_content"), read)
