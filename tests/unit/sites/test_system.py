# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System sites, in real directories: files exactly where Skupper reads them, whatever happens in between."""

from __future__ import annotations

import ctypes
import hashlib
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    ForeignObject,
    SiteConflict,
    SiteError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.plan import FOREIGN, OURS, Change, Plan, plan
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites import system
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.base import SiteAddress
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.system import SystemSite, default_data_home
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.desired import Item, SiteKind
from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper.services import Workload

PROCESSES = multiprocessing.get_context("fork")
KINDS = ("Listener", "Connector", "Certificate")
SITE = "apiVersion: skupper.io/v2alpha1\nkind: Site\nmetadata:\n  name: edge\n"


def secret(mark: str = "1", name: str = "server-cert-secret") -> Item:
    data = {key: f"{key} {mark}\n".encode() for key in ("tls.crt", "tls.key", "ca.crt")}
    return Item("Secret", name, {"data": data})


def listener(port: int = 5001, **spec: Any) -> Item:
    content = {"spec": {"host": "0.0.0.0", "port": port, "routingKey": "payments-5001", **spec}}
    return Item("Listener", "payments-5001", content, labels={"multisite.skupper-tls/address": "payments"})


def opened(home: Path, network: str = "shop", **address: Any) -> SystemSite:
    where = {"name": "edge", "platform": "linux", "namespace": "ns", "network": network, **address}
    return SystemSite(SiteAddress(**where), home)


@pytest.fixture
def site(tmp_path: Path) -> SystemSite:
    made = opened(tmp_path)
    folder = made.folder / "input" / "resources"
    folder.mkdir(parents=True)
    (folder / "Site-edge.yaml").write_text(SITE)
    return made


def seen(site: SystemSite, items: Iterable[Item]) -> Any:
    names = [item.name for item in items if item.kind == "Secret"]
    return site.observe([*names, "server-cert-secret"], KINDS)


def planned(site: SystemSite, *items: Item, adopt: bool = False, gone: Iterable[tuple[str, str]] = ()) -> Plan:
    return plan(items, seen(site, items), adopt, gone)


def converge(site: SystemSite, *items: Item, adopt: bool = False, gone: Iterable[tuple[str, str]] = ()) -> list[str]:
    result = planned(site, *items, adopt=adopt, gone=gone)
    assert result.problems == ()
    site.tidy()
    for change in result.changes:
        site.apply(change)
    assert planned(site, *items, adopt=adopt, gone=gone).changes == ()
    return [change.action for change in result.changes]


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def certs(site: SystemSite, name: str = "server-cert-secret") -> Path:
    return site.folder / "input" / "certs" / name


# -- what it is


@pytest.mark.parametrize(
    ("environment", "user", "home"),
    [
        ({}, 0, "/var/lib/skupper"),
        ({"XDG_DATA_HOME": "/data", "HOME": "/home/a"}, 0, "/var/lib/skupper"),
        ({"HOME": "/home/a"}, 1000, "/home/a/.local/share/skupper"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": "/data"}, 1000, "/data/skupper"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": ""}, 1000, "/home/a/.local/share/skupper"),
    ],
)
def test_default_data_home(environment: dict[str, str], user: int, home: str) -> None:
    assert default_data_home(environment, user) == Path(home)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("input/resources/Site-edge.yaml", SITE),
        ("input/resources/all.yml", "kind: Listener\n---\nkind: Site\n"),
        ("runtime/resources/Site-edge.yaml", SITE),
        ("input/resources/s.yaml", '{\n  "kind": "Site",\n  "metadata": {}\n}'),
        ("input/resources/s.yaml", "  kind: 'Site'  \n"),
    ],
)
def test_a_site(tmp_path: Path, file: str, text: str) -> None:
    site = opened(tmp_path, platform="podman", listener_host="10.0.0.1")
    (site.folder / file).parent.mkdir(parents=True)
    (site.folder / file).write_text(text)
    assert site.kind() == SiteKind("podman", "v2", "10.0.0.1", "ns")
    assert opened(tmp_path, version="v2").kind().version == "v2"


