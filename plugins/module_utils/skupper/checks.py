# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbered checks: what each is called, and the findings that preflight, barrier and verify make of a site.

Numbers are stable, a number is never used again. docs/checks.md has a section for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import ForeignObject, InputError, NotPermitted, NotReached, SkupperTlsError, StoreError, flatten

ERROR, WARNING = "error", "warning"

CHECKS: Mapping[str, str] = {
    "TLS101": "the site is reached",
    "TLS102": "the site has one version of Skupper",
    "TLS103": "every needed permission is granted",
    "TLS104": "the site's clock is right",
    "TLS105": "each host is a site of its own",
    "TLS106": "all sites have the same version of Skupper",
    "TLS107": "all sites are of one network",
    "TLS201": "the secret is there",
    "TLS202": "the secret is this collection's",
    "TLS203": "the secret has its keys",
    "TLS204": "the secret has the type that Skupper uses",
    "TLS205": "every secret of ours belongs to a service",
    "TLS206": "a removal takes no secret of the user with it",
    "TLS207": "nothing uses what is to be removed",
    "TLS301": "the private key matches the certificate",
    "TLS302": "the certificate is valid now",
    "TLS303": "the alternative names cover the address",
    "TLS304": "the certificate verifies under the CA bundle",
    "TLS305": "a generated certificate verifies under its own site's CA",
    "TLS401": "the service is exposed as planned",
    "TLS402": "no other object has the name",
    "TLS403": "Skupper has taken the service up",
    "TLS404": "the workload is there",
    "TLS405": "everything of ours belongs to a service",
    "TLS601": "every site holds the same certificates",
    "TLS602": "the sites hold what the store holds",
    "TLS603": "every site has a generated certificate and a CA of its own",
    "TLS701": "the store and what it is to issue are in order",
    "TLS702": "everything in the store belongs to a service",
    "TLS801": "the inventory is in order",
}


@dataclass(frozen=True)
class Finding:
    """One check that did not pass.

    Attributes:
        check: its number.
        severity: ``error`` or ``warning``.
        site: the inventory host name, empty for what concerns the whole network.
        subject: what was looked at (``Secret/server-cert-secret``, ``payments``, an option).
        message: what is wrong.
        found: what stands there.
        remedy: what to do.
    """

    check: str
    severity: str
    site: str
    subject: str
    message: str
    found: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the parts, and the check's title."""
        return {**asdict(self), "title": CHECKS[self.check]}


def from_error(error: SkupperTlsError, site: str, check: str = "") -> list[Finding]:
    """Return an error as findings, under the check given or the one that its kind belongs to."""
    return [
        Finding(
            check or check_of(single),
            ERROR,
            single.site or site,
            single.field,
            single.message,
            single.found,
            single.remedy,
        )
        for single in flatten(error)
    ]


def check_of(error: SkupperTlsError, of_a_site: bool = True) -> str:
    """Return the number of the check that an error belongs to; ``of_a_site``: not of the store and what it issues."""
    if isinstance(error, ForeignObject):
        return "TLS202" if error.field.startswith("Secret/") else "TLS402"
    if isinstance(error, StoreError) or not of_a_site:
        return "TLS701"
    if isinstance(error, InputError):
        return "TLS801"
    if isinstance(error, NotPermitted):
        return "TLS103"
    if isinstance(error, NotReached):
        return "TLS101"
    return "TLS404" if error.field.startswith("services") else "TLS102"


