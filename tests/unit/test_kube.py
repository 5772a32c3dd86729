# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: kubeconfigs of every form, credentials, faults; against real servers, some of them tiny."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import stat
import sys
import tempfile
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.multisite.skupper_tls.plugins.module_utils import kube
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    ForeignObject,
    InputError,
    NotPermitted,
    NotReached,
    SiteConflict,
    SiteError,
    SkupperTlsError,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.kube import Api, Connection, namespaced
from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique

NODES = "/api/v1/nodes"


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Every test has a folder for temporary files of its own, and leaves none there."""
    folder = tmp_path / "tmpdir"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(kube, "SHARED_MEMORY", str(folder))
    for name in ("KUBECONFIG", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with kube.session():
        yield folder
    assert [str(path) for path in folder.rglob("*") if path.is_file()] == []


# -- a tiny server, to answer as we say


class Server:
    """An HTTP server on loopback that answers with what is in ``answers``, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any, bytes]] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.command, self.path, self.headers, body))
                status, headers, text = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                length = (
                    headers.pop("Content-Length", None) if len(outer.answers) > 1 else headers.get("Content-Length")
                )
                for key, value in headers.items():
                    if key != "Content-Length":
                        self.send_header(key, value)
                self.send_header("Content-Length", length or str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                if length:
                    self.close_connection = True

            do_GET = do_POST = do_PATCH = do_DELETE = _answer

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def says(self, *answers: tuple[int, dict[str, str], Any]) -> None:
        self.answers[:] = [
            (status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())
            for status, headers, body in answers
        ]

    def api(self, **options: Any) -> Api:
        return Api(Connection(host=self.url, **{"api_key": "token", **options}))

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


# -- kubeconfigs, against a real API server


@pytest.fixture
def cluster(clusters: Any) -> Any:
    return clusters(1)[0]


@pytest.fixture
def config(cluster: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    return loaded


def works(**options: Any) -> bool:
    return (Api(Connection(**options)).get("/api/v1/namespaces/default") or {})["metadata"]["name"] == "default"


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_path(cluster: Any) -> None:
    assert works(kubeconfig=str(cluster.kubeconfig))


def test_inline_data_leaves_no_temporary_file(config: dict[str, Any], temporary_files: Path) -> None:
    assert "client-certificate-data" in config["users"][0]["user"]
    with kube.session():
        assert works(kubeconfig=config)
        assert [path for path in temporary_files.rglob("*") if path.is_file()] != []
    assert [path for path in temporary_files.rglob("*") if path.is_file()] == []
    with kube.session():  # and again: nothing refers to the files that are gone
        assert works(kubeconfig=config)


@pytest.mark.parametrize("memory", [True, False])
def test_where_temporary_files_are(
    config: dict[str, Any], temporary_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: bool
) -> None:
    folder = tmp_path / "shm"
    monkeypatch.setattr(kube, "SHARED_MEMORY", str(folder))
    if memory:
        folder.mkdir()
    with kube.session():
        assert works(kubeconfig=config)
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        assert {path.parent for path in files} == {folder if memory else temporary_files}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_temporary_files_go_when_a_task_fails_too(config: dict[str, Any], temporary_files: Path) -> None:

    def task() -> None:
        with kube.session():
            assert works(kubeconfig=config)
            raise SiteError("it failed")

    with pytest.raises(SiteError, match="it failed"):
        task()
    assert [path for path in temporary_files.rglob("*") if path.is_file()] == []


def test_a_session_leaves_the_files_of_the_parent_process(config: dict[str, Any], temporary_files: Path) -> None:
    """A worker inherits the list of them; its siblings and the parent still need them."""
    parent = Api(Connection(kubeconfig=config))
    files = [path for path in temporary_files.rglob("*") if path.is_file()]
    assert files
    with kube.session():
        assert works(kubeconfig=config)
        assert len([path for path in temporary_files.rglob("*") if path.is_file()]) > len(files)
    assert [path for path in temporary_files.rglob("*") if path.is_file()] == files
    assert parent.get("/api/v1/namespaces/default")


def test_a_session_keeps_a_client_and_the_next_has_its_own(cluster: Any) -> None:
    connection = Connection(kubeconfig=str(cluster.kubeconfig))
    with kube.session():
        one = kube.api(connection)
        assert kube.api(connection) is one
        assert kube.api(Connection(kubeconfig=str(cluster.kubeconfig), impersonate_user="x")) is not one
    with kube.session():
        assert kube.api(connection) is not one


def test_a_date_in_an_inline_kubeconfig(config: dict[str, Any]) -> None:
    config["preferences"] = {"expiry": datetime(2030, 1, 1, tzinfo=timezone.utc)}
    assert kube.api(Connection(kubeconfig=config)).get("/api/v1/namespaces/default")


def test_relative_paths_are_from_the_kubeconfigs_folder(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    for entry, name in ((cluster, "certificate-authority"), (user, "client-certificate"), (user, "client-key")):
        (tmp_path / "conf" / "pki").mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / "pki" / name).write_bytes(b64decode(entry.pop(f"{name}-data")))
        entry[name] = f"pki/{name}"
    path = written(tmp_path / "conf" / "config", config)
    monkeypatch.chdir("/")
    assert works(kubeconfig=str(path))
    monkeypatch.setenv("HOME", str(tmp_path / "conf"))
    assert works(kubeconfig="~/config")


def test_several_files(config: dict[str, Any], tmp_path: Path) -> None:
    """The contexts in one, what they name in another; of two of a name the first wins."""
    contexts = {"contexts": config["contexts"], "current-context": config["current-context"]}
    rest = {key: config[key] for key in ("clusters", "users")}
    wrong = {"clusters": [{"name": config["clusters"][0]["name"], "cluster": {"server": "https://127.0.0.1:1"}}]}
    one, two, three = (
        str(written(tmp_path / name, content)) for name, content in (("a", contexts), ("b", rest), ("c", wrong))
    )
    assert works(kubeconfig=os.pathsep.join([one, two, three]))
    assert works(kubeconfig=os.pathsep.join(["", two, one, ""]))
    with pytest.raises(SiteError, match=r"127\.0\.0\.1:1"):
        works(kubeconfig=os.pathsep.join([one, three, two]))


def test_the_contexts_of_several_files(tmp_path: Path) -> None:
    one = {"contexts": [{"name": "east", "context": {"namespace": "shop"}}, {"name": "west", "context": None}, "x"]}
    two = {"contexts": [{"name": "east", "context": {"namespace": "other"}}, {"name": "hub"}, {"context": {}}]}
    paths = [written(tmp_path / "one", one), written(tmp_path / "two", two)]
    assert kube.contexts(os.pathsep.join(str(path) for path in paths)) == {"east": "shop", "west": "", "hub": ""}
    assert kube.contexts({"contexts": None}) == {}


def test_a_kubeconfig_is_parsed_once_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = kube._parse_kubeconfig

    def counted(text: str, path: str, base: Path) -> dict[str, Any]:
        parsed.append(path)
        return parse(text, path, base)

    monkeypatch.setattr(kube, "_parse_kubeconfig", counted)
    path = written(tmp_path / "config", {"contexts": [{"name": "east"}]})
    for dummy in range(3):
        assert kube.contexts(str(path)) == {"east": ""}
    written(path, {"contexts": [{"name": "further west"}]})
    assert kube.contexts(str(path)) == {"further west": ""}
    with kube.session():
        pass
    kube.contexts(str(path))
    assert len(parsed) == 3, "once, once more for the new content, and in the next session"


def test_a_context_among_many(config: dict[str, Any]) -> None:
    name = config["contexts"][0]["name"]
    config["contexts"] = [
        {"name": f"c{number}", "context": {"cluster": "none", "user": "none"}} for number in range(50)
    ] + config["contexts"]
    config["current-context"] = "c1"
    assert works(kubeconfig=config, context=name)


def test_the_default_file(cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError) as caught:
        works()
    assert caught.value.found == "~/.kube/config: No such file or directory"
    written(tmp_path / ".kube" / "config", Path(cluster.kubeconfig).read_text())
    assert works()


def refused(**options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        Api(Connection(**options))
    assert caught.value.remedy
    return caught.value


def test_a_missing_file(tmp_path: Path) -> None:
    error = refused(kubeconfig=str(tmp_path / "none"))
    assert error.field == "kubeconfig"
    assert error.found == f"{tmp_path / 'none'}: No such file or directory"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x80abc"])
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c").write_bytes(content)
    assert refused(kubeconfig=str(tmp_path / "c")).found.endswith("not a text file")


@pytest.mark.parametrize("content", ["", "a: [", "- a", "7", "token: {x", "\t"])
def test_a_file_that_is_no_mapping(tmp_path: Path, content: str) -> None:
    error = refused(kubeconfig=str(written(tmp_path / "c", content)))
    assert error.message == "the kubeconfig is not a YAML mapping"
    assert error.found == str(tmp_path / "c")


def test_a_kubeconfig_error_shows_no_content(tmp_path: Path) -> None:
    error = refused(kubeconfig=str(written(tmp_path / "c", "users:\n- user: {token: hunter2hunter2\n")))
    assert "hunter2" not in str(error)
    assert error.__cause__ is None


def test_an_unknown_context_lists_those_there_are(config: dict[str, Any]) -> None:
    config["contexts"].append({"name": "other", "context": {}})
    error = refused(kubeconfig=config, context="typo")
    assert error.field == "context"
    assert error.found == "typo"
    assert f"({config['contexts'][0]['name']}, other)" in error.remedy


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.pop("current-context"),
        lambda config: config.update(clusters=[]),
        lambda config: config.pop("users"),
        lambda config: config.pop("clusters"),
        lambda config: config.update(contexts=None),
        lambda config: config.update(contexts=["x"]),
        lambda config: config.update(contexts={"a": 1}),
        lambda config: config["clusters"][0].pop("cluster"),
        lambda config: config["clusters"][0]["cluster"].pop("server"),
        lambda config: config["contexts"][0].update(context=None),
        lambda config: config["clusters"][0].update(cluster={"server": "https://x", "certificate-authority": "/no/ca"}),
    ],
)
def test_incomplete_kubeconfigs(config: dict[str, Any], change: Any) -> None:
    change(config)
    error = refused(kubeconfig=config)
    assert error.field == "context"


def test_a_token_file(cluster: Any, config: dict[str, Any], tmp_path: Path) -> None:
    namespace = cluster.create_namespace(unique("token"))
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    user = yaml.safe_load(cluster.make_user(namespace, "u", rules).read_text())["users"][0]["user"]
    (tmp_path / "token").write_text(user["token"])
    config["users"][0]["user"] = {"tokenFile": "token"}
    api = Api(Connection(kubeconfig=str(written(tmp_path / "c", config))))
    assert api.get(namespaced(namespace, "secrets")) is not None
    with pytest.raises(NotPermitted):
        api.get(namespaced("default", "secrets"))


def test_an_exec_plugin(cluster: Any, config: dict[str, Any], tmp_path: Path) -> None:
    namespace = cluster.create_namespace(unique("exec"))
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    user = yaml.safe_load(cluster.make_user(namespace, "u", rules).read_text())["users"][0]["user"]
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": user["token"]}}
    script = written(tmp_path / "login", f"#!{sys.executable}\nimport os\nassert os.environ['WHO'] == 'me'\n")
    script.write_text(script.read_text() + f"print({json.dumps(credential)!r})\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    env = [{"name": "WHO", "value": "me"}]
    plugin = {"apiVersion": version, "command": str(script), "env": env, "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    api = Api(Connection(kubeconfig=str(written(tmp_path / "c", config))))
    assert api.get(namespaced(namespace, "secrets")) is not None


def test_options_win_over_the_kubeconfig(cluster: Any, config: dict[str, Any], tmp_path: Path) -> None:
    ca = written(tmp_path / "ca", b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode())
    files: dict[str, Any] = {
        option: str(written(tmp_path / option, b64decode(config["users"][0]["user"][f"{name}-data"]).decode()))
        for option, name in (("client_cert", "client-certificate"), ("client_key", "client-key"))
    }
    url = config["clusters"][0]["cluster"]["server"]
    assert works(host=url, ca_cert=str(ca), **files)
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    assert works(kubeconfig=config, host=url)
    with pytest.raises(SiteError, match=r"(?i)certificate verify failed"):
        Api(Connection(host=url, **files)).get("/api")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_verification_turned_off(config: dict[str, Any]) -> None:
    config["clusters"][0]["cluster"].pop("certificate-authority-data")
    with pytest.raises(SiteError, match="cannot be reached"):
        works(kubeconfig=config)
    assert works(kubeconfig=config, validate_certs=False)


def test_a_wrong_token(cluster: Any, config: dict[str, Any]) -> None:
    config["users"][0]["user"] = {"token": "hunter2hunter2"}
    with pytest.raises(SiteError) as caught:
        Api(Connection(kubeconfig=config)).get("/api/v1/namespaces/default")
    assert "does not accept the credentials" in caught.value.message
    assert caught.value.found == "401 Unauthorized"
    assert "hunter2" not in str(caught.value)


def test_impersonation(cluster: Any) -> None:
    api = Api(
        Connection(
            kubeconfig=str(cluster.kubeconfig), impersonate_user="jane", impersonate_groups=("ops", "system:masters")
        )
    )
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    info = api.create(path, body)["status"]["userInfo"]
    assert info["username"] == "jane"
    assert {"ops", "system:masters"} <= set(info["groups"])
    alone = Api(Connection(kubeconfig=str(cluster.kubeconfig), impersonate_user="jane"))
    with pytest.raises(NotPermitted) as caught:
        alone.get(namespaced("default", "secrets"))
    assert '"jane"' in caught.value.found


def test_headers_as_sent(server: Server) -> None:
    server.says((200, {}, {}))
    server.api(api_key="hunter2", impersonate_user="jane", impersonate_groups=("a", "b")).patch(NODES, {"y": 1})
    _method, _path, headers, body = server.requests[0]
    assert headers["Authorization"] == "Bearer hunter2"
    assert headers["Impersonate-User"] == "jane"
    assert headers.get_all("Impersonate-Group") == ["a", "b"]
    assert headers.get_all("Content-Type") == ["application/merge-patch+json"]
    assert json.loads(body) == {"y": 1}


def test_basic_authentication(server: Server) -> None:
    server.says((200, {}, {}))
    server.api(api_key=None, username="jane", password="pw").get(NODES)
    assert server.requests[0][2]["Authorization"] == "Basic amFuZTpwdw=="


# -- statuses


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda api, space: api.get(namespaced(space, "secrets", "s")), "verb get on secrets/s in namespace {}"),
        (lambda api, space: api.get(namespaced(space, "secrets")), "verb list on secrets in namespace {}"),
        (lambda api, space: api.create(namespaced(space, "configmaps"), {"metadata": {"name": "x"}}),
         "verb create on configmaps in namespace {}"),
        (lambda api, space: api.patch(namespaced(space, "listeners", "l", "skupper.io/v2alpha1"), {}),
         "verb patch on listeners.skupper.io/l in namespace {}"),
        (lambda api, space: api.delete(namespaced(space, "deployments", "d", "apps/v1")),
         "verb delete on deployments.apps/d in namespace {}"),
        (lambda api, space: api.get(f"/api/v1/namespaces/{space}"), "verb get on namespaces/{}"),
    ],
)  # fmt: skip
def test_forbidden_names_verb_and_resource(cluster: Any, call: Any, what: str) -> None:
    namespace = cluster.create_namespace(unique("forbidden"))
    api = Api(Connection(kubeconfig=str(cluster.make_user(namespace, "nobody", []))))
    with pytest.raises(NotPermitted) as caught:
        call(api, namespace)
    assert caught.value.message == "not permitted: " + what.format(namespace)
    assert f"system:serviceaccount:{namespace}:nobody" in caught.value.found