@pytest.mark.parametrize("text", ["", "kind: Listener", "# kind: Site", "kind: SiteX", "mykind: Site", "x: kind: Site"])
def test_no_site(tmp_path: Path, text: str) -> None:
    site = opened(tmp_path)
    with pytest.raises(SiteError) as caught:
        site.kind()
    (site.folder / "input" / "resources").mkdir(parents=True)
    (site.folder / "input" / "resources" / "x.yaml").write_text(text)
    with pytest.raises(SiteError) as caught:
        site.kind()
    assert caught.value.site == "edge"
    assert caught.value.field == "skupper_site_namespace"
    assert str(site.folder) in caught.value.message


def test_version_1_is_none(site: SystemSite, tmp_path: Path) -> None:
    with pytest.raises(SiteError) as caught:
        opened(tmp_path, version="v1").kind()
    assert caught.value.field == "skupper_site_version"


def test_around_it(site: SystemSite) -> None:
    assert site.selector(Workload("deployment", "x")) == ""
    assert site.ready([("Listener", "a")], 5) == {}


def test_one_site_under_two_names(tmp_path: Path, site: SystemSite) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert opened(link).health([], 0, False).identity == site.health([], 0, False).identity
    other = opened(tmp_path, namespace="other")
    (other.folder / "input" / "resources").mkdir(parents=True)
    (other.folder / "input" / "resources" / "s.yaml").write_text(SITE)
    assert other.health([], 0, False).identity != site.health([], 0, False).identity


# -- writing


def test_nothing_is_written_by_reading(site: SystemSite) -> None:
    before = tree(site.folder)
    assert seen(site, []) == {}
    site.health([], 0, False)
    assert tree(site.folder) == before


def test_files_where_skupper_reads_them(site: SystemSite) -> None:
    assert converge(site, secret(), listener()) == ["create", "create"]
    assert {path.name: path.read_bytes() for path in certs(site).iterdir()} == secret().content["data"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in certs(site).iterdir()] == [0o600] * 3
    assert stat.S_IMODE(certs(site).stat().st_mode) == 0o700
    resource = site.folder / "input" / "resources" / "Listener-payments-5001.yaml"
    assert yaml.safe_load(resource.read_text()) == {
        "apiVersion": "skupper.io/v2alpha1",
        "kind": "Listener",
        "metadata": {
            "name": "payments-5001",
            "namespace": "ns",
            "labels": {
                "app.kubernetes.io/managed-by": "multisite.skupper_tls",
                "multisite.skupper-tls/network": "shop",
                "multisite.skupper-tls/address": "payments",
            },
        },
        "spec": {"host": "0.0.0.0", "port": 5001, "routingKey": "payments-5001"},
    }
    assert sorted(tree(site.folder)) == [
        "input/certs/server-cert-secret/ca.crt",
        "input/certs/server-cert-secret/tls.crt",
        "input/certs/server-cert-secret/tls.key",
        "input/resources/Listener-payments-5001.yaml",
        "input/resources/Site-edge.yaml",
        "skupper-tls-manifest.json",
    ]


def test_modes_whatever_the_umask(site: SystemSite) -> None:
    before = os.umask(0)
    try:
        converge(site, secret())
        converge(site, secret("2"))
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in certs(site).iterdir()} == {0o600}
    assert stat.S_IMODE(certs(site).stat().st_mode) == 0o700


def test_the_manifest_holds_no_key(site: SystemSite) -> None:
    converge(site, secret("hunter2"), listener())
    assert "hunter2" not in (site.folder / "skupper-tls-manifest.json").read_text()


def test_observed(site: SystemSite) -> None:
    converge(site, secret(), listener())
    found = seen(site, [])
    assert found[("Secret", "server-cert-secret")].content == secret().content
    one = found[("Listener", "payments-5001")]
    assert one.content == listener().content
    assert one.labels == listener().labels
    assert {item.owner for item in found.values()} == {OURS}
    assert {item.network for item in found.values()} == {"shop"}
    assert site.observe([], []) == {}
    assert list(site.observe([], ["Connector"])) == []


def test_update_and_delete(site: SystemSite) -> None:
    converge(site, secret(), listener())
    assert converge(site, secret("2"), listener(5002)) == ["update", "update"]
    assert (certs(site) / "tls.key").read_bytes() == b"tls.key 2\n"
    assert converge(site, gone=[secret().key, listener().key]) == ["delete", "delete"]
    assert sorted(tree(site.folder)) == ["input/resources/Site-edge.yaml"], "an empty manifest is nobody's"
    assert converge(site, gone=[secret().key, listener().key]) == []


