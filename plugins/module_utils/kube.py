# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to a Kubernetes API server, over the kubernetes client's own configuration and connection pool.

The client's generated models are passed by: a site task makes a handful of requests, and building model classes
for each would cost more than the requests. What the client does for us is kubeconfig, credentials (exec plugins,
tokens, certificates), TLS and proxies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .errors import ForeignObject, InputError, NotPermitted, NotReached, SiteConflict, SiteError, SkupperTlsError

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 5.0
DEFAULT_KUBECONFIG = "~/.kube/config"
SHARED_MEMORY = "/dev/shm"

try:
    import urllib3
    import yaml
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import incluster_config, kube_config
    from kubernetes.config.config_exception import ConfigException
except ImportError:  # modules must import without it; run.py says what is missing
    pass
else:

    class _Retry(urllib3.Retry):
        """Wait as long as the server asks, within reason: a load balancer in maintenance may name an hour."""

        def get_retry_after(self, response: Any) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER_SECONDS)


@dataclass(frozen=True)
class Connection:
    """How to reach an API server; names and meanings are those of kubernetes.core.

    Attributes:
        kubeconfig: a path, several paths joined by the path separator, or the content as a mapping.
        validate_certs: False turns the verification of the server's certificate off; None leaves it to kubeconfig.
        timeout: seconds that one request may take.
    """

    kubeconfig: Any = field(default=None, repr=False)
    context: str | None = None
    host: str | None = None
    api_key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_cert: str | None = None
    validate_certs: bool | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    timeout: float = READ_TIMEOUT_SECONDS


@dataclass(frozen=True)
class Reply:
    """The answer of an API server: HTTP status, decoded body, and its clock (seconds since the epoch) if it told."""

    status: int
    body: dict[str, Any]
    server_time: float | None


