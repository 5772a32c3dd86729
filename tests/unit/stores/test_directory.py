# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory store, on a real file system with real processes and real faults."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import StoreConflict, StoreError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore

PROCESSES = multiprocessing.get_context("fork")
LIBC = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "deep" / "store")


def test_nothing_is_there_and_reading_makes_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    assert store.read("authority", "a") is None
    assert store.names("authority") == []
    assert list(tmp_path.iterdir()) == []
    assert "deep/store" in store.describe()


def test_create_read_update_delete(store: DirectoryStore) -> None:
    created = store.create("authority", "a", {"n": 1})
    found = store.read("authority", "a")
    assert found is not None
    assert (found.document, found.token) == ({"n": 1}, created.token)
    updated = store.update("authority", "a", {"n": 2}, found.token)
    assert updated.token != created.token
    store.create("authority", "b", {})
    store.create("certificate", "c", {})
    assert store.names("authority") == ["a", "b"]
    store.delete("authority", "a", updated.token)
    assert store.read("authority", "a") is None
    assert store.names("authority") == ["b"]


def test_modes_whatever_the_umask(store: DirectoryStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        token = store.create("authority", "a", {"key": "k"}).token
        store.update("authority", "a", {"key": "l"}, token)
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "store"
    assert {path.name: mode(path) for path in [folder, *folder.rglob("*")]} == {
        "store": 0o700,
        ".lock": 0o600,
        "authority": 0o700,
        "a.json": 0o600,
    }


@pytest.mark.parametrize(
    "write",
    [
        lambda store, token: store.create("authority", "a", {"n": 3}),
        lambda store, token: store.update("authority", "a", {"n": 3}, token),
        lambda store, token: store.delete("authority", "a", token),
    ],
)
def test_who_read_before_the_change_is_refused(store: DirectoryStore, write: Any) -> None:
    old = store.create("authority", "a", {"n": 1}).token
    new = store.update("authority", "a", {"n": 2}, old)
    with pytest.raises(StoreConflict) as caught:
        write(store, old)
    assert "authority a" in caught.value.message
    assert store.read("authority", "a") == new


@pytest.mark.parametrize("write", ["update", "delete"])
def test_who_read_before_the_deletion_is_refused(store: DirectoryStore, write: str) -> None:
    token = store.create("authority", "a", {}).token
    store.delete("authority", "a", token)
    arguments: tuple[Any, ...] = ("authority", "a", {}, token) if write == "update" else ("authority", "a", token)
    with pytest.raises(StoreConflict):
        getattr(store, write)(*arguments)
    assert store.read("authority", "a") is None


def _race(store: DirectoryStore, start: Any, results: Any, number: int, token: str) -> None:
    start.wait()
    try:
        if token:
            store.update("authority", "a", {"by": number}, token)
        else:
            store.create("authority", "a", {"by": number})
        results.put((number, "won"))
    except StoreConflict:
        results.put((number, "conflict"))
    except BaseException as error:
        results.put((number, repr(error)))


@pytest.mark.parametrize("update", [False, True], ids=["create", "update"])
def test_of_many_writers_at_once_one_wins(store: DirectoryStore, update: bool) -> None:
    token = store.create("authority", "a", {"by": -1}).token if update else ""
    count = 12
    start, results = PROCESSES.Barrier(count), PROCESSES.Queue()
    runners = [PROCESSES.Process(target=_race, args=(store, start, results, n, token)) for n in range(count)]
    for runner in runners:
        runner.start()
    said = dict(results.get(timeout=30) for dummy in runners)
    for runner in runners:
        runner.join()
    assert sorted(said.values()) == ["conflict"] * (count - 1) + ["won"]
    (winner,) = [number for number, what in said.items() if what == "won"]
    found = store.read("authority", "a")
    assert found is not None
    assert found.document == {"by": winner}


def _read_all_the_time(store: DirectoryStore, stop: Any, results: Any) -> None:
    count, versions = 0, set()
    try:
        while not stop.is_set():
            found = store.read("authority", "a")
            assert found is not None
            assert found.document["text"] == str(found.document["n"]) * 20000
            versions.add(found.document["n"])
            assert store.names("authority") == ["a"]
            count += 1
        results.put((count, len(versions)))
    except BaseException as error:
        results.put(repr(error))


def test_a_reader_never_sees_half_a_file(store: DirectoryStore) -> None:
    token = store.create("authority", "a", {"n": 0, "text": "0" * 20000}).token
    stop, results = PROCESSES.Event(), PROCESSES.Queue()
    reader = PROCESSES.Process(target=_read_all_the_time, args=(store, stop, results))
    reader.start()
    for n in range(1, 150):
        token = store.update("authority", "a", {"n": n, "text": str(n) * 20000}, token).token
    stop.set()
    said = results.get(timeout=30)
    reader.join()
    assert isinstance(said, tuple), said
    assert said[0] > 10
    assert said[1] > 5


def test_what_a_writer_that_died_left_is_no_record_and_is_cleaned(store: DirectoryStore, tmp_path: Path) -> None:
    """Killed by SIGKILL between writing its temporary file and putting it in place."""
    store.create("authority", "a", {"n": 1})
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore\n"
        "Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "DirectoryStore(Path(sys.argv[1])).create('authority', 'b', {'n': 2})\n"
    )
    folder = tmp_path / "deep" / "store"
    died = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert died.returncode == -signal.SIGKILL
    left = [path.name for path in (folder / "authority").iterdir() if path.name != "a.json"]
    assert len(left) == 1
    assert store.names("authority") == ["a"]
    assert store.read("authority", "b") is None
    store.create("authority", "b", {"n": 3})  # the lock died with its holder
    assert sorted(path.name for path in (folder / "authority").iterdir()) == ["a.json", "b.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"', "\udcff", "7"])
def test_a_damaged_file_is_named_and_left(store: DirectoryStore, tmp_path: Path, content: str) -> None:
    store.create("authority", "a", {})
    file = tmp_path / "deep" / "store" / "authority" / "a.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    for call in (
        lambda: store.read("authority", "a"),
        lambda: store.create("authority", "a", {}),
        lambda: store.update("authority", "a", {}, "x"),
        lambda: store.delete("authority", "a", "x"),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert not isinstance(caught.value, StoreConflict)
        assert caught.value.found == str(file)
        assert caught.value.remedy
    assert file.read_bytes() == content.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("where", ["store", "authority", "a.json"])
def test_a_file_or_folder_in_the_wrong_place(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "store"
    if where == "store":
        folder.write_text("x")
    elif where == "authority":
        folder.mkdir()
        (folder / "authority").write_text("x")
    else:
        (folder / "authority" / "a.json").mkdir(parents=True)
    store = DirectoryStore(folder)
    for call in (lambda: store.read("authority", "a"), lambda: store.create("authority", "a", {})):
        with pytest.raises(StoreError) as caught:
            call()
        assert str(folder) in caught.value.found


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A store in a folder that is mounted read-only; for a user who may not mount, one without write permission."""
    folder = tmp_path / "store"
    DirectoryStore(folder).create("authority", "a", {"n": 1})
    if os.geteuid() != 0:
        for path in (folder, folder / "authority"):
            path.chmod(0o500)
        (folder / ".lock").chmod(0o400)
        yield folder
        for path in (folder, folder / "authority"):
            path.chmod(0o700)
        return
    name = os.fsencode(folder)
    mounted = LIBC.mount(name, name, None, MS_BIND, None) == 0
    if mounted:
        assert LIBC.mount(None, name, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None) == 0
    else:  # in a container without CAP_SYS_ADMIN
        subprocess.run(["chattr", "+i", folder, folder / "authority", folder / "authority" / "a.json"], check=True)
    yield folder
    if mounted:
        assert LIBC.umount2(name, 2) == 0
    else:
        subprocess.run(["chattr", "-R", "-i", folder], check=True)


def test_a_read_only_store_is_read_and_not_written(read_only: Path) -> None:
    store = DirectoryStore(read_only)
    found = store.read("authority", "a")
    assert found is not None
    for call in (
        lambda: store.create("certificate", "b", {}),
        lambda: store.update("authority", "a", {"n": 2}, found.token),
        lambda: store.delete("authority", "a", found.token),
    ):
        with pytest.raises(StoreError) as caught:
            call()
        assert caught.value.message == "the store cannot be written"
        assert caught.value.field == "store.path"
        assert str(read_only) in caught.value.found
    assert store.read("authority", "a") == found


def _write_in_a_full_place(store: DirectoryStore, token: str, results: Any) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
    for call in (
        lambda: store.update("authority", "a", {"n": "2" * 20000}, token),
        lambda: store.create("authority", "b", {"n": "2" * 20000}),
    ):
        try:
            call()
            results.put("written")
        except StoreError as error:
            results.put((error.message, error.found))


def test_no_space_left_keeps_what_is_there(store: DirectoryStore, tmp_path: Path) -> None:
    before = store.create("authority", "a", {"n": 1})
    results = PROCESSES.Queue()
    writer = PROCESSES.Process(target=_write_in_a_full_place, args=(store, before.token, results))
    writer.start()
    for said in (results.get(timeout=30), results.get(timeout=30)):
        assert said[0] == "the store cannot be written"
        assert "File too large" in said[1]
    writer.join()
    assert store.read("authority", "a") == before
    assert store.names("authority") == ["a"]
    after = store.update("authority", "a", {"n": 3}, before.token)
    assert store.read("authority", "a") == after
    folder = tmp_path / "deep" / "store" / "authority"
    assert [path.name for path in folder.iterdir()] == ["a.json"]


def test_a_writer_waits_for_the_lock(store: DirectoryStore, tmp_path: Path) -> None:
    store.create("authority", "a", {})
    program = (
        "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(flush=True);"
        " sys.stdin.read(); time.sleep(0.5)"
    )
    lock = tmp_path / "deep" / "store" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        assert store.read("authority", "a") is not None  # readers take none: the holder keeps it until it is told
        begun = time.monotonic()
        holder.stdin.close()
        store.create("authority", "b", {})
        assert time.monotonic() - begun > 0.3


def test_the_document_is_plain_json(store: DirectoryStore, tmp_path: Path) -> None:
    store.create("authority", "a", {"b": 1, "a": "é"})
    text = (tmp_path / "deep" / "store" / "authority" / "a.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text) == {"b": 1, "a": "é"}
