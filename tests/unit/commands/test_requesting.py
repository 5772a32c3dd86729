# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that a CA outside answers, of certificates and of authorities, on a real directory store."""

from __future__ import annotations

import json
import multiprocessing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records, requests
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import describe, keys
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, failure, tree
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import DAY, NOW

ROOT = factory.root("Corp CA", key=factory.key(), not_before=NOW - 90 * DAY, not_after=NOW + 900 * DAY)
SUB = factory.make("Sub CA", ROOT, ca=True, key=factory.key(number=2), not_after=NOW + 900 * DAY)
STRANGER = factory.make("payments", ROOT, names=["payments"], key=factory.key(number=3))
PROCESSES = multiprocessing.get_context("fork")
PASSPHRASE = "words"


class Public:
    """The public half of a key, which is all that a CA knows."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        return self._public


def pem(*certificates: Any) -> str:
    return factory.pem_of(*certificates).decode()


def answer(csr: str, issuer: Any = ROOT, **options: Any) -> x509.Certificate:
    """Return what a CA makes of a request."""
    request = x509.load_pem_x509_csr(csr.encode())
    assert request.is_signature_valid
    names = [name.removeprefix("DNS:") for name in describe.describe_request(request)["alternative_names"]]
    options = {"names": names, "key": Public(request.public_key()), **options}
    return factory.make("payments", issuer, **options).certificate


@pytest.fixture
def store(tmp_path: Path) -> dict[str, Any]:
    return {"store": {"path": str(tmp_path / "store"), "passphrase": PASSPHRASE}, "network": "shop"}


@pytest.fixture
def given(store: dict[str, Any]) -> dict[str, Any]:
    """Options of a certificate, and the authority without key in the store."""
    source = {"certificate_content": pem(ROOT.certificate)}
    assert command("authority", {**store, "source": source}, now=NOW - 60 * DAY)["changed"]
    return {**store, "name": "s", "alternative_names": ["payments", "payments.shop"]}


def pending(given: dict[str, Any], kind: str = "certificate") -> tuple[requests.Pending, ...]:
    name = given.get("name", "default")
    return requests.load(DirectoryStore(Path(given["store"]["path"])), kind, name, "shop").pending


def normal(diff: Any) -> Any:
    masked = json.loads(json.dumps(diff))
    masked["after"].get("request", {}).pop("key_sha256", None)
    return masked


def run(module: str, asked: dict[str, Any], tmp_path: Path, now: datetime = NOW) -> dict[str, Any]:
    """Run in check mode, which must write nothing and predict all, and then really."""
    before = tree(tmp_path)
    predicted = command(module, asked, check=True, now=now)
    assert tree(tmp_path) == before
    done: dict[str, Any] = command(module, asked, now=now)
    assert predicted.get("failed") == done.get("failed"), (predicted, done)
    assert predicted["changed"] == done["changed"] == (tree(tmp_path) != before)
    assert set(predicted) == set(done)
    if "diff" in done:
        assert normal(predicted["diff"]) == normal(done["diff"])
        assert done["diff"]["before"] != done["diff"]["after"]
    assert "PRIVATE" not in json.dumps(done)
    return done


def rests(module: str, asked: dict[str, Any], tmp_path: Path, now: datetime = NOW) -> dict[str, Any]:
    """Run again and find that nothing changes."""
    done = run(module, asked, tmp_path, now)
    assert not done["changed"], done
    return done


# -- state: request


def test_a_request_is_made_once(given: dict[str, Any], tmp_path: Path) -> None:
    asked = {**given, "state": "request"}
    assert command("certificate", asked, check=True)["csr"] == ""
    first = run("certificate", asked, tmp_path)
    assert first["changed"]
    assert first["certificate"] is None
    again = rests("certificate", asked, tmp_path)
    assert again["csr"] == first["csr"]
    assert again["request"] == first["request"]
    (one,) = pending(given)
    assert b"ENCRYPTED" in one.key_pem
    assert first["request"]["key_sha256"] == describe.key_fingerprint(one.request.public_key())
    assert first["request"]["subject"] == "CN=payments"


@pytest.mark.parametrize(
    ("other", "another"),
    [
        ({"alternative_names": ["payments.shop", "payments"], "subject": "payments"}, False),
        ({"validity_days": 9, "renew_before": "1/2"}, False),
        ({"alternative_names": ["payments"]}, True),
        ({"subject": "O=Shop,CN=payments"}, True),
        ({"key_type": "ed25519"}, True),
        ({"extended_key_usage": ["serverAuth", "clientAuth"]}, True),
    ],
)
def test_other_options(given: dict[str, Any], tmp_path: Path, other: dict[str, Any], another: bool) -> None:
    """Another request joins the first one, which stays, and is found again."""
    first = command("certificate", {**given, "state": "request"})
    second = run("certificate", {**given, "state": "request", **other}, tmp_path)
    assert second["changed"] == (second["csr"] != first["csr"]) == another
    assert len(pending(given)) == 1 + another
    assert rests("certificate", {**given, "state": "request"}, tmp_path)["csr"] == first["csr"]


def test_a_certificate_without_authority_can_be_requested(store: dict[str, Any], tmp_path: Path) -> None:
    asked = {**store, "name": "s", "alternative_names": ["payments"], "state": "request"}
    assert run("certificate", asked, tmp_path)["changed"]


def _ask(asked: dict[str, Any], start: Any, results: Any) -> None:
    start.wait()
    results.put(command("certificate", asked))


def test_ten_runs_at_once(given: dict[str, Any]) -> None:
    asked = {**given, "state": "request"}
    start, results = PROCESSES.Barrier(10), PROCESSES.Queue()
    runners = [PROCESSES.Process(target=_ask, args=(asked, start, results)) for dummy in range(10)]
    for runner in runners:
        runner.start()
    said = [results.get(timeout=60) for dummy in runners]
    for runner in runners:
        runner.join()
    assert len({one["csr"] for one in said}) == 1, said
    assert [one["changed"] for one in said].count(True) == 1
    assert len(pending(given)) == 1


# -- the answer


def test_the_answer_takes_the_key(given: dict[str, Any], tmp_path: Path) -> None:
    csr = command("certificate", {**given, "state": "request"})["csr"]
    leaf = answer(csr, SUB)
    asked = {**given, "source": {"certificate_content": pem(SUB.certificate, leaf)}}
    result = run("certificate", asked, tmp_path)
    assert (result["changed"], result["revision"]) == (True, 1)
    assert pending(given) == ()
    record = records.load(DirectoryStore(tmp_path / "store"), "certificate", "s", "shop")
    assert record is not None
    assert record.certificates == (leaf, SUB.certificate)
    assert keys.matches(records.load_key(record, PASSPHRASE.encode()), leaf)
    rests("certificate", asked, tmp_path)


def test_only_the_answered_request_goes(given: dict[str, Any], tmp_path: Path) -> None:
    first = command("certificate", {**given, "state": "request"})["csr"]
    second = command("certificate", {**given, "state": "request", "key_type": "ed25519"})["csr"]
    run("certificate", {**given, "source": {"certificate_content": pem(answer(first))}}, tmp_path)
    (left,) = pending(given)
    assert requests.request_to_pem(left.request) == second
    result = run("certificate", {**given, "source": {"certificate_content": pem(answer(second))}}, tmp_path)
    assert result["revision"] == 2
    assert pending(given) == ()


def test_signed_again_for_the_same_key(given: dict[str, Any], tmp_path: Path) -> None:
    csr = command("certificate", {**given, "state": "request"})["csr"]
    for number in (1, 2):
        asked = {**given, "source": {"certificate_content": pem(answer(csr))}}
        result = run("certificate", asked, tmp_path)
        assert (result["revision"], result["another_key"]) == (number, number == 1)


def test_died_before_the_request_was_removed(given: dict[str, Any], tmp_path: Path) -> None:
    """The next run removes it, and says so."""
    csr = command("certificate", {**given, "state": "request"})["csr"]
    file = tmp_path / "store" / "certificate-request" / "s.json"
    kept = file.read_bytes()
    asked = {**given, "source": {"certificate_content": pem(answer(csr))}}
    command("certificate", asked)
    file.write_bytes(kept)
    assert run("certificate", asked, tmp_path)["changed"]
    assert pending(given) == ()
    rests("certificate", asked, tmp_path)


REFUSED: list[tuple[Any, str]] = [
    (lambda csr: pem(answer(csr, names=["payments"])), "does not cover payments.shop"),
    (lambda csr: pem(answer(csr, purposes=[factory.CLIENT])), "serverAuth"),
    (lambda csr: pem(answer(csr, not_after=NOW - DAY, not_before=NOW - 2 * DAY)), "expired"),
    (lambda csr: pem(answer(csr, SUB)), "the chain is incomplete"),
    (lambda csr: pem(answer(csr, factory.root("other"))), "the chain is incomplete"),
    (lambda csr: csr, "the file holds a signing request, not a certificate"),
]


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(("made", "message"), REFUSED)
def test_an_answer_is_checked(given: dict[str, Any], tmp_path: Path, made: Any, message: str, check: bool) -> None:
    csr = command("certificate", {**given, "state": "request"})["csr"]
    before = tree(tmp_path)
    error = command("certificate", {**given, "source": {"certificate_content": made(csr)}}, check)["errors"][0]
    assert message in error["message"]
    assert error["field"].startswith("certificate s source")
    assert tree(tmp_path) == before


def test_an_answer_to_nothing(given: dict[str, Any], tmp_path: Path) -> None:
    source = {"certificate_content": pem(ROOT.certificate, STRANGER.certificate)}
    assert "no private key is given" in failure(command("certificate", {**given, "source": source}))["message"]
    command("certificate", {**given, "state": "request"})
    before = tree(tmp_path)
    error = failure(command("certificate", {**given, "source": source}))
    assert error["message"] == "the certificate does not belong to any request that waits for its CA"
    assert describe.key_fingerprint(STRANGER.key.public_key()) in error["found"]
    assert describe.key_fingerprint(pending(given)[0].request.public_key()) in error["found"]
    assert tree(tmp_path) == before


def test_a_wrong_passphrase(given: dict[str, Any], tmp_path: Path) -> None:
    csr = command("certificate", {**given, "state": "request"})["csr"]
    wrong = {**given, "store": {**given["store"], "passphrase": "wrong"}}
    before = tree(tmp_path)
    for asked in ({"state": "request"}, {"source": {"certificate_content": pem(answer(csr))}}):
        assert failure(command("certificate", {**wrong, **asked}))["field"] == "store.passphrase"
    assert tree(tmp_path) == before


def test_absent_removes_requests(given: dict[str, Any], tmp_path: Path) -> None:
    csr = command("certificate", {**given, "state": "request"})["csr"]
    assert run("certificate", {**given, "state": "absent"}, tmp_path)["changed"]
    assert pending(given) == ()
    rests("certificate", {**given, "state": "absent"}, tmp_path)
    source = {"certificate_content": pem(answer(csr))}
    assert command("certificate", {**given, "source": source})["failed"]


# -- state: present with request_path


@pytest.fixture
def waiting(given: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Options with the file of the request, and the file of the answer, which is not there."""
    paths = {"request_path": str(tmp_path / "s.csr"), "source": {"certificate_path": str(tmp_path / "s.pem")}}
    return {**given, **paths}


