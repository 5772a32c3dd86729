# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA for clients outside the sites: files, trust stores and ConfigMaps, and the commands to connect with them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    LABELS,
    SERVER,
    KubeNetwork,
    SystemNetwork,
    tree,
)
from tests.cluster.clusters import Cluster, unique

EXPORT = "multisite.skupper_tls.export"
PASSWORD = "pass word's of clients"


@pytest.fixture
def network(tmp_path: Path) -> SystemNetwork:
    made = SystemNetwork(tmp_path / "run")
    (tmp_path / "out").mkdir()
    made.variables["skupper_tls_export"] = [
        {"path": tmp_path / "out" / "the ca.pem"},
        {"path": tmp_path / "out" / "store.p12", "format": "pkcs12", "password": PASSWORD},
    ]
    made.run("issue").good()
    return made


def anchors(network: SystemNetwork) -> list[x509.Certificate]:
    """The CA of the store, read by itself."""
    document = json.loads((network.store / "authority" / "default.json").read_text())
    return x509.load_pem_x509_certificates(document["revisions"][-1]["certificates"].encode())


def check_mode_then_run(network: Any) -> Any:
    """Check mode predicts the run and writes nothing; the second run changes nothing."""
    predicted = network.run(EXPORT, "--check", "--diff").good()
    done = network.run(EXPORT, "--diff").good()
    assert done.changes() == predicted.changes()
    assert done.diffs() == predicted.diffs()
    assert network.run(EXPORT, "--diff").good().count("changed") == 0
    return done


def test_files(network: SystemNetwork, tmp_path: Path) -> None:
    out = tmp_path / "out"
    network.run(EXPORT, "--check").good()
    assert not list(out.iterdir())
    sites = tree(network.data_home)
    check_mode_then_run(network)
    before = tree(out)
    network.run(EXPORT).good()
    assert tree(out) == before, "the trust store has other bytes each time, so it must not be written again"
    assert tree(network.data_home) == sites
    assert x509.load_pem_x509_certificates((out / "the ca.pem").read_bytes()) == anchors(network)
    assert (out / "the ca.pem").stat().st_mode & 0o777 == 0o644
    opened = pkcs12.load_pkcs12((out / "store.p12").read_bytes(), PASSWORD.encode())
    assert [entry.certificate for entry in opened.additional_certs] == anchors(network)
    assert opened.key is None
    for file in out.iterdir():
        assert b"PRIVATE" not in file.read_bytes()


def test_another_ca(network: SystemNetwork, tmp_path: Path) -> None:
    check_mode_then_run(network)
    mode = 0o640
    (tmp_path / "out" / "the ca.pem").chmod(mode)
    shutil.rmtree(network.store)
    network.run("issue").good()
    done = check_mode_then_run(network)
    assert done.count("changed") == 1
    assert x509.load_pem_x509_certificates((tmp_path / "out" / "the ca.pem").read_bytes()) == anchors(network)
    assert (tmp_path / "out" / "the ca.pem").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("file", ["the ca.pem", "store.p12"])
@pytest.mark.parametrize("content", ["bundle", "note and key", "other password", "garbage"])
def test_a_file_of_others(network: SystemNetwork, tmp_path: Path, file: str, content: str) -> None:
    out = tmp_path / "out"
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in anchors(network))
    note = b"# CA bundle of the Skupper network shop, managed by multisite.skupper_tls\n"
    if content == "other password":
        entries = network.variables["skupper_tls_export"]
        network.variables["skupper_tls_export"] = [{**entries[1], "path": out / file, "password": "another"}]
        network.run(EXPORT).good()
        network.variables["skupper_tls_export"] = entries
    else:
        contents = {
            "bundle": pem,
            "note and key": note + b"-----BEGIN PRIVATE KEY-----\n" + pem,
            "garbage": b"\0\1",
        }
        (out / file).write_bytes(contents[content])
    before = tree(out)
    network.run(EXPORT).bad("is there already, and this collection did not write it", file)
    assert tree(out) == before, "a refusal comes before any write"
    network.run(EXPORT, extra={"skupper_tls_adopt": True}).good()
    assert network.run(EXPORT).good().count("changed") == 0
    assert x509.load_pem_x509_certificates((out / "the ca.pem").read_bytes()) == anchors(network)


