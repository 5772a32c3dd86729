# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source of certificates by the commands certificate and authority: files, PKCS#12, Secrets of an API server."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores import records
from ansible_collections.multisite.skupper_tls.plugins.module_utils.stores.directory import DirectoryStore
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import keys
from ansible_collections.multisite.skupper_tls.tests.cluster.clusters import unique
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import command, failure, tree
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

ROOT = factory.root("Corp CA", key=factory.key())
SUB = factory.make("Sub CA", ROOT, ca=True, key=factory.key(number=2))
LEAF = factory.make("payments", ROOT, names=["payments"], key=factory.key(number=5))
SUB_LEAF = factory.make("payments", SUB, names=["payments"], key=factory.key(number=6))
FOREIGN_ROOT = factory.root("Foreign CA", key=factory.key(number=7))
FOREIGN = factory.make("payments", FOREIGN_ROOT, names=["payments"], key=factory.key(number=8))
PHRASE = "the words of a file"


def pem(*parties: Any) -> str:
    return factory.pem_of(*(party.certificate for party in parties)).decode()


def key(party: Any) -> str:
    return keys.key_to_pem(party.key).decode()


def bundle(party: Any, *above: Any, words: str = PHRASE) -> bytes:
    protection: Any = serialization.NoEncryption()
    if words:
        protection = serialization.BestAvailableEncryption(words.encode())
    others = [one.certificate for one in above]
    return pkcs12.serialize_key_and_certificates(b"payments", party.key, party.certificate, others, protection)


def content(party: Any, *above: Any, **more: Any) -> dict[str, Any]:
    data = bundle(party, *above, words=more.get("pkcs12_passphrase", ""))
    return {"pkcs12_content": b64encode(data).decode(), **more}


@pytest.fixture
def store(tmp_path: Path) -> dict[str, Any]:
    return {"store": {"path": str(tmp_path / "store")}, "network": "shop"}


@pytest.fixture
def given(store: dict[str, Any]) -> dict[str, Any]:
    """Options of a certificate, and an authority without key in the store."""
    assert command("authority", {**store, "source": {"certificate_content": pem(ROOT)}})["changed"]
    return {**store, "name": "s", "alternative_names": ["payments"]}


def stored(given: dict[str, Any], kind: str = "certificate") -> records.Record:
    name = given["name"] if kind == "certificate" else "default"
    record = records.load(DirectoryStore(Path(given["store"]["path"])), kind, name, "shop")
    assert record is not None
    return record


def imported(given: dict[str, Any], tmp_path: Path, source: Any) -> list[Any]:
    """Import in check mode, really, and again; return the chain that is stored."""
    before = tree(tmp_path)
    predicted = command("certificate", {**given, "source": source}, check=True)
    assert tree(tmp_path) == before
    done = command("certificate", {**given, "source": source})
    assert not done.get("failed"), done
    assert (predicted["changed"], predicted["diff"]) == (True, done["diff"])
    after = tree(tmp_path)
    assert not command("certificate", {**given, "source": source})["changed"]
    assert tree(tmp_path) == after
    record = stored(given)
    assert keys.matches(records.load_key(record, None), record.certificates[0])
    return list(record.certificates)


@pytest.mark.parametrize(
    ("source", "chain"),
    [
        (content(LEAF), [LEAF]),
        (content(LEAF, pkcs12_passphrase=PHRASE), [LEAF]),
        (content(SUB_LEAF, ROOT, SUB, pkcs12_passphrase=PHRASE), [SUB_LEAF, SUB]),
        (content(SUB_LEAF, SUB, LEAF, friendly_name="Payments"), [SUB_LEAF, SUB]),
    ],
)
def test_pkcs12(given: dict[str, Any], tmp_path: Path, source: dict[str, Any], chain: list[Any]) -> None:
    assert imported(given, tmp_path, source) == [one.certificate for one in chain]


