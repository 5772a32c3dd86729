# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated mode: each site's own CA signs. Skupper's controllers are played (tests/cluster/controller.py)."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    KEYS,
    SITES,
    KubeNetwork,
    SystemNetwork,
    handshake,
    store_records,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.test_secrecy import search, windows
from tests.cluster.clusters import Cluster
from tests.cluster.controller import Controller, authority, leaf

Take = Callable[[int], list[Cluster]]
CA, CLIENT, SERVER = "skupper-service-ca", "skupper-service-client", "skupper-tls-payments"
ROLLOUT = "multisite.skupper_tls.rollout"


def generated(network: Any, **tls: Any) -> Any:
    network.service["tls"] = {"mode": "generated", **tls}
    return network


@pytest.fixture
def network(clusters: Take, tmp_path: Path) -> Iterator[KubeNetwork]:
    """Three v2 sites, each with its controller."""
    made = generated(KubeNetwork(tmp_path / "run", clusters(3)))
    with contextlib.ExitStack() as stack:
        for cluster in made.clusters.values():
            stack.enter_context(Controller(cluster, made.namespace))
        yield made


@pytest.fixture
def v1(clusters: Take, tmp_path: Path) -> Iterator[KubeNetwork]:
    """Three v1 sites, each with its controller; the entries of east are sent to the others."""
    made = generated(KubeNetwork(tmp_path / "run", clusters(3), version="v1"))
    others = [cluster for name, cluster in made.clusters.items() if name != "east"]
    with contextlib.ExitStack() as stack:
        for name, cluster in made.clusters.items():
            peers = others if name == "east" else []
            stack.enter_context(Controller(cluster, made.namespace, "v1", peers))
        yield made


def own_authority(network: Any, tmp_path: Path) -> dict[str, dict[str, bytes]]:
    """Return what every site holds, after asserting that its certificates chain to its own CA and to no other."""
    read = runtime_secret if isinstance(network, SystemNetwork) else KubeNetwork.secret
    held = {site: {name: read(network, site, name) for name in (CLIENT, SERVER)} for site in network.hosts}
    assert len({held[site][SERVER]["tls.crt"] for site in held}) == len(held)
    assert len({held[site][CLIENT]["ca.crt"] for site in held}) == len(held)
    for site, secrets in held.items():
        handshake(tmp_path / "tls", secrets[SERVER], secrets[CLIENT]["ca.crt"], strict=False)
        for other in set(held) - {site}:
            with pytest.raises(ssl.SSLCertVerificationError):
                handshake(tmp_path / "tls", secrets[SERVER], held[other][CLIENT]["ca.crt"], strict=False)
    return {site: secrets[SERVER] for site, secrets in held.items()}


def test_check_first_run_second_run(network: KubeNetwork, tmp_path: Path) -> None:
    before = network.snapshot()
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert network.snapshot() == before, "check mode wrote something"

    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    assert first.diffs() == predicted.diffs()
    assert not network.store.exists(), "a store was made that nothing is kept in"
    space = network.namespace
    for site in SITES:
        certificates = {name: item["spec"] for name, item in network.objects(site, "Certificate").items()}
        assert certificates == {
            CA: {"ca": "", "subject": f"{site} service CA", "signing": True},
            CLIENT: {
                "ca": CA,
                "subject": CLIENT,
                "client": True,
                "hosts": [CLIENT, f"{CLIENT}.{space}", f"{CLIENT}.{space}.svc"],
            },
            SERVER: {
                "ca": CA,
                "subject": "payments",
                "server": True,
                "hosts": ["payments", f"payments.{space}", f"payments.{space}.svc"],
            },
        }
        kind, secret = ("Connector", CLIENT) if site == "east" else ("Listener", SERVER)
        used = {item["spec"]["tlsCredentials"] for item in network.objects(site, kind).values()}
        assert used == {secret}
    own_authority(network, tmp_path)

    written = network.snapshot()
    second = network.run(ROLLOUT, "--diff").good()
    assert second.count("changed") == 0
    assert network.snapshot() == written
    for step in ("preflight", "distribute", "expose", "verify"):
        assert network.run(f"multisite.skupper_tls.{step}").good().count("changed") == 0, step