def secret_findings(site: str, name: str, summary: Mapping[str, Any] | None, role: str) -> list[Finding]:
    """Return what is wrong with one secret of a site.

    Args:
        name: the secret.
        summary: what :func:`summaries.secret` says of it, None if it is not there.
        role: ``server`` (certificate, key and CA) or ``ca`` (CA only).
    """
    subject = f"Secret/{name}"
    if summary is None:
        return [
            Finding(
                "TLS201",
                ERROR,
                site,
                subject,
                "the secret is missing: the router of this site gets no configuration any more",
                "no such secret",
                "Run the step distribute for this site",
            )
        ]
    findings = []
    remedy = "Run the step distribute for this site"
    if summary["owner"] == "foreign" and not summary.get("network"):  # one of another network's is shared with it
        findings.append(
            Finding(
                "TLS202",
                WARNING,
                site,
                subject,
                "the secret was not written by this collection",
                "",
                "Run distribute with skupper_tls_adopt: true to take it over",
            )
        )
    if summary["missing_keys"]:
        missing = ", ".join(summary["missing_keys"])
        findings.append(Finding("TLS203", ERROR, site, subject, "keys are missing or empty", missing, remedy))
    if not summary["usable_type"]:
        findings.append(
            Finding("TLS204", ERROR, site, subject, "Skupper v2 ignores a secret of this type", summary["type"], remedy)
        )
    if role == "server" and summary["key"] not in ("matches", "absent"):
        message = "the private key does not match the certificate"
        findings.append(Finding("TLS301", ERROR, site, subject, message, summary["key"], remedy))
    findings += [
        Finding(check, ERROR, site, subject, message, found, hint)
        for check, message, found, hint in summary["problems"]
    ]
    return findings


def differing(values: Mapping[str, str], subject: str) -> list[Finding]:
    """Return a finding for each site whose value is not the one that most sites have.

    Args:
        values: by site, a text that must be the same on every site; empty where there is none (told elsewhere).
        subject: what the value is of.
    """
    counted: dict[str, list[str]] = {}
    for site, value in values.items():
        if value:
            counted.setdefault(value, []).append(site)
    if len(counted) < 2:
        return []
    common = max(counted, key=lambda value: (len(counted[value]), value))
    return [
        Finding(
            "TLS601",
            ERROR,
            site,
            subject,
            f"differs from {len(counted[common])} of {sum(map(len, counted.values()))} sites",
            f"{_short(value)} here, {_short(common)} there",
            "Run the step distribute for all sites",
        )
        for value, sites in counted.items()
        if value != common
        for site in sites
    ]


def alike(values: Mapping[str, str], subject: str) -> list[Finding]:
    """Return a finding for each site whose value an earlier site has too, though each must have its own.

    Args:
        values: by site; empty where there is none (told elsewhere).
        subject: what the value is of.
    """
    first: dict[str, str] = {}
    findings = []
    for site, value in values.items():
        other = first.setdefault(value, site)
        if value and other != site:
            message = f"is the same as on {other}: it was copied, and not generated by the site"
            remedy = "Remove it on the site that it was copied to, and run the step distribute for that site"
            findings.append(Finding("TLS603", ERROR, site, subject, message, _short(value), remedy))
    return findings


def against_store(values: Mapping[str, str], expected: str, subject: str) -> list[Finding]:
    """Return a finding for each site whose value is not the store's."""
    return [
        Finding(
            "TLS602",
            ERROR,
            site,
            subject,
            "is not what the store holds",
            f"{_short(value)} here, {_short(expected)} in the store",
            "Run the step distribute for this site",
        )
        for site, value in values.items()
        if value and value != expected
    ]


def _short(fingerprint: str) -> str:
    return fingerprint[:11] + "…" if len(fingerprint) > 12 else fingerprint


def duplicate_sites(identities: Mapping[str, str]) -> list[Finding]:
    """Return a finding for each host that is the same site as an earlier one."""
    first: dict[str, str] = {}
    findings = []
    for host in sorted(identities):
        other = first.setdefault(identities[host], host)
        if other != host and identities[host]:
            findings.append(
                Finding(
                    "TLS105",
                    ERROR,
                    host,
                    "",
                    f"is the same site as {other}",
                    identities[host],
                    "Remove one of the two hosts from the inventory",
                )
            )
    return findings


def mixed_versions(versions: Mapping[str, str]) -> list[Finding]:
    """Return one finding that lists the sites of each version, if there is more than one version."""
    by_version: dict[str, list[str]] = {}
    for host in sorted(versions):
        if versions[host]:
            by_version.setdefault(versions[host], []).append(host)
    if len(by_version) < 2:
        return []
    listed = "; ".join(f"{version}: {', '.join(hosts)}" for version, hosts in sorted(by_version.items()))
    return [
        Finding(
            "TLS106",
            ERROR,
            "",
            "",
            "sites of different Skupper versions cannot be in one network",
            listed,
            "Split the inventory, or run with --limit for the sites of one version",
        )
    ]


