# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of CA certificates for clients: PEM, and the PKCS#12 trust stores that Java reads. Never a key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from . import pem

if TYPE_CHECKING:
    from cryptography import x509

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization import pkcs12
except ImportError:  # modules must import without it; run.py says what is missing
    pass


class Entry(NamedTuple):
    """A certificate of a bundle, under the name that a trust store shows."""

    name: str
    certificate: x509.Certificate


def to_pem(entries: Iterable[Entry], note: str = "") -> bytes:
    """Return the certificates as PEM, after a line of text that readers of PEM pass over."""
    head = f"# {note}\n".encode() if note else b""
    return head + pem.certificates_to_pem(entry.certificate for entry in entries)


def has_note(data: bytes, note: str) -> bool:
    """Tell whether a PEM file begins with the line of text of :func:`to_pem` and holds no key."""
    return data.startswith(f"# {note}\n".encode()) and b"PRIVATE KEY" not in data


def to_pkcs12(entries: Sequence[Entry], password: str, field: str) -> bytes:
    """Return a PKCS#12 file of which Java takes every entry as trusted. Two of the same entries have other bytes.

    Raises:
        InputError: the library is too old to mark entries as Java wants them.
    """
    serialize = getattr(pkcs12, "serialize_java_truststore", None)
    if serialize is None:
        raise InputError(
            "the installed library cryptography cannot write trust stores for Java",
            field=field,
            found="cryptography without serialize_java_truststore",
            remedy="Install cryptography 45 or later for the Python that runs Ansible, or use format pem",
        )
    named = [pkcs12.PKCS12Certificate(entry.certificate, entry.name.encode("utf-8")) for entry in entries]
    data: bytes = serialize(named, serialization.BestAvailableEncryption(password.encode("utf-8")))
    return data


def read_pkcs12(data: bytes, password: str) -> list[Entry] | None:
    """Return the entries of a PKCS#12 file, None if it cannot be opened or holds anything but certificates."""
    try:
        found = pkcs12.load_pkcs12(data, password.encode("utf-8"))
    except BaseException as error:
        if not pem.is_parse_failure(error):
            raise
        return None
    if found.key is not None or found.cert is not None:
        return None
    return [
        Entry((each.friendly_name or b"").decode("utf-8", "replace"), each.certificate)
        for each in found.additional_certs
    ]
