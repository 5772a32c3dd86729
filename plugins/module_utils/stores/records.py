# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of the store: an authority or a certificate, with every revision that was issued.

A record is a JSON document::

    {"format": 1, "network": "shop", "networks": ["billing"],
     "kind": "certificate", "name": "server-cert-secret", "revision": 2,
     "revisions": [{"number": 1, ...}, {"number": 2, "created": "2026-11-24T08:00:00Z", "source": "issued",
                    "certificates": "<PEM>", "key": "<PEM, encrypted if there is a passphrase>", ...}]}

``network`` owns it; ``networks`` are others that may use it and never change it. Most records have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..errors import InputError, StoreError, raise_all
from ..skupper import names
from ..skupper.desired import Material
from ..x509 import keys, pem
from .base import Store, Stored

FORMAT = 1
SHARING = "the networks that share it"
"""Why a record is changed that keeps its revision."""


@dataclass(frozen=True)
class Record:
    """A record's current revision.

    Attributes:
        revision: its number, counted from 1.
        certificates: the certificate first, then what it is sent or checked with.
        key_pem: the private key, encrypted if the store has a passphrase; empty if there is none.
        details: the other fields of the revision.
        stored: the whole record with its token.
    """

    kind: str
    name: str
    revision: int
    certificates: tuple[Any, ...]
    key_pem: bytes
    details: Mapping[str, Any]
    stored: Stored

    def __repr__(self) -> str:
        return f"Record({self.kind!r}, {self.name!r}, revision={self.revision})"

    @property
    def network(self) -> str:
        """The network that owns the record."""
        return str(self.stored.document["network"])

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that may use the record, its owner first."""
        return self.network, *self.stored.document.get("networks", ())

    @property
    def not_after(self) -> datetime:
        """When it ends: with the first of its certificates that does."""
        ends: list[datetime] = [certificate.not_valid_after_utc for certificate in self.certificates]
        return min(ends)

    @property
    def anchors(self) -> tuple[Any, ...]:
        """Of an authority: the certificates that peers must trust (self-signed)."""
        return tuple(cert for cert in self.certificates if cert.subject == cert.issuer)

    @property
    def intermediates(self) -> tuple[Any, ...]:
        """Of an authority: the CA certificates that a leaf must be sent with, the issuer first."""
        return tuple(cert for cert in self.certificates if cert.subject != cert.issuer)


def load(store: Store, kind: str, name: str, network: str) -> Record | None:
    """Return a record, None if there is none.

    Raises:
        StoreError: the record is another network's, of an unknown format, or damaged.
    """
    stored = read(store, kind, name, network)
    if stored is None:
        return None
    document = stored.document
    try:
        current = next(entry for entry in document["revisions"] if entry["number"] == document["revision"])
        certificates = tuple(pem.parse_certificates(current["certificates"].encode("ascii"), "store"))
        key_pem = str(current.get("key") or "").encode("ascii")
    except (KeyError, TypeError, StopIteration, ValueError, AttributeError, InputError):
        raise damaged(store, kind, name, "its current revision cannot be read") from None
    return Record(kind, name, int(document["revision"]), certificates, key_pem, current, stored)


def read(store: Store, kind: str, name: str, network: str) -> Stored | None:
    """Return a record of any kind as it stands there, None if there is none.

    Raises:
        StoreError: the record is another network's, or of an unknown format.
    """
    stored = store.read(kind, name)
    if stored is None:
        return None
    document = stored.document
    owner = document.get("network")
    if network not in (owner, *(document.get("networks") or ())):
        raise StoreError(
            f"the store's {kind} {name} belongs to another network",
            field="store",
            found=f"network {owner!r} in {store.describe()}",
            remedy=f"Choose another name, let the network {owner} share it (its option networks), set "
            f"skupper_tls_network to that name, or give the network {network} a store of its own",
        )
    if document.get("format") != FORMAT:
        raise damaged(store, kind, name, f"format {document.get('format')!r}")
    return stored


def load_key(record: Record, passphrase: bytes | None) -> Any:
    """Return the record's private key.

    Raises:
        StoreError: the passphrase is wrong or missing, or the record has no key.
    """
    if not record.key_pem:
        raise StoreError(
            f"the store has no private key of {record.kind} {record.name}",
            field="store",
            remedy="Import the key as well, or import finished certificates (source) instead of issuing them",
        )
    return open_key(record.key_pem, f"{record.kind} {record.name}", passphrase)


def open_key(key_pem: bytes, what: str, passphrase: bytes | None) -> Any:
    """Return a private key of the store; ``what`` it belongs to, for messages.

    Raises:
        StoreError: the passphrase is wrong or missing, or the key is damaged.
    """
    encrypted = b"ENCRYPTED" in key_pem.splitlines()[0]
    if encrypted and not passphrase:
        raise StoreError(
            "the store's keys are encrypted and no passphrase is given",
            field="store.passphrase",
            found=what,
            remedy="Set the passphrase that the store was made with, from a vault",
        )
    try:
        return keys.load_key(key_pem, "store.passphrase", passphrase if encrypted else None)
    except InputError:
        pass
    if encrypted:
        raise StoreError(
            "the store's passphrase is wrong",
            field="store.passphrase",
            found=f"the key of {what} cannot be decrypted",
            remedy="Set the passphrase that the store was made with",
        )
    raise StoreError(
        "a key of the store is damaged", field="store", found=what, remedy="Restore the store from a backup"
    )


def save(
    store: Store,
    record: Record | None,
    identity: tuple[str, str, str],
    certificates: tuple[Any, ...] | list[Any],
    key_pem: bytes,
    details: Mapping[str, Any],
    now: datetime,
    networks: tuple[str, ...] | None = None,
) -> Record:
    """Write a new revision and make it the current one.

    Args:
        record: the record as it was read, None to create it.
        identity: network, kind and name.
        key_pem: as it is to be stored: encrypted already where the store has a passphrase.
        details: further fields of the revision.
        networks: the networks that may use it, None to leave that as it is.

    Raises:
        StoreConflict: another run was first.
        StoreError: the record is another network's.
    """
    network, kind, name = identity
    number = 1
    earlier: list[Any] = []
    if record is not None:
        refuse_borrowed(record, network)
        earlier = list(record.stored.document["revisions"])
        number = max(int(entry["number"]) for entry in earlier) + 1
    revision = {
        **details,
        "number": number,
        "created": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "certificates": pem.certificates_to_pem(list(certificates)).decode("ascii"),
        "key": key_pem.decode("ascii"),
    }
    if networks is None:
        networks = record.networks if record is not None else (network,)
    document = {
        "format": FORMAT,
        "network": network,
        "kind": kind,
        "name": name,
        "revision": number,
        "revisions": [*earlier, revision],
    }
    document.update(_others(networks))
    if record is None:
        stored = store.create(kind, name, document)
    else:
        stored = store.update(kind, name, document, record.stored.token)
    return Record(kind, name, number, tuple(certificates), key_pem, revision, stored)


def share(store: Store, record: Record, networks: tuple[str, ...]) -> Record:
    """Write down which networks may use a record, and nothing else.

    Raises:
        StoreConflict: another run was first.
    """
    document = {key: value for key, value in record.stored.document.items() if key != "networks"}
    stored = store.update(record.kind, record.name, {**document, **_others(networks)}, record.stored.token)
    return replace(record, stored=stored)


def _others(networks: tuple[str, ...]) -> dict[str, Any]:
    return {"networks": list(networks[1:])} if networks[1:] else {}


def sharing(record: Record | None, wanted: Sequence[str] | None, network: str) -> tuple[str, ...] | None:
    """Return the networks that are to use a record, its owner first; None where that stays as it is.

    Args:
        record: None for one that is still to be made.
        wanted: what the user gives as networks, in any order and with or without the owner; None if nothing is given.
        network: the network at hand.

    Raises:
        InputError: a name is not a network's.
        StoreError: the record is another network's, which alone may say who shares it.
    """
    if wanted is None:
        return None
    raise_all(problem for name in wanted for problem in names.label_problems(name, "networks"))
    owner = record.network if record is not None else network
    asked = (owner, *sorted({*wanted} - {owner}))
    current = record.networks if record is not None else (owner,)
    if asked == current:
        return None
    if record is not None:
        refuse_borrowed(record, network)
    return asked


def refuse_shared(record: Record) -> None:
    """Refuse to remove a record that other networks may use.

    Raises:
        StoreError: there are some.
    """
    others = record.networks[1:]
    if others:
        raise StoreError(
            f"{record.kind} {record.name} is shared with other networks, so it is not removed",
            field="networks",
            found=", ".join(others),
            remedy="Take them from the list first (networks: []), when none of them uses it any more",
        )


def refuse_borrowed(record: Record, network: str) -> None:
    """Refuse to change a record of another network, which shares it.

    Raises:
        StoreError: it is.
    """
    if record.network != network:
        raise StoreError(
            f"{record.kind} {record.name} belongs to the network {record.network}, which shares it",
            field="store",
            found=f"network {network}",
            remedy=f"Change it in a run of the network {record.network}, or choose another name",
        )


@dataclass(frozen=True)
class Issued:
    """What a pair of secrets is made from, and the revisions of the certificate and of its authority."""

    material: Material
    revisions: tuple[int, int]


def issued(store: Store, name: str, network: str, passphrase: bytes | None) -> Issued | None:
    """Return what the store has for the pair of secrets of a certificate, None if there is no such certificate."""
    certificate = load(store, "certificate", name, network)
    if certificate is None:
        return None
    authority = authority_of(store, certificate)
    key = load_key(certificate, passphrase)
    material = Material(
        tls_crt=pem.certificates_to_pem(list(certificate.certificates)),
        tls_key=keys.key_to_pem(key),
        ca_crt=pem.certificates_to_pem(list(authority.anchors)),
    )
    return Issued(material, (certificate.revision, authority.revision))


def authority_of(store: Store, certificate: Record) -> Record:
    """Return the authority that a certificate was issued from or checked against: one that its owner may use."""
    name = str(certificate.details.get("authority") or "")
    authority = load(store, "authority", name, certificate.network)
    if authority is None:
        raise StoreError(
            f"the store has certificate {certificate.name} but not its authority {name}",
            field="store",
            found=store.describe(),
            remedy="Restore the authority from a backup, or remove the certificate and issue again",
        )
    return authority


def refuse_expired(authority: Record, now: datetime) -> None:
    """Refuse an authority that has expired.

    Raises:
        StoreError: it has.
    """
    until = authority.certificates[0].not_valid_after_utc
    if until <= now:
        raise StoreError(
            f"the CA of authority {authority.name} has expired",
            field="authority",
            found=f"not after {until:%Y-%m-%dT%H:%M:%SZ}",
            remedy="Use a new authority (another name) and issue again; every site must get its bundle first",
        )


def damaged(store: Store, kind: str, name: str, found: str) -> StoreError:
    """Return the error for a record that cannot be read."""
    return StoreError(
        f"the store's record of {kind} {name} is damaged",
        field="store",
        found=f"{found}, in {store.describe()}",
        remedy="Restore it from a backup, or remove it to have it made anew",
    )