def delete_secret(network: KubeNetwork, name: str) -> None:
    network.clusters["west"].core.delete_namespaced_secret(name, network.namespace)


def delete_authority(network: KubeNetwork, dummy: str) -> None:
    """As a user who wants a new CA: Skupper makes one, and leaves the certificates of the old one as they are."""
    network.clusters["west"].custom.delete_namespaced_custom_object(
        "skupper.io", "v2alpha1", network.namespace, "certificates", CA
    )


@pytest.mark.parametrize(
    ("damage", "name"),
    [(delete_secret, SERVER), (delete_secret, CLIENT), (delete_secret, CA), (delete_authority, CA)],
)
def test_what_skupper_does_not_mend(network: KubeNetwork, tmp_path: Path, damage: Any, name: str) -> None:
    network.run(ROLLOUT).good()
    others = {site: network.secret(site, SERVER) for site in ("east", "edge")}
    damage(network, name)
    network.run("multisite.skupper_tls.verify").bad()
    mended = network.run(ROLLOUT, "--diff").good()
    assert {host for dummy, host in mended.changes()} == {"west"}
    own_authority(network, tmp_path)
    assert {site: network.secret(site, SERVER) for site in others} == others
    assert network.run(ROLLOUT).good().count("changed") == 0


def test_a_leaf_that_came_before_its_ca(network: KubeNetwork, tmp_path: Path) -> None:
    """Somebody's own Certificates, as this collection would make them, but in the wrong order."""
    space = network.namespace
    spec = {
        "ca": CA,
        "subject": CLIENT,
        "client": True,
        "hosts": [CLIENT, f"{CLIENT}.{space}", f"{CLIENT}.{space}.svc"],
    }
    network.clusters["west"].create_skupper(space, "Certificate", CLIENT, spec)
    wait_for(lambda: bool(network.objects("west", "Certificate")[CLIENT].get("status")))
    network.run(ROLLOUT).bad(f"Certificate {CLIENT} is somebody else's, and Skupper has not made its secret")
    network.run(ROLLOUT, extra={"skupper_tls_adopt": True}).good()
    own_authority(network, tmp_path)


def wait_for(condition: Callable[[], bool]) -> None:
    import time

    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("name", [SERVER, CLIENT, CA])
def test_a_users_own_secret_is_refused_before_anything_is_made(network: KubeNetwork, name: str) -> None:
    cluster = network.clusters["edge"]
    cluster.core.create_namespaced_secret(network.namespace, {"metadata": {"name": name}, "stringData": {"mine": "x"}})
    before = network.snapshot()
    network.run(ROLLOUT).bad(f"a secret {name} is there already, and Skupper did not generate it")
    assert network.snapshot() == before


def test_no_controller_answers(clusters: Take, tmp_path: Path) -> None:
    network = generated(KubeNetwork(tmp_path / "run", clusters(3)))
    network.run(ROLLOUT, extra={"skupper_tls_certificate_timeout": 1}).bad(
        f"Skupper has not made the secret of Certificate {CA} within 1 seconds", "no Skupper controller has answered"
    )
    assert not any(network.objects(site, "Listener") for site in SITES)
    with contextlib.ExitStack() as stack:
        for cluster in network.clusters.values():
            stack.enter_context(Controller(cluster, network.namespace))
        network.run(ROLLOUT).good()
    assert network.run(ROLLOUT).good().count("changed") == 0


def test_a_copied_certificate(network: KubeNetwork) -> None:
    network.run(ROLLOUT).good()
    for name in (SERVER, CLIENT, CA):
        data = network.read("west", name).data
        network.clusters["edge"].core.patch_namespaced_secret(name, network.namespace, {"data": data})
    network.run("multisite.skupper_tls.verify").bad("TLS603", "is the same as on west")


