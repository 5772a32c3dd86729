# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``authority``: one CA in the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError, StoreConflict, StoreError, raise_all
from ..skupper import names as label_names
from ..stores import records
from ..stores.base import Store
from ..stores.records import Record
from ..x509 import certificates, chain, checks, describe, keys, names, pem
from . import signers
from .context import Context, open_store, passphrase
from .sources import Source, read_source

KIND = "authority"


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the store hold the CA, or not.

    Raises:
        SkupperTlsError: what is asked for, or what the store holds, is not acceptable. Nothing was written.
    """
    raise_all(label_names.label_problems(params["name"], "name"))
    result = {"name": params["name"], **_run(params, context)}
    if params.get("site_intermediates") and params["state"] != "absent":
        made = _site_intermediates(params, context)
        result.update(changed=bool(result["changed"] or made), site_intermediates=made)
    return result


def _site_intermediates(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    store = open_store(params, context)
    authority = records.load(store, KIND, params["name"], params["network"])
    return signers.make_intermediates(store, authority, params["site_intermediates"], params, context)


def _run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    store = open_store(params, context)
    record = records.load(store, KIND, params["name"], params["network"])
    if params["state"] == "absent":
        return _absent(store, record, params, context)
    if record is not None:
        return _existing(store, record, params, context)
    try:
        return _new(store, params, context)
    except StoreConflict:
        # Another run, or another slice of this job, was first: its CA is the one.
        record = records.load(store, KIND, params["name"], params["network"])
        if record is None:
            raise
        return _existing(store, record, params, context)


def _new(store: Store, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if params.get("source"):
        source = read_source(params["source"], context)
        certificates_, key = _checked_import(source, context), source.key
        origin = "imported"
    else:
        request = certificates.AuthorityRequest(
            params.get("subject") or f"{params['network']} CA", params["key_type"], params["validity_days"]
        )
        raise_all(certificates.check_authority_request(request))
        key = keys.generate_key(request.key_type)
        certificates_ = [certificates.build_authority(request, key, context.now)]
        origin = "generated"
    key_pem = keys.key_to_pem(key, passphrase(params)) if key is not None else b""
    shown = describe.describe(certificates_[0])
    if context.check:
        if origin == "generated":
            shown.update(_UNKNOWN)
        bundle = _bundle(tuple(certificates_)) if origin == "imported" else ""
        result = _result(True, shown, bundle, key is not None, None, before={})
        # For the certificates that the same run would issue or import; of a generated one it is a stand-in.
        return {**result, "pending_chain": pem.certificates_to_pem(list(certificates_)).decode("ascii")}
    identity = (params["network"], KIND, params["name"])
    record = records.save(store, None, identity, certificates_, key_pem, {"source": origin}, context.now)
    return _result(True, shown, _bundle(record.certificates), bool(record.key_pem), record, before={})


_UNKNOWN = {"serial_number": "known after the run", "sha256": "known after the run"}


def _existing(store: Store, record: Record, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    shown = describe.describe(record.certificates[0])
    records.refuse_expired(record, context.now)
    if record.key_pem:
        records.load_key(record, passphrase(params))  # a wrong passphrase is found here, before any site is touched
    warnings = []
    key_pem = b""
    if params.get("source"):
        key_pem = _added_key(record, params, context)
    else:
        warnings = _differences(record, params)
    if not key_pem:
        result = _result(False, shown, _bundle(record.certificates), bool(record.key_pem), record, before=None)
        return {**result, "warnings": warnings}
    if not context.check:
        identity = (params["network"], KIND, params["name"])
        details = {"source": "imported"}
        record = records.save(store, record, identity, record.certificates, key_pem, details, context.now)
    return _result(True, shown, _bundle(record.certificates), True, record, before={**shown, "key": "absent"})


def _added_key(record: Record, params: Mapping[str, Any], context: Context) -> bytes:
    """Return the key to add to an authority imported without one; refuse another CA in the place of this one."""
    source = read_source(params["source"], context)
    imported = _checked_import(source, context)
    if describe.fingerprint(imported[0]) != describe.fingerprint(record.certificates[0]):
        raise InputError(
            f"the store's authority {record.name} is another CA than the one offered",
            field="source",
            found=f"offered {describe.fingerprint(imported[0])}, stored {describe.fingerprint(record.certificates[0])}",
            remedy="Import it under another name; every site must trust both before one takes the other's place",
        )
    if source.key is None or record.key_pem:
        return b""
    return keys.key_to_pem(source.key, passphrase(params))


def _checked_import(source: Source, context: Context) -> list[Any]:
    """Return the CA certificate first and then its chain up to a self-signed one.

    Without its root in the secrets no peer could verify anything: OpenSSL wants a self-signed anchor by default.
    """
    ca, others = source.certificates[0], source.certificates[1:]
    if source.key is not None:
        ca, others = chain.pick_leaf(source.certificates, source.key, "source")
    anchors = [cert for cert in (ca, *others) if cert.subject == cert.issuer]
    if not anchors:
        raise InputError(
            "the root of the CA is missing",
            field="source",
            found=f"{names.subject_text(ca.subject)}, issued by {names.subject_text(ca.issuer)}",
            remedy="Add the issuers' certificates up to the self-signed root to the file",
        )
    ordered = [ca] if ca in anchors else chain.order_chain(ca, others, anchors, "source")
    complete = ordered + [anchor for anchor in anchors if anchor not in ordered]
    raise_all(checks.check_authority(complete, source.key, context.now, "source", source.allow))
    return complete


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


def _absent(store: Store, record: Record | None, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if record is None:
        return {"changed": False, "authority": None}
    users = [
        name
        for name in store.names("certificate")
        if (stored := store.read("certificate", name)) is not None
        and any(entry.get("authority") == record.name for entry in stored.document.get("revisions") or [])
    ]
    if users:
        raise StoreError(
            f"authority {record.name} is still used",
            field="name",
            found=f"certificates {', '.join(users)}",
            remedy="Remove the certificates first (module certificate, state: absent)",
        )
    if not context.check:
        signers.remove_intermediates(store, record.name)
        store.delete(KIND, record.name, record.stored.token)
    shown = describe.describe(record.certificates[0])
    return {"changed": True, "authority": None, "diff": {"before": shown, "after": {}}}


def _bundle(certificates_: tuple[Any, ...]) -> str:
    anchors = [cert for cert in certificates_ if cert.subject == cert.issuer]
    return pem.certificates_to_pem(anchors).decode("ascii")


def _result(
    changed: bool, shown: dict[str, Any], bundle: str, has_key: bool, record: Record | None, before: Any
) -> dict[str, Any]:
    after = {**shown, "key": "present" if has_key else "absent"}
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
