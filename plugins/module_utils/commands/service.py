# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``service``: what exposes services on a site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import SiteError, SkupperTlsError, raise_all
from ..plan import OURS, Change, Observed, Plan, diff, plan
from ..sites.base import Site
from ..skupper import generated, mounts
from ..skupper.desired import Item, SiteKind, profile_name, secret_names, service_items, site_problems
from ..skupper.names import ADDRESS_LABEL, SERVICE_CLIENT
from ..skupper.services import Service, concerning
from . import removal, summaries
from .applying import Done, apply_plan
from .context import Context, known_site, open_site, pending_certificates, site_services, was_reloaded
from .mounting import resolve_mounts
from .secrets import secret_summaries

Seen = Mapping["tuple[str, str]", Observed]


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the site expose the services, or not.

    Raises:
        SkupperTlsError: the site or an option is not in order. Nothing was written if it was refused.
    """
    if params.get("removal") is not None:
        return removal.unexpose(params, context)
    listed = site_services(params, context)
    present = params["state"] == "present"
    known = known_site(params)
    if present and known is not None and known["settled"]["services"]:
        roles = _roles(concerning(listed, known["version"]))
        return {"changed": False, "settled": True, "version": known["version"], "services": roles}
    site = open_site(params, context)
    kind = site.kind()
    services = concerning(listed, kind.version)
    raise_all(problem.at(context.host) for problem in (site_problems(services, kind) if present else []))
    desired = desired_items(site, services, kind) if present else []
    wanted = secret_names(services, kind) if present else []
    # Of a service that this site has no part in (any more), the mounts go.
    kept = {service.address for service in services if present}
    mounted = [service if service.address in kept else replace(service, mounts=()) for service in listed]
    waiting: set[str] = set()

    def planned() -> tuple[Plan, Seen]:
        seen = site.observe(wanted, kind.kinds, workloads=mounts.targets(listed))
        if present and not _predicted(params, context):
            _refuse_without_secrets(services, seen, kind, context)
        found = resolve_mounts(mounted, seen, kind, site.address.network, params, context, early=context.check)
        waiting.clear()
        waiting.update(found.waiting)
        raise_all(problem.at(context.host) for problem in found.problems)
        # A provider's workload gets its certificate before connections are sent to it.
        items = [*found.items, *desired]
        return expose_plan(items, found.seen, listed, kind, params["adopt"], present), found.seen

    reloaded = context.check and was_reloaded(params)
    done = apply_plan(site, planned, context.check, reloaded)
    if waiting:
        # Secrets that Skupper makes of what was just written: pods get them as soon as they are there.
        site.ready([("Secret", name) for name in sorted(waiting)], params["wait_timeout"])
        later = apply_plan(site, planned, context.check, reloaded or done.reloaded)
        done = Done((*done.changes, *later.changes), later.seen)
    changes = done.changes
    result: dict[str, Any] = {"changed": bool(changes), "version": kind.version}
    if changes:
        result["diff"] = diff(changes, summaries.described)
        result.update(reloaded=done.reloaded, to_do=site.after_change(changes))
        if not context.check:
            written = [change.item.key for change in changes if change.action != "delete"]
            taken_up = site.ready(written, params["wait_timeout"])
            result["not_taken_up"] = [f"{key[0]}/{key[1]}" for key, up in taken_up.items() if not up]
    if waiting:
        late = [f"Secret/{name}" for name in sorted(waiting)]
        result["not_taken_up"] = [*result.get("not_taken_up", []), *late]
    result["services"] = _roles(services)
    return result


def _predicted(params: Mapping[str, Any], context: Context) -> bool:
    """Return whether this check-mode run would have written or made secrets in an earlier step."""
    earlier = [result for result in params.get("known") or [] if isinstance(result, Mapping)]
    made = context.check and any(result.get("changed") for result in earlier)
    return made or bool(pending_certificates(params, context))


def expose_plan(
    desired: list[Item], seen: Seen, services: list[Service], kind: SiteKind, adopt: bool, present: bool
) -> Plan:
    """Return what must change on the site for it to expose the services; not ``present``: for it to do so no longer."""
    result = plan(remembering(desired, seen, services), seen, adopt, unwanted(desired, seen, services, kind))
    heals = _heals(services, seen, result, adopt) if present else []
    return replace(result, changes=(*result.changes, *heals))


def desired_items(site: Site, services: Iterable[Service], kind: SiteKind) -> list[Item]:
    """Return what exposes the services on the site, after looking up their workloads; each item once.

    Raises:
        SkupperTlsError: workloads that are missing, all of them.
    """
    items: dict[tuple[str, str], Item] = {}
    problems: list[SkupperTlsError] = []
    for service in services:
        selector = ""
        try:
            if service.provides:
                selector = site.selector(service.workload)
        except SkupperTlsError as error:
            problems.append(error)
            continue
        for item in service_items(service, kind, selector):
            items[item.key] = item
    if kind.family == "system":
        items = {**{item.key: item for item in generated.leaf_certificates(services, kind)}, **items}
    raise_all(problems)
    return list(items.values())


def remembering(desired: Iterable[Item], seen: Seen, services: Iterable[Service]) -> list[Item]:
    """Return the items with what v1 must remember of them: our targets, and the secrets they were written after.

    A target that we wrote once and no longer want is to be absent, whereas another's target is left alone.
    """
    tls = {service.address: service.tls for service in services}
    items = []
    for item in desired:
        if item.kind == "ServiceEntry":
            before = seen.get(item.key)
            ours = before.record.get("targets", []) if before is not None else []
            gone = {name: None for name in ours if name not in item.content["targets"]}
            record = {**item.record, "secrets": _uids(seen, tls[item.name].server_secret, tls[item.name].ca_secret)}
            item = replace(
                item, content={**item.content, "targets": {**item.content["targets"], **gone}}, record=record
            )
        items.append(item)
    return items


def _uids(seen: Seen, *names: str) -> list[str]:
    return [seen[("Secret", name)].uid if ("Secret", name) in seen else "" for name in names]


def unwanted(desired: Iterable[Item], seen: Seen, services: Iterable[Service], kind: SiteKind) -> list[tuple[str, str]]:
    """Return our items of these services that must not be there (any more): a dropped port, a changed side.

    Only what carries our label and one of these addresses: nothing that the user did not name is deleted.
    """
    listed = list(services)
    addresses = {service.address for service in listed}
    kept = {item.key for item in desired}
    found = [
        key
        for key, item in seen.items()
        if key not in kept
        and item.owner == OURS
        and (
            (key[0] in ("Listener", "Connector", *_resources(kind)) and item.labels.get(ADDRESS_LABEL) in addresses)
            or (key[0] == "ServiceEntry" and key[1] in addresses)
            or key[0] == "Workload"  # resolved for these services only
        )
    ]
    going = set(found)
    for service in listed:
        # What belongs to the pair of secrets goes with the last item of ours that uses the pair.
        for shared in _shared(service, kind):
            item = seen.get(shared)
            ours = item is not None and item.owner == OURS
            if ours and shared not in kept | going and not _in_use(seen, shared, service.tls.ca_secret, going):
                found.append(shared)
                going.add(shared)
    return found


def _shared(service: Service, kind: SiteKind) -> list[tuple[str, str]]:
    profiles = [("RouterProfile", service.tls.ca_secret), ("Certificate", profile_name(service.tls))]
    return [
        *profiles,
        *([("Certificate", SERVICE_CLIENT)] if service.tls.generated and kind.family == "system" else []),
    ]


def _resources(kind: SiteKind) -> tuple[str, ...]:
    """Return the further kind that a service has of its own: on Kubernetes the step distribute makes it."""
    return ("Certificate",) if kind.family == "system" else ()


def _in_use(seen: Seen, shared: tuple[str, str], ca_secret: str, going: set[tuple[str, str]]) -> bool:
    remaining = [(key, item) for key, item in seen.items() if key not in going]
    if shared == ("Certificate", SERVICE_CLIENT):
        return any(key[0] == "Certificate" and ADDRESS_LABEL in item.labels for key, item in remaining)
    return any(
        ca_secret in ((item.content.get("spec") or {}).get("tlsCredentials"), item.content.get("tlsCertAuthority"))
        for key, item in remaining
        if key[0] in ("Connector", "ServiceEntry")
    )


def _refuse_without_secrets(services: Iterable[Service], seen: Seen, kind: SiteKind, context: Context) -> None:
    """Refuse to expose what the site has no usable secrets for: its router would stop working (invariant 2)."""
    problems = []
    for name, summary in secret_summaries(seen, services, kind, context).items():
        lacking = ["the secret"] if summary is None else summary["missing_keys"]
        if summary is not None and summary["key"] == "does not match":
            lacking = ["a key that matches the certificate"]
        if lacking:
            problems.append(
                SiteError(
                    f"Secret {name} is not complete, so the service is not exposed",
                    site=context.host,
                    field=f"Secret/{name}",
                    found=f"missing: {', '.join(lacking)}",
                    remedy="Run the step distribute first, for every site",
                )
            )
    raise_all(problems)


def _heals(services: Iterable[Service], seen: Seen, result: Plan, adopt: bool) -> list[Change]:
    """Return a touch for each v1 entry that came before its secrets.

    Such a site has no bridges, and making the secret does not heal it: the entry's text must change (1.9.6). Which
    secrets it was last touched for is remembered, so that a site whose controller is away is not touched every run.
    """
    busy = {change.item.key for change in result.changes}
    heals = []
    for service in services:
        key = ("ServiceEntry", service.address)
        entry = None if service.tls.generated else seen.get(key)
        if entry is None or key in busy or entry.status.get("bridges"):
            continue
        if entry.owner != OURS and not entry.synced and not adopt:
            continue  # somebody's own (invariant 3)
        pair = (service.tls.server_secret, service.tls.ca_secret)
        if (entry.content.get("tlsCredentials"), entry.content.get("tlsCertAuthority")) != pair:
            continue
        uids = _uids(seen, *pair)
        if entry.record.get("secrets") != uids:
            record = {**entry.record, "secrets": uids}
            record.pop("network", None)
            if entry.owner != OURS:
                record["owned"] = False
            heals.append(Change("touch", Item(*key, entry.content, record=record), entry))
    return heals


def _roles(services: Iterable[Service]) -> dict[str, Any]:
    return {service.address: role_of(service) for service in services}


def role_of(service: Service) -> dict[str, Any]:
    """Return what a result says of a service: the side of the site at hand, the ports, the names of the secrets.

    On v1 a site has the role ``synced`` that is not to take part and gets the entry from Skupper all the same.
    """
    side = "consumer" if service.takes_part else "synced"
    return {
        "role": "provider" if service.provides else side,
        "ports": [port.port for port in service.ports],
        "server_secret": service.tls.server_secret,
        "ca_secret": service.tls.ca_secret,
    }