def test_a_certificate_of_another_ca_than_the_clients_trust(network: KubeNetwork) -> None:
    network.run(ROLLOUT).good()
    stranger = leaf("payments", ["payments"], authority("a stranger"))
    body = {"stringData": {key: value.decode() for key, value in stranger.items()}}
    network.clusters["west"].core.patch_namespaced_secret(SERVER, network.namespace, body)
    network.run("multisite.skupper_tls.verify").bad("TLS305")


def test_from_custom_to_generated_and_back(network: KubeNetwork, tmp_path: Path) -> None:
    tls, network.service["tls"] = network.service["tls"], {}
    network.run(ROLLOUT).good()
    network.service["tls"] = tls
    network.run(ROLLOUT).good()
    own_authority(network, tmp_path)
    used = {item["spec"]["tlsCredentials"] for item in network.objects("west", "Listener").values()}
    assert used == {SERVER}
    network.service["tls"] = {}
    network.run(ROLLOUT).good()
    assert network.run(ROLLOUT).good().count("changed") == 0


def test_taken_back(network: KubeNetwork) -> None:
    network.run(ROLLOUT).good()
    tasks = [
        {"multisite.skupper_tls.service": {"state": "absent"}},
        {"multisite.skupper_tls.secrets": {"state": "absent"}},
    ]
    network.play(tasks).good()
    assert not any(network.exposed(site) for site in SITES)
    wait_for(lambda: not any(network.secrets(site) for site in SITES))
    assert network.play(tasks).good().count("changed") == 0


RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    {
        "apiGroups": ["skupper.io"],
        "resources": ["listeners", "connectors", "certificates"],
        "verbs": ["list", "create", "patch", "delete"],
    },
    {"apiGroups": ["skupper.io"], "resources": ["sites"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["payments"], "verbs": ["get"]},
]


def test_a_user_with_the_documented_verbs(network: KubeNetwork, tmp_path: Path) -> None:
    for site, cluster in network.clusters.items():
        network.use(site, cluster.make_user(network.namespace, "deployer", RULES))
    less = [{**rule, "resources": [name for name in rule["resources"] if name != "certificates"]} for rule in RULES]
    network.use("edge", network.clusters["edge"].make_user(network.namespace, "lacking", less))
    network.run(ROLLOUT).bad("list certificates.skupper.io", "create certificates.skupper.io")
    network.use("edge", network.clusters["edge"].make_user(network.namespace, "enough", RULES))
    network.run(ROLLOUT).good()
    own_authority(network, tmp_path)
    delete_secret(network, SERVER)
    network.run(ROLLOUT).good()
    assert network.run(ROLLOUT).good().count("changed") == 0


# -- v1


def test_v1(v1: KubeNetwork, tmp_path: Path) -> None:
    before = v1.snapshot()
    predicted = v1.run(ROLLOUT, "--check", "--diff").good()
    assert v1.snapshot() == before
    first = v1.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    wait_for(lambda: all(v1.secret(site, SERVER) for site in SITES))
    own_authority(v1, tmp_path)
    entry = v1.entry("east") or {}
    assert (entry["tlsCredentials"], entry["tlsCertAuthority"]) == (SERVER, CLIENT)
    profiles = json.loads(v1.config_map("east", "skupper-internal").data["skrouterd.json"])
    assert sum(item[0] == "sslProfile" and item[1]["name"] == CLIENT for item in profiles) == 1  # Skupper's own
    second = v1.run(ROLLOUT).good()
    assert second.count("changed") == 0
    assert "TLS403" not in second.output


def test_v1_a_users_own_secret(v1: KubeNetwork) -> None:
    """Skupper would use it, and delete it when the service is unexposed."""
    body = {"metadata": {"name": SERVER}, "stringData": {"tls.crt": "mine"}}
    v1.clusters["east"].core.create_namespaced_secret(v1.namespace, body)
    before = v1.snapshot()
    v1.run(ROLLOUT).bad(f"a secret {SERVER} is there already, and Skupper did not generate it")
    assert v1.snapshot() == before


