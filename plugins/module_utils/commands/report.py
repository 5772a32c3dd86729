# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``report``: what all sites said, compared with each other and with the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..errors import InputError, SkupperTlsError
from ..skupper import checks, snippets
from ..skupper.checks import ERROR, Finding
from ..skupper.requests import collected_requests
from ..skupper.services import (
    Service,
    Tls,
    concerning,
    custom_pairs,
    generated_services,
    secret_pairs,
    sound_services,
)
from ..stores import records
from ..x509 import describe
from . import removal_report, signers
from .context import Context, open_store

HEADERS = {
    "preflight": ("SITE", "PLATFORM", "VERSION", "NAMESPACE", "STATE"),
    "barrier": ("SITE", "SECRETS", "CERTIFICATE", "CA", "STATE"),
    "verify": ("SITE", "VERSION", "NAMESPACE", "SERVICES", "CERTIFICATE", "CA", "NOT AFTER", "STATE"),
    **removal_report.HEADERS,
}


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the findings of a step, the lines of its table, and ``failed`` where an error is among them.

    In check mode the steps barrier and verify tell what is not there yet and do not fail for it.
    """
    step = params["step"]
    given: Mapping[str, Any] | None = params.get("sites")
    if not given:
        raise InputError(
            "no site has said anything to compare",
            field="registered",
            remedy="Name the variable that the sites registered their results in, or give them as sites",
        )
    sites = removal_report.without_left_out({host: _result(value) for host, value in given.items()}, params)
    services, findings = _services(params, context)
    of_sites = {host: _of_site(host, said, services, params, context) for host, said in sites.items()}
    findings += checks.mixed_networks({host: str(said.get("network") or "") for host, said in sites.items()})
    sound = not findings
    told: dict[str, Any] = {}
    note: list[str] = []
    for host, said in sites.items():
        findings += _said(host, said, step)
    if step == "preflight":
        findings += _across_preflight(sites)
        for said in params.get("issued") or []:
            findings += _issue_findings(said)
        findings += _signer_findings(services, params, context)
    elif step == "removal" and sound:
        told["removal"], note = removal_report.look(sites, services, params, context, findings)
    elif step not in removal_report.STEPS:
        findings += _across_secrets(sites, services, of_sites, params, context)
        if step == "verify" and sound and not any(entry.check == "TLS701" for entry in findings):
            findings += removal_report.orphans_in_store(services, params, context)
    findings = checks.order(_once_for_all(findings, len(sites)))
    errors = [finding for finding in findings if finding.severity == ERROR]
    open_ = errors if context.check and step in ("barrier", "verify") else []
    failed = bool(errors) and not open_
    failing = {finding.site for finding in errors}
    bad = "pending" if open_ else "FAILED"
    rows = sorted(
        (_row(step, host, said, of_sites[host], bad if host in failing else "ok") for host, said in sites.items()),
        key=lambda row: (row[-1] == "ok", row[0]),
    )
    shown = [finding for finding in findings if finding not in open_]
    if open_:
        note.append(f"check mode: nothing was written, so {len(open_)} checks are still to pass")
    result: dict[str, Any] = {
        "changed": False,
        "step": step,
        "sites": len(sites),
        "findings": [finding.as_dict() for finding in findings],
        "table": note + checks.table(shown, rows, HEADERS[step]),
        "failed": failed,
        **told,
    }
    if step == "verify" and not failed:
        result["snippets"] = {service.address: snippets.snippets(service) for service in services}
    if failed:
        # A failed result is printed whole, and the table says all of it in a form that a person can read.
        del result["findings"]
        where = len(failing - {""})
        result["msg"] = (
            f"{step}: {len(errors)} {'problem' if len(errors) == 1 else 'problems'}"
            f" on {where} of {len(sites)} {'site' if len(sites) == 1 else 'sites'}; {_AFTERMATH[step]}"
        )
    return result


_AFTERMATH = {
    "preflight": "nothing was written anywhere",
    "barrier": "nothing is exposed anywhere",
    "verify": "run again after mending it, only what differs will be changed",
    **removal_report.AFTERMATH,
}


def _result(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _services(params: Mapping[str, Any], context: Context) -> tuple[list[Service], list[Finding]]:
    services, problems = sound_services(params.get("services") or [], context.groups)
    problems += collected_requests(services, context.groups or {}, {}, {})[1]
    return services, [found for problem in problems for found in checks.from_error(problem, "")]


def _said(host: str, said: Mapping[str, Any], step: str) -> list[Finding]:
    """Return the findings that a site's own result holds: a site that said nothing, failed, or found something."""
    if not said or said.get("unreachable"):
        message = str(said.get("msg") or "no result of this site")
        return [Finding("TLS101", ERROR, host, "", "the site was not reached", message.strip(), "Run again when it is")]
    findings = []
    if said.get("failed"):
        problems = said.get("errors") or [{"message": str(said.get("msg") or "the task failed")}]
        findings += [
            Finding(
                problem.get("check") or ("TLS201" if step == "barrier" else "TLS101"),
                ERROR,
                host,
                problem.get("field", ""),
                problem.get("message", ""),
                problem.get("found", ""),
                problem.get("remedy", ""),
            )
            for problem in problems
        ]
    keys = ("check", "severity", "site", "subject", "message", "found", "remedy")
    findings += [Finding(*(str(entry.get(key, "")) for key in keys)) for entry in said.get("findings") or []]
    return findings