def test_absent_removes_ours(network: SystemNetwork, tmp_path: Path) -> None:
    network.run(EXPORT).good()
    task = {"name": "Remove", "multisite.skupper_tls.trust_bundle": {"state": "absent"}, "run_once": True}
    shutil.rmtree(network.store)
    before = tree(tmp_path / "out")
    predicted = network.play([task], "--check", "--diff").good()
    assert tree(tmp_path / "out") == before
    removed = network.play([task], "--diff").good()
    assert removed.diffs() == predicted.diffs()
    assert removed.count("changed") == 1
    assert not list((tmp_path / "out").iterdir())
    assert network.play([task]).good().count("changed") == 0
    (tmp_path / "out" / "the ca.pem").write_text("of another")
    network.play([task]).bad("did not write it")
    assert (tmp_path / "out" / "the ca.pem").exists()


@pytest.mark.parametrize(
    ("entry", "texts"),
    [
        ({}, ["destinations[0]: needs either a path or a config_map"]),
        ({"path": "a", "config_map": {"name": "a", "namespace": "b"}}, ["needs either a path or a config_map"]),
        ({"path": "a", "format": "pkcs12"}, ["destinations[0].password: a trust store needs a password"]),
        ({"path": "/nowhere/at/all"}, ["destinations[0].path: the folder of the file does not exist"]),
        ({"path": "/"}, ["destinations[0].path: the file cannot be read"]),
        ({"path": "a", "authorities": ["wrong"]}, ["the store has no authority wrong", "Run the step issue first"]),
        ({"config_map": {"name": "A_", "namespace": "B_", "key": "c/d"}},
         ["config_map.name: is not", "config_map.namespace: is not", "config_map.key: is not the key"]),
        ({"config_map": {"name": "a", "namespace": "b"}, "format": "pkcs12", "password": "x"},
         ["a ConfigMap holds the bundle as PEM only"]),
    ],
)  # fmt: skip
def test_refused(network: SystemNetwork, tmp_path: Path, entry: dict[str, Any], texts: list[str]) -> None:
    network.variables["skupper_tls_export"] = [entry, {"path": tmp_path / "out" / "good.pem"}]
    network.run(EXPORT).bad(*texts)
    assert not list((tmp_path / "out").iterdir())


def test_before_anything_is_issued(tmp_path: Path) -> None:
    made = SystemNetwork(tmp_path / "run")
    made.variables["skupper_tls_export"] = [{"path": tmp_path / "ca.pem"}]
    made.run(EXPORT).bad(f"the store has no certificate {SERVER}", "Run the step issue first")


@pytest.mark.parametrize("signer", ["", "default"])
def test_generated_mode(network: SystemNetwork, tmp_path: Path, signer: str) -> None:
    """Each site's own CA is not the store's to export; the signer of all sites is."""
    network.service["tls"] = {"mode": "generated", **({"signer": signer} if signer else {})}
    run = network.run(EXPORT)
    if not signer:
        run.bad("destinations[0]: would be empty", "skupper-service-client")
        assert not list((tmp_path / "out").iterdir())
        return
    run.good()
    assert x509.load_pem_x509_certificates((tmp_path / "out" / "the ca.pem").read_bytes()) == anchors(network)


# -- clients


@pytest.mark.skipif(shutil.which("keytool") is None, reason="needs Java")
def test_java_reads_the_trust_store(network: SystemNetwork, tmp_path: Path) -> None:
    network.run(EXPORT).good()
    command = ["keytool", "-list", "-v", "-keystore", str(tmp_path / "out" / "store.p12"), "-storetype", "PKCS12"]
    environment = {"STORE": PASSWORD, "PATH": os.environ["PATH"], "LC_ALL": "C"}
    listed = subprocess.run(
        [*command, "-storepass:env", "STORE"], capture_output=True, text=True, check=True, env=environment, timeout=60
    ).stdout
    assert "contains 1 entry" in listed
    assert "Entry type: trustedCertEntry" in listed
    (ca,) = anchors(network)
    assert ca.fingerprint(hashes.SHA256()).hex(":").upper() in listed
    assert "Alias name: multisite.skupper_tls/shop/default/" in listed


