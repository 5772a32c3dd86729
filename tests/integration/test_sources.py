# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source of certificates in a whole rollout: PKCS#12, Secrets, and CAs outside that sign our requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    Network,
    SystemNetwork,
    handshake,
    openssl_verify,
    same_everywhere,
    store_records,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Run
from ansible_collections.multisite.skupper_tls.tests.integration.test_secrecy import (
    PASSPHRASE,
    Loud,
    pem_of_key,
    phrase,
    search_files,
)
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory
from tests.cluster.clusters import Cluster, unique

Take = Callable[[int], list[Cluster]]
NAMES = ["payments", "payments.east", "payments.east.svc"]
ROOT = factory.root("Shop root", not_after=factory.NOW + 90 * factory.DAY)
MIDDLE = factory.make("Shop issuing CA", ROOT, ca=True, path_length=0)
LEAF = factory.make("payments", MIDDLE, names=NAMES)
OTHER = factory.make("ledger", ROOT, names=["ledger"])
PHRASE = "a-passphrase-of-a-file-71b0"
FILES = {CA: ["ca.crt"], SERVER: ["ca.crt", "tls.crt"]}


@pytest.fixture
def network(tmp_path: Path) -> SystemNetwork:
    return SystemNetwork(tmp_path / "run")


def ask_for(network: Network, **certificate: Any) -> None:
    network.service["tls"]["certificate"] = certificate


def authority(network: Network, **options: Any) -> None:
    network.variables["skupper_tls_authority"] = options


def everything(network: SystemNetwork) -> dict[str, tuple[int, str]]:
    """Return all that a run may write."""
    files = [file for file in network.folder.glob("*.csr") if file.exists()]
    return {**tree(network.data_home, network.store), **{str(file): (0, file.read_text()) for file in files}}


def predicted_then_done(network: SystemNetwork) -> Run:
    """Run in check mode, which writes nothing and predicts; then for real; then once more, which changes nothing."""
    before = everything(network)
    predicted = network.run("multisite.skupper_tls.rollout", "--check", "--diff").good()
    assert everything(network) == before
    done = network.run("multisite.skupper_tls.rollout", "--diff").good()
    assert done.diffs() == predicted.diffs()
    assert done.changes() == predicted.changes()
    after = everything(network)
    assert network.run().good().count("changed") == 0
    assert everything(network) == after
    return done


def landed(network: Network, tmp_path: Path, root: Any = ROOT) -> list[x509.Certificate]:
    """Return the chain that every site serves, after openssl and a client have verified it strictly."""
    held = same_everywhere(network)
    assert held[CA]["ca.crt"] == factory.pem_of(root.certificate)
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"])
    handshake(tmp_path / "handshake", held[SERVER], held[CA]["ca.crt"])
    return x509.load_pem_x509_certificates(held[SERVER]["tls.crt"])


def bundle(party: Any, *others: Any, name: bytes = b"payments", passphrase: str = PHRASE) -> bytes:
    """Return a PKCS#12 file."""
    above = [other.certificate for other in others]
    protection = serialization.BestAvailableEncryption(passphrase.encode())
    return pkcs12.serialize_key_and_certificates(name, party.key, party.certificate, above, protection)


def signed(request: Path, issuer: Any, **options: Any) -> x509.Certificate:
    """Return what a CA makes of a signing request: the names that it asks for, for the key that it has."""
    asked = x509.load_pem_x509_csr(request.read_bytes())
    assert asked.is_signature_valid
    if asked.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        options = {"ca": True, "path_length": 0, **options}
    else:
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        options = {"names": names.get_values_for_type(x509.DNSName), **options}
    common = asked.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    made: x509.Certificate = factory.make(str(common), issuer, key=Public(asked.public_key()), **options).certificate
    return made


class Public:
    """A key of which only the public half is known, as a CA knows it."""

    def __init__(self, public: Any) -> None:
        self._public = public

    def public_key(self) -> Any:
        return self._public


# -- PKCS#12


