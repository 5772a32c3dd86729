# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import: a CA and a certificate that somebody else made, from files and from vaulted content, in every shape."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    SystemNetwork,
    handshake,
    openssl_verify,
    same_everywhere,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

NAMES = ["payments", "payments.east", "payments.east.svc"]
ROOT = factory.root("Shop root")
MIDDLE = factory.make("Shop issuing CA", ROOT, ca=True, path_length=0)
LEAF = factory.make("payments", MIDDLE, names=NAMES)
DIRECT = factory.make("payments", ROOT, names=NAMES)


@pytest.fixture
def network(tmp_path: Path) -> SystemNetwork:
    return SystemNetwork(tmp_path / "run")


def key_pem(key: Any, passphrase: str = "") -> bytes:
    protection: Any = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase.encode())
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return pem


def write(network: SystemNetwork, name: str, *parts: Any) -> Path:
    """Write certificates (and whatever bytes are given) to a file beside the inventory."""
    file = network.folder / name
    file.write_bytes(b"".join(part if isinstance(part, bytes) else factory.pem_of(part.certificate) for part in parts))
    return file


def import_authority(network: SystemNetwork, **source: Any) -> None:
    network.variables["skupper_tls_authority"] = {"source": source}


def import_certificate(network: SystemNetwork, **source: Any) -> None:
    network.service["tls"]["certificate"] = {"source": source}


def landed(network: SystemNetwork, tmp_path: Path) -> list[x509.Certificate]:
    """Return the chain that every site serves, after a handshake with it."""
    held = same_everywhere(network)
    assert held[CA]["ca.crt"] == factory.pem_of(ROOT.certificate)
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"])
    handshake(tmp_path / "handshake", network.secret("east", SERVER), network.secret("west", CA)["ca.crt"])
    return x509.load_pem_x509_certificates(held[SERVER]["tls.crt"])


@pytest.mark.smoke
def test_vaulted_content(network: SystemNetwork, tmp_path: Path) -> None:
    """Keys from ansible-vault, as a user has them: !vault in the variables of the group, a password file at the run."""
    password = network.folder / "password"
    password.write_text("vault words")
    values = {
        "vault_ca_key": key_pem(ROOT.key),
        "vault_leaf_key": key_pem(DIRECT.key),
        "vault_passphrase": b"words of the store",
    }
    lines = ["---\n"]
    for name, value in values.items():
        vault = str(Path(sys.executable).parent / "ansible-vault")
        command = [vault, "encrypt_string", "--vault-password-file", str(password)]
        done = subprocess.run(
            [*command, "--stdin-name", name],
            input=value,
            capture_output=True,
            check=True,
            timeout=60,
            env=network.ansible.environment,
        )
        lines.append(done.stdout.decode())
    variables = network.folder / "group_vars" / "skupper_sites.yml"
    variables.parent.mkdir()
    variables.write_text("".join(lines))
    network.variables["skupper_tls_store"]["passphrase"] = "{{ vault_passphrase }}"
    import_authority(
        network,
        certificate_content=factory.pem_of(ROOT.certificate).decode(),
        key_content="{{ vault_ca_key }}",
    )
    import_certificate(
        network,
        certificate_content=factory.pem_of(DIRECT.certificate).decode(),
        key_content="{{ vault_leaf_key }}",
    )
    other = {**network.service, "address": "ledger", "ports": [7001]}
    other["tls"] = {"server_secret": "ledger-cert", "ca_secret": "ledger-ca"}
    network.variables["skupper_tls_services"].append(other)
    arguments = ("--vault-password-file", str(password), "--diff")
    predicted = network.run("multisite.skupper_tls.rollout", "--check", *arguments).good()
    first = network.run("multisite.skupper_tls.rollout", *arguments).good()
    assert first.diffs() == predicted.diffs()
    assert landed(network, tmp_path) == [DIRECT.certificate]
    issued = network.secret("edge", "ledger-cert")
    openssl_verify(tmp_path / "openssl", issued, factory.pem_of(ROOT.certificate), "ledger")
    assert network.run("multisite.skupper_tls.rollout", *arguments).good().count("changed") == 0
    assert all("ENCRYPTED" in file.read_text() for file in network.store.rglob("*.json"))
    network.run().bad("vault")


