# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How options and surroundings become sites, stores and connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.commands.context import (
    Context,
    connection,
    open_site,
    passphrase,
    pending_certificates,
    require,
    site_services,
)
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import SiteError, SkupperTlsError, flatten
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.remote import RemoteSite
from ansible_collections.multisite.skupper_tls.plugins.module_utils.sites.system import SystemSite
from ansible_collections.multisite.skupper_tls.tests.unit.commands.factory import arguments
from ansible_collections.multisite.skupper_tls.tests.unit.skupper.factory import GROUPS, entry
from ansible_collections.multisite.skupper_tls.tests.unit.x509.factory import NOW


def context(**given: Any) -> Context:
    return Context(**{"host": "east", "check": False, "now": NOW, "environment": {"HOME": "/home/a"}, **given})


def params(**given: Any) -> dict[str, Any]:
    return arguments("secrets", services=[entry()], **given)


@pytest.mark.parametrize(
    ("options", "environment", "name", "value"),
    [
        ({}, {}, "context", None),
        ({"context": "east"}, {"K8S_AUTH_CONTEXT": "west"}, "context", "east"),
        ({}, {"K8S_AUTH_CONTEXT": "west"}, "context", "west"),
        ({}, {"K8S_AUTH_KUBECONFIG": "/a", "KUBECONFIG": "/b"}, "kubeconfig", "/a"),
        ({}, {"KUBECONFIG": "/b"}, "kubeconfig", "/b"),
        ({"kubeconfig": {"a": 1}}, {"KUBECONFIG": "/b"}, "kubeconfig", {"a": 1}),
        ({}, {}, "validate_certs", None),
        ({}, {"K8S_AUTH_VERIFY_SSL": "no"}, "validate_certs", False),
        ({}, {"K8S_AUTH_VERIFY_SSL": "False"}, "validate_certs", False),
        ({}, {"K8S_AUTH_VERIFY_SSL": "0"}, "validate_certs", False),
        ({}, {"K8S_AUTH_VERIFY_SSL": "true"}, "validate_certs", True),
        ({"validate_certs": False}, {"K8S_AUTH_VERIFY_SSL": "yes"}, "validate_certs", False),
        ({}, {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b"}, "impersonate_groups", ("a", "b")),
        ({"impersonate_groups": ["c"]}, {}, "impersonate_groups", ("c",)),
        ({"ssl_ca_cert": "/ca"}, {}, "ca_cert", "/ca"),
        ({"verify_ssl": False}, {}, "validate_certs", False),
        ({}, {"K8S_AUTH_SSL_CA_CERT": "/ca"}, "ca_cert", "/ca"),
        ({"request_timeout": 3}, {}, "timeout", 3.0),
        ({}, {}, "timeout", 30.0),
    ],
)
def test_connection(options: dict[str, Any], environment: dict[str, str], name: str, value: Any) -> None:
    assert getattr(connection(params(**options), context(environment=environment)), name) == value


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, ["namespace"]),
        ({"namespace": "Bad_"}, ["namespace"]),
        ({"namespace": "ns", "version": "v3"}, ["version"]),
        ({"namespace": "ns", "network": "Bad_"}, ["network"]),
        ({"version": "x", "network": "-"}, ["namespace", "version", "network"]),
    ],
)
@pytest.mark.parametrize("platform", ["kubernetes", "linux"])
def test_refused_sites(given: dict[str, Any], fields: list[str], platform: str) -> None:
    with pytest.raises(SkupperTlsError) as caught:
        open_site(params(platform=platform, **given), context())
    errors = flatten(caught.value)
    assert [error.field for error in errors] == fields
    assert {error.site for error in errors} == {"east"}


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({}, "/home/a/.local/share/skupper/namespaces/ns"),
        ({"data_home": "/srv/skupper"}, "/srv/skupper/namespaces/ns"),
        ({"version": "2"}, "/home/a/.local/share/skupper/namespaces/ns"),
    ],
)
def test_system_sites(given: dict[str, Any], folder: str) -> None:
    site = open_site(params(platform="podman", namespace="ns", **given), context(user_id=1000))
    assert isinstance(site, SystemSite)
    assert site.folder == Path(folder)


def test_relative_paths_are_from_the_base(tmp_path: Path) -> None:
    here = context(base=tmp_path)
    assert here.path("a/b") == tmp_path / "a/b"
    assert here.path("/a") == Path("/a")


def never(data: bytes) -> str:
    raise AssertionError("nothing was to be asked of the host")


@pytest.mark.parametrize(
    ("given", "kind"),
    [({}, SystemSite), ({"reach": never}, SystemSite), ({"reach": never, "remote": True}, RemoteSite)],
)
def test_a_system_site_on_another_machine(given: dict[str, Any], kind: type) -> None:
    site = open_site(params(platform="linux", namespace="ns", data_home="~/here"), context(**given))
    assert isinstance(site, kind)
    if kind is RemoteSite:
        assert site.address.data_home == "~/here"  # to be expanded there


@pytest.mark.parametrize("user", [0, 1000])
def test_root_leaves_the_site_of_another_user_to_that_user(tmp_path: Path, user: int, monkeypatch: Any) -> None:
    (tmp_path / "namespaces/ns").mkdir(parents=True)
    monkeypatch.setattr("os.getuid", lambda: tmp_path.stat().st_uid + 1)
    here = context(reach=never, user_id=user, base=tmp_path)
    site = open_site(params(platform="linux", namespace="ns", data_home="."), here)
    assert isinstance(site, SystemSite if user else RemoteSite)
    assert user or site.address.data_home == str(tmp_path)


@pytest.mark.parametrize(("text", "expected"), [("pw", b"pw"), ("é", "é".encode()), ("", None), (None, None)])
def test_passphrase(text: str | None, expected: bytes | None) -> None:
    assert passphrase({"store": {"passphrase": text}}) == expected
    assert passphrase({"store": None}) is None


@pytest.mark.parametrize(
    ("registered", "names"),
    [
        (None, []),
        ("text", []),
        ({"changed": True, "name": "s", "certificate": {}}, ["s"]),
        ({"changed": True, "name": "s", "certificate": {}, "reason": "the networks that share it"}, []),
        ({"changed": False, "name": "s", "certificate": {}}, []),
        ({"results": [{"changed": True, "name": "s", "certificate": {}}, {"changed": False, "name": "t"}]}, ["s"]),
        ({"results": [{"skipped": True}]}, []),
        ({"changed": True, "name": "s", "certificate": {}, "request": {}}, []),  # of a renewal to come
        ({"changed": True, "name": "s", "certificate": {}, "request": {}, "reason": "another"}, ["s"]),
    ],
)
def test_pending(registered: Any, names: list[str]) -> None:
    assert list(pending_certificates({"issued": registered}, context(check=True))) == names
    assert pending_certificates({"issued": registered}, context(check=False)) == {}


def test_services_name_the_site_in_errors() -> None:
    bad = arguments("secrets", services=[entry(ports=[0])])
    with pytest.raises(SkupperTlsError) as caught:
        site_services(bad, context(groups=GROUPS))
    assert flatten(caught.value)[0].site == "east"
    assert site_services(params(), context(groups=GROUPS))[0].provides


def test_a_missing_library() -> None:
    require("json", "x")
    with pytest.raises(SiteError) as caught:
        require("no_such_library", "certificates")
    assert "no_such_library" in caught.value.message
    assert "for certificates" in caught.value.message
