# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back, across all sites: what goes, which sites are left out, what goes from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import SkupperTlsError
from ..skupper import checks
from ..skupper.checks import ERROR, WARNING, Finding
from ..skupper.removal import OPTION, ORPHANS, SERVICES, Scope, offers, parse_scope
from ..skupper.services import DEFAULT_AUTHORITY, Service, secret_pairs
from ..stores.base import Store, every
from .context import Context, open_store
from .signers import KIND as SIGNER

STEPS = ("removal", "unexposed", "removed")
HEADERS = {
    "removal": ("SITE", "VERSION", "NAMESPACE", "EXPOSED", "SECRETS", "STAYS", "STATE"),
    "unexposed": ("SITE", "VERSION", "NAMESPACE", "STATE"),
    "removed": ("SITE", "VERSION", "REMOVED", "STAYS", "STATE"),
}
AFTERMATH = {
    "removal": "nothing was removed anywhere",
    "unexposed": "no secret was removed anywhere; run again after mending it",
    "removed": "nothing was removed from the store; run again after mending it",
}

NOTHING: Mapping[str, Any] = {"certificates": [], "authorities": [], "signers": {}}
"""Of the store, what goes if nothing does."""

Sites = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Records:
    """What the store holds of the network, and nobody else may use.

    Attributes:
        certificates: with the authorities of their revisions.
        authorities: their names.
        used: the authorities that others use, or certificates that others use.
        signers: by authority, the sites that have an intermediate CA below it.
    """

    certificates: Mapping[str, frozenset[str]]
    authorities: frozenset[str]
    used: frozenset[str] = frozenset()
    signers: Mapping[str, frozenset[str]] = field(default_factory=dict)


def look(
    sites: Sites, services: list[Service], params: Mapping[str, Any], context: Context, findings: list[Finding]
) -> tuple[dict[str, Any], list[str]]:
    """Return what is to be removed, for the steps after it, and what the table says of the store.

    Args:
        findings: what the sites found, completed here; a site that may be left out is only warned of.
    """
    left_out = _left_out(findings, params["remove_skip_unreachable"])
    told: dict[str, Any] = {
        "remove": params.get("remove") or "",
        "addresses": [],
        "left_out": left_out,
        "store": NOTHING,
    }
    try:
        scope = parse_scope(params.get("remove"), services)
    except SkupperTlsError as error:
        findings += checks.from_error(error, "", "TLS801")
        return told, []
    said = {host: result.get("removal") or {} for host, result in sites.items()}
    if not scope.what:
        findings.append(_not_said(said, services))
        return told, []
    held = {address for site in said.values() for address in site.get("held") or []}
    found = {address for site in said.values() for address in site.get("addresses") or []}
    told["addresses"] = sorted((scope.addresses | found) - held)
    if left_out and len(left_out) == len(sites):
        findings.append(Finding("TLS101", ERROR, "", "", "no site is reached", "", "Run again when the sites are"))
    told["store"], lines = _store(scope, said, left_out, params, context, findings)
    return told, lines


def _left_out(findings: list[Finding], skip: bool) -> list[str]:
    """Return the sites that were not reached and are to be left out, and turn their errors into warnings."""
    missed = sorted({entry.site for entry in findings if entry.check == "TLS101"})
    remedy = "What stands there is left: run again when it is reached" if skip else (
        "Run again when it is; skupper_tls_remove_skip_unreachable: true leaves it out"
    )  # fmt: skip
    severity = WARNING if skip else ERROR
    findings[:] = [
        replace(entry, severity=severity, remedy=remedy) if entry.check == "TLS101" else entry for entry in findings
    ]
    return missed if skip else []


def _not_said(said: Mapping[str, Mapping[str, Any]], services: list[Service]) -> Finding:
    orphans = sorted({name for site in said.values() for name in site.get("orphans") or []})
    found = f"orphans: {', '.join(orphans)}" if orphans else "no orphans"
    return Finding("TLS801", ERROR, "", OPTION, "it is not said what to remove", found, f"Set it to {offers(services)}")


