# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings: who differs from whom, the clock, and the closing table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    ForeignObject,
    InputError,
    NotPermitted,
    NotReached,
    Problems,
    SiteError,
    SkupperTlsError,
    StoreConflict,
    StoreError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import checks
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.checks import ERROR, WARNING, Finding

A, B = "AA:" * 31 + "AA", "BB:" * 31 + "BB"


@pytest.mark.parametrize(
    ("values", "sites"),
    [
        ({}, []),
        ({"east": A}, []),
        ({"east": A, "west": A}, []),
        ({"east": A, "west": ""}, []),
        ({"east": A, "west": A, "edge": B}, ["edge"]),
        ({"east": B, "west": A, "edge": B, "far": ""}, ["west"]),
        ({"a": A, "b": A, "c": A, "d": B, "e": "C"}, ["d", "e"]),
    ],
)
def test_differing(values: dict[str, str], sites: list[str]) -> None:
    found = checks.differing(values, "Secret/s tls.crt")
    assert sorted(finding.site for finding in found) == sites
    assert {finding.check for finding in found} <= {"TLS601"}
    assert all(finding.severity == ERROR and finding.subject == "Secret/s tls.crt" for finding in found)


def test_differing_says_from_how_many() -> None:
    (found,) = checks.differing({"a": A, "b": A, "c": B, "d": ""}, "x")
    assert found.message == "differs from 2 of 3 sites"
    assert found.found == "BB:BB:BB:BB… here, AA:AA:AA:AA… there"


def test_a_draw_is_the_same_whatever_the_order() -> None:
    one = checks.differing({"a": A, "b": B}, "x")
    two = checks.differing({"b": B, "a": A}, "x")
    assert [finding.site for finding in one] == [finding.site for finding in two] == ["a"]


def test_against_store() -> None:
    found = checks.against_store({"a": A, "b": B, "c": ""}, A, "x")
    assert [(finding.check, finding.site) for finding in found] == [("TLS602", "b")]
    assert found[0].found == "BB:BB:BB:BB… here, AA:AA:AA:AA… in the store"


def test_duplicate_sites() -> None:
    found = checks.duplicate_sites({"west": "u1", "east": "u1", "edge": "u2", "x": "", "y": "", "zz": "u1"})
    assert [(finding.check, finding.site, finding.message) for finding in found] == [
        ("TLS105", "west", "is the same site as east"),
        ("TLS105", "zz", "is the same site as east"),
    ]


@pytest.mark.parametrize("versions", [{}, {"a": "v1"}, {"a": "v2", "b": "v2"}, {"a": "v2", "b": ""}])
def test_one_version(versions: dict[str, str]) -> None:
    assert checks.mixed_versions(versions) == []


def test_mixed_versions_lists_the_sites_of_each() -> None:
    (found,) = checks.mixed_versions({"c": "v2", "b": "v1", "a": "v2", "d": ""})
    assert found.check == "TLS106"
    assert found.severity == ERROR
    assert found.found == "v1: b; v2: a, c"


@pytest.mark.parametrize(
    ("offset", "severity", "text"),
    [
        (None, "", ""),
        (0.0, "", ""),
        (60.0, "", ""),
        (-60.0, "", ""),
        (60.5, WARNING, "ahead of"),
        (-61.0, WARNING, "61 seconds behind"),
        (240.0, WARNING, "240 seconds ahead of"),
        (240.5, ERROR, "ahead of"),
        (-241.0, ERROR, "241 seconds behind"),
    ],
)
def test_clock(offset: float | None, severity: str, text: str) -> None:
    found = checks.clock_findings("east", offset)
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all(finding.check == "TLS104" and text in finding.message for finding in found)


@pytest.mark.parametrize(
    ("error", "check"),
    [
        (ForeignObject("m", field="Secret/s"), "TLS202"),
        (ForeignObject("m", field="Listener/s"), "TLS402"),
        (StoreError("m"), "TLS701"),
        (StoreConflict("m"), "TLS701"),
        (InputError("m"), "TLS801"),
        (SiteError("m", field="services.workload"), "TLS404"),
        (NotPermitted("not permitted: verb get on secrets"), "TLS103"),
        (NotReached("the API server x cannot be reached"), "TLS101"),
        (NotReached("the API server x does not accept the credentials"), "TLS101"),
        (SiteError("there is no Skupper site"), "TLS102"),
    ],
)
def test_check_of_an_error(error: SkupperTlsError, check: str) -> None:
    (found,) = checks.from_error(error, "east")
    assert (found.check, found.site, found.severity) == (check, "east", ERROR)
    (given,) = checks.from_error(error, "east", "TLS401")
    assert given.check == "TLS401"


def test_all_of_several_errors() -> None:
    error = Problems([InputError("a", site="west", field="f", found="x", remedy="r"), Problems([StoreError("b")])])
    assert checks.from_error(error, "east") == [
        Finding("TLS801", ERROR, "west", "f", "a", "x", "r"),
        Finding("TLS701", ERROR, "east", "", "b"),
    ]


GOOD = {"owner": "ours", "missing_keys": [], "usable_type": True, "type": "t", "key": "matches", "problems": []}


