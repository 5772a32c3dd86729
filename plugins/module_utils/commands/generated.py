# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated mode on a site: its signing CA, and the certificates that are to be made with it.

On Skupper v2 the CA comes first and is waited for: a leaf made before its CA stays in error (2.2.1). What Skupper
then does not do by itself is planned here: a secret that was deleted, and leaves of a CA that is no longer there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..errors import ForeignObject, SiteError, SkupperTlsError, raise_all
from ..plan import OURS, Change, Observed, Plan, plan
from ..sites.base import Site
from ..skupper import generated
from ..skupper.desired import SECRET_KEYS, Item, SiteKind
from ..skupper.names import ADDRESS_LABEL, SERVICE_CA, SERVICE_CLIENT
from ..skupper.services import Service, generated_services
from ..x509 import names, pem, rules
from .context import Context

Seen = Mapping["tuple[str, str]", Observed]
CA_KEY = ("Certificate", SERVICE_CA)
CA_SECRET = ("Secret", SERVICE_CA)
POLL_SECONDS = 0.5


def certificate_plans(
    services: Iterable[Service], kind: SiteKind, host: str, signer: Item | None, seen: Seen, adopt: bool
) -> tuple[Plan, Plan]:
    """Return what must change for the site's own CA to sign, and for the certificates that it signs.

    Args:
        signer: the CA of the store in the place of the site's own, None for the site's own.
        seen: the Certificates of the site and the secrets of the services.
    """
    listed = list(services)
    if not generated_services(listed):
        return _nothing(), _nothing()
    if not kind.certificates:
        first = plan([signer], seen, adopt) if signer is not None else _without_signer(seen)
        return replace(first, problems=(*first.problems, *_in_the_way(listed, kind, seen))), _nothing()
    first = _signer_plan(signer, seen, adopt) if signer is not None else _authority_plan(host, seen, adopt)
    leaves = generated.leaf_certificates(listed, kind)
    return first, _leaf_plan(leaves, seen, adopt, any(_another(change) for change in first.changes))


def _another(change: Change) -> bool:
    """Return whether a change makes another CA, and not only says whose it is."""
    before = change.before.content if change.before is not None else {}
    return change.action != "update" or any(before.get(key) != value for key, value in change.item.content.items())


def _without_signer(seen: Seen) -> Plan:
    """Return the removal of a CA of the store that the site is to sign with no longer. A user's own issuer stays."""
    key = ("Issuer", SERVICE_CA)
    standing = seen.get(key)
    ours = standing is not None and standing.owner == OURS
    return plan([], seen, False, [key] if ours else [])


def _nothing() -> Plan:
    return Plan((), ())


def _authority_plan(host: str, seen: Seen, adopt: bool) -> Plan:
    standing, secret = seen.get(CA_KEY), seen.get(CA_SECRET)
    item = generated.authority_certificate(host, (standing.content.get("spec") or {}) if standing is not None else {})
    if standing is None and secret is not None:
        if secret.owner != OURS:
            return Plan((), (_users_own(SERVICE_CA),))
        # A CA of the store had the place.
        return Plan((Change("delete", Item(*CA_SECRET, {}), secret), Change("create", item)), ())
    return _renewed(item, plan([item], seen, adopt), standing, secret, adopt)


def _signer_plan(signer: Item, seen: Seen, adopt: bool) -> Plan:
    standing = seen.get(CA_KEY)
    if standing is None:
        return plan([signer], seen, adopt)
    # The secret is the Certificate's and goes with it.
    removal = plan([], seen, adopt, [CA_KEY])
    return Plan((*removal.changes, Change("create", signer)), removal.problems)