def test_pkcs12(network: SystemNetwork, tmp_path: Path) -> None:
    """The CA without key from a trust store, the certificate from a file that holds another certificate too."""
    trust = tmp_path / "trust.p12"
    trust.write_bytes(
        pkcs12.serialize_java_truststore(
            [pkcs12.PKCS12Certificate(ROOT.certificate, b"shop root")],
            serialization.BestAvailableEncryption(PHRASE.encode()),
        )
    )
    file = tmp_path / "payments.p12"
    file.write_bytes(bundle(LEAF, OTHER, MIDDLE, ROOT))
    authority(network, source={"pkcs12_path": trust, "pkcs12_passphrase": PHRASE})
    ask_for(network, source={"pkcs12_path": file, "pkcs12_passphrase": PHRASE})
    network.run().bad("TLS701", "certificate server-cert-secret source.pkcs12_path", "several entries", "friendly_name")
    ask_for(network, source={"pkcs12_path": file, "pkcs12_passphrase": PHRASE, "friendly_name": "payments"})
    predicted_then_done(network)
    assert landed(network, tmp_path) == [LEAF.certificate, MIDDLE.certificate]

    file.write_bytes(bundle(factory.make("payments", ROOT, names=NAMES), ROOT))
    assert network.run().good().count("changed")
    file.write_bytes(b"none of PKCS#12")
    before = everything(network)
    network.run().bad("TLS701", "the file is not PKCS#12", "nothing was written anywhere")
    assert everything(network) == before


def test_pkcs12_with_the_key_of_the_ca(network: SystemNetwork, tmp_path: Path) -> None:
    file = tmp_path / "ca.p12"
    file.write_bytes(bundle(MIDDLE, ROOT))
    authority(network, source={"pkcs12_path": file, "pkcs12_passphrase": PHRASE})
    predicted_then_done(network)
    leaf, *above = landed(network, tmp_path)
    assert above == [MIDDLE.certificate]
    assert leaf.issuer == MIDDLE.certificate.subject


# -- a Secret


def make_secret(cluster: Cluster, namespace: str, name: str, data: dict[str, bytes], kind: str = "Opaque") -> None:
    text = {key: value.decode() for key, value in data.items()}
    body = {"metadata": {"name": name}, "stringData": text, "type": kind}
    cluster.core.create_namespaced_secret(namespace, body)


def tls_data(party: Any, *above: Any, ca: bytes = b"") -> dict[str, bytes]:
    chain = factory.pem_of(party.certificate, *(one.certificate for one in above))
    return {"tls.crt": chain, "tls.key": pem_of_key(party.key).encode(), "ca.crt": ca}


def test_secrets_of_cert_manager(network: SystemNetwork, clusters: Take, tmp_path: Path) -> None:
    """The CA from the Secret of its CA issuer, the certificate from a Certificate's Secret, which is then renewed."""
    (hub,) = clusters(1)
    space = hub.create_namespace(unique("issuing"))
    make_secret(hub, space, "shop-ca", tls_data(MIDDLE, ca=factory.pem_of(ROOT.certificate)), "kubernetes.io/tls")
    leaf = tls_data(LEAF, MIDDLE, ca=factory.pem_of(ROOT.certificate))
    make_secret(hub, space, "payments-tls", leaf, "kubernetes.io/tls")
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    where = {"namespace": space, "kubeconfig": hub.make_user(space, "reader", [rule]), "context": hub.name}
    authority(network, source={"secret": {"name": "shop-ca", **where}})
    ask_for(network, source={"secret": {"name": "payments-tls", **where}})
    predicted_then_done(network)
    assert landed(network, tmp_path) == [LEAF.certificate, MIDDLE.certificate]
    assert store_records(network, "authority")["default"]["revisions"][0]["key"]

    renewed = factory.make("payments", MIDDLE, names=NAMES)
    text = {key: value.decode() for key, value in tls_data(renewed, MIDDLE).items()}
    hub.core.patch_namespaced_secret("payments-tls", space, {"stringData": text})
    predicted_then_done(network)
    assert landed(network, tmp_path) == [renewed.certificate, MIDDLE.certificate]
    assert store_records(network, "certificate")[SERVER]["revision"] == 2


