# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An authority of the store as the CA that the sites sign with, or one intermediate CA below it for each site."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from ..errors import InputError, SkupperTlsError, StoreError, raise_all
from ..plan import UNKNOWN, Pending
from ..skupper.desired import Item, Material, SiteKind, signer_item
from ..skupper.services import Service, Tls, signing
from ..stores import records
from ..stores.base import Store, agreed, every
from ..stores.records import Record
from ..x509 import certificates, describe, expiry, keys, pem, rules
from .context import Context, open_store, passphrase

KIND = "signer"
KEY_TYPE = "rsa-2048"
RENEW_BEFORE = expiry.RenewBefore.parse("1/3", "renew_before")


def record_name(network: str, authority: str, host: str) -> str:
    """Return the store's name for a site's intermediate CA: host names may hold what the store's names may not."""
    text = re.sub(r"[^a-z0-9]+", "-", f"{authority}-{host}".lower()).strip("-")[:50].rstrip("-")
    return f"{text}-{hashlib.sha256(f'{network}/{authority}/{host}'.encode()).hexdigest()[:8]}"


def site_signer(
    services: Iterable[Service], kind: SiteKind, params: Mapping[str, Any], context: Context
) -> Item | None:
    """Return the CA of the store that the site is to sign with, None if it is to sign with its own.

    Raises:
        StoreError: the store does not have it.
        InputError: its key is not RSA.
    """
    pair = signing(services)
    if pair is None or not pair.signer:
        return None
    store = open_store(params, context)
    authority = records.load(store, "authority", pair.signer, params["network"])
    record = authority
    if pair.site_intermediates:
        record = records.load(store, KIND, record_name(params["network"], pair.signer, context.host), params["network"])
    if context.check and context.host in _being_made(params):
        return pending_signer(kind)
    if record is None or authority is None:
        if context.check:
            return pending_signer(kind)
        raise _missing(pair, context, store)
    key = records.load_key(record, passphrase(params))
    raise_all(problem.at(context.host) for problem in _type_problems(keys.key_type_of(key.public_key()), pair.signer))
    chain = list(record.certificates)
    chain += [cert for cert in authority.certificates if cert not in chain]
    anchors = pem.certificates_to_pem(list(authority.anchors))
    return signer_item(Material(pem.certificates_to_pem(chain), keys.key_to_pkcs1(key), anchors), kind)


