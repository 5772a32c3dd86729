# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters themselves: what the other tests take for granted."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from .clusters import HERE, Cluster, ClusterError, Clusters, NotEnoughClusters, unique, write_kubeconfig

Take = Callable[[int], list[Cluster]]
OWN_ONLY = pytest.mark.skipif(
    "SKUPPER_TLS_TEST_KUBECONFIG" in os.environ, reason="about our own servers; clusters of the user's are in use"
)


def core(kubeconfig: Path, context: str) -> client.CoreV1Api:
    load: Any = config.new_client_from_config
    return client.CoreV1Api(load(str(kubeconfig), context=context))


def test_three_clusters_are_three(clusters: Take) -> None:
    three = clusters(3)
    name = unique("three")
    for cluster in three:
        cluster.create_namespace(name)
    identities = {cluster.core.read_namespace(name).metadata.uid for cluster in three}
    assert len(identities) == 3
    assert clusters(3) == three
    assert clusters(2) == three[:2]


def test_namespace_of_another_test_is_refused(clusters: Take) -> None:
    (cluster,) = clusters(1)
    name = cluster.create_namespace(unique("taken"))
    with pytest.raises(ApiException) as refusal:
        cluster.create_namespace(name)
    assert refusal.value.status == 409


@OWN_ONLY
def test_strict_verification_accepts_the_server(clusters: Take) -> None:
    (cluster,) = clusters(1)
    entry = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(entry["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    # The default from Python 3.13 on; asked for here whatever the Python.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    with urllib.request.urlopen(f"{entry['server']}/readyz", context=context, timeout=10) as answer:
        assert answer.read() == b"ok"


@OWN_ONLY
def test_only_the_owner_reads_the_keys(clusters: Take) -> None:
    (cluster,) = clusters(1)
    data = cluster.kubeconfig.parent
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    files = [path for path in data.rglob("*") if path.is_file() and path.suffix in ("", ".key")]
    assert cluster.kubeconfig in files
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Site", {"linkAccess": "default", "ha": True}),
        ("Listener", {"routingKey": "a-1", "host": "a", "port": 1, "tlsCredentials": "server"}),
        ("Connector", {"routingKey": "a-1", "selector": "app=a", "port": 1, "tlsCredentials": "ca"}),
        ("Connector", {"routingKey": "a-1", "host": "10.0.0.1", "port": 1, "useClientCert": True}),
        ("Certificate", {"ca": "", "subject": "a CA", "signing": True}),
        ("Certificate", {"ca": "a", "subject": "b", "hosts": ["b", "b.c"], "server": True}),
    ],
)
def test_skupper_kinds_are_served(clusters: Take, kind: str, spec: dict[str, object]) -> None:
    (cluster,) = clusters(1)
    namespace = cluster.create_namespace(unique("kinds"))
    made = cluster.create_skupper(namespace, kind, "one", spec)
    assert made["spec"] == spec
    assert [item["metadata"]["name"] for item in cluster.list_skupper(namespace, kind)] == ["one"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Listener", {"host": "a", "port": 1}),
        ("Listener", {"routingKey": "a-1", "port": 1}),
        ("Listener", {"routingKey": "a-1", "host": "a", "port": "1"}),
        ("Connector", {"routingKey": "a-1", "port": 1}),
        ("Connector", {"routingKey": "a-1", "port": 1, "host": "a", "selector": "app=a"}),
        ("Connector", {"selector": "app=a", "port": 1}),
        ("Certificate", {"subject": "a"}),
        ("Site", {"settings": {"a": 1}}),
    ],
)
def test_skupper_kinds_refuse_what_skupper_refuses(clusters: Take, kind: str, spec: dict[str, object]) -> None:
    (cluster,) = clusters(1)
    namespace = cluster.create_namespace(unique("kinds"))
    with pytest.raises(ApiException) as refusal:
        cluster.create_skupper(namespace, kind, "one", spec)
    assert refusal.value.status == 422


@OWN_ONLY
def test_status_is_a_subresource(clusters: Take) -> None:
    (cluster,) = clusters(1)
    namespace = unique("status")
    cluster.make_v2_site(namespace)
    (site,) = cluster.list_skupper(namespace, "Site")
    assert [c["type"] for c in site["status"]["conditions"] if c["status"] == "True"] == [
        "Configured",
        "Running",
        "Ready",
    ]
    cluster.custom.patch_namespaced_custom_object(
        "skupper.io", "v2alpha1", namespace, "sites", namespace, {"status": {"message": "not this way"}}
    )
    assert cluster.list_skupper(namespace, "Site")[0]["status"]["message"] == "OK"


