# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System sites by way of their host's own Python: the real bootstrap and agent in a process, but no connection."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils import errors, plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    InputError,
    Problems,
    SiteConflict,
    SiteError,
    SkupperTlsError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import OURS, Change, Observed
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites import remote, start, wire
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.base import SiteAddress
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.remote import BOOTSTRAP, RemoteSite
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.system import SystemSite
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import Item, SiteKind
from ansible_collections.multisite.skupper_tls.tests.unit.test_frame import SHIPPED, UTILS, closure

NAME = "server-cert-secret"
SITE = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata:\n  name: edge\n"
NONCE = bytes(range(32))


def secret(mark: str = "1", name: str = NAME) -> Item:
    data = {key: f"{key} {mark} PRIVATE\n".encode() for key in ("tls.crt", "tls.key", "ca.crt")}
    return Item("Secret", name, {"data": data})


def listener(port: int = 5001, **spec: Any) -> Item:
    content = {"spec": {"host": "0.0.0.0", "port": port, "routingKey": "payments-5001", **spec}}
    return Item("Listener", "payments-5001", content, labels={"multisite.skupper-tls/address": "payments"})


def pythons() -> list[str]:
    """The oldest Python that a host may have, if it is on this machine, and the one of the tests."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    old = [str(path) for path in sorted(root.glob("3.9.*/bin/python"))[:1]] or [shutil.which("python3.9") or ""]
    return [python for python in (*old, sys.executable) if python]


class Way:
    """Runs the bootstrap as the connection would, and keeps all that goes through it.

    Attributes:
        sent: the requests.
        said: the answers.
    """

    def __init__(self, python: str = sys.executable, environment: dict[str, str] | None = None) -> None:
        self._command = [python, "-E", "-s", "-S", "-c", BOOTSTRAP]
        self._environment = environment
        self.sent: list[bytes] = []
        self.said: list[str] = []

    def __call__(self, data: bytes) -> str:
        self.sent.append(data)
        ended = subprocess.run(
            self._command, input=data, capture_output=True, check=False, env=self._environment, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == b""
        self.said.append(ended.stdout.decode())
        return self.said[-1]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "skupper/namespaces/ns/input/resources"
    folder.mkdir(parents=True)
    (folder / "Site-edge.yaml").write_text(SITE)
    return tmp_path / "skupper"


def address(home: Path | str, **given: Any) -> SiteAddress:
    return SiteAddress(**{"name": "edge", "platform": "linux", "namespace": "ns", "data_home": str(home), **given})


def opened(home: Path | str, way: Any = None, **given: Any) -> RemoteSite:
    return RemoteSite(address(home, **given), way or Way(), [NAME], ["Listener", "Connector"])


def planned(site: Any, *items: Item, gone: tuple[tuple[str, str], ...] = ()) -> list[Change]:
    seen = site.observe([NAME, *(item.name for item in items if item.kind == "Secret")], ["Listener"])
    return list(plan.plan(items, seen, False, gone).changes)


def apply(site: Any, *items: Item, **given: Any) -> list[str]:
    done: list[Change] = []
    changes = planned(site, *items, **given)
    changes += site.follow_up(changes)
    site.apply_all(changes, done.append)
    assert done == changes
    return [change.action for change in changes]


def files(home: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(home)): (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        for path in sorted(home.rglob("*"))
        if path.is_file()
    }


# -- what is sent


def test_what_is_sent_is_all_that_is_needed() -> None:
    """Neither a module too few, which the host would miss, nor one that it does not use."""
    agent = {path for path in closure([UTILS / "sites/agent.py"]) if path.name != "__init__.py"}
    assert {UTILS / f"{name.replace('.', '/')}.py" for name in remote.MODULES} == agent
    assert agent | {UTILS / "sites/start.py"} <= set(closure(SHIPPED))


def test_the_bootstrap_is_constant_and_short() -> None:
    assert "{" + "MARK" not in BOOTSTRAP
    assert len(BOOTSTRAP) < 1000


def test_modules_from_texts() -> None:
    sources = start.Sources({"a.b": "X = 1\n"})
    module, package = (sources.find_spec(f"skupper_tls_on_host.{name}") for name in ("a.b", "a"))
    assert module is not None
    assert module.loader is sources
    assert package is not None
    assert package.submodule_search_locations is not None
    assert sources.find_spec("json") is None
    assert sources.find_spec("skupper_tls_on_host.c") is None


# -- there and back


@pytest.mark.parametrize("python", pythons())
def test_there_and_back(home: Path, tmp_path: Path, python: str) -> None:
    """A remote site's files are those of a local one, byte by byte."""
    site = opened(home, Way(python))
    assert site.kind() == SiteKind("linux", "v2", "0.0.0.0", "ns")
    local = SystemSite(address("x"), tmp_path / "local")
    shutil.copytree(home, tmp_path / "local")
    steps: list[tuple[tuple[Item, ...], tuple[tuple[str, str], ...], list[str]]] = [
        ((secret(), listener()), (), ["create", "create"]),
        ((secret(), listener()), (), []),
        ((secret("2"), listener(5002)), (), ["update", "update"]),
        ((), (secret().key, listener().key), ["delete", "delete"]),
    ]
    for items, gone, actions in steps:
        assert apply(site, *items, gone=gone) == actions
        assert apply(local, *items, gone=gone) == actions
        assert files(home) == files(tmp_path / "local")
        for kinds in (["Listener"], ["Connector"], []):
            assert site.observe([NAME], kinds) == local.observe([NAME], kinds)


