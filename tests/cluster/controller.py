# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skupper's controllers, played: what they write back about certificates, as observed of 1.9.6 and 2.2.1.

No Skupper runs on the API servers of the tests. This loop makes the secrets of Certificates (v2) and of entries
with generated certificates (v1), with the traps of the real ones: a leaf made before its CA stays in error until
somebody touches it, a deleted secret is not made again, a new CA does not issue its leaves anew, other hosts do, and
with a Certificate goes the secret of its name, whoever made it. It proves nothing about Skupper itself.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.clusters import Cluster

GROUP, VERSION = "skupper.io", "v2alpha1"
SERVICE_CA, SERVICE_CLIENT, PREFIX = "skupper-service-ca", "skupper-service-client", "skupper-tls-"
PLURALS = {"Listener": "listeners", "Connector": "connectors", "Certificate": "certificates", "Site": "sites"}
SECONDS_BETWEEN = 0.1
YEARS = 5


class Controller(threading.Thread):
    """The controller of one site. A context manager that plays it until it is left.

    Args:
        cluster: where the site is.
        namespace: its namespace.
        version: ``v1`` or ``v2``.
        peers: the clusters of the other v1 sites, which get the entries of this one by service-sync.
    """

    def __init__(self, cluster: Cluster, namespace: str, version: str = "v2", peers: Sequence[Cluster] = ()) -> None:
        super().__init__(daemon=True)
        self.cluster, self.namespace, self.version, self.peers = cluster, namespace, version, list(peers)
        self.failure: BaseException | None = None
        self._done = threading.Event()
        self._known: dict[str, dict[str, Any]] = {}
        self._entries: dict[str, str] = {}

    def __enter__(self) -> Controller:
        self._turn()
        self.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop, and raise what went wrong in the loop."""
        self._done.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def run(self) -> None:
        try:
            while not self._done.wait(SECONDS_BETWEEN):
                self._turn()
        except Exception as error:
            self.failure = error

    def _turn(self) -> None:
        if self.version == "v2":
            self._certificates()
        else:
            self._v1()

    # -- v2

    def _certificates(self) -> None:
        for site in self._list("Site"):
            self._say("Site", site, "Configured")
        for kind in ("Listener", "Connector"):
            for item in self._list(kind):
                self._say(kind, item, "Configured")
        found = {item["metadata"]["name"]: item for item in self._list("Certificate")}
        for name in [name for name in self._known if name not in found]:
            del self._known[name]
            self._delete_secret(name)
        for name, item in sorted(found.items(), key=lambda entry: entry[1]["metadata"]["creationTimestamp"]):
            self._certificate(name, item)

    def _certificate(self, name: str, item: Mapping[str, Any]) -> None:
        known, spec = self._known.get(name), item["spec"]
        if known is not None and known["uid"] != item["metadata"]["uid"]:
            self._delete_secret(name)
            known = None
        if known is not None and known["made"] and known["hosts"] == spec.get("hosts"):
            return
        if known is not None and not known["made"] and known["version"] == item["metadata"]["resourceVersion"]:
            return
        made, message = self._make(name, spec)
        version = self._say("Certificate", item, "Ready", made, message)
        self._known[name] = {
            "uid": item["metadata"]["uid"],
            "hosts": spec.get("hosts"),
            "made": made,
            "version": version,
        }

    def _make(self, name: str, spec: Mapping[str, Any]) -> tuple[bool, str]:
        if not spec.get("ca"):
            self._write_secret(name, authority(spec["subject"]))
            return True, "OK"
        signer = self._secret(spec["ca"])
        if signer is None:
            return False, f"CA {spec['ca']} not found"
        if b"BEGIN RSA PRIVATE KEY" not in signer["tls.key"]:
            return False, f"the key of CA {spec['ca']} is no PKCS#1 RSA key"
        self._write_secret(name, leaf(spec["subject"], spec.get("hosts") or [], signer))
        return True, "OK"

    def _list(self, kind: str) -> list[dict[str, Any]]:
        return list(self.cluster.list_skupper(self.namespace, kind))

    def _say(self, kind: str, item: Mapping[str, Any], condition: str, good: bool = True, message: str = "OK") -> str:
        status = "True" if good else "False"
        standing = (item.get("status") or {}).get("conditions") or []
        if any((entry["type"], entry["status"]) == (condition, status) for entry in standing):
            return str(item["metadata"]["resourceVersion"])
        entry = {"type": condition, "status": status, "reason": "Played", "message": message}
        body = {"status": {"conditions": [{**entry, "lastTransitionTime": "2026-01-01T00:00:00Z"}]}}
        name = item["metadata"]["name"]
        from kubernetes.client.exceptions import ApiException

        with contextlib.suppress(ApiException):  # it may be gone by now
            patched = self.cluster.custom.patch_namespaced_custom_object_status(
                GROUP, VERSION, self.namespace, PLURALS[kind], name, body
            )
            return str(patched["metadata"]["resourceVersion"])
        return ""

    # -- v1

    def _v1(self) -> None:
        entries = self._config_map("skupper-services")
        for address in [address for address in self._entries if address not in entries]:
            del self._entries[address]
            self._delete_secret(PREFIX + address)
            self._bridge(address, False)
        for address, text in entries.items():
            if self._entries.get(address) != text:
                self._entries[address] = text
                self._entry(address, json.loads(text))
        for peer in self.peers:
            self._send(peer, entries)

    def _entry(self, address: str, entry: Mapping[str, Any]) -> None:
        name = str(entry.get("tlsCredentials") or "")
        if name.startswith(PREFIX):
            if self._secret(SERVICE_CA) is None:
                self._write_secret(SERVICE_CA, authority("skupper-service-ca"), "Opaque")
            signer = self._secret(SERVICE_CA) or {}
            self._write_secret(SERVICE_CLIENT, {"ca.crt": signer["tls.crt"]}, "Opaque")
            if self._secret(name) is None:
                self._write_secret(name, leaf(address, [address], signer), "Opaque")
        wanted = [secret for secret in (name, str(entry.get("tlsCertAuthority") or "")) if secret]
        if all(self._secret(secret) is not None for secret in wanted):
            self._bridge(address, True)

    def _bridge(self, address: str, there: bool) -> None:
        config = json.loads(self._config_map("skupper-internal")["skrouterd.json"])
        kept = [item for item in config if item[1].get("address") != address or item[0] != "tcpListener"]
        if there:
            kept.append(["tcpListener", {"name": address, "address": address}])
        self._patch(self.cluster, "skupper-internal", {"skrouterd.json": json.dumps(kept)})

    def _send(self, peer: Cluster, entries: Mapping[str, str]) -> None:
        there = peer.core.read_namespaced_config_map("skupper-services", self.namespace).data or {}
        ours = {name: json.loads(text) for name, text in entries.items()}
        wanted = {
            name: json.dumps({**entry, "targets": [], "origin": self.cluster.name})
            for name, entry in ours.items()
            if not entry.get("origin")
        }
        change: dict[str, str | None] = {name: text for name, text in wanted.items() if name not in there}
        for name, text in there.items():
            if json.loads(text).get("origin") == self.cluster.name and name not in wanted:
                change[name] = None
        if change:
            self._patch(peer, "skupper-services", change)

    def _config_map(self, name: str) -> dict[str, str]:
        data: dict[str, str] = self.cluster.core.read_namespaced_config_map(name, self.namespace).data or {}
        return data

    def _patch(self, cluster: Cluster, name: str, data: Mapping[str, str | None]) -> None:
        cluster.core.patch_namespaced_config_map(name, self.namespace, {"data": dict(data)})

    # -- secrets

    def _secret(self, name: str) -> dict[str, bytes] | None:
        items = self.cluster.core.list_namespaced_secret(self.namespace, field_selector=f"metadata.name={name}").items
        if not items:
            return None
        return {key: base64.b64decode(value) for key, value in (items[0].data or {}).items()}

    def _write_secret(self, name: str, data: Mapping[str, bytes], kind: str = "kubernetes.io/tls") -> None:
        body = {
            "metadata": {"name": name},
            "type": kind,
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        if self._secret(name) is None:
            self.cluster.core.create_namespaced_secret(self.namespace, body)
        else:
            self.cluster.core.patch_namespaced_secret(name, self.namespace, {"data": body["data"]})

    def _delete_secret(self, name: str) -> None:
        if self._secret(name) is not None:
            self.cluster.core.delete_namespaced_secret(name, self.namespace)


def authority(subject: str, key: Any = None) -> dict[str, bytes]:
    """Return the secret of a signing CA: RSA 2048, five years, PKCS#1 key; a new one by default."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = key or rsa.generate_private_key(65537, 2048)
    name = _name(subject)
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return _secret_data(builder, key, key, b"")


def leaf(subject: str, hosts: Sequence[str], signer: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the secret of a certificate that the CA in the signer's secret signs."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    issuer = x509.load_pem_x509_certificate(signer["tls.crt"])
    issuer_key = serialization.load_pem_private_key(signer["tls.key"], None)
    builder = _builder(_name(subject), issuer.subject, key)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return _secret_data(builder, key, issuer_key, signer["tls.crt"])


def _name(subject: str) -> Any:
    from cryptography import x509

    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])


def _builder(subject: Any, issuer: Any, key: Any) -> Any:
    from cryptography import x509

    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
    )


def _secret_data(builder: Any, key: Any, issuer_key: Any, ca: bytes) -> dict[str, bytes]:
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return {"tls.crt": certificate, "tls.key": private, "ca.crt": ca or certificate}