def test_files_with_an_intermediate_in_any_order(network: SystemNetwork, tmp_path: Path) -> None:
    """The CA without its key; the leaf's file holds leaf, root and intermediate in the wrong order, in CRLF."""
    import_authority(network, certificate_path=write(network, "root.pem", ROOT))
    text = write(network, "chain.pem", ROOT, MIDDLE, LEAF).read_bytes().replace(b"\n", b"\r\n")
    source = {
        "certificate_path": write(network, "chain.pem", text),
        "key_path": write(network, "key", key_pem(LEAF.key)),
    }
    import_certificate(network, **source)
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.diffs() == predicted.diffs()
    assert landed(network, tmp_path) == [LEAF.certificate, MIDDLE.certificate]
    assert network.run().good().count("changed") == 0

    renewed = factory.make("payments", MIDDLE, names=NAMES, key=LEAF.key)
    write(network, "chain.pem", renewed, MIDDLE)
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.diffs() == predicted.diffs()
    assert "another key" not in real.output
    assert landed(network, tmp_path) == [renewed.certificate, MIDDLE.certificate]


def test_an_intermediate_that_only_the_authority_has(network: SystemNetwork, tmp_path: Path) -> None:
    import_authority(network, certificate_path=write(network, "ca.pem", MIDDLE, ROOT))
    source = {
        "certificate_path": write(network, "leaf.pem", LEAF),
        "key_path": write(network, "key", key_pem(LEAF.key)),
    }
    import_certificate(network, **source)
    network.run().good()
    assert landed(network, tmp_path) == [LEAF.certificate, MIDDLE.certificate]


def test_an_issuing_ca_below_a_root(network: SystemNetwork, tmp_path: Path) -> None:
    """The company's CA signs ours: what we issue is sent with the intermediate, and the root alone is trusted."""
    import_authority(
        network,
        certificate_path=write(network, "ca.pem", ROOT, MIDDLE),
        key_path=write(network, "ca.key", key_pem(MIDDLE.key, "words")),
        key_passphrase="words",
    )
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.diffs() == predicted.diffs()
    leaf, *rest = landed(network, tmp_path)
    assert rest == [MIDDLE.certificate]
    assert leaf.issuer == MIDDLE.certificate.subject
    assert network.run().good().count("changed") == 0


def test_an_encrypted_key_and_der(network: SystemNetwork, tmp_path: Path) -> None:
    import_authority(network, certificate_path=write(network, "root.der", factory.der_of(ROOT.certificate)))
    import_certificate(
        network,
        certificate_path=write(network, "leaf.pem", DIRECT),
        key_path=write(network, "key", key_pem(DIRECT.key, "words")),
        key_passphrase="words",
    )
    network.run().good()
    assert landed(network, tmp_path) == [DIRECT.certificate]
    assert b"ENCRYPTED" not in network.secret("west", SERVER)["tls.key"], "the router cannot open it"


OLD = factory.make(
    "payments", ROOT, names=NAMES, not_before=factory.NOW - 9 * factory.DAY, not_after=factory.NOW - factory.DAY
)
OTHER = factory.root("another root")
ELSE = factory.make("else", ROOT, names=["else"])
CLIENT = factory.make("payments", ROOT, names=NAMES, purposes=[factory.CLIENT])


@pytest.mark.parametrize(
    ("certificate", "key", "texts"),
    [
        ([DIRECT], key_pem(LEAF.key), ["key", "source"]),
        ([LEAF], key_pem(LEAF.key), ["Shop issuing CA"]),
        ([OLD], key_pem(OLD.key), ["expired"]),
        ([ELSE], key_pem(ELSE.key), ["does not cover payments"]),
        ([ROOT], key_pem(ROOT.key), ["CA"]),
        ([factory.make("payments", OTHER, names=NAMES, key=LEAF.key), OTHER], key_pem(LEAF.key), ["another root"]),
        ([CLIENT], key_pem(CLIENT.key), ["serverAuth"]),
        ([b"-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n"], key_pem(LEAF.key), ["certificate_path"]),
        ([DIRECT], key_pem(DIRECT.key, "words"), ["passphrase"]),
        ([DIRECT], b"", ["source.key_path"]),
    ],
)  # fmt: skip
def test_a_bad_one_is_refused_before_any_write(
    network: SystemNetwork, certificate: list[Any], key: bytes, texts: list[str]
) -> None:
    import_authority(network, certificate_path=write(network, "root.pem", ROOT))
    source = {"certificate_path": write(network, "leaf.pem", *certificate), "key_path": write(network, "key", key)}
    import_certificate(network, **source)
    before = tree(network.data_home)
    network.run().bad("TLS701", "->", "nothing was written anywhere", *texts)
    assert tree(network.data_home) == before
    assert not network.store.exists()


def test_a_ca_without_key_that_is_to_issue(network: SystemNetwork) -> None:
    import_authority(network, certificate_path=write(network, "root.pem", ROOT))
    network.run().bad("TLS701", "key", "nothing was written anywhere")
    assert not network.store.exists()