def test_apply(cluster: Any) -> None:
    """Managers own fields: each its own, none another's unless by force, and what is left out is given up."""
    namespace = cluster.create_namespace(unique("apply"))
    api = Api(Connection(kubeconfig=str(cluster.kubeconfig)))
    one = namespaced(namespace, "configmaps", "a")

    def body(uid: str = "", **data: str) -> dict[str, Any]:
        metadata = {"name": "a", **({"uid": uid} if uid else {})}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **({"data": data} if data else {})}

    with pytest.raises(SiteConflict):
        api.apply(one, body(uid="another", ours="1"), "we")
    assert api.get(one) is None, "who names an object does not make it"
    uid = api.create(namespaced(namespace, "configmaps"), body(theirs="1"))["metadata"]["uid"]
    assert api.apply(one, body(uid, ours="1"), "we")["data"] == {"ours": "1", "theirs": "1"}
    with pytest.raises(ForeignObject, match=r"\.data\.ours") as caught:
        api.apply(one, body(uid, ours="2"), "you")
    assert 'conflict with "we"' in caught.value.found
    assert api.apply(one, body(uid, ours="2"), "you", force=True)["data"] == {"ours": "2", "theirs": "1"}
    with pytest.raises(SiteConflict):
        api.apply(one, body("another", ours="2"), "you")
    assert api.apply(one, body(uid), "you")["data"] == {"theirs": "1"}