class Api:
    """One API server. Errors of transport and of permission are raised; other statuses are returned."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._configuration = _configuration(connection)
        self.server: str = str(self._configuration.host or "").rstrip("/")
        self._pool = ApiClient(self._configuration).rest_client.pool_manager
        self._timeout = urllib3.Timeout(
            connect=min(CONNECT_TIMEOUT_SECONDS, connection.timeout), read=connection.timeout
        )
        self.server_time: float | None = None

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Reply:
        """Send one request and return the reply, whatever its status.

        Raises:
            SiteError: the server cannot be reached, or does not know who we are (401).
        """
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        headers = self._headers()
        data = None
        if body is not None:
            headers["Content-Type"] = content_type
            data = json.dumps(body)
        try:
            response = self._pool.request(
                method, url, body=data, headers=headers, timeout=self._timeout, retries=_retries(method)
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _unreachable(self.server, error) from None
        if response.status == 401:
            raise NotReached(
                f"the API server {self.server} does not accept the credentials",
                found="401 Unauthorized",
                remedy="Renew the token or client certificate of the kubeconfig",
            )
        date = _server_time(response.headers.get("Date"))
        if date is not None:
            self.server_time = date
        return Reply(response.status, _json(response.data, response.status, self.server), date)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return an object or list, None if there is none (404)."""
        reply = self.request("GET", path, query=query)
        return None if reply.status == 404 else _checked(reply, "get" if _parts(path)[1] else "list", path)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in a collection; SiteConflict if one of its name is there."""
        return _checked(self.request("POST", path, body), "create", path)

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Merge-patch an object (RFC 7386); SiteConflict if it is gone or not of the resourceVersion in the body."""
        reply = self.request("PATCH", path, body, None, "application/merge-patch+json")
        if reply.status == 404:
            raise _conflict(resource_of(path), "404: it is gone")
        return _checked(reply, "patch", path)

    def apply(self, path: str, body: Mapping[str, Any], manager: str, force: bool = False) -> dict[str, Any]:
        """Server-side apply: make these the fields that the manager owns in an object, and release its others.

        Raises:
            ForeignObject: another manager owns a field and has another value there; not with ``force``.
            SiteConflict: the object is not the one of the uid in the body.
        """
        query = {"fieldManager": manager, "force": str(force).lower()}
        reply = self.request("PATCH", path, body, query, "application/apply-patch+yaml")
        causes = (reply.body.get("details") or {}).get("causes") or [] if reply.status in (409, 422) else []
        if any(cause.get("field") == "metadata.uid" for cause in causes):
            raise _conflict(resource_of(path), "another object of the name")
        held = [
            f"{cause.get('message')}: {cause.get('field')}"
            for cause in causes
            if cause.get("reason") == "FieldManagerConflict"
        ]
        if held:
            raise ForeignObject(
                "other field managers hold fields that the mount needs",
                field=resource_of(path),
                found="; ".join(held),
                remedy="Choose another mount_path, remove the other's fields, or set adopt: true to take them over",
            )
        return _checked(reply, "patch", path)

    def delete(self, path: str, uid: str = "", resource_version: str = "") -> None:
        """Delete an object if it still is the one named; an absent one is no error."""
        conditions = {key: value for key, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
        reply = self.request("DELETE", path, body)
        if reply.status != 404:
            _checked(reply, "delete", path)

    def _headers(self) -> Any:
        headers = {"Accept": "application/json"}
        for setting in self._configuration.auth_settings().values():
            if setting.get("in") == "header":
                headers[setting["key"]] = setting["value"]
        basic = self._connection.username, self._connection.password
        if all(basic):
            headers.update(urllib3.make_headers(basic_auth=":".join(str(part) for part in basic)))
        if self._connection.impersonate_user:
            headers["Impersonate-User"] = self._connection.impersonate_user
        if self._connection.impersonate_groups:
            grouped = urllib3.HTTPHeaderDict(headers)
            for group in self._connection.impersonate_groups:
                grouped.add("Impersonate-Group", group)
            return grouped
        return headers


_apis: dict[str, Api] = {}
_files: dict[tuple[str, int, int], dict[str, Any]] = {}


@contextmanager
def session() -> Iterator[None]:
    """Keep one client per connection for the time of a task, then drop what the client wrote to temporary files.

    An Ansible worker ends without running exit handlers, so the client's own clean-up would never happen. Files that
    the parent process wrote, of which a worker inherits the list, are the parent's: other workers use them.
    """
    module: Any = globals().get("kube_config")
    inherited = getattr(module, "_temp_files", None)
    if inherited is not None:
        module._temp_files = {}
    try:
        yield
    finally:
        _apis.clear()
        _files.clear()
        cleanup = getattr(module, "_cleanup_temp_files", None)
        if cleanup is not None:
            cleanup()
        if inherited is not None:
            module._temp_files = inherited


def api(connection: Connection) -> Api:
    """Return the client for a connection, the same one within a session."""
    values = [getattr(connection, name) for name in connection.__dataclass_fields__]
    key = json.dumps(values, sort_keys=True, default=str)  # YAML reads an expiry in a kubeconfig as a date
    if key not in _apis:
        _apis[key] = Api(connection)
    return _apis[key]


def _configuration(connection: Connection) -> Any:
    configuration = Configuration()
    if connection.kubeconfig or connection.context or not connection.host:
        if not (connection.kubeconfig or connection.context) and _in_cluster():
            incluster_config.load_incluster_config(client_configuration=configuration)
        else:
            _load_kubeconfig(connection, configuration)
    overrides: dict[str, Any] = {
        "host": connection.host,
        "ssl_ca_cert": _path(connection.ca_cert),
        "cert_file": _path(connection.client_cert),
        "key_file": _path(connection.client_key),
        "verify_ssl": connection.validate_certs,
        "proxy": connection.proxy,
        "no_proxy": connection.no_proxy,
    }
    for name, value in overrides.items():
        if value is not None:
            setattr(configuration, name, value)
    if connection.api_key:
        configuration.api_key = {"authorization": f"Bearer {connection.api_key}"}
        configuration.refresh_api_key_hook = None
    return configuration


def _in_cluster() -> bool:
    """Return whether to use the pod's own service account, as kubernetes.core does: in a pod without a kubeconfig."""
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and "KUBERNETES_SERVICE_PORT" in os.environ
    return in_pod and not Path(DEFAULT_KUBECONFIG).expanduser().exists()


def _load_kubeconfig(connection: Connection, configuration: Any) -> None:
    config = _kubeconfig(connection.kubeconfig)
    context = connection.context or config.get("current-context")
    try:
        kube_config.load_kube_config_from_dict(
            _only(config, str(context or "")),
            context=context,
            client_configuration=configuration,
            persist_config=False,
            temp_file_path=_temporary_folder(),
        )
    except (ConfigException, KeyError, TypeError, AttributeError, ValueError, OSError) as error:
        raise InputError(
            "the kubeconfig has no usable context of that name",
            field="context",
            found=str(context or "(none)"),
            remedy=f"Use one of its contexts ({', '.join(_names(config, 'contexts')) or 'it has none'})"
            f" and check its cluster and user ({type(error).__name__})",
        ) from None


def _temporary_folder() -> str | None:
    """Return where the client may write the certificates of a kubeconfig for the TLS library: in memory if possible."""
    return SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK | os.X_OK) else None


