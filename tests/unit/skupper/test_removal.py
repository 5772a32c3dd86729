# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with a service, what stays for others, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SkupperTlsError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Observed
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import SiteKind
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.removal import (
    Scope,
    going,
    kinds_to_read,
    parse_scope,
    uses,
)
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import errors_of, parsed

ADDRESS = "multisite.skupper-tls/address"
V1, V2, LINUX = SiteKind("kubernetes", "v1"), SiteKind("kubernetes", "v2"), SiteKind("linux", "v2")
SERVER, CA = ("Secret", "server-cert-secret"), ("Secret", "ca-cert-secret")
PAYMENTS = parsed(host="west")
STOCK = parsed(host="west", address="stock", ports=[6001])
OWN = parsed(host="west", address="stock", ports=[6001], tls={"server_secret": "stock-server", "ca_secret": "stock-ca"})


def ours(address: str = "", **spec: Any) -> Observed:
    return Observed({"spec": spec}, {ADDRESS: address} if address else {}, OURS)


def theirs(**content: Any) -> Observed:
    return Observed(content, owner=FOREIGN)


def listener(address: str, credentials: str = "server-cert-secret") -> Observed:
    return ours(address, tlsCredentials=credentials)


@pytest.mark.parametrize("text", ["payments,stock", " payments , stock,", ["payments", "stock"], ["stock", "payments"]])
def test_addresses(text: Any) -> None:
    scope = parse_scope(text, [PAYMENTS, STOCK])
    assert (scope.what, sorted(scope.addresses), scope.staying) == ("services", ["payments", "stock"], ())


@pytest.mark.parametrize("text", [None, "", [], " , "])
def test_nothing_is_said(text: Any) -> None:
    assert parse_scope(text, [PAYMENTS]) == Scope("", staying=(PAYMENTS,))


def test_words() -> None:
    assert parse_scope("all", [PAYMENTS]) == Scope("all", (PAYMENTS,), ())
    assert parse_scope(["orphans"], [PAYMENTS]) == Scope("orphans", (), (PAYMENTS,))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("paymnts", "paymnts"),
        ("payments,gone", "gone"),
        ("all,payments", "all, payments"),
        ("all,orphans", "all, orphans"),
    ],
)
def test_what_is_refused(text: str, found: str) -> None:
    with pytest.raises(SkupperTlsError) as error:
        parse_scope(text, [PAYMENTS])
    assert found in [each[2] for each in errors_of(error.value)]


def test_a_service_called_all() -> None:
    """Half a network must not go because of a name."""
    with pytest.raises(SkupperTlsError, match="nor be one"):
        parse_scope("all", [parsed(address="all"), PAYMENTS])


def test_the_pair_stays_for_another_service() -> None:
    seen = {("Listener", "payments-5001"): listener("payments"), ("Listener", "stock-6001"): listener("stock"),
            SERVER: ours(), CA: ours()}  # fmt: skip
    found = going(parse_scope("payments", [PAYMENTS, STOCK]), seen, V2)
    assert (found.unexpose, found.remove) == ((("Listener", "payments-5001"),), ())
    assert found.kept == {SERVER: ("another service",), CA: ("another service",)}
    found = going(parse_scope("payments", [PAYMENTS, OWN]), {**seen, ("Listener", "stock-6001"): theirs()}, V2)
    assert found.remove == (CA, SERVER)


@pytest.mark.parametrize(
    ("user", "item"),
    [
        (("Listener", "mine"), theirs(spec={"tlsCredentials": "server-cert-secret"})),
        (("Certificate", "mine"), theirs(spec={"ca": "server-cert-secret"})),
        (("ServiceEntry", "mine"), theirs(tlsCertAuthority="server-cert-secret")),
        (("Bridge", "mine:1"), theirs(tlsCredentials="server-cert-secret", address="mine")),
        (("File", "mine.yaml"), Observed({}, mentions=("other", "server-cert-secret"))),
        (("Listener", "edited"), Observed({}, mentions=("server-cert-secret",))),
    ],
)
@pytest.mark.parametrize("what", ["payments", "all", "orphans"])
def test_what_is_used_stays(user: tuple[str, str], item: Observed, what: str) -> None:
    seen = {user: item, SERVER: ours(), CA: ours()}
    services = [] if what == "orphans" else [PAYMENTS]
    found = going(parse_scope(what, services), seen, V2)
    assert found.remove == (CA,)
    assert found.kept == {SERVER: (f"{user[0]} {user[1]}",)}