def test_absent_conflicting_and_invalid(cluster: Any) -> None:
    namespace = cluster.create_namespace(unique("statuses"))
    api = Api(Connection(kubeconfig=str(cluster.kubeconfig)))
    one = namespaced(namespace, "configmaps", "a")
    assert api.get(one) is None
    api.delete(one)
    with pytest.raises(SiteConflict):
        api.patch(one, {"data": {}})
    made = api.create(namespaced(namespace, "configmaps"), {"metadata": {"name": "a"}})
    with pytest.raises(SiteConflict) as caught:
        api.create(namespaced(namespace, "configmaps"), {"metadata": {"name": "a"}})
    assert "already exists" in caught.value.found
    version, uid = made["metadata"]["resourceVersion"], made["metadata"]["uid"]
    newer = api.patch(one, {"metadata": {"resourceVersion": version}, "data": {"a": "1"}})
    for write in (
        lambda: api.patch(one, {"metadata": {"resourceVersion": version}, "data": {"a": "2"}}),
        lambda: api.delete(one, uid, version),
        lambda: api.delete(one, "another"),
    ):
        with pytest.raises(SiteConflict) as caught:
            write()
        assert caught.value.message == f"configmaps/a in namespace {namespace} changed while it was being written"
    with pytest.raises(SiteError) as invalid:
        api.create(namespaced(namespace, "configmaps"), {"metadata": {"name": "Bad_"}})
    assert not isinstance(invalid.value, SiteConflict)
    assert invalid.value.found.startswith("422: ")
    assert 'Invalid value: "Bad_"' in invalid.value.found
    assert (api.get(one) or {})["data"] == {"a": "1"}
    api.delete(one, uid, newer["metadata"]["resourceVersion"])
    assert api.get(one) is None


