# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: what goes from the store, and the modules by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.removal_report import (
    Records,
    leaving_records,
    leaving_signers,
    read_records,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.removal import parse_scope
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.plugin_utils.in_worker import _last
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, failure, tree
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import entry, parsed

SHOP = parsed()
OWN = parsed(address="stock", tls={"server_secret": "stock-server", "ca_secret": "stock-ca", "authority": "stock-ca"})
SHARED = parsed(address="stock")
SIGNED = parsed(address="stock", tls={"mode": "generated", "signer": "root"})
RECORDS = Records(
    {
        "server-cert-secret": frozenset({"default"}),
        "stock-server": frozenset({"stock-ca", "older-ca"}),
        "gone": frozenset({"default"}),
    },
    frozenset({"default", "stock-ca", "older-ca", "root", "unused"}),
)


@pytest.mark.parametrize(
    ("what", "services", "certificates", "authorities"),
    [
        ("stock", [SHOP, OWN], ["stock-server"], ["older-ca", "stock-ca"]),
        ("stock", [SHOP, SHARED], [], []),
        ("stock", [SHOP, SIGNED], [], ["root"]),
        ("payments", [SHOP, OWN], ["server-cert-secret"], []),  # gone still uses default
        ("payments,stock", [SHOP, SHARED], ["server-cert-secret"], []),
        ("all", [SHOP], sorted(RECORDS.certificates), sorted(RECORDS.authorities)),
        ("orphans", [SHOP, OWN], ["gone"], ["root", "unused"]),
        ("orphans", [SHOP, SIGNED], ["gone", "stock-server"], ["older-ca", "stock-ca", "unused"]),
    ],
)
def test_what_leaves_the_store(what: str, services: list[Any], certificates: list[str], authorities: list[str]) -> None:
    assert leaving_records(parse_scope(what, services), RECORDS) == (certificates, authorities)


def test_what_a_site_still_serves_stays_in_the_store() -> None:
    found = leaving_records(parse_scope("all", [SHOP]), RECORDS, ["server-cert-secret"])
    assert found == (["gone", "stock-server"], ["older-ca", "root", "stock-ca", "unused"])


def test_what_is_only_requested_is_in_the_store_too(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    for kind, network in (("certificate-request", "shop"), ("authority-request", "other"), ("authority", "shop")):
        store.create(kind, kind, {"network": network})
    assert read_records(store, "shop") == Records({"certificate-request": frozenset()}, frozenset({"authority"}))


def test_the_last_result_of_a_host_counts() -> None:
    variables = {"first": {"failed": True}, "third": {}}
    assert _last(variables, ["first", "second", "third"]) == {"failed": True}
    assert _last(variables, "first,second") == {"failed": True}
    assert _last(variables, "second") == {}


@pytest.fixture
def site(tmp_path: Path) -> dict[str, Any]:
    """A system site with the service of the factory, as its options."""
    resources = tmp_path / "namespaces/ns/input/resources"
    resources.mkdir(parents=True)
    (resources / "Site-a.yaml").write_text("kind: Site\n")
    options: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}, "network": "shop"}
    command("authority", options)
    command("certificate", {**options, "name": "server-cert-secret", "alternative_names": ["payments"]})
    options.update(platform="linux", namespace="ns", data_home=str(tmp_path), services=[entry()])
    for module in ("secrets", "service"):
        assert not command(module, options, host="west").get("failed")
    return options


TOLD = {"removal": {"remove": "payments", "addresses": ["payments"], "left_out": [], "store": {}}}


@pytest.mark.parametrize("told", [None, {}, {"removal": None}, {"failed": True}])
def test_without_the_step_before(site: dict[str, Any], tmp_path: Path, told: Any) -> None:
    before = tree(tmp_path)
    for module in ("service", "secrets"):
        given = {**site, "state": "absent"}
        result = run_with(module, given, told)
        if told is None:
            continue  # as without the option
        assert "the step before has not said" in failure(result)["message"]
    if told is not None:
        assert tree(tmp_path) == before


def test_secrets_by_itself_refuses_what_is_exposed(site: dict[str, Any], tmp_path: Path) -> None:
    """Whatever the playbook around it: the second phase does not run before the first."""
    before = tree(tmp_path)
    result = run_with("secrets", {**site, "state": "absent"}, TOLD)
    fields = {error["field"] for error in result["errors"]}
    assert fields == {"Listener/payments-5001", "Listener/payments-5002"}
    assert tree(tmp_path) == before
    assert run_with("service", {**site, "state": "absent"}, TOLD)["removed"] == sorted(fields)
    assert run_with("secrets", {**site, "state": "absent"}, TOLD)["removed"] == [
        "Secret/ca-cert-secret",
        "Secret/server-cert-secret",
    ]


