# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated mode: what is planned for each state that Certificates and their secrets can be in."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.generated import (
    certificate_plans,
    made_for,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.summaries import own_ca_problems
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Observed, Plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import (
    Item,
    Material,
    SiteKind,
    signer_item,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.generated import (
    authority_certificate,
    leaf_certificates,
    other_hosts,
)
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import parsed
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW
from tests.cluster import controller

V2, V1 = SiteKind("kubernetes", "v2", namespace="shop"), SiteKind("kubernetes", "v1", namespace="shop")
LINUX = SiteKind("linux", "v2", namespace="shop")
SERVICE = parsed(tls={"mode": "generated"})
CA, CLIENT, SERVER = "skupper-service-ca", "skupper-service-client", "skupper-tls-payments"
SAID = {"conditions": [{"type": "Ready", "status": "True"}]}
ADDRESS = {"multisite.skupper-tls/address": "payments"}


@lru_cache
def material(which: str, *more: str) -> dict[str, dict[str, bytes]]:
    """The secrets of a site that Skupper has made: ``which`` tells one site's CA from another's."""
    ca = controller.authority(which)
    return {CA: ca, **{name: controller.leaf(name, ["payments", *more], ca) for name in (CLIENT, SERVER)}}


def site(**changes: Any) -> dict[tuple[str, str], Observed]:
    """Return a site where everything is made, but for what is changed by name; None takes a thing away."""
    items = {item.name: item for item in [authority_certificate("east", {}), *leaf_certificates([SERVICE], V2)]}
    seen: dict[tuple[str, str], Any] = {}
    for name, item in items.items():
        seen[("Certificate", name)] = Observed(item.content, item.labels, OURS, status=SAID)
        seen[("Secret", name)] = Observed({"type": "kubernetes.io/tls", "data": material("one")[name]})
    for key, value in changes.items():
        kind, name = key.split("__")
        seen[(kind, {"ca": CA, "client": CLIENT, "server": SERVER}[name])] = value
    return {key: value for key, value in seen.items() if value is not None}


def planned(seen: Any, signer: Item | None = None, adopt: bool = False, kind: SiteKind = V2) -> tuple[Plan, Plan]:
    return certificate_plans([SERVICE], kind, "east", signer, seen, adopt)


def actions(*plans: Plan) -> list[tuple[str, str, str]]:
    return [(change.action, change.item.kind, change.item.name) for each in plans for change in each.changes]


def secret(data: dict[str, bytes], owner: str = FOREIGN) -> Observed:
    return Observed({"type": "kubernetes.io/tls", "data": data}, owner=owner)


def unmade(name: str, **more: Any) -> Observed:
    made = site()[("Certificate", name)]
    return Observed(made.content, made.labels, **{"owner": OURS, **more})


EMPTY: dict[tuple[str, str], Observed] = {}
BOTH = [("update", "Certificate", CLIENT), ("update", "Certificate", SERVER)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        # not there yet, and Skupper has said nothing: it may still come
        ({"Secret__server": None, "Certificate__server": unmade(SERVER)}, []),
        ({"Secret__ca": None, "Certificate__ca": unmade(CA)}, []),
        # deleted, or refused once
        ({"Secret__server": None}, [("replace", "Certificate", SERVER)]),
        ({"Secret__client": None}, [("replace", "Certificate", CLIENT)]),
        ({"Secret__server": secret({**material("one")[SERVER], "ca.crt": b""})}, [("replace", "Certificate", SERVER)]),
        # a CA that is gone is made anew, and with it what it signed
        ({"Secret__ca": None}, [("replace", "Certificate", CA), *BOTH]),
        ({"Secret__ca": None, "Certificate__ca": None}, [("create", "Certificate", CA), *BOTH]),
        # another CA than the one that signed
        ({"Secret__ca": secret(material("two")[CA])}, BOTH),
        ({"Secret__server": secret(material("two")[SERVER])}, [("update", "Certificate", SERVER)]),
        ({"Secret__server": secret({**material("one")[SERVER], "tls.crt": b"-"})}, [("update", "Certificate", SERVER)]),
        # a CA of the store had the place of the site's own
        (
            {"Certificate__ca": None, "Secret__ca": secret(material("two")[CA], OURS)},
            [("delete", "Secret", CA), ("create", "Certificate", CA), *BOTH],
        ),
    ],
)
def test_states(changes: dict[str, Any], expected: list[Any]) -> None:
    plans = planned(site(**changes))
    assert [each.problems for each in plans] == [(), ()]
    assert actions(*plans) == expected