def test_v1_has_no_signer(v1: KubeNetwork) -> None:
    generated(v1, signer="corp")
    v1.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    v1.run(ROLLOUT).bad("Skupper v1 signs with a CA of its own only")


# -- a CA of the store as the signer


def test_signer(network: KubeNetwork, tmp_path: Path) -> None:
    generated(network, signer="corp")
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    before = network.snapshot()
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert network.snapshot() == before
    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    root = network.secret("east", CLIENT)["ca.crt"]
    for site in SITES:
        assert CA not in network.objects(site, "Certificate")
        signing = network.secret(site, CA)
        assert signing["tls.key"].startswith(b"-----BEGIN RSA PRIVATE KEY-----")
        assert sorted(signing) == sorted(KEYS)
        handshake(tmp_path / "tls", network.secret(site, SERVER), root, strict=False)
    assert network.run(ROLLOUT).good().count("changed") == 0


def test_signer_with_an_intermediate_for_each_site(network: KubeNetwork, tmp_path: Path) -> None:
    generated(network, signer="corp", site_intermediates=True)
    network.variables["skupper_tls_authority"] = {"name": "corp"}  # only the intermediates need RSA
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    first = network.run(ROLLOUT, "--diff", "-vvvv").good()
    assert first.changes() == predicted.changes()
    for site in SITES:
        no_line_of(network.secret(site, CA)["tls.key"], first.output.encode())
    authorities = {site: x509.load_pem_x509_certificates(network.secret(site, CA)["tls.crt"]) for site in SITES}
    assert len({pem(chain[0]) for chain in authorities.values()}) == len(SITES)
    assert len({chain[-1] for chain in authorities.values()}) == 1  # the root
    for site, (intermediate, root) in authorities.items():
        constraints = intermediate.extensions.get_extension_for_class(x509.BasicConstraints).value
        assert constraints == x509.BasicConstraints(ca=True, path_length=0)
        names = intermediate.extensions.get_extension_for_class(x509.NameConstraints)
        assert names.critical
        assert x509.DNSName(f"payments.{network.namespace}.svc") in (names.value.permitted_subtrees or [])
        secret = network.secret(site, SERVER)
        handshake(tmp_path / "tls", secret, network.secret(site, CLIENT)["ca.crt"], strict=False)
        public = secret["tls.crt"] + intermediate.public_bytes(serialization.Encoding.PEM)
        handshake(tmp_path / "tls", {**secret, "tls.crt": public}, pem(root), strict=False)
        outside = leaf("other", ["other"], {**network.secret(site, CA), "tls.crt": pem(intermediate)})
        outside["tls.crt"] += pem(intermediate)
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(tmp_path / "tls", outside, pem(root), "other", strict=False)
    assert network.run(ROLLOUT).good().count("changed") == 0


def no_line_of(key: bytes, output: bytes) -> None:
    """Assert that nothing of the key was shown, as PEM, base64 or base64 of base64."""
    for line in key.splitlines()[1:-1]:
        forms = [line, *windows(line), *(outer for inner in windows(line) for outer in windows(inner))]
        assert not search(output, {str(number): form for number, form in enumerate(forms) if len(form) > 20})


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("authority_", "message"),
    [
        ({"name": "corp"}, "Skupper 2.2.1 signs with RSA keys only"),
        ({"key_type": "rsa-2048"}, "is no authority of the store, and the run makes none of that name"),
    ],
)
def test_a_signer_that_cannot_sign_is_refused_before_it_is_made(
    network: KubeNetwork, authority_: dict[str, Any], message: str
) -> None:
    generated(network, signer="corp")
    network.variables["skupper_tls_authority"] = authority_
    before = network.snapshot()
    network.run(ROLLOUT).bad(message, "nothing was written anywhere")
    assert network.snapshot() == before
    assert not network.store.exists()


