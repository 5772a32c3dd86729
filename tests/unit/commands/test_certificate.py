# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module certificate, on a real directory store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, tree
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW

#: There long before, so that certificates may be old.
ROOT = factory.root("Corp CA", key=factory.key(), not_before=NOW - 90 * DAY, not_after=NOW + 900 * DAY)
SUB = factory.make("Sub CA", ROOT, ca=True, key=factory.key(number=2))
STRANGER = factory.root("Stranger", key=factory.key(number=1))
NAMES = ["payments", "payments.shop", "10.0.0.1"]
DNS = [*NAMES]


def leaf(issuer: Any = ROOT, number: int = 5, **options: Any) -> Any:
    options = {"names": DNS, "not_after": NOW + 20 * DAY, **options}
    return factory.make("payments", issuer, key=factory.key(number=number), **options)


LEAF = leaf(names=["payments", "payments.shop"])
SUB_LEAF = leaf(SUB, 6, names=["payments", "payments.shop"])


def pem(*parties: Any) -> str:
    return factory.pem_of(*(party.certificate for party in parties)).decode()


def key(party: Any, passphrase: bytes | None = None) -> str:
    return keys.key_to_pem(party.key, passphrase).decode()


def source(*parties: Any, **more: Any) -> dict[str, Any]:
    return {"certificate_content": pem(*parties), "key_content": key(parties[0]), **more}


@pytest.fixture
def store(tmp_path: Path) -> dict[str, Any]:
    return {"store": {"path": str(tmp_path / "store")}, "network": "shop"}


@pytest.fixture
def given(store: dict[str, Any]) -> dict[str, Any]:
    """Options of a certificate, and an authority in the store."""
    assert command("authority", {**store, "source": source(ROOT)}, now=NOW - 60 * DAY)["changed"]
    return {**store, "name": "s", "alternative_names": ["payments", "payments.shop"], "validity_days": 20}


def stored(tmp_path: Path, name: str = "s") -> records.Record:
    record = records.load(DirectoryStore(tmp_path / "store"), "certificate", name, "shop")
    assert record is not None
    return record


def normal(diff: Any) -> Any:
    masked = json.loads(json.dumps(diff))
    for name in ("serial_number", "sha256"):
        if name in masked["after"]:
            masked["after"][name] = "*"
    return masked


def prepare(given: Mapping[str, Any], existing: str, now: datetime = NOW) -> None:
    if existing:
        asked = {"issued": {}, "imported": {"source": source(LEAF)}}[existing]
        result = command("certificate", {**given, **asked}, now=now)
        assert result["changed"], result


