# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``site_info``: reads a site and judges it, changing nothing and never failing.

What is wrong comes back as findings, so that one play finds the problems of all sites before it stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ..errors import InputError, NotPermitted, SkupperTlsError
from ..plan import Change, Observed, joined, plan
from ..sites.base import Health, Site
from ..sites.kubernetes import is_ready
from ..skupper import checks, mounts
from ..skupper.checks import ERROR, WARNING, Finding
from ..skupper.desired import Item, SiteKind, item_kinds, secret_names, site_problems
from ..skupper.names import ADDRESS_LABEL
from ..skupper.services import Service, concerning, custom_pairs, provides_with, secret_pairs, sound_services
from . import generated, removal
from .context import Context, asked, known_site, open_site
from .mounting import resolve_mounts
from .secrets import desired_secrets, secret_summaries, stand_ins
from .service import desired_items, expose_plan, remembering, role_of
from .signers import pending_signer, site_signer


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return what the site holds, and what is wrong with it."""
    known = known_site(params)
    if params["check"] == "verify" and known is not None and known["settled"]["services"]:
        return {**known, "settled": True, "findings": known["settled"]["findings"]}
    result: dict[str, Any] = {
        "changed": False,
        "site": context.host,
        "platform": params.get("platform") or "kubernetes",
        "namespace": params.get("namespace") or "",
        "version": "",
        "network": params["network"],
        "identity": "",
        "controller": False,
        "clock_offset": None,
        "secrets": {},
        "services": {},
    }
    findings: list[Finding] = []
    try:
        _read(params, context, result, findings)
    except SkupperTlsError as error:
        findings += checks.from_error(error, context.host)
    result["reachable"] = not any(finding.check == "TLS101" for finding in findings)
    result["findings"] = [finding.as_dict() for finding in checks.order(findings)]
    return result


def _read(params: Mapping[str, Any], context: Context, result: dict[str, Any], findings: list[Finding]) -> None:
    overrides = params.get("overrides")
    listed, problems = sound_services(params.get("services") or [], context.groups, context.host, overrides=overrides)
    findings += [found for problem in problems for found in checks.from_error(problem, context.host)]
    if not listed and not findings and params["check"] not in ("verify", *removal.CHECKS):
        findings.append(
            Finding(
                "TLS801",
                ERROR,
                context.host,
                "services",
                "no service is given",
                "",
                "Set skupper_tls_services for the group of the sites",
            )
        )
    site = open_site(params, context)
    kind = site.kind()
    result["version"] = kind.version
    if params["check"] in removal.CHECKS:
        if not problems:
            removal.inspect(site, listed, params, context, result, findings)
        return
    services = concerning(listed, kind.version)
    if params["check"] == "secrets":
        observed = site.observe(secret_names(services, kind), [])
        result["secrets"] = secret_summaries(observed, services, kind, context)
        return
    preflight = params["check"] == "preflight"
    if preflight:
        _preflight(site, services, params["adopt"], context, result, findings)
        findings += [
            found for error in site_problems(services, kind) for found in checks.from_error(error, context.host)
        ]
        if findings:
            listed = [service for service in listed if not site_problems([service], kind)]
            services = concerning(listed, kind.version)
    alone = not preflight and not any(isinstance(entry, Mapping) for entry in params.get("known") or [])
    mounted = mounts.targets(listed)
    seen = _attempt(lambda: _observe(site, services, kind, alone, mounted), None, context.host, findings)
    found = mounts.Resolved((), {}, ())
    if seen is not None:
        found = resolve_mounts(listed, seen, kind, site.address.network, params, context)
    observed = found.seen
    whole = {**mounts.standing(seen or {}, site.address.network), **observed}
    findings += [each for problem in found.problems for each in checks.from_error(problem, context.host)]
    summaries = secret_summaries(observed, services, kind, context)
    result["secrets"] = summaries
    desired = [*found.items, *_desired(site, services, kind, context, findings)]
    result["services"] = {service.address: _service(service, observed) for service in services}
    if preflight:
        _look_ahead(site, listed, desired, observed, whole, kind, params, context, result, findings)
    else:
        findings += _verify(context.host, services, summaries, desired, observed, kind)
        findings += _certificate_findings(services, observed, kind, params, context)
        findings += _not_reloaded(site)
        if not problems:
            findings += removal.orphan_findings(context.host, listed, whole, kind)


def _observe(
    site: Site, services: list[Service], kind: SiteKind, owned: bool, workloads: list[str]
) -> dict[tuple[str, str], Observed]:
    """Read the site. To list secrets is one request more and a permission that no other step needs.

    So what is ours and no service's is looked for by verify alone, and not in each step of a rollout.
    """
    names, kinds = secret_names(services, kind), item_kinds(services, kind)
    if owned:
        try:
            return site.observe(names, kinds, owned=True, workloads=workloads)
        except NotPermitted:
            pass
    return site.observe(names, kinds, workloads=workloads)


def _desired(
    site: Site, services: list[Service], kind: SiteKind, context: Context, findings: list[Finding]
) -> list[Item]:
    """Return what exposes the services, one by one: a missing workload must not hide what is wrong with the others."""
    items: dict[tuple[str, str], Item] = {}
    for service in services:
        try:
            items.update((item.key, item) for item in desired_items(site, [service], kind))
        except SkupperTlsError as error:
            findings += checks.from_error(error, context.host)
    return list(items.values())


def _look_ahead(
    site: Site,
    listed: list[Service],
    desired: list[Item],
    observed: Mapping[tuple[str, str], Observed],
    whole: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
    params: Mapping[str, Any],
    context: Context,
    result: dict[str, Any],
    findings: list[Finding],
) -> None:
    """Plan both steps that write: what forbids them is a finding, and where nothing is to be done the site is settled.

    What keeps the store from being read is told once for the network, by the try of the step issue.
    """
    services = concerning(listed, kind.version)
    try:
        secrets, revisions = desired_secrets(services, kind, params, context)
    except SkupperTlsError:
        secrets, revisions = [], {}
        for pair in custom_pairs(services):
            secrets += stand_ins(pair, kind, provides_with(services, pair), {})
    try:
        signer = site_signer(services, kind, params, context)
    except InputError as error:
        findings += checks.from_error(error, context.host)
        return
    except SkupperTlsError:
        signer = pending_signer(kind)
    made = generated.certificate_plans(services, kind, context.host, signer, observed, params["adopt"])
    plans = (
        joined(plan(secrets, observed, params["adopt"]), *made),
        expose_plan(desired, observed, listed, kind, params["adopt"], present=True),
    )
    problems = [problem for each in plans for problem in each.problems]
    findings += [found for problem in problems for found in checks.from_error(problem, context.host)]
    if not findings:
        settled = [not each.changes and not site.follow_up(each.changes) for each in plans]
        complete = None not in result["secrets"].values()  # Skupper may still have to make what it was asked for
        result["settled"] = {
            "asked": asked(params),
            # A signer may be made anew by the step issue, which says nothing of it to the later steps.
            "secrets": revisions if settled[0] and signer is None and complete else None,
            "services": all(settled) and complete,
        }
        if all(settled):
            verified = _verify(context.host, services, result["secrets"], desired, observed, kind)
            verified += removal.orphan_findings(context.host, listed, whole, kind)
            result["settled"]["findings"] = [finding.as_dict() for finding in checks.order(verified)]


def _attempt(read: Callable[[], Any], otherwise: Any, host: str, findings: list[Finding]) -> Any:
    """Return what the call returns; where it fails, note why and go on, to find the other problems too."""
    try:
        return read()
    except SkupperTlsError as error:
        findings += checks.from_error(error, host)
        return otherwise


def _preflight(
    site: Site, services: list[Service], adopt: bool, context: Context, result: dict[str, Any], findings: list[Finding]
) -> None:
    now = context.now.timestamp()
    health = _attempt(lambda: site.health(services, now, adopt), Health(identity=""), context.host, findings)
    result["identity"] = health.identity
    result["controller"] = health.controller
    result["clock_offset"] = health.clock_offset
    findings += checks.permission_findings(context.host, health.missing_permissions)
    findings += checks.clock_findings(context.host, health.clock_offset)


def _verify(
    host: str,
    services: list[Service],
    summaries: Mapping[str, Any],
    desired: Iterable[Item],
    observed: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
) -> list[Finding]:
    found = _secret_findings(host, services, summaries)
    return found + _service_findings(host, services, desired, observed, kind)


def _secret_findings(host: str, services: list[Service], summaries: Mapping[str, Any]) -> list[Finding]:
    findings = []
    for pair in secret_pairs(services):
        for name, role in ((pair.server_secret, "server"), (pair.ca_secret, "ca")):
            if name in summaries:
                findings += checks.secret_findings(host, name, summaries[name], role)
            else:
                findings.append(_not_generated(host, name))
    return list(dict.fromkeys(findings))


def _not_generated(host: str, name: str) -> Finding:
    return Finding(
        "TLS403",
        WARNING,
        host,
        f"Secret/{name}",
        "Skupper has not generated the secret yet",
        "",
        "If this stays: on a system site run skupper system reload, else check that the service-controller runs",
    )


def _certificate_findings(
    services: list[Service],
    observed: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
    params: Mapping[str, Any],
    context: Context,
) -> list[Finding]:
    """Return what differs from the plan of the certificates that the site's own CA signs."""
    try:
        signer = site_signer(services, kind, params, context)
    except SkupperTlsError as error:
        return checks.from_error(error, context.host)
    plans = generated.certificate_plans(services, kind, context.host, signer, observed, adopt=True)
    return [_differs(context.host, change, "distribute") for change in joined(*plans).changes]