def test_a_ca_stays_with_the_leaf_that_stays() -> None:
    """And goes after its leaves where they go."""
    seen = {
        ("Certificate", "a-service-ca"): ours(signing=True),
        ("Certificate", "skupper-tls-payments"): ours("payments", ca="a-service-ca"),
        ("Listener", "mine"): theirs(spec={"tlsCredentials": "skupper-tls-payments"}),
    }
    found = going(parse_scope("all", [PAYMENTS]), seen, V2)
    assert found.remove == ()
    assert set(found.kept) == set(seen) - {("Listener", "mine")}
    del seen[("Listener", "mine")]
    found = going(parse_scope("all", [PAYMENTS]), seen, V2)
    assert found.remove == (("Certificate", "skupper-tls-payments"), ("Certificate", "a-service-ca"))


def test_order() -> None:
    seen = {
        SERVER: ours(),
        ("Note", "RouterProfile/ca-cert-secret"): ours(),
        ("Certificate", "ca-cert-secret-profile"): ours(),
        ("RouterProfile", "ca-cert-secret"): ours(),
        ("Connector", "payments-5001"): ours("payments", tlsCredentials="ca-cert-secret"),
    }
    found = going(parse_scope("all", [PAYMENTS]), seen, LINUX)
    assert found.unexpose == (("Connector", "payments-5001"),)
    assert [kind for kind, dummy in found.remove] == ["RouterProfile", "Certificate", "Secret", "Note"]


def test_a_connector_on_a_system_site_uses_its_profile() -> None:
    connector = theirs(spec={"tlsCredentials": "ca-cert-secret"})
    assert uses(("Connector", "x"), connector, LINUX) == {"ca-cert-secret", "ca-cert-secret-profile"}
    assert uses(("Connector", "x"), connector, V2) == {"ca-cert-secret"}


@pytest.mark.parametrize("what", ["payments", "all"])
def test_what_is_not_ours_never_goes(what: str) -> None:
    seen = {
        ("Listener", "payments-5001"): Observed({}, {ADDRESS: "payments"}, FOREIGN, network="other"),
        ("ServiceEntry", "payments"): Observed({}, owner=FOREIGN, synced=True),
        ("Note", "ServiceEntry/payments"): Observed({}, owner=FOREIGN),
        SERVER: theirs(),
    }
    found = going(parse_scope(what, [PAYMENTS]), seen, V2)
    assert (found.unexpose, found.remove, found.kept) == ((), (), {})


def test_orphans_are_what_no_service_has_whichever_side_the_site_is_on() -> None:
    seen = {
        ("Listener", "payments-1"): listener("payments"),  # of a port that expose will take away
        ("Connector", "payments-5001"): ours("payments"),
        ("Listener", "gone-1"): listener("gone", "gone-server"),
        ("Certificate", "ca-cert-secret-profile"): ours(),
        ("Certificate", "gone-ca-profile"): ours(),
        ("Secret", "gone-server"): ours(),
        ("Note", "ServiceEntry/payments"): ours(),
        ("Note", "ServiceEntry/gone"): ours(),
        SERVER: ours(),
    }
    found = going(parse_scope("orphans", [PAYMENTS]), seen, LINUX)
    assert found.unexpose == (("Listener", "gone-1"),)
    assert found.remove == (
        ("Certificate", "gone-ca-profile"),
        ("Secret", "gone-server"),
        ("Note", "ServiceEntry/gone"),
    )


@pytest.mark.parametrize(
    ("addresses", "waiting", "remove"),
    [(None, True, (SERVER,)), (["payments"], True, (SERVER,)), ([], False, ())],
)
def test_entries_that_another_site_sent(addresses: Any, waiting: bool, remove: Any) -> None:
    """They go with the entry of the provider; where that stays they stay, and with them their secrets."""
    key = ("ServiceEntry", "payments")
    seen = {key: Observed({"tlsCredentials": "server-cert-secret"}, owner=FOREIGN, synced=True), SERVER: ours()}
    found = going(parse_scope("payments", [PAYMENTS]), seen, V1, addresses)
    assert found.waiting == ((key,) if waiting else ())
    assert found.remove == remove


def test_an_entry_is_not_waited_for_where_its_secrets_stay() -> None:
    key = ("ServiceEntry", "payments")
    seen = {key: Observed({"tlsCredentials": "server-cert-secret"}, owner=FOREIGN, synced=True), SERVER: ours()}
    assert going(parse_scope("payments", [PAYMENTS, STOCK]), seen, V1).waiting == ()


@pytest.mark.parametrize("site", [V1, V2, LINUX])
def test_kinds_are_those_of_the_site(site: SiteKind) -> None:
    kinds = kinds_to_read(site)
    assert set(site.kinds) < set(kinds)
    assert ("Certificate" in kinds) is (site.version == "v2")
