# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what is to be removed, and what of a site goes with it, in two phases.

First what exposes the services, on every site; then, where nothing uses them any more, router profiles,
Certificates, secrets, and what was noted of things that are there no longer. The order is Skupper's demand: one
missing secret stops the configuration of every service of a v2 site, and takes all bridges from a v1 site.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import InputError, raise_all
from ..plan import OURS, Observed
from . import generated, mounts
from .desired import Item, SiteKind, secret_names, service_items
from .names import ADDRESS_LABEL, SERVICE_CA
from .services import Service

Seen = Mapping["tuple[str, str]", Observed]

OPTION = "skupper_tls_remove"
SERVICES, ALL, ORPHANS = "services", "all", "orphans"

EXPOSING = ("Listener", "Connector", "ServiceEntry", "Workload")
"""What goes first; of workloads the mounts of a service."""

BEHIND = ("RouterProfile", "Certificate", "Secret", "Issuer", "Note")
"""What goes second, in this order. A Certificate counts as a secret: Skupper deletes the secret of its name."""

USERS = ("Bridge", "File")
"""What is nobody's item, and may use a secret: the router's bridges (v1), files of the user (system sites)."""

PROFILE_SUFFIX = "-profile"


@dataclass(frozen=True)
class Scope:
    """What is to be removed.

    Attributes:
        what: ``services``, ``all`` or ``orphans``; empty if the user has not said it.
        leaving: the services of the inventory that are to go.
        staying: those that are not.
    """

    what: str
    leaving: tuple[Service, ...] = ()
    staying: tuple[Service, ...] = ()

    @property
    def addresses(self) -> frozenset[str]:
        """The addresses of the services that are to go."""
        return frozenset(service.address for service in self.leaving)


@dataclass(frozen=True)
class Going:
    """What of a site goes.

    Attributes:
        unexpose: goes first.
        remove: goes second, in this order.
        kept: by item that would go what still uses it, so that it stays.
        waiting: what Skupper itself is to take away, since what it comes from goes: synced entries, bridges.
    """

    unexpose: tuple[tuple[str, str], ...]
    remove: tuple[tuple[str, str], ...]
    kept: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    waiting: tuple[tuple[str, str], ...] = ()


def parse_scope(value: Any, services: Iterable[Service]) -> Scope:
    """Return what is to be removed.

    Args:
        value: what the user said: addresses as a list or as text with commas, ``all`` or ``orphans``.
        services: the services of the inventory.

    Raises:
        InputError: it names something that is not there, or it can be understood in two ways.
    """
    listed = tuple(services)
    texts = value if isinstance(value, (list, tuple)) else str(value or "").split(",")
    named = list(dict.fromkeys(text for text in (str(part).strip() for part in texts) if text))
    known = {service.address: service for service in listed}
    words = [name for name in named if name in (ALL, ORPHANS)]
    problems = []
    if words and (len(named) > 1 or words[0] in known):
        problems.append(
            InputError(
                f"{words[0]} cannot be combined with an address, nor be one",
                field=OPTION,
                found=", ".join(named) if len(named) > 1 else f"a service of the address {words[0]}",
                remedy=f"Give addresses, or {ALL}, or {ORPHANS}; give a service of such an address another one",
            )
        )
    problems += [
        InputError(
            "is not the address of a service of the inventory",
            field=OPTION,
            found=name,
            remedy=f"Use {offers(listed)}; what is left of a service that is no longer in the inventory is an orphan",
        )
        for name in named
        if name not in known and name not in (ALL, ORPHANS)
    ]
    raise_all(problems)
    if not named:
        return Scope("", staying=listed)
    if words:
        return Scope(words[0], *((listed, ()) if words[0] == ALL else ((), listed)))
    leaving = tuple(service for service in listed if service.address in named)
    return Scope(SERVICES, leaving, tuple(service for service in listed if service not in leaving))


def offers(services: Iterable[Service]) -> str:
    """Return what could be removed, for messages."""
    addresses = ", ".join(service.address for service in services)
    return f"one or more of {addresses}; or {ALL}, or {ORPHANS}" if addresses else f"{ALL} or {ORPHANS}"


def kinds_to_read(site: SiteKind) -> tuple[str, ...]:
    """Return the kinds that a removal must know of on a site of this kind."""
    issued = ("Certificate", *(["Issuer"] if site.family == "system" else [])) if site.version == "v2" else ()
    return tuple(dict.fromkeys((*site.kinds, *issued, "Note", *USERS)))


def wanted_secrets(scope: Scope, site: SiteKind) -> list[str]:
    """Return the names of the secrets that the site has, or may have, of the services that are to go."""
    return secret_names(_both_sides(scope.leaving), site)


def belongings(services: Iterable[Service], site: SiteKind) -> set[tuple[str, str]]:
    """Return kind and name of all that a site holds for the services, whichever side it is on."""
    return _keys(_both_sides(services), site)


def _both_sides(services: Iterable[Service]) -> list[Service]:
    return [replace(service, provides=side) for service in services for side in (True, False)]


def _items(services: Iterable[Service], site: SiteKind) -> list[Item]:
    return [item for service in services for item in service_items(service, site)]