@pytest.mark.parametrize(
    ("existing", "age", "asked", "reason"),
    [
        ("", 0, {}, "there is none yet"),
        ("", 0, {"source": source(LEAF)}, "there is none yet"),
        ("", 0, {"state": "absent"}, None),
        ("issued", 0, {}, None),
        ("issued", 0, {"validity_days": 10}, None),
        ("issued", 0, {"alternative_names": ["payments.shop", "payments"], "subject": "payments"}, None),
        ("issued", 0, {"state": "absent"}, ""),
        ("issued", 0, {"alternative_names": ["payments"]}, "other options: alternative_names"),
        ("issued", 0, {"alternative_names": NAMES}, "other options: alternative_names"),
        ("issued", 0, {"subject": "O=Shop,CN=x"}, "other options: subject"),
        ("issued", 0, {"key_type": "ed25519"}, "other options: key_type"),
        ("issued", 0, {"extended_key_usage": ["serverAuth", "clientAuth"]}, "other options: extended_key_usage"),
        ("issued", 0, {"source": source(LEAF)}, "another certificate is offered"),
        ("issued", 13, {}, None),
        ("issued", 14, {}, "due for renewal"),
        ("issued", 25, {}, "due for renewal"),
        ("issued", 14, {"renew_before": "10%"}, None),
        ("issued", 18.1, {"renew_before": "10%"}, "due for renewal"),
        ("issued", 14.5, {"renew_before": "5d"}, None),
        ("issued", 15.1, {"renew_before": "5d"}, "due for renewal"),
        ("imported", 0, {}, "the stored one was imported"),
        ("imported", 0, {"source": source(LEAF)}, None),
        ("imported", 0, {"source": source(LEAF, ROOT)}, None),
        ("imported", 0, {"source": source(leaf(number=7))}, "another certificate is offered"),
        ("imported", 0, {"state": "absent"}, ""),
    ],
)
def test_state(
    given: dict[str, Any], tmp_path: Path, existing: str, age: float, asked: dict[str, Any], reason: str | None
) -> None:
    """In check mode nothing is written, and changed and the diff are those of the real run; the second run rests."""
    prepare(given, existing, NOW - timedelta(days=age))
    before = tree(tmp_path)
    predicted = command("certificate", {**given, **asked}, check=True)
    assert tree(tmp_path) == before
    done = command("certificate", {**given, **asked})
    assert not done.get("failed"), done
    assert predicted["changed"] == done["changed"] == (reason is not None)
    assert (tree(tmp_path) != before) == (reason is not None)
    assert ("diff" in predicted) == ("diff" in done) == (reason is not None)
    if reason is not None:
        assert normal(predicted["diff"]) == normal(done["diff"])
        assert done.get("reason", "") == predicted.get("reason", "") == reason
        assert done["diff"]["before"] != done["diff"]["after"]
    assert set(predicted) == set(done)
    assert predicted.get("warnings") == done.get("warnings")
    after = tree(tmp_path)
    again = command("certificate", {**given, **asked})
    assert not again["changed"], again
    assert tree(tmp_path) == after


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-2048"])
def test_issued(given: dict[str, Any], tmp_path: Path, key_type: str) -> None:
    result = command("certificate", {**given, "alternative_names": NAMES, "key_type": key_type})
    record = stored(tmp_path)
    certificate = record.certificates[0]
    assert result["certificate"]["key_type"] == key_type
    assert result["certificate"]["subject"] == "CN=payments"
    assert set(result["certificate"]["alternative_names"]) == {
        "DNS:payments", "DNS:payments.shop", "IP:10.0.0.1", "DNS:10.0.0.1"
    }  # fmt: skip
    assert result["name"] == "s"
    assert keys.matches(records.load_key(record, None), certificate)
    assert record.details["authority"] == "default"
    assert record.details["source"] == "issued"
    assert factory.openssl_verify(tmp_path, [certificate, ROOT.certificate], "-verify_hostname", "payments.shop") == ""
    assert factory.openssl_verify(tmp_path, [certificate, ROOT.certificate], "-verify_ip", "10.0.0.1") == ""


def test_issued_by_an_intermediate(store: dict[str, Any], tmp_path: Path) -> None:
    command("authority", {**store, "source": source(SUB, ROOT)})
    result = command("certificate", {**store, "name": "s", "alternative_names": ["payments"]})
    assert [one["subject"] for one in result["intermediates"]] == ["CN=Sub CA"]
    assert list(stored(tmp_path).certificates)[1:] == [SUB.certificate]
    path = [*stored(tmp_path).certificates, ROOT.certificate]
    assert factory.openssl_verify(tmp_path, path) == ""


def test_no_key_is_shown(given: dict[str, Any], tmp_path: Path) -> None:
    text = json.dumps([command("certificate", given), command("certificate", {**given, "source": source(LEAF)})])
    for entry in stored(tmp_path).stored.document["revisions"]:
        assert entry["key"].splitlines()[1][:24] not in text
    assert "PRIVATE" not in text


def test_revisions_are_kept(given: dict[str, Any], tmp_path: Path) -> None:
    assert command("certificate", given)["revision"] == 1
    assert command("certificate", {**given, "key_type": "ed25519"})["revision"] == 2
    assert command("certificate", {**given, "source": source(LEAF)})["revision"] == 3
    assert [entry["number"] for entry in stored(tmp_path).stored.document["revisions"]] == [1, 2, 3]


def test_another_authority(given: dict[str, Any], tmp_path: Path) -> None:
    prepare(given, "issued")
    command("authority", {**{k: given[k] for k in ("store", "network")}, "name": "second"})
    result = command("certificate", {**given, "authority": "second"})
    assert (result["changed"], result["reason"]) == (True, "another authority")
    assert not command("certificate", {**given, "authority": "second"})["changed"]