def _being_made(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return by host the intermediate CAs that this check-mode run would have made in the step issue."""
    said = params.get("signers")
    return (said.get("site_intermediates") or {}) if isinstance(said, Mapping) else {}


def signer_problems(
    services: Iterable[Service], said: Mapping[str, Any], params: Mapping[str, Any], context: Context
) -> list[SkupperTlsError]:
    """Return what keeps the signer that the services name from being the sites' CA, before anything is made.

    Args:
        said: what the module authority said in check mode of the one that the run makes, empty if it makes none.
    """
    pair = signing(services)
    if pair is None or not pair.signer or said.get("failed") or said.get("waiting"):
        return []  # told by itself
    if said.get("name") == pair.signer and said.get("authority"):
        key_type, has_key = str(said["authority"].get("key_type")), bool(said.get("key"))
    else:
        try:
            record = records.load(open_store(params, context), "authority", pair.signer, params["network"])
        except SkupperTlsError as error:
            return [error]
        if record is None:
            return [_not_made(pair.signer)]
        key_type, has_key = keys.key_type_of(record.certificates[0].public_key()), bool(record.key_pem)
    if not has_key:
        return [_without_key(pair.signer)]
    return [] if pair.site_intermediates else [*_type_problems(key_type, pair.signer)]


def _not_made(signer: str) -> InputError:
    return InputError(
        "is no authority of the store, and the run makes none of that name",
        field="services.tls.signer",
        found=signer,
        remedy=f"Set skupper_tls_authority: {{name: {signer}, key_type: rsa-3072}}, or make it by module authority",
    )


def _without_key(signer: str) -> InputError:
    return InputError(
        f"the authority {signer} has no key in the store, so that nobody can sign with it",
        field="services.tls.signer",
        found=signer,
        remedy="Import the key as well, or name another authority",
    )


def pending_signer(kind: SiteKind) -> Item:
    """Return a stand-in for a CA that is still to be made."""
    pending: Any = Pending("to be made by the step issue")
    return signer_item(Material(pending, pending, pending), kind)


def _missing(pair: Tls, context: Context, store: Store) -> StoreError:
    what = f"intermediate CA of authority {pair.signer} for this site" if pair.site_intermediates else "authority"
    return StoreError(
        f"the store has no {what}" + ("" if pair.site_intermediates else f" {pair.signer}"),
        site=context.host,
        field="services.tls.signer",
        found=store.describe(),
        remedy="Run the step issue first; the signer must be the name of skupper_tls_authority, or be made by hand",
    )


def _type_problems(found: str, authority: str) -> list[InputError]:
    """Return what keeps Skupper from signing with a key of that type."""
    if found.startswith("rsa-"):
        return []
    return [
        InputError(
            f"the authority {authority} cannot be the sites' CA: Skupper 2.2.1 signs with RSA keys only",
            field="services.tls.signer",
            found=found,
            remedy="Make or import an authority with an RSA key (skupper_tls_authority.key_type: rsa-3072)",
        )
    ]


# -- one intermediate a site


def make_intermediates(
    store: Store,
    authority: Record | None,
    wanted: Mapping[str, Sequence[str]],
    params: Mapping[str, Any],
    context: Context,
) -> dict[str, Any]:
    """Make the store hold an intermediate CA for each site, and return by site what was made.

    It is made anew when it is due, when its authority is another, or when the site signs for other names; only in
    the last case with the same key, so that what it has signed stays valid.

    Args:
        authority: the CA above; None in check mode, if it is to be made in the same run.
        wanted: by host, the DNS names that its services have there.
    """
    made: dict[str, Any] = {}
    for host, permitted in wanted.items():
        # Another run, or another slice of this job, may be first: then what it made is looked at.
        shown = agreed(partial(_make, store, authority, host, list(permitted), params, context))
        if shown is not None:
            made[host] = shown
    return made


def _make(
    store: Store, authority: Record | None, host: str, permitted: list[str], params: Mapping[str, Any], context: Context
) -> dict[str, Any] | None:
    identity = (params["network"], KIND, record_name(params["network"], params["name"], host))
    record = records.load(store, KIND, identity[2], params["network"])
    if authority is None:
        return {"subject": _subject(host, params), "permitted_names": permitted}
    outdated = record is None or _outdated(record, authority, context)
    if record is not None and not outdated and _permits(record, permitted):
        return None
    key = keys.generate_key(KEY_TYPE) if record is None or outdated else records.load_key(record, passphrase(params))
    made = certificates.build_intermediate(
        certificates.AuthorityRequest(_subject(host, params), KEY_TYPE, params["validity_days"]),
        key.public_key(),
        permitted,
        authority.certificates[0],
        records.load_key(authority, passphrase(params)),
        context.now,
        authority.certificates[1:],
    )
    shown = {**describe.describe(made), "permitted_names": permitted}
    if context.check:
        return {**shown, "serial_number": UNKNOWN, "sha256": UNKNOWN}
    details = {"source": "issued", "site": host, "authority": params["name"]}
    key_pem = keys.key_to_pem(key, passphrase(params))
    records.save(store, record, identity, [made], key_pem, details, context.now)
    return shown


def remove_intermediates(
    store: Store, authority: str, params: Mapping[str, Any], context: Context, hosts: set[str] | None = None
) -> dict[str, Any]:
    """Remove the network's intermediate CAs below an authority, by default of all hosts; return what went by host."""
    gone: dict[str, Any] = {}
    for name, stored in every(store, KIND):
        latest = (stored.document.get("revisions") or [{}])[-1]
        host = str(latest.get("site") or "")
        below = latest.get("authority") == authority and stored.document.get("network") == params["network"]
        if below and (hosts is None or host in hosts):
            gone[host] = None
            if not context.check:
                store.delete(KIND, name, stored.token)
    return gone


def _subject(host: str, params: Mapping[str, Any]) -> str:
    name = f"{host} service CA"
    plain = len(name) <= 64 and re.fullmatch(r"[A-Za-z0-9._ -]+", name)  # RFC 5280 ub-common-name
    return f"CN={name if plain else record_name(params['network'], params['name'], host)}"


def _permits(record: Record, permitted: Sequence[str]) -> bool:
    return sorted(certificates.permitted_names(record.certificates[0])) == sorted(permitted)


def _outdated(record: Record, authority: Record, context: Context) -> bool:
    made = record.certificates[0]
    due = expiry.is_due(made.not_valid_before_utc, made.not_valid_after_utc, RENEW_BEFORE, context.now)
    return not rules.issued_by(made, authority.certificates[0]) or (
        due and authority.not_after > made.not_valid_after_utc
    )