def _store(
    scope: Scope,
    said: Mapping[str, Mapping[str, Any]],
    left_out: list[str],
    params: Mapping[str, Any],
    context: Context,
    findings: list[Finding],
) -> tuple[Mapping[str, Any], list[str]]:
    wanted = params["remove_store"]
    if not params.get("store") and not wanted:
        return NOTHING, []
    try:
        records = read_records(open_store(params, context), params["network"])
    except SkupperTlsError as error:
        found = checks.from_error(error, "", "TLS701")
        findings += found if wanted else _as_warnings(found)
        return NOTHING, []
    served = {name for site in said.values() for name in site.get("served") or []}
    leaving = _leaving(scope, records, served, params, context)
    names = ", ".join(_names(*leaving))
    if not names:
        return NOTHING, []
    if not wanted:
        return NOTHING, [f"the store keeps {names}; skupper_tls_remove_store: true removes them as well"]
    if left_out or params["limited"]:
        why = f"{', '.join(left_out)} may still hold them" if left_out else "this run is limited to some of the sites"
        return NOTHING, [f"the store keeps {names}, for {why}"]
    verb = "would go" if context.check else "go"
    certificates, authorities, signers = leaving
    by_site: dict[str, dict[str, list[str]]] = {name: {site: [] for site in sites} for name, sites in signers.items()}
    gone = {"certificates": certificates, "authorities": authorities, "signers": by_site}
    return gone, [f"from the store {verb} {names}"]


def _leaving(
    scope: Scope, records: Records, served: Iterable[str], params: Mapping[str, Any], context: Context
) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Return the certificates, the authorities, and by authority the sites' intermediate CAs that go."""
    certificates, authorities = leaving_records(scope, records, served, params["default_authority"])
    hosts = (context.groups or {}).get("all")
    return certificates, authorities, leaving_signers(scope, records, authorities, hosts)


def _as_warnings(found: Iterable[Finding]) -> list[Finding]:
    return [replace(entry, severity=WARNING) for entry in found]


def _names(certificates: Iterable[str], authorities: Iterable[str], signers: Mapping[str, Iterable[str]]) -> list[str]:
    below = [f"intermediate CA of {site} below {name}" for name, sites in signers.items() for site in sites]
    return [*(f"certificate {name}" for name in certificates), *(f"authority {name}" for name in authorities), *below]


def read_records(store: Store, network: str) -> Records:
    """Return what the store holds of the network, for what it is.

    Raises:
        StoreError: the store cannot be read, or not be listed.
    """
    found: dict[str, dict[str, frozenset[str]]] = {"certificate": {}, "authority": {}}
    used: set[str] = set()
    # A certificate that is only requested yet has a key in the store as well, which goes by the same name.
    for kind, place in [(kind, f"{kind}{suffix}") for kind in found for suffix in ("", "-request")]:
        for name, stored in every(store, place):
            document = stored.document
            issuers = frozenset(str(entry.get("authority") or "") for entry in document.get("revisions") or [])
            if document.get("network") != network or document.get("networks"):
                used |= issuers
            else:
                found[kind][name] = found[kind].get(name, frozenset()) | issuers
    signers: dict[str, frozenset[str]] = {}
    for dummy, stored in every(store, SIGNER):
        for entry in stored.document.get("revisions") or []:
            authority = str(entry.get("authority") or "")
            if stored.document.get("network") != network:
                used.add(authority)
            else:
                signers[authority] = signers.get(authority, frozenset()) | {str(entry.get("site") or "")}
    return Records(found["certificate"], frozenset(found["authority"]), frozenset(used), signers)


