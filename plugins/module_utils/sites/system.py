# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skupper v2 system sites (linux, podman, docker): files in the site's namespace folder.

May run on the site's host: Python 3.9 and its standard library only.

Which files are ours is kept in one manifest beside the folders that Skupper reads, with a hash of each resource
as we wrote it. Nothing is added inside a certificate folder, for Skupper copies every file it finds there.

Skupper reads the files at ``skupper system reload`` only. That is a change of the plan like any other, the last one;
the manifest says that it is owed from before the first write until it is done, so no death in between loses it.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable

from ..errors import SiteConflict, SiteError, SkupperTlsError
from ..plan import FOREIGN, OURS, Change, Observed
from ..skupper.desired import SECRET_KEYS, SECRET_KINDS, Item, SiteKind
from ..skupper.names import SERVICE_CA, is_generated, ownership_labels
from ..skupper.services import Service, Workload
from .base import Health, SiteAddress

MANIFEST = "skupper-tls-manifest.json"
STAGING = ".skupper-tls-staging"
RESOURCES = "input/resources"
FOLDERS = {"Secret": "input/certs", "Issuer": "input/issuers"}
GENERATED = "runtime/certs"
API_VERSION = "skupper.io/v2alpha1"
RELOAD_SECONDS = 300.0

_SITE_KIND = re.compile(r"""^\s*["']?kind["']?:\s*["']?Site["']?\s*,?\s*$""", re.MULTILINE)
_CREDENTIALS = re.compile(r"""["']?tlsCredentials["']?\s*:\s*["']?([A-Za-z0-9][-A-Za-z0-9.]*)""")
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_NOT_TEXT = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")
_RENAME_EXCHANGE = 2  # renameat2(2)
_AT_FDCWD = -100
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY.*", re.DOTALL)


@dataclass(frozen=True)
class Uptake:
    """How Skupper on the host comes to read what is written.

    Attributes:
        command: the path of the command ``skupper``, empty if it is not there or does not serve this folder.
        started: whether the site was ever started: before that there is nothing to reload.
        owed: whether something was written that has not been read by a reload yet.
        used: those of the secrets asked for that a resource of the site names.
    """

    command: str
    started: bool
    owed: bool
    used: tuple[str, ...]

    def concerned(self, changes: Iterable[Change]) -> bool:
        """Return whether Skupper must read the changes; secrets that nothing uses yet can wait."""
        return any(change.item.kind not in SECRET_KINDS or change.item.name in self.used for change in changes)

    def follow_up(self, changes: Iterable[Change], namespace: str) -> list[Change]:
        """Return the reload, if one is due and can be done."""
        due = self.owed or self.concerned(changes)
        return [Change("reload", Item("Site", namespace, {}))] if due and self.started and self.command else []

    def to_do(self, changes: Iterable[Change], address: SiteAddress) -> str:
        """Return what a person must do for the changes, empty if nothing."""
        if not self.concerned(changes) or (self.started and self.command):
            return ""
        verb = "reload" if self.started else "start"
        return f"run `skupper system {verb} -n {address.namespace}` on {address.name}"


def default_data_home(environment: Mapping[str, str], user_id: int) -> Path:
    """Return the folder in which Skupper v2 keeps its namespaces (2.2.1)."""
    if user_id == 0:
        return Path("/var/lib/skupper")
    data_home = environment.get("XDG_DATA_HOME") or str(
        Path(environment.get("HOME", "~")).expanduser() / ".local/share"
    )
    return Path(data_home) / "skupper"


