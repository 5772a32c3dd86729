# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back, on one site: look, unexpose, wait until nothing uses the secrets, remove them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import InputError, SiteError, SkupperTlsError
from ..plan import OURS, Observed, Plan, diff, plan
from ..sites.base import Site
from ..skupper import checks, mounts
from ..skupper.checks import ERROR, WARNING, Finding
from ..skupper.desired import SiteKind, secret_names
from ..skupper.names import ADDRESS_LABEL, RESERVED_PREFIX, SERVICE_CA
from ..skupper.removal import (
    ORPHANS,
    SERVICES,
    Going,
    Scope,
    belongings,
    going,
    kinds_to_read,
    parse_scope,
    wanted_secrets,
)
from ..skupper.services import Service
from ..x509 import names, pem, rules
from . import summaries
from .applying import apply_plan
from .context import Context, open_site, site_services

Seen = Mapping["tuple[str, str]", Observed]

CHECKS = ("removal", "unexposed")
"""The values of the option check of site_info that belong to the way back."""

POLL_SECONDS = 0.5
ORPHAN_REMEDY = (
    f"Run multisite.skupper_tls.remove with -e skupper_tls_remove={ORPHANS}, or put the service into the inventory"
)


def inspect(
    site: Site,
    services: list[Service],
    params: Mapping[str, Any],
    context: Context,
    result: dict[str, Any],
    findings: list[Finding],
) -> None:
    """Read the site for the way back: before anything is removed, or between its two phases.

    Args:
        result: of the module site_info, completed here.
        findings: what is wrong, likewise.
    """
    if params["check"] == "unexposed":
        _wait(site, services, params, context, result, findings)
        return
    scope = parse_scope(params.get("remove"), services)
    kind = site.kind()
    missing = site.removal_permissions(listing=scope.what != SERVICES)
    findings += checks.permission_findings(context.host, missing)
    if missing:
        return
    seen = read(site, scope)
    found = going(scope, seen, kind)
    result["removal"] = _summary(found, scope, seen, kind)
    result["services"] = {}
    findings += _kept(context.host, found)
    findings += _foreign(context.host, scope, seen, kind)
    findings += _swallowed(context.host, seen, found)
    findings += _deleted_by_skupper(context.host, site, scope, found)


def read(site: Site, scope: Scope) -> dict[tuple[str, str], Observed]:
    """Return all of the site that a removal must know."""
    kind = site.kind()
    targets = mounts.targets(scope.leaving)
    whole = site.observe(wanted_secrets(scope, kind), kinds_to_read(kind), scope.what != SERVICES, targets)
    seen = mounts.standing(whole, site.address.network)
    certificates = [item for key, item in seen.items() if key[0] == "Certificate" and item.owner == OURS]
    issued = [name for (found, name), item in seen.items() if found == "Certificate" and item.owner == OURS]
    issued += [str(item.content["spec"]["ca"]) for item in certificates if (item.content.get("spec") or {}).get("ca")]
    seen.update(site.observe([name for name in issued if ("Secret", name) not in seen], []))
    return seen


def orphan_findings(host: str, inventory: Iterable[Service], seen: Seen, kind: SiteKind) -> list[Finding]:
    """Return a warning for each thing of ours that belongs to no service of the inventory."""
    found = going(Scope(ORPHANS, staying=tuple(inventory)), seen, kind)
    return [_orphan(host, key) for key in (*found.unexpose, *found.remove, *found.kept)]


def _orphan(host: str, key: tuple[str, str]) -> Finding:
    check = "TLS205" if key[0] == "Secret" else "TLS405"
    return Finding(check, WARNING, host, _text(key), "it belongs to no service of the inventory", "", ORPHAN_REMEDY)


