# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the pods of servers and clients: a few fields by server-side apply, next to other field managers."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    KubeNetwork,
    SystemNetwork,
    refusing,
    tree,
)
from tests.cluster.clusters import Cluster
from tests.cluster.controller import Controller

Make = Callable[..., KubeNetwork]
WORKLOADS = (("east", "payments", "deployment"), ("west", "shop-web", "deployment"), ("edge", "db", "stateful_set"))
ROLLOUT = "multisite.skupper_tls.rollout"
REMOVE = "multisite.skupper_tls.remove"
MANAGER = "multisite.skupper_tls/shop/payments"
SERVER_VOLUME, CA_VOLUME = "skupper-tls-payments-server", "skupper-tls-payments-ca"
SERVER_PRINT, CA_PRINT = "server.multisite.skupper-tls/payments", "ca.multisite.skupper-tls/payments"


@pytest.fixture
def make(clusters: Callable[[int], list[Cluster]], tmp_path: Path) -> Make:
    def network(**options: Any) -> KubeNetwork:
        made = KubeNetwork(tmp_path / "run", clusters(3), **options)
        made.service["workload"]["mount_path"] = "/etc/payments-tls"
        made.service["consumers"] = [
            {
                "workload": {"name": "shop-web"},
                "mount_path": "/etc/payments-ca",
                "containers": ["web"],
                "sites": ["west"],
            },
            {"workload": {"kind": "statefulset", "name": "db"}, "mount_path": "/ca", "sites": ["edge"]},
        ]
        apply(made, "west", deployment("shop-web", ["web", "proxy"]))
        made.clusters["edge"].apps.create_namespaced_stateful_set(made.namespace, stateful_set("db"))
        return made

    return network


def pod(name: str, containers: list[str]) -> dict[str, Any]:
    listed = [{"name": container, "image": "registry.invalid/app:1"} for container in containers]
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": listed}}