def mixed_networks(networks: Mapping[str, str]) -> list[Finding]:
    """Return one finding that lists the sites of each network, if there is more than one network."""
    return [found for error in network_errors(networks) for found in from_error(error, "", "TLS107")]


def network_errors(networks: Mapping[str, str]) -> list[InputError]:
    """Return an error if the hosts, of which the network is given, are of more than one."""
    by_network: dict[str, list[str]] = {}
    for host in sorted(networks):
        if networks[host]:
            by_network.setdefault(networks[host], []).append(host)
    if len(by_network) < 2:
        return []
    return [
        InputError(
            "the hosts of this run belong to several networks, and a run is for one",
            field="skupper_tls_network",
            found="; ".join(f"{network}: {_some(hosts)}" for network, hosts in sorted(by_network.items())),
            remedy="Run once for each network, with -e skupper_tls_hosts=GROUP for the group of its hosts",
        )
    ]


def _some(hosts: Sequence[str], most: int = 6) -> str:
    return ", ".join(hosts[:most]) + (f" and {len(hosts) - most} more" if len(hosts) > most else "")


def permission_findings(site: str, missing: Iterable[str]) -> list[Finding]:
    """Return a finding for each permission that is needed and not granted."""
    remedy = "Grant it to the user of the site by a Role, or run as the user that owns the site"
    return [Finding("TLS103", ERROR, site, "", f"not permitted: {name}", "", remedy) for name in missing]


def clock_findings(site: str, offset: float | None, most: float = 60.0, refused: float = 240.0) -> list[Finding]:
    """Return a finding if the site's clock is off by more than so many seconds.

    A certificate is valid from five minutes before it was issued; a site that lags more would refuse it.
    """
    if offset is None or abs(offset) <= most:
        return []
    severity = ERROR if abs(offset) > refused else WARNING
    side = "ahead of" if offset > 0 else "behind"
    return [
        Finding(
            "TLS104",
            severity,
            site,
            "",
            f"the clock is {abs(offset):.0f} seconds {side} the control node's",
            "",
            "Set the clocks by NTP on both sides",
        )
    ]


def order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, errors first, then by site and check; each once."""
    unique = dict.fromkeys(findings)
    return sorted(unique, key=lambda entry: (entry.severity != ERROR, entry.site, entry.check, entry.subject))


def table(
    findings: Sequence[Finding], rows: Sequence[Sequence[str]], header: Sequence[str], most: int = 60
) -> list[str]:
    """Return the lines of the closing table: what failed first, each with its remedy, then the sites.

    Args:
        findings: in order.
        rows: a row a site, in the order to show.
        header: the column titles of the rows.
        most: how many sites to list.
    """
    lines: list[str] = []
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for entry in findings:
        alike.setdefault((entry.severity, entry.check, entry.message, entry.found, entry.remedy), []).append(entry)
    for (severity, check, message, found, remedy), group in alike.items():
        mark = "FAILED " if severity == ERROR else "warning"
        lines.append(f"{mark} {check} {_where(group)}: {message}" + (f" ({found})" if found else ""))
        if remedy:
            lines.append(f"        -> {remedy}")
    if lines and rows:
        lines.append("")
    lines += columns([header, *rows[:most]]) if rows else []
    if len(rows) > most:
        lines.append(f"... and {len(rows) - most} more sites")
    return lines


def _where(findings: Sequence[Finding], most: int = 6) -> str:
    """Return the places of findings that are alike, by site; a long list is cut."""
    by_site: dict[str, list[str]] = {}
    for entry in findings:
        by_site.setdefault(entry.site or "network", []).append(entry.subject)
    places = [" ".join([site, ", ".join(filter(None, subjects))]).strip() for site, subjects in by_site.items()]
    return "; ".join(places[:most]) + (f"; and {len(places) - most} more sites" if len(places) > most else "")


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
