# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``secrets``: the identically named secrets of a site, from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import SiteError, StoreError, raise_all
from ..plan import OURS, UNKNOWN, Change, Observed, Pending, Plan, diff, joined, plan
from ..sites.base import Site
from ..skupper.desired import Item, Material, SiteKind, secret_items, secret_names, site_problems
from ..skupper.names import SERVICE_CA
from ..skupper.removal import USERS, uses
from ..skupper.services import Service, Tls, concerning, custom_pairs, provides_with, secret_pairs
from ..stores import records
from ..stores.base import Store
from ..x509 import describe, pem
from . import generated, removal, summaries
from .applying import Done, apply_plan
from .context import (
    Context,
    issued_results,
    known_site,
    open_site,
    open_store,
    passphrase,
    pending_certificates,
    site_services,
)
from .signers import site_signer

Seen = Mapping["tuple[str, str]", Observed]


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the site hold the pairs of secrets of the services, or not.

    Raises:
        SkupperTlsError: the site, the store or an option is not in order. Nothing was written if it was refused.
    """
    if params.get("removal") is not None:
        return removal.remove(params, context)
    listed = site_services(params, context)
    known = settled_secrets(params, context) if params["state"] == "present" else None
    if known is not None:
        return {**_of_site(known["version"], params), "changed": False, "settled": True, "secrets": known["secrets"]}
    site = open_site(params, context)
    kind = site.kind()
    if params["state"] == "absent":
        return _absent(site, listed, params, context)
    services = concerning(listed, kind.version)
    wanted = secret_names(services, kind)
    raise_all(problem.at(context.host) for problem in site_problems(services, kind))
    desired, _revisions = desired_secrets(services, kind, params, context)
    signer = site_signer(services, kind, params, context)

    kinds = generated.further_kinds(services, kind)

    def plans() -> tuple[Plan, Plan, Seen]:
        seen = site.observe(wanted, kinds)
        ca, leaves = generated.certificate_plans(services, kind, context.host, signer, seen, params["adopt"])
        return joined(plan(desired, seen, params["adopt"]), ca), leaves, seen

    def first() -> tuple[Plan, Seen]:
        before, leaves, seen = plans()
        return joined(before, Plan((), leaves.problems)), seen

    def second() -> tuple[Plan, Seen]:
        dummy, leaves, seen = plans()
        return leaves, seen

    done = apply_plan(site, first, context.check)
    if generated.by_certificates(services, kind):
        generated.wait_for(site, services, True, params, context)
        leaves = apply_plan(site, second, context.check)
        generated.wait_for(site, services, False, params, context)
        done = Done((*done.changes, *leaves.changes), leaves.seen)
    changed = bool(done.changes)
    waited = changed or generated.by_certificates(services, kind)
    holds = site.observe(wanted, []) if waited and not context.check else done.seen
    result: dict[str, Any] = {
        **_of_site(kind.version, params),
        "changed": changed,
        "secrets": secret_summaries(holds, services, kind, context),
    }
    if changed:
        result["diff"] = diff(done.changes, summaries.described)
        result.update(reloaded=done.reloaded, to_do=site.after_change(done.changes))
        if context.check:
            result["predicted"] = predicted_fingerprints(services, desired, done.changes)
    return result


def _of_site(version: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the comparison across sites must know of a site besides its secrets."""
    return {"version": version, "network": params["network"]}


def settled_secrets(params: Mapping[str, Any], context: Context) -> Mapping[str, Any] | None:
    """Return what site_info said earlier in this run, if it stands: the site holds what the store still holds.

    It stands if every certificate has the revision that the site was compared with, and its authority too.
    """
    known = known_site(params)
    compared = known["settled"]["secrets"] if known is not None else None
    if known is None or compared is None:
        return None
    current = {
        str(entry.get("name")): [entry.get("revision"), entry.get("authority_revision")]
        for entry in issued_results(params)
        if not entry.get("changed") and not entry.get("failed")
    }
    return known if all(current.get(name) == revisions for name, revisions in compared.items()) else None


def desired_secrets(
    services: list[Service], kind: SiteKind, params: Mapping[str, Any], context: Context
) -> tuple[list[Item], dict[str, list[int]]]:
    """Return the secrets that the site must hold, and by name the revisions that they are made from.

    Raises:
        StoreError: the store cannot be read, or does not have a certificate.
    """
    pairs = custom_pairs(services)
    if not pairs:
        return [], {}
    store = open_store(params, context)
    items: dict[tuple[str, str], Item] = {}
    revisions: dict[str, list[int]] = {}
    for pair in pairs:
        provides = provides_with(services, pair)
        pending = pending_certificates(params, context).get(pair.certificate)
        if pending:
            name = str(pending.get("authority") or "")
            authority = records.load(store, "authority", name, params["network"]) if name else None
            made = stand_ins(pair, kind, provides, pending, authority)
        else:
            issued = _issued(store, pair, params, context)
            revisions[pair.certificate] = list(issued.revisions)
            made = secret_items(pair, issued.material, kind, provides)
        items.update((item.key, item) for item in made)
    return list(items.values()), revisions