def test_how_many_requests(home: Path) -> None:
    way = Way()
    site = opened(home, way)
    site.kind()
    site.health([], 0)
    site.tidy()
    changes = planned(site, secret(), listener())
    site.follow_up(changes)
    assert len(way.sent) == 1, "one answer says all that a plan needs"
    site.apply_all(changes, lambda change: None)
    site.after_change(changes)
    site.observe([NAME], ["Listener"])
    assert len(way.sent) == 2, "one request makes all changes, and says what stands there then"
    site.observe([NAME], ["Listener"])
    site.observe(["other"], [])
    assert len(way.sent) == 4, "what is asked again is read again"


def test_what_the_site_says_of_itself(home: Path, tmp_path: Path) -> None:
    site = opened(home)
    health = site.health([], 0)
    assert health.identity == SystemSite(address("x"), home).health([], 0).identity
    assert health.missing_permissions == ()
    assert health.clock_offset is not None
    assert abs(health.clock_offset) < 5


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_a_wrong_clock_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - seconds)
    assert abs((opened(home).health([], 0).clock_offset or 0) - seconds) < 5


def test_the_folder_is_the_hosts(home: Path) -> None:
    """The path, and the default, are read in the environment of the host's process."""
    environment = {"HOME": str(home.parent), "PLACE": str(home), "XDG_DATA_HOME": str(home.parent)}
    way = Way(environment=environment)
    for text in ("~/skupper", "$PLACE", "${PLACE}", *([""] if os.getuid() else [])):
        assert opened(text, way).health([], 0).identity.endswith(str(home / "namespaces/ns"))
    for text in ("skupper", "~nobody-at-all/x", "$NOTHING"):
        with pytest.raises(InputError) as caught:
            opened(text, way).kind()
        assert (caught.value.field, caught.value.found, caught.value.site) == ("skupper_site_data_home", text, "edge")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to become")
def test_root_becomes_the_owner(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    # Not below pytest's own folder, which each start of pytest closes to others again.
    place = tempfile.TemporaryDirectory()
    request.addfinalizer(place.cleanup)
    Path(place.name).chmod(0o755)
    home = Path(shutil.move(home, place.name))
    for path in [home, *home.rglob("*")]:
        os.chown(path, 65534, 65534)
    site = opened(home)
    apply(site, secret(), listener())
    apply(site, secret("2"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in home.rglob("*")} == {(65534, 65534)}
    folder = home / "namespaces/ns/input/certs" / NAME
    shutil.rmtree(folder)
    target = tmp_path / "of-root"
    target.mkdir(mode=0o700)
    folder.symlink_to(target)
    with pytest.raises(SkupperTlsError):
        apply(opened(home), secret("3"))
    assert list(target.iterdir()) == []


# -- keys


def test_no_byte_of_a_key_stands_in_a_message(home: Path) -> None:
    way = Way()
    site = opened(home, way)
    apply(site, secret())
    apply(site, secret("2"))
    texts = [data.decode() for data in way.sent] + way.said
    assert sum("masked" in text.replace("MASKED", "") for text in way.said) >= 2
    for text in texts:
        for mark in ("1", "2"):
            for value in secret(mark).content["data"].values():
                assert value.decode().strip() not in text
                assert b64encode(value).decode().rstrip("=")[:-2] not in text
    assert BOOTSTRAP.count("nonce") == 0


def test_no_two_values_have_the_same_mask() -> None:
    same = {"a": b"the same bytes", "b": b"the same bytes"}
    texts = []
    for nonce in (NONCE, NONCE[::-1]):
        for direction in ("request", "reply"):
            dumped = wire.Wire(nonce, direction).dump(same)
            texts += [value["masked"][1] for value in dumped.values()]
            assert wire.Wire(nonce, direction).load(dumped) == same
    assert len(set(texts)) == len(texts)
    assert wire.Wire(NONCE, "request").load(wire.Wire(NONCE, "reply").dump(same)) != same


def test_requests_have_nonces_of_their_own(home: Path) -> None:
    way = Way()
    site = opened(home, way)
    site.observe([NAME], [])
    site.observe([NAME], [])
    assert len({json.loads(data)["nonce"] for data in way.sent}) == 2


def test_values_come_back() -> None:
    before = Observed(
        {"data": {"tls.key": b"\0\xff"}}, {"a": "b"}, OURS, "shop", "t", {"s": [1]}, "u", {"r": None}, True
    )
    item = Item("Secret", "a", {"x": [1, None, True], "data": {}}, {"l": "m"}, frozenset({"x"}), True, {"y": 1})
    for change in (Change("update", item, before), Change("create", item)):
        text = json.dumps(wire.Wire(NONCE, "request").dump(change))
        assert wire.change(wire.Wire(NONCE, "request").load(json.loads(text))) == change


# -- errors


def test_errors_come_back() -> None:
    details = {"site": "edge", "field": "f", "found": "x", "remedy": "Do it"}
    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SkupperTlsError)]
    for each in classes:
        if each is not Problems:
            (back,) = wire.load_errors(wire.dump_error(each("no", **details)))
            assert back.__class__ is each
            assert str(back) == str(each("no", **details))
    both = Problems([SiteError("a"), InputError("b", **details)])
    assert [str(one) for one in wire.load_errors(wire.dump_error(both))] == [str(one) for one in both.errors]


