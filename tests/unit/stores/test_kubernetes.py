# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubernetes store, against a real API server."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils import kube
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import StoreConflict, StoreError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.kubernetes import KubernetesStore
from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique

Open = Callable[..., KubernetesStore]


@pytest.fixture
def cluster(clusters: Any) -> Any:
    return clusters(1)[0]


@pytest.fixture
def namespace(cluster: Any) -> str:
    return str(cluster.create_namespace(unique("store")))


@pytest.fixture
def opened(cluster: Any, namespace: str) -> Iterator[Open]:
    def opening(kubeconfig: Any = None, space: str = "") -> KubernetesStore:
        connection = kube.Connection(kubeconfig=str(kubeconfig or cluster.kubeconfig))
        return KubernetesStore(kube.Api(connection), space or namespace)

    with kube.session():
        yield opening


def test_create_read_update_delete(opened: Open, cluster: Any, namespace: str) -> None:
    store = opened()
    assert store.read("authority", "a") is None
    assert store.names("authority") == []
    created = store.create("authority", "a", {"n": "é"})
    assert store.read("authority", "a") == created
    updated = store.update("authority", "a", {"n": 2}, created.token)
    assert updated.token != created.token
    assert opened().read("authority", "a") == updated
    store.create("authority", "b", {})
    store.create("certificate", "c", {})
    assert (store.names("authority"), store.names("certificate")) == (["a", "b"], ["c"])
    secret = cluster.core.read_namespaced_secret("multisite-skupper-tls.authority.a", namespace)
    assert secret.type == "multisite.skupper-tls/record"
    assert secret.metadata.labels["app.kubernetes.io/managed-by"] == "multisite.skupper_tls"
    assert list(secret.data) == ["record.json"]
    store.delete("authority", "a", updated.token)
    assert store.names("authority") == ["b"]
    assert namespace in store.describe()


def test_labels_and_annotations_of_others_stay(opened: Open, cluster: Any, namespace: str) -> None:
    store = opened()
    token = store.create("authority", "a", {"n": 1}).token
    name = "multisite-skupper-tls.authority.a"
    metadata = {"metadata": {"labels": {"backup": "yes"}}}
    token = cluster.core.patch_namespaced_secret(name, namespace, metadata).metadata.resource_version
    store.update("authority", "a", {"n": 2}, token)
    assert cluster.core.read_namespaced_secret(name, namespace).metadata.labels["backup"] == "yes"


@pytest.mark.parametrize("how", ["create", "update", "delete"])
def test_who_read_before_the_change_is_refused(opened: Open, how: str) -> None:
    store = opened()
    old = store.create("authority", "a", {"n": 1}).token
    new = store.update("authority", "a", {"n": 2}, old)
    writes: dict[str, Callable[[], Any]] = {
        "create": lambda: store.create("authority", "a", {"n": 3}),
        "update": lambda: store.update("authority", "a", {"n": 3}, old),
        "delete": lambda: store.delete("authority", "a", old),
    }
    with pytest.raises(StoreConflict) as caught:
        writes[how]()
    assert caught.value.found == store.describe()
    assert store.read("authority", "a") == new


def test_who_read_before_the_deletion_is_refused(opened: Open) -> None:
    store = opened()
    token = store.create("authority", "a", {}).token
    store.delete("authority", "a", token)
    with pytest.raises(StoreConflict):
        store.update("authority", "a", {}, token)
    store.create("authority", "a", {})
    with pytest.raises(StoreConflict):  # one of the same name, yet another
        store.update("authority", "a", {}, token)


@pytest.mark.parametrize("update", [False, True], ids=["create", "update"])
def test_of_many_writers_at_once_one_wins(opened: Open, update: bool) -> None:
    token = opened().create("authority", "a", {"by": -1}).token if update else ""
    stores = [opened() for dummy in range(8)]
    start, said = threading.Barrier(len(stores)), {}

    def write(number: int) -> None:
        store = stores[number]
        start.wait()
        try:
            if update:
                store.update("authority", "a", {"by": number}, token)
            else:
                store.create("authority", "a", {"by": number})
            said[number] = "won"
        except StoreConflict:
            said[number] = "conflict"

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said.values()) == ["conflict"] * (len(stores) - 1) + ["won"]
    found = opened().read("authority", "a")
    assert found is not None
    assert said[found.document["by"]] == "won"


VERBS: dict[str, Callable[[KubernetesStore], Any]] = {
    "get": lambda store: store.read("authority", "a"),
    "list": lambda store: store.names("authority"),
    "create": lambda store: store.create("authority", "b", {}),
    "patch": lambda store: store.update("authority", "a", {}, ""),
    "delete": lambda store: store.delete("authority", "a", ""),
}


@pytest.mark.parametrize("missing", list(VERBS))
def test_a_missing_permission_is_named(opened: Open, cluster: Any, namespace: str, missing: str) -> None:
    opened().create("authority", "a", {"n": 1})
    granted = [verb for verb in VERBS if verb != missing]
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": granted}]
    store = opened(cluster.make_user(namespace, "runner", rules))
    with pytest.raises(StoreError) as caught:
        VERBS[missing](store)
    assert f"not permitted: verb {missing} on secrets" in caught.value.message
    assert namespace in caught.value.message
    assert caught.value.remedy
    if missing != "patch":
        VERBS["patch"](store)


def test_namespace_missing(opened: Open) -> None:
    nowhere = unique("nowhere")
    store = opened(space=nowhere)
    assert store.read("authority", "a") is None
    assert store.names("authority") == []
    with pytest.raises(StoreError) as caught:
        store.create("authority", "a", {})
    assert not isinstance(caught.value, StoreConflict)
    assert nowhere in caught.value.message
    assert f'namespaces "{nowhere}" not found' in caught.value.found


@pytest.mark.parametrize(
    "data", [{}, {"record.json": b"{"}, {"record.json": b"[]"}, {"record.json": b""}, {"x": b"{}"}]
)
def test_a_secret_that_is_no_record(opened: Open, cluster: Any, namespace: str, data: dict[str, bytes]) -> None:
    name = "multisite-skupper-tls.authority.a"
    encoded = {key: b64encode(value).decode() for key, value in data.items()}
    cluster.core.create_namespaced_secret(namespace, {"metadata": {"name": name}, "data": encoded})
    with pytest.raises(StoreError) as caught:
        opened().read("authority", "a")
    assert caught.value.message == "the store holds a Secret that is not a record"
    assert name in caught.value.found


def test_no_server(opened: Open, namespace: str) -> None:
    store = KubernetesStore(kube.Api(kube.Connection(host="https://127.0.0.1:1", api_key="x")), namespace)
    with pytest.raises(StoreError) as caught:
        store.read("authority", "a")
    assert "https://127.0.0.1:1 cannot be reached" in caught.value.message