def test_no_temporary_file_stays(site: SystemSite) -> None:
    converge(site, secret(), listener())
    converge(site, secret("2"))
    names = {path.name for path in site.folder.rglob("*")}
    assert not {name for name in names if name.startswith(".")}


def test_other_files_of_the_folder_stay(site: SystemSite) -> None:
    converge(site, secret())
    (certs(site) / "notes.txt").write_text("mine")
    (certs(site) / "notes.txt").chmod(0o640)
    assert converge(site, secret("2")) == ["update"]
    assert (certs(site) / "notes.txt").read_text() == "mine"
    assert stat.S_IMODE((certs(site) / "notes.txt").stat().st_mode) == 0o640
    assert (certs(site) / "tls.crt").read_bytes() == b"tls.crt 2\n"


@pytest.mark.parametrize("key", ["tls.key", "tls.crt", "ca.crt"])
@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_damaged_secret_is_mended(site: SystemSite, key: str, how: str) -> None:
    converge(site, secret())
    if how == "gone":
        (certs(site) / key).unlink()
    else:
        (certs(site) / key).write_bytes(b"x")
    assert converge(site, secret()) == ["update"]
    assert {path.name: path.read_bytes() for path in certs(site).iterdir()} == secret().content["data"]


def test_an_edited_resource_is_written_again(site: SystemSite) -> None:
    converge(site, listener())
    file = site.folder / "input" / "resources" / "Listener-payments-5001.yaml"
    ours = file.read_text()
    file.write_text(ours + "# edited\n")
    assert converge(site, listener()) == ["update"]
    assert file.read_text() == ours
    file.unlink()
    assert converge(site, listener()) == ["create"]


def test_resources_of_others_stay(site: SystemSite) -> None:
    folder = site.folder / "input" / "resources"
    (folder / "Listener-other.yaml").write_text("kind: Listener\n")
    (folder / "junk.yaml").write_bytes(b"\xff\x00")
    before = tree(folder)
    converge(site, listener())
    converge(site, gone=[listener().key])
    assert tree(folder) == before


def foreign(site: SystemSite) -> None:
    certs(site).mkdir(parents=True)
    (certs(site) / "tls.crt").write_text("hand made")
    (site.folder / "input" / "resources" / "Listener-payments-5001.yaml").write_text("kind: Listener\n")


def test_what_others_wrote_is_refused(site: SystemSite) -> None:
    foreign(site)
    before = tree(site.folder)
    result = planned(site, secret(), listener())
    assert result.changes == ()
    assert all(isinstance(problem, ForeignObject) for problem in result.problems)
    assert [problem.field for problem in result.problems] == ["Secret/server-cert-secret", "Listener/payments-5001"]
    assert len(planned(site, gone=[secret().key, listener().key]).problems) == 2
    assert tree(site.folder) == before


def test_what_others_wrote_is_adopted_when_told(site: SystemSite) -> None:
    foreign(site)
    assert converge(site, secret(), listener(), adopt=True) == ["update", "update"]
    assert converge(site, secret(), listener()) == []


def test_what_another_network_wrote_is_refused(site: SystemSite, tmp_path: Path) -> None:
    converge(site, secret(), listener())
    other = opened(tmp_path, "kiosk")
    result = planned(other, secret("2"), listener(5003))
    assert [problem.found for problem in result.problems] == ["network shop", "network shop"]
    assert planned(other, secret(), listener()).problems != ()


def test_to_adopt_one_item_takes_no_other(site: SystemSite, tmp_path: Path) -> None:
    converge(site, secret(), listener())
    other = opened(tmp_path, "kiosk")
    converge(other, secret("2"), adopt=True)
    assert seen(other, [])[listener().key].network == "shop"
    assert seen(site, [])[listener().key].owner == OURS
    assert seen(site, [])[secret().key].owner == FOREIGN


# -- somebody writes in between


@pytest.mark.parametrize("item", [secret("2"), listener(5002)], ids=["secret", "resource"])
@pytest.mark.parametrize("state", ["absent", "ours"])
@pytest.mark.parametrize("adopt", [False, True])
def test_a_change_since_the_plan_is_a_conflict(site: SystemSite, item: Item, state: str, adopt: bool) -> None:
    if state == "ours":
        converge(site, secret(), listener())
    (change,) = planned(site, item, adopt=adopt).changes
    if item.kind == "Secret":
        certs(site).mkdir(parents=True, exist_ok=True)
        (certs(site) / "tls.crt").write_text("meanwhile")
    else:
        (site.folder / "input" / "resources" / "Listener-payments-5001.yaml").write_text("kind: Meanwhile")
    before = tree(site.folder)
    with pytest.raises(SiteConflict):
        site.apply(change)
    assert tree(site.folder) == before
    # What appeared in between is not ours, so the next plan must not take it for that.
    assert seen(site, [])[item.key].owner == (OURS if state == "ours" else FOREIGN)


