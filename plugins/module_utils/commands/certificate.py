# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``certificate``: one server certificate in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ..errors import InputError, StoreError, raise_all
from ..plan import UNKNOWN
from ..skupper import names as label_names
from ..stores import records
from ..stores import requests as stored_requests
from ..stores.base import Store, agreed
from ..stores.records import Record
from ..stores.requests import Requests
from ..x509 import certificates, chain, checks, describe, expiry, keys, names, pem, rules
from . import requesting, summaries
from .context import Context, open_store, passphrase
from .sources.base import Source
from .sources.chosen import read_source

KIND = "certificate"


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
    return {"name": params["name"], **agreed(lambda: _once(store, params, context))}


def _once(store: Store, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    record = records.load(store, KIND, params["name"], params["network"])
    if record is not None and params["state"] != "present":
        records.refuse_borrowed(record, params["network"])
    rule = expiry.RenewBefore.parse(params["renew_before"], "renew_before")
    if record is not None and record.network != params["network"]:
        return _borrowed(store, record, params, context, rule)
    requests = stored_requests.load(store, KIND, params["name"], params["network"])
    if params["state"] == "absent":
        return _absent(store, record, requests, context)
    if params["state"] == "request":
        requesting.refuse_other_sources(params.get("source"), _field(params))
        asked = requesting.ask(store, requests, _request(params), params, context)
        return asked.merged({"changed": False, "certificate": None})
    authority = records.load(store, "authority", params["authority"], params["network"])
    making = str(_pending_authority(params).get("name") or params["authority"])
    if authority is None and not (context.check and making == params["authority"]):
        raise StoreError(
            f"the store has no authority {params['authority']}",
            field="authority",
            found=store.describe(),
            remedy="Make it first, by the step issue (skupper_tls_authority) or by the module authority",
        )
    if authority is not None:
        records.refuse_expired(authority, context.now)
    if record is not None and record.key_pem:
        records.load_key(record, passphrase(params))
    networks = records.sharing(record, params["networks"], params["network"])
    if params.get("request_path"):
        planned, warnings, why = _answer(record, authority, requests, params, context)
        if why:
            return _wait(store, requests, why, params, context)
    elif params.get("source"):
        source = read_source(params["source"], _field(params), context)
        planned, warnings = _import(record, authority, requests, source, params, context)
    else:
        planned, warnings = _issue(record, authority, params, context, rule)
    if planned is not None:
        result = _write(store, record, planned, params, context, rule, networks)
        result.update(_predicted(record, planned, authority, params))
        leaf = planned.certificates[0]
    elif record is not None and networks is not None:
        result = _share(store, record, networks, context, rule)
        leaf = record.certificates[0]
    elif record is not None:
        result = _result(False, record.certificates, record, rule)
        leaf = record.certificates[0]
    else:  # there is always a reason to make the first one
        raise StoreError("nothing is planned and nothing is stored", field="name", found=params["name"])
    requests, result = requesting.finish(store, requests, keys.public_bytes(leaf.public_key()), result, context)
    if params.get("request_path") and _due(leaf, rule, context):
        asked = requesting.ask(store, requests, _request(params), params, context)
        warnings = [
            *warnings,
            requesting.waiting(f"the renewal of certificate {params['name']}", "it is due", asked, params, context),
        ]
        result = asked.merged(result)
    revision = authority.revision if authority is not None else 0
    return {**result, "warnings": warnings, "authority": params["authority"], "authority_revision": revision}


def _field(params: Mapping[str, Any]) -> str:
    """Return how messages call the source."""
    return f"certificate {params['name']} source"


def _due(leaf: Any, rule: expiry.RenewBefore, context: Context) -> bool:
    return expiry.is_due(leaf.not_valid_before_utc, leaf.not_valid_after_utc, rule, context.now)


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
    networks: tuple[str, ...] | None,
) -> dict[str, Any]:
    before = _shown(record.certificates[0]) if record is not None else {}
    after = _shown(planned.certificates[0])
    if networks is not None:
        after["networks"] = list(networks)
        before.update({"networks": list(record.networks)} if record is not None else {})
    if context.check:
        if planned.details["source"] == "issued":
            after.update(serial_number=UNKNOWN, sha256=UNKNOWN)
        result = _result(True, planned.certificates, record, rule)
        result["certificate"] = {key: value for key, value in after.items() if key != "networks"}
    else:
        identity = (params["network"], KIND, params["name"])
        key_pem = keys.key_to_pem(planned.key, passphrase(params))
        chain_, details = planned.certificates, planned.details
        saved = records.save(store, record, identity, chain_, key_pem, details, context.now, networks)
        result = _result(True, saved.certificates, saved, rule)
    return {**result, "reason": planned.reason, "diff": {"before": before, "after": after}}


