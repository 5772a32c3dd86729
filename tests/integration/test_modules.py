# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules in a play of the user's own, and users that may do no more than the documentation asks for."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    SITES,
    KubeNetwork,
    SystemNetwork,
    openssl_verify,
    same_everywhere,
)
from tests.cluster.clusters import Cluster, write_kubeconfig

Take = Callable[[int], list[Cluster]]
MODULE = "multisite.skupper_tls"


@pytest.fixture
def network(clusters: Take, tmp_path: Path) -> KubeNetwork:
    return KubeNetwork(tmp_path / "run", clusters(3))


def test_modules_with_module_defaults(network: KubeNetwork, tmp_path: Path) -> None:
    """Nothing but module_defaults and the environment says where: no variable of the collection is set."""
    services = network.variables.pop("skupper_tls_services")
    store = {**network.variables.pop("skupper_tls_store"), "path": str(network.store)}
    kubeconfig = str(network.variables.pop("skupper_site_kubeconfig"))
    network.variables.clear()
    network.hosts = {site: {"cluster": site} for site in SITES}
    defaults = {"network": "shop", "store": store, "namespace": network.namespace, "context": "{{ cluster }}"}
    tasks: list[dict[str, Any]] = [
        {f"{MODULE}.authority": {"subject": "CN=Own root"}, "run_once": True, "register": "made"},
        {
            f"{MODULE}.certificate": {"name": SERVER, "alternative_names": ["payments", "10.1.2.3"]},
            "run_once": True,
            "register": "issued",
        },
        {f"{MODULE}.secrets": {"services": services}, "register": "written"},
        {f"{MODULE}.service": {"services": services, "wait_timeout": 0}, "register": "exposed"},
        {f"{MODULE}.site_info": {"services": services}, "register": "seen"},
        {f"{MODULE}.report": {"step": "verify", "registered": "seen", "services": services}, "run_once": True},
        {
            "ansible.builtin.assert": {
                "that": [
                    "made is success and made.authority.subject == 'CN=Own root'",
                    "'IP:10.1.2.3' in issued.certificate.alternative_names",
                    "'DNS:10.1.2.3' in issued.certificate.alternative_names",
                    f"written.secrets['{SERVER}'].key == 'matches'",
                    "exposed.services.payments.ports == [5001, 5002]",
                    "seen.version == 'v2' and seen.reachable",
                ]
            }
        },
    ]
    play = {"module_defaults": {f"group/{MODULE}.all": defaults}}
    environment = {"K8S_AUTH_KUBECONFIG": kubeconfig}
    first = network.play(tasks, play=play, environment=environment).good()
    assert first.count("changed") == 2 + 3 + 3
    held = same_everywhere(network)
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"])
    again = network.play(tasks, play=play, environment=environment).good()
    assert again.count("changed") == 0


def test_connection_from_the_environment(network: KubeNetwork) -> None:
    """One site named by K8S_AUTH_* alone: URL, token and CA, as the variables of kubernetes.core."""
    network.run().good()
    rules = [
        {"apiGroups": ["skupper.io"], "resources": ["sites", "listeners", "connectors"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    ]
    west = network.clusters["west"]
    document = yaml.safe_load(west.make_user(network.namespace, "looker", rules).read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    authority = network.folder / "ca.pem"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    environment = {
        "K8S_AUTH_HOST": cluster["server"],
        "K8S_AUTH_API_KEY": user["token"],
        "K8S_AUTH_SSL_CA_CERT": str(authority),
        "KUBECONFIG": "/nonexistent",
    }
    network.variables.pop("skupper_site_kubeconfig")
    network.hosts = {"west": {}}
    network.service["providers"] = []
    tasks: list[dict[str, Any]] = [
        {f"{MODULE}.site_info": {}, "register": "seen"},
        {"ansible.builtin.assert": {"that": ["seen.reachable"]}},
    ]
    run = network.play(tasks, environment=environment).good()
    (seen,) = run.of("site_info").values()
    assert seen.result["secrets"][SERVER]["key"] == "matches"
    assert [finding["check"] for finding in seen.result["findings"] if finding["severity"] == "error"] == []
    environment["K8S_AUTH_SSL_CA_CERT"] = str(write_kubeconfig(network.folder / "other", {"west": west}))
    network.play(tasks, environment=environment).bad()


def test_site_variables_that_are_templates(network: KubeNetwork) -> None:
    network.variables["where"] = {"east": "east", "west": "west", "edge": "edge"}
    network.hosts = {site: {} for site in SITES}
    network.variables["skupper_site_context"] = "{{ where[inventory_hostname] }}"
    network.variables["address"] = "payments"
    network.service["address"] = "{{ address }}"
    network.run().good()
    same_everywhere(network)
    assert network.exposed("west") == ["Listener/payments-5001", "Listener/payments-5002"]


def test_an_inline_kubeconfig(network: KubeNetwork) -> None:
    path = network.variables["skupper_site_kubeconfig"]
    network.variables["skupper_site_kubeconfig"] = yaml.safe_load(Path(path).read_text())
    run = network.run("multisite.skupper_tls.rollout", "-vvvv").good()
    same_everywhere(network)
    secret = network.variables["skupper_site_kubeconfig"]["users"][0]["user"]
    for value in secret.values():
        assert str(value) not in run.output, "credentials of the kubeconfig are shown"


# -- the least that a user must be permitted

V2_RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch"]},
    {
        "apiGroups": ["skupper.io"],
        "resources": ["listeners", "connectors"],
        "verbs": ["list", "create", "patch", "delete"],
    },
    {"apiGroups": ["skupper.io"], "resources": ["sites"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["payments"], "verbs": ["get"]},
]
V1_RULES = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "create", "patch"]},
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["skupper-services", "skupper-internal"],
        "verbs": ["get", "patch"],
    },
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["skupper-site"], "verbs": ["get"]},
    {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "resourceNames": ["payments", "skupper-service-controller"],
        "verbs": ["get"],
    },
]