def test_the_root_of_a_servers_secret(network: SystemNetwork, clusters: Take, tmp_path: Path) -> None:
    """One Secret for both: its CA is trusted, and its key is the server's alone."""
    (hub,) = clusters(1)
    space = hub.create_namespace(unique("issuing"))
    make_secret(hub, space, "payments-tls", tls_data(LEAF, MIDDLE, ca=factory.pem_of(ROOT.certificate)))
    secret = {
        "name": "payments-tls",
        "namespace": space,
        "kubeconfig": hub.make_user(space, "reader", [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]),
    }
    authority(network, source={"secret": secret})
    ask_for(network, source={"secret": secret})
    predicted_then_done(network)
    assert landed(network, tmp_path) == [LEAF.certificate, MIDDLE.certificate]
    assert not store_records(network, "authority")["default"]["revisions"][0]["key"]


def test_a_secret_that_cannot_be_taken(network: SystemNetwork, clusters: Take, tmp_path: Path) -> None:
    """Every reason is told in the table of preflight, all certificates at once, and nothing is written."""
    (hub,) = clusters(1)
    space = hub.create_namespace(unique("issuing"))
    foreign = factory.root("foreign root")
    make_secret(hub, space, "no-key", {"tls.crt": factory.pem_of(LEAF.certificate), "ca.crt": b""})
    make_secret(hub, space, "empty", {"ca.crt": b""})
    make_secret(
        hub, space, "foreign",
        tls_data(factory.make("payments", foreign, names=NAMES), ca=factory.pem_of(foreign.certificate)),
    )  # fmt: skip
    good = {"namespace": space, "kubeconfig": hub.kubeconfig, "context": hub.name}
    stranger = hub.make_user(space, "stranger", [])
    away = json.loads(json.dumps(Away.kubeconfig))
    cases = {
        "no-key": ({"name": "no-key", **good}, ["no private key is given", "has tls.crt"]),
        "empty": ({"name": "empty", **good}, ["the Secret has nothing under tls.crt", "has no data"]),
        "missing": ({"name": "missing", **good}, ["the Secret is not there", f"Secret missing in namespace {space}"]),
        "stranger": (
            {"name": "no-key", **good, "kubeconfig": stranger},
            [f"not permitted: verb get on secrets/no-key in namespace {space}"],
        ),
        "away": ({"name": "x", "namespace": "y", "kubeconfig": away, "request_timeout": 2}, ["cannot be reached"]),
        "context": ({"name": "x", **good, "context": "nowhere"}, ["source.secret.context", "no usable context"]),
        "foreign": ({"name": "foreign", **good}, ["foreign root", "skupper_tls_authority.source"]),
    }  # fmt: skip
    file = tmp_path / "root.pem"
    file.write_bytes(factory.pem_of(ROOT.certificate))
    authority(network, source={"certificate_path": file})
    service = network.service
    network.variables["skupper_tls_services"] = [
        {
            **service,
            "address": name,
            "ports": [6000 + number],
            "tls": {"server_secret": name, "ca_secret": "ca", "certificate": {"source": {"secret": secret}}},
        }
        for number, (name, (secret, _texts)) in enumerate(cases.items())
    ]
    before = everything(network)
    texts = [text for _secret, found in cases.values() for text in found]
    run = network.run().bad("TLS701", "nothing was written anywhere", *texts)
    flat = " ".join(run.output.split())
    assert all(f"certificate {name} source" in flat for name in cases)
    assert everything(network) == before


class Away:
    """A cluster that nobody answers for."""

    kubeconfig = {
        "current-context": "away",
        "contexts": [{"name": "away", "context": {"cluster": "away", "user": "away"}}],
        "clusters": [{"name": "away", "cluster": {"server": "https://127.0.0.1:9"}}],
        "users": [{"name": "away", "user": {"token": "none"}}],
    }


# -- a CA outside signs