def test_never_outlives_the_root_above_its_ca(store: dict[str, Any], tmp_path: Path) -> None:
    top = factory.root("Short root", key=factory.key(), not_before=NOW - 90 * DAY, not_after=NOW + 10 * DAY)
    below = factory.make("Long sub", top, ca=True, key=factory.key(number=2), not_after=NOW + 900 * DAY)
    assert command("authority", {**store, "source": source(below, top)})["changed"]
    given = {**store, "name": "s", "alternative_names": ["payments"]}
    result = command("certificate", given)
    assert stored(tmp_path).certificates[0].not_valid_after_utc == top.certificate.not_valid_after_utc
    assert "ends with its CA" in result["warnings"][0]
    assert not command("certificate", given, now=NOW + 8 * DAY)["changed"]


def test_an_imported_authority_without_key_is_refused_ahead(store: dict[str, Any], tmp_path: Path) -> None:
    authority = command("authority", {**store, "source": {"certificate_content": pem(ROOT)}}, check=True)
    given = {**store, "name": "s", "alternative_names": ["payments"], "pending": authority}
    error = command("certificate", given, check=True)["errors"][0]
    assert "comes without its key" in error["message"]
    assert error["field"] == "skupper_tls_authority.source"
    assert tree(tmp_path) == {}


def test_clipped_by_its_ca_and_never_renewed_without_end(store: dict[str, Any], tmp_path: Path) -> None:
    given = {**store, "name": "s", "alternative_names": ["payments"], "validity_days": 365}
    command("authority", {**store, "validity_days": 30})
    first = command("certificate", given)
    assert stored(tmp_path).certificates[0].not_valid_after_utc == NOW + 30 * DAY
    assert len(first["warnings"]) == 1
    assert "ends with its CA" in first["warnings"][0]
    assert command("certificate", given)["warnings"] == []
    before = tree(tmp_path)
    for days in (20, 25, 29.9):
        again = command("certificate", given, now=NOW + timedelta(days=days))
        assert not again["changed"]
        assert "is due, but its CA ends" in again["warnings"][0]
    assert tree(tmp_path) == before


def test_renewed_up_to_the_end_of_the_ca(store: dict[str, Any], tmp_path: Path) -> None:
    """At most a few renewals at the CA's end, not one a run."""
    given = {**store, "name": "s", "alternative_names": ["payments"], "validity_days": 9}
    command("authority", {**store, "validity_days": 30})
    revisions = [command("certificate", given, now=NOW + timedelta(hours=h))["revision"] for h in range(0, 719, 5)]
    ends = stored(tmp_path).certificates[0].not_valid_after_utc
    assert ends == NOW + 30 * DAY
    assert revisions[-1] == 5


REFUSED = [
    ({"name": "Bad_"}, "name", "is not an RFC 1123 label"),
    ({"store": None}, "store", "the store is not given"),
    ({"network": "kiosk"}, "store", "belongs to another network"),
    ({"alternative_names": []}, "names", "at least one alternative name"),
    ({"alternative_names": ["a b"]}, "", ""),
    ({"validity_days": 0}, "validity_days", "the validity is not 1 to 36500 days"),
    ({"extended_key_usage": ["clientAuth"]}, "extended_key_usage", "has no serverAuth"),
    ({"extended_key_usage": ["serverAuth", "x"]}, "extended_key_usage", "is unknown"),
    ({"renew_before": "x"}, "renew_before", "neither a share"),
    ({"renew_before": "20d"}, "renew_before", "every run would renew it"),
    ({"subject": "C=toolong"}, "subject", ""),
    ({"source": {"certificate_content": pem(LEAF)}}, "source", "no private key is given"),
    ({"source": {"key_content": key(LEAF)}}, "source", "no certificate is given"),
    ({"source": {**source(LEAF), "key_content": key(ROOT)}}, "source", ""),
    ({"source": source(leaf(STRANGER))}, "source", ""),
    ({"source": source(SUB_LEAF)}, "source", ""),
    ({"source": source(leaf(names=["other"]))}, "source", ""),
    ({"source": source(leaf(not_after=NOW - timedelta(hours=1)))}, "source", ""),
    ({"source": source(leaf(not_before=NOW + DAY))}, "source", ""),
    ({"source": source(leaf(purposes=[factory.CLIENT]))}, "source", ""),
    ({"source": source(SUB)}, "source", ""),
    ({"source": source(leaf(ski=False, aki=None))}, "source", ""),
    ({"source": {**source(LEAF), "key_content": key(LEAF, b"pw")}}, "source.key_content", ""),
    ({"source": {**source(LEAF), "key_content": "junk"}}, "source.key_content", ""),
    ({"source": {**source(LEAF), "key_content": key(LEAF) + key(ROOT)}}, "source.key_content", "more than one"),
    ({"source": {**source(LEAF), "certificate_content": pem(LEAF)[:-40]}}, "source.certificate_content", "truncated"),
    ({"source": {"certificate_path": "/no/crt", "key_path": "/no/key"}}, "source.", "cannot be read"),
]


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize("existing", ["", "issued"])
@pytest.mark.parametrize(("asked", "field", "message"), REFUSED)
def test_refused(
    given: dict[str, Any],
    tmp_path: Path,
    asked: dict[str, Any],
    field: str,
    message: str,
    existing: str,
    check: bool,
) -> None:
    prepare(given, existing)
    before = tree(tmp_path)
    result = command("certificate", {**given, **asked}, check)
    assert result.get("failed"), result
    assert any(field in error["field"] and message in error["message"] for error in result["errors"]), result
    assert all(error["remedy"] and error["field"] for error in result["errors"])
    assert not result["changed"]
    assert tree(tmp_path) == before
    assert "PRIVATE KEY-----\\n" not in json.dumps(result)


