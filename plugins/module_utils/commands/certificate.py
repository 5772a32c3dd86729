# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``certificate``: one server certificate in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import InputError, StoreConflict, StoreError, raise_all
from ..skupper import names as label_names
from ..stores import records
from ..stores.base import Store
from ..stores.records import Record
from ..x509 import certificates, chain, checks, describe, expiry, keys, names, pem, rules
from . import summaries
from .context import Context, open_store, passphrase
from .sources import read_source

KIND = "certificate"
ATTEMPTS = 5
UNKNOWN = "known after the run"


@dataclass(frozen=True)
class Next:
    """A revision that is to be written: certificate and chain, key, fields of the record, why, and warnings."""

    certificates: list[Any]
    key: Any
    details: Mapping[str, Any]
    reason: str

    def __repr__(self) -> str:
        return f"Next({self.reason!r})"


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the store hold the certificate, or not.

    Raises:
        SkupperTlsError: what is asked for, or what the store holds, is not acceptable. Nothing was written.
    """
    raise_all(label_names.label_problems(params["name"], "name"))
    requested = {name: value for name, value in (params.get("request") or {}).items() if value is not None}
    params = {**params, **requested}
    store = open_store(params, context)
    for attempt in range(ATTEMPTS):
        try:
            return {"name": params["name"], **_once(store, params, context)}
        except StoreConflict:
            # Another run, or another slice of this job, was first: read what it wrote and look again.
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _once(store: Store, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    record = records.load(store, KIND, params["name"], params["network"])
    if params["state"] == "absent":
        return _absent(store, record, params, context)
    authority = records.load(store, "authority", params["authority"], params["network"])
    if authority is None and not context.check:
        raise StoreError(
            f"the store has no authority {params['authority']}",
            field="authority",
            found=store.describe(),
            remedy="Run the step issue, or the module authority, first",
        )
    if authority is not None:
        records.refuse_expired(authority, context.now)
    if record is not None and record.key_pem:
        records.load_key(record, passphrase(params))
    rule = expiry.RenewBefore.parse(params["renew_before"], "renew_before")
    if params.get("source"):
        planned, warnings = _import(record, authority, params, context)
    else:
        planned, warnings = _issue(record, authority, params, context, rule)
    if planned is not None:
        result = _write(store, record, planned, params, context, rule)
    elif record is not None:
        result = _result(False, record.certificates, record, rule)
    else:  # there is always a reason to make the first one
        raise StoreError("nothing is planned and nothing is stored", field="name", found=params["name"])
    if planned is not None:
        result.update(_predicted(record, planned, authority, params))
    revision = authority.revision if authority is not None else 0
    return {**result, "warnings": warnings, "authority": params["authority"], "authority_revision": revision}


def _predicted(
    record: Record | None, planned: Next, authority: Record | None, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the step distribute must know, in check mode, to show what it would write."""
    old = keys.public_bytes(record.certificates[0].public_key()) if record is not None else b""
    new = keys.public_bytes(planned.certificates[0].public_key())
    result: dict[str, Any] = {"another_key": old != new, "pending_ca": []}
    if authority is None:
        anchors = [describe.describe(cert) for cert in _pending_chain(params) if cert.subject == cert.issuer]
        if planned.details["source"] == "issued":
            anchors = [{**anchor, "serial_number": UNKNOWN, "sha256": UNKNOWN} for anchor in anchors]
        result["pending_ca"] = [{key: anchor[key] for key in summaries.SHOWN} for anchor in anchors]
    return result


def _write(
    store: Store,
    record: Record | None,
    planned: Next,
    params: Mapping[str, Any],
    context: Context,
    rule: expiry.RenewBefore,
) -> dict[str, Any]:
    before = _shown(record.certificates[0]) if record is not None else {}
    after = _shown(planned.certificates[0])
    if context.check:
        if planned.details["source"] == "issued":
            after.update(serial_number=UNKNOWN, sha256=UNKNOWN)
        result = _result(True, planned.certificates, record, rule)
        result["certificate"] = after
    else:
        identity = (params["network"], KIND, params["name"])
        key_pem = keys.key_to_pem(planned.key, passphrase(params))
        saved = records.save(store, record, identity, planned.certificates, key_pem, planned.details, context.now)
        result = _result(True, saved.certificates, saved, rule)
    return {**result, "reason": planned.reason, "diff": {"before": before, "after": after}}