def test_a_ca_outside_signs_the_certificate(network: SystemNetwork, tmp_path: Path) -> None:
    """Request, stop, answer, go on; then a renewal, during which the sites are served as before."""
    root, request, answer = tmp_path / "root.pem", network.folder / "payments.csr", network.folder / "payments.pem"
    root.write_bytes(factory.pem_of(ROOT.certificate))
    authority(network, source={"certificate_path": root})
    ask_for(network, request_path=request.name, source={"certificate_path": answer.name})  # beside the inventory
    before = everything(network)
    network.run("multisite.skupper_tls.rollout", "--check").bad(str(request), str(answer), "Nothing was written")
    assert everything(network) == before
    stopped = network.run().bad(str(request), str(answer), "run again", "Nothing was written to any site")
    assert not network.secret("east", SERVER)
    assert request.stat().st_mode & 0o777 == 0o644
    waiting = everything(network)
    again = network.run().bad("run again")
    assert again.count("changed") == 0 < stopped.count("changed")
    assert everything(network) == waiting

    stranger = factory.make("payments", MIDDLE, names=NAMES)
    answer.write_bytes(factory.pem_of(stranger.certificate, MIDDLE.certificate))
    network.run().bad("TLS701", "does not belong to any request", "certificate server-cert-secret source")
    assert everything(network) == waiting

    first = signed(request, MIDDLE)
    answer.write_bytes(factory.pem_of(first, MIDDLE.certificate))
    predicted_then_done(network)
    assert landed(network, tmp_path) == [first, MIDDLE.certificate]
    assert store_records(network, "certificate-request") == {}
    answer.unlink()
    assert network.run().good().count("changed") == 0

    network.service["tls"]["certificate"]["renew_before"] = "99%"
    run = predicted_then_done(network)
    assert "the renewal of certificate server-cert-secret waits for its CA" in " ".join(run.output.split())
    assert {task for task, _host in run.changes()} == {
        "multisite.skupper_tls.issue : Issue, renew or import the certificates"
    }
    assert landed(network, tmp_path)[0] == first
    second = signed(request, MIDDLE, not_before=factory.NOW)
    assert second.public_key() != first.public_key()
    answer.write_bytes(factory.pem_of(second, MIDDLE.certificate))
    network.service["tls"]["certificate"]["renew_before"] = "1%"
    predicted_then_done(network)
    assert landed(network, tmp_path)[0] == second


def test_other_names_while_the_request_is_away(network: SystemNetwork, tmp_path: Path) -> None:
    """Another request is made beside the first one; whichever is answered has its key."""
    root, request, answer = tmp_path / "root.pem", network.folder / "payments.csr", network.folder / "payments.pem"
    root.write_bytes(factory.pem_of(ROOT.certificate))
    authority(network, source={"certificate_path": root})
    ask_for(network, request_path=request, source={"certificate_path": answer})
    network.run().bad("run again")
    old = signed(request, ROOT)
    network.service["tls"]["certificate"]["alternative_names"] = ["payments.example.com"]
    network.run().bad("run again")
    assert len(store_records(network, "certificate-request")[SERVER]["pending"]) == 2
    answer.write_bytes(factory.pem_of(old))
    network.run().bad("does not cover payments.example.com", str(request))
    del network.service["tls"]["certificate"]["alternative_names"]
    predicted_then_done(network)
    assert landed(network, tmp_path) == [old]
    assert len(store_records(network, "certificate-request")[SERVER]["pending"]) == 1


def test_an_intermediate_under_an_offline_root(network: SystemNetwork, tmp_path: Path) -> None:
    request, answer = network.folder / "ca.csr", network.folder / "ca.pem"
    network.variables["skupper_tls_store"]["passphrase"] = "words of the store"
    authority(
        network, subject="CN=Shop issuing CA,O=Example", request_path=request, source={"certificate_path": answer}
    )
    before = everything(network)
    network.run("multisite.skupper_tls.rollout", "--check").bad(str(request), str(answer), "run again")
    assert everything(network) == before
    network.run().bad(str(request), str(answer), "run again")
    assert "ENCRYPTED" in json.dumps(store_records(network, "authority-request"))
    assert network.run().bad("run again").count("changed") == 0
    made = signed(request, ROOT, not_after=factory.NOW + 60 * factory.DAY)
    answer.write_bytes(factory.pem_of(made))
    network.run().bad("TLS701", "the root of the CA is missing", "authority default source")
    answer.write_bytes(factory.pem_of(ROOT.certificate, made))
    predicted_then_done(network)
    leaf, *above = landed(network, tmp_path)
    assert above == [made]
    assert leaf.issuer == made.subject
    assert store_records(network, "authority-request") == {}