def test_v1_site(clusters: Take) -> None:
    (cluster,) = clusters(1)
    namespace = unique("v1")
    cluster.make_v1_site(namespace, "west")
    read = cluster.core.read_namespaced_config_map
    assert read("skupper-site", namespace).data["name"] == "west"
    assert not read("skupper-services", namespace).data
    router = json.loads(read("skupper-internal", namespace).data["skrouterd.json"])
    assert [entity for entity, dummy in router].count("sslProfile") == 3
    names = {item.metadata.name for item in cluster.apps.list_namespaced_deployment(namespace).items}
    assert names == {"skupper-router", "skupper-service-controller"}


def test_workload(clusters: Take) -> None:
    (cluster,) = clusters(1)
    namespace = cluster.create_namespace(unique("work"))
    cluster.make_workload(namespace, "payments", {"app": "payments", "tier": "back"})
    made = cluster.apps.read_namespaced_deployment("payments", namespace)
    assert made.spec.template.metadata.labels == {"app": "payments", "tier": "back"}
    if cluster.owned:
        assert made.status.ready_replicas == 1


def test_tls_secret_may_be_a_ca_alone(clusters: Take) -> None:
    """What a `ca-cert-secret` for Skupper v2 is: the type demands the two keys, and lets them be empty."""
    (cluster,) = clusters(1)
    namespace = cluster.create_namespace(unique("secrets"))
    body = {"metadata": {"name": "ca"}, "type": "kubernetes.io/tls"}
    empty = {"tls.crt": "", "tls.key": "", "ca.crt": base64.b64encode(b"a CA\n").decode()}
    cluster.core.create_namespaced_secret(namespace, {**body, "data": empty})
    assert cluster.core.read_namespaced_secret("ca", namespace).data == empty
    with pytest.raises(ApiException) as refusal:
        cluster.core.create_namespaced_secret(namespace, {**body, "data": {"ca.crt": empty["ca.crt"]}})
    assert refusal.value.status == 422


def test_users_may_what_their_rules_say(clusters: Take) -> None:
    (cluster,) = clusters(1)
    namespace, other = cluster.create_namespace(unique("users")), cluster.create_namespace(unique("users"))
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "create"]}]
    reader = core(cluster.make_user(namespace, "reader", rules), cluster.name)
    nobody = core(cluster.make_user(namespace, "nobody", []), cluster.name)

    assert reader.list_namespaced_secret(namespace).items == []
    attempts: list[Callable[[], object]] = [
        lambda: reader.delete_namespaced_secret("any", namespace),
        lambda: reader.list_namespaced_secret(other),
        lambda: reader.list_namespaced_config_map(namespace),
        lambda: nobody.list_namespaced_secret(namespace),
    ]
    for refused in attempts:
        with pytest.raises(ApiException) as refusal:
            refused()
        assert refusal.value.status == 403


def test_kubeconfig_of_several(clusters: Take, tmp_path: Path) -> None:
    one, two = clusters(2)
    namespace = unique("merged")
    for cluster in (one, two):
        cluster.create_namespace(namespace)
    user = two.make_user(namespace, "user", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
    path = write_kubeconfig(tmp_path / "kubeconfig", {"east": one, "west": user}, namespace=namespace)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = yaml.safe_load(path.read_text())
    assert [(c["name"], c["context"]["namespace"]) for c in document["contexts"]] == [
        ("east", namespace),
        ("west", namespace),
    ]
    uid = one.core.read_namespace(namespace).metadata.uid
    assert core(path, "east").read_namespace(namespace).metadata.uid == uid
    assert core(path, "west").list_namespaced_pod(namespace).items == []


@OWN_ONLY
def test_deleted_namespace_is_gone(clusters: Take) -> None:
    (cluster,) = clusters(1)
    namespace = cluster.create_namespace(unique("gone"))
    cluster.delete_namespace(namespace)
    with pytest.raises(ApiException) as refusal:
        cluster.core.read_namespace(namespace)
    assert refusal.value.status == 404


@OWN_ONLY
def test_killed_and_started_again_has_the_same_content() -> None:
    with Clusters(["one"]) as running:
        (cluster,) = running
        namespace = cluster.create_namespace(unique("kept"))
        uid = cluster.core.read_namespace(namespace).metadata.uid
        user = cluster.make_user(namespace, "user", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}])
        server = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        cluster.kill()
        with pytest.raises(urllib.error.URLError, match="refused"):
            urllib.request.urlopen(server, timeout=10)
        cluster.start()
        assert cluster.core.read_namespace(namespace).metadata.uid == uid
        assert core(user, "one").list_namespaced_pod(namespace).items == []
        directory = running.directory
    assert not directory.exists()