@pytest.mark.parametrize(
    ("changed", "role", "expected"),
    [
        ({}, "server", []),
        ({}, "ca", []),
        ({"owner": "foreign"}, "server", [("TLS202", WARNING)]),
        ({"missing_keys": ["tls.key", "ca.crt"]}, "server", [("TLS203", ERROR)]),
        ({"usable_type": False}, "ca", [("TLS204", ERROR)]),
        ({"key": "does not match"}, "server", [("TLS301", ERROR)]),
        ({"key": "absent"}, "server", []),
        ({"key": "does not match"}, "ca", []),
        ({"problems": [("TLS302", "m", "f", "r")]}, "server", [("TLS302", ERROR)]),
        (
            {"owner": "foreign", "missing_keys": ["x"], "usable_type": False, "key": "unreadable: x"},
            "server",
            [("TLS202", WARNING), ("TLS203", ERROR), ("TLS204", ERROR), ("TLS301", ERROR)],
        ),
    ],
)
def test_secret_findings(changed: dict[str, Any], role: str, expected: list[tuple[str, str]]) -> None:
    found = checks.secret_findings("east", "s", {**GOOD, **changed}, role)
    assert [(finding.check, finding.severity) for finding in found] == expected
    assert all(finding.site == "east" and finding.subject == "Secret/s" for finding in found)


def test_a_ca_secret_that_cannot_be_read_is_a_finding() -> None:
    """A bundle that the router refuses stops every service of the site (facts, the router)."""
    summary = {**GOOD, "problems": [("TLS203", "ca.crt: the file holds no certificate", "", "r")]}
    assert [finding.check for finding in checks.secret_findings("east", "ca", summary, "ca")] == ["TLS203"]


def test_a_missing_secret() -> None:
    (found,) = checks.secret_findings("east", "s", None, "ca")
    assert (found.check, found.severity) == ("TLS201", ERROR)


def test_order() -> None:
    found = [
        Finding("TLS104", WARNING, "a", "", "m"),
        Finding("TLS201", ERROR, "b", "", "m"),
        Finding("TLS301", ERROR, "a", "", "m"),
        Finding("TLS201", ERROR, "b", "", "m"),
        Finding("TLS101", ERROR, "b", "", "m"),
        Finding("TLS106", ERROR, "", "", "m"),
    ]
    assert [(entry.severity, entry.site, entry.check) for entry in checks.order(found)] == [
        (ERROR, "", "TLS106"),
        (ERROR, "a", "TLS301"),
        (ERROR, "b", "TLS101"),
        (ERROR, "b", "TLS201"),
        (WARNING, "a", "TLS104"),
    ]


def test_as_dict_has_the_title() -> None:
    assert Finding("TLS104", ERROR, "a", "s", "m").as_dict()["title"] == "the site's clock is right"


def test_table_failures_first_and_alike_ones_together() -> None:
    found = checks.order(
        [
            Finding("TLS104", WARNING, "west", "", "clock", "", "Set it"),
            Finding("TLS201", ERROR, "west", "Secret/s", "missing", "none", "Distribute"),
            Finding("TLS201", ERROR, "east", "Secret/s", "missing", "none", "Distribute"),
            Finding("TLS201", ERROR, "east", "Secret/c", "missing", "none", "Distribute"),
            Finding("TLS106", ERROR, "", "", "mixed", "v1: a; v2: b"),
        ]
    )
    lines = checks.table(found, [("east", "v2", "FAILED"), ("west", "v2", "ok")], ("SITE", "V", "STATE"))
    assert lines == [
        "FAILED  TLS106 network: mixed (v1: a; v2: b)",
        "FAILED  TLS201 east Secret/c, Secret/s; west Secret/s: missing (none)",
        "        -> Distribute",
        "warning TLS104 west: clock",
        "        -> Set it",
        "",
        "SITE  V   STATE",
        "east  v2  FAILED",
        "west  v2  ok",
    ]


def test_table_of_many_sites_is_cut() -> None:
    found = [Finding("TLS101", ERROR, f"site{number:03}", "", "gone") for number in range(100)]
    rows = [(f"site{number:03}", "FAILED") for number in range(100)]
    lines = checks.table(found, rows, ("SITE", "STATE"))
    assert lines[0].endswith("site005; and 94 more sites: gone")
    assert lines[-1] == "... and 40 more sites"
    assert len(lines) == 1 + 1 + 1 + 60 + 1


@pytest.mark.parametrize(("findings", "rows", "count"), [([], [], 0), ([], [("a",)], 2)])
def test_small_tables(findings: list[Finding], rows: list[tuple[str, ...]], count: int) -> None:
    assert len(checks.table(findings, rows, ("SITE",))) == count


def test_numbers_are_used_once() -> None:
    assert len(set(checks.CHECKS.values())) == len(checks.CHECKS)
    assert all(number.startswith("TLS") and number[3:].isdigit() for number in checks.CHECKS)


def test_networks() -> None:
    assert checks.mixed_networks({"east": "shop", "west": "shop", "edge": ""}) == []
    hosts = {**{f"e{number}": "shop" for number in range(8)}, "west": "billing"}
    (found,) = checks.mixed_networks(hosts)
    assert (found.check, found.severity, found.site) == ("TLS107", checks.ERROR, "")
    assert found.found == "billing: west; shop: e0, e1, e2, e3, e4, e5 and 2 more"
    assert "skupper_tls_hosts" in found.remedy