def test_nothing_is_there() -> None:
    first, second = planned(EMPTY)
    assert actions(first) == [("create", "Certificate", CA)]
    assert actions(second) == [("create", "Certificate", CLIENT), ("create", "Certificate", SERVER)]


@pytest.mark.parametrize("name", [CA, CLIENT, SERVER])
@pytest.mark.parametrize("adopt", [False, True])
def test_a_users_own_secret_is_refused_adopted_or_not(name: str, adopt: bool) -> None:
    plans = planned({("Secret", name): secret({"mine": b"x"})}, adopt=adopt)
    (problem,) = [problem for each in plans for problem in each.problems]
    assert (problem.field, problem.message) == (
        f"Secret/{name}",
        f"a secret {name} is there already, and Skupper did not generate it",
    )


@pytest.mark.parametrize(
    ("changes", "adopt", "problem", "expected"),
    [
        # somebody's own with the same content is as good as ours
        ({"Certificate__ca": unmade(CA, owner=FOREIGN, status=SAID)}, False, "", []),
        ({"Certificate__client": unmade(CLIENT, owner=FOREIGN, status=SAID)}, False, "", []),
        (
            {"Certificate__server": unmade(SERVER, owner=FOREIGN, status=SAID)},
            False,
            f"Certificate {SERVER} is there already, and this collection did not write it",
            [],
        ),
        (
            {"Certificate__client": unmade(CLIENT, owner=FOREIGN, status=SAID), "Secret__client": None},
            False,
            f"Certificate {CLIENT} is somebody else's, and Skupper has not made its secret",
            [],
        ),
        (
            {"Certificate__client": unmade(CLIENT, owner=FOREIGN, status=SAID), "Secret__client": None},
            True,
            "",
            [("replace", "Certificate", CLIENT)],
        ),
    ],
)
def test_somebody_elses(changes: dict[str, Any], adopt: bool, problem: str, expected: list[Any]) -> None:
    plans = planned(site(**changes), adopt=adopt)
    assert [found.message for each in plans for found in each.problems] == ([problem] if problem else [])
    assert actions(*plans) == expected


def test_issued_anew_by_one_host_more_or_less() -> None:
    seen = site(Secret__server=secret(material("two")[SERVER]))
    longer = ("payments.shop.svc.cluster.local",)
    for expected in (True, False, True):
        (change,) = planned(seen)[1].changes
        hosts = change.item.content["spec"]["hosts"]
        assert hosts[:3] == ["payments", "payments.shop", "payments.shop.svc"]
        assert (hosts[3:] == ["payments.shop.svc.cluster.local"]) is expected
        seen[("Certificate", SERVER)] = Observed(change.item.content, ADDRESS, OURS, status=SAID)
        assert actions(*planned(seen)) == [], "asked for once more before Skupper has answered"
        seen[("Secret", SERVER)] = secret(material("two", *(longer if expected else ()))[SERVER])
    assert other_hosts(other_hosts(["a", "a.b"])) == ["a", "a.b"]


def test_the_other_form_of_the_hosts_stays() -> None:
    seen = site()
    spec = seen[("Certificate", SERVER)].content["spec"]
    seen[("Certificate", SERVER)] = Observed({"spec": {**spec, "hosts": other_hosts(spec["hosts"])}}, ADDRESS, OURS)
    assert actions(*planned(seen)) == []
    seen[("Certificate", SERVER)] = Observed({"spec": {**spec, "hosts": ["mine"]}}, ADDRESS, OURS)
    assert actions(*planned(seen)) == [("update", "Certificate", SERVER)]


def test_a_standing_ca_keeps_its_subject() -> None:
    """The name of the host in the inventory may change; another subject would be another CA."""
    seen = site()
    assert actions(*certificate_plans([SERVICE], V2, "renamed", None, seen, False)) == []