def test_another_service_under_the_intermediates(network: KubeNetwork, tmp_path: Path) -> None:
    """The CA of each site is made anew for more names, with its key; all that clients trust must become the new one."""
    generated(network, signer="corp", site_intermediates=True)
    network.variables["skupper_tls_authority"] = {"name": "corp"}
    network.run(ROLLOUT).good()
    orders = {**network.service, "address": "orders", "ports": [6001]}
    network.variables["skupper_tls_services"].append(orders)
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    done = network.run(ROLLOUT, "--diff").good()
    assert done.changes() == predicted.changes()
    assert diff_names(done) == diff_names(predicted)
    for site in SITES:
        bundle = network.secret(site, CLIENT)["ca.crt"]
        for address in ("payments", "orders"):
            secret = network.secret(site, f"skupper-tls-{address}")
            handshake(tmp_path / "tls", secret, bundle, address, strict=False)
    assert network.run(ROLLOUT).good().count("changed") == 0


def diff_names(run: Any) -> dict[Any, list[str]]:
    return {key: sorted(name for entry in shown for name in entry["after"]) for key, shown in run.diffs().items()}


def test_another_signer_issues_everything_anew(network: KubeNetwork, tmp_path: Path) -> None:
    network.run(ROLLOUT).good()
    generated(network, signer="corp")
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    network.run(ROLLOUT).good()
    root = network.secret("east", CLIENT)["ca.crt"]
    for site in SITES:
        handshake(tmp_path / "tls", network.secret(site, SERVER), root, strict=False)
    assert network.run(ROLLOUT).good().count("changed") == 0
    generated(network)
    network.run(ROLLOUT).good()
    own_authority(network, tmp_path)
    assert network.run(ROLLOUT).good().count("changed") == 0


# -- system sites, which make the certificates when they read the resources


def test_system_sites(tmp_path: Path) -> None:
    network = generated(SystemNetwork(tmp_path))
    network.hosts["edge"]["skupper_site_listener_host"] = "edge.example.net"
    before = tree(network.data_home)
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert tree(network.data_home) == before
    first = network.run(ROLLOUT, "--diff").good()
    assert (first.changes(), first.diffs()) == (predicted.changes(), predicted.diffs())
    client = f"Certificate-{CLIENT}"
    assert network.exposed("east") == [
        f"{client}-profile.yaml",
        f"{client}.yaml",
        f"Certificate-{SERVER}.yaml",
        "Connector-payments-5001.yaml",
        "Connector-payments-5002.yaml",
    ]
    assert network.exposed("edge") == [
        f"{client}.yaml",
        f"Certificate-{SERVER}.yaml",
        "Listener-payments-5001.yaml",
        "Listener-payments-5002.yaml",
    ]
    resource = yaml.safe_load((network.site("edge") / f"input/resources/Certificate-{SERVER}.yaml").read_text())
    assert resource["spec"] == {
        "ca": CA,
        "subject": "payments",
        "server": True,
        "hosts": ["payments", "edge.example.net"],
    }
    for site in SITES:
        assert not (network.site(site) / "input" / "certs").exists()
        assert not (network.site(site) / "input" / "issuers").exists()
    assert network.run(ROLLOUT).good().count("changed") == 0

    generate(network)
    verified = network.run("multisite.skupper_tls.verify").good()
    assert "TLS403" not in verified.output
    own_authority(network, tmp_path)
    network.play([{"multisite.skupper_tls.service": {"state": "absent"}}]).good()
    assert not any(network.exposed(site) for site in SITES)


def generate(network: SystemNetwork) -> None:
    """What `skupper system reload` makes of the resources, played."""
    for site in network.hosts:
        signer = authority(f"{site} service CA")
        issuer = network.site(site) / "input" / "issuers" / CA
        if issuer.is_dir():
            signer = {file.name: file.read_bytes() for file in issuer.iterdir()}
        for name in (CLIENT, SERVER):
            folder = network.site(site) / "runtime" / "certs" / name
            folder.mkdir(parents=True, exist_ok=True)
            for key, data in leaf(name, ["payments"], signer).items():
                (folder / key).write_bytes(data)


