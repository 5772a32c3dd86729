# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Kubernetes API servers for tests, the demo and the benchmark.

    with Clusters(["east", "west"]) as clusters:
        clusters["east"].make_v2_site("shop")
        run(kubeconfig=clusters.kubeconfig)  # contexts "east" and "west"

The servers are this directory's own (``apiserver``), or, if SKUPPER_TLS_TEST_KUBECONFIG names kubeconfig files, the
clusters of the contexts in those. ``python3 tests/cluster/clusters.py up`` runs some in the foreground.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
ENVIRONMENT = "SKUPPER_TLS_TEST_KUBECONFIG"
READY_TIMEOUT = 120.0
STOP_TIMEOUT = 10.0
SKUPPER_GROUP, SKUPPER_VERSION = "skupper.io", "v2alpha1"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RBAC = "rbac.authorization.k8s.io"
# No image is ever pulled: nothing here runs pods.
_IMAGE = "registry.invalid/none"

Object = dict[str, Any]


class ClusterError(Exception):
    """A cluster cannot be started or used; the text says why."""


class NotEnoughClusters(ClusterError):
    """More clusters are asked for than SKUPPER_TLS_TEST_KUBECONFIG has contexts."""


def unique(prefix: str) -> str:
    """A name that nothing else has, for namespaces: clusters are shared by the tests of a session."""
    return f"{prefix}-{secrets.token_hex(4)}"


# --- kubeconfigs ------------------------------------------------------------------------------------------------------


def _write_private(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written beside and moved into place: whoever reads it meanwhile sees the old or the new one, never half of one.
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)
    return path


def _render(contexts: Mapping[str, Mapping[str, Any]]) -> str:
    """One cluster, user and context for each name; what is given for a name has ``cluster``, ``user``, ``context``."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(contexts), ""),
        "clusters": [{"name": name, "cluster": entry["cluster"]} for name, entry in contexts.items()],
        "users": [{"name": name, "user": entry["user"]} for name, entry in contexts.items()],
        "contexts": [
            {"name": name, "context": {**entry["context"], "cluster": name, "user": name}}
            for name, entry in contexts.items()
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _read_contexts(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Every context of the files with its cluster and user; of two of one name the first counts, as kubectl has it."""
    found: dict[str, dict[str, Any]] = {"cluster": {}, "user": {}, "context": {}}
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text())
            for kind, entries in found.items():
                for item in document.get(f"{kind}s") or []:
                    entries.setdefault(item["name"], _absolute(item[kind] or {}, path.parent))
        except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise ClusterError(f"{path} is no kubeconfig that can be read: {error}") from error
    return {
        name: {
            "cluster": found["cluster"].get(context.get("cluster"), {}),
            "user": found["user"].get(context.get("user"), {}),
            "context": {key: value for key, value in context.items() if key not in ("cluster", "user")},
        }
        for name, context in found["context"].items()
    }


def _absolute(entry: Object, base: Path) -> Object:
    """File names in a kubeconfig are relative to it; ours is written elsewhere."""
    files = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
    return {key: str(base / value) if key in files and value else value for key, value in entry.items()}


def write_kubeconfig(path: Path, contexts: Mapping[str, Cluster | Path], *, namespace: str | None = None) -> Path:
    """Write one kubeconfig with a context for each name.

    Each value is a cluster (its administrator is the user) or a kubeconfig with one context, as ``make_user`` returns.
    ``namespace`` becomes the default namespace of all of them.
    """
    entries: dict[str, dict[str, Any]] = {}
    for name, source in contexts.items():
        origin = source.kubeconfig if isinstance(source, Cluster) else source
        entry = next(iter(_read_contexts([origin]).values()))
        if namespace is not None:
            entry["context"]["namespace"] = namespace
        entries[name] = entry
    return _write_private(path, _render(entries))


# --- one server process -----------------------------------------------------------------------------------------------


