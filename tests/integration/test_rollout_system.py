# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole rollout to three system sites, which needs no cluster."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    LABELS,
    SERVER,
    SystemNetwork,
    handshake,
    openssl_verify,
    same_everywhere,
    tree,
)

WRITE = "multisite.skupper_tls.distribute : Write the secrets of the site"
EXPOSE = "multisite.skupper_tls.expose : Expose the services on the site"
AUTHORITY = "multisite.skupper_tls.issue : Make or import the authority"
CERTIFICATE = "multisite.skupper_tls.issue : Issue, renew or import the certificates"
FIRST_RUN = sorted([(AUTHORITY, "east"), (CERTIFICATE, "east")]) + sorted(
    (task, site) for task in (WRITE, EXPOSE) for site in ("east", "west", "edge")
)


@pytest.fixture
def network(tmp_path: Path) -> SystemNetwork:
    return SystemNetwork(tmp_path / "run")


@pytest.mark.smoke
def test_check_first_run_second_run(network: SystemNetwork, tmp_path: Path) -> None:
    before = tree(network.data_home, network.store)
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    assert tree(network.data_home, network.store) == before, "check mode wrote something"
    assert not network.store.exists()
    assert predicted.changes() == sorted(FIRST_RUN)

    first = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert first.changes() == sorted(FIRST_RUN)
    assert first.diffs() == predicted.diffs()
    assert "PRIVATE" not in first.output
    assert "BEGIN CERTIFICATE" not in first.output

    written = tree(network.data_home, network.store)
    second = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert second.count("changed") == 0
    assert second.diffs() == {}
    assert tree(network.data_home, network.store) == written, "a run without a change wrote something"

    held = same_everywhere(network)
    handshake(tmp_path / "handshake", network.secret("east", SERVER), network.secret("west", CA)["ca.crt"])
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"], "payments.east.svc")
    assert held[CA]["tls.crt"] == held[CA]["tls.key"] == b""


def test_files_are_as_skupper_reads_them(network: SystemNetwork) -> None:
    network.run().good()
    assert network.exposed("east") == [
        f"Certificate-{CA}-profile.yaml",
        "Connector-payments-5001.yaml",
        "Connector-payments-5002.yaml",
    ]
    assert network.exposed("west") == ["Listener-payments-5001.yaml", "Listener-payments-5002.yaml"]
    connector = yaml.safe_load((network.site("east") / "input/resources/Connector-payments-5002.yaml").read_text())
    assert connector["apiVersion"] == "skupper.io/v2alpha1"
    assert connector["spec"] == {
        "host": "127.0.0.1",
        "port": 5002,
        "routingKey": "payments-5002",
        "tlsCredentials": CA,
    }
    listener = yaml.safe_load((network.site("edge") / "input/resources/Listener-payments-5001.yaml").read_text())
    assert listener["kind"] == "Listener"
    assert listener["metadata"]["name"] == "payments-5001"
    assert {key: listener["metadata"]["labels"][key] for key in LABELS} == LABELS
    assert listener["spec"]["port"] == 5001
    assert listener["spec"]["routingKey"] == "payments-5001"
    assert listener["spec"]["tlsCredentials"] == SERVER
    profile = network.secret("east", f"{CA}-profile")
    assert sorted(profile) == ["ca.crt", "tls.crt", "tls.key"]
    assert profile["ca.crt"] == network.secret("west", CA)["ca.crt"]


def test_modes(network: SystemNetwork) -> None:
    network.run().good()
    files = [*network.store.rglob("*"), *network.data_home.glob("namespaces/*/input/certs/**/*")]
    assert files
    for file in files:
        assert (file.stat().st_mode & 0o077) == 0, f"{file} can be read by others"
    assert (network.store.stat().st_mode & 0o777) == 0o700


def test_renewal_is_predicted(network: SystemNetwork) -> None:
    """A later change of the certificate: CA and its secrets stay, the prediction says the same as the run."""
    network.run().good()
    bundle = network.secret("west", CA)
    before = network.secret("west", SERVER)
    network.variables["skupper_tls_certificate"] = {"alternative_names": ["payments.example.net"]}
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    assert network.secret("west", SERVER) == before
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.changes() == predicted.changes()
    assert real.diffs() == predicted.diffs()
    assert network.secret("west", CA) == bundle
    assert same_everywhere(network)[SERVER]["tls.crt"] != before["tls.crt"]


def test_own_options_are_predicted(network: SystemNetwork) -> None:
    network.variables["skupper_tls_authority"] = {"name": "shop-ca", "subject": "CN=Shop root,O=Shop"}
    network.variables["skupper_tls_certificate"] = {"key_type": "rsa-2048", "validity_days": 30}
    network.service["tls"]["authority"] = "shop-ca"
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    real = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert real.changes() == predicted.changes()
    assert real.diffs() == predicted.diffs()


def test_expose_alone_refuses_where_a_site_lacks_a_secret(network: SystemNetwork) -> None:
    for step in ("preflight", "issue", "distribute"):
        network.run(step).good()
    shutil.rmtree(network.site("west") / "input/certs" / CA)
    refused = network.run("expose").bad("west", CA, "nothing is exposed anywhere")
    assert [network.exposed(site) for site in network.hosts] == [[], [], []]
    assert refused.count("changed") == 0
    network.run("distribute").good()
    network.run("expose").good()
    assert all(network.exposed(site) for site in network.hosts)
    network.run("verify").good()