def signer(which: str = "corp") -> Item:
    ca = controller.authority(which)
    return signer_item(Material(ca["tls.crt"], ca["tls.key"], ca["ca.crt"]), V2)


def test_signer() -> None:
    item = signer()
    assert actions(*planned(EMPTY, item))[0] == ("create", "Secret", CA)
    first, second = planned(site(), item)
    assert actions(first) == [("delete", "Certificate", CA), ("create", "Secret", CA)]
    assert actions(second) == BOTH
    placed = site(Certificate__ca=None, Secret__ca=Observed(item.content, {}, OURS))
    assert actions(*planned(placed, item)) == BOTH  # what the site's own CA signed
    foreign = site(Certificate__ca=None)
    assert [problem.field for problem in planned(foreign, item)[0].problems] == [f"Secret/{CA}"]


@pytest.mark.parametrize(
    ("kind", "seen", "refused"),
    [
        (V1, {("Secret", SERVER): secret({})}, True),
        (
            V1,
            {("Secret", SERVER): secret({}), ("ServiceEntry", "payments"): Observed({"tlsCredentials": SERVER})},
            False,
        ),
        (V1, {("Secret", SERVER): secret({}), ("ServiceEntry", "payments"): Observed({"tlsCredentials": "b"})}, True),
        (V1, {("Secret", CLIENT): secret({})}, False),
        (LINUX, {("Secret", SERVER): secret({})}, True),
        (LINUX, {("Secret", SERVER): Observed({"data": {}}, generated=True)}, False),
    ],
)
def test_where_skupper_makes_them_by_itself(kind: SiteKind, seen: Any, refused: bool) -> None:
    plans = planned(seen, kind=kind)
    assert actions(*plans) == []
    assert [problem.field for each in plans for problem in each.problems] == ([f"Secret/{SERVER}"] if refused else [])


def test_custom_services_need_no_certificates() -> None:
    assert certificate_plans([parsed()], V2, "east", None, EMPTY, False) == (Plan((), ()), Plan((), ()))


def test_taken_back() -> None:
    seen = site()
    everything = [("Certificate", SERVER), ("Certificate", CLIENT), ("Certificate", CA)]
    assert made_for([SERVICE], V2, seen) == everything
    seen[("Certificate", "skupper-tls-stock")] = Observed({}, {"multisite.skupper-tls/address": "stock"}, OURS)
    assert made_for([SERVICE], V2, seen) == [("Certificate", SERVER)]
    assert made_for([SERVICE], V1, seen) == made_for([parsed()], V2, seen) == []


def test_own_ca() -> None:
    one, two = material("one"), material("two")
    assert own_ca_problems(one[SERVER], one[CLIENT], ["payments"], NOW.now(NOW.tzinfo)) == []
    for server, client in ((one, two), (two, one)):
        problems = own_ca_problems(server[SERVER], client[CLIENT], ["payments"], NOW.now(NOW.tzinfo))
        assert [problem[0] for problem in problems] == ["TLS305"]


def test_a_ca_of_the_same_key_for_other_names() -> None:
    """What it has signed is sound, but whoever trusts the old one refuses what it signs now."""
    seen = site()
    key = serialization.load_pem_private_key(material("one")[CA]["tls.key"], None)
    wider = controller.authority("one", key)
    seen[("Secret", CA)] = secret(wider)
    assert actions(*planned(seen)) == BOTH


def test_a_signer_that_is_only_labelled_anew_is_no_other_ca() -> None:
    item = signer("mine")
    placed = site(Certificate__ca=None, Secret__ca=Observed(item.content, {}, FOREIGN))
    for name in (CLIENT, SERVER):
        leaf = controller.leaf(name, ["payments"], item.content["data"])
        placed[("Secret", name)] = secret(leaf)
    assert actions(*planned(placed, item, adopt=True)) == [("update", "Secret", CA)]


def test_a_dropped_signer_leaves_a_system_site() -> None:
    issuer = ("Issuer", "skupper-service-ca")
    assert actions(*planned({issuer: Observed({"data": {}}, owner=OURS)}, kind=LINUX)) == [("delete", *issuer)]
    assert actions(*planned({issuer: Observed({"data": {}}, owner=FOREIGN)}, kind=LINUX)) == []