def test_a_label_selector(cluster: Any) -> None:
    namespace = cluster.create_namespace(unique("labels"))
    api = Api(Connection(kubeconfig=str(cluster.kubeconfig)))
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2"})):
        api.create(namespaced(namespace, "configmaps"), {"metadata": {"name": name, "labels": labels}})
    body = api.get(namespaced(namespace, "configmaps"), {"labelSelector": "x=1"})
    assert [item["metadata"]["name"] for item in (body or {})["items"]] == ["a"]


def test_the_servers_clock(cluster: Any) -> None:
    api = Api(Connection(kubeconfig=str(cluster.kubeconfig)))
    assert api.server_time is None
    api.get("/api/v1/namespaces/default")
    assert api.server_time is not None
    assert abs(api.server_time - time.time()) < 5


@pytest.mark.parametrize("date", ["yesterday", "", "Mon, 99 Jan 2024 00:00:00 GMT"])
def test_an_odd_date(server: Server, date: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http.server.BaseHTTPRequestHandler, "date_time_string", lambda *dummy: date)
        server.says((200, {}, {}))
        api = server.api()
        assert api.request("GET", NODES).server_time is None


# -- faults


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotReached) as caught:
        Api(Connection(host=f"https://127.0.0.1:{port}", api_key="x", timeout=2.0)).get(NODES)
    assert caught.value.message == f"the API server https://127.0.0.1:{port} cannot be reached"
    assert "Connection refused" in caught.value.found
    assert "object at 0x" not in caught.value.found