def deployment(name: str, containers: list[str]) -> dict[str, Any]:
    """A Deployment as its owner applies it, with volume and mount of its own."""
    template = pod(name, containers)
    template["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "work", "mountPath": "/work"}]
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def stateful_set(name: str) -> dict[str, Any]:
    spec = {"serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": pod(name, ["main"])}
    return {"metadata": {"name": name}, "spec": spec}


def apply(network: KubeNetwork, site: str, body: dict[str, Any], manager: str = "helm", force: bool = False) -> Any:
    """Server-side apply, as another field manager does."""
    return network.clusters[site].apps.patch_namespaced_deployment(
        body["metadata"]["name"],
        network.namespace,
        body,
        field_manager=manager,
        force=force,
        _content_type="application/apply-patch+yaml",
    )


def workload(network: KubeNetwork, site: str, name: str, kind: str = "deployment") -> dict[str, Any]:
    """A workload as it stands, and the fields of its pod template by what they are merged by."""
    cluster = network.clusters[site]
    read = getattr(cluster.apps, f"read_namespaced_{kind}")
    body: dict[str, Any] = cluster.api.sanitize_for_serialization(read(name, network.namespace))
    template = body["spec"]["template"]
    return {
        "metadata": body["metadata"],
        "managers": {entry["manager"] for entry in body["metadata"]["managedFields"]},
        "annotations": template["metadata"].get("annotations", {}),
        "volumes": {entry["name"]: entry for entry in template["spec"].get("volumes", [])},
        "mounts": {
            container["name"]: {mount["mountPath"]: mount for mount in container.get("volumeMounts", [])}
            for container in template["spec"]["containers"]
        },
    }


def everything(network: KubeNetwork) -> dict[str, str]:
    """The generation of every workload, which only a change of its fields raises, and the versions of all else."""
    found = network.snapshot()
    for site, cluster in network.clusters.items():
        apps = cluster.apps
        for listed in (apps.list_namespaced_deployment, apps.list_namespaced_stateful_set):
            for item in listed(network.namespace).items:
                found[f"{site}/{item.metadata.name}"] = item.metadata.resource_version
    return found


def prints(pem: bytes) -> str:
    certificates = x509.load_pem_x509_certificates(pem)
    return " ".join(certificate.fingerprint(hashes.SHA256()).hex(":").upper() for certificate in certificates)


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_check_first_run_second_run(make: Make, version: str) -> None:
    network = make(version=version)
    before = everything(network)
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert everything(network) == before, "check mode wrote something"
    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    assert first.diffs() == predicted.diffs()
    assert ("Workload/deployment/shop-web (payments)" in json.dumps(list(first.diffs().values()))) is True

    target = workload(network, "east", "payments")
    assert target["annotations"] == {SERVER_PRINT: prints(network.secret("east", SERVER)["tls.crt"])}
    items = [{"key": key, "path": key} for key in ("tls.crt", "tls.key", "ca.crt")]
    assert target["volumes"][SERVER_VOLUME]["secret"]["items"] == items
    assert target["volumes"][SERVER_VOLUME]["secret"]["secretName"] == SERVER
    mount = {"mountPath": "/etc/payments-tls", "name": SERVER_VOLUME, "readOnly": True}
    assert target["mounts"] == {"main": {"/etc/payments-tls": mount}}

    for site, name, kind, container, path in (
        ("west", "shop-web", "deployment", "web", "/etc/payments-ca"),
        ("edge", "db", "stateful_set", "main", "/ca"),
    ):
        client = workload(network, site, name, kind)
        assert client["annotations"] == {CA_PRINT: prints(network.secret(site, CA)["ca.crt"])}
        assert client["volumes"][CA_VOLUME]["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}], "a key too"
        assert client["volumes"][CA_VOLUME]["secret"]["secretName"] == CA
        assert client["mounts"][container][path] == {"mountPath": path, "name": CA_VOLUME, "readOnly": True}
    web = workload(network, "west", "shop-web")
    assert sorted(web["mounts"]["web"]) == ["/etc/payments-ca", "/work"]
    assert web["mounts"]["proxy"] == {}, "a container that was not named"
    assert workload(network, "west", "shop-web")["metadata"]["labels"] == {"multisite.skupper-tls/mounts": "true"}

    written = everything(network)
    second = network.run(ROLLOUT, "--diff").good()
    assert second.count("changed") == 0
    assert everything(network) == written, "a run without a change wrote something"
    network.run("verify").good()


@pytest.mark.parametrize("version", ["v2", "v1"])
def test_generated_mode(make: Make, version: str) -> None:
    """Each site's pods get what its own CA signed. Skupper's controllers are played (tests/cluster/controller.py)."""
    network = make(version=version)
    network.service["tls"] = {"mode": "generated"}
    others = [network.clusters[site] for site in ("west", "edge")]
    with contextlib.ExitStack() as stack:
        for site, cluster in network.clusters.items():
            peers = others if (site, version) == ("east", "v1") else []
            if version == "v1":
                status = {
                    "status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
                }  # then it is waited for
                name = "skupper-service-controller"
                cluster.apps.patch_namespaced_deployment_status(name, network.namespace, status)
            stack.enter_context(Controller(cluster, network.namespace, version, peers))
        predicted = network.run(ROLLOUT, "--check", "--diff").good()
        first = network.run(ROLLOUT, "--diff").good()
        if version == "v2":
            assert first.changes() == predicted.changes()
            assert first.diffs() == predicted.diffs()
        target = workload(network, "east", "payments")
        again = network.run(ROLLOUT).good()
        if version == "v2":
            assert again.count("changed") == 0
        else:  # what came to a site by service-sync after its turn
            assert not [host for _task, host in again.changes() if host == "east"]
        client = workload(network, "west", "shop-web")
        made = {site: network.secret(site, "skupper-tls-payments") for site in ("east", "west")}
        assert target["volumes"][SERVER_VOLUME]["secret"]["secretName"] == "skupper-tls-payments"
        assert target["annotations"] == {SERVER_PRINT: prints(made["east"]["tls.crt"])}
        assert client["volumes"][CA_VOLUME]["secret"]["secretName"] == "skupper-service-client"
        trusted = network.secret("west", "skupper-service-client")["ca.crt"]
        assert client["annotations"] == {CA_PRINT: prints(trusted)}
        assert trusted != network.secret("edge", "skupper-service-client")["ca.crt"]
        assert network.run(ROLLOUT).good().count("changed") == 0
        if version == "v2":
            # Another CA of one site concerns the pods of that site alone.
            before = workload(network, "edge", "db", "stateful_set")
            network.clusters["west"].custom.delete_namespaced_custom_object(
                "skupper.io", "v2alpha1", network.namespace, "certificates", "skupper-service-ca"
            )
            predicted = network.run(ROLLOUT, "--check", "--diff").good()
            anew = network.run(ROLLOUT, "--diff").good()
            assert anew.changes() == predicted.changes()
            assert anew.diffs() == predicted.diffs()
            trusted = network.secret("west", "skupper-service-client")["ca.crt"]
            assert workload(network, "west", "shop-web")["annotations"] == {CA_PRINT: prints(trusted)}
            assert workload(network, "edge", "db", "stateful_set") == before
            assert network.run(ROLLOUT).good().count("changed") == 0


def test_a_settled_site_is_read_once(make: Make) -> None:
    network = make()
    network.run().good()
    settled = network.run().good()
    for task in ("Write the secrets", "Expose the services", "Read back"):
        for host, event in settled.of(task).items():
            assert event.result.get("settled"), (task, host)
    body = {"spec": {"template": {"metadata": {"annotations": {CA_PRINT: None}}}}}
    network.clusters["west"].apps.patch_namespaced_deployment("shop-web", network.namespace, body)
    disturbed = network.run().good()
    assert disturbed.changes() == [("multisite.skupper_tls.expose : Expose the services on the site", "west")]
    assert CA_PRINT in workload(network, "west", "shop-web")["annotations"]


def test_a_renewal_restarts_whom_it_concerns(make: Make) -> None:
    network = make()
    network.run().good()
    before = {site: workload(network, site, name, kind) for site, name, kind in WORKLOADS}
    network.service["tls"]["certificate"] = {"alternative_names": ["payments.example.net"]}
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    renewed = network.run(ROLLOUT, "--diff").good()
    assert renewed.changes() == predicted.changes()
    assert renewed.diffs() == predicted.diffs()
    after = {site: workload(network, site, name, kind) for site, name, kind in WORKLOADS}
    assert after["east"]["annotations"] == {SERVER_PRINT: prints(network.secret("east", SERVER)["tls.crt"])}
    assert after["east"]["annotations"] != before["east"]["annotations"]
    for part in ("volumes", "mounts"):
        assert after["east"][part] == before["east"][part]
    for site in ("west", "edge"):
        assert after[site] == before[site], "the CA is the same, so its clients go on"
    assert network.run().good().count("changed") == 0


def test_next_to_the_owner(make: Make) -> None:
    """The workload's owner applies it again, then with a container more; ours stays, and theirs stays after our run."""
    network = make()
    network.run().good()
    before = workload(network, "west", "shop-web")
    body = deployment("shop-web", ["web", "proxy", "more"])
    body["spec"]["template"]["metadata"]["annotations"] = {"owner": "helm"}
    apply(network, "west", body)
    after = workload(network, "west", "shop-web")
    assert after["annotations"] == {**before["annotations"], "owner": "helm"}
    assert after["volumes"] == before["volumes"]
    assert after["mounts"] == {**before["mounts"], "more": {}}
    assert network.run().good().count("changed") == 0

    del network.service["consumers"][0]["containers"]
    network.run().good()
    wider = workload(network, "west", "shop-web")
    assert all("/etc/payments-ca" in mounts for mounts in wider["mounts"].values())
    assert wider["mounts"]["web"]["/work"] == before["mounts"]["web"]["/work"]
    assert wider["annotations"]["owner"] == "helm"
    apply(network, "west", body)
    assert workload(network, "west", "shop-web")["mounts"] == wider["mounts"]
    assert network.run().good().count("changed") == 0


def test_another_mount_path(make: Make) -> None:
    network = make()
    network.run().good()
    network.service["consumers"][0]["mount_path"] = "/new"
    network.service["workload"]["mount_path"] = "/new"
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    moved = network.run(ROLLOUT, "--diff").good()
    assert moved.changes() == predicted.changes()
    assert moved.diffs() == predicted.diffs()
    assert sorted(workload(network, "west", "shop-web")["mounts"]["web"]) == ["/new", "/work"]
    assert sorted(workload(network, "east", "payments")["mounts"]["main"]) == ["/new"]
    assert network.run().good().count("changed") == 0


@pytest.mark.parametrize("way", ["inventory", "absent", "remove", "orphans"])
def test_removal(make: Make, way: str) -> None:
    network = make()
    before = {site: workload(network, site, name, kind) for site, name, kind in WORKLOADS}
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop-web"}}
    foreign["spec"] = {"template": {"metadata": {"annotations": {"other": "kept"}}}}
    apply(network, "west", foreign, "another")
    network.run().good()
    if way == "inventory":
        del network.service["consumers"], network.service["workload"]["mount_path"]
    if way == "orphans":
        network.service.update(address="stock", ports=[6001], consumers=[])
        del network.service["workload"]["mount_path"]

    def run(*arguments: str) -> Any:
        if way == "inventory":
            return network.run(ROLLOUT, *arguments).good()
        if way != "absent":
            what = "orphans" if way == "orphans" else "payments"
            return network.run(REMOVE, *arguments, extra={"skupper_tls_remove": what}).good()
        task = {"name": "Remove", "multisite.skupper_tls.service": {"state": "absent"}}
        return network.play([task], *arguments).good()

    predicted = run("--check", "--diff")
    removed = run("--diff")
    assert removed.changes() == predicted.changes()
    assert removed.diffs() == predicted.diffs()
    for site, name, kind in WORKLOADS:
        now = workload(network, site, name, kind)
        kept = {"other": "kept"} if site == "west" else {}
        assert now["annotations"] == kept
        assert now["volumes"] == before[site]["volumes"]
        assert now["mounts"] == before[site]["mounts"]
        assert now["metadata"].get("labels", {}) == before[site]["metadata"].get("labels", {})
        assert MANAGER not in now["managers"]
    assert run().count("changed") == 0


def test_two_services_in_one_workload(make: Make) -> None:
    network = make()
    first = network.service
    second = {**first, "address": "stock", "ports": [6001], "workload": {"name": "payments"}}
    second["consumers"] = [{**first["consumers"][0], "mount_path": "/etc/stock-ca"}]
    network.variables["skupper_tls_services"].append(second)
    network.run().good()
    both = workload(network, "west", "shop-web")
    assert sorted(both["mounts"]["web"]) == ["/etc/payments-ca", "/etc/stock-ca", "/work"]
    del second["consumers"]
    network.run().good()
    one = workload(network, "west", "shop-web")
    assert sorted(one["mounts"]["web"]) == ["/etc/payments-ca", "/work"]
    assert one["metadata"]["labels"] == {"multisite.skupper-tls/mounts": "true"}
    assert network.run().good().count("changed") == 0


def test_the_server_gets_its_certificate_first(make: Make) -> None:
    """Before connections are sent to it: where the connectors cannot be written, the mount is there."""
    network = make()
    with refusing(network, "east", "skupper.io", "listeners", "connectors"):
        network.run().bad("refused by a policy of the test")
    assert "/etc/payments-tls" in workload(network, "east", "payments")["mounts"]["main"]
    assert not [name for name in network.exposed("east") if name.startswith("Connector")]
    network.run().good()
    assert network.run().good().count("changed") == 0


def test_a_secret_that_pods_mount_is_not_removed(make: Make) -> None:
    network = make()
    network.run().good()
    absent = {"name": "Remove", "multisite.skupper_tls.secrets": {"state": "absent"}}
    network.play([absent]).bad("still used by Workload deployment/shop-web")


# -- what preflight refuses


def foreign_mount(network: KubeNetwork) -> None:
    body = deployment("shop-web", ["web", "proxy"])
    body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"].append(
        {"name": "work", "mountPath": "/etc/payments-ca"}
    )
    apply(network, "west", body)


def test_a_place_of_another_manager(make: Make) -> None:
    network = make()
    foreign_mount(network)
    before = everything(network)
    run = network.run()
    run.bad("TLS402 west", "other field managers hold fields", "helm (Apply): containers web /etc/payments-ca")
    assert everything(network) == before
    assert not network.store.exists()

    adopted = network.run(ROLLOUT, extra={"skupper_tls_adopt": True}).good()
    assert adopted.count("changed")
    mount = workload(network, "west", "shop-web")["mounts"]["web"]["/etc/payments-ca"]
    assert mount["name"] == CA_VOLUME
    assert network.run().good().count("changed") == 0
    # The owner, who applies the old mount again, is told, and takes it back only by force.
    body = deployment("shop-web", ["web", "proxy"])
    mounts = body["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    mounts.append({"name": "work", "mountPath": "/etc/payments-ca"})
    apply(network, "west", body, force=True)
    network.run().bad("helm (Apply): containers web /etc/payments-ca")


def test_a_field_that_a_person_edited(make: Make) -> None:
    network = make()
    network.run().good()
    body = {"spec": {"template": {"metadata": {"annotations": {CA_PRINT: "by hand"}}}}}
    network.clusters["west"].apps.patch_namespaced_deployment(
        "shop-web", network.namespace, body, field_manager="kubectl-edit"
    )
    network.run().bad("TLS402 west", f"kubectl-edit (Update): annotations {CA_PRINT}")
    adopted = network.run(ROLLOUT, extra={"skupper_tls_adopt": True}).good()
    assert adopted.changes() == [("multisite.skupper_tls.expose : Expose the services on the site", "west")]
    assert network.run().good().count("changed") == 0


def test_system_sites_refuse_mounts(tmp_path: Path) -> None:
    network = SystemNetwork(tmp_path)
    network.service["workload"]["mount_path"] = "/tls"
    network.service["consumers"] = [{"workload": {"name": "shop-web"}, "mount_path": "/ca", "sites": ["west"]}]
    before = tree(network.data_home)
    network.run().bad(
        "TLS801 east services[0] (payments).workload: asks for a mount on a system site, which has no pods",
        "TLS801 west services[0] (payments).consumers[0]: asks for a mount on a system site, which has no pods",
    )
    assert tree(network.data_home) == before


def test_what_is_not_there_is_told_for_every_site(make: Make) -> None:
    network = make()
    network.service["consumers"][0]["containers"] = ["web", "wrong"]
    network.service["consumers"][1]["sites"] = []
    network.service["workload"]["containers"] = ["nobody"]
    before = everything(network)
    network.run().bad(
        "TLS404 east services[0] (payments).workload.containers: deployment/payments has no container of that name"
        " (nobody; it has main)",
        "services[0] (payments).consumers[0].containers: deployment/shop-web has no container of that name"
        " (wrong; it has proxy, web)",
        "TLS404 east services[0] (payments).consumers[1].workload; west services[0] (payments).consumers[1].workload:"
        " the workload does not exist on the site (no statefulset/db)",
    )
    assert everything(network) == before


def test_two_services_on_one_path(make: Make) -> None:
    network = make()
    second = {**network.service, "address": "stock", "ports": [6001], "workload": {"name": "payments"}}
    network.variables["skupper_tls_services"].append(second)
    network.run().bad("TLS801", "is a mount of services[0] (payments).consumers[0] in the same container as well")


RULES: list[dict[str, Any]] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch", "delete"]},
    {"apiGroups": ["skupper.io"], "resources": ["listeners", "connectors"],
     "verbs": ["list", "create", "patch", "delete"]},
    {"apiGroups": ["skupper.io"], "resources": ["sites"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["shop-web"], "verbs": ["get", "patch"]},
]  # fmt: skip


def test_permissions(make: Make) -> None:
    """Nobody needs more than to read and patch the workload that is named, and without that preflight says so."""
    network = make()
    cluster = network.clusters["west"]
    network.use("west", cluster.make_user(network.namespace, "without", RULES[:-1]))
    network.run("preflight").bad("not permitted: patch deployments.apps/shop-web")
    network.use("west", cluster.make_user(network.namespace, "runner", RULES))
    network.run().good()
    assert "/etc/payments-ca" in workload(network, "west", "shop-web")["mounts"]["web"]
    assert network.run().good().count("changed") == 0