@OWN_ONLY
def test_paused_does_not_answer() -> None:
    with Clusters(["one"]) as running:
        (cluster,) = running
        cluster.pause()
        with pytest.raises(Exception, match=r"(?i)timed out"):
            cluster.core.list_namespace(_request_timeout=1)
        cluster.resume()
        assert cluster.core.list_namespace(_request_timeout=10).items
        cluster.pause()  # and it is stopped all the same


def test_clusters_that_are_given(clusters: Take, tmp_path: Path) -> None:
    """As with SKUPPER_TLS_TEST_KUBECONFIG: contexts take the names asked for, and namespaces are cleaned up."""
    one, two = clusters(2)
    first = write_kubeconfig(tmp_path / "first", {"kind-a": one})
    second = write_kubeconfig(tmp_path / "second", {"kind-b": two})
    # A file name in a kubeconfig is relative to where that lies.
    document = yaml.safe_load(second.read_text())
    entry = document["clusters"][0]["cluster"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(entry.pop("certificate-authority-data")))
    entry["certificate-authority"] = "ca.crt"
    second.write_text(yaml.safe_dump(document))

    namespace = unique("given")
    with Clusters(["east", "west"], given=f"{first}{os.pathsep}{second}") as given:
        assert [cluster.name for cluster in given] == ["east", "west"]
        assert not given["west"].owned
        given["west"].make_v2_site(namespace)
        assert core(given.kubeconfig, "west").read_namespace(namespace).metadata.name == namespace
        assert two.list_skupper(namespace, "Site")
        with pytest.raises(NotEnoughClusters, match="3 clusters are asked for"):
            given(3)
        with pytest.raises(ClusterError, match="not a server of ours"):
            given["west"].pause()
    left = {item.metadata.name: item.status.phase for item in two.core.list_namespace().items}
    assert left.get(namespace, "Terminating") == "Terminating"
    assert one.core.list_namespace().items


@pytest.mark.parametrize("names", [["a", "a"], ["../a"], ["A"], [""], ["a/b"]])
def test_names_that_are_refused(names: list[str]) -> None:
    running = Clusters(given="")
    with pytest.raises(ClusterError, match="name"):
        running.start(names)
    running.stop()


def test_kubeconfig_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("- just\n- a list\n")
    with pytest.raises(ClusterError, match="no kubeconfig"):
        Clusters(given=str(tmp_path / "bad"))
    with pytest.raises(ClusterError, match="no kubeconfig"):
        Clusters(given=str(tmp_path / "absent"))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The killed parent's children go to whoever adopts orphans here, who may be slow to reap them.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def up(directory: Path) -> tuple[subprocess.Popen[str], list[int]]:
    command = [sys.executable, str(HERE / "clusters.py"), "up", "--contexts", "a,b", "--dir", str(directory)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    return process, [int(line.split()[-1]) for line in lines if line.startswith("context")]


@OWN_ONLY
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    process, pids = up(tmp_path / "up")
    with process:
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        assert core(tmp_path / "up" / "kubeconfig", "b").list_namespace().items
        process.send_signal(number)
        process.wait(30)
    deadline = time.monotonic() + 15
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [pid for pid in pids if alive(pid)] == []
    assert not (tmp_path / "up" / "clusters" / "a").exists()
    assert (tmp_path / "up" / "kubeconfig").exists() == (number == signal.SIGKILL)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)


@OWN_ONLY
def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with Clusters(["one"], directory=tmp_path) as running:
        running["one"].kill()
        port = yaml.safe_load(running["one"].kubeconfig.read_text())["clusters"][0]["cluster"]["server"].split(":")[2]
        with socket.create_server(("127.0.0.1", int(port))):
            with pytest.raises(ClusterError, match=f"not ready: .*{port}: bind: address already in use"):
                running["one"].start()
            with pytest.raises(ClusterError, match="name is there twice"):
                running.start(["two", "one"])
        running["one"].start()
        assert running["one"].core.list_namespace().items


@OWN_ONLY
def test_two_builders_build_once(tmp_path: Path) -> None:
    # With Go's own cache, which is found by the same variable, this takes seconds; at stake is the lock.
    go_cache = subprocess.run(["go", "env", "GOCACHE"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "GOCACHE": go_cache}
    command = [sys.executable, str(HERE / "build.py")]
    builders = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for dummy in range(2)
    ]
    results = [builder.communicate(timeout=1800) for builder in builders]
    assert [builder.returncode for builder in builders] == [0, 0]
    assert len({output for output, dummy in results}) == 1
    assert sorted("built " in errors for dummy, errors in results) == [False, True]
    assert len(list((tmp_path / "multisite.skupper_tls").glob("testapiserver-*"))) == 1