def runtime_secret(network: SystemNetwork, site: str, name: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (network.site(site) / "runtime" / "certs" / name).iterdir()}


@pytest.mark.parametrize("intermediates", [False, True])
def test_system_sites_with_a_signer(tmp_path: Path, intermediates: bool) -> None:
    network = generated(SystemNetwork(tmp_path), signer="corp", site_intermediates=intermediates)
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    for site in SITES:
        issuer = network.site(site) / "input" / "issuers" / CA
        assert sorted(file.name for file in issuer.iterdir()) == sorted(KEYS)
        assert all(file.stat().st_mode & 0o777 == 0o600 for file in issuer.iterdir())
        assert (issuer / "tls.key").read_bytes().startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert network.run(ROLLOUT).good().count("changed") == 0
    generate(network)
    network.run("multisite.skupper_tls.verify").good()
    root = (network.site("east") / "input" / "issuers" / CA / "ca.crt").read_bytes()
    for site in SITES:
        secret = runtime_secret(network, site, SERVER)
        secret["tls.crt"] += secret["ca.crt"]
        handshake(tmp_path / "tls", secret, root, strict=False)


def test_an_issuer_of_the_users_is_left_alone(tmp_path: Path) -> None:
    network = generated(SystemNetwork(tmp_path))
    issuer = network.site("west") / "input" / "issuers" / CA
    issuer.mkdir(parents=True)
    for key, data in authority("my own").items():
        (issuer / key).write_bytes(data)
    before = tree(issuer)
    network.run(ROLLOUT).good()
    assert tree(issuer) == before
    generated(network, signer="corp")
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    network.run(ROLLOUT).bad(f"Issuer {CA} is there already, and this collection did not write it")
    assert tree(issuer) == before


def test_a_users_own_files_are_refused(tmp_path: Path) -> None:
    network = generated(SystemNetwork(tmp_path))
    folder = network.site("west") / "input" / "certs" / SERVER
    folder.mkdir(parents=True)
    (folder / "tls.crt").write_text("mine")
    before = tree(network.data_home)
    network.run(ROLLOUT).bad(f"a secret {SERVER} is there already, and Skupper did not generate it")
    assert tree(network.data_home) == before


def test_intermediate_cas_go_with_the_last_service_that_needs_them(tmp_path: Path) -> None:
    network = generated(SystemNetwork(tmp_path), signer="corp", site_intermediates=True)
    network.variables["skupper_tls_authority"] = {"name": "corp"}
    custom = {"address": "stock", "ports": [6001], "providers": ["west"], "tls": {"authority": "corp"}}
    network.variables["skupper_tls_services"].append(custom)
    network.run(ROLLOUT).good()
    assert len(store_records(network, "signer")) == len(SITES)
    extra = {"skupper_tls_remove": "payments", "skupper_tls_remove_store": True}
    predicted = network.run("multisite.skupper_tls.remove", "--check", extra=extra).good()
    assert len(store_records(network, "signer")) == len(SITES)
    removed = network.run("multisite.skupper_tls.remove", extra=extra).good()
    assert removed.changes() == predicted.changes()
    assert store_records(network, "signer") == {}
    assert list(store_records(network, "authority")) == ["corp"]
    assert not any((network.site(site) / "input" / "issuers" / CA).exists() for site in SITES)
    assert network.run("multisite.skupper_tls.remove", extra=extra).good().count("changed") == 0


def test_a_dropped_signer_leaves_the_sites(tmp_path: Path) -> None:
    network = generated(SystemNetwork(tmp_path), signer="corp")
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    network.run(ROLLOUT).good()
    generated(network)
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    done = network.run(ROLLOUT, "--diff").good()
    assert (done.changes(), done.diffs()) == (predicted.changes(), predicted.diffs())
    assert not any((network.site(site) / "input" / "issuers" / CA).exists() for site in SITES)
    assert network.run(ROLLOUT).good().count("changed") == 0
