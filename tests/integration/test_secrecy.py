# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariant 1: no byte of a key leaves the store but into a site's secret, however much Ansible is asked to tell."""

from __future__ import annotations

import base64
import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    SERVER,
    KubeNetwork,
    SystemNetwork,
    refusing,
    store_records,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Started, descendants
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
PASSPHRASE = "a-passphrase-of-the-store-9f3c"
SHORTEST = 16


# -- how to find a key


def windows(data: bytes) -> list[bytes]:
    """Return what base64 makes of data wherever it stands in something longer: one text for each alignment."""
    found = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).rstrip(b"=")
        end = len(encoded) - 1 if (before + len(data)) % 3 else len(encoded)
        found.append(encoded[math.ceil(before * 4 / 3) : end])
    return found


def needles(key: Any) -> dict[str, bytes]:
    """Return by name the forms in which a key could be found. Only its secret part: certificates hold the other."""
    secret = key.private_numbers().private_value.to_bytes(key.key_size // 8, "big")
    found = {"raw": secret, "hexadecimal": secret.hex().encode()}
    forms = {
        "PKCS#8": serialization.PrivateFormat.PKCS8,
        "SEC 1": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    for name, form in forms.items():
        der = key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        at = der.index(secret)
        for number, line in enumerate(pem.splitlines()[1:-1]):
            # A line of 64 characters holds 48 bytes; only those count that hold a good part of the secret.
            if min(at + len(secret), 48 * number + 48) - max(at, 48 * number) >= 9:
                found[f"{name}: line {number} of the PEM"] = line
                for one, outer in enumerate(windows(line)):
                    found[f"{name}: line {number}, base64 {one}"] = outer
                    for two, more in enumerate(windows(outer)):
                        found[f"{name}: line {number}, base64 of base64 {one}.{two}"] = more
    for one, outer in enumerate(windows(secret)):
        found[f"base64 {one}"] = outer
        for two, more in enumerate(windows(outer)):
            found[f"base64 of base64 {one}.{two}"] = more
    assert all(len(needle) >= SHORTEST for needle in found.values())
    return found


def phrase(text: str) -> dict[str, bytes]:
    return {
        "the passphrase": text.encode(),
        **{f"base64 {one}": each for one, each in enumerate(windows(text.encode()))},
    }


def search(haystack: bytes, wanted: Mapping[str, bytes]) -> list[str]:
    return [name for name, needle in wanted.items() if needle in haystack]


def search_files(folder: Path, wanted: Mapping[str, bytes], allowed: set[Path]) -> list[str]:
    """Return in which files of a folder a needle stands, but for what is allowed to have it."""
    found = []
    for file in folder.rglob("*"):
        if file.is_file() and not any(file == one or one in file.parents for one in allowed):
            found += [f"{file}: {name}" for name in search(file.read_bytes(), wanted)]
    return found


def test_the_search_finds_what_was_planted(tmp_path: Path) -> None:
    key = factory.key(number=1)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    forms = {
        "pem": b"x" + pem,
        "json": json.dumps({"stdout": pem.decode()}).encode(),
        "der": b"\0" + der,
        "base64 of der": base64.b64encode(der),
        "base64 of pem": base64.b64encode(pem),
        "base64 of base64": base64.b64encode(base64.b64encode(pem)),
        **{f"inside {n}": base64.b64encode(b"-" * n + pem) for n in range(3)},
        **{f"inside twice {n}": base64.b64encode(b"-" * n + base64.b64encode(b"{" + pem + b"}")) for n in range(3)},
        "one line": pem.splitlines()[1],
    }
    for name, form in forms.items():
        (tmp_path / "planted").write_bytes(b"before\n" + form + b"\nafter")
        assert search_files(tmp_path, needles(key), set()), f"not found: {name}"
    (tmp_path / "planted").write_bytes(b"log: " + base64.b64encode(b"{" + PASSPHRASE.encode() + b"}"))
    assert search_files(tmp_path, phrase(PASSPHRASE), set())
    certificate = factory.make("x", key=key).certificate
    public = factory.pem_of(certificate) + factory.der_of(certificate) + base64.b64encode(factory.pem_of(certificate))
    assert search(public, needles(key)) == [], "a certificate is taken for its key"


# -- the runs


@pytest.fixture(params=["v2", "system"])
def network(request: pytest.FixtureRequest, clusters: Take, tmp_path: Path) -> Any:
    """A network with an imported CA, its key given as content, and an imported certificate, its key in a file."""
    folder = tmp_path / "run"
    made: Any = SystemNetwork(folder) if request.param == "system" else KubeNetwork(folder, clusters(3))
    made.variables["skupper_tls_store"]["passphrase"] = "{{ store_passphrase }}"
    made.variables["skupper_tls_authority"] = {
        "source": {"certificate_content": "{{ ca_certificate }}", "key_content": "{{ ca_key }}"}
    }
    ledger = {
        **made.service,
        "address": "ledger",
        "ports": [7001],
        "tls": {"server_secret": "ledger", "ca_secret": "ca2"},
    }
    made.variables["skupper_tls_services"].append(ledger)
    return made


class Loud:
    """Runs a network's playbooks as loudly as can be and keeps all that they say."""

    def __init__(self, network: Any, given: Path, keys: Mapping[str, Any]) -> None:
        self.network, self.given = network, given
        self.keys = dict(keys)
        self.seen: list[bytes] = []
        folder = network.folder
        network.ansible.environment.update(
            ANSIBLE_LOG_PATH=str(folder / "ansible.log"),
            ANSIBLE_RETRY_FILES_ENABLED="true",
            ANSIBLE_RETRY_FILES_SAVE_PATH=str(folder / "retry"),
            ANSIBLE_CALLBACKS_ENABLED="recorder,ansible.builtin.tree,ansible.builtin.junit",
            ANSIBLE_CALLBACK_TREE_DIR=str(folder / "tree"),
            JUNIT_OUTPUT_DIR=str(folder / "junit"),
            ANSIBLE_CACHE_PLUGIN="jsonfile",
            ANSIBLE_CACHE_PLUGIN_CONNECTION=str(folder / "facts"),
            ANSIBLE_LOCAL_TEMP=str(folder / "tmp" / "local"),
            ANSIBLE_DISPLAY_ARGS_TO_STDOUT="true",
            ANSIBLE_KEEP_REMOTE_FILES="true",
        )

    def run(self, playbook: str = "multisite.skupper_tls.rollout", *arguments: str, form: str = "json") -> Any:
        """Run a playbook. The extra variables are a file outside of the folder that is searched."""
        self.network.ansible.write_inventory(self.network.inventory)
        more = {"ANSIBLE_CALLBACK_RESULT_FORMAT": form}
        command = ("-vvvv", "--diff", "--extra-vars", f"@{self.given}", *arguments)
        started = Started(self.network.ansible, playbook, command, None, more)
        try:
            with watched(started.process.pid, self.seen):
                return started.wait()
        finally:
            started.kill()

    def found(self) -> list[str]:
        """Return where a key or the passphrase stands that should not."""
        network, found = self.network, []
        allowed = {network.store}
        allowed |= set(network.data_home.glob("namespaces/*/input/certs")) if hasattr(network, "data_home") else set()
        wanted = {**phrase(PASSPHRASE)}
        for name, key in self.keys.items():
            wanted.update({f"{name}, {form}": needle for form, needle in needles(key).items()})
        found += search_files(network.folder, wanted, allowed)
        found += [f"process: {name}" for name in search(b"\n".join(self.seen), wanted)]
        found += search_files(network.store, phrase(PASSPHRASE), set())
        return found


class watched:
    """Reads the arguments and the environment of a process and all below it, again and again."""

    def __init__(self, process: int, seen: list[bytes]) -> None:
        self._process, self._seen, self._end = process, seen, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        known = set()
        while not self._end.is_set():
            for process in [self._process, *descendants(self._process)]:
                for name in ("cmdline", "environ"):
                    try:
                        known.add(Path(f"/proc/{process}/{name}").read_bytes())
                    except OSError:
                        continue  # it has ended
            time.sleep(0.02)
        self._seen.extend(known)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(10)


def pem_of_key(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text: bytes = key.private_bytes(encoding, form, serialization.NoEncryption())
    return text.decode()


def stored_keys(network: Any) -> Iterator[tuple[str, Any]]:
    """Every key of the store, opened with the passphrase."""
    for kind in ("authority", "certificate"):
        for name, record in store_records(network, kind).items():
            for revision in record["revisions"]:
                pem = revision["key"].encode()
                assert b"ENCRYPTED" in pem
                key = serialization.load_pem_private_key(pem, PASSPHRASE.encode())
                yield f"{kind} {name} revision {revision['number']}", key


def test_no_byte_of_a_key_is_told(network: Any, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    root = factory.root("the root", key=factory.key(number=11))
    space = {**network.variables, **network.hosts["east"]}["skupper_site_namespace"]
    names = ["payments", f"payments.{space}", f"payments.{space}.svc"]
    leaf = factory.make("payments", root, key=factory.key(number=12), names=names)
    (given / "leaf.pem").write_bytes(factory.pem_of(leaf.certificate))
    (given / "leaf.key").write_text(pem_of_key(leaf.key))
    extra = {
        "ca_certificate": factory.pem_of(root.certificate).decode(),
        "ca_key": pem_of_key(root.key),
        "store_passphrase": PASSPHRASE,
    }
    (given / "extra.json").write_text(json.dumps(extra))
    network.service["tls"]["certificate"] = {
        "source": {"certificate_path": given / "leaf.pem", "key_path": given / "leaf.key"}
    }
    loud = Loud(network, given / "extra.json", {"the CA's key": root.key, "the imported key": leaf.key})

    first = loud.run().good()
    assert first.count("changed")
    held = network.secret("east", "ledger")
    loud.keys.update(stored_keys(network))
    loud.keys["the key of the site"] = serialization.load_pem_private_key(held["tls.key"], None)
    assert loud.found() == []

    assert loud.run(form="yaml").good().count("changed") == 0
    for failing in failures(network):
        with failing:
            loud.run().bad()
    loud.keys.update(stored_keys(network))
    assert loud.found() == []
    assert (network.folder / "ansible.log").stat().st_size > 10_000
    assert len(loud.seen) > 5


class wrong_passphrase:
    def __init__(self, network: Any) -> None:
        self._store = network.variables["skupper_tls_store"]

    def __enter__(self) -> None:
        self._store["passphrase"] = "{{ store_passphrase }}x"

    def __exit__(self, *_: object) -> None:
        self._store["passphrase"] = "{{ store_passphrase }}"


class no_key_file:
    """The key's file holds the certificate's key and then something that is none."""

    def __init__(self, network: Any) -> None:
        self._file = Path(network.service["tls"]["certificate"]["source"]["key_path"])

    def __enter__(self) -> None:
        self._text = self._file.read_text()
        self._file.write_text(self._text.replace("-----END PRIVATE KEY-----", "=*=\n-----END PRIVATE KEY-----"))

    def __exit__(self, *_: object) -> None:
        self._file.write_text(self._text)


class foreign_secret:
    """A secret of somebody else, which holds the key of ours."""

    def __init__(self, network: Any) -> None:
        self._network = network

    def __enter__(self) -> None:
        patch = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}
        west = self._network.clusters["west"]
        west.core.patch_namespaced_secret(SERVER, self._network.namespace, patch)

    def __exit__(self, *_: object) -> None:
        west = self._network.clusters["west"]
        west.core.delete_namespaced_secret(SERVER, self._network.namespace)


def failures(network: Any) -> Iterator[Any]:
    yield wrong_passphrase(network)
    yield no_key_file(network)
    if isinstance(network, KubeNetwork):
        yield foreign_secret(network)  # deleted at its end, so that the next one writes
        yield refusing(network, "west", "", "secrets")