def test_no_authority(store: dict[str, Any], tmp_path: Path) -> None:
    given = {**store, "name": "s", "alternative_names": ["payments"]}
    result = command("certificate", given)
    assert result["errors"][0]["message"] == "the store has no authority default"
    assert tree(tmp_path) == {}
    # In check mode the authority would have been made by the task before.
    predicted = command("certificate", given, check=True)
    assert predicted["changed"]
    assert predicted["certificate"]["sha256"] == "known after the run"
    assert tree(tmp_path) == {}
    command("authority", store)
    assert normal(command("certificate", given)["diff"]) == normal(predicted["diff"])


def test_an_import_for_an_authority_to_come(store: dict[str, Any], tmp_path: Path) -> None:
    given = {**store, "name": "s", "alternative_names": ["payments"], "source": source(LEAF)}
    authority = command("authority", {**store, "source": source(ROOT)}, check=True)
    predicted = command("certificate", {**given, "pending": authority}, check=True)
    assert predicted["changed"]
    assert predicted["certificate"]["sha256"] != "known after the run"
    unfitting = command("certificate", given, check=True)
    assert "is not in the store" in unfitting["errors"][0]["message"]
    assert tree(tmp_path) == {}


def test_an_authority_without_key_cannot_issue(store: dict[str, Any], tmp_path: Path) -> None:
    command("authority", {**store, "source": {"certificate_content": pem(ROOT)}})
    given = {**store, "name": "s", "alternative_names": ["payments"]}
    before = tree(tmp_path)
    for check in (True, False):
        assert "no private key of authority" in command("certificate", given, check)["errors"][0]["message"]
    assert tree(tmp_path) == before
    assert command("certificate", {**given, "source": source(LEAF)})["changed"]


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_wrong_passphrase(store: dict[str, Any], tmp_path: Path, passphrase: str | None) -> None:
    right = {**store, "store": {**store["store"], "passphrase": "right"}}
    command("authority", right)
    given = {"name": "s", "alternative_names": ["payments"]}
    wrong = {**store, "store": {**store["store"], "passphrase": passphrase}}
    assert command("certificate", {**wrong, **given})["errors"][0]["field"] == "store.passphrase"
    assert command("certificate", {**right, **given})["changed"]
    before = tree(tmp_path)
    assert command("certificate", {**wrong, **given})["errors"][0]["field"] == "store.passphrase"
    assert not command("certificate", {**right, **given})["changed"]
    assert tree(tmp_path) == before
    assert b"ENCRYPTED" in (tmp_path / "store" / "certificate" / "s.json").read_bytes()


def test_an_expired_ca_issues_nothing(store: dict[str, Any], tmp_path: Path) -> None:
    command("authority", {**store, "validity_days": 10}, now=NOW - 11 * DAY)
    before = tree(tmp_path)
    result = command("certificate", {**store, "name": "s", "alternative_names": ["payments"]})
    assert result["failed"]
    assert tree(tmp_path) == before


def test_an_expired_certificate_of_an_expired_ca_is_told(store: dict[str, Any], tmp_path: Path) -> None:
    given = {**store, "name": "s", "alternative_names": ["payments"]}
    command("authority", {**store, "validity_days": 10}, now=NOW - 11 * DAY)
    command("certificate", given, now=NOW - 10 * DAY)
    result = command("certificate", given)
    assert result.get("failed"), result
    assert "expired" in result["errors"][0]["message"]