def warm_up() -> None:
    """Build a client once, without a request: see run.warm_up."""
    with session():
        Api(Connection(kubeconfig=_WARM_UP))


_WARM_UP: dict[str, Any] = {
    "current-context": "none",
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "clusters": [{"name": "none", "cluster": {"server": "https://none.invalid"}}],
    "users": [{"name": "none", "user": {"token": "none"}}],
}


def _kubeconfig(source: Any) -> dict[str, Any]:
    """Return a kubeconfig's content; of several files the first that names a thing wins, as in kubectl."""
    if isinstance(source, Mapping):
        return dict(source)
    merged: dict[str, Any] = {}
    paths = [path for path in str(source or DEFAULT_KUBECONFIG).split(os.pathsep) if path]
    for path in paths:
        for key, value in _kubeconfig_file(path).items():
            if isinstance(value, list):
                merged[key] = merged.get(key, []) + value
            else:
                merged.setdefault(key, value)
    return merged


def _kubeconfig_file(path: str) -> dict[str, Any]:
    file = Path(path).expanduser()
    try:
        # Once a session: the inventory plugin asks for each of a thousand contexts of one file.
        state = file.stat()
        key = (str(file), state.st_mtime_ns, state.st_size)
        if key in _files:
            return _files[key]
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise InputError(
            "the kubeconfig cannot be read",
            field="kubeconfig",
            found=f"{path}: {reason}",
            remedy="Give the path of a kubeconfig, or set K8S_AUTH_KUBECONFIG",
        ) from None
    _files[key] = _parse_kubeconfig(text, path, file.parent)
    return _files[key]


def _parse_kubeconfig(text: str, path: str, base: Path) -> dict[str, Any]:
    # The C parser: a merged kubeconfig of hundreds of contexts is read by every task.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        config = None
    if not isinstance(config, dict):
        raise InputError(
            "the kubeconfig is not a YAML mapping", field="kubeconfig", found=path, remedy="Give a kubeconfig file"
        )
    for section, inner in (("clusters", "cluster"), ("users", "user")):
        for entry in config.get(section) or []:
            for key in ("certificate-authority", "client-certificate", "client-key", "tokenFile"):
                details = entry.get(inner) if isinstance(entry, dict) else None
                if isinstance(details, dict) and isinstance(details.get(key), str):
                    details[key] = str(base / Path(details[key]).expanduser())
    return config


def _only(config: Mapping[str, Any], context: str) -> dict[str, Any]:
    """Return the kubeconfig reduced to one context, so that the client does not look through hundreds.

    Raises:
        KeyError: the context, its cluster, the cluster's server or the context's user is missing; the client would
            go to localhost, or as nobody.
    """
    chosen = _first(config, "contexts", context)
    details = (chosen[0].get("context") or {}) if chosen else {}
    clusters = _first(config, "clusters", details.get("cluster"))
    users = _first(config, "users", details.get("user"))
    if not clusters or not clusters[0]["cluster"].get("server") or (details.get("user") and not users):
        raise KeyError(context)
    return {**config, "contexts": chosen, "clusters": clusters, "users": users}


def _first(config: Mapping[str, Any], section: str, name: Any) -> list[Any]:
    """Return the first entry of the name, as a list: of several files', the first one counts."""
    return [entry for entry in config.get(section) or [] if entry.get("name") == name][:1]


def contexts(source: Any) -> dict[str, str]:
    """Return by name the default namespace of each context of a kubeconfig, empty where the context has none."""
    entries = _kubeconfig(source).get("contexts")
    found: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("name"):
            details = entry.get("context")
            namespace = details.get("namespace") if isinstance(details, dict) else None
            found.setdefault(str(entry["name"]), str(namespace or ""))
    return found


