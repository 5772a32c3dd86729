# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A store in a directory of the control node: one JSON file a record, mode 0600, replaced atomically."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import StoreConflict, StoreError
from .base import Stored

LOCK = ".lock"
_TEMPORARY = ".new-"


class DirectoryStore:
    """A directory. Readers take no lock: a file is always whole. Writers take the lock file, then compare."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def describe(self) -> str:
        return f"directory {self._path}"

    def read(self, kind: str, name: str) -> Stored | None:
        file = self._file(kind, name)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error(error, "read") from None
        return Stored(self._parse(data, file), _token(data))

    def create(self, kind: str, name: str, document: Mapping[str, Any]) -> Stored:
        return self._write(kind, name, document, None)

    def update(self, kind: str, name: str, document: Mapping[str, Any], token: str) -> Stored:
        return self._write(kind, name, document, token)

    def delete(self, kind: str, name: str, token: str) -> None:
        try:
            with self._locked():
                self._compare(kind, name, token)
                self._file(kind, name).unlink()
        except OSError as error:
            raise self._error(error, "write") from None

    def names(self, kind: str) -> list[str]:
        try:
            files = [file for file in (self._path / kind).glob("*.json") if not file.name.startswith(_TEMPORARY)]
        except OSError as error:
            raise self._error(error, "read") from None
        return sorted(file.stem for file in files)

    def _file(self, kind: str, name: str) -> Path:
        return self._path / kind / f"{name}.json"

    def _write(self, kind: str, name: str, document: Mapping[str, Any], token: str | None) -> Stored:
        data = (json.dumps(document, indent=2, sort_keys=True) + "\n").encode("utf-8")
        try:
            with self._locked():
                self._compare(kind, name, token)
                self._replace(self._file(kind, name), data)
        except OSError as error:
            raise self._error(error, "write") from None
        return Stored(document, _token(data))

    def _compare(self, kind: str, name: str, token: str | None) -> None:
        current = self.read(kind, name)
        if (current.token if current is not None else None) != token:
            raise StoreConflict(
                f"{kind} {name} was changed by another run",
                field="store",
                found=self.describe(),
                remedy="Run again",
            )

    def _replace(self, file: Path, data: bytes) -> None:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        for left_over in file.parent.glob(_TEMPORARY + "*"):  # of a run that died; the lock is ours
            left_over.unlink()
        temporary = file.parent / (_TEMPORARY + file.name)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
        _sync(file.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _parse(self, data: bytes, file: Path) -> Mapping[str, Any]:
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise StoreError(
                "the store holds a file that is not a record",
                field="store.path",
                found=str(file),
                remedy="Restore the file from a backup, or remove it to have the record made anew",
            )
        return document

    def _error(self, error: OSError, verb: str) -> StoreError:
        return StoreError(
            f"the store cannot {'be read' if verb == 'read' else 'be written'}",
            field="store.path",
            found=f"{error.filename or self._path}: {error.strerror}",
            remedy="Check that the path is a directory of the user that runs Ansible, writable, with space left",
        )


def _token(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