def _differs(host: str, change: Change, step: str, severity: str = ERROR) -> Finding:
    """Return the finding for what a step would change."""
    subject = f"{change.item.kind}/{change.item.name}"
    message = f"{change.item.kind} is {'missing' if change.action == 'create' else 'not as planned'}"
    return Finding("TLS401", severity, host, subject, message, "", f"Run the step {step} for this site")


def _service_findings(
    host: str,
    services: list[Service],
    desired: Iterable[Item],
    observed: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
) -> list[Finding]:
    wanted = remembering(desired, observed, services)
    # Their secrets come after the step expose, and with them what is to be mounted.
    late = {service.address for service in services if service.tls.generated and not kind.certificates}
    findings = []
    for change in plan(wanted, observed, adopt=True).changes:
        mounted_late = change.item.kind == "Workload" and mounts.parse_name(change.item.name)[2] in late
        findings.append(_differs(host, change, "expose", WARNING if mounted_late else ERROR))
    unsettled = {finding.subject for finding in findings}
    for key in _to_take_up(wanted, services, observed, kind):
        if f"{key[0]}/{key[1]}" not in unsettled and not is_ready(key, observed.get(key)):
            findings.append(_not_taken_up(host, key, observed[key]))
    return findings


def _not_reloaded(site: Site) -> list[Finding]:
    return [
        Finding(
            "TLS403",
            ERROR,
            site.address.name,
            f"{change.item.kind}/{change.item.name}",
            "Skupper has not read what was last written",
            "no reload since then",
            "Run the step expose for this site",
        )
        for change in site.follow_up([])
    ]