# -- shared between networks


def _share(
    store: Store, record: Record, networks: tuple[str, ...], context: Context, rule: expiry.RenewBefore
) -> dict[str, Any]:
    if not context.check:
        records.share(store, record, networks)
    changed = {"before": {"networks": list(record.networks)}, "after": {"networks": list(networks)}}
    return {**_result(True, record.certificates, record, rule), "reason": records.SHARING, "diff": changed}


def _borrowed(
    store: Store, record: Record, params: Mapping[str, Any], context: Context, rule: expiry.RenewBefore
) -> dict[str, Any]:
    """Return the certificate of another network as it is: only its owner renews it or changes its names.

    Raises:
        StoreError: it is not what this network needs, and only its owner can change that.
    """
    authority = records.authority_of(store, record)
    records.refuse_expired(authority, context.now)
    if record.key_pem:
        records.load_key(record, passphrase(params))
    records.sharing(record, params["networks"], params["network"])
    leaf = record.certificates[0]
    if params.get("source") and not params.get("request_path"):
        source = read_source(params["source"], _field(params), context)
        none = Requests(KIND, record.name, params["network"])
        if _import(record, authority, none, source, params, context)[0] is not None:
            records.refuse_borrowed(record, params["network"])
    wanted = names.expected_names(names.parse_names(params["alternative_names"], "alternative_names"))
    lacking = sorted(wanted - frozenset(names.names_of(leaf)))
    if lacking:
        raise StoreError(
            f"certificate {record.name} of the network {record.network} does not have every name that is needed here",
            field="alternative_names",
            found=f"lacking: {', '.join(lacking)}",
            remedy=f"Add them to tls.certificate.alternative_names in the network {record.network} and issue there, "
            "or choose another server_secret",
        )
    return {
        **_result(False, record.certificates, record, rule),
        "warnings": [],
        "authority": authority.name,
        "authority_revision": authority.revision,
    }


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
    if not _due(leaf, rule, context):
        return ""
    if authority is not None and authority.not_after <= leaf.not_valid_after_utc:
        return ""  # a new one would end with its CA at the same time
    return "due for renewal"


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
    if not _due(leaf, rule, context):
        return []
    until = f"{leaf.not_valid_after_utc:%Y-%m-%d}"
    return [f"certificate {record.name} is due, but its CA ends on {until} as well: plan a CA rollover"]


# -- imported


def _import(
    record: Record | None,
    authority: Record | None,
    requests: Requests,
    source: Source,
    params: Mapping[str, Any],
    context: Context,
) -> tuple[Next | None, list[str]]:
    key, field = source.key, source.field
    if key is None:
        key = requesting.held_key(requests, record, source.certificates, params)
    if key is None:
        raise requesting.unknown_key(requests, source, params, ca=False)
    leaf, others = chain.pick_leaf(source.certificates, key, field)
    # What a Secret's ca.crt holds besides is no concern of this certificate's.
    above = chain.related(leaf, [*others, *source.authorities])[1:]
    others = list(dict.fromkeys([*others, *(cert for cert in source.authorities if cert in above)]))
    anchors, known = _anchors(authority, [leaf, *others], params)
    wanted = names.parse_names(params["alternative_names"], "alternative_names")
    if anchors:
        _refuse_unknown_root(leaf, above, [*anchors, *known], field)
        way = chain.related(leaf, [*others, *known])
        intermediates = chain.order_chain(leaf, [*others, *(cert for cert in known if cert in way)], anchors, field)[1:]
        problems = checks.check_certificate(leaf, intermediates, anchors, key, wanted, context.now, field, source.allow)
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
    return Next([leaf, *intermediates], key, details, reason), []