def test_no_such_host() -> None:
    with pytest.raises(SiteError) as caught:
        Api(Connection(host="https://nowhere.invalid:6443", api_key="x", timeout=2.0)).get(NODES)
    assert "cannot be reached" in caught.value.message


@pytest.mark.parametrize(("method", "attempts"), [("GET", 2), ("PATCH", 1)])
def test_a_server_that_never_answers(method: str, attempts: int) -> None:
    """A write is not sent again: the server may have done it."""
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listening, contextlib.ExitStack() as stack:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connections.append(stack.enter_context(listening.accept()[0]))

        threading.Thread(target=accept, daemon=True).start()
        api = Api(
            Connection(host=f"http://127.0.0.1:{listening.getsockname()[1]}", api_key="x", timeout=0.3),
        )
        with pytest.raises(SiteError) as caught:
            api.request(method, NODES, {} if method == "PATCH" else None)
        assert "cannot be reached" in caught.value.message
        assert "timed out" in caught.value.found.lower()
        assert len(connections) == attempts


def test_a_paused_api_server(cluster: Any) -> None:
    if not cluster.owned:
        pytest.skip("not a server of ours")
    api = Api(Connection(kubeconfig=str(cluster.kubeconfig), timeout=0.5))
    assert api.get("/api/v1/namespaces/default")
    cluster.pause()
    try:
        with pytest.raises(SiteError, match="cannot be reached"):
            api.get("/api/v1/namespaces/default")
    finally:
        cluster.resume()
    assert api.get("/api/v1/namespaces/default")


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("call", ["get", "create", "patch"])
def test_a_busy_server_is_asked_again(server: Server, status: int, call: str) -> None:
    server.says((status, {"Retry-After": "1"}, {"message": "busy"}), (200, {}, {"ok": True}))
    begun = time.monotonic()
    api = server.api()
    assert (api.get(NODES) if call == "get" else getattr(api, call)(NODES, {})) == {"ok": True}
    assert time.monotonic() - begun >= 1
    assert len(server.requests) == 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_that_names_no_time(server: Server, status: int) -> None:
    server.says((status, {}, {"message": "busy"}), (200, {}, {"ok": True}))
    assert server.api().create(NODES, {}) == {"ok": True}
    assert len(server.requests) == 2