def put(waiting: dict[str, Any], *certificates: x509.Certificate) -> None:
    Path(waiting["source"]["certificate_path"]).write_text(pem(*certificates))


def csr_of(waiting: dict[str, Any]) -> str:
    return Path(waiting["request_path"]).read_text()


def test_request_wait_import(waiting: dict[str, Any], tmp_path: Path) -> None:
    result = run("certificate", waiting, tmp_path)
    assert result["changed"]
    assert result["csr"] == csr_of(waiting)
    for text in (waiting["request_path"], waiting["source"]["certificate_path"], "certificate s waits", "none yet"):
        assert text in result["waiting"]
    assert Path(waiting["request_path"]).stat().st_mode & 0o777 == 0o644
    assert rests("certificate", waiting, tmp_path)["waiting"] == result["waiting"]
    leaf = answer(csr_of(waiting))
    put(waiting, leaf)
    done = run("certificate", waiting, tmp_path)
    assert "waiting" not in done
    assert done["certificate"]["sha256"] == describe.fingerprint(leaf)
    rests("certificate", waiting, tmp_path)
    Path(waiting["source"]["certificate_path"]).unlink()
    assert "waiting" not in rests("certificate", waiting, tmp_path)


@pytest.mark.parametrize("content", ["", "other"])
def test_the_file_is_written_again(waiting: dict[str, Any], tmp_path: Path, content: str) -> None:
    csr = run("certificate", waiting, tmp_path)["csr"]
    file = Path(waiting["request_path"])
    if content:
        file.write_text(content)
    else:
        file.unlink()
    assert run("certificate", waiting, tmp_path)["changed"]
    assert file.read_text() == csr
    rests("certificate", waiting, tmp_path)