def _leaf_plan(leaves: Iterable[Item], seen: Seen, adopt: bool, another_ca: bool) -> Plan:
    """Return what must change of the certificates that the CA signs; ``another_ca``: it is yet to be made."""
    changes: list[Change] = []
    problems: list[SkupperTlsError] = []
    for item in leaves:
        standing, secret = seen.get(item.key), seen.get(("Secret", item.name))
        if standing is None and secret is not None:
            problems.append(_users_own(item.name))
            continue
        item = _with_hosts(item, standing, secret, secret is not None and (another_ca or not _signed(secret, seen)))
        result = _renewed(item, plan([item], seen, adopt), standing, secret, adopt)
        changes += result.changes
        problems += result.problems
    return Plan(tuple(changes), tuple(problems))


def _with_hosts(item: Item, standing: Observed | None, secret: Observed | None, anew: bool) -> Item:
    """Return the item with the hosts that stand, if they are one of the two forms, or with the other form.

    Where an earlier run has changed the form and Skupper has not answered yet, it stays: changed once more, it would
    be what Skupper has made already.
    """
    wanted = item.content["spec"]["hosts"]
    found = ((standing.content.get("spec") or {}).get("hosts") if standing is not None else None) or wanted
    forms = (wanted, generated.other_hosts(wanted))
    hosts = found if found in forms else wanted
    if anew and not _asked_for(hosts, secret):
        hosts = generated.other_hosts(hosts)
    return replace(item, content={"spec": {**item.content["spec"], "hosts": hosts}})


def _asked_for(hosts: list[str], secret: Observed | None) -> bool:
    """Return whether a certificate has the other form of the hosts, so that Skupper is to issue it anew already."""
    try:
        leaf = pem.parse_certificates((secret.content["data"] if secret else {}).get("tls.crt", b""), "tls.crt")[0]
    except SkupperTlsError:
        return False
    return generated.is_longer(names.names_of(leaf)) != generated.is_longer(hosts)


def _renewed(item: Item, planned: Plan, standing: Observed | None, secret: Observed | None, adopt: bool) -> Plan:
    """Return the plan, or a new Certificate in the place of one whose secret Skupper does not make (any more).

    As long as Skupper has said nothing of the Certificate, the secret may still come.
    """
    if standing is None or planned.problems or _complete(secret) or not standing.status.get("conditions"):
        return planned
    if standing.owner != OURS and not adopt:
        return Plan((), (_without_secret(item.name),))
    return Plan((Change("replace", item, standing),), ())


def _complete(secret: Observed | None) -> bool:
    data = (secret.content.get("data") or {}) if secret is not None else {}
    return all(data.get(key) for key in SECRET_KEYS)


def _signed(secret: Observed, seen: Seen) -> bool:
    """Return whether the CA that the site has now signed a certificate, and stands beside it as its CA.

    A CA may be made anew with its key, for other names: what it has signed is then sound, but who trusts the old one
    refuses what it signs now. What cannot be read is not signed.
    """
    authority = seen.get(CA_SECRET)
    if authority is None:
        return True  # nothing to compare with; that the CA is missing is planned for by itself
    try:
        leaf = pem.parse_certificates(secret.content["data"].get("tls.crt", b""), "tls.crt")[0]
        issuer = pem.parse_certificates(authority.content["data"].get("tls.crt", b""), "tls.crt")[0]
        beside = pem.parse_certificates(secret.content["data"].get("ca.crt", b""), "ca.crt")
    except SkupperTlsError:
        return False
    return rules.issued_by(leaf, issuer) and issuer in beside


def _in_the_way(services: Iterable[Service], kind: SiteKind, seen: Seen) -> list[SkupperTlsError]:
    """Return the users' own secrets that have the names of those that Skupper is to make with the service."""
    problems: list[SkupperTlsError] = []
    for service in generated_services(services):
        name = service.tls.server_secret
        secret = seen.get(("Secret", name))
        if secret is not None and not secret.generated and not _made_by_entry(service, kind, seen):
            problems.append(_users_own(name))
    return problems