def test_a_server_that_stays_busy_is_given_up(server: Server) -> None:
    server.says((429, {"Retry-After": "0"}, {"message": "too many"}))
    with pytest.raises(SiteError) as caught:
        server.api().get("/api/v1/namespaces/x/secrets")
    assert caught.value.found == "429: too many"
    assert len(server.requests) == 4


def test_a_server_that_says_to_come_back_in_an_hour(server: Server) -> None:
    """A load balancer in maintenance does; a play must not stand still for it."""
    server.says((503, {"Retry-After": "3600"}, b"maintenance"), (200, {}, {}))
    done: list[float] = []
    begun = time.monotonic()

    def ask() -> None:
        with contextlib.suppress(SkupperTlsError):
            server.api().get(NODES)
        done.append(time.monotonic() - begun)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(kube.LONGEST_RETRY_AFTER_SECONDS + 2)
    assert done


@pytest.mark.parametrize("status", [500, 502, 504])
def test_other_errors_of_the_server_are_told_at_once(server: Server, status: int) -> None:
    server.says((status, {}, b"<html>"))
    with pytest.raises(SiteError) as caught:
        server.api().get("/api/v1/namespaces/x/secrets/s")
    assert caught.value.message == "the API server refused to get secrets/s in namespace x"
    assert caught.value.found == f"{status}: HTTP status {status}"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"metadata": {"name"', b"\xff"])
@pytest.mark.parametrize("call", ["get", "create", "patch"])
def test_an_answer_that_is_no_object(server: Server, body: bytes, call: str) -> None:
    server.says((200, {}, body))
    api = server.api()
    with pytest.raises(SiteError) as caught:
        dummy = api.get(NODES) if call == "get" else getattr(api, call)(NODES, {})
    assert "cannot be reached" in caught.value.message
    assert server.url in caught.value.message


@pytest.mark.parametrize("call", ["get", "patch"])
def test_an_answer_that_is_cut_off(server: Server, call: str) -> None:
    server.says((200, {"Content-Length": "500"}, b'{"metadata": {}}'))
    api = server.api(timeout=2.0)
    with pytest.raises(SiteError) as caught:
        dummy = api.get(NODES) if call == "get" else api.patch(NODES, {})
    assert "cannot be reached" in caught.value.message
    assert len(server.requests) == (2 if call == "get" else 1)


def test_a_redirect_is_not_followed(server: Server) -> None:
    """It would take the token along."""
    server.says((302, {"Location": server.url + "/elsewhere"}, b""))
    with pytest.raises(SiteError):
        server.api().get(NODES)
    assert [request[1] for request in server.requests] == [NODES]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/api/v1/namespaces/shop/secrets/s", "secrets/s in namespace shop"),
        ("/api/v1/namespaces/shop/secrets", "secrets in namespace shop"),
        ("/api/v1/namespaces/shop", "namespaces/shop"),
        ("/apis/skupper.io/v2alpha1/namespaces/shop/listeners/l", "listeners.skupper.io/l in namespace shop"),
        ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "selfsubjectaccessreviews.authorization.k8s.io"),
    ],
)
def test_paths_in_words(path: str, text: str) -> None:
    assert kube.resource_of(path) == text


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("shop", "secrets"), "/api/v1/namespaces/shop/secrets"),
        (("shop", "secrets", "s"), "/api/v1/namespaces/shop/secrets/s"),
        (("shop", "deployments", "d", "apps/v1"), "/apis/apps/v1/namespaces/shop/deployments/d"),
    ],
)
def test_paths(arguments: tuple[str, ...], path: str) -> None:
    assert kube.namespaced(*arguments) == path


def test_a_connection_does_not_show_its_secrets() -> None:
    text = repr(Connection(kubeconfig={"users": "hunter2"}, api_key="hunter2", password="hunter2"))
    assert "hunter2" not in text


Review = Callable[..., list[tuple[str, str, str, str]]]


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([], ["get", "create"]),
        ([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}], ["create"]),
        ([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}], []),
        ([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}], []),
        ([{"apiGroups": ["apps"], "resources": ["secrets"], "verbs": ["*"]}], ["get", "create"]),
        ([{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get"]}], ["create"]),
        (
            [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["t"], "verbs": ["get"]}],
            ["get", "create"],
        ),
    ],
)
def test_review_of_permissions(cluster: Any, rules: list[Any], missing: list[str]) -> None:
    namespace = cluster.create_namespace(unique("review"))
    api = Api(Connection(kubeconfig=str(cluster.make_user(namespace, "u", rules))))
    wanted = [("", "secrets", "s", "get"), ("", "secrets", "", "create")]
    assert [verb for dummy, dummy, dummy, verb in kube.review_permissions(api, namespace, wanted)] == missing