@pytest.mark.parametrize(("version", "rules"), [("v2", V2_RULES), ("v1", V1_RULES)])
def test_a_user_with_the_documented_verbs(clusters: Take, tmp_path: Path, version: str, rules: list[Any]) -> None:
    network = KubeNetwork(tmp_path / "run", clusters(3), version=version)
    for site, cluster in network.clusters.items():
        network.use(site, cluster.make_user(network.namespace, "deployer", rules))
    network.run().good()
    same_everywhere(network)
    assert network.exposed("east")
    assert network.run().good().count("changed") == 0
    network.service["ports"] = [5001]
    network.run().good()
    network.variables["skupper_tls_certificate"] = {"alternative_names": ["payments.example.net"]}
    network.run().good()
    network.play([{f"{MODULE}.service": {"state": "absent"}}]).good()
    assert not any(network.exposed(site) for site in SITES)


@pytest.mark.parametrize(("version", "rules"), [("v2", V2_RULES), ("v1", V1_RULES)])
def test_each_missing_verb_is_named(clusters: Take, tmp_path: Path, version: str, rules: list[Any]) -> None:
    """The same permissions with one verb less each, in one run: preflight names the verb and the resource."""
    network = KubeNetwork(tmp_path / "run", clusters(3), version=version)
    east, expected = network.clusters["east"], []
    network.hosts = {"east": network.hosts["east"]}
    for index, rule in enumerate(rules):
        for verb in rule["verbs"]:
            if rule["resources"] == ["sites"] or "skupper-site" in rule.get("resourceNames", []):
                continue  # without it there is no telling what the site is
            name = f"no-{index}-{verb}"
            less = [*rules]
            less[index] = {**rule, "verbs": [each for each in rule["verbs"] if each != verb]}
            less = [each for each in less if each["verbs"]]
            network.hosts[name] = {"skupper_site_kubeconfig": east.make_user(network.namespace, name, less)}
            network.hosts[name]["skupper_site_context"] = east.name
            expected.append((name, verb, rule["resources"][0]))
    network.service["providers"] = list(network.hosts)
    before = network.snapshot()
    run = network.run().bad("nothing was written anywhere")
    for name, verb, resource in expected:
        findings = run.of("Read the site")[name].result["findings"]
        told = [f"{each['check']} {each['message']}" for each in findings]
        wanted = [text for text in told if text.startswith("TLS103") and verb in text and resource in text]
        assert wanted, (name, told)
        assert f"{verb} {resource}" in " ".join(run.output.split()) or f"{verb} on {resource}" in run.output
    assert network.snapshot() == before


def test_system_sites_in_a_play_of_their_own(tmp_path: Path) -> None:
    """The roles, as a user's play has them, with the arguments checked by Ansible."""
    network = SystemNetwork(tmp_path / "run")
    network.ansible.write_inventory(network.inventory)
    roles = ("preflight", "issue", "distribute", "expose", "verify")
    plays = [
        {
            "name": role,
            "hosts": "skupper_sites",
            "gather_facts": False,
            "tasks": [{"name": role, "ansible.builtin.import_role": {"name": f"multisite.skupper_tls.{role}"}}],
        }
        for role in roles
    ]
    network.ansible.play(plays).good()
    same_everywhere(network)
    assert network.ansible.play(plays).good().count("changed") == 0