def _refuse_unknown_root(leaf: Any, above: list[Any], trusted: list[Any], field: str) -> None:
    """Refuse a chain whose own root the authority does not have, nor another way to one that it has."""
    roots = [cert for cert in above if rules.is_self_signed(cert)]
    if not roots or any(cert in trusted for cert in chain.related(leaf, [*above, *trusted])):
        return
    raise InputError(
        f"the certificate {rules.label(leaf)} comes from a CA that is not the authority in the store",
        field=field,
        found=f"its root {rules.label(roots[0])} ({describe.fingerprint(roots[0])}); the authority has "
        + ", ".join(f"{rules.label(cert)} ({describe.fingerprint(cert)})" for cert in trusted),
        remedy="Import that root as an authority, without its key (skupper_tls_authority.source), and under a name of "
        "its own if the store has another CA under this one",
    )


# -- requested from a CA outside


def _answer(
    record: Record | None,
    authority: Record | None,
    requests: Requests,
    params: Mapping[str, Any],
    context: Context,
) -> tuple[Next | None, list[str], str]:
    """Return what to import with its warnings, and, if there is still to wait, why."""
    requesting.refuse_other_sources(params.get("source"), _field(params))
    request = _request(params)
    raise_all(certificates.check_certificate_request(request))
    if not requesting.at_hand(params.get("source"), context):
        held = record is not None and record.details.get("source") == "imported"
        held = held and record is not None and record.details.get("authority") == params["authority"]
        leaf = record.certificates[0] if held and record is not None else None
        return None, [], "there is none yet" if leaf is None else _unfit(leaf, request, context)
    source = read_source(params["source"], _field(params), context)
    key = source.key or requesting.held_key(requests, record, source.certificates, params)
    why = _unfit(chain.pick_leaf(source.certificates, key)[0], request, context) if key is not None else ""
    if why:
        return None, [], why
    return (*_import(record, authority, requests, source, params, context), "")


def _unfit(leaf: Any, request: certificates.CertificateRequest, context: Context) -> str:
    """Return why another certificate must be requested than this one, empty if there is no need."""
    missing = [name for name in request.names if not names.covers(leaf, name)]
    if missing:
        return f"the one at hand does not cover {', '.join(missing)}"
    key_type = keys.key_type_of(leaf.public_key())
    if key_type != request.key_type:
        return f"the one at hand has a key of type {key_type}"
    return "the one at hand has expired" if leaf.not_valid_after_utc <= context.now else ""


def _wait(store: Store, requests: Requests, why: str, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the result of a run that has to wait for the CA."""
    asked = requesting.ask(store, requests, _request(params), params, context)
    waiting = requesting.waiting(f"certificate {params['name']}", why, asked, params, context)
    return asked.merged({"changed": False, "certificate": None, "waiting": waiting})


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


def _absent(store: Store, record: Record | None, requests: Requests, context: Context) -> dict[str, Any]:
    before = {**(_shown(record.certificates[0]) if record is not None else {}), **requesting.shown(requests)}
    if not before:
        return {"changed": False, "certificate": None}
    if record is not None:
        records.refuse_shared(record)
    if not context.check:
        if record is not None:
            store.delete(KIND, record.name, record.stored.token)
        stored_requests.delete(store, requests)
    return {"changed": True, "certificate": None, "diff": {"before": before, "after": {}}}


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