@pytest.mark.parametrize(
    "offered",
    [
        source(LEAF),
        {"certificate_content": key(LEAF) + pem(LEAF)},
        {**source(LEAF), "certificate_content": pem(ROOT, LEAF)},
        {**source(LEAF), "certificate_content": pem(LEAF).replace("\n", "\r\n")},
        {**source(LEAF), "key_content": key(LEAF, b"pw"), "key_passphrase": "pw"},
        {**source(SUB_LEAF), "certificate_content": pem(ROOT, SUB, SUB_LEAF)},
        source(SUB_LEAF, SUB),
    ],
)
def test_imported(given: dict[str, Any], tmp_path: Path, offered: dict[str, Any]) -> None:
    result = command("certificate", {**given, "source": offered})
    assert not result.get("failed"), result
    record = stored(tmp_path)
    expected = [LEAF] if record.certificates[0] == LEAF.certificate else [SUB_LEAF, SUB]
    assert list(record.certificates) == [party.certificate for party in expected]
    assert factory.openssl_verify(tmp_path, [*record.certificates, ROOT.certificate]) == ""
    assert not command("certificate", {**given, "source": offered})["changed"]


def test_imported_from_files(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "crt.der").write_bytes(factory.der_of(LEAF.certificate))
    (tmp_path / "key.pem").write_text(key(LEAF))
    paths = {"certificate_path": str(tmp_path / "crt.der"), "key_path": str(tmp_path / "key.pem")}
    assert command("certificate", {**given, "source": paths})["changed"]
    assert stored(tmp_path).certificates == (LEAF.certificate,)


# -- shared between networks


def test_networks(given: dict[str, Any], tmp_path: Path) -> None:
    command("certificate", given)
    before = tree(tmp_path)
    wanted = {**given, "networks": ["billing"]}
    predicted = command("certificate", wanted, True)
    assert tree(tmp_path) == before
    made = command("certificate", wanted)
    assert (
        made["diff"]
        == predicted["diff"]
        == {"before": {"networks": ["shop"]}, "after": {"networks": ["shop", "billing"]}}
    )
    assert made["reason"] == predicted["reason"] == records.SHARING
    assert (made["changed"], made["revision"]) == (True, 1)
    assert not command("certificate", wanted)["changed"]
    renewed = command("certificate", {**wanted, "networks": ["kiosk"], "alternative_names": ["payments", "other"]})
    assert renewed["diff"]["after"]["networks"] == ["shop", "kiosk"]
    assert stored(tmp_path).networks == ("shop", "kiosk")


def test_the_certificate_of_another_network(given: dict[str, Any], tmp_path: Path) -> None:
    made = command("certificate", {**given, "networks": ["billing"]})
    before = tree(tmp_path)
    theirs = {**given, "network": "billing", "authority": "not-shared", "alternative_names": ["payments"]}
    for options in (
        theirs,
        {**theirs, "validity_days": 3, "key_type": "rsa-2048"},
        {**theirs, "networks": ["shop", "billing"]},
    ):
        taken = command("certificate", options)
        assert taken["certificate"] == made["certificate"]
        assert (taken["changed"], taken["authority"], taken["authority_revision"]) == (False, "default", 1)
    for change, message in (
        ({"alternative_names": ["payments", "invoices"]}, "certificate s of the network shop does not have every name"),
        ({"networks": []}, "certificate s belongs to the network shop"),
        ({"source": source(LEAF)}, "certificate s belongs to the network shop"),
        ({"state": "absent"}, "certificate s belongs to the network shop"),
    ):
        for check in (True, False):
            (error,) = command("certificate", {**theirs, **change}, check)["errors"]
            assert error["message"].startswith(message)
            assert error["remedy"]
    assert tree(tmp_path) == before


def test_check_mode_tells_the_authority_that_is_missing(store: dict[str, Any]) -> None:
    """One that is made in the same run counts; another must be there."""
    options = {**store, "name": "s", "alternative_names": ["payments"], "authority": "own"}
    pending = command("authority", {**store, "name": "own"}, True)
    assert command("certificate", {**options, "pending": pending}, True)["changed"]
    (error,) = command("certificate", {**options, "authority": "x", "pending": pending}, True)["errors"]
    assert error["message"] == "the store has no authority x"