@pytest.mark.parametrize("item", [secret(), listener()], ids=["secret", "resource"])
def test_deletion_of_what_changed_is_a_conflict(site: SystemSite, item: Item) -> None:
    converge(site, secret(), listener())
    (change,) = planned(site, gone=[item.key]).changes
    converge(site, secret("2"), listener(5002))
    with pytest.raises(SiteConflict):
        site.apply(change)
    assert item.key in seen(site, [])


def _claim_many(home: Path, start: Any, number: int, results: Any) -> None:
    site = opened(home)
    start.wait()
    try:
        for port in range(20):
            name = f"s{number}-{port}"
            site.apply(Change("create", Item("Listener", name, {"spec": {"port": port}})))
            site.apply(Change("create", secret(name=name)))
        results.put("")
    except BaseException as error:
        results.put(repr(error))


def test_several_runs_at_once(site: SystemSite, tmp_path: Path) -> None:
    start, results = PROCESSES.Barrier(4), PROCESSES.Queue()
    runners = [PROCESSES.Process(target=_claim_many, args=(tmp_path, start, n, results)) for n in range(4)]
    for runner in runners:
        runner.start()
    assert [results.get(timeout=60) for dummy in runners] == [""] * 4
    for runner in runners:
        runner.join()
    names = [f"s{number}-{port}" for number in range(4) for port in range(20)]
    found = site.observe(names, ["Listener"])
    assert len(found) == 160
    assert {item.owner for item in found.values()} == {OURS}


# -- killed at any moment

DIE = """
import json, os, signal, sys
from pathlib import Path
from ansible_collections.multisite.skupper_tls.tests.unit.sites import test_system as t
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites import system
count = int(sys.argv[2])
def counting(function):
    def call(*arguments, **options):
        global count
        count -= 1
        if count < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for holder, name in ((os, "open"), (os, "fsync"), (os, "mkdir"), (os, "rename"), (os, "replace"), (os, "unlink"),
                     (system, "_swap"), (system.shutil, "rmtree")):
    setattr(holder, name, counting(getattr(holder, name)))
site = t.opened(Path(sys.argv[1]))
for change in t.planned(site, *t.STEPS[sys.argv[3]][0], gone=t.STEPS[sys.argv[3]][1]).changes:
    site.apply(change)
"""
STEPS: dict[str, tuple[list[Item], list[tuple[str, str]]]] = {
    "first": ([secret(), listener()], []),
    "second": ([secret("2"), listener(5002)], []),
    "gone": ([], [secret().key, listener().key]),
}


def _complete(site: SystemSite) -> None:
    """At every moment a certificate folder is as it was or as it shall be: of half a one Skupper makes its own."""
    if certs(site).exists():
        names = sorted(path.name for path in certs(site).iterdir())
        marks = {path.read_text().split()[-1] for path in certs(site).iterdir()}
        assert names == ["ca.crt", "tls.crt", "tls.key"]
        assert len(marks) == 1
    file = site.folder / "input" / "resources" / "Listener-payments-5001.yaml"
    if file.exists():
        assert yaml.safe_load(file.read_text())["spec"]["port"] in (5001, 5002)


@pytest.mark.parametrize("step", list(STEPS))
def test_killed_anywhere_and_run_again(tmp_path: Path, step: str) -> None:
    for count in range(200):
        home = tmp_path / str(count)
        site = opened(home)
        (site.folder / "input" / "resources").mkdir(parents=True)
        (site.folder / "input" / "resources" / "Site-edge.yaml").write_text(SITE)
        if step != "first":
            converge(site, *STEPS["first"][0])
        pid = os.fork()
        if pid == 0:
            try:
                sys.argv = ["x", str(home), str(count), step]
                exec(DIE, {})
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(3)
            os._exit(0)
        _pid, status = os.waitpid(pid, 0)
        _complete(site)
        items, gone = STEPS[step]
        converge(site, *items, gone=gone)
        # Where the run died between a file and its line of the manifest, a removal still finds the line.
        converge_notes(site)
        expected = {"input/resources/Site-edge.yaml"}
        if step != "gone":
            expected.add("skupper-tls-manifest.json")
            expected |= {f"input/certs/server-cert-secret/{key}" for key in secret().content["data"]}
            expected.add("input/resources/Listener-payments-5001.yaml")
        assert set(tree(site.folder)) == expected
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert count > 10
            return
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError("never came to its end")