def _names(config: Mapping[str, Any], section: str) -> list[str]:
    entries = config.get(section)
    return [str(entry.get("name")) for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _path(path: str | None) -> str | None:
    return str(Path(path).expanduser()) if path else None


def _retries(method: str) -> Any:
    """Wait and try again where that is safe: refused before it was processed (429, 503), or a read."""
    return _Retry(
        total=4,
        connect=1,
        read=1 if method == "GET" else 0,
        redirect=0,
        status=3,
        other=0,
        backoff_factor=0.25,
        status_forcelist=(429, 503),
        allowed_methods=None,
        respect_retry_after_header=True,
        raise_on_status=False,
    )


def _unreachable(server: str, error: Exception) -> SiteError:
    reason = getattr(error, "reason", None) or error
    return NotReached(
        f"the API server {server} cannot be reached",
        found=_reason(reason),
        remedy="Check that the cluster is up, its address in the kubeconfig, and the way to it (VPN, proxy)",
    )


def _reason(reason: Any) -> str:
    text = str(reason)
    # urllib3 puts the repr of its connection object before the part a person can read.
    return text.split("): ", 1)[-1]


def _server_time(date: str | None) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except (TypeError, ValueError):
        return None


def _json(data: bytes, status: int, server: str) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if isinstance(body, dict):
        return body
    if status >= 300:
        return {}  # the status says enough
    raise NotReached(
        f"the API server {server} cannot be reached: something else answers in its place",
        found=f"status {status} without a JSON object",
        remedy="Check the address in the kubeconfig, and proxies and load balancers on the way",
    )


def _checked(reply: Reply, verb: str, path: str) -> dict[str, Any]:
    if reply.status < 300:
        return reply.body
    raise _status_error(reply, verb, path)


def _status_error(reply: Reply, verb: str, path: str) -> SkupperTlsError:
    message = str(reply.body.get("message") or f"HTTP status {reply.status}")
    what = resource_of(path)
    if reply.status == 403:
        return NotPermitted(
            f"not permitted: verb {verb} on {what}",
            found=message,
            remedy="Grant that verb to the user of the kubeconfig by a Role in the namespace",
        )
    if reply.status == 409:
        return _conflict(what, message)
    return NotReached(
        f"the API server refused to {verb} {what}",
        found=f"{reply.status}: {message}",
        remedy="See the message of the API server; run again after mending it",
    )


def _conflict(what: str, found: str) -> SiteConflict:
    return SiteConflict(f"{what} changed while it was being written", found=found, remedy="Run again")


def resource_of(path: str) -> str:
    """Return an API path in words: ``secrets/server-cert-secret in namespace shop``."""
    resource, name, namespace = _parts(path)
    return resource + (f"/{name}" if name else "") + (f" in namespace {namespace}" if namespace else "")


def _parts(path: str) -> tuple[str, str, str]:
    """Return the resource with its group, the object's name and the namespace; the last two may be empty."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    group = "" if parts[0] == "api" else f".{parts[1]}"
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    return (rest[0] if rest else path) + group, rest[1] if len(rest) > 1 else "", namespace


def namespaced(namespace: str, plural: str, name: str = "", group: str = "") -> str:
    """Return the path of a namespaced collection or object; ``group`` is like ``apps/v1``, empty for core."""
    root = f"/apis/{group}" if group else "/api/v1"
    return f"{root}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def review_permissions(
    client: Api, namespace: str, wanted: Sequence[tuple[str, str, str, str]]
) -> list[tuple[str, str, str, str]]:
    """Return those of the wanted (group, resource, name, verb) that are not permitted.

    One SelfSubjectRulesReview answers for RBAC. It may be incomplete with other authorizers and for any
    subresource, so each that it does not grant is asked for by a SelfSubjectAccessReview of its own.
    """
    rules = _rules(client, namespace)
    open_questions = [want for want in wanted if not any(_grants(rule, want) for rule in rules)]
    return [want for want in open_questions if not _permitted(client, namespace, want)]


def _rules(client: Api, namespace: str) -> list[Mapping[str, Any]]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    reply = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)
    return list((reply.body.get("status") or {}).get("resourceRules") or []) if reply.status < 300 else []


def _grants(rule: Mapping[str, Any], want: tuple[str, str, str, str]) -> bool:
    group, resource, name, verb = want
    names = rule.get("resourceNames") or []
    return (
        bool({group, "*"} & set(rule.get("apiGroups") or []))
        and bool({resource, "*"} & set(rule.get("resources") or []))
        and bool({verb, "*"} & set(rule.get("verbs") or []))
        and (not names or name in names)
    )


def _permitted(client: Api, namespace: str, want: tuple[str, str, str, str]) -> bool:
    group, resource, name, verb = want
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": resource, "name": name}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    status = _checked(client.request("POST", path, body), "create", path).get("status") or {}
    return bool(status.get("allowed"))