def unexpose(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Take away what exposes the services that are to go: the first phase.

    Raises:
        SkupperTlsError: the site or an option is not in order.
    """
    site, scope, addresses = _open(params, context)

    def planned() -> tuple[Plan, Seen]:
        seen = read(site, scope)
        return plan([], seen, False, going(scope, seen, site.kind(), addresses).unexpose), seen

    return {**_applied(site, planned, context), "services": {}}


def remove(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Take away secrets, and what else is behind the services that are to go: the second phase.

    Raises:
        SkupperTlsError: the site or an option is not in order, or something still uses what is to go.
    """
    site, scope, addresses = _open(params, context)
    last: list[Going] = []

    def planned() -> tuple[Plan, Seen]:
        seen = read(site, scope)
        found = going(scope, seen, site.kind(), addresses)
        last[:] = [found]
        problems = [] if context.check else [_in_use(context.host, key) for key in (*found.unexpose, *found.waiting)]
        problems += [_error(finding) for finding in _swallowed(context.host, seen, found)]
        result = plan([], seen, False, found.remove)
        return replace(result, problems=(*result.problems, *problems)), seen

    result = _applied(site, planned, context)
    kept = {_text(key): ", ".join(users) for key, users in last[0].kept.items()}
    return {**result, "secrets": {}, "kept": kept}


def _open(params: Mapping[str, Any], context: Context) -> tuple[Site, Scope, list[str]]:
    services = site_services(params, context)
    said = _told(params)
    return open_site(params, context), parse_scope(said["remove"], services), list(said["addresses"])


def _told(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what module report, step: removal, has said earlier in this run."""
    told = params.get("removal")
    said = told.get("removal") if isinstance(told, Mapping) else None
    if not isinstance(said, Mapping):
        raise InputError(
            "the step before has not said what is to be removed",
            field="removal",
            remedy="Name the variable in which module report, step: removal, is registered",
        )
    return said


def _applied(site: Site, planned: Any, context: Context) -> dict[str, Any]:
    done = apply_plan(site, planned, context.check)
    result: dict[str, Any] = {
        "changed": bool(done.changes),
        "version": site.kind().version,
        "removed": [_text(change.item.key) for change in done.changes if change.action == "delete"],
    }
    if done.changes:
        result["diff"] = diff(done.changes, summaries.described)
        result.update(reloaded=done.reloaded, to_do=site.after_change(done.changes))
    return result


def _wait(
    site: Site,
    services: list[Service],
    params: Mapping[str, Any],
    context: Context,
    result: dict[str, Any],
    findings: list[Finding],
) -> None:
    """Wait until Skupper has taken away what it made of the services; in check mode nothing is to be waited for."""
    if context.check:
        return
    told = _told(params)
    scope = parse_scope(told["remove"], services)
    deadline = time.monotonic() + params["remove_timeout"]
    while True:
        found = going(scope, read(site, scope), site.kind(), told["addresses"])
        # What we have to take away ourselves does not go by waiting.
        if found.unexpose or not found.waiting or time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    result["services"] = {}
    open_ = [_in_use(context.host, key) for key in (*found.unexpose, *found.waiting)]
    findings += [entry for error in open_ for entry in checks.from_error(error, context.host, "TLS207")]


def _in_use(host: str, key: tuple[str, str]) -> SkupperTlsError:
    remedy = "Run the playbook remove again"
    if key[0] in ("ServiceEntry", "Bridge"):
        remedy = (
            "Check that Deployment skupper-service-controller runs here and on the providing site and that the sites "
            "are linked, then run again; skupper_tls_remove_timeout is how long to wait"
        )
    return SiteError(
        "is still there and uses secrets that are to go: without them the site's router stops working",
        site=host,
        field=_text(key),
        remedy=remedy,
    )


def _error(finding: Finding) -> SkupperTlsError:
    return SiteError(
        finding.message, site=finding.site, field=finding.subject, found=finding.found, remedy=finding.remedy
    )


def _summary(found: Going, scope: Scope, seen: Seen, kind: SiteKind) -> dict[str, Any]:
    named = {_address(key, seen[key]) for key in found.unexpose}
    entries = {name: item for (what, name), item in seen.items() if what == "ServiceEntry"}
    held = [name for name, item in entries.items() if item.owner != OURS and not item.synced]
    # A site may have the network's certificate under another name.
    certificates = {service.tls.server_secret: service.tls.certificate for service in (*scope.leaving, *scope.staying)}
    orphans: list[str] = []
    if not scope.what:
        offered = going(replace(scope, what=ORPHANS), seen, kind)
        orphans = [_text(key) for key in (*offered.unexpose, *offered.remove, *offered.kept)]
    return {
        "unexpose": [_text(key) for key in found.unexpose],
        "remove": [_text(key) for key in found.remove],
        "kept": {_text(key): ", ".join(users) for key, users in found.kept.items()},
        "served": sorted(
            {certificates[name] for what, name in found.kept if what == "Secret" and name in certificates}
        ),
        "addresses": sorted(name for name in named if name),
        "held": sorted(held),
        "orphans": orphans,
    }


def _address(key: tuple[str, str], item: Observed) -> str:
    return key[1] if key[0] == "ServiceEntry" else item.labels.get(ADDRESS_LABEL, "")


def _kept(host: str, found: Going) -> list[Finding]:
    return [
        Finding(
            "TLS207",
            WARNING,
            host,
            _text(key),
            f"it stays, for it is still used by {', '.join(users)}",
            "",
            "Remove that first if it is to go",
        )
        for key, users in found.kept.items()
        if users != ("another service",)
    ]


def _foreign(host: str, scope: Scope, seen: Seen, kind: SiteKind) -> list[Finding]:
    """Tell what stands under the names of what goes and is not ours."""
    found = []
    generated = [service for service in scope.leaving if service.tls.generated]
    made = {("Secret", name) for name in secret_names(generated, kind)}  # and Skupper's, not somebody else's
    for key in sorted(belongings(scope.leaving, kind) - made):
        item = seen.get(key)
        if item is not None and item.owner != OURS and not item.synced:
            whose = f"it belongs to the network {item.network}" if item.network else "this collection did not write it"
            check = "TLS202" if key[0] == "Secret" else "TLS402"
            remedy = "Nothing is to be done, unless you want it gone; then remove it by hand"
            found.append(Finding(check, WARNING, host, _text(key), f"it stays, for {whose}", "", remedy))
    return found


def _swallowed(host: str, seen: Seen, found: Going) -> list[Finding]:
    """Return an error for each Certificate with which Skupper v2 would delete a secret that must stay."""
    result = []
    for what, name in found.remove:
        secret = seen.get(("Secret", name))
        if what != "Certificate" or secret is None or "controlled" not in secret.status:
            continue  # on system sites the files of the user are not touched
        if not _made_by_skupper(secret, seen[(what, name)], seen) and ("Secret", name) not in found.remove:
            result.append(
                Finding(
                    "TLS206",
                    ERROR,
                    host,
                    f"Certificate/{name}",
                    "Skupper deletes with it the secret of its name, which Skupper did not make",
                    f"Secret {name}, neither annotated by Skupper nor signed by the CA of the Certificate",
                    "Save the secret under another name and delete it, then run again",
                )
            )
    return result


def _made_by_skupper(secret: Observed, certificate: Observed, seen: Seen) -> bool:
    """Return whether Skupper v2 made the secret of a Certificate: it says so, or the Certificate's CA signed it."""
    if secret.status["controlled"]:
        return True
    spec = certificate.content.get("spec") or {}
    signer = secret if spec.get("signing") else seen.get(("Secret", str(spec.get("ca"))))
    if signer is None:
        return False
    try:
        leaf, issuer = (pem.parse_certificates(each.content["data"]["tls.crt"], "")[0] for each in (secret, signer))
    except (SkupperTlsError, KeyError):
        return False
    named = not spec.get("signing") or names.subject_text(leaf.subject) == f"CN={spec.get('subject')}"
    return named and rules.issued_by(leaf, issuer)


def _deleted_by_skupper(host: str, site: Site, scope: Scope, found: Going) -> list[Finding]:
    """Return a warning for each secret of a user that Skupper v1 deletes with an entry."""
    going_entries = [name for what, name in (*found.unexpose, *found.waiting) if what == "ServiceEntry"]
    # Of a service of ours in generated mode it is Skupper's: the step expose refuses any other.
    made = {service.address for service in scope.leaving if service.tls.generated}
    secrets = site.observe([RESERVED_PREFIX + name for name in going_entries if name not in made], [])
    if not secrets:
        return []
    service_ca = site.observe([SERVICE_CA], []).get(("Secret", SERVICE_CA))
    issuer = (service_ca.content["data"].get("tls.crt") or b"") if service_ca is not None else b""
    return [
        Finding(
            "TLS206",
            WARNING,
            host,
            _text(key),
            "Skupper v1 deletes this secret when the service goes, and it is not one that Skupper made",
            "its CA is not that of the site",
            "Stop here and save it under another name, if you need it",
        )
        for key, item in secrets.items()
        if not issuer or item.content["data"].get("ca.crt", b"").strip() != issuer.strip()
    ]


def _text(key: tuple[str, str]) -> str:
    return f"{key[0]}/{key[1]}"