class _Server:
    """One process of ``testapiserver``. It ends when this process does, however that ends."""

    def __init__(self, binary: Path, name: str, data: Path, port: int = 0) -> None:
        self.data = data
        self.url = ""
        data.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        options = [
            f"--data-dir={data}",
            f"--context={name}",
            f"--port={port}",
            "--exit-with-parent",
            "--remove-data-dir",
        ]
        self._process = subprocess.Popen(
            [str(binary), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Control-C in the terminal is for us; the servers are stopped when we are done with them.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_ready(self, timeout: float = READY_TIMEOUT) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        ready, dummy, dummy = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            reason = self._process.stderr.read().decode(errors="replace").strip()
            raise ClusterError(f"the test API server is not ready: {reason or f'nothing heard in {timeout:.0f} s'}")
        self.url = str(json.loads(line)["server"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def pause(self) -> None:
        """Stop the process, and return when it has: on a busy machine its threads run on for a while."""
        self.signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_TIMEOUT
        while not self._stopped():
            if time.monotonic() > deadline:
                raise ClusterError("the test API server cannot be paused")
            time.sleep(0.01)

    def _stopped(self) -> bool:
        states = (stat.read_text() for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"))
        # The state follows the command's name, which stands in parentheses (proc(5)).
        return all(state.rpartition(")")[2].split()[0] == "T" for state in states)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def ask_to_stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)  # it may be paused
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        self.ask_to_stop()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def _binary() -> Path:
    """A process of its own, so that this file works as a script and as a module of whatever package it is found in."""
    done = subprocess.run([sys.executable, str(HERE / "build.py")], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError("the test API server could not be built (see the messages above)")
    return Path(done.stdout.strip())


# --- a cluster --------------------------------------------------------------------------------------------------------


class Cluster:
    """One cluster, and what tests need in it. All it makes in a namespace goes with the namespace.

    ``kubeconfig`` is the administrator's, with one context, called ``name``.
    """

    def __init__(self, name: str, kubeconfig: Path, users: Path, server: _Server | None = None) -> None:
        self.name = name
        self.kubeconfig = kubeconfig
        self._users = users
        self._server = server
        self._namespaces: list[str] = []

    def __repr__(self) -> str:
        return f"Cluster({self.name!r}, {str(self.kubeconfig)!r})"

    @property
    def owned(self) -> bool:
        """Whether the server is ours: then nothing but the tests acts on it, and it can be paused and killed."""
        return self._server is not None

    # The clients take plain dictionaries as bodies. They are Any: the types of the kubernetes package differ from
    # version to version, and the older ones have none.

    @cached_property
    def api(self) -> Any:
        from kubernetes import config

        load: Any = config.new_client_from_config
        return load(config_file=str(self.kubeconfig), context=self.name)

    def _client(self, kind: str) -> Any:
        from kubernetes import client

        return getattr(client, kind)(self.api)

    @cached_property
    def core(self) -> Any:
        return self._client("CoreV1Api")

    @cached_property
    def apps(self) -> Any:
        return self._client("AppsV1Api")

    @cached_property
    def rbac(self) -> Any:
        return self._client("RbacAuthorizationV1Api")

    @cached_property
    def custom(self) -> Any:
        return self._client("CustomObjectsApi")

    @cached_property
    def extensions(self) -> Any:
        return self._client("ApiextensionsV1Api")

    # Skupper's own kinds, for which there is no typed client.

    def create_skupper(self, namespace: str, kind: str, name: str, spec: Object) -> Object:
        body = {
            "apiVersion": f"{SKUPPER_GROUP}/{SKUPPER_VERSION}",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        made: Object = self.custom.create_namespaced_custom_object(
            SKUPPER_GROUP, SKUPPER_VERSION, namespace, f"{kind.lower()}s", body
        )
        return made

    def list_skupper(self, namespace: str, kind: str) -> list[Object]:
        found: list[Object] = self.custom.list_namespaced_custom_object(
            SKUPPER_GROUP, SKUPPER_VERSION, namespace, f"{kind.lower()}s"
        )["items"]
        return found

    # Namespaces

    def create_namespace(self, name: str) -> str:
        """Create it; refused if it is there, so that no test works in another's. Removed by ``Clusters.stop``."""
        self.core.create_namespace({"metadata": {"name": name}})
        self._namespaces.append(name)
        return name

    def _have_namespace(self, name: str) -> None:
        if name not in self._namespaces:
            self.create_namespace(name)

    def delete_namespace(self, name: str) -> None:
        """Delete it. On our own servers nobody empties or finalises a namespace; then this does what is needed for it
        to be gone (its objects remain in the store, so do not use the name again)."""
        self.core.delete_namespace(name)
        if self.owned:
            self.core.replace_namespace_finalize(name, {"metadata": {"name": name}, "spec": {"finalizers": []}})
        if name in self._namespaces:
            self._namespaces.remove(name)

    def _delete_namespaces(self) -> None:
        for name in reversed(self._namespaces):
            self.core.delete_namespace(name)
        self._namespaces.clear()

    # Sites

    def make_v2_site(self, namespace: str, name: str | None = None, *, controller: bool = True) -> None:
        """A Skupper v2 site: the namespace (unless this cluster made it before), a Site, its router's configuration.

        Without ``controller`` the Site has no status, as where no Skupper controller runs.
        """
        self._have_namespace(namespace)
        name = name or namespace
        self.create_skupper(namespace, "Site", name, {"linkAccess": "default"})
        if not self.owned:
            return  # a Skupper controller may be there, and the rest is its business
        self._config_map(namespace, "skupper-router", {"skrouterd.json": _router_config(namespace, "2.2.1")})
        self._deployment(namespace, "skupper-router", {"app.kubernetes.io/name": "skupper-router"})
        if not controller:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        conditions = [
            {"type": kind, "status": "True", "reason": kind, "message": "OK", "lastTransitionTime": now}
            for kind in ("Configured", "Running", "Ready")
        ]
        self.custom.patch_namespaced_custom_object_status(
            SKUPPER_GROUP, SKUPPER_VERSION, namespace, "sites", name,
            {"status": {"status": "Ready", "message": "OK", "conditions": conditions}},
        )  # fmt: skip

    def make_v1_site(self, namespace: str, name: str | None = None, *, controller: bool = True) -> None:
        """A Skupper v1 site: the namespace (unless this cluster made it before), and what `skupper init` leaves that a
        writer of certificates and services reads or changes.

        Without ``controller`` the service-controller has no ready replica.
        """
        self._have_namespace(namespace)
        name = name or namespace
        self._config_map(namespace, "skupper-site", {"name": name, "router-mode": "interior", "ingress": "none"})
        self._config_map(namespace, "skupper-services", {})
        self._config_map(namespace, "skupper-internal", {"skrouterd.json": _router_config(name, "1.9.6")})
        for deployment in ("skupper-router", "skupper-service-controller"):
            labels = {"app.kubernetes.io/name": deployment, "app.kubernetes.io/part-of": "skupper"}
            ready = controller or deployment != "skupper-service-controller"
            self._deployment(namespace, deployment, labels, ready=ready)

    def make_workload(self, namespace: str, name: str, labels: Mapping[str, str] | None = None) -> None:
        """A Deployment whose pods have these labels (``app: <name>`` if none are given); nothing runs."""
        self._deployment(namespace, name, dict(labels or {"app": name}))

    def _config_map(self, namespace: str, name: str, data: Mapping[str, str]) -> None:
        body: Object = {"metadata": {"name": name}}
        if data:
            body["data"] = dict(data)
        self.core.create_namespaced_config_map(namespace, body)

    def _deployment(self, namespace: str, name: str, labels: dict[str, str], *, ready: bool = True) -> None:
        replicas = 1 if self.owned else 0  # on a real cluster the pod would only fail to pull its image
        body = {
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "main", "image": _IMAGE}]},
                },
            },
        }
        self.apps.create_namespaced_deployment(namespace, body)
        if self.owned and ready:
            # What the deployment controller would have written by now.
            counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
            status = {"status": {**counts, "observedGeneration": 1}}
            self.apps.patch_namespaced_deployment_status(name, namespace, status)

    # Users

    def make_user(self, namespace: str, name: str, rules: Sequence[Mapping[str, Any]]) -> Path:
        """A ServiceAccount that may do what the RBAC rules say in this namespace, and nothing else if there are none.

        Returns its kubeconfig: one context, called as the cluster is, with a token good for an hour.
        """
        self.core.create_namespaced_service_account(namespace, {"metadata": {"name": name}})
        if rules:
            self.rbac.create_namespaced_role(
                namespace, {"metadata": {"name": name}, "rules": [dict(rule) for rule in rules]}
            )
            binding = {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            }
            self.rbac.create_namespaced_role_binding(namespace, binding)
        request = {"spec": {"expirationSeconds": 3600}}
        token = self.core.create_namespaced_service_account_token(name, namespace, request).status.token
        entry = _read_contexts([self.kubeconfig])[self.name]
        entry["user"] = {"token": token}
        entry["context"]["namespace"] = namespace
        path = self._users / f"{self.name}.{namespace}.{name}.kubeconfig"
        return _write_private(path, _render({self.name: entry}))

    # Faults. Only on our own servers.

    def _own(self) -> _Server:
        if self._server is None:
            raise ClusterError(f"{self.name} is not a server of ours: it cannot be paused or killed")
        return self._server

    def pause(self) -> None:
        """The server accepts connections and answers nothing, as behind a network that drops packets."""
        self._own().pause()

    def resume(self) -> None:
        self._own().signal(signal.SIGCONT)

    def kill(self) -> None:
        """The server is gone and its port refuses connections, until ``start``."""
        self._own().kill()

    def start(self) -> None:
        """After ``kill``: the same port, the same content, the same kubeconfigs."""
        killed = self._own()
        killed.close()
        server = _Server(_binary(), self.name, killed.data, killed.port)
        server.wait_until_ready()
        self._server = server

    @property
    def pid(self) -> int:
        return self._own().pid


def _router_config(name: str, version: str) -> str:
    """The parts of a fresh router's configuration, as Skupper keeps them: a list of [entity, attributes]."""
    certificates = "/etc/skupper-router-certs"

    def profile(name: str, *, ca_only: bool = False) -> list[Any]:
        files = {"caCertFile": "ca.crt"} if ca_only else {
            "certFile": "tls.crt", "privateKeyFile": "tls.key", "caCertFile": "ca.crt"
        }  # fmt: skip
        return ["sslProfile", {"name": name, **{key: f"{certificates}/{name}/{file}" for key, file in files.items()}}]

    def listener(name: str, port: int, **more: Any) -> list[Any]:
        return ["listener", {"name": name, "port": port, **more}]

    mutual = {"saslMechanisms": "EXTERNAL", "authenticatePeer": True}
    metadata = json.dumps({"id": secrets.token_hex(8), "version": version})
    router = {"id": f"{name}-router", "mode": "interior", "helloMaxAgeSeconds": "3", "metadata": metadata}
    return json.dumps(
        [
            ["router", router],
            profile("skupper-amqps"),
            profile("skupper-internal"),
            profile("skupper-service-client", ca_only=True),
            listener("amqp", 5672, host="localhost"),
            listener("amqps", 5671, sslProfile="skupper-amqps", **mutual),
            listener("interior-listener", 55671, role="inter-router", sslProfile="skupper-internal", **mutual),
            listener("edge-listener", 45671, role="edge", sslProfile="skupper-internal", **mutual),
            ["log", {"module": "ROUTER_CORE", "enable": "error+"}],
        ]
    )


# --- several clusters -------------------------------------------------------------------------------------------------


class Clusters:
    """Some clusters, started in parallel; a context manager, a sequence, and a mapping by name.

    ``kubeconfig`` has a context for each, called by its name. It and everything else is below ``directory``, by
    default a temporary one that ``stop`` removes. ``given`` takes kubeconfig files (separated as PATH is) whose
    contexts are used, in their order, in place of servers of our own; by default what SKUPPER_TLS_TEST_KUBECONFIG says.
    """

    def __init__(self, names: Iterable[str] = (), *, directory: Path | None = None, given: str | None = None) -> None:
        self._wanted = list(names)
        self._clusters: dict[str, Cluster] = {}
        given = os.environ.get(ENVIRONMENT, "") if given is None else given
        files = [Path(path).expanduser().resolve() for path in given.split(os.pathsep) if path]
        self._given = _read_contexts(files) if files else None
        self._temporary = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="skupper-tls-")) if directory is None else directory.resolve()

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def __len__(self) -> int:
        return len(self._clusters)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(list(self._clusters.values()))

    def __getitem__(self, key: int | str) -> Cluster:
        return self._clusters[key] if isinstance(key, str) else list(self._clusters.values())[key]

    def __call__(self, count: int) -> list[Cluster]:
        """The first ``count`` clusters; those that are not running yet are started."""
        missing = count - len(self)
        if missing > 0:
            numbers = (f"cluster{number}" for number in range(1, count + 1))
            self.start([name for name in numbers if name not in self._clusters][:missing])
        return list(self)[:count]

    def start(self, names: Iterable[str]) -> list[Cluster]:
        """Start one more cluster for each name, all at once; returns them when they are ready."""
        names = list(names)
        for name in names:
            if not _NAME.fullmatch(name):
                raise ClusterError(f"{name!r} is no name for a cluster: letters, digits and '-', as RFC 1123 has it")
        if len({*names, *self._clusters}) != len(names) + len(self._clusters):
            raise ClusterError(f"a cluster's name is there twice: {', '.join([*self._clusters, *names])}")
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        started = self._start_own(names) if self._given is None else self._use_given(self._given, names)
        self._clusters.update((cluster.name, cluster) for cluster in started)
        write_kubeconfig(self.kubeconfig, self._clusters)
        return started

    def _start_own(self, names: list[str]) -> list[Cluster]:
        binary = _binary()
        servers = {name: _Server(binary, name, self.directory / "clusters" / name) for name in names}
        try:
            for server in servers.values():
                server.wait_until_ready()
        except BaseException:
            _stop_all(servers.values())
            raise
        users = self.directory / "users"
        return [Cluster(name, server.data / "kubeconfig", users, server) for name, server in servers.items()]

    def _use_given(self, contexts: dict[str, dict[str, Any]], names: list[str]) -> list[Cluster]:
        free = list(contexts.items())[len(self._clusters) :]
        if len(free) < len(names):
            raise NotEnoughClusters(
                f"{len(names) + len(self._clusters)} clusters are asked for; {ENVIRONMENT} has {len(contexts)} contexts"
            )
        found = []
        for name, (dummy, entry) in zip(names, free):
            path = _write_private(self.directory / "clusters" / name / "kubeconfig", _render({name: entry}))
            cluster = Cluster(name, path, self.directory / "users")
            _apply_kinds(cluster)
            found.append(cluster)
        return found

    def stop(self) -> None:
        """Stop our servers; on clusters that were given, delete the namespaces that were made. May be called twice."""
        clusters, self._clusters = list(self), {}
        try:
            for cluster in clusters:
                if not cluster.owned:
                    cluster._delete_namespaces()
        finally:
            _stop_all(cluster._own() for cluster in clusters if cluster.owned)
            self.kubeconfig.unlink(missing_ok=True)
            for name in ("users", "clusters"):
                shutil.rmtree(self.directory / name, ignore_errors=True)
            if self._temporary:
                shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Clusters:
        self.start(self._wanted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _stop_all(servers: Iterable[_Server]) -> None:
    servers = list(servers)
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.stop()
        server.close()


def _apply_kinds(cluster: Cluster) -> None:
    """Skupper's kinds, where they are missing. They are left there: a user may have made objects of them since."""
    from kubernetes.client.exceptions import ApiException

    for path in sorted((HERE / "apiserver" / "crds").glob("*.yaml")):
        kind = yaml.safe_load(path.read_text())
        try:
            cluster.extensions.create_custom_resource_definition(kind)
        except ApiException as error:
            if error.status != 409:
                raise
        deadline = time.monotonic() + READY_TIMEOUT
        while True:
            with contextlib.suppress(ApiException):  # 404 until it is served
                cluster.list_skupper("default", kind["spec"]["names"]["kind"])
                break
            if time.monotonic() > deadline:
                raise ClusterError(f"{cluster.name} does not serve {kind['metadata']['name']}")
            time.sleep(0.1)


# --- command line -----------------------------------------------------------------------------------------------------


def _up(names: list[str], directory: Path) -> None:
    def interrupt(*dummy: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    # Not the user's own clusters, whatever the environment says: this command is for servers of ours.
    clusters = Clusters(names, directory=directory, given="")
    with contextlib.suppress(KeyboardInterrupt), clusters:
        print(f"KUBECONFIG={clusters.kubeconfig}")
        for cluster in clusters:
            print(f"context {cluster.name}: process {cluster.pid}")
        print("ready; Control-C stops them and removes their data", flush=True)
        signal.pause()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kubernetes API servers for tests, demo and benchmark")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start servers, write a kubeconfig, serve until interrupted")
    up.add_argument("--contexts", default="east,west,edge", help="one server for each name (default: %(default)s)")
    up.add_argument("--dir", type=Path, required=True, help="where to write the kubeconfig and the servers' data")
    options = parser.parse_args(arguments)
    try:
        _up([name for name in options.contexts.split(",") if name], options.dir)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
