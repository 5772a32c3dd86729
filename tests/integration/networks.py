# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks to roll out to, system sites and namespaces of real API servers, and what stands in them."""

from __future__ import annotations

import base64
import contextlib
import copy
import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from kubernetes.client.exceptions import ApiException

from ansible_collections.multisite.skupper_tls.tests.integration.playbook import Ansible, Run
from tests.cluster.clusters import Cluster, unique, write_kubeconfig

SITES = ("east", "west", "edge")
SERVER, CA = "server-cert-secret", "ca-cert-secret"
KEYS = ("tls.crt", "tls.key", "ca.crt")
LABELS = {"app.kubernetes.io/managed-by": "multisite.skupper_tls", "multisite.skupper-tls/network": "shop"}
GROUP, VERSION = "skupper.io", "v2alpha1"
KINDS = ("Listener", "Connector", "Certificate")

PAYMENTS: dict[str, Any] = {
    "address": "payments",
    "protocol": "http2",
    "ports": [5001, 5002],
    "workload": {"kind": "deployment", "name": "payments"},
    "providers": ["east"],
    "tls": {"mode": "custom", "server_secret": SERVER, "ca_secret": CA},
}


class Network:
    """An inventory of sites, and ansible-playbook to run on it."""

    def __init__(self, folder: Path, variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> None:
        self.store = folder / "store"
        self.variables: dict[str, Any] = {
            "skupper_tls_network": "shop",
            "skupper_tls_store": {"type": "directory", "path": self.store},
            "skupper_tls_services": [copy.deepcopy(PAYMENTS)],
            **variables,
        }
        self.hosts: dict[str, dict[str, Any]] = {name: dict(host) for name, host in hosts.items()}
        self.children: dict[str, Any] = {}
        self.ansible = Ansible(folder)
        self.folder = folder

    @property
    def service(self) -> dict[str, Any]:
        """The first service, to change before a run."""
        first: dict[str, Any] = self.variables["skupper_tls_services"][0]
        return first

    @property
    def inventory(self) -> dict[str, Any]:
        """The inventory as it is now."""
        return {"skupper_sites": {"vars": self.variables, "hosts": self.hosts, "children": self.children}}

    def run(self, playbook: str = "multisite.skupper_tls.rollout", *arguments: str, **options: Any) -> Run:
        """Write the inventory and run a playbook."""
        self.ansible.write_inventory(self.inventory)
        return self.ansible.run(playbook, *arguments, **options)

    def play(self, tasks: Sequence[Mapping[str, Any]], *arguments: str, play: Any = None, **options: Any) -> Run:
        """Write the inventory and run a play of these tasks on the sites."""
        self.ansible.write_inventory(self.inventory)
        head = {"name": "Play", "hosts": "skupper_sites", "gather_facts": False, **(play or {})}
        return self.ansible.play([{**head, "tasks": list(tasks)}], *arguments, **options)


# -- system sites


class SystemNetwork(Network):
    """System sites, which are folders."""

    def __init__(self, folder: Path, sites: Sequence[str] = SITES, data_home: Path | None = None) -> None:
        self.data_home = data_home or folder / "skupper"
        variables = {
            "skupper_site_platform": "linux",
            "skupper_site_data_home": self.data_home,
            "ansible_connection": "local",
        }
        super().__init__(folder, variables, {name: {"skupper_site_namespace": name} for name in sites})
        for name in sites:
            resources = self.site(name) / "input" / "resources"
            resources.mkdir(parents=True)
            document = f"apiVersion: {GROUP}/{VERSION}\nkind: Site\nmetadata:\n  name: {name}\n"
            (resources / f"Site-{name}.yaml").write_text(document, encoding="utf-8")

    def site(self, name: str) -> Path:
        """Return the folder of a site's namespace."""
        return self.data_home / "namespaces" / name

    def secret(self, site: str, name: str) -> dict[str, bytes]:
        """Return the files of a secret."""
        folder = self.site(site) / "input" / "certs" / name
        return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else {}

    def exposed(self, site: str) -> list[str]:
        """Return the names of the resources but the site's own."""
        files = (self.site(site) / "input" / "resources").iterdir()
        return sorted(file.name for file in files if not file.name.startswith("Site-"))


# -- Kubernetes


class KubeNetwork(Network):
    """Three namespaces of the same name, one on each cluster."""

    def __init__(
        self,
        folder: Path,
        clusters: Sequence[Cluster],
        version: str = "v2",
        store: str = "directory",
        passphrase: str = "",
    ) -> None:
        self.version = version
        self.namespace = unique("shop")
        self.clusters = dict(zip(SITES, clusters))
        folder.mkdir(parents=True, exist_ok=True)
        kubeconfig = write_kubeconfig(folder / "kubeconfig", self.clusters)
        variables: dict[str, Any] = {"skupper_site_kubeconfig": kubeconfig, "skupper_site_namespace": self.namespace}
        super().__init__(folder, variables, {name: {"skupper_site_context": name} for name in self.clusters})
        for cluster in self.clusters.values():
            make = cluster.make_v2_site if version == "v2" else cluster.make_v1_site
            make(self.namespace, controller=False)
        self.clusters["east"].make_workload(self.namespace, "payments", {"app": "payments"})
        self.store_namespace = ""
        if store == "kubernetes":
            self.store_namespace = unique("authority")
            self.clusters["edge"].create_namespace(self.store_namespace)
            self.variables["skupper_tls_store"] = {
                "type": "kubernetes",
                "namespace": self.store_namespace,
                "kubeconfig": kubeconfig,
                "context": "edge",
            }
        if passphrase:
            self.variables["skupper_tls_store"]["passphrase"] = passphrase

    def use(self, site: str, kubeconfig: Path) -> None:
        """Reach a site by another kubeconfig, one of make_user."""
        self.hosts[site] = {"skupper_site_kubeconfig": kubeconfig}

    def read(self, site: str, name: str) -> Any:
        """Return a Secret object."""
        return self.clusters[site].core.read_namespaced_secret(name, self.namespace)

    def secret(self, site: str, name: str) -> dict[str, bytes]:
        """Return the data of a secret."""
        found = [item for item in self.secrets(site) if item.metadata.name == name]
        return {key: base64.b64decode(value) for key, value in (found[0].data or {}).items()} if found else {}

    def secrets(self, site: str) -> list[Any]:
        """Return all Secret objects of a site."""
        items: list[Any] = self.clusters[site].core.list_namespaced_secret(self.namespace).items
        return items

    def objects(self, site: str, kind: str) -> dict[str, Any]:
        """Return Skupper's objects of one kind by name."""
        return {item["metadata"]["name"]: item for item in self.clusters[site].list_skupper(self.namespace, kind)}

    def config_map(self, site: str, name: str) -> Any:
        """Return a ConfigMap."""
        return self.clusters[site].core.read_namespaced_config_map(name, self.namespace)

    def entry(self, site: str, address: str = "payments") -> dict[str, Any] | None:
        """Return a v1 entry."""
        text = (self.config_map(site, "skupper-services").data or {}).get(address)
        return json.loads(text) if text is not None else None

    def patch_config_map(self, site: str, name: str, data: Mapping[str, Any]) -> None:
        """Change keys of a ConfigMap, as another user or Skupper would."""
        self.clusters[site].core.patch_namespaced_config_map(name, self.namespace, {"data": dict(data)})

    def profile(self, site: str, name: str = CA) -> dict[str, Any] | None:
        """Return a router profile of v1."""
        config = json.loads(self.config_map(site, "skupper-internal").data["skrouterd.json"])
        found = [attributes for kind, attributes in config if kind == "sslProfile" and attributes["name"] == name]
        assert len(found) < 2
        return found[0] if found else None

    def exposed(self, site: str) -> list[str]:
        """Return the names of what exposes services on a site."""
        if self.version == "v1":
            return sorted(self.config_map(site, "skupper-services").data or {})
        return [f"{kind}/{name}" for kind in KINDS for name in sorted(self.objects(site, kind))]

    def snapshot(self) -> dict[str, str]:
        """Return everything that a run may write, on every site and in a kubernetes store, with its version."""
        found = {}
        for site, cluster in self.clusters.items():
            spaces = [self.namespace, *([self.store_namespace] if self.store_namespace and site == "edge" else [])]
            for space in spaces:
                found.update({f"{site}/{key}": value for key, value in snapshot_namespace(cluster, space).items()})
        return found


def snapshot_namespace(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Return by kind and name the resourceVersion of what a run may write."""
    objects = {
        f"{kind}/{item.metadata.name}": item
        for kind, list_all in (
            ("Secret", cluster.core.list_namespaced_secret),
            ("ConfigMap", cluster.core.list_namespaced_config_map),
        )
        for item in list_all(namespace).items
    }
    found = {f"{namespace}/{name}": item.metadata.resource_version for name, item in objects.items()}
    for kind in (*KINDS, "Site"):
        for item in cluster.list_skupper(namespace, kind):
            metadata = item["metadata"]
            found[f"{namespace}/{kind}/{metadata['name']}"] = metadata["resourceVersion"]
    return found


@contextlib.contextmanager
def refusing(network: KubeNetwork, site: str, group: str, *resources: str) -> Iterator[None]:
    """Let a site's API server refuse every write of these resources, though the user is permitted to."""
    admission = network.clusters[site]._client("AdmissionregistrationV1Api")
    name = f"refuse-{network.namespace}-{resources[0]}"
    rule = {"apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": resources}
    match = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": network.namespace}}}
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {**match, "resourceRules": [rule]},
        "validations": [{"expression": "false", "message": "refused by a policy of the test"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    admission.create_validating_admission_policy({"metadata": {"name": name}, "spec": spec})
    admission.create_validating_admission_policy_binding({"metadata": {"name": name}, "spec": binding})
    try:
        _wait_for_policy(network, site, group, resources[0], refused=True)
        yield
    finally:
        admission.delete_validating_admission_policy_binding(name)
        admission.delete_validating_admission_policy(name)
    _wait_for_policy(network, site, group, resources[0], refused=False)


def _wait_for_policy(network: KubeNetwork, site: str, group: str, resource: str, refused: bool) -> None:
    """Wait until the API server has read its policies, which takes it a moment."""
    cluster, deadline = network.clusters[site], time.monotonic() + 30
    metadata = {"name": "probe"}
    listener = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Listener", "metadata": metadata,
                "spec": {"host": "probe", "port": 1, "routingKey": "probe"}}  # fmt: skip
    while time.monotonic() < deadline:
        try:
            if group:
                cluster.custom.create_namespaced_custom_object(
                    GROUP, VERSION, network.namespace, resource, listener, dry_run="All"
                )
            else:
                cluster.core.create_namespaced_secret(network.namespace, {"metadata": metadata}, dry_run="All")
            seen = False
        except ApiException as error:
            seen = "refused by a policy" in error.body
        if seen == refused:
            return
        time.sleep(0.1)
    raise AssertionError("the policy is not in force" if refused else "the policy is still in force")


# -- files and certificates


def tree(*folders: Path) -> dict[str, tuple[int, str]]:
    """Return by path the mode and the hash of every file, and the mode of every folder."""
    found = {}
    for folder in folders:
        for path in sorted([folder, *folder.rglob("*")] if folder.exists() else []):
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path)] = (path.stat().st_mode & 0o7777, content)
    return found


def same_everywhere(network: Any, *names: str) -> dict[str, dict[str, bytes]]:
    """Return the secrets, after asserting that every site holds the same ones, whole."""
    held = {}
    for name in names or (SERVER, CA):
        values = {site: network.secret(site, name) for site in network.hosts}
        first = next(iter(values.values()))
        assert all(value == first for value in values.values()), {site: sorted(value) for site, value in values.items()}
        assert sorted(first) == sorted(KEYS), (name, sorted(first))
        held[name] = first
    return held


def openssl_verify(folder: Path, server: Mapping[str, bytes], bundle: bytes, host: str = "payments") -> None:
    """Assert that openssl, strictly, accepts the certificate for the host name, and that the key belongs to it."""
    folder.mkdir(parents=True, exist_ok=True)
    chain = x509.load_pem_x509_certificates(server["tls.crt"])
    (folder / "chain").write_bytes(server["tls.crt"])
    (folder / "ca").write_bytes(bundle)
    (folder / "key").write_bytes(server["tls.key"])
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host]
    command += ["-CAfile", str(folder / "ca"), "-untrusted", str(folder / "chain"), str(folder / "chain")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    public = (
        ["openssl", "pkey", "-in", str(folder / "key"), "-pubout"],
        ["openssl", "x509", "-in", str(folder / "chain"), "-noout", "-pubkey"],
    )
    of_key, of_certificate = (
        subprocess.run(each, capture_output=True, check=True, timeout=30).stdout for each in public
    )
    assert of_key == of_certificate, "the key is not the certificate's"
    assert chain[0].not_valid_after_utc <= x509.load_pem_x509_certificates(bundle)[0].not_valid_after_utc


def handshake(
    folder: Path, server: Mapping[str, bytes], bundle: bytes, host: str = "payments", strict: bool = True
) -> None:
    """Do a TLS handshake: a server with the certificate, a client that trusts the bundle alone, by default strictly."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tls.crt", "tls.key"):
        (folder / name).write_bytes(server[name])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=bundle.decode("ascii"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT if strict else 0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        thread = threading.Thread(target=_serve, args=(listener, serving), daemon=True)
        thread.start()
        with (
            socket.create_connection(listener.getsockname(), 20) as plain,
            client.wrap_socket(plain, server_hostname=host) as secure,
        ):
            assert secure.recv(10) == b"hello"
        thread.join(20)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _address = listener.accept()
    with connection:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"hello")
        except OSError:
            return  # the client refused


def store_records(network: Network, kind: str) -> dict[str, Any]:
    """Return by name the documents of a directory store."""
    files = [file for file in (network.store / kind).glob("*.json") if not file.name.startswith(".")]
    return {file.stem: json.loads(file.read_text()) for file in files}