class SystemSite:
    """The folder of one namespace of a system site."""

    def __init__(self, address: SiteAddress, data_home: Path) -> None:
        self.address = address
        self._data_home = data_home
        self.folder = data_home / "namespaces" / address.namespace
        self._kind = SiteKind(address.platform, "v2", address.listener_host, address.namespace)

    def kind(self) -> SiteKind:
        if self.address.version == "v1":
            raise self._error(
                "system sites are Skupper v2 only",
                field="skupper_site_version",
                found="v1",
                remedy="Remove skupper_site_version, or set it to v2",
            )
        if not self._is_site():
            raise self._error(
                f"there is no Skupper site in {self.folder}",
                field="skupper_site_namespace",
                found="no Site resource in input/resources or runtime/resources",
                remedy="Create it first (skupper site create), or correct the namespace or skupper_site_data_home",
            )
        return self._kind

    def _is_site(self) -> bool:
        for folder in (RESOURCES, "runtime/resources"):
            for file in self._resources(folder):
                if _SITE_KIND.search(self._read(file).decode("utf-8", "replace")):
                    return True
        return False

    def is_of_another_user(self) -> bool:
        """Return whether the site is there and belongs to another user than the one that runs this."""
        try:
            return self.folder.stat().st_uid != os.getuid()
        except OSError:
            return False  # told when it is read

    # -- reading

    def observe(
        self, secrets: Iterable[str], kinds: Iterable[str], owned: bool = False, workloads: Iterable[str] = ()
    ) -> dict[tuple[str, str], Observed]:
        manifest = self._manifest()
        found: dict[tuple[str, str], Observed] = {}
        wanted = tuple(kinds)
        keys = [("Secret", name) for name in [*secrets, *(self._own_secrets(manifest) if owned else [])]]
        keys += [("Issuer", SERVICE_CA)] if "Issuer" in wanted else []
        for key in keys:
            observed = self._observe_folder(*key, manifest)
            if observed is not None:
                found[key] = observed
        for file in self._resources(RESOURCES):
            kind, name = [*file.stem.split("-", 1), ""][:2]
            if kind in wanted and name:
                found[(kind, name)] = self._observe_resource(file, kind, name, manifest)
        if "File" in wanted:
            found.update(self._foreign_files(found))
        if "Note" in wanted:
            found.update(self._notes(manifest))
        return found

    def _own_secrets(self, manifest: Mapping[str, Any]) -> list[str]:
        items = [(key.partition("/"), entry) for key, entry in manifest["items"].items()]
        return [name for (kind, dummy, name), entry in items if kind == "Secret" and self._is_own(entry)]

    def _is_own(self, entry: Mapping[str, Any]) -> bool:
        return entry.get("network") == self.address.network

    def _foreign_files(self, found: Mapping[tuple[str, str], Observed]) -> dict[tuple[str, str], Observed]:
        """Return the files of other names than ours that name a secret, whatever they are: Skupper reads them all."""
        files = {}
        for file in self._resources(RESOURCES, (".yaml", ".yml", ".json")):
            text = self._read(file)
            kind, dummy, name = file.stem.partition("-")
            if _mentions(text) and not (file.suffix == ".yaml" and (kind, name) in found):
                files[("File", file.name)] = Observed({}, token=_hash(text), mentions=_mentions(text))
        return files

    def _notes(self, manifest: Mapping[str, Any]) -> dict[tuple[str, str], Observed]:
        """Return our lines of the manifest whose files somebody else has removed."""
        notes = {}
        for key, entry in manifest["items"].items():
            kind, dummy, name = key.partition("/")
            folder = FOLDERS.get(kind)
            there = self.folder / folder / name if folder else self._resource_file(Item(kind, name, {}))
            if self._is_own(entry) and not there.exists():
                token = _hash(json.dumps(entry, sort_keys=True).encode("utf-8"))
                notes[("Note", key)] = self._observed({"noted": entry}, entry, token, entry.get("labels"))
        return notes

    def _observe_folder(self, kind: str, name: str, manifest: Mapping[str, Any]) -> Observed | None:
        folder = self.folder / FOLDERS[kind] / name
        if kind == "Secret" and is_generated(name) and not self._is_folder(folder):
            folder = self.folder / GENERATED / name
        if not self._is_folder(folder):
            return None
        data = {file.name: self._read(file) for file in sorted(folder.iterdir()) if file.is_file()}
        entry = manifest["items"].get(f"{kind}/{name}")
        observed = self._observed({"data": data}, entry, _hash(*(data.get(key, b"") for key in SECRET_KEYS)))
        return replace(observed, generated=folder.parent == self.folder / GENERATED)

    def _observe_resource(self, file: Path, kind: str, name: str, manifest: Mapping[str, Any]) -> Observed:
        text = self._read(file)
        entry = manifest["items"].get(f"{kind}/{name}")
        # One that somebody edited has content that we do not know: it differs, and is written again.
        known = entry if entry is not None and entry.get("sha256") == _hash(text) else {}
        mentions = () if known else _mentions(text)
        # Labels are ours whatever was edited: by them a removal knows whose it is.
        labels = (entry or {}).get("labels", {})
        return self._observed(known.get("content", {}), entry, _hash(text), labels, mentions)

    def _observed(
        self,
        content: Mapping[str, Any],
        entry: Mapping[str, Any] | None,
        token: str,
        labels: Mapping[str, str] | None = None,
        mentions: tuple[str, ...] = (),
    ) -> Observed:
        network = str(entry.get("network", "")) if entry is not None else ""
        owner = OURS if network == self.address.network else FOREIGN
        return Observed(content, labels or {}, owner, network, token, mentions=mentions)

    def _manifest(self) -> dict[str, Any]:
        file = self.folder / MANIFEST
        if not file.exists():
            return {"items": {}}
        try:
            manifest = json.loads(self._read(file))
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict) or not isinstance(manifest.get("items"), dict):
            raise self._error(
                "the list of the files that this collection wrote is damaged",
                found=str(file),
                remedy="Remove that file and run again with adopt: true",
            )
        return manifest

    # -- writing

    def apply_all(self, changes: Sequence[Change], done: Callable[[Change], None]) -> None:
        reload = any(change.action == "reload" for change in changes)
        owed = self._owe_reload() if reload else ""
        for change in changes:
            if change.action == "reload":
                self._reload(owed)
            else:
                self.apply(change)
            done(change)

    def apply(self, change: Change) -> None:
        try:
            with self._locked():
                if change.action == "delete":
                    self._remove(change)
                elif change.item.kind in SECRET_KINDS:
                    self._write_folder(change)
                else:
                    self._write_resource(change)
        except OSError as error:
            raise self._write_error(error) from None

    def tidy(self) -> None:
        try:
            if self.left_over():
                with self._locked():
                    shutil.rmtree(self.folder / STAGING, ignore_errors=True)
                    for file in self.left_over():
                        file.unlink(missing_ok=True)
        except OSError as error:
            raise self._write_error(error) from None

    def left_over(self) -> list[Path]:
        """Return what a run that was killed has left."""
        files = [self.folder / STAGING, _temporary(self.folder / MANIFEST)]
        files += (self.folder / RESOURCES).glob(_temporary(Path("[LC]*-*.yaml")).name)
        return [file for file in files if file.exists()]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one writer at a time into the folder: two would lose each other's lines of the manifest."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write_folder(self, change: Change) -> None:
        name = change.item.name
        self._check_unchanged(change)  # before the claim, which would make a folder that appeared since ours
        self._claim(change.item, None)
        staging = self.folder / STAGING
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        try:
            fresh = staging / name
            fresh.mkdir(mode=0o700)
            target = self.folder / FOLDERS[change.item.kind] / name
            if target.is_dir():
                _keep_foreign_files(target, fresh)
            for key, value in change.item.content["data"].items():
                _write_synced(fresh / key, value, 0o600)
            self._check_unchanged(change)
            target.parent.mkdir(parents=True, exist_ok=True)
            _swap(fresh, target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _write_resource(self, change: Change) -> None:
        text = _render(change.item, self._labels(change.item), self.address.namespace).encode("utf-8")
        self._check_unchanged(change)
        self._claim(change.item, _hash(text))
        file = self._resource_file(change.item)
        file.parent.mkdir(parents=True, exist_ok=True)
        _replace_file(file, text, 0o644)

    def _remove(self, change: Change) -> None:
        self._check_unchanged(change)
        if change.item.kind in SECRET_KINDS:
            # Away in one step: of an incomplete folder Skupper makes a certificate of its own.
            staging = self.folder / STAGING
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir(mode=0o700)
            (self.folder / FOLDERS[change.item.kind] / change.item.name).rename(staging / change.item.name)
            shutil.rmtree(staging)
        elif change.item.kind != "Note":
            self._resource_file(change.item).unlink()
        manifest = self._manifest()
        noted = change.item.name if change.item.kind == "Note" else f"{change.item.kind}/{change.item.name}"
        manifest["items"].pop(noted, None)
        self._write_manifest(manifest)

    def _claim(self, item: Item, digest: str | None) -> None:
        """Write down that the item is ours, before it is written: a run that dies in between finds it again."""
        manifest = self._manifest()
        entry: dict[str, Any] = {"network": self.address.network}
        if digest is not None:
            entry.update(content=item.content, labels=dict(item.labels), sha256=digest)
        key = f"{item.kind}/{item.name}"
        if manifest["items"].get(key) != entry or not (self.folder / MANIFEST).exists():
            manifest["items"][key] = entry
            self._write_manifest(manifest)

    def _write_manifest(self, manifest: Mapping[str, Any]) -> None:
        if not manifest["items"] and "reload" not in manifest:
            (self.folder / MANIFEST).unlink(missing_ok=True)
            return
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        _replace_file(self.folder / MANIFEST, text.encode("utf-8"), 0o644)

    def _check_unchanged(self, change: Change) -> None:
        item = change.item
        kinds = [] if item.kind == "Secret" else [item.kind]
        current = self.observe([item.name] if item.kind == "Secret" else [], kinds).get(item.key)
        planned = change.before.token if change.before is not None else ""
        if (current.token if current is not None else "") != planned:
            raise SiteConflict(
                f"{item.kind} {item.name} changed while it was being written",
                site=self.address.name,
                remedy="Run again",
            )

    def _labels(self, item: Item) -> dict[str, str]:
        return {**ownership_labels(self.address.network), **item.labels}

    def _resource_file(self, item: Item) -> Path:
        return self.folder / RESOURCES / f"{item.kind}-{item.name}.yaml"

    # -- making Skupper read it

    def uptake(self, secrets: Iterable[str]) -> Uptake:
        """Return how Skupper comes to read what is written, and which of these secrets it uses."""
        texts = [self._read(file).decode("utf-8", "replace") for file in self._resources(RESOURCES)]
        return Uptake(
            command=self._command(),
            started=self._is_folder(self.folder / "runtime"),
            owed=bool(self._manifest().get("reload")),
            used=tuple(name for name in secrets if any(_is_named(name, text) for text in texts)),
        )

    def follow_up(self, changes: Sequence[Change]) -> list[Change]:
        return self.uptake(_changed_secrets(changes)).follow_up(changes, self.address.namespace)

    def after_change(self, changes: Sequence[Change]) -> str:
        return self.uptake(_changed_secrets(changes)).to_do(changes, self.address)

    def _command(self) -> str:
        # Skupper finds its folder by itself: root's is fixed, others' follows XDG_DATA_HOME (2.2.1).
        root = os.getuid() == 0
        if self._data_home != default_data_home({}, 0) if root else self._data_home.name != "skupper":
            return ""
        places = (os.environ.get("PATH", os.defpath), os.path.expanduser("~/.local/bin"), "/usr/local/bin")
        return shutil.which("skupper", path=os.pathsep.join(places)) or ""

    def _owe_reload(self) -> str:
        """Write down that a reload is owed, under a mark of its own: another run may come to owe one meanwhile."""
        mark = os.urandom(8).hex()
        try:
            with self._locked():
                self._write_manifest({**self._manifest(), "reload": mark})
        except OSError as error:
            raise self._write_error(error) from None
        return mark

    def _reload(self, mark: str) -> None:
        command = [self._command() or "skupper", "system", "reload", "-n", self.address.namespace]
        runtime = f"/run/user/{os.getuid()}"
        environment = {**os.environ, "SKUPPER_PLATFORM": self.address.platform}
        if self._data_home != default_data_home(os.environ, os.getuid()):
            environment["XDG_DATA_HOME"] = str(self._data_home.parent)
        if os.path.isdir(runtime):
            environment.setdefault("XDG_RUNTIME_DIR", runtime)  # systemctl --user and podman need it, sudo drops it
        with self._locked():
            try:
                # Ansible's run_command is a module's, and there is none here: this runs without Ansible on the host.
                ended = subprocess.run(  # pylint: disable=ansible-bad-function
                    command,
                    check=False,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=RELOAD_SECONDS,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise self._reload_error(str(error)) from None
            if ended.returncode != 0:
                said = ended.stdout.decode("utf-8", "replace").strip()
                raise self._reload_error(said or f"exit code {ended.returncode}")
            manifest = self._manifest()
            if manifest.get("reload") == mark:
                del manifest["reload"]
                self._write_manifest(manifest)

    def _reload_error(self, said: str) -> SkupperTlsError:
        return self._error(
            "everything is written, but Skupper did not read it: `skupper system reload` failed",
            field=f"Site/{self.address.namespace}",
            found=_KEY.sub("(a key)", said)[-1000:],
            remedy="Mend what it says and run again: the next run reloads the site",
        )

    # -- around it

    def selector(self, workload: Workload) -> str:
        return ""

    def health(self, services: Iterable[Service], now: float, adopt: bool = False) -> Health:
        self.kind()
        identity = f"{os.uname().nodename}:{self.folder.resolve()}"
        return Health(identity=identity, missing_permissions=self.removal_permissions(listing=False))

    def removal_permissions(self, listing: bool) -> tuple[str, ...]:
        folders = (self.folder, *(self.folder / part for part in (RESOURCES, *FOLDERS.values())))
        return tuple(
            f"write {folder}" for folder in folders if folder.exists() and not os.access(folder, os.W_OK | os.X_OK)
        )

    def ready(self, keys: Iterable[tuple[str, str]], seconds: float) -> Mapping[tuple[str, str], Any]:
        return {}

    # Not by pathlib: from Python 3.13 on it takes a folder that may not be read for one that is empty or not there.

    def _resources(self, folder: str, suffixes: tuple[str, ...] = (".yaml", ".yml")) -> list[Path]:
        path = self.folder / folder
        try:
            names = os.listdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise self._read_error(path, error) from None
        return sorted(path / name for name in names if name.endswith(suffixes))

    def _is_folder(self, folder: Path) -> bool:
        try:
            return stat.S_ISDIR(folder.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise self._read_error(folder, error) from None

    def _read(self, file: Path) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            raise self._read_error(file, error) from None

    def _read_error(self, path: Path, error: OSError) -> SkupperTlsError:
        return self._error(
            f"cannot read {path}",
            found=error.strerror or "error",
            remedy="Run Ansible as the user that owns the site, or mend the permissions",
        )

    def _write_error(self, error: OSError) -> SkupperTlsError:
        return self._error(
            f"cannot write {error.filename or self.folder}",
            found=error.strerror or "error",
            remedy="Run Ansible as the user that owns the site, free space, or mend the permissions; then run again",
        )

    def _error(self, message: str, **details: str) -> SkupperTlsError:
        return SiteError(message, site=self.address.name, **details)


def _changed_secrets(changes: Iterable[Change]) -> list[str]:
    return [change.item.name for change in changes if change.item.kind in SECRET_KINDS]


def _is_named(secret: str, text: str) -> bool:
    """Return whether a resource may use a secret: its name stands there as a word. One too many only costs a reload.

    The folder of a Connector's profile is used by who names the CA's secret.
    """
    names = f"{re.escape(secret)}|{re.escape(secret.removesuffix('-profile'))}"
    return re.search(rf"(?<![\w.-])(?:{names})(?![\w.-])", text) is not None


def _mentions(text: bytes) -> tuple[str, ...]:
    """Return the secrets that a resource names, by its text alone: a site's host need not have a YAML library."""
    found = _CREDENTIALS.findall(text.decode("utf-8", "replace"))
    return tuple(dict.fromkeys(found))


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _keep_foreign_files(source: Path, target: Path) -> None:
    for file in source.iterdir():
        if file.is_file() and file.name not in SECRET_KEYS:
            shutil.copy2(file, target / file.name)


def _swap(fresh: Path, target: Path) -> None:
    """Put the folder in the target's place, in one step where the kernel can exchange two names."""
    if not target.exists():
        fresh.rename(target)
        return
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    names = os.fsencode(fresh), os.fsencode(target)
    if exchange is not None and exchange(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return
    old = fresh.parent / (fresh.name + ".old")
    target.rename(old)
    fresh.rename(target)


def _write_synced(file: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _replace_file(file: Path, data: bytes, mode: int) -> None:
    temporary = _temporary(file)
    temporary.unlink(missing_ok=True)
    _write_synced(temporary, data, mode)
    temporary.replace(file)
    _sync_folder(file.parent)


def _temporary(file: Path) -> Path:
    return file.with_name(f".{file.name}.new")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _render(item: Item, labels: Mapping[str, str], namespace: str) -> str:
    """Return the resource as YAML. Written here, since a site's host need not have a YAML library."""
    document = {
        "apiVersion": API_VERSION,
        "kind": item.kind,
        "metadata": {"name": item.name, "namespace": namespace, "labels": dict(labels)},
        **item.content,
    }
    return "---\n" + "\n".join(_yaml_lines(document, "")) + "\n"


def _yaml_lines(value: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            lines += [f"{indent}{key}:", *_yaml_lines(inner, indent + "  ")]
        else:
            lines.append(f"{indent}{key}: {_yaml_scalar(inner)}")
    return lines


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return json.dumps(value)  # JSON scalars and lists are YAML