def _issued(store: Store, pair: Tls, params: Mapping[str, Any], context: Context) -> records.Issued:
    issued = records.issued(store, pair.certificate, params["network"], passphrase(params))
    if issued is None:
        raise StoreError(
            f"the store has no certificate {pair.certificate}",
            site=context.host,
            field="store",
            found=store.describe(),
            remedy="Run the step issue first",
        )
    return issued


def stand_ins(
    pair: Tls, kind: SiteKind, provides: bool, pending: Mapping[str, Any], authority: records.Record | None = None
) -> list[Item]:
    """Return stand-ins for the secrets of a certificate that is still to be issued.

    Args:
        pending: what the module certificate said of it in check mode, empty if that is not known.
        authority: its CA, None if that is still to be made as well.
    """
    shown = [
        {key: entry[key] for key in summaries.SHOWN if key in entry}
        for entry in (pending.get("certificate") or {}, *(pending.get("intermediates") or []))
    ]
    bundle: Any = Pending(pending.get("pending_ca") or "from the authority")
    if authority is not None:
        bundle = pem.certificates_to_pem(list(authority.anchors))
    key: Any = Pending("present", bool(pending.get("another_key", True)))
    leaf: Any = Pending(shown)
    return secret_items(pair, Material(leaf, key, bundle), kind, provides)


def secret_summaries(holds: Seen, services: Iterable[Service], kind: SiteKind, context: Context) -> dict[str, Any]:
    """Return the summary of each secret that the services need, None for one that is not there.

    What Skupper generates only when the service is exposed (v1, system sites) is left out until it is there.
    """
    found: dict[str, Any] = {}
    listed = list(services)
    for pair in secret_pairs(listed):
        addresses = [service.address for service in listed if service.tls.server_secret == pair.server_secret]
        demanded = not pair.generated or kind.certificates
        for name, role in ((pair.server_secret, "server"), (pair.ca_secret, "ca")):
            observed = holds.get(("Secret", name))
            if observed is not None:
                found[name] = summaries.secret(observed, kind, role, addresses, context.now, pair.generated)
            elif demanded:
                found[name] = None
        if pair.generated and found.get(pair.server_secret) and found.get(pair.ca_secret):
            server, ca = (holds[("Secret", name)].content["data"] for name in (pair.server_secret, pair.ca_secret))
            found[pair.server_secret]["problems"] += summaries.own_ca_problems(server, ca, addresses, context.now)
    return found


def predicted_fingerprints(
    services: Iterable[Service], desired: Iterable[Item], changes: Iterable[Change]
) -> dict[str, str]:
    """Return by name of a secret the fingerprint of what is mounted from it, as the secret is to be."""
    data = {item.name: item.content["data"] for item in desired}
    touched = {change.item.name for change in changes}
    found = {}
    for pair in secret_pairs(services):
        if pair.generated:
            found.update({pair.server_secret: UNKNOWN} if pair.server_secret in touched else {})
            found.update({pair.ca_secret: UNKNOWN} if SERVICE_CA in touched else {})
            continue
        found[pair.server_secret] = _fingerprint(data[pair.server_secret]["tls.crt"], in_order=True)
        found[pair.ca_secret] = _fingerprint(data[pair.ca_secret]["ca.crt"], in_order=False)
    return found


def _fingerprint(value: Any, in_order: bool) -> str:
    if isinstance(value, Pending):
        shown = value.shown if isinstance(value.shown, list) else []
        prints = [str(entry.get("sha256") or UNKNOWN) for entry in shown] or [UNKNOWN]
    else:
        prints = [describe.fingerprint(cert) for cert in pem.parse_certificates(value, "secrets")]
    return " ".join(prints if in_order else sorted(prints))


def _absent(site: Site, services: list[Service], params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    kind = site.kind()
    wanted = secret_names(services, kind)
    written = secret_names([service for service in services if not service.tls.generated], kind)

    def planned() -> tuple[Plan, Seen]:
        seen = site.observe(wanted, {*kind.kinds, *USERS, *generated.further_kinds(services, kind)})
        lent = {name for name in written if not params["adopt"] and _of_another_network(seen.get(("Secret", name)))}
        raise_all(
            SiteError(
                f"the secret {name} is still used by {user}: without it the site's router stops working",
                site=context.host,
                field=f"Secret/{name}",
                remedy="Remove the service first (module service, state: absent)",
            )
            for user, name in _users(seen, {*wanted} - lent, kind)
        )
        keys = [("Secret", name) for name in written if name not in lent]
        return plan([], seen, params["adopt"], [*generated.made_for(services, kind, seen), *keys]), seen

    done = apply_plan(site, planned, context.check)
    result: dict[str, Any] = {**_of_site(kind.version, params), "changed": bool(done.changes), "secrets": {}}
    if done.changes:
        result["diff"] = diff(done.changes, summaries.described)
        result.update(reloaded=done.reloaded, to_do=site.after_change(done.changes))
    return result


def _of_another_network(observed: Observed | None) -> bool:
    return observed is not None and observed.owner != OURS and bool(observed.network)


def _users(observed: Seen, secrets: set[str], kind: SiteKind) -> list[tuple[str, str]]:
    return [
        (f"{key[0]} {key[1]}", name)
        for key, item in observed.items()
        if key[0] != "Certificate"
        for name in sorted(secrets & uses(key, item, kind))
    ]