def _to_take_up(
    desired: Iterable[Item],
    services: Iterable[Service],
    observed: Mapping[tuple[str, str], Observed],
    kind: SiteKind,
) -> list[tuple[str, str]]:
    if kind.family == "system":
        return []  # a system site's files have no status
    keys = [item.key for item in desired if item.kind in ("Listener", "Connector", "ServiceEntry")]
    synced = [
        ("ServiceEntry", service.address) for service in services if ("ServiceEntry", service.address) in observed
    ]
    return list(dict.fromkeys(keys + synced))


def _not_taken_up(host: str, key: tuple[str, str], observed: Observed) -> Finding:
    subject = f"{key[0]}/{key[1]}"
    if key[0] == "ServiceEntry":
        return Finding(
            "TLS403",
            WARNING,
            host,
            subject,
            "the router has no bridges for the service yet",
            "",
            "If this stays, restart Deployment skupper-service-controller of the site",
        )
    conditions = observed.status.get("conditions") or []
    bad = [entry for entry in conditions if entry.get("type") == "Configured" and entry.get("status") == "False"]
    if bad:
        return Finding(
            "TLS403",
            ERROR,
            host,
            subject,
            "Skupper refuses it",
            str(bad[0].get("message") or bad[0].get("reason") or ""),
            "See the message of the condition",
        )
    return Finding(
        "TLS403",
        WARNING,
        host,
        subject,
        "no Skupper controller has answered yet",
        "no condition Configured",
        "If this stays, check that the Skupper controller of the cluster runs",
    )


def _service(service: Service, observed: Mapping[tuple[str, str], Observed]) -> dict[str, Any]:
    return {
        **role_of(service),
        "objects": sorted(
            f"{kind}/{name}"
            for (kind, name), item in observed.items()
            if kind != "Secret" and (name == service.address or item.labels.get(ADDRESS_LABEL) == service.address)
        ),
    }