def test_requests_in_a_kubernetes_store(network: SystemNetwork, clusters: Take, tmp_path: Path) -> None:
    """By the role in a play of the user's own, which has its arguments checked: the CA first, then a certificate."""
    (hub,) = clusters(1)
    space = hub.create_namespace(unique("store"))
    network.variables["skupper_tls_store"] = {"type": "kubernetes", "namespace": space, "kubeconfig": hub.kubeconfig}
    authority(network, request_path="ca.csr", source={"certificate_path": "ca.pem"})  # beside the playbook
    ask_for(network, request_path="payments.csr", source={"certificate_path": "payments.pem"})
    play = {"roles": ["multisite.skupper_tls.issue"]}

    def held() -> list[str]:
        return sorted(secret.metadata.name for secret in hub.core.list_namespaced_secret(space).items)

    def issue() -> Run:
        return network.play([], play=play)

    issue().bad("ca.csr", "run again")
    assert issue().bad("run again").count("changed") == 0
    assert held() == ["multisite-skupper-tls.authority-request.default"]
    made = signed(network.folder / "ca.csr", ROOT)
    (network.folder / "ca.pem").write_bytes(factory.pem_of(made, ROOT.certificate))
    issue().bad("payments.csr", "run again")
    waiting = ["multisite-skupper-tls.authority.default", f"multisite-skupper-tls.certificate-request.{SERVER}"]
    assert held() == waiting
    leaf = signed(network.folder / "payments.csr", ROOT)
    (network.folder / "payments.pem").write_bytes(factory.pem_of(leaf))
    assert issue().good().count("changed") == 1
    assert held() == [waiting[0], f"multisite-skupper-tls.certificate.{SERVER}"]
    assert issue().good().count("changed") == 0


# -- no word of it


def test_no_byte_is_told(network: SystemNetwork, clusters: Take, tmp_path: Path) -> None:
    """PKCS#12 by content and by a Secret, and a request that is answered, as loudly as can be."""
    (hub,) = clusters(1)
    given = tmp_path / "given"
    given.mkdir()
    space = hub.create_namespace(unique("issuing"))
    ca = factory.root("the root", key=factory.key(number=21))
    leaf = factory.make("payments", ca, names=NAMES, key=factory.key(number=22))
    ledger = factory.make("ledger", ca, names=["ledger", "ledger.east", "ledger.east.svc"], key=factory.key(number=23))
    make_secret(hub, space, "ledger", tls_data(ledger))
    extra = {
        "ca_file": base64.b64encode(bundle(ca)).decode(),
        "leaf_file": base64.b64encode(bundle(leaf)).decode(),
        "file_phrase": PHRASE,
        "store_passphrase": PASSPHRASE,
    }
    (given / "extra.json").write_text(json.dumps(extra))
    network.variables["skupper_tls_store"]["passphrase"] = "{{ store_passphrase }}"
    opened = {"pkcs12_passphrase": "{{ file_phrase }}"}
    authority(network, source={"pkcs12_content": "{{ ca_file }}", **opened})
    ask_for(network, source={"pkcs12_content": "{{ leaf_file }}", **opened})
    request, answer = given / "orders.csr", given / "orders.pem"
    secret = {"name": "ledger", "namespace": space, "kubeconfig": hub.kubeconfig, "context": hub.name}
    for number, (address, certificate) in enumerate({
        "ledger": {"source": {"secret": secret}},
        "orders": {"request_path": request, "source": {"certificate_path": answer}},
    }.items()):  # fmt: skip
        network.variables["skupper_tls_services"].append({
            **network.service, "address": address, "ports": [7000 + number],
            "tls": {"server_secret": address, "ca_secret": f"{address}-ca", "certificate": certificate},
        })  # fmt: skip
    loud = Loud(network, given / "extra.json", {"the CA's": ca.key, "payments'": leaf.key, "ledger's": ledger.key})
    loud.run().bad(str(request))
    (pending,) = store_records(network, "certificate-request")["orders"]["pending"]
    key = serialization.load_pem_private_key(pending["key"].encode(), extra["store_passphrase"].encode())
    loud.keys["the pending"] = key
    assert loud.found() == []
    answer.write_bytes(factory.pem_of(signed(request, ca)))
    loud.run().good()
    assert loud.run().good().count("changed") == 0
    opened["pkcs12_passphrase"] = "{{ file_phrase }}x"
    ask_for(network, source={"pkcs12_content": "{{ leaf_file }}", **opened})
    loud.run().bad("the passphrase does not open the PKCS#12 file")
    assert loud.found() == []
    assert search_files(network.folder, phrase(PHRASE), set()) == []