def test_content_that_is_still_empty(waiting: dict[str, Any], tmp_path: Path) -> None:
    asked = {**waiting, "source": {"certificate_content": ""}}
    assert "source.certificate_content" in run("certificate", asked, tmp_path)["waiting"]
    asked["source"] = {"certificate_content": pem(answer(csr_of(waiting)))}
    assert "waiting" not in run("certificate", asked, tmp_path)


@pytest.mark.parametrize("file", [True, False], ids=["old file there", "old file gone"])
@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"alternative_names": ["payments", "more"]}, "does not cover more"),
        ({"key_type": "ed25519"}, "has a key of type ecdsa-p256"),
    ],
)
def test_other_options_need_another_certificate(
    waiting: dict[str, Any], tmp_path: Path, other: dict[str, Any], why: str, file: bool
) -> None:
    run("certificate", waiting, tmp_path)
    put(waiting, answer(csr_of(waiting)))
    run("certificate", waiting, tmp_path)
    if not file:
        Path(waiting["source"]["certificate_path"]).unlink()
    changed = {**waiting, **other}
    assert why in run("certificate", changed, tmp_path)["waiting"]
    rests("certificate", changed, tmp_path)
    put(waiting, answer(csr_of(waiting)))
    assert run("certificate", changed, tmp_path)["revision"] == 2
    rests("certificate", changed, tmp_path)
    assert pending(waiting) == ()


