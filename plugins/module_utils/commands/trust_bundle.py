# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module ``trust_bundle``: what clients outside the sites must trust."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import exports
from ..errors import ForeignObject, InputError, SiteConflict, SkupperTlsError, StoreError, raise_all
from ..kube import api
from ..plan import OURS
from ..skupper import names, snippets
from ..skupper.services import Service, parse_services
from ..stores import records
from ..stores.base import Store
from ..x509 import bundles, describe
from ..x509.bundles import Entry
from . import summaries
from .context import Context, connection, network_problems, open_store

ATTEMPTS = 5

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True)
class Destination:
    """A bundle and where it goes.

    Attributes:
        place: where.
        form: ``pem`` or ``pkcs12``.
        file: the path of a file, as the user wrote it; empty for a ConfigMap.
        password: of a trust store.
        field: where the user wrote it, for messages.
        authorities: the names of the authorities whose certificates it holds.
        entries: the certificates.
    """

    place: exports.Place
    form: str
    file: str
    password: str
    field: str
    authorities: tuple[str, ...]
    entries: tuple[Entry, ...]

    def __repr__(self) -> str:
        return f"Destination({self.place.label!r})"


def run(params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Make the destinations hold the bundle, or not.

    Raises:
        SkupperTlsError: the store, a destination or an option is not in order. Nothing was written if it was refused.
    """
    raise_all(network_problems(params))
    services = parse_services(params.get("services") or [], context.groups)
    present = params["state"] == "present"
    by_authority = _entries(services, params, context) if present else {}
    destinations = _destinations(by_authority, params, context)
    done = _apply(destinations, params, context)
    shown = {entry.name: describe.describe(entry.certificate) for each in destinations for entry in each.entries}
    result: dict[str, Any] = {
        "changed": bool(done),
        "destinations": {each.place.label: each.place.label in done for each in destinations},
        "certificates": [{"name": name, **shown[name]} for name in sorted(shown)],
        "snippets": _snippets(services, by_authority, destinations) if present else {},
    }
    result["table"] = [line for address, found in result["snippets"].items() for line in snippets.lines(address, found)]
    if done:
        result["diff"] = {
            side: {label: change[side] for label, change in done.items() if change[side] is not None}
            for side in ("before", "after")
        }
    return result


# -- what is in it


def _entries(
    services: Sequence[Service], params: Mapping[str, Any], context: Context
) -> dict[str, tuple[tuple[str, ...], list[Entry]]]:
    """Return by authority the addresses that it issues for, and its certificates.

    Only certificates are read: the store's passphrase is not needed, and no key can come along.
    """
    store = open_store(params, context)
    network = params["network"]
    addresses: dict[str, list[str]] = {}
    for service in services:
        if service.tls.generated:
            # Each site has a CA of its own, which is not in the store, or the signer is the CA of all.
            if service.tls.signer:
                addresses.setdefault(service.tls.signer, []).append(service.address)
            continue
        certificate = records.load(store, "certificate", service.tls.server_secret, network)
        if certificate is None:
            raise _missing(store, f"certificate {service.tls.server_secret}")
        addresses.setdefault(records.authority_of(store, certificate).name, []).append(service.address)
    for destination in params["destinations"]:
        for name in destination.get("authorities") or []:
            addresses.setdefault(name, [])
    found = {}
    for name, served in addresses.items():
        authority = records.load(store, "authority", name, network)
        if authority is None:
            raise _missing(store, f"authority {name}")
        found[name] = tuple(served), [Entry(_alias(network, name, each), each) for each in authority.anchors]
    return found


def _missing(store: Store, what: str) -> StoreError:
    return StoreError(
        f"the store has no {what}", field="store", found=store.describe(), remedy="Run the step issue first"
    )


def _prefix(network: str) -> str:
    return f"{names.MANAGED_BY}/{network}/"


def _alias(network: str, authority: str, certificate: Any) -> str:
    """Return the friendly name of a certificate. Java compares such names without regard to case."""
    return f"{_prefix(network)}{authority}/{describe.fingerprint(certificate)[:11].replace(':', '').lower()}"


def _note(network: str) -> str:
    return f"CA bundle of the Skupper network {network}, managed by {names.MANAGED_BY}"


# -- where it goes


def _destinations(
    by_authority: Mapping[str, tuple[tuple[str, ...], list[Entry]]], params: Mapping[str, Any], context: Context
) -> list[Destination]:
    problems: list[SkupperTlsError] = []
    found: list[Destination] = []
    for index, options in enumerate(params["destinations"]):
        field = f"destinations[{index}]"
        wrong = _option_problems(options, field)
        problems += wrong
        if wrong:
            continue
        chosen = tuple(options.get("authorities") or [name for name, (served, dummy) in by_authority.items() if served])
        entries = tuple(entry for name in chosen if name in by_authority for entry in by_authority[name][1])
        if params["state"] == "present" and not entries:
            problems.append(_empty(field))
        place, wrong = _place(options, field, params, context)
        problems += wrong
        if any(each.place.label == place.label for each in found):
            problems.append(
                InputError("is the same place as another", field=field, found=place.label, remedy="Name it once")
            )
        form, password = options["format"], str(options.get("password") or "")
        found.append(Destination(place, form, str(options.get("path") or ""), password, field, chosen, entries))
    raise_all(problems)
    return found


def _empty(field: str) -> InputError:
    return InputError(
        "would be empty: no authority of the store issues for the services",
        field=field,
        remedy="Set skupper_tls_services, or name authorities; where each site's own CA signs, it is in that site's"
        " secret skupper-service-client",
    )


def _option_problems(options: Mapping[str, Any], field: str) -> list[SkupperTlsError]:
    problems: list[SkupperTlsError] = []
    config_map = options.get("config_map")
    if bool(options.get("path")) == bool(config_map):
        problems.append(
            InputError("needs either a path or a config_map", field=field, remedy="Give one of them for each entry")
        )
    if options["format"] == "pkcs12" and config_map:
        problems.append(
            InputError(
                "a ConfigMap holds the bundle as PEM only",
                field=f"{field}.format",
                found="pkcs12",
                remedy="Use format pem, or a path",
            )
        )
    if options["format"] == "pkcs12" and not options.get("password"):
        problems.append(
            InputError(
                "a trust store needs a password",
                field=f"{field}.password",
                remedy="Give one that its readers know; it protects no secret, for certificates are public",
            )
        )
    if config_map:
        problems += names.label_problems(config_map["namespace"], f"{field}.config_map.namespace")
        for part in str(config_map["name"]).split("."):
            problems += names.label_problems(part, f"{field}.config_map.name")
        if not _KEY.fullmatch(config_map["key"]):
            problems.append(
                InputError(
                    "is not the key of a ConfigMap",
                    field=f"{field}.config_map.key",
                    found=config_map["key"],
                    remedy="Use letters, digits, hyphens, dots and underscores, such as ca.crt",
                )
            )
    return problems


def _place(
    options: Mapping[str, Any], field: str, params: Mapping[str, Any], context: Context
) -> tuple[exports.Place, list[SkupperTlsError]]:
    network, config_map = params["network"], options.get("config_map")
    if not config_map:
        password = str(options.get("password") or "")
        path = context.path(options["path"])
        return exports.File(path, f"{field}.path", lambda data: _is_ours(data, network, password)), []
    client = api(connection(config_map, context))
    where = f"{field}.config_map"
    namespace = config_map["namespace"]
    missing = exports.missing_namespace(client, namespace, where) if params["state"] == "present" else None
    place = exports.ConfigMap(client, namespace, config_map["name"], config_map["key"], network, where)
    return place, [missing] if missing else []


def _is_ours(data: bytes, network: str, password: str) -> bool:
    """Tell by a file's content whether we wrote it: our line before the PEM, or our names in the trust store."""
    if bundles.has_note(data, _note(network)):
        return True
    entries = bundles.read_pkcs12(data, password) if password else None
    return bool(entries) and all(entry.name.startswith(_prefix(network)) for entry in entries or [])


# -- what changes


def _apply(
    destinations: Iterable[Destination], params: Mapping[str, Any], context: Context
) -> dict[str, dict[str, Any]]:
    """Return by label what was changed, as before and after; all refusals before the first write."""
    listed = list(destinations)
    done: dict[str, dict[str, Any]] = {}
    for attempt in range(ATTEMPTS):
        held = [(each, each.place.read()) for each in listed]
        raise_all(problem for each, before in held for problem in _refusals(each, before, params))
        try:
            for each, before in held:
                if _differs(each, before, params):
                    if not context.check:
                        _write(each, before, params)
                    done[each.place.label] = _shown(each, before, params)
            return done
        except SiteConflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def _refusals(each: Destination, before: exports.Held | None, params: Mapping[str, Any]) -> list[SkupperTlsError]:
    if before is None or before.owner == OURS or params["adopt"]:
        return []
    if params["state"] == "absent" and before.data is None:
        return []
    return [
        ForeignObject(
            f"{each.place.label} is there already, and this collection did not write it for this network",
            field=each.field,
            found="no mark of ours, or a trust store that the password does not open",
            remedy="Choose another place, remove it, or set adopt: true to take it over",
        )
    ]


def _differs(each: Destination, before: exports.Held | None, params: Mapping[str, Any]) -> bool:
    if params["state"] == "absent":
        return before is not None and (before.data is not None or before.owner == OURS)
    if before is None or before.data is None or before.owner != OURS:
        return True
    if each.form == "pkcs12":
        return bundles.read_pkcs12(before.data, each.password) != list(each.entries)
    return before.data != _pem(each, params)


def _pem(each: Destination, params: Mapping[str, Any]) -> bytes:
    return bundles.to_pem(each.entries, _note(params["network"]) if each.file else "")


def _write(each: Destination, before: exports.Held | None, params: Mapping[str, Any]) -> None:
    if params["state"] == "absent":
        if before is not None:
            each.place.remove(before)
    elif each.form == "pkcs12":
        each.place.write(bundles.to_pkcs12(each.entries, each.password, f"{each.field}.format"), before)
    else:
        each.place.write(_pem(each, params), before)


def _shown(each: Destination, before: exports.Held | None, params: Mapping[str, Any]) -> dict[str, Any]:
    after = None
    if params["state"] == "present":
        certificates = [describe.describe(entry.certificate) for entry in each.entries]
        after = {"managed by": OURS, "certificates": [_clipped(entry) for entry in certificates]}
    if before is None:
        return {"before": None, "after": after}
    return {"before": {"managed by": before.owner, "certificates": _held(each, before)}, "after": after}


def _held(each: Destination, before: exports.Held) -> list[dict[str, Any]]:
    entries = bundles.read_pkcs12(before.data or b"", each.password) if each.form == "pkcs12" else None
    if entries is not None:
        return [_clipped(describe.describe(entry.certificate)) for entry in entries]
    return summaries.described(before.data) if before.data else []


def _clipped(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: entry[key] for key in summaries.SHOWN}


def _snippets(
    services: Iterable[Service],
    by_authority: Mapping[str, tuple[tuple[str, ...], list[Entry]]],
    destinations: Sequence[Destination],
) -> dict[str, Any]:
    """Return the commands of each service, with the first file of each form that holds the service's CA."""
    found = {}
    for service in services:
        authority = next((name for name, (served, dummy) in by_authority.items() if service.address in served), "")
        files = {each.form: each.file for each in reversed(destinations) if each.file and authority in each.authorities}
        ca_file, trust_store = files.get("pem", snippets.CA_FILE), files.get("pkcs12", snippets.TRUST_STORE)
        found[service.address] = snippets.snippets(service, ca_file, trust_store)
    return found