def _made_by_entry(service: Service, kind: SiteKind, seen: Seen) -> bool:
    entry = seen.get(("ServiceEntry", service.address))
    return (
        kind.version == "v1" and entry is not None and entry.content.get("tlsCredentials") == service.tls.server_secret
    )


def _users_own(name: str) -> ForeignObject:
    return ForeignObject(
        f"a secret {name} is there already, and Skupper did not generate it",
        field=f"Secret/{name}",
        found="a secret without its Certificate, or without the service",
        remedy="Remove or rename it: Skupper would use it in place of its own, and deletes it with the service",
    )


def _without_secret(name: str) -> SiteError:
    return SiteError(
        f"Certificate {name} is somebody else's, and Skupper has not made its secret",
        field=f"Certificate/{name}",
        remedy="Remove it, mend what its status says, or set adopt: true to take it over",
    )


def made_for(services: Iterable[Service], kind: SiteKind, seen: Seen) -> list[tuple[str, str]]:
    """Return what :func:`certificate_plans` made for the services and no other service needs.

    The CA and the router's certificate go with the last service of ours that has one of its own.
    """
    leaves = [("Certificate", service.tls.server_secret) for service in generated_services(services)]
    if not leaves or kind.version == "v1":
        return []
    others = any(
        item.owner == OURS and item.labels.get(ADDRESS_LABEL) and key not in leaves
        for key, item in seen.items()
        if key[0] == "Certificate"
    )
    shared = [("Certificate", SERVICE_CLIENT), CA_KEY, CA_SECRET, ("Issuer", SERVICE_CA)]
    ours = [key for key in shared if key in seen and seen[key].owner == OURS]
    return [*(leaves if kind.certificates else []), *([] if others else ours)]


def by_certificates(services: Iterable[Service], kind: SiteKind) -> bool:
    """Return whether the site gets Certificates before it exposes the services."""
    return kind.certificates and bool(generated_services(services))


def further_kinds(services: Iterable[Service], kind: SiteKind) -> list[str]:
    """Return the kinds of item, besides secrets, that the plans of :func:`certificate_plans` are made from."""
    if not generated_services(services):
        return []
    return ["Certificate"] if kind.certificates else ["Issuer"] if kind.family == "system" else ["ServiceEntry"]


def wait_for(
    site: Site, services: Iterable[Service], only_ca: bool, params: Mapping[str, Any], context: Context
) -> None:
    """Wait until Skupper has made the secrets of the Certificates, with the CA that the site has now.

    Raises:
        SkupperTlsError: it did not within the time that is given to it, or the site cannot be read.
    """
    if context.check:
        return
    made = generated_services(services)
    pairs = [name for service in made for name in (service.tls.ca_secret, service.tls.server_secret)]
    wanted = list(dict.fromkeys([SERVICE_CA, *([] if only_ca else pairs)]))
    seconds = float(params["certificate_timeout"])
    deadline = time.monotonic() + seconds
    while True:
        seen = site.observe(wanted, ["Certificate"])
        missing = [name for name in wanted if not _made(name, seen)]
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    raise_all(
        SiteError(
            f"Skupper has not made the secret of Certificate {name} within {seconds:g} seconds",
            site=context.host,
            field=f"Certificate/{name}",
            found=_says(seen.get(("Certificate", name))) or "no status: no Skupper controller has answered",
            remedy="Check that the Skupper controller of the cluster runs and may write secrets here; then run again",
        )
        for name in missing
    )


def _made(name: str, seen: Seen) -> bool:
    secret = seen.get(("Secret", name))
    return secret is not None and _complete(secret) and (name == SERVICE_CA or _signed(secret, seen))


def _says(certificate: Observed | None) -> str:
    """Return what Skupper says of a Certificate, empty if it has not seen it yet."""
    conditions = (certificate.status.get("conditions") or []) if certificate is not None else []
    return "; ".join(str(entry.get("message") or entry.get("reason") or entry.get("type")) for entry in conditions)