@pytest.fixture
def server(network: SystemNetwork, tmp_path: Path) -> Iterator[int]:
    """A TLS server with the certificate that the store issued; its port."""
    network.run().good()
    held = network.secret("east", SERVER)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).write_bytes(held[name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    context.set_alpn_protocols(["http/1.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _address = listener.accept()
        except OSError:
            return  # the test is over
        with connection:
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            except OSError:
                continue


CLIENT = """
import javax.net.ssl.*;
public class Client {
    public static void main(String[] given) throws Exception {
        SSLSocketFactory sockets = (SSLSocketFactory) SSLSocketFactory.getDefault();
        SSLSocket socket = (SSLSocket) sockets.createSocket("127.0.0.1", Integer.parseInt(given[0]));
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setServerNames(java.util.List.of(new SNIHostName("payments")));
        socket.setSSLParameters(parameters);
        socket.startHandshake();
    }
}
"""


@pytest.mark.skipif(shutil.which("javac") is None, reason="needs Java")
@pytest.mark.parametrize("right", [True, False])
def test_java_connects(network: SystemNetwork, server: int, tmp_path: Path, right: bool) -> None:
    """The command for Java, with a client of a few lines in the place of the user's."""
    result = network.run(EXPORT).good().of("Write the CA certificates")["east"].result
    if not right:
        export_another_ca(network, tmp_path)
    (tmp_path / "Client.java").write_text(CLIENT)
    (command,) = result["snippets"]["payments"]["java"]
    command = command.replace("-jar client.jar", f"Client.java {server}")
    environment = {"TRUST_STORE_PASSWORD": PASSWORD, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60, env=environment, cwd=tmp_path
    )
    assert (done.returncode == 0) is right, done.stdout + done.stderr
    assert right or "PKIX path" in done.stderr


def export_another_ca(network: SystemNetwork, tmp_path: Path) -> None:
    other = SystemNetwork(tmp_path / "other")
    other.variables["skupper_tls_export"] = network.variables["skupper_tls_export"]
    other.run("issue").good()
    other.run(EXPORT).good()


@pytest.mark.parametrize("tool", ["openssl", "curl"])
@pytest.mark.parametrize("right", [True, False])
def test_the_commands_work(network: SystemNetwork, server: int, tmp_path: Path, tool: str, right: bool) -> None:
    """As printed, quoting included, but for where the address is; with another CA they fail."""
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    network.service["protocol"] = "tcp"
    run = network.run(EXPORT).good()
    result = run.of("Write the CA certificates")["east"].result
    assert f"    {result['snippets']['payments'][tool][0]}".strip() in run.output, "it is printed"
    command = result["snippets"]["payments"][tool][0]
    if not right:
        export_another_ca(network, tmp_path)
    if tool == "openssl":
        command = command.replace("-connect payments:5001", f"-connect 127.0.0.1:{server}")
    else:
        command = command.replace("curl", f"curl -sS --connect-to payments:5001:127.0.0.1:{server}", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode == 0) is right, done.stdout + done.stderr


def test_the_commands_are_in_the_report(network: SystemNetwork) -> None:
    network.run().good()
    result = network.run("verify").good().of("Compare every site")["east"].result
    commands = result["snippets"]["payments"]
    assert sorted(commands) == ["curl", "grpcurl", "java", "openssl"]
    assert commands["grpcurl"] == [f"grpcurl -cacert ca.crt payments:{port} list" for port in (5001, 5002)]


# -- ConfigMaps


@pytest.fixture
def elsewhere(clusters: Callable[[int], list[Cluster]], tmp_path: Path) -> tuple[KubeNetwork, Cluster, str]:
    """A network, and a namespace of a cluster that has nothing to do with its sites."""
    made = KubeNetwork(tmp_path / "run", clusters(3))
    made.run("issue").good()
    cluster = made.clusters["edge"]
    namespace = cluster.create_namespace(unique("clients"))
    reach = {"kubeconfig": made.variables["skupper_site_kubeconfig"], "context": "edge"}
    made.variables["skupper_tls_export"] = [
        {"config_map": {**reach, "namespace": namespace, "name": "user-ca-bundle", "key": "ca-bundle.crt"}},
        {"config_map": {**reach, "namespace": namespace, "name": "shop.ca"}},
    ]
    return made, cluster, namespace


def config_maps(cluster: Cluster, namespace: str) -> dict[str, Any]:
    listed = cluster.core.list_namespaced_config_map(namespace).items
    return {item.metadata.name: item for item in listed if item.metadata.name != "kube-root-ca.crt"}


def test_config_maps(elsewhere: Any) -> None:
    network, cluster, namespace = elsewhere
    network.run(EXPORT, "--check").good()
    assert config_maps(cluster, namespace) == {}
    check_mode_then_run(network)
    found = config_maps(cluster, namespace)
    assert sorted(found) == ["shop.ca", "user-ca-bundle"]
    for name, key in (("user-ca-bundle", "ca-bundle.crt"), ("shop.ca", "ca.crt")):
        assert found[name].metadata.labels == LABELS
        assert list(found[name].data) == [key]
        assert found[name].data[key].startswith("-----BEGIN CERTIFICATE-----\n")
        assert "PRIVATE" not in found[name].data[key]
        assert x509.load_pem_x509_certificates(found[name].data[key].encode()) == anchors(network)
    versions = {name: item.metadata.resource_version for name, item in found.items()}
    network.run(EXPORT).good()
    again = config_maps(cluster, namespace)
    assert {name: item.metadata.resource_version for name, item in again.items()} == versions
    # A key of somebody else's stays.
    cluster.core.patch_namespaced_config_map("shop.ca", namespace, {"data": {"other": "x", "ca.crt": "broken"}})
    check_mode_then_run(network)
    mended = config_maps(cluster, namespace)["shop.ca"].data
    assert mended["other"] == "x"
    assert mended["ca.crt"] == found["shop.ca"].data["ca.crt"]

    task = {"name": "Remove", "multisite.skupper_tls.trust_bundle": {"state": "absent"}, "run_once": True}
    network.play([task], "--check").good()
    assert sorted(config_maps(cluster, namespace)) == ["shop.ca", "user-ca-bundle"]
    assert network.play([task]).good().count("changed") == 1
    left = config_maps(cluster, namespace)
    assert {name: (item.data, item.metadata.labels) for name, item in left.items()} == {
        "shop.ca": ({"other": "x"}, None)
    }
    assert network.play([task]).good().count("changed") == 0


def test_a_config_map_of_others(elsewhere: Any) -> None:
    network, cluster, namespace = elsewhere
    body = {"metadata": {"name": "user-ca-bundle", "labels": {"a": "b"}}, "data": {"ca-bundle.crt": "theirs", "x": "y"}}
    cluster.core.create_namespaced_config_map(namespace, body)
    network.run(EXPORT).bad("user-ca-bundle key ca-bundle.crt is there already", "adopt: true")
    assert sorted(config_maps(cluster, namespace)) == ["user-ca-bundle"], "a refusal comes before any write"
    network.run(EXPORT, extra={"skupper_tls_adopt": True}).good()
    adopted = config_maps(cluster, namespace)["user-ca-bundle"]
    assert adopted.metadata.labels == {**LABELS, "a": "b"}
    assert adopted.data["x"] == "y"
    assert network.run(EXPORT).good().count("changed") == 0


def test_every_site(elsewhere: Any) -> None:
    network, _cluster, _namespace = elsewhere
    reach = {option: f"{{{{ skupper_site_{option} }}}}" for option in ("kubeconfig", "context", "namespace")}
    entry = {"config_map": {**reach, "name": "shop-ca"}}
    task = {"name": "Export", "multisite.skupper_tls.trust_bundle": {"destinations": [entry]}}
    assert network.play([task]).good().count("changed") == 3
    for site in network.clusters:
        bundle = network.config_map(site, "shop-ca").data["ca.crt"]
        assert x509.load_pem_x509_certificates(bundle.encode()) == anchors(network)
    assert network.play([task]).good().count("changed") == 0


def test_a_namespace_that_is_not_there(elsewhere: Any) -> None:
    network, cluster, namespace = elsewhere
    network.variables["skupper_tls_export"][0]["config_map"]["namespace"] = "nowhere"
    network.run(EXPORT).bad("destinations[0].config_map.namespace: the namespace nowhere does not exist")
    assert config_maps(cluster, namespace) == {}


def test_no_key_in_what_is_said(network: SystemNetwork) -> None:
    """Neither the CA's key nor the trust store's password is in the output, verbose to the utmost."""
    run = network.run(EXPORT, "-vvvv", "--diff").good()
    assert "PRIVATE" not in run.output
    assert PASSWORD not in run.output
    results = json.dumps([dict(event.result) for event in run.events])
    assert PASSWORD not in results
    assert CA not in results  # nor is anything of the sites read
