# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module report: what all sites said, compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import arguments, command
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import entry

A, B = "AA:" * 31 + "AA", "BB:" * 31 + "BB"
FINDING = {
    "check": "TLS404",
    "severity": "error",
    "site": "east",
    "subject": "",
    "message": "m",
    "found": "",
    "remedy": "",
}


def said(tls: str = A, ca: str = B, **more: Any) -> dict[str, Any]:
    """What a good site says."""
    server = {"tls_sha256": tls, "ca_sha256": ca, "certificate": {"not_after": "2027-01-02T03:04:05Z"}}
    secrets = {"server-cert-secret": server, "ca-cert-secret": {"tls_sha256": "", "ca_sha256": ca}}
    services = {"payments": {"role": "provider"}}
    base = {"platform": "kubernetes", "version": "v2", "namespace": "shop", "secrets": secrets, "services": services}
    return {**base, "findings": [], **more}


def report(step: str, sites: dict[str, Any], check: bool = False, **given: Any) -> dict[str, Any]:
    result: dict[str, Any] = command("report", {"step": step, "sites": sites, "services": [entry()], **given}, check)
    return result


def found(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Return check and site of each finding, in the order of the table."""
    listed = []
    for line in result["table"]:
        if line.startswith(("FAILED", "warning")):
            _mark, check, places = line.split(maxsplit=2)
            listed += [(check, place.split()[0].rstrip(":")) for place in places.split(": ")[0].split("; ")]
    return listed


@pytest.mark.parametrize("step", ["preflight", "barrier", "verify"])
def test_all_is_well(step: str) -> None:
    result = report(step, {"east": said(identity="1"), "west": said(identity="2")})
    assert not result["failed"]
    assert found(result) == []
    assert result["findings"] == []
    assert "msg" not in result
    assert [line.split()[-1] for line in result["table"]] == ["STATE", "ok", "ok"]


@pytest.mark.parametrize("step", ["preflight", "barrier", "verify"])
@pytest.mark.parametrize(
    "answer",
    [{}, None, "", {"unreachable": True, "msg": "timed out"}, {"unreachable": True}],
)
def test_a_site_that_said_nothing(step: str, answer: Any) -> None:
    result = report(step, {"east": said(), "west": answer})
    assert result["failed"]
    assert ("TLS101", "west") in found(result)
    assert ("TLS201", "west") not in found(result)
    rows = [line for line in result["table"] if line.endswith(("ok", "FAILED"))]
    assert rows[0].startswith("west")
    assert rows[0].endswith("FAILED")


@pytest.mark.parametrize(("step", "check"), [("barrier", "TLS201"), ("verify", "TLS101"), ("preflight", "TLS101")])
def test_a_site_that_failed(step: str, check: str) -> None:
    errors = [{"field": "f", "message": "m", "found": "x", "remedy": "r"}, {"message": "n"}]
    result = report(step, {"east": {"failed": True, "errors": errors}, "west": {"failed": True, "msg": "boom"}})
    assert found(result) == [(check, "east"), (check, "east"), (check, "west")]
    assert any(line.endswith("west: boom") for line in result["table"])
    assert result["msg"].startswith(f"{step}: 3 problems on 2 of 2 sites; ")


def test_preflight_across_sites() -> None:
    result = report(
        "preflight",
        {
            "east": said(identity="1"),
            "west": said(identity="1"),
            "edge1": said(identity="2", version="v1", findings=[{**FINDING, "site": "edge1"}]),
        },
    )
    assert found(result) == [("TLS106", "network"), ("TLS404", "edge1"), ("TLS105", "west")]
    assert result["msg"] == "preflight: 3 problems on 2 of 3 sites; nothing was written anywhere"
    assert result["failed"]


def test_a_warning_fails_nothing() -> None:
    result = report("verify", {"east": said(findings=[{**FINDING, "severity": "warning"}])})
    assert not result["failed"]
    assert result["table"][0].startswith("warning TLS404 east: m")


def test_preflight_of_what_is_to_be_issued() -> None:
    bad = {"failed": True, "errors": [{"field": "source", "message": "expired", "found": "f", "remedy": "r"}]}
    issued = [bad, {"results": [{"changed": True}, bad]}, {"failed": True, "msg": "crash", "exception": "..."}]
    result = report("preflight", {"east": said()}, issued=issued)
    lines = [line for line in result["table"] if line.startswith("FAILED")]
    assert sorted(lines) == ["FAILED  TLS701 network source: expired (f)", "FAILED  TLS701 network: crash"]


def test_an_error_of_the_inventory_is_told_once() -> None:
    def wrong(site: str) -> dict[str, str]:
        return {**FINDING, "check": "TLS801", "site": site, "subject": "s", "message": "m"}

    sites = {site: said(findings=[wrong(site)]) for site in ("east", "west")}
    assert found(report("preflight", sites)) == [("TLS801", "network")]
    sites = {"east": said(findings=[wrong("east")]), "west": said()}
    assert found(report("preflight", sites)) == [("TLS801", "east")]


def test_services_that_are_wrong() -> None:
    result = report("preflight", {"east": said()}, services=[entry(ports=[0]), entry(address="b", protocol="http")])
    assert found(result) == [("TLS801", "network"), ("TLS801", "network")]


@pytest.mark.parametrize("step", ["barrier", "verify"])
def test_secrets_that_differ(step: str) -> None:
    result = report(step, {"east": said(), "west": said(tls=B), "edge1": said()})
    assert found(result) == [("TLS601", "west")]
    assert result["table"][0].startswith("FAILED  TLS601 west Secret/server-cert-secret tls.crt: differs from 2 of 3")
    result = report(step, {"east": said(), "west": said(ca=A), "edge1": said()})
    assert found(result) == [("TLS601", "west")]
    assert "west Secret/ca-cert-secret ca.crt, Secret/server-cert-secret ca.crt: " in result["table"][0]


def test_the_barrier_lets_no_site_without_secrets_pass() -> None:
    empty = said()
    empty["secrets"] = {"server-cert-secret": None, "ca-cert-secret": None}
    assert set(found(report("barrier", {"east": said(), "west": empty}))) == {("TLS201", "west")}
    assert report("barrier", {"east": empty})["failed"]
    assert report("barrier", {"east": said(secrets={})})["failed"]


def test_in_check_mode_what_is_not_there_yet_is_pending() -> None:
    sites = {"east": said(), "west": said(secrets={})}
    result = report("barrier", sites, check=True)
    assert not result["failed"]
    assert result["table"][0].startswith("check mode: nothing was written, so ")
    assert any(line.startswith("west") and line.endswith("pending") for line in result["table"])
    assert not any(line.startswith("FAILED") for line in result["table"])
    assert report("preflight", {"east": {}}, check=True)["failed"]


def test_against_the_store(tmp_path: Path) -> None:
    store: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}}
    ca = command("authority", store)["authority"]["sha256"]
    leaf = command("certificate", {**store, "name": "server-cert-secret", "alternative_names": ["payments"]})
    good = said(leaf["certificate"]["sha256"], ca)
    assert not report("verify", {"east": good, "west": good}, **store)["failed"]
    both = report("verify", {"east": said(), "west": said()}, **store)
    assert {check for check, dummy in found(both)} == {"TLS602"}
    assert {site for dummy, site in found(both)} == {"east", "west"}
    (tmp_path / "store" / "certificate" / "server-cert-secret.json").write_text("{")
    assert found(report("verify", {"east": good}, **store)) == [("TLS701", "network")]


def test_an_empty_store_compares_nothing(tmp_path: Path) -> None:
    store: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}}
    assert not report("verify", {"east": said()}, **store)["failed"]
    assert list(tmp_path.iterdir()) == []


def test_the_table_has_failures_first() -> None:
    sites = {name: said() for name in ("a", "b", "d")} | {"c": said(findings=[{**FINDING, "site": "c"}])}
    table = report("verify", sites)["table"]
    assert table[0] == "FAILED  TLS404 c: m"
    assert [line.split()[0] for line in table[2:]] == ["SITE", "c", "a", "b", "d"]
    assert table[-1].split() == [
        "d",
        "v2",
        "shop",
        "payments:provider",
        "AA:AA:AA:AA",
        "BB:BB:BB:BB",
        "2027-01-02",
        "ok",
    ]


def test_arguments() -> None:
    assert arguments("report", step="verify", sites={})["network"] == "skupper"


@pytest.mark.parametrize("step", ["preflight", "barrier", "verify"])
def test_sites_of_several_networks(step: str) -> None:
    sites = {"east": said(identity="1", network="shop"), "west": said(identity="2", network="billing")}
    result = report(step, sites)
    assert found(result) == [("TLS107", "network")]
    assert "billing: west; shop: east" in result["table"][0]
    assert not report(step, {"east": said(network="shop"), "west": said(identity="2", network="")})["failed"]


@pytest.mark.parametrize("step", ["barrier", "verify"])
@pytest.mark.parametrize(("version", "demanded"), [("v2", False), ("v1", True), ("", True)])
def test_only_sites_that_take_part_are_compared(step: str, version: str, demanded: bool) -> None:
    services = [entry(sites=["west"])]
    bare = said(version=version, secrets={}, services={})
    result = report(step, {"east": said(), "west": said(), "edge1": bare}, services=services)
    assert set(found(result)) == ({("TLS201", "edge1")} if demanded and step == "barrier" else set())
    other = report(step, {"east": said(), "west": said(), "edge1": said(tls=B, version=version)}, services=services)
    assert set(found(other)) == ({("TLS601", "edge1")} if demanded else set())


@pytest.mark.parametrize("step", ["barrier", "verify"])
def test_secrets_are_compared_by_the_names_of_each_site(step: str) -> None:
    renamed = said()
    secrets = renamed["secrets"]
    renamed["secrets"] = {"mine": secrets["server-cert-secret"], "my-ca": secrets["ca-cert-secret"]}
    overrides = {"west": {"payments": {"tls": {"server_secret": "mine", "ca_secret": "my-ca"}}}, "east": None}
    sites = {"east": said(), "west": renamed, "edge1": said()}
    assert not report(step, sites, site_overrides=overrides)["failed"]
    renamed["secrets"]["mine"] = {**renamed["secrets"]["mine"], "tls_sha256": B}
    assert found(report(step, sites, site_overrides=overrides)) == [("TLS601", "west")]
    del renamed["secrets"]["my-ca"]
    missing = found(report("barrier", sites, site_overrides=overrides))
    assert set(missing) == {("TLS601", "west"), ("TLS201", "west")}


def test_a_site_with_wrong_overrides_is_asked_for_everything() -> None:
    overrides = {"edge1": {"payments": {"nonsense": 1}}}
    sites = {"east": said(), "edge1": said(secrets={})}
    result = report("barrier", sites, services=[entry(sites=["west"])], site_overrides=overrides)
    assert set(found(result)) == {("TLS201", "edge1")}