def converge_notes(site: SystemSite) -> None:
    notes = site.observe([], ["Note"])
    for change in plan([], notes, False, list(notes)).changes:
        site.apply(change)
    assert site.observe([], ["Note"]) == {}


def _look_all_the_time(folder: Path, stop: Any, results: Any) -> None:
    count, marks = 0, set()
    try:
        while not stop.is_set():
            inode = folder.stat().st_ino
            names = sorted(os.listdir(folder))
            if folder.stat().st_ino == inode:  # else it was taken away, and emptied, while we looked into it
                assert names == ["ca.crt", "tls.crt", "tls.key"], names
                count += 1
            marks.add((folder / "tls.key").read_text())
        results.put((count, len(marks)))
    except BaseException as error:
        results.put(repr(error))


def test_a_reader_never_sees_an_incomplete_folder(site: SystemSite) -> None:
    converge(site, secret("0"))
    stop, results = PROCESSES.Event(), PROCESSES.Queue()
    reader = PROCESSES.Process(target=_look_all_the_time, args=(certs(site), stop, results))
    reader.start()
    for number in range(1, 150):
        converge(site, secret(str(number)))
    stop.set()
    said = results.get(timeout=30)
    reader.join()
    assert isinstance(said, tuple), said
    assert said[0] > 10
    assert said[1] > 5


def test_where_the_kernel_cannot_exchange(site: SystemSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_options: object())
    converge(site, secret())
    assert converge(site, secret("2")) == ["update"]
    assert converge(site, secret("3")) == ["update"]
    assert not (site.folder / ".skupper-tls-staging").exists()


# -- odd places


def test_a_symlinked_home(tmp_path: Path) -> None:
    real = tmp_path / "real"
    folder = real / "namespaces" / "ns" / "input" / "resources"
    folder.mkdir(parents=True)
    (folder / "Site-edge.yaml").write_text(SITE)
    (tmp_path / "link").symlink_to(real)
    assert converge(opened(tmp_path / "link"), secret(), listener()) == ["create", "create"]
    assert converge(opened(real), secret(), listener()) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"items": []}'])
