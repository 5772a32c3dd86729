# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``authority``: one CA in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import InputError, StoreError, raise_all
from ..plan import UNKNOWN
from ..skupper import checks as numbered
from ..skupper import names as label_names
from ..stores import records
from ..stores import requests as stored_requests
from ..stores.base import Store, agreed, every
from ..stores.records import Record
from ..stores.requests import Requests
from ..x509 import certificates, chain, checks, describe, keys, names, pem, rules
from . import requesting, signers
from .context import Context, issued_results, open_store, passphrase
from .sources.base import Source
from .sources.chosen import read_source

KIND = "authority"


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the store hold the CA, or not.

    Raises:
        SkupperTlsError: what is asked for, or what the store holds, is not acceptable. Nothing was written.
    """
    raise_all(label_names.label_problems(params["name"], "name"))
    raise_all(numbered.network_errors(params.get("networks_of_hosts") or {}))
    store = open_store(params, context)
    # Another run, or another slice of this job, may be first: then its CA is the one.
    result = {"name": params["name"], **agreed(lambda: _once(store, params, context))}
    if params.get("site_intermediates") and params["state"] == "present" and not result.get("waiting"):
        authority = records.load(store, KIND, params["name"], params["network"])
        made = signers.make_intermediates(store, authority, params["site_intermediates"], params, context)
        result.update(changed=bool(result["changed"] or made), site_intermediates=made)
    return result


def _once(store: Store, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    record = records.load(store, KIND, params["name"], params["network"])
    if record is not None and record.network != params["network"]:
        requests = Requests(KIND, params["name"], params["network"])  # the owner's are no concern of a borrower's
    else:
        requests = stored_requests.load(store, KIND, params["name"], params["network"])
    if params["state"] == "absent" and params["site_intermediates"] is not None:
        gone = signers.remove_intermediates(store, params["name"], params, context, set(params["site_intermediates"]))
        return {"changed": bool(gone), "authority": None, "site_intermediates": gone}
    if params["state"] == "absent":
        return _absent(store, record, requests, params, context)
    asking = params["state"] == "request" or bool(params.get("request_path"))
    answered = params["state"] == "present" and requesting.at_hand(params.get("source"), context)
    if asking:
        _refuse_request(record, params)
    if asking and not answered:
        if record is None:
            return _asked(store, requests, params, context)
        params = {**params, "source": None}
    if record is None:
        result, certificate = _new(store, requests, params, context)
    else:
        result, certificate = _existing(store, record, requests, params, context), record.certificates[0]
    public_key = keys.public_bytes(certificate.public_key())
    return requesting.finish(store, requests, public_key, result, context)[1]


def _refuse_request(record: Record | None, params: Mapping[str, Any]) -> None:
    requesting.refuse_other_sources(params.get("source"), _field(params))
    generated = record is not None and record.details.get("source") == "generated"
    if record is not None and (generated or params["state"] == "request"):
        raise InputError(
            f"the store has an authority {record.name} already, so no other one can be requested under that name",
            field="name",
            found=describe.fingerprint(record.certificates[0]),
            remedy="Give the new one another name (skupper_tls_authority.name); every site must trust both at first",
        )


def _asked(store: Store, requests: Requests, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the result of a run that has to wait for the CA above."""
    asked = requesting.ask(store, requests, _request(params), params, context)
    result = {"changed": False, "authority": None, "key": False, "bundle": "", "pending_chain": "", "revision": 0}
    if params["state"] == "present":
        what = f"authority {params['name']}"
        result["waiting"] = requesting.waiting(what, "it is not signed yet", asked, params, context)
    return asked.merged(result)


def _request(params: Mapping[str, Any]) -> certificates.AuthorityRequest:
    subject = params.get("subject") or f"{params['network']} CA"
    below = 1 if params.get("site_intermediates") else 0
    return certificates.AuthorityRequest(subject, params["key_type"], params["validity_days"], path_length=below)


def _field(params: Mapping[str, Any]) -> str:
    """Return how messages call the source."""
    return f"authority {params['name']} source"