def leaving_records(
    scope: Scope, records: Records, served: Iterable[str] = (), default: str = DEFAULT_AUTHORITY
) -> tuple[list[str], list[str]]:
    """Return the names of the certificates and of the authorities that go with what is to be removed.

    An authority goes with the last certificate that it issued, unless a service that stays names it.

    Args:
        served: the certificates that some site keeps, so that they are still served.
        default: the authority of services that name none.
    """
    needed = {pair.certificate for pair in secret_pairs(scope.staying)} | set(served)
    ours = {pair.certificate for pair in secret_pairs(scope.leaving)}
    certificates = [
        name for name in records.certificates if name not in needed and (scope.what != SERVICES or name in ours)
    ]
    used = {
        issuer for name, issuers in records.certificates.items() if name not in certificates for issuer in issuers
    } | _named_authorities(scope.staying, default)
    used |= records.used
    if scope.what == ORPHANS and _named_authorities(scope.staying, default):
        used.add(default)  # the inventory names it, though a request for it may still be away
    theirs = {issuer for name in certificates for issuer in records.certificates[name]}
    if scope.what == SERVICES:
        theirs |= _named_authorities(scope.leaving, default)  # also where a run before this one took the certificates
    authorities = [
        name for name in records.authorities if name not in used and (scope.what != SERVICES or name in theirs)
    ]
    return sorted(certificates), sorted(authorities)


def leaving_signers(
    scope: Scope, records: Records, authorities: Iterable[str], hosts: Iterable[str] | None
) -> dict[str, list[str]]:
    """Return by authority the sites whose intermediate CA goes; with the authority itself they go anyway.

    Args:
        authorities: those that go.
        hosts: the hosts of the inventory, None where that is not known.
    """
    gone = set(authorities)
    staying = {service.tls.signer for service in scope.staying if service.tls.site_intermediates}
    leaving = {service.tls.signer for service in scope.leaving if service.tls.site_intermediates}
    found = {}
    for authority, sites in records.signers.items():
        if authority in gone or (scope.what == SERVICES and authority not in leaving):
            continue
        unknown = set(sites) - set(sites if hosts is None or scope.what == SERVICES else hosts)
        going = unknown if authority in staying else sites
        found.update({authority: sorted(going)} if going else {})
    return found


def _named_authorities(services: Iterable[Service], default: str) -> set[str]:
    signers = {service.tls.signer for service in services if service.tls.signer}
    return signers | {service.tls.authority or default for service in services if not service.tls.generated}


def orphans_in_store(services: Iterable[Service], params: Mapping[str, Any], context: Context) -> list[Finding]:
    """Return a warning for each record of the store that no service of the inventory needs."""
    if not params.get("store"):
        return []
    try:
        records = read_records(open_store(params, context), params["network"])
    except SkupperTlsError as error:
        return _as_warnings(checks.from_error(error, "", "TLS702"))
    leaving = _leaving(Scope(ORPHANS, staying=tuple(services)), records, (), params, context)
    remedy = (
        f"Run multisite.skupper_tls.remove with -e skupper_tls_remove={ORPHANS} -e skupper_tls_remove_store=true, "
        "or put the service into the inventory"
    )
    return [
        Finding("TLS702", WARNING, "", name, "it belongs to no service of the inventory", "", remedy)
        for name in _names(*leaving)
    ]


def without_left_out(sites: Sites, params: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the sites but those that the step removal left out."""
    told = (params.get("removal") or {}).get("removal") or {}
    return {host: said for host, said in sites.items() if host not in (told.get("left_out") or [])}


def row(step: str, host: str, said: Mapping[str, Any], state: str) -> tuple[str, ...]:
    """Return the line of a site."""
    version, namespace = str(said.get("version") or "-"), str(said.get("namespace") or "-")
    if step == "unexposed":
        return host, version, namespace, state
    if step == "removed":
        return host, version, str(len(said.get("removed") or [])), _some(said.get("kept")), state
    found = said.get("removal") or {}
    secrets = [name.partition("/")[2] for name in found.get("remove") or [] if name.startswith("Secret/")]
    return host, version, namespace, _some(found.get("unexpose")), _some(secrets), _some(found.get("kept")), state


def _some(names: Iterable[str] | None, most: int = 4) -> str:
    listed = list(names or [])
    return ",".join(listed[:most]) + (f",+{len(listed) - most}" if len(listed) > most else "") or "-"