def test_a_late_answer_to_an_older_request(waiting: dict[str, Any], tmp_path: Path) -> None:
    run("certificate", waiting, tmp_path)
    older = answer(csr_of(waiting))
    changed = {**waiting, "alternative_names": ["payments", "more"]}
    run("certificate", changed, tmp_path)
    put(waiting, older)
    assert "does not cover more" in rests("certificate", changed, tmp_path)["waiting"]
    assert len(pending(waiting)) == 2
    assert "waiting" not in run("certificate", waiting, tmp_path)
    assert len(pending(waiting)) == 1


def test_renewal(waiting: dict[str, Any], tmp_path: Path) -> None:
    """A request for the next certificate is made while the present one serves; only an expired one is waited for."""
    run("certificate", waiting, tmp_path)
    first = answer(csr_of(waiting), not_after=NOW + 30 * DAY)
    put(waiting, first)
    run("certificate", waiting, tmp_path)
    later = NOW + 25 * DAY
    due = run("certificate", waiting, tmp_path, later)
    assert due["changed"]
    assert "waiting" not in due
    assert due["revision"] == 1
    assert "the renewal of certificate s waits for its CA" in due["warnings"][0]
    assert rests("certificate", waiting, tmp_path, later)["warnings"] == due["warnings"]
    expired = command("certificate", waiting, check=True, now=NOW + 31 * DAY)
    assert "has expired" in expired["waiting"]
    second = answer(csr_of(waiting), not_before=later - DAY, not_after=later + 60 * DAY)
    put(waiting, second)
    done = run("certificate", waiting, tmp_path, later)
    assert (done["revision"], done["another_key"], done["warnings"]) == (2, True, [])
    rests("certificate", waiting, tmp_path, later)


def test_an_issued_one_gives_way(store: dict[str, Any], tmp_path: Path) -> None:
    """Until the CA outside has answered the run waits, and the store keeps what it has."""
    source = {"certificate_content": pem(ROOT.certificate), "key_content": keys.key_to_pem(ROOT.key).decode()}
    command("authority", {**store, "source": source})
    asked = {**store, "name": "s", "alternative_names": ["payments"]}
    command("certificate", asked)
    asked = {**asked, "request_path": str(tmp_path / "csr"), "source": {"certificate_path": str(tmp_path / "crt")}}
    assert "waits for its CA" in run("certificate", asked, tmp_path)["waiting"]
    (tmp_path / "crt").write_text(pem(answer((tmp_path / "csr").read_text())))
    assert run("certificate", asked, tmp_path)["revision"] == 2


@pytest.mark.parametrize("state", ["present", "request"])
@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"request_path": "/no/such/folder/csr"}, "request_path", "cannot be written"),
        ({"request_path": "/"}, "request_path", "cannot be written"),
        ({"request_path": "/dev/null/csr"}, "request_path", "cannot be written"),
        ({"alternative_names": []}, "alternative_names", "at least one alternative name"),
        ({"source": {"key_path": "/x"}}, "certificate s source", "request_path is given"),
        ({"source": {"pkcs12_path": "/x"}}, "certificate s source", "request_path is given"),
        ({"source": {"secret": {"name": "x", "namespace": "y"}}}, "certificate s source", "request_path is given"),
    ],
)
def test_refused(
    waiting: dict[str, Any], tmp_path: Path, asked: dict[str, Any], field: str, message: str, state: str
) -> None:
    before = tree(tmp_path)
    for check in (True, False):
        error = failure(command("certificate", {**waiting, "state": state, **asked}, check))
        assert error["field"] == field
        assert message in error["message"]
    assert tree(tmp_path) == before


# -- authorities