# -- issued from the store's authority


def _issue(
    record: Record | None, authority: Record | None, params: Mapping[str, Any], context: Context, rule: Any
) -> tuple[Next | None, list[str]]:
    request = _request(params)
    raise_all(certificates.check_certificate_request(request))
    raise_all(expiry.check_renew_before(rule, request.validity_days, "renew_before"))
    reason = _reason(record, authority, request, context, rule)
    if not reason:
        return None, _warnings(record, authority, rule, context)
    key = keys.generate_key(request.key_type)
    if authority is None:  # check mode, the authority is still to be made: a stand-in shows what it would issue
        _refuse_without_key(params)
        pending = _pending_chain(params)
        issuer, issuer_key = _stand_in(pending, params, context)
        intermediates: tuple[Any, ...] = tuple(cert for cert in pending if cert.subject != cert.issuer)
    else:
        issuer, issuer_key = authority.certificates[0], records.load_key(authority, passphrase(params))
        intermediates = authority.intermediates
    above = authority.certificates[1:] if authority is not None else ()
    leaf = certificates.issue(request, key.public_key(), issuer, issuer_key, context.now, above=above)
    warnings = _clipped(leaf, request, context)
    details = {
        "source": "issued",
        "authority": params["authority"],
        "authority_revision": authority.revision if authority is not None else 1,
    }
    return Next([leaf, *intermediates], key, details, reason), warnings


def _stand_in(pending: list[Any], params: Mapping[str, Any], context: Context) -> tuple[Any, Any]:
    """Return a CA certificate, and its key, that issues what the authority that is still to be made would."""
    subject, days = f"{params['network']} CA", 3650
    if pending:
        subject = names.subject_text(pending[0].subject)
        days = max(1, (min(cert.not_valid_after_utc for cert in pending) - context.now).days)
    key = keys.generate_key("ecdsa-p256")
    request = certificates.AuthorityRequest(subject, validity_days=days)
    return certificates.build_authority(request, key, context.now), key


def _request(params: Mapping[str, Any]) -> certificates.CertificateRequest:
    alternative = names.parse_names(params["alternative_names"], "alternative_names")
    subject = params.get("subject") or next((name for name in alternative if len(name) <= 64), params["name"])
    return certificates.CertificateRequest(
        subject=subject,
        names=alternative,
        key_type=params["key_type"],
        validity_days=params["validity_days"],
        extended_key_usage=tuple(params["extended_key_usage"]),
    )


def _reason(
    record: Record | None,
    authority: Record | None,
    request: certificates.CertificateRequest,
    context: Context,
    rule: expiry.RenewBefore,
) -> str:
    """Return why a new certificate must be issued, empty if the stored one is as asked for and not due."""
    if record is None:
        return "there is none yet"
    leaf = record.certificates[0]
    differing = _differences(leaf, request)
    if differing:
        return "other options: " + ", ".join(differing)
    if record.details.get("source") != "issued":
        return "the stored one was imported"
    if authority is not None and not rules.issued_by(leaf, authority.certificates[0]):
        return "another authority"
    if not expiry.is_due(leaf.not_valid_before_utc, leaf.not_valid_after_utc, rule, context.now):
        return ""
    if authority is not None and not _renewal_helps(leaf, authority):
        return ""
    return "due for renewal"


def _renewal_helps(leaf: Any, authority: Record) -> bool:
    """Return whether a new certificate could last longer; not when its CA ends at the same time."""
    return bool(min(cert.not_valid_after_utc for cert in authority.certificates) > leaf.not_valid_after_utc)


def _differences(leaf: Any, request: certificates.CertificateRequest) -> list[str]:
    differing = []
    if frozenset(names.names_of(leaf)) != names.expected_names(request.names):
        differing.append("alternative_names")
    if names.subject_text(leaf.subject) != names.subject_text(names.parse_subject(request.subject, "subject")):
        differing.append("subject")
    if keys.key_type_of(leaf.public_key()) != request.key_type:
        differing.append("key_type")
    if set(certificates.usages_of(leaf)) != set(request.extended_key_usage):
        differing.append("extended_key_usage")
    return differing


def _clipped(leaf: Any, request: certificates.CertificateRequest, context: Context) -> list[str]:
    asked = context.now + timedelta(days=request.validity_days)
    if leaf.not_valid_after_utc >= asked - timedelta(days=1):
        return []
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
    return [f"the certificate ends with its CA on {until}, before its {request.validity_days} days: plan a CA rollover"]