def going(scope: Scope, seen: Seen, site: SiteKind, addresses: Collection[str] | None = None) -> Going:
    """Return what of the site goes, and what would but is still in use.

    Args:
        scope: what is to be removed.
        seen: what stands on the site, of all kinds that this module names.
        addresses: those whose entries Skupper is to take away from every site; None for those of the scope.
    """
    passing_addresses = scope.addresses if addresses is None else set(addresses)
    here = _keys(scope.staying, site) if scope.what == SERVICES else belongings(scope.staying, site)
    theirs = belongings(scope.leaving, site) if scope.what == SERVICES else set()
    leaving = {key for key, item in seen.items() if item.owner == OURS and _leaves(scope, key, item, here, theirs)}
    unexpose = tuple(sorted(key for key in leaving if key[0] in EXPOSING))
    behind = {key for key in leaving if key[0] in BEHIND}
    passing = {key for key, item in seen.items() if _passes(key, item, passing_addresses)}
    kept: dict[tuple[str, str], tuple[str, ...]] = {}
    users = {key: item for key, item in seen.items() if key not in leaving and key not in passing}
    while True:
        found = {key: _users_of(key, users, site) for key in behind - set(kept)}
        new = {key: names for key, names in found.items() if names}
        if not new:
            break
        # What stays may itself use something: a leaf Certificate its CA.
        kept.update(new)
        users.update({key: seen[key] for key in new})
    networks = {f"{kind} {name}" for (kind, name), item in users.items() if item.network and item.owner != OURS}
    for service in scope.leaving:
        # Another network that shares the pair holds both halves on every site, whichever of them its side uses.
        halves = [("Secret", service.tls.server_secret), ("Secret", service.tls.ca_secret)]
        sharing = [kept[key] for key in halves if networks & set(kept.get(key, ()))]
        kept.update((key, sharing[0]) for key in halves if sharing and key in behind and key not in kept)
    shared = {key: ("another service",) for key in theirs & here if key in seen and seen[key].owner == OURS}
    remove = sorted(behind - set(kept), key=lambda key: _rank(key, seen[key]))
    needed = {name for kind, name in remove if kind != "Note"}
    waiting = sorted(key for key in passing if needed & uses(key, seen[key], site))
    return Going(unexpose, tuple(remove), {**shared, **kept}, tuple(waiting))


def _keys(services: Iterable[Service], site: SiteKind) -> set[tuple[str, str]]:
    listed = list(services)
    keys = {item.key for item in _items(listed, site)} | {("Secret", name) for name in secret_names(listed, site)}
    if any(service.tls.generated for service in listed):
        # What the site's CA is depends on a signer; whichever it is, it belongs to the services that it signs for.
        keys |= {item.key for item in generated.leaf_certificates(listed, site)}
        keys |= {(kind, SERVICE_CA) for kind in ("Certificate", "Secret", "Issuer")}
    return keys


def _leaves(scope: Scope, key: tuple[str, str], item: Observed, here: Collection[Any], theirs: Collection[Any]) -> bool:
    if key[0] not in (*EXPOSING, *BEHIND) or not scope.what:
        return False
    if scope.what == ALL:
        return True
    # What was noted goes where that which it was noted of would go.
    kind, dummy, name = key[1].partition("/") if key[0] == "Note" else (key[0], "", key[1])
    address = item.labels.get(ADDRESS_LABEL) or (name if kind == "ServiceEntry" else "")
    if address:
        staying = {service.address for service in scope.staying}
        return address in scope.addresses if scope.what == SERVICES else address not in staying
    return (kind, name) not in here and (scope.what == ORPHANS or (kind, name) in theirs)


def _passes(key: tuple[str, str], item: Observed, addresses: Collection[str]) -> bool:
    if key[0] == "Bridge":
        return item.content.get("address") in addresses
    return key[0] == "ServiceEntry" and item.synced and key[1] in addresses


def _users_of(key: tuple[str, str], users: Seen, site: SiteKind) -> tuple[str, ...]:
    if key[0] == "Note":
        return ()
    return tuple(f"{kind} {name}" for (kind, name), item in users.items() if key[1] in uses((kind, name), item, site))


def uses(key: tuple[str, str], item: Observed, site: SiteKind) -> set[str]:
    """Return the names of the secrets, profiles and Certificates that an item needs."""
    if key[0] in ("Secret", "Issuer", "Note", "RouterProfile"):
        return set()
    if key[0] == "Workload":
        return set(mounts.secrets_of(item))
    fields = item.content.get("spec") or item.content
    names = {str(fields[name]) for name in ("tlsCredentials", "tlsCertAuthority", "ca") if fields.get(name)}
    names |= set(item.mentions)
    if site.family == "system":
        names |= {name + PROFILE_SUFFIX for name in names}
    return names


def _rank(key: tuple[str, str], item: Observed) -> tuple[int, bool, str]:
    """Put leaf Certificates before the CA that signs them."""
    signing = bool((item.content.get("spec") or {}).get("signing"))
    return BEHIND.index(key[0]), signing, key[1]