def ca_answer(csr: str, **options: Any) -> x509.Certificate:
    request = x509.load_pem_x509_csr(csr.encode())
    options = {"ca": True, "path_length": 0, "key": Public(request.public_key()), **options}
    return factory.make("Shop issuing CA", ROOT, **options).certificate


def test_an_intermediate_below_an_offline_root(store: dict[str, Any], tmp_path: Path) -> None:
    paths = {"request_path": str(tmp_path / "ca.csr"), "source": {"certificate_path": str(tmp_path / "ca.pem")}}
    asked = {**store, **paths, "subject": "Shop issuing CA"}
    result = run("authority", asked, tmp_path)
    assert (result["changed"], result["authority"], result["key"]) == (True, None, False)
    assert "authority default waits for its CA" in result["waiting"]
    assert result["request"]["ca"]
    assert rests("authority", asked, tmp_path)["csr"] == result["csr"] == (tmp_path / "ca.csr").read_text()
    signed = ca_answer(result["csr"])
    (tmp_path / "ca.pem").write_text(pem(ROOT.certificate, signed))
    pending_chain = command("authority", asked, check=True)["pending_chain"]
    assert x509.load_pem_x509_certificates(pending_chain.encode()) == [signed, ROOT.certificate]
    done = run("authority", asked, tmp_path)
    assert (done["key"], done["bundle"], done["authority"]["issuer"]) == (True, pem(ROOT.certificate), "CN=Corp CA")
    assert pending(store, "authority") == ()
    rests("authority", asked, tmp_path)
    issued = command("certificate", {**store, "name": "s", "alternative_names": ["payments"]})
    assert issued["certificate"]["issuer"] == "CN=Shop issuing CA"
    record = records.load(DirectoryStore(tmp_path / "store"), "certificate", "s", "shop")
    assert record is not None
    assert factory.openssl_verify(tmp_path, [*record.certificates, ROOT.certificate]) == ""
    (tmp_path / "ca.pem").unlink()
    assert "waiting" not in rests("authority", asked, tmp_path)


def test_an_authority_is_requested_once(store: dict[str, Any], tmp_path: Path) -> None:
    asked = {**store, "state": "request"}
    first = run("authority", asked, tmp_path)
    assert first["request"]["subject"] == "CN=shop CA"
    assert rests("authority", asked, tmp_path)["csr"] == first["csr"]
    assert run("authority", {**asked, "key_type": "ecdsa-p384"}, tmp_path)["changed"]
    assert len(pending(store, "authority")) == 2
    assert run("authority", {**store, "state": "absent"}, tmp_path)["changed"]
    assert pending(store, "authority") == ()


def test_a_ca_below_which_the_sites_have_theirs(store: dict[str, Any], tmp_path: Path) -> None:
    asked = {**store, "request_path": str(tmp_path / "csr"), "source": {"certificate_path": str(tmp_path / "crt")}}
    command("authority", asked)
    asked["site_intermediates"] = {"east": ["payments"]}
    waits = run("authority", asked, tmp_path)
    assert "waits for its CA" in waits["waiting"]
    request = x509.load_pem_x509_csr(waits["csr"].encode())
    assert request.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 1
    assert len(pending(store, "authority")) == 2
    (tmp_path / "crt").write_text(pem(ca_answer(waits["csr"], path_length=1), ROOT.certificate))
    done = command("authority", asked)
    assert list(done["site_intermediates"]) == ["east"]
    assert not command("authority", asked)["changed"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda csr: [ROOT.certificate, SUB.certificate], "does not belong to any request"),
        (lambda csr: [ca_answer(csr)], "the root of the CA is missing"),
        (lambda csr: [ca_answer(csr, ca=False, path_length=None), ROOT.certificate], "CA"),
    ],
)
def test_an_authoritys_answer_is_checked(store: dict[str, Any], tmp_path: Path, made: Any, message: str) -> None:
    csr = command("authority", {**store, "state": "request"})["csr"]
    source = {"certificate_content": pem(*made(csr))}
    before = tree(tmp_path)
    for check in (True, False):
        error = command("authority", {**store, "source": source}, check)["errors"][0]
        assert message in error["message"]
        assert error["field"].startswith("authority default source")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("asked", [{"state": "request"}, {"request_path": "/tmp/csr"}])
def test_no_request_for_an_authority_that_is_there(store: dict[str, Any], tmp_path: Path, asked: Any) -> None:
    command("authority", store)
    before = tree(tmp_path)
    error = failure(command("authority", {**store, **asked}))
    assert "has an authority default already" in error["message"]
    assert "another name" in error["remedy"]
    assert tree(tmp_path) == before
