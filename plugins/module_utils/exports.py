# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a bundle for clients is kept: a file of the control node, or a key of a ConfigMap in any cluster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Protocol

from .errors import InputError, SiteError, SkupperTlsError
from .kube import Api, namespaced
from .plan import FOREIGN, OURS
from .skupper.names import MANAGED_BY, MANAGED_BY_LABEL, NETWORK_LABEL, ownership_labels

FILE_MODE = 0o644  # certificates are public, and other users' programs read them


@dataclass(frozen=True)
class Held:
    """What stands at a place.

    Attributes:
        owner: ours or foreign.
        data: the bundle, None where the place is there without one.
        body: of a ConfigMap, the whole.
    """

    owner: str
    data: bytes | None
    body: Mapping[str, Any] | None = None


class Place(Protocol):
    """One place of a bundle."""

    label: str

    def read(self) -> Held | None:
        """Return what stands there, None if nothing does."""

    def write(self, data: bytes, before: Held | None) -> None:
        """Put the bundle there; SiteConflict if another is there than was read."""

    def remove(self, before: Held) -> None:
        """Take the bundle away."""


class File:
    """A file of the control node, replaced as a whole. ``is_ours`` tells by its content whether we wrote it."""

    def __init__(self, path: Path, field: str, is_ours: Callable[[bytes], bool]) -> None:
        self.label = f"File/{path}"
        self._path = path.resolve()
        self._field = field
        self._is_ours = is_ours

    def read(self) -> Held | None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            if not self._path.parent.is_dir():
                raise self._error("the folder of the file does not exist", "Make it first") from None
            return None
        except OSError as error:
            raise self._error(f"the file cannot be read: {error.strerror}", "Give the path of a file") from None
        return Held(OURS if self._is_ours(data) else FOREIGN, data)

    def write(self, data: bytes, before: Held | None) -> None:
        try:
            mode = self._path.stat().st_mode & 0o7777 if before is not None else FILE_MODE
            descriptor, name = tempfile.mkstemp(prefix=f".{self._path.name}-", dir=self._path.parent)
            temporary = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.chmod(mode)
                temporary.replace(self._path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def remove(self, before: Held) -> None:
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> SkupperTlsError:
        return self._error(
            f"the file cannot be written: {error.strerror}", "Give the user that runs Ansible the right to write there"
        )

    def _error(self, message: str, remedy: str) -> InputError:
        return InputError(message, field=self._field, found=str(self._path), remedy=remedy)


class ConfigMap:
    """A key of a ConfigMap. Other keys are left alone; labels say whether the ConfigMap is ours."""

    def __init__(self, api: Api, namespace: str, name: str, key: str, network: str, field: str) -> None:
        self.label = f"ConfigMap/{namespace}/{name} key {key}"
        self._api = api
        self._namespace = namespace
        self._name, self._key = name, key
        self._network = network
        self._field = field

    def read(self) -> Held | None:
        try:
            body = self._api.get(self._path(self._name))
        except SkupperTlsError as error:
            error.field = error.field or self._field
            raise
        if body is None:
            return None
        labels = body["metadata"].get("labels") or {}
        ours = labels.get(MANAGED_BY_LABEL) == MANAGED_BY and labels.get(NETWORK_LABEL) == self._network
        text = (body.get("data") or {}).get(self._key)
        return Held(OURS if ours else FOREIGN, None if text is None else text.encode("utf-8"), body)

    def write(self, data: bytes, before: Held | None) -> None:
        labels = ownership_labels(self._network)
        content = {"data": {self._key: data.decode("ascii")}}
        if before is None or before.body is None:
            metadata = {"name": self._name, "labels": labels}
            self._api.create(self._path(), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content})
            return
        version = before.body["metadata"]["resourceVersion"]
        self._api.patch(self._path(self._name), {"metadata": {"labels": labels, "resourceVersion": version}, **content})

    def remove(self, before: Held) -> None:
        body = before.body or {}
        metadata = body["metadata"]
        others = {*(body.get("data") or {}), *(body.get("binaryData") or {})} - {self._key}
        if not others:
            self._api.delete(self._path(self._name), metadata["uid"], metadata["resourceVersion"])
            return
        labels = dict.fromkeys(ownership_labels(self._network))  # it was adopted with what others keep in it
        change = {"metadata": {"labels": labels, "resourceVersion": metadata["resourceVersion"]}}
        self._api.patch(self._path(self._name), {**change, "data": {self._key: None}})

    def _path(self, name: str = "") -> str:
        return namespaced(self._namespace, "configmaps", name)


def missing_namespace(api: Api, namespace: str, field: str) -> SkupperTlsError | None:
    """Return an error if the namespace is known not to exist; who may not look is told when writing."""
    if api.request("GET", f"/api/v1/namespaces/{namespace}").status != 404:
        return None
    return SiteError(
        f"the namespace {namespace} does not exist",
        field=f"{field}.namespace",
        found=f"no namespace {namespace} on {api.server}",
        remedy="Correct the name or the context, or create the namespace",
    )
