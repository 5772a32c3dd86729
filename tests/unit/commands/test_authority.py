# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command behind the module authority, on a real directory store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils import run
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import (
    arguments,
    command,
    context,
    failure,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW

ROOT = factory.root("Corp CA", key=factory.key())
OTHER = factory.root("Other CA", key=factory.key(number=1))
SUB = factory.make("Sub CA", ROOT, ca=True, key=factory.key(number=2))
LEAF = factory.make("leaf", ROOT, names=["leaf"])
UNKNOWN = "known after the run"


def pem(*parties: Any) -> str:
    return factory.pem_of(*(party.certificate for party in parties)).decode()


def key(party: Any, passphrase: bytes | None = None) -> str:
    return keys.key_to_pem(party.key, passphrase).decode()


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {"store": {"path": str(tmp_path / "store")}, "network": "shop"}


def normal(diff: Any) -> Any:
    """A diff but for what no prediction can know."""
    masked = json.loads(json.dumps(diff))
    for side in (masked["before"], masked["after"]):
        for name in ("serial_number", "sha256", "not_before", "not_after"):
            if name in side and side is masked["after"]:
                side[name] = "*"
    return masked


SOURCE = {"certificate_content": pem(ROOT), "key_content": key(ROOT)}
NO_KEY = {"certificate_content": pem(ROOT)}


def prepare(given: Mapping[str, Any], existing: str) -> None:
    if existing == "generated":
        assert command("authority", given)["changed"]
    elif existing:
        source = {"imported": SOURCE, "without key": NO_KEY}[existing]
        assert command("authority", {**given, "source": source})["changed"]


@pytest.mark.parametrize(
    ("existing", "asked", "changed"),
    [
        ("", {}, True),
        ("", {"source": SOURCE}, True),
        ("", {"source": NO_KEY}, True),
        ("", {"state": "absent"}, False),
        ("generated", {}, False),
        ("generated", {"subject": "another", "key_type": "rsa-2048"}, False),
        ("generated", {"validity_days": 5}, False),
        ("generated", {"state": "absent"}, True),
        ("imported", {}, False),
        ("imported", {"source": SOURCE}, False),
        ("imported", {"source": NO_KEY}, False),
        ("imported", {"state": "absent"}, True),
        ("without key", {"source": NO_KEY}, False),
        ("without key", {"source": SOURCE}, True),
        ("without key", {}, False),
    ],
)
def test_state(given: dict[str, Any], tmp_path: Path, existing: str, asked: dict[str, Any], changed: bool) -> None:
    """In check mode nothing is written, and changed and the diff are those of the real run; the second run rests."""
    prepare(given, existing)
    before = tree(tmp_path)
    predicted = command("authority", {**given, **asked}, check=True)
    assert tree(tmp_path) == before
    done = command("authority", {**given, **asked})
    assert not done.get("failed"), done
    assert predicted["changed"] == done["changed"] == changed
    assert (tree(tmp_path) != before) == changed
    assert ("diff" in predicted) == ("diff" in done) == changed
    if changed:
        assert normal(predicted["diff"]) == normal(done["diff"])
    assert set(predicted) == set(done)
    after = tree(tmp_path)
    again = command("authority", {**given, **asked})
    assert not again["changed"]
    assert "diff" not in again
    assert tree(tmp_path) == after


def test_generated(given: dict[str, Any], tmp_path: Path) -> None:
    result = command("authority", {**given, "key_type": "ecdsa-p384", "validity_days": 100, "subject": "O=Shop,CN=CA"})
    assert result["authority"]["subject"] == "O=Shop,CN=CA"
    assert result["authority"]["key_type"] == "ecdsa-p384"
    assert result["authority"]["ca"]
    assert result["key"]
    assert result["revision"] == 1
    (path,) = (tmp_path / "store" / "authority").iterdir()
    assert path.name == "default.json"
    record = records.load(DirectoryStore(tmp_path / "store"), "authority", "default", "shop")
    assert record is not None
    assert record.certificates[0].not_valid_after_utc == NOW + 100 * DAY
    (tmp_path / "bundle").write_text(result["bundle"])
    assert factory.openssl_verify(tmp_path, [record.certificates[0]], "-purpose", "any") == ""


def test_default_subject(given: dict[str, Any]) -> None:
    assert command("authority", given)["authority"]["subject"] == "CN=shop CA"


def test_check_mode_says_what_it_cannot_know(given: dict[str, Any]) -> None:
    shown = command("authority", given, check=True)["authority"]
    assert (shown["sha256"], shown["serial_number"]) == (UNKNOWN, UNKNOWN)
    shown = command("authority", {**given, "source": SOURCE}, check=True)
    assert shown["authority"]["sha256"] != UNKNOWN
    assert shown["bundle"] == pem(ROOT)


def test_a_changed_option_is_a_warning(given: dict[str, Any]) -> None:
    command("authority", given)
    warnings = command("authority", {**given, "subject": "another", "key_type": "rsa-2048"})["warnings"]
    assert len(warnings) == 2
    assert "keeps subject CN=shop CA, though CN=another is asked for" in warnings[0]
    assert command("authority", given)["warnings"] == []


def test_no_key_is_shown(given: dict[str, Any]) -> None:
    body = "".join(key(ROOT).splitlines()[1:-1])
    text = json.dumps([command("authority", {**given, "source": SOURCE}), command("authority", given)])
    assert body[:32] not in text
    assert "PRIVATE" not in text


@pytest.mark.parametrize(
    ("source", "bundle", "has_key", "chain"),
    [
        (SOURCE, [ROOT], True, [ROOT]),
        (NO_KEY, [ROOT], False, [ROOT]),
        ({"certificate_content": key(ROOT) + pem(ROOT)}, [ROOT], True, [ROOT]),
        ({"certificate_content": pem(ROOT).replace("\n", "\r\n"), "key_content": key(ROOT)}, [ROOT], True, [ROOT]),
        ({"certificate_content": pem(ROOT, SUB), "key_content": key(SUB)}, [ROOT], True, [SUB, ROOT]),
        ({"certificate_content": pem(SUB, ROOT)}, [ROOT], False, [SUB, ROOT]),
        (
            {"certificate_content": pem(ROOT), "key_content": key(ROOT, b"pw"), "key_passphrase": "pw"},
            [ROOT], True, [ROOT],
        ),
        ({"certificate_content": pem(ROOT, OTHER)}, [ROOT, OTHER], False, [ROOT, OTHER]),
    ],
)  # fmt: skip
def test_imported(
    given: dict[str, Any], tmp_path: Path, source: dict[str, Any], bundle: list[Any], has_key: bool, chain: list[Any]
) -> None:
    result = command("authority", {**given, "source": source})
    assert not result.get("failed"), result
    assert (result["bundle"], result["key"]) == (pem(*bundle), has_key)
    record = records.load(DirectoryStore(tmp_path / "store"), "authority", "default", "shop")
    assert record is not None
    assert list(record.certificates) == [party.certificate for party in chain]


def test_imported_from_files(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(pem(ROOT))
    (tmp_path / "ca.der").write_bytes(factory.der_of(ROOT.certificate))
    (tmp_path / "ca.key").write_text(key(ROOT))
    paths = {"certificate_path": str(tmp_path / "ca.pem"), "key_path": str(tmp_path / "ca.key")}
    assert command("authority", {**given, "source": paths})["key"]
    der = {**given, "name": "der", "source": {"certificate_path": str(tmp_path / "ca.der")}}
    assert command("authority", der)["bundle"] == pem(ROOT)


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"name": "Bad_"}, "name", "is not an RFC 1123 label"),
        ({"network": "Bad_"}, "network", "is not an RFC 1123 label"),
        ({"store": None}, "store", "the store is not given"),
        ({"store": {}}, "store.path", "a directory store needs a path"),
        ({"store": {"type": "directory"}}, "store.path", "a directory store needs a path"),
        ({"store": {"type": "kubernetes"}}, "store.namespace", "a kubernetes store needs a namespace"),
        ({"store": {"type": "kubernetes", "namespace": "-"}}, "store.namespace", "is not an RFC 1123 label"),
        ({"validity_days": 0}, "validity_days", "the validity is not 1 to 36500 days"),
        ({"validity_days": 40000}, "validity_days", "the validity is not 1 to 36500 days"),
        ({"subject": "C=toolong"}, "subject", ""),
        ({"source": {"key_content": key(ROOT)}}, "source", "no certificate is given"),
        (
            {"source": {"certificate_path": "/x", "certificate_content": "y"}},
            "source", "source has both certificate_path and certificate_content",
        ),
        ({"source": {"certificate_path": "/no/ca"}}, "source.certificate_path", "the certificate file cannot be read"),
        (
            {"source": {"certificate_content": pem(ROOT), "key_path": "/no/key"}},
            "source.key_path", "the key file cannot be read",
        ),
        ({"source": {"certificate_content": "junk"}}, "source.certificate_content", "the file holds no certificate"),
        ({"source": {"certificate_content": key(ROOT)}}, "source.certificate_content", "a private key stands"),
        (
            {"source": {"certificate_content": pem(ROOT), "key_content": key(OTHER)}},
            "source", "",
        ),
        (
            {"source": {"certificate_content": pem(ROOT), "key_content": key(ROOT, b"pw")}},
            "source.key_content", "",
        ),
        (
            {"source": {"certificate_content": pem(ROOT), "key_content": key(ROOT, b"pw"), "key_passphrase": "no"}},
            "source.key_content", "",
        ),
        ({"source": {"certificate_content": pem(SUB)}}, "source", "the root of the CA is missing"),
        ({"source": {"certificate_content": pem(SUB, OTHER)}}, "source", ""),
        ({"source": {"certificate_content": pem(LEAF, ROOT)}}, "source", ""),
        (
            {"source": {"certificate_content": pem(factory.root("old", not_after=NOW - DAY))}},
            "source", "",
        ),
        (
            {"source": {"certificate_content": pem(factory.root("early", not_before=NOW + DAY))}},
            "source", "",
        ),
        ({"source": {"certificate_content": pem(factory.root("loose", ski=False))}}, "source", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_refused(
    given: dict[str, Any], tmp_path: Path, asked: dict[str, Any], field: str, message: str, check: bool
) -> None:
    before = tree(tmp_path)
    result = command("authority", {**given, **asked}, check)
    assert result["failed"]
    assert not result["changed"]
    error = result["errors"][0]
    assert error["field"].removeprefix("authority default ").startswith(field)
    assert message in error["message"]
    assert error["remedy"]
    assert tree(tmp_path) == before
    assert "PRIVATE KEY-----\n" not in json.dumps(result)


def test_what_is_weak_is_refused_unless_allowed_by_name(given: dict[str, Any]) -> None:
    loose = pem(factory.root("loose", ski=False, aki=None))
    source = {"certificate_content": loose}
    assert command("authority", {**given, "source": source})["failed"]
    done = command("authority", {**given, "source": {**source, "allow": ["non-strict"]}})
    assert done["changed"], done


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
class TestRefusedOnWhatIsThere:
    """Each leaves the store as it was."""

    def refused(self, given: dict[str, Any], tmp_path: Path, asked: dict[str, Any], check: bool) -> dict[str, str]:
        before = tree(tmp_path)
        error = failure(command("authority", {**given, **asked}, check))
        assert tree(tmp_path) == before
        return error

    @pytest.mark.parametrize("existing", ["generated", "imported", "without key"])
    def test_another_ca(self, given: dict[str, Any], tmp_path: Path, existing: str, check: bool) -> None:
        prepare(given, existing)
        source = {"certificate_content": pem(OTHER), "key_content": key(OTHER)}
        error = self.refused(given, tmp_path, {"source": source}, check)
        assert error["message"] == "the store's authority default is another CA than the one offered"
        assert error["field"] == "authority default source"

    def test_another_network(self, given: dict[str, Any], tmp_path: Path, check: bool) -> None:
        prepare(given, "generated")
        assert "belongs to another network" in self.refused(given, tmp_path, {"network": "kiosk"}, check)["message"]

    @pytest.mark.parametrize("passphrase", [None, "wrong"])
    def test_a_wrong_passphrase(
        self, given: dict[str, Any], tmp_path: Path, passphrase: str | None, check: bool
    ) -> None:
        path = given["store"]["path"]
        prepare({**given, "store": {"path": path, "passphrase": "right"}}, "generated")
        error = self.refused(given, tmp_path, {"store": {"path": path, "passphrase": passphrase}}, check)
        assert error["field"] == "store.passphrase"

    def test_an_expired_ca(self, given: dict[str, Any], tmp_path: Path, check: bool) -> None:
        command("authority", {**given, "validity_days": 10}, now=NOW - 10 * DAY)
        error = self.refused(given, tmp_path, {}, check)
        assert error["message"] == "the CA of authority default has expired"
        assert NOW.strftime("%Y-%m-%dT%H:%M:%SZ") in error["found"]

    def test_one_that_is_used(self, given: dict[str, Any], tmp_path: Path, check: bool) -> None:
        prepare(given, "generated")
        certificate = {**given, "name": "s", "alternative_names": ["payments"]}
        assert command("certificate", certificate)["changed"]
        error = self.refused(given, tmp_path, {"state": "absent"}, check)
        assert error["message"] == "authority default is still used"
        assert error["found"] == "certificates s"

    def test_a_damaged_record(self, given: dict[str, Any], tmp_path: Path, check: bool) -> None:
        prepare(given, "generated")
        (tmp_path / "store" / "authority" / "default.json").write_text("{")
        for state in ("present", "absent"):
            assert "default.json" in self.refused(given, tmp_path, {"state": state}, check)["found"]


def test_removed_when_its_certificates_are(given: dict[str, Any]) -> None:
    prepare(given, "generated")
    certificate = {**given, "name": "s", "alternative_names": ["payments"]}
    command("certificate", certificate)
    command("certificate", {**certificate, "state": "absent"})
    assert command("authority", {**given, "state": "absent"})["changed"]


def test_a_ca_near_its_end_is_kept(given: dict[str, Any]) -> None:
    command("authority", {**given, "validity_days": 10}, now=NOW - 10 * DAY + timedelta(minutes=1))
    assert not command("authority", given).get("failed")


def test_the_key_that_is_added_makes_a_revision(given: dict[str, Any], tmp_path: Path) -> None:
    prepare(given, "without key")
    assert command("authority", {**given, "source": SOURCE})["revision"] == 2
    record = records.load(DirectoryStore(tmp_path / "store"), "authority", "default", "shop")
    assert record is not None
    assert keys.matches(records.load_key(record, None), ROOT.certificate)


# -- shared between networks


def share(given: Mapping[str, Any], networks: Any, network: str = "shop", check: bool = False, **more: Any) -> Any:
    return command("authority", {**given, "network": network, "networks": networks, **more}, check)


@pytest.mark.parametrize("at_once", [True, False])
def test_networks(given: dict[str, Any], tmp_path: Path, at_once: bool) -> None:
    if not at_once:
        command("authority", given)
    before = tree(tmp_path)
    predicted = share(given, ["shop", "billing"], check=True)
    assert tree(tmp_path) == before
    made = share(given, ["shop", "billing"])
    assert made["changed"]
    assert normal(predicted["diff"]) == normal(made["diff"])
    assert made["diff"]["after"]["networks"] == ["shop", "billing"]
    after = tree(tmp_path)
    for network in ("shop", "billing"):
        assert not share(given, ["billing", "shop"], network)["changed"]
        assert not share(given, None, network)["changed"]
    assert "belongs to another network" in failure(share(given, None, "kiosk"))["message"]
    assert tree(tmp_path) == after
    assert share(given, [])["changed"]
    assert "belongs to another network" in failure(share(given, None, "billing"))["message"]


@pytest.mark.parametrize("check", [True, False])
def test_only_the_owner_changes_it(given: dict[str, Any], tmp_path: Path, check: bool) -> None:
    share({**given, "source": NO_KEY}, ["billing"])
    before = tree(tmp_path)
    changes: list[dict[str, Any]] = [{"networks": []}, {"networks": ["billing", "kiosk"]}, {"source": SOURCE}]
    for change in (*changes, {"state": "absent"}):
        refusal = failure(command("authority", {**given, "network": "billing", **change}, check))
        assert refusal["message"] == "authority default belongs to the network shop, which shares it"
    assert tree(tmp_path) == before


def test_a_network_that_uses_it_stays(given: dict[str, Any]) -> None:
    share(given, ["billing", "kiosk"])
    issued = {**given, "network": "billing", "name": "s", "alternative_names": ["payments"]}
    assert command("certificate", issued)["changed"]
    refusal = failure(share(given, ["kiosk"]))
    assert (refusal["field"], refusal["found"]) == ("networks", "certificates s of billing")
    assert share(given, ["billing"])["changed"]


def test_networks_and_the_key_at_once(given: dict[str, Any], tmp_path: Path) -> None:
    command("authority", {**given, "source": NO_KEY})
    assert share(given, ["billing"], source=SOURCE)["changed"]
    record = records.load(DirectoryStore(tmp_path / "store"), "authority", "default", "billing")
    assert record is not None
    assert (record.revision, record.networks, bool(record.key_pem)) == (2, ("shop", "billing"), True)


def test_hosts_of_several_networks(given: dict[str, Any], tmp_path: Path) -> None:
    """What the action plugin passes on of the hosts that a task runs once for."""
    options = {**arguments("authority", **given), "networks_of_hosts": {"a": "shop", "b": "billing"}}
    refusal = failure(run.execute("authority", options, context()))
    assert refusal["found"] == "billing: b; shop: a"
    assert not list(tmp_path.iterdir())