def _warnings(record: Record | None, authority: Record | None, rule: Any, context: Context) -> list[str]:
    if record is None or authority is None:
        return []
    leaf = record.certificates[0]
    if not expiry.is_due(leaf.not_valid_before_utc, leaf.not_valid_after_utc, rule, context.now):
        return []
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
    return [f"certificate {record.name} is due, but its CA ends on {until} as well: plan a CA rollover"]


# -- imported


def _import(
    record: Record | None, authority: Record | None, params: Mapping[str, Any], context: Context
) -> tuple[Next | None, list[str]]:
    source = read_source(params["source"], context)
    if source.key is None:
        raise InputError(
            "no private key is given",
            field="source",
            remedy="Set source.key_path or source.key_content to the key of the certificate",
        )
    field = "source"
    leaf, others = chain.pick_leaf(source.certificates, source.key, field)
    anchors, known = _anchors(authority, [leaf, *others], params)
    wanted = names.parse_names(params["alternative_names"], "alternative_names")
    if anchors:
        intermediates = chain.order_chain(leaf, [*others, *known], anchors, field)[1:]
        problems = checks.check_certificate(
            leaf, intermediates, anchors, source.key, wanted, context.now, field, source.allow
        )
    else:  # check mode, the authority is generated in the same run: no imported certificate can fit it
        intermediates, problems = [], [_no_anchor(leaf, field)]
    raise_all(problems)
    if record is not None and tuple(record.certificates) == (leaf, *intermediates):
        return None, []
    details = {
        "source": "imported",
        "authority": params["authority"],
        "authority_revision": authority.revision if authority is not None else 1,
    }
    reason = "there is none yet" if record is None else "another certificate is offered"
    return Next([leaf, *intermediates], source.key, details, reason), []


def _anchors(authority: Record | None, offered: list[Any], params: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return the CA certificates to end the chain in, and intermediates that the store knows."""
    if authority is not None:
        return list(authority.anchors), list(authority.intermediates)
    pending = _pending_chain(params)
    known = [cert for cert in pending if cert.subject != cert.issuer]
    issuers = {cert.issuer for cert in [*offered, *known]}
    return [cert for cert in pending if cert.subject == cert.issuer and cert.subject in issuers], known


def _pending_chain(params: Mapping[str, Any]) -> list[Any]:
    """Return the CA and its chain that the module authority would have imported earlier in this check-mode run."""
    bundle = str(_pending_authority(params).get("pending_chain") or "")
    return pem.parse_certificates(bundle.encode("ascii"), "pending") if bundle else []


def _pending_authority(params: Mapping[str, Any]) -> Mapping[str, Any]:
    pending = params.get("pending")
    return pending if isinstance(pending, Mapping) else {}


def _refuse_without_key(params: Mapping[str, Any]) -> None:
    if _pending_chain(params) and not _pending_authority(params).get("key"):
        raise InputError(
            "the CA that is to be imported comes without its key, so it cannot issue a certificate",
            field="skupper_tls_authority.source",
            remedy="Give key_path as well, or import the finished certificate (tls.certificate.source)",
        )


def _no_anchor(leaf: Any, field: str) -> InputError:
    return InputError(
        "the CA of the certificate is not in the store",
        field=field,
        found=f"issued by {names.subject_text(leaf.issuer)}",
        remedy="Import the CA as the authority (skupper_tls_authority.source), its key is not needed",
    )


# -- both


def _absent(store: Store, record: Record | None, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if record is None:
        return {"changed": False, "certificate": None}
    if not context.check:
        store.delete(KIND, record.name, record.stored.token)
    shown = _shown(record.certificates[0])
    return {"changed": True, "certificate": None, "diff": {"before": shown, "after": {}}}


def _shown(certificate: Any) -> dict[str, Any]:
    return describe.describe(certificate)


def _result(changed: bool, chain_: Any, record: Record | None, rule: expiry.RenewBefore) -> dict[str, Any]:
    leaf = chain_[0]
    due = expiry.renewal_time(leaf.not_valid_before_utc, leaf.not_valid_after_utc, rule)
    return {
        "changed": changed,
        "certificate": _shown(leaf),
        "intermediates": [_shown(certificate) for certificate in chain_[1:]],
        "renewal_due": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "revision": record.revision if record is not None else 0,
    }