def test_a_conflict_stops_the_changes_behind_it(home: Path) -> None:
    site = opened(home)
    changes = planned(site, secret(), listener(), secret(name="other"))
    (home / "namespaces/ns/input/resources/Listener-payments-5001.yaml").write_text("kind: Listener\n")
    done: list[Change] = []
    with pytest.raises(SiteConflict) as caught:
        site.apply_all(changes, done.append)
    assert caught.value.site == "edge"
    assert done == changes[:1]
    assert sorted(path.name for path in (home / "namespaces/ns/input/certs").iterdir()) == [NAME]
    found = site.observe([NAME], ["Listener"])
    assert [key[0] for key in found] == ["Secret", "Listener"], "it was read again"


@pytest.mark.parametrize("given", [{"namespace": "none"}, {"version": "v1"}])
def test_what_is_no_site(home: Path, given: dict[str, str]) -> None:
    with pytest.raises(SiteError) as there:
        opened(home, **given).kind()
    with pytest.raises(SiteError) as here:
        SystemSite(address("x", **given), home).kind()
    assert there.value.as_dict() == here.value.as_dict()


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8"])
def test_a_python_that_is_too_old(home: Path, version: str) -> None:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [*root.glob(f"{version}.*/bin/python")]
    if not found:
        pytest.skip(f"there is no Python {version} on this machine")
    with pytest.raises(SiteError) as caught:
        opened(home, Way(str(found[0]))).kind()
    assert caught.value.found.startswith(f"Python {version}.")
    assert caught.value.field == "ansible_python_interpreter"


@pytest.mark.parametrize("text", ["", "hello", "\nskupper-tls-answer:", '\nskupper-tls-answer:{"done"'])
def test_an_answer_that_is_cut_off(home: Path, text: str) -> None:
    with pytest.raises(SiteError, match="cut off"):
        opened(home, lambda data: text).kind()


def test_a_noisy_host(home: Path) -> None:
    """What a login script or a banner says before the answer, and on the lines after it."""
    way = Way()
    assert opened(home, lambda data: f"Welcome!\n{way(data)}bye\n").kind().version == "v2"


def test_an_error_of_the_program_quotes_nothing(home: Path) -> None:
    broken = Change("create", Item("Secret", NAME, {"data": {"tls.key": b"PRIVATE"}}, record={"x": 1}))
    way = Way()
    site = opened(home, way)
    (home / "namespaces/ns/input/certs").mkdir()
    broken.item.content["data"]["tls.key"] = "PRIVATE"  # a text where bytes are to be
    with pytest.raises(SiteError) as caught:
        site.apply_all([broken], lambda change: None)
    assert caught.value.found.startswith("TypeError, line ")
    assert "PRIVATE" not in str(caught.value) + "".join(way.said)
    assert not list((home / "namespaces/ns/input/certs").iterdir())


def test_what_a_killed_run_left_is_removed(home: Path) -> None:
    folder = home / "namespaces/ns/.skupper-tls-staging/x"
    folder.mkdir(parents=True)
    (folder / "tls.key").write_text("left")
    way = Way()
    site = opened(home, way)
    site.tidy()
    assert not folder.parent.exists()
    assert len(way.sent) == 2
    site.tidy()
    assert len(way.sent) == 2
