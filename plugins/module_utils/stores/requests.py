# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pending requests of the store: keys whose signing requests a CA outside has still to answer.

There is one record for all requests of an authority or a certificate, of a kind of its own. Each request stays until
its certificate has arrived, whatever is asked for meanwhile: a CA may have it on its desk::

    {"format": 1, "network": "shop", "kind": "certificate-request", "name": "server-cert-secret",
     "pending": [{"created": "2026-11-24T08:00:00Z", "request": "<PEM>", "key": "<PEM, encrypted if ...>"}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..x509 import keys
from . import records
from .base import Store, Stored

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
except ImportError:  # modules must import without it; run.py says what is missing
    pass


@dataclass(frozen=True)
class Pending:
    """One request that is not answered yet."""

    request: Any
    key_pem: bytes = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """The public key that is to be certified."""
        return keys.public_bytes(self.request.public_key())


@dataclass(frozen=True)
class Requests:
    """The requests of an authority or a certificate, the oldest first. ``stored`` is None where there is no record."""

    kind: str
    name: str
    network: str
    pending: tuple[Pending, ...] = ()
    stored: Stored | None = field(default=None, repr=False)

    def of(self, public_key: bytes) -> Pending | None:
        """Return the request for a public key."""
        return next((one for one in self.pending if one.public_key == public_key), None)


def load(store: Store, kind: str, name: str, network: str) -> Requests:
    """Return the pending requests of an authority or certificate.

    Raises:
        StoreError: the record is another network's, of an unknown format, or damaged.
    """
    return _load(store, f"{kind}-request", name, network)


def reload(store: Store, requests: Requests) -> Requests:
    """Return the requests as they are now."""
    return _load(store, requests.kind, requests.name, requests.network)


def _load(store: Store, kind: str, name: str, network: str) -> Requests:
    stored = records.read(store, kind, name, network)
    if stored is None:
        return Requests(kind, name, network)
    try:
        pending = tuple(_pending(entry) for entry in stored.document["pending"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise records.damaged(store, kind, name, "its requests cannot be read") from None
    return Requests(kind, name, network, pending, stored)


def add(store: Store, requests: Requests, request: Any, key_pem: bytes, now: datetime) -> None:
    """Add a request with its key, which is encrypted already where the store has a passphrase.

    Raises:
        StoreConflict: another run was first.
    """
    document = {
        "created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "request": request_to_pem(request),
        "key": key_pem.decode("ascii"),
    }
    _write(store, requests, (*requests.pending, Pending(request, key_pem, document)))


def drop(store: Store, requests: Requests, public_key: bytes) -> None:
    """Remove the request for a public key, whose certificate has arrived.

    Raises:
        StoreConflict: another run was first.
    """
    left = tuple(one for one in requests.pending if one.public_key != public_key)
    if left:
        _write(store, requests, left)
    else:
        delete(store, requests)


def delete(store: Store, requests: Requests) -> None:
    """Remove all requests with their keys.

    Raises:
        StoreConflict: another run was first.
    """
    if requests.stored is not None:
        store.delete(requests.kind, requests.name, requests.stored.token)


def request_to_pem(request: Any) -> str:
    """Return a signing request as PEM, which ends with a newline."""
    text: bytes = request.public_bytes(serialization.Encoding.PEM)
    return text.decode("ascii")


def _pending(entry: Mapping[str, Any]) -> Pending:
    request = x509.load_pem_x509_csr(entry["request"].encode("ascii"))
    return Pending(request, entry["key"].encode("ascii"), entry)


def _write(store: Store, requests: Requests, pending: tuple[Pending, ...]) -> None:
    document = {
        "format": records.FORMAT,
        "network": requests.network,
        "kind": requests.kind,
        "name": requests.name,
        "pending": [one.document for one in pending],
    }
    if requests.stored is None:
        store.create(requests.kind, requests.name, document)
    else:
        store.update(requests.kind, requests.name, document, requests.stored.token)