def _new(store: Store, requests: Requests, params: Mapping[str, Any], context: Context) -> tuple[dict[str, Any], Any]:
    """Return the result for an authority that was made or imported, and its certificate."""
    if params.get("source"):
        certificates_, key, allow = _offered(None, requests, params, context)
        raise_all(checks.check_authority(certificates_, key, context.now, _field(params), allow))
        origin = "imported"
    else:
        request = _request(params)
        raise_all(certificates.check_authority_request(request))
        key = keys.generate_key(request.key_type)
        certificates_ = [certificates.build_authority(request, key, context.now)]
        origin = "generated"
    key_pem = keys.key_to_pem(key, passphrase(params)) if key is not None else b""
    networks = records.sharing(None, params["networks"], params["network"])
    shown = describe.describe(certificates_[0])
    if context.check:
        if origin == "generated":
            shown.update(serial_number=UNKNOWN, sha256=UNKNOWN)
        bundle = _bundle(tuple(certificates_)) if origin == "imported" else ""
        result = _result(True, shown, bundle, key is not None, None, {}, networks)
        # For the certificates that the same run would issue or import; of a generated one it is a stand-in.
        return {**result, "pending_chain": pem.certificates_to_pem(certificates_).decode("ascii")}, certificates_[0]
    identity = (params["network"], KIND, params["name"])
    details = {"source": origin}
    record = records.save(store, None, identity, certificates_, key_pem, details, context.now, networks)
    result = _result(True, shown, _bundle(record.certificates), key is not None, record, {}, networks)
    return result, certificates_[0]