def test_pkcs12_of_a_file(given: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "payments.p12"
    file.write_bytes(bundle(LEAF))
    source = {"pkcs12_path": str(file), "pkcs12_passphrase": PHRASE}
    assert imported(given, tmp_path, source) == [LEAF.certificate]


@pytest.mark.parametrize(("name", "party"), [("intermediate", SUB), ("root", ROOT)])
def test_an_authority_of_pkcs12(store: dict[str, Any], name: str, party: Any) -> None:
    above = [ROOT] if party is SUB else []
    result = command("authority", {**store, "source": content(party, *above, pkcs12_passphrase=PHRASE)})
    assert (result["key"], result["bundle"]) == (True, pem(ROOT)), name


SECRET = {"name": "x", "namespace": "y"}
REFUSED = [
    ({}, "", "no certificate is given", "source.certificate_path, source.pkcs12_path, source.secret"),
    ({"key_passphrase": "x", "allow": ["sha1"]}, "", "no certificate is given", "source.pkcs12_path"),
    ({"certificate_content": pem(LEAF), **content(LEAF)}, "", "several sources", "Keep one"),
    ({"key_content": key(LEAF), "secret": SECRET}, "", "several sources", "Keep one"),
    ({**content(LEAF), "secret": SECRET}, "", "several sources", "Keep one"),
    ({**content(LEAF), "pkcs12_path": "/x"}, "", "both pkcs12_path and pkcs12_content", "Keep one"),
    ({"pkcs12_path": "/no/file"}, ".pkcs12_path", "the PKCS#12 file cannot be read", "Give the path"),
    ({"pkcs12_content": "§"}, ".pkcs12_content", "is not base64", "base64 -w0"),
    ({"pkcs12_content": pem(LEAF)}, ".pkcs12_content", "is not PKCS#12", "certificate_path"),
    (content(LEAF, pkcs12_passphrase=PHRASE) | {"pkcs12_passphrase": "x"}, ".pkcs12_content", "does not open", "Set"),
    (content(LEAF, friendly_name="other"), ".pkcs12_content", "no entry of the friendly name other", "Set"),
    (content(FOREIGN, FOREIGN_ROOT), "", "comes from a CA that is not the authority", "skupper_tls_authority.source"),
    (content(SUB_LEAF), "", "the chain is incomplete: the certificate of CN=Sub CA", "Add the certificate of CN=Sub"),
]


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
@pytest.mark.parametrize(("source", "field", "message", "remedy"), REFUSED)
def test_refused(
    given: dict[str, Any], tmp_path: Path, source: dict[str, Any], field: str, message: str, remedy: str, check: bool
) -> None:
    before = tree(tmp_path)
    result = command("certificate", {**given, "source": source}, check)
    error = failure(result)
    assert error["field"] == f"certificate s source{field}"
    assert message in error["message"]
    assert remedy in error["remedy"]
    assert tree(tmp_path) == before
    assert PHRASE not in json.dumps(result)


def test_an_intermediate_of_the_authority_that_is_not_on_the_way(store: dict[str, Any], tmp_path: Path) -> None:
    command("authority", {**store, "source": {"certificate_content": pem(SUB, ROOT)}})
    given = {**store, "name": "s", "alternative_names": ["payments"]}
    assert imported(given, tmp_path, content(LEAF)) == [LEAF.certificate]


# -- Secrets


@pytest.fixture
def cluster(clusters: Any) -> Any:
    return clusters(1)[0]


@pytest.fixture
def secret(cluster: Any) -> Any:
    """Make a Secret of this data, and return the source that names it."""
    namespace = cluster.create_namespace(unique("source"))

    def made(data: dict[str, Any], **more: Any) -> dict[str, Any]:
        encoded = {
            name: b64encode(value if isinstance(value, bytes) else value.encode()).decode()
            for name, value in data.items()
        }
        name = unique("secret")
        cluster.core.create_namespaced_secret(namespace, {"metadata": {"name": name}, "data": encoded})
        options = {name: more.pop(name) for name in list(more) if name.endswith("_key")}
        place = {"name": name, "namespace": namespace, "kubeconfig": str(cluster.kubeconfig), **options}
        return {"secret": place, **more}

    return made


def tls(party: Any, *above: Any, ca: str | None = None) -> dict[str, Any]:
    """What cert-manager makes of a Certificate; ``ca.crt`` as the issuer knows it."""
    data = {"tls.crt": pem(party, *above), "tls.key": key(party)}
    return data if ca is None else {**data, "ca.crt": ca}


@pytest.mark.parametrize(
    ("data", "options", "chain"),
    [
        (tls(LEAF, ca=pem(ROOT)), {}, [LEAF]),
        (tls(LEAF, ca=""), {}, [LEAF]),
        (tls(LEAF), {}, [LEAF]),
        (tls(SUB_LEAF, SUB, ca=pem(ROOT)), {}, [SUB_LEAF, SUB]),
        (tls(SUB_LEAF, ca=pem(SUB)), {}, [SUB_LEAF, SUB]),
        (tls(SUB_LEAF, SUB, ca=pem(SUB, ROOT)), {}, [SUB_LEAF, SUB]),
        (tls(SUB_LEAF, SUB, ca=pem(ROOT, FOREIGN_ROOT)), {}, [SUB_LEAF, SUB]),
        (
            {"crt": pem(LEAF), "pem": key(LEAF), "root": pem(ROOT)},
            {"certificate_key": "crt", "key_key": "pem", "ca_key": "root"},
            [LEAF],
        ),
        (
            {"keystore.p12": bundle(SUB_LEAF, SUB), "ca.crt": pem(ROOT), **tls(FOREIGN)},
            {"keystore_key": "keystore.p12", "pkcs12_passphrase": PHRASE},
            [SUB_LEAF, SUB],
        ),
    ],
)
def test_secret(
    given: dict[str, Any], tmp_path: Path, secret: Any, data: Any, options: dict[str, str], chain: list[Any]
) -> None:
    assert imported(given, tmp_path, secret(data, **options)) == [one.certificate for one in chain]


@pytest.mark.parametrize(
    ("data", "has_key", "chain"),
    [
        (tls(ROOT, ca=pem(ROOT)), True, [ROOT]),
        (tls(ROOT), True, [ROOT]),
        (tls(SUB, ca=pem(ROOT)), True, [SUB, ROOT]),
        (tls(SUB, ROOT), True, [SUB, ROOT]),
        (tls(LEAF, ca=pem(ROOT)), False, [ROOT]),
        (tls(SUB_LEAF, SUB, ca=pem(ROOT)), False, [ROOT]),
        (tls(SUB_LEAF, SUB, ca=pem(SUB, ROOT)), False, [SUB, ROOT]),
        ({"ca.crt": pem(ROOT)}, False, [ROOT]),
        ({"tls.crt": "", "tls.key": "", "ca.crt": pem(ROOT)}, False, [ROOT]),
    ],
)
def test_an_authority_of_a_secret(store: dict[str, Any], secret: Any, data: Any, has_key: bool, chain: Any) -> None:
    """The CA is ``tls.crt`` where that is one, else ``ca.crt``; the key of a server never becomes that of a CA."""
    source = secret(data)
    result = command("authority", {**store, "source": source})
    assert not result.get("failed"), result
    assert (result["key"], result["bundle"]) == (has_key, pem(ROOT))
    record = stored(store, "authority")
    assert list(record.certificates) == [one.certificate for one in chain]
    assert bool(record.key_pem) == has_key
    assert not command("authority", {**store, "source": source})["changed"]


def test_a_renewed_secret(given: dict[str, Any], cluster: Any, secret: Any) -> None:
    source = secret(tls(LEAF, ca=pem(ROOT)))
    assert command("certificate", {**given, "source": source})["revision"] == 1
    renewed = factory.make("payments", ROOT, names=["payments"], key=factory.key(number=9))
    patch = {"stringData": tls(renewed, ca=pem(ROOT))}
    cluster.core.patch_namespaced_secret(source["secret"]["name"], source["secret"]["namespace"], patch)
    result = command("certificate", {**given, "source": source})
    assert (result["changed"], result["revision"]) == (True, 2)
    assert stored(given).certificates == (renewed.certificate,)


SECRETS_REFUSED = [
    ({"x": "y"}, {}, ".secret.certificate_key", "has nothing under tls.crt", "certificate_key"),
    (tls(LEAF), {"key_key": "pem"}, "", "no private key is given", "has tls.crt, tls.key"),
    (tls(LEAF), {"keystore_key": "p12"}, ".secret.keystore_key", "has nothing under p12", "keystore_key"),
    ({"tls.crt": "junk"}, {}, ".secret (tls.crt)", "the file holds no certificate", "BEGIN CERTIFICATE"),
    ({**tls(LEAF), "tls.key": "junk"}, {}, ".secret (tls.key)", "the file holds no private key", "BEGIN PRIVATE"),
    ({**tls(LEAF), "ca.crt": "junk"}, {}, ".secret (ca.crt)", "the file holds no certificate", "BEGIN CERTIFICATE"),
    ({**tls(LEAF), "tls.key": key(ROOT)}, {}, "", "the key does not match", "Give the key"),
    (tls(FOREIGN, ca=pem(FOREIGN_ROOT)), {}, "", "is not the authority in the store", "skupper_tls_authority.source"),
    (tls(FOREIGN), {}, "", "the chain is incomplete", "Add the certificate of CN=Foreign CA"),
    ({"ca.crt": pem(ROOT)}, {}, "", "no private key is given", "has ca.crt"),
]


@pytest.mark.parametrize(("data", "options", "field", "message", "remedy"), SECRETS_REFUSED)
def test_a_secret_is_refused(
    given: dict[str, Any],
    tmp_path: Path,
    secret: Any,
    data: Any,
    options: dict[str, str],
    field: str,
    message: str,
    remedy: str,
) -> None:
    before = tree(tmp_path)
    error = failure(command("certificate", {**given, "source": secret(data, **options)}))
    assert error["field"] == f"certificate s source{field}"
    assert message in error["message"]
    assert remedy in error["remedy"]
    assert tree(tmp_path) == before


def test_a_secret_that_is_not_reached(given: dict[str, Any], cluster: Any, secret: Any) -> None:
    source = secret(tls(LEAF))
    place = source["secret"]

    def error(**other: Any) -> dict[str, str]:
        return failure(command("certificate", {**given, "source": {"secret": {**place, **other}}}))

    missing = error(name="missing")
    assert (missing["field"], missing["message"]) == ("certificate s source.secret", "the Secret is not there")
    assert f"Secret missing in namespace {place['namespace']} of https://" in missing["found"]
    stranger = error(kubeconfig=str(cluster.make_user(place["namespace"], "stranger", [])))
    assert f"not permitted: verb get on secrets/{place['name']}" in stranger["message"]
    assert stranger["field"] == "certificate s source.secret"
    away = error(kubeconfig=None, host="https://127.0.0.1:9", request_timeout=1)
    assert "cannot be reached" in away["message"]
    assert error(context="nowhere")["field"] == "certificate s source.secret.context"