def test_a_damaged_manifest(site: SystemSite, content: str) -> None:
    converge(site, secret())
    (site.folder / "skupper-tls-manifest.json").write_text(content)
    before = tree(site.folder)
    with pytest.raises(SiteError) as caught:
        seen(site, [])
    assert caught.value.found == str(site.folder / "skupper-tls-manifest.json")
    assert tree(site.folder) == before
    (site.folder / "skupper-tls-manifest.json").unlink()  # as the remedy says
    assert len(planned(site, secret()).problems) == 1
    assert converge(site, secret(), adopt=True) == ["update"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a mount; for other users test_a_folder_of_another_user is there")
def test_a_read_only_file_system(site: SystemSite) -> None:
    converge(site, secret())
    (change,) = planned(site, secret("2")).changes
    subprocess.run(["mount", "--bind", site.folder, site.folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", site.folder], check=True)
        with pytest.raises(SiteError) as caught:
            site.apply(change)
        assert caught.value.found == "Read-only file system"
        assert caught.value.site == "edge"
        folders = [site.folder, site.folder / "input" / "resources", site.folder / "input" / "certs"]
        assert site.health([], 0, False).missing_permissions == tuple(f"write {folder}" for folder in folders)
    finally:
        subprocess.run(["umount", site.folder], check=True)
    site.apply(change)
    assert planned(site, secret("2")).changes == ()
    assert not (site.folder / ".skupper-tls-staging").exists()


def _as_nobody(home: Path, results: Any) -> None:
    os.setgid(65534)
    os.setuid(65534)
    site = opened(home)
    said: list[Any] = [site.health([], 0, False).missing_permissions]
    for call in (lambda: site.observe(["server-cert-secret"], []), lambda: site.apply(Change("create", listener()))):
        try:
            call()
            said.append("no error")
        except SiteError as error:
            said.append((str(error), error.found))
    results.put(said)


def _kind_as_nobody(home: Path, results: Any) -> None:
    os.setgid(65534)
    os.setuid(65534)
    try:
        results.put(opened(home).kind())
    except SiteError as error:
        results.put((error.message, error.found))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to become")
def test_a_home_of_another_user(site: SystemSite, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    results = PROCESSES.Queue()
    runner = PROCESSES.Process(target=_kind_as_nobody, args=(tmp_path, results))
    runner.start()
    message, found = results.get(timeout=30)
    runner.join()
    assert message.startswith("cannot read ")
    assert found == "Permission denied"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to become")
def test_a_folder_of_another_user(site: SystemSite, tmp_path: Path) -> None:
    converge(site, secret())
    for folder in [tmp_path, *tmp_path.parents[:3]]:  # a worker of the test runner has a folder more
        folder.chmod(folder.stat().st_mode | 0o755)
    certs(site).chmod(0o755)
    results = PROCESSES.Queue()
    runner = PROCESSES.Process(target=_as_nobody, args=(tmp_path, results))
    runner.start()
    missing, read, write = results.get(timeout=30)
    runner.join()
    folders = [site.folder, site.folder / "input" / "resources", site.folder / "input" / "certs"]
    assert missing == tuple(f"write {folder}" for folder in folders)
    assert read[1] == write[1] == "Permission denied"
    assert "cannot read" in read[0]
    assert "cannot write" in write[0]


# -- the YAML that is written without a library

# Beyond the basic plane JSON escapes pairs of surrogates, which is no YAML; no name or host holds such.
TEXTS = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))
SCALARS = TEXTS | st.integers() | st.booleans() | st.lists(TEXTS | st.integers())
KEYS = st.text("abcXYZ019", min_size=1).map(lambda key: "k" + key)


@settings(max_examples=60)
@given(st.dictionaries(KEYS, SCALARS), st.dictionaries(KEYS, TEXTS))
def test_rendered_resources_read_back(spec: dict[str, Any], labels: dict[str, str]) -> None:
    item = Item("Listener", "a-1", {"spec": {**spec, "port": 1}})
    assert yaml.safe_load(system._render(item, {**labels, "l": "1"}, "ns")) == {
        "apiVersion": "skupper.io/v2alpha1",
        "kind": "Listener",
        "metadata": {"name": "a-1", "namespace": "ns", "labels": {**labels, "l": "1"}},
        "spec": {**spec, "port": 1},
    }


# -- reload

# A stand-in for Skupper's command, which needs containers or systemd.
SKUPPER = """#!/bin/sh
echo "$SKUPPER_PLATFORM ${XDG_DATA_HOME##*/} $*" >> {log}
test ! -e {log}.fails || { echo "the key is -----BEGIN PRIVATE KEY-----abc" >&2; exit 3; }
"""


class Host:
    """The surroundings of a site whose Skupper can be reloaded."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log = folder / "log"
        command = folder / "bin" / "skupper"
        command.parent.mkdir()
        command.write_text(SKUPPER.replace("{log}", str(self.log)))
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(os, "getuid", lambda: 4711)  # root's data home is fixed, and not for a test
        self.command = command
        self.site = opened(folder / "data" / "skupper")
        (self.site.folder / "runtime").mkdir(parents=True)
        resources = self.site.folder / "input" / "resources"
        resources.mkdir(parents=True)
        (resources / "Site-edge.yaml").write_text(SITE)

    def calls(self) -> int:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        assert set(lines) <= {"linux data system reload -n ns"}
        return len(lines)

    def run(self, *items: Item, gone: Iterable[tuple[str, str]] = ()) -> list[str]:
        changes = list(planned(self.site, *items, gone=gone).changes)
        changes += self.site.follow_up(changes)
        done: list[Change] = []
        try:
            self.site.apply_all(changes, done.append)
        finally:
            self.done = [change.action for change in done]
        return self.done


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(tmp_path, monkeypatch)


def using(name: str) -> Item:
    return listener(tlsCredentials=name)


def test_what_nothing_uses_needs_no_reload(host: Host) -> None:
    assert host.run(secret()) == ["create"]
    assert host.calls() == 0
    assert host.run(secret(), using("server-cert-secret")) == ["create", "reload"]
    assert host.calls() == 1
    assert host.run(secret(), using("server-cert-secret")) == []
    assert host.run(secret("2"), using("server-cert-secret")) == ["update", "reload"]
    assert host.run(secret(name="other"), using("server-cert-secret")) == ["create"]
    assert host.run(gone=[listener().key]) == ["delete", "reload"]
    assert host.run(gone=[secret().key]) == ["delete"]
    assert host.calls() == 2


@pytest.mark.parametrize(
    ("text", "name", "used"),
    [
        ("tlsCredentials: a", "a", True),
        ('"tlsCredentials": "a",', "a", True),
        ("tlsCredentials: a-b", "a", False),
        ("tlsCredentials: b.a", "a", False),
        ("tlsCredentials: a", "a-profile", True),
        ("tlsCredentials: b", "a-profile", False),
        ("name: a-profile", "a-profile", True),
        ("tlsCredentials: axb", "a.b", False),
        ("", "a", False),
    ],
)
def test_what_is_used(host: Host, text: str, name: str, used: bool) -> None:
    (host.site.folder / "input/resources/x.yaml").write_text(text)
    assert host.site.uptake([name, "never"]).used == ((name,) if used else ())


def test_a_reload_that_fails_is_owed(host: Host) -> None:
    fails = Path(f"{host.log}.fails")
    fails.touch()
    with pytest.raises(SiteError) as caught:
        host.run(secret(), using("server-cert-secret"))
    assert host.done == ["create", "create"]
    assert caught.value.found == "the key is (a key)"
    assert "everything is written" in caught.value.message
    with pytest.raises(SiteError):
        host.run(secret(), using("server-cert-secret"))
    assert host.calls() == 2
    fails.unlink()
    assert host.run(secret(), using("server-cert-secret")) == ["reload"]
    assert host.run(secret(), using("server-cert-secret")) == []
    assert host.calls() == 1


def test_killed_before_the_reload(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies after a write, whichever, leaves the reload to the next."""
    for count in range(1, 4):
        items = secret(str(count)), using("server-cert-secret")
        changes = [*planned(host.site, *items).changes, *host.site.follow_up(planned(host.site, *items).changes)]

        def die(change: Change) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            host.site.apply_all(changes, die)
        assert host.calls() == 0
        assert host.run(*items)[-1] == "reload"
        assert host.calls() == 1


def test_another_run_comes_to_owe_one_while_we_reload(host: Host) -> None:
    ours = host.site._owe_reload()
    theirs = host.site._owe_reload()
    host.site._reload(ours)
    assert host.site.uptake([]).owed, "what they wrote may have come too late for our reload"
    host.site._reload(theirs)
    assert not host.site.uptake([]).owed


@pytest.mark.parametrize("lacks", ["command", "start", "folder"])
def test_where_nothing_can_be_reloaded(host: Host, lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacks == "command":
        host.command.unlink()
        monkeypatch.setenv("HOME", str(tmp_path))
    elif lacks == "start":
        (host.site.folder / "runtime").rmdir()
    else:
        moved = tmp_path / "data" / "elsewhere"  # Skupper's command would not look there
        (tmp_path / "data" / "skupper").rename(moved)
        host.site = opened(moved)
    items = secret(), using("server-cert-secret")
    changes = planned(host.site, *items).changes
    assert host.run(*items) == ["create", "create"]
    verb = "start" if lacks == "start" else "reload"
    assert host.site.after_change(changes) == f"run `skupper system {verb} -n ns` on edge"
    assert host.run(*items) == []
    assert "reload" not in (host.site.folder / "skupper-tls-manifest.json").read_text()
    assert host.calls() == 0


def test_nothing_is_to_do_after_a_reload(host: Host) -> None:
    items = secret(), using("server-cert-secret")
    changes = planned(host.site, *items).changes
    host.run(*items)
    assert host.site.after_change(changes) == ""


def test_the_command_is_found_where_its_installer_puts_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "user" / ".local" / "bin"
    place.mkdir(parents=True)
    host.command.rename(place / "skupper")
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    assert host.run(secret(), using("server-cert-secret"))[-1] == "reload"
    assert host.calls() == 1


def test_a_reload_that_never_ends(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.command.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(system, "RELOAD_SECONDS", 0.5)
    with pytest.raises(SiteError, match="timed out after"):
        host.run(secret(), using("server-cert-secret"))
    assert host.site.uptake([]).owed