def _once_for_all(findings: Iterable[Finding], sites: int) -> list[Finding]:
    """Return the findings with an inventory error that every site found told once, for the network."""
    listed = list(findings)
    inventory = [(entry.subject, entry.message, entry.found) for entry in listed if entry.check == "TLS801"]
    result = []
    for entry in listed:
        identity = (entry.subject, entry.message, entry.found)
        if entry.check == "TLS801" and inventory.count(identity) >= max(sites, 2):
            entry = Finding(entry.check, entry.severity, "", *identity[:2], entry.found, entry.remedy)
        result.append(entry)
    return result


def _across_preflight(sites: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    identities = {host: str(said.get("identity") or "") for host, said in sites.items()}
    versions = {host: str(said.get("version") or "") for host, said in sites.items()}
    return checks.duplicate_sites(identities) + checks.mixed_versions(versions)


def _signer_findings(services: Iterable[Service], params: Mapping[str, Any], context: Context) -> list[Finding]:
    """Return what keeps the sites from signing with an authority of the store; the try of the step issue is known."""
    results = [said for said in params.get("issued") or [] if isinstance(said, Mapping) and "authority" in said]
    problems = signers.signer_problems(services, results[0] if results else {}, params, context)
    return [found for problem in problems for found in checks.from_error(problem, "")]


def _issue_findings(said: Mapping[str, Any]) -> list[Finding]:
    """Return what is wrong with the store and what it is to issue, as the check-mode run of issue found it."""
    results = said.get("results") or [said]
    findings = []
    for result in results:
        for problem in result.get("errors") or []:
            parts = (problem.get(key, "") for key in ("field", "message", "found", "remedy"))
            findings.append(Finding(str(problem.get("check") or "TLS701"), ERROR, "", *parts))
        if result.get("msg") and not result.get("errors") and result.get("exception"):
            findings.append(Finding("TLS701", ERROR, "", "", str(result["msg"])))
    return findings


def _of_site(
    host: str, said: Mapping[str, Any], services: list[Service], params: Mapping[str, Any], context: Context
) -> list[Service]:
    """Return the services that concern a site, as it wants them; all of them where something is wrong there."""
    raw, overrides = params.get("services") or [], (params.get("site_overrides") or {}).get(host)
    if not overrides and not any(service.sites for service in services):
        return services
    own, problems = sound_services(raw, context.groups, host, overrides=overrides)
    return services if problems else concerning(own, str(said.get("version") or ""))


def _across_secrets(
    sites: Mapping[str, Mapping[str, Any]],
    services: Iterable[Service],
    of_sites: Mapping[str, Sequence[Service]],
    params: Mapping[str, Any],
    context: Context,
) -> list[Finding]:
    """Compare each pair of secrets on the sites that must hold it, under the names that it has there."""
    findings: list[Finding] = []
    findings += _across_generated(sites, services, params, context)
    for pair in custom_pairs(services):
        holding = {host: _held_as(pair, wanted) for host, wanted in of_sites.items()}
        expected = _expected(pair.server_secret, params, context, findings)
        parts = (
            (pair.server_secret, "server", "tls_sha256", expected[0]),
            (pair.server_secret, "server", "ca_sha256", expected[1]),
            (pair.ca_secret, "ca", "ca_sha256", expected[1]),
        )
        for secret, role, key, wanted_value in parts:
            values = {
                host: _fingerprints(sites[host], held.server_secret if role == "server" else held.ca_secret, key)
                for host, held in holding.items()
                if held is not None
            }
            file = "tls.crt" if key == "tls_sha256" else "ca.crt"
            subject = f"Secret/{secret} {file}"
            findings += checks.differing(values, subject)
            if wanted_value:
                findings += checks.against_store(values, wanted_value, subject)
            if params["step"] == "barrier":
                findings += _absent(sites, values, subject)
    return findings


def _across_generated(
    sites: Mapping[str, Mapping[str, Any]], services: Iterable[Service], params: Mapping[str, Any], context: Context
) -> list[Finding]:
    """Return what is wrong between sites whose certificates are generated: they must differ, each has its own CA."""
    findings: list[Finding] = []
    pairs = [service.tls for service in generated_services(services)]
    for name, key in dict.fromkeys(
        part for pair in pairs for part in ((pair.server_secret, "tls_sha256"), (pair.ca_secret, "ca_sha256"))
    ):
        values = {host: _fingerprints(said, name, key) for host, said in sites.items()}
        subject = f"Secret/{name} {'tls.crt' if key == 'tls_sha256' else 'ca.crt'}"
        signer = pairs[0].signer if key == "ca_sha256" else ""
        if signer:
            findings += _under_signer(signer, values, subject, params, context)
        if not signer or pairs[0].site_intermediates:
            findings += checks.alike(values, subject)
        if params["step"] == "barrier":
            demanded = {host: value for host, value in values.items() if name in (sites[host].get("secrets") or {})}
            findings += _absent(sites, demanded, subject)
    return findings


def _under_signer(
    signer: str, values: Mapping[str, str], subject: str, params: Mapping[str, Any], context: Context
) -> list[Finding]:
    """Return a finding for each site whose CA bundle does not hold the root of the store's authority."""
    findings: list[Finding] = []
    try:
        authority = records.load(open_store(params, context), "authority", signer, params["network"])
    except SkupperTlsError as error:
        return checks.from_error(error, "", "TLS701")
    roots = {describe.fingerprint(entry) for entry in authority.anchors} if authority is not None else set()
    outside = {host: value for host, value in values.items() if not roots & set(value.split())}
    return findings + checks.against_store(outside, " ".join(sorted(roots)), subject)


def _held_as(pair: Tls, services: Iterable[Service]) -> Tls | None:
    """Return a pair of the network with the names that it has on a site, None if the site need not hold it."""
    return next((service.tls for service in services if (service.network or service).tls == pair), None)


def _absent(sites: Mapping[str, Mapping[str, Any]], values: Mapping[str, str], subject: str) -> list[Finding]:
    return [
        Finding(
            "TLS201", ERROR, host, subject, "the site does not hold it", "", "Run the step distribute for this site"
        )
        for host, value in values.items()
        if not value and sites[host] and not sites[host].get("failed") and not sites[host].get("unreachable")
    ]


def _fingerprints(said: Mapping[str, Any], secret: str, key: str) -> str:
    summary = (said.get("secrets") or {}).get(secret) or {}
    return str(summary.get(key) or "")


def _expected(name: str, params: Mapping[str, Any], context: Context, findings: list[Finding]) -> tuple[str, str]:
    """Return the fingerprints that the store holds for a certificate and its bundle, empty where it has none."""
    if not params.get("store"):
        return "", ""
    try:
        store = open_store(params, context)
        certificate = records.load(store, "certificate", name, params["network"])
        if certificate is None:
            return "", ""
        authority = records.authority_of(store, certificate)
    except SkupperTlsError as error:
        findings += checks.from_error(error, "", "TLS701")
        return "", ""
    leaf = " ".join(describe.fingerprint(entry) for entry in certificate.certificates)
    return leaf, " ".join(sorted(describe.fingerprint(entry) for entry in authority.anchors))


def _row(step: str, host: str, said: Mapping[str, Any], services: Iterable[Service], state: str) -> tuple[str, ...]:
    if step in removal_report.STEPS:
        return removal_report.row(step, host, said, state)
    if step == "preflight":
        return (host, *(str(said.get(key) or "-") for key in ("platform", "version", "namespace")), state)
    pairs = secret_pairs(services)
    leaf = ",".join(_fingerprints(said, pair.server_secret, "tls_sha256")[:11] or "-" for pair in pairs)
    ca = ",".join(_fingerprints(said, pair.ca_secret, "ca_sha256")[:11] or "-" for pair in pairs)
    if step == "barrier":
        held = sum(1 for summary in (said.get("secrets") or {}).values() if summary)
        return host, str(held), leaf or "-", ca or "-", state
    roles = ",".join(f"{address}:{info['role']}" for address, info in (said.get("services") or {}).items())
    dates = [((said.get("secrets") or {}).get(pair.server_secret) or {}).get("certificate") or {} for pair in pairs]
    until = min((str(entry["not_after"]) for entry in dates if entry.get("not_after")), default="-")
    version, namespace = str(said.get("version") or "-"), str(said.get("namespace") or "-")
    return host, version, namespace, roles or "-", leaf or "-", ca or "-", until[:10], state