def run_with(module: str, given: dict[str, Any], told: Any) -> Any:
    return command(module, {**given, "removal": told} if told is not None else given, host="west")


def test_a_file_of_the_user_keeps_secrets_from_being_removed(site: dict[str, Any], tmp_path: Path) -> None:
    """Also without the playbook: state absent alone, which refuses what is used."""
    command("service", {**site, "state": "absent"}, host="west")
    mine = tmp_path / "namespaces/ns/input/resources/mine.json"
    mine.write_text('{"kind": "Listener", "spec": {"tlsCredentials": "server-cert-secret"}}')
    before = tree(tmp_path)
    result = command("secrets", {**site, "state": "absent"}, host="west")
    assert "is still used by File mine.json" in failure(result)["message"]
    assert tree(tmp_path) == before
    mine.unlink()
    assert command("secrets", {**site, "state": "absent"}, host="west")["changed"]


def test_what_another_network_may_use_stays_in_the_store(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "store")
    options: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}, "network": "shop"}
    for name, networks in (("default", ["billing"]), ("root", None), ("own", None)):
        command("authority", {**options, "name": name, "networks": networks})
    certificate = {**options, "alternative_names": ["payments"]}
    command("certificate", {**certificate, "name": "server-cert-secret", "authority": "root", "networks": ["billing"]})
    command("certificate", {**certificate, "name": "mine", "authority": "own"})
    found = read_records(store, "shop")
    assert leaving_records(parse_scope("all", [SHOP]), found) == (["mine"], ["own"])
    for module, name in (("certificate", "server-cert-secret"), ("authority", "default")):
        refused = command(module, {**options, "name": name, "state": "absent"})
        assert refused["failed"], refused
        assert f"{module} {name} is shared with other networks" in refused["msg"]
    assert store.read("certificate", "server-cert-secret") is not None


def test_a_borrower_has_no_part_in_the_owners_requests(tmp_path: Path) -> None:
    options: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}, "network": "shop", "name": "corp"}
    command("authority", {**options, "state": "request"})
    other = {"store": options["store"], "network": "shop", "name": "made"}
    command("authority", other)
    store = DirectoryStore(tmp_path / "store")
    made = store.read("authority", "made")
    assert made is not None
    store.create("authority", "corp", {**made.document, "name": "corp", "networks": ["billing"]})
    borrowed = command("authority", {**options, "network": "billing"})
    assert not borrowed.get("failed"), borrowed
    assert not borrowed["changed"]


def test_the_named_authority_of_the_inventory_is_no_orphan() -> None:
    asked_for = Records({"server-cert-secret": frozenset()}, frozenset({"corp", "unused"}))
    assert leaving_records(parse_scope("orphans", [SHOP]), asked_for, default="corp") == ([], ["unused"])


INTER = {"mode": "generated", "signer": "corp", "site_intermediates": True}


@pytest.mark.parametrize(
    ("what", "services", "authorities", "expected"),
    [
        ("all", [parsed(tls=INTER)], [], {"corp": ["east", "gone"]}),
        ("all", [parsed(tls=INTER)], ["corp"], {}),
        ("payments", [parsed(tls=INTER)], [], {"corp": ["east", "gone"]}),
        ("payments", [parsed(tls=INTER), parsed(address="stock", tls=INTER)], [], {}),
        ("payments", [SHOP], [], {}),
        ("orphans", [parsed(tls=INTER)], [], {"corp": ["gone"]}),
        ("orphans", [SHOP], [], {"corp": ["east", "gone"]}),
    ],
)
def test_what_intermediate_cas_leave(
    what: str, services: list[Any], authorities: list[str], expected: dict[str, list[str]]
) -> None:
    records = Records({}, frozenset({"corp"}), signers={"corp": frozenset({"east", "gone"})})
    assert leaving_signers(parse_scope(what, services), records, authorities, ["east", "west"]) == expected


def test_intermediate_cas_are_read_and_removed_by_host(tmp_path: Path) -> None:
    options: dict[str, Any] = {"store": {"path": str(tmp_path / "store")}, "network": "shop", "name": "corp"}
    sites = {"east": ["payments"], "west": ["payments"]}
    command("authority", {**options, "site_intermediates": sites})
    store = DirectoryStore(tmp_path / "store")
    assert read_records(store, "shop").signers == {"corp": frozenset({"east", "west"})}
    absent = {**options, "state": "absent", "site_intermediates": {"west": []}}
    for check in (True, False):
        result = command("authority", absent, check)
        assert (result["changed"], result["site_intermediates"]) == (True, {"west": None})
    assert not command("authority", absent)["changed"]
    assert read_records(store, "shop").signers == {"corp": frozenset({"east"})}
    assert store.read("authority", "corp") is not None