def _existing(
    store: Store, record: Record, requests: Requests, params: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    shown = describe.describe(record.certificates[0])
    records.refuse_expired(record, context.now)
    if record.key_pem:
        records.load_key(record, passphrase(params))  # a wrong passphrase is found here, before any site is touched
    warnings = []
    key_pem = b""
    if params.get("source"):
        key_pem = _added_key(record, requests, params, context)
    else:
        warnings = _differences(record, params)
    networks = _shared(store, record, params)
    bundle, had_key = _bundle(record.certificates), bool(record.key_pem)
    if not key_pem and networks is None:
        result = _result(False, shown, bundle, had_key, record, before=None)
        return {**result, "warnings": warnings}
    before = {**shown, "key": "present" if had_key else "absent"}
    if networks is not None:
        before["networks"] = list(record.networks)
    if key_pem:
        records.refuse_borrowed(record, params["network"])
    if not context.check and key_pem:
        identity = (params["network"], KIND, params["name"])
        details = {"source": "imported"}
        record = records.save(store, record, identity, record.certificates, key_pem, details, context.now, networks)
    elif not context.check and networks is not None:
        record = records.share(store, record, networks)
    return {**_result(True, shown, bundle, had_key or bool(key_pem), record, before, networks), "warnings": warnings}


def _shared(store: Store, record: Record, params: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the networks that are to use the authority from now on, None where that stays as it is.

    Raises:
        StoreError: a network that is to use it no longer has certificates of it in the store.
    """
    networks = records.sharing(record, params["networks"], params["network"])
    dropped = set(record.networks) - set(networks or record.networks)
    if dropped:
        users = [f"{name} of {network}" for name, network in _users(store, record) if network in dropped]
        if users:
            raise StoreError(
                f"authority {record.name} is still used by a network that is to share it no longer",
                field="networks",
                found=f"certificates {', '.join(users)}",
                remedy="Keep the network, or remove its certificates first (module certificate, state: absent)",
            )
    return networks


def _added_key(record: Record, requests: Requests, params: Mapping[str, Any], context: Context) -> bytes:
    """Return the key to add to an authority imported without one; refuse another CA in the place of this one."""
    imported, key, allow = _offered(record, requests, params, context)
    raise_all(checks.check_authority(imported, key, context.now, _field(params), allow))
    if describe.fingerprint(imported[0]) != describe.fingerprint(record.certificates[0]):
        raise InputError(
            f"the store's authority {record.name} is another CA than the one offered",
            field=_field(params),
            found=f"offered {describe.fingerprint(imported[0])}, stored {describe.fingerprint(record.certificates[0])}",
            remedy="Import it under another name; every site must trust both before one takes the other's place",
        )
    if key is None or record.key_pem:
        return b""
    return keys.key_to_pem(key, passphrase(params))


def _offered(
    record: Record | None, requests: Requests, params: Mapping[str, Any], context: Context
) -> tuple[list[Any], Any, tuple[str, ...]]:
    """Return what is offered: the CA certificate first and then its chain up to a self-signed one, key, allowances."""
    source = _of_ca(read_source(params["source"], _field(params), context))
    key = source.key
    if key is None:
        key = requesting.held_key(requests, record, source.certificates, params)
        if key is None and requests.pending:
            raise requesting.unknown_key(requests, source, params, ca=True)
    return _complete(source, key), key, source.allow


def _of_ca(source: Source) -> Source:
    """Return the source with the CA among its certificates.

    A Secret of a server's certificate has its CA apart. Neither that certificate nor its key is the authority's.
    """
    offered = source.certificates
    if source.key is not None and offered:
        offered = [chain.pick_leaf(offered, source.key, source.field)[0]]
    if not source.authorities or any(rules.is_ca(certificate) for certificate in offered[:1]):
        return replace(source, certificates=[*source.certificates, *source.authorities])
    above = [certificate for certificate in source.certificates if rules.is_ca(certificate)]
    return replace(source, certificates=[*source.authorities, *above], key=None)


def _complete(source: Source, key: Any) -> list[Any]:
    """Return the CA certificate first and then its chain up to a self-signed one.

    Without its root in the secrets no peer could verify anything: OpenSSL wants a self-signed anchor by default.
    """
    everything = list(dict.fromkeys(source.certificates))
    ca, others = everything[0], everything[1:]
    if key is not None:
        ca, others = chain.pick_leaf(everything, key, source.field)
    anchors = [cert for cert in (ca, *others) if cert.subject == cert.issuer]
    if not anchors:
        raise InputError(
            "the root of the CA is missing",
            field=source.field,
            found=f"{names.subject_text(ca.subject)}, issued by {names.subject_text(ca.issuer)}",
            remedy="Add the issuers' certificates up to the self-signed root to the file",
        )
    ordered = [ca] if ca in anchors else chain.order_chain(ca, others, anchors, source.field)
    return ordered + [anchor for anchor in anchors if anchor not in ordered]


def _differences(record: Record, params: Mapping[str, Any]) -> list[str]:
    """Return a warning if the options ask for another CA: a CA is never replaced by a changed option."""
    certificate = record.certificates[0]
    asked: dict[str, tuple[str, str]] = {}
    if params.get("subject"):
        wanted = names.subject_text(names.parse_subject(params["subject"], "subject"))
        asked["subject"] = (wanted, names.subject_text(certificate.subject))
    if record.details.get("source") == "generated":
        asked["key_type"] = (params["key_type"], keys.key_type_of(certificate.public_key()))
    return [
        f"authority {record.name} keeps {option} {found}, though {wanted} is asked for: a CA in use is not replaced"
        for option, (wanted, found) in asked.items()
        if wanted != found
    ]


def _absent(
    store: Store, record: Record | None, requests: Requests, params: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    before = {**(describe.describe(record.certificates[0]) if record is not None else {}), **requesting.shown(requests)}
    if not before:
        return {"changed": False, "authority": None}
    # In check mode, what the same run would have removed before.
    gone = {str(entry.get("name")) for entry in issued_results(params) if context.check and entry.get("changed")}
    _refuse_used(store, record, params["network"], gone)
    if not context.check:
        if record is not None:
            signers.remove_intermediates(store, record.name, params, context)
            store.delete(KIND, record.name, record.stored.token)
        stored_requests.delete(store, requests)
    return {"changed": True, "authority": None, "diff": {"before": before, "after": {}}}


def _refuse_used(store: Store, record: Record | None, network: str, gone: set[str]) -> None:
    if record is None:
        return
    records.refuse_borrowed(record, network)
    records.refuse_shared(record)
    users = [(name, owner) for name, owner in _users(store, record) if name not in gone]
    if users:
        raise StoreError(
            f"authority {record.name} is still used",
            field="name",
            found=f"certificates {', '.join(name for name, dummy in users)}",
            remedy="Remove the certificates first (module certificate, state: absent)",
        )


def _users(store: Store, record: Record) -> list[tuple[str, str]]:
    """Return the certificates of the authority, and other networks' CAs below it, each with its network."""
    found = [
        (name, str(stored.document.get("network")), kind)
        for kind in ("certificate", signers.KIND)
        for name, stored in every(store, kind)
        if any(entry.get("authority") == record.name for entry in stored.document.get("revisions") or [])
    ]
    return [(name, network) for name, network, kind in found if kind == "certificate" or network != record.network]


def _bundle(certificates_: tuple[Any, ...]) -> str:
    anchors = [cert for cert in certificates_ if cert.subject == cert.issuer]
    return pem.certificates_to_pem(anchors).decode("ascii")


def _result(
    changed: bool,
    shown: dict[str, Any],
    bundle: str,
    has_key: bool,
    record: Record | None,
    before: Any,
    networks: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    after: dict[str, Any] = {**shown, "key": "present" if has_key else "absent"}
    if networks is not None:
        after["networks"] = list(networks)
    result: dict[str, Any] = {
        "changed": changed,
        "authority": shown,
        "key": has_key,
        "bundle": bundle,
        "pending_chain": "",
        "revision": record.revision if record is not None else 0,
    }
    if before is not None:
        result["diff"] = {"before": before, "after": after}
    return result
