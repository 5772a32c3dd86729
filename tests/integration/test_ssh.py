# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System sites on another machine: through a real sshd, as an ordinary user, with a Python that has no package."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from ansible_collections.multisite.skupper_tls.tests.integration import machine as machines
from ansible_collections.multisite.skupper_tls.tests.integration.machine import PASSWORD, Machine, SshNetwork
from ansible_collections.multisite.skupper_tls.tests.integration.networks import (
    CA,
    SERVER,
    KubeNetwork,
    SystemNetwork,
    handshake,
    openssl_verify,
    same_everywhere,
    tree,
)
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import descendants
from ansible_collections.multisite.skupper_tls.tests.integration.test_generated import generated
from ansible_collections.multisite.skupper_tls.tests.integration.test_rollout_system import EXPOSE, FIRST_RUN, WRITE
from ansible_collections.multisite.skupper_tls.tests.integration.test_secrecy import needles, search, search_files
from tests.cluster.clusters import Cluster

Take = Callable[[int], list[Cluster]]
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make users and change sudo's rules")
ROLLOUT = "multisite.skupper_tls.rollout"
REMOVE = "multisite.skupper_tls.remove"


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    if not machines.program("sshd"):
        text = "sshd is not on this machine: install the package openssh-server"
        if os.environ.get("SKUPPER_TLS_TEST_ALL"):
            pytest.fail(text)
        pytest.skip(text)
    with machines.running() as made:
        yield made


@pytest.fixture
def network(machine: Machine, tmp_path: Path) -> SshNetwork:
    return SshNetwork(tmp_path / "run", machine)


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.smoke
def test_check_first_run_second_run(network: SshNetwork, tmp_path: Path) -> None:
    before = tree(network.data_home, network.store)
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert tree(network.data_home, network.store) == before, "check mode wrote something"
    assert predicted.changes() == sorted(FIRST_RUN)

    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == sorted(FIRST_RUN)
    assert first.diffs() == predicted.diffs()

    written = tree(network.data_home, network.store)
    second = network.run(ROLLOUT, "--diff").good()
    assert second.count("changed") == 0
    assert second.diffs() == {}
    assert tree(network.data_home, network.store) == written, "a run without a change wrote something"

    held = same_everywhere(network)
    handshake(tmp_path / "handshake", network.secret("east", SERVER), network.secret("west", CA)["ca.crt"])
    openssl_verify(tmp_path / "openssl", held[SERVER], held[CA]["ca.crt"], "payments.east.svc")
    for site in network.hosts:
        folder = network.site(site)
        assert sorted(path.name for path in folder.iterdir()) == ["input", "skupper-tls-manifest.json"]
        assert modes(folder / "input/certs") == {0o600}
        assert {path.stat().st_uid for path in folder.rglob("*")} == {network.machine.home.stat().st_uid}
    assert not [*network.machine.home.glob(".ansible*")], "a file was left on the host"


def test_the_way_back(network: SshNetwork) -> None:
    before = tree(network.data_home)
    network.run().good()
    network.play([{"multisite.skupper_tls.site_info": {"check": "verify"}}]).good()
    remove = {"skupper_tls_remove": "all", "skupper_tls_remove_store": True}
    written = tree(network.data_home, network.store)
    predicted = network.run(REMOVE, "--check", "--diff", extra=remove).good()
    assert tree(network.data_home, network.store) == written, "check mode removed something"
    removed = network.run(REMOVE, "--diff", extra=remove).good()
    assert (removed.changes(), removed.diffs()) == (predicted.changes(), predicted.diffs())
    left = {path: what for path, what in tree(network.data_home).items() if what[1]}
    assert left == {path: what for path, what in before.items() if what[1]}, "a file of ours is left"
    assert network.run(REMOVE, extra=remove).good().count("changed") == 0


def test_a_remote_site_has_what_a_local_one_has(network: SshNetwork, tmp_path: Path) -> None:
    network.run().good()
    local = SystemNetwork(tmp_path / "local")
    local.variables["skupper_tls_store"] = {"type": "directory", "path": network.store}
    local.run().good()
    for site in network.hosts:
        here, there = ({Path(path).relative_to(each.site(site)): what for path, what in tree(each.site(site)).items()}
                       for each in (local, network))  # fmt: skip
        assert here == there


def test_the_folder_is_found_on_the_host(network: SshNetwork) -> None:
    """What the user writes in terms of the host's user is not read in terms of the control node's."""
    network.variables["skupper_site_data_home"] = "~/.local/share/skupper"
    network.run().good()
    network.variables["skupper_site_data_home"] = "$HOME/.local/share/skupper"
    assert network.run().good().count("changed") == 0
    network.variables["skupper_site_data_home"] = "skupper"
    network.run().bad("TLS801", "is not an absolute path on the site's host", "(skupper)")


def test_the_interpreter_is_found_once(network: SshNetwork) -> None:
    del network.variables["ansible_python_interpreter"]
    run = network.run(ROLLOUT, "-vvv").good()
    assert run.output.count("ttempting python interpreter discovery") == len(network.hosts)


def test_generated_mode_with_a_signer(network: SshNetwork) -> None:
    machine = network.machine
    machine.install_skupper()
    network.start_sites()
    generated(network, signer="corp", site_intermediates=True)
    network.variables["skupper_tls_authority"] = {"name": "corp", "key_type": "rsa-2048"}
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    first = network.run(ROLLOUT, "--diff").good()
    assert first.changes() == predicted.changes()
    assert len(machine.calls()) == len(network.hosts)
    for site in network.hosts:
        assert modes(network.site(site) / "input/issuers") == {0o600}
    assert network.run().good().count("changed") == 0
    assert machine.calls() == []


def test_how_often_the_host_is_asked(network: SshNetwork) -> None:
    asked = []
    for _run in range(2):
        output = network.run(ROLLOUT, "-vvv").good().output
        asked.append(output.count("SSH: EXEC"))
    assert asked == [6 * len(network.hosts), len(network.hosts)]


# -- reload


def test_skupper_reads_what_changed(network: SshNetwork) -> None:
    machine = network.machine
    machine.install_skupper()
    network.start_sites()
    network.run(ROLLOUT, "--check").good()
    assert machine.calls() == []
    network.run().good()
    reload = [f"{machine.user} podman system reload -n {site}" for site in sorted(network.hosts)]
    assert sorted(machine.calls()) == reload, "the first run reloads once a site, when all is written"
    assert network.run().good().count("changed") == 0
    assert machine.calls() == []

    network.variables["skupper_tls_certificate"] = {"alternative_names": ["payments.example.net"]}
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    assert machine.calls() == []
    rotated = network.run(ROLLOUT, "--diff").good()
    assert rotated.diffs() == predicted.diffs()
    assert rotated.changes() == predicted.changes()
    assert {task for task, _host in rotated.changes()} >= {WRITE}
    assert EXPOSE not in {task for task, _host in rotated.changes()}
    consumers = [f"{machine.user} podman system reload -n {site}" for site in ("edge", "west")]
    assert sorted(machine.calls()) == consumers, "whose listeners use the certificate, and at once"
    assert rotated.of(WRITE)["west"].result["to_do"] == ""


def test_a_reload_that_fails_is_done_by_the_next_run(network: SshNetwork) -> None:
    machine = network.machine
    machine.install_skupper()
    network.start_sites("west")
    (machine.home / "skupper.fails").touch()
    failed = network.run().bad("west", "everything is written", "`skupper system reload` failed", "no router image")
    assert machine.calls() == [f"{machine.user} podman system reload -n west"]
    assert network.exposed("west")
    assert failed.of(EXPOSE)["west"].status == "failed"
    network.run("verify").bad("TLS403", "Skupper has not read what was last written")
    (machine.home / "skupper.fails").unlink()
    predicted = network.run(ROLLOUT, "--check", "--diff").good()
    finished = network.run(ROLLOUT, "--diff").good()
    assert finished.diffs() == predicted.diffs()
    assert ("west", True) in [(host, event.changed) for host, event in finished.of(WRITE).items()]
    assert machine.calls() == [f"{machine.user} podman system reload -n west"]
    assert network.run().good().count("changed") == 0
    assert machine.calls() == []


def test_killed_while_skupper_reloads(network: SshNetwork) -> None:
    machine = network.machine
    machine.install_skupper()
    network.start_sites("edge")
    (machine.home / "skupper.hangs").touch()
    network.ansible.write_inventory(network.inventory)
    run = network.ansible.start()
    deadline = time.monotonic() + 60
    while not (machine.home / "skupper.runs").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.kill()
    kill_on_host(machine)
    assert len(machine.calls()) == 1
    (machine.home / "skupper.hangs").unlink()
    finished = network.run().good()
    assert finished.of(WRITE)["edge"].changed
    assert machine.calls() == [f"{machine.user} podman system reload -n edge"]
    assert network.run().good().count("changed") == 0
    same_everywhere(network)


def kill_on_host(machine: Machine) -> None:
    """Kill what runs in the sessions, as a host that loses power would: all that was started by our own sshd."""
    for one in descendants(machine.process.pid):
        try:
            os.kill(one, 9)
        except ProcessLookupError:
            continue


def test_without_the_command_the_user_is_told(network: SshNetwork) -> None:
    network.start_sites("west")
    run = network.run().good()
    told = {host: event.result["to_do"] for host, event in run.of(EXPOSE).items()}
    assert told["west"] == "run `skupper system reload -n west` on west"
    assert told["edge"] == "run `skupper system start -n edge` on edge"
    assert {event.result["to_do"] for event in run.of(WRITE).values()} == {""}
    assert network.run().good().count("changed") == 0


# -- other users


@ROOT
@pytest.mark.skipif(not machines.program("sudo"), reason="sudo is not on this machine")
@pytest.mark.parametrize("connection", ["ssh", "local"])
def test_become_root_for_the_site_of_another_user(machine: Machine, tmp_path: Path, connection: str) -> None:
    home = machine.owners_home
    network = SshNetwork(tmp_path / "run", machine, home=home)
    machine.install_skupper(home)
    network.start_sites()
    if connection == "local":
        network.variables["ansible_connection"] = "local"
    network.variables.update(
        skupper_site_data_home=network.data_home, ansible_become=True, ansible_become_password=PASSWORD
    )
    before = tree(network.data_home)
    with machines.sudoer(machine, "ALL"):
        if connection == "ssh":
            del network.variables["ansible_become_password"]
            network.run().bad("TLS103", "does not let us become the user root", "assword")
            network.variables["ansible_become_password"] = "wrong"
            network.run().bad("TLS103", "does not let us become the user root", "assword")
            assert tree(network.data_home) == before
            network.variables["ansible_become_password"] = PASSWORD
        network.run().good()
        assert network.run().good().count("changed") == 0
    owner = home.stat()
    assert {(path.stat().st_uid, path.stat().st_gid) for path in network.data_home.rglob("*")} == {
        (owner.st_uid, owner.st_gid)
    }
    assert sorted(machine.calls(home)) == [
        f"{machine.owner} podman system reload -n {site}" for site in sorted(network.hosts)
    ]
    same_everywhere(network)


@ROOT
def test_root_without_become_keeps_the_owner_too(machine: Machine, tmp_path: Path) -> None:
    network = SshNetwork(tmp_path / "run", machine)
    network.variables.update(ansible_connection="local", skupper_site_data_home=network.data_home)
    network.run().good()
    assert {path.stat().st_uid for path in network.data_home.rglob("*")} == {machine.home.stat().st_uid}


# -- what can be wrong


def test_all_problems_of_all_sites_at_once(network: SshNetwork) -> None:
    machine = network.machine
    wrong = machine.folder / "other_known_hosts"
    other = (machine.folder / "user.pub").read_text().split()[:2]
    wrong.write_text(f"[127.0.0.1]:{machine.port} {' '.join(other)}\n")
    options = network.variables["ansible_ssh_common_args"]
    hosts: dict[str, dict[str, Any]] = {
        "down": {"ansible_port": 1},
        "stranger": {
            "ansible_ssh_common_args": f"-o ControlPath=none {options}".replace(str(machine.known_hosts), str(wrong))
        },
        "nobody": {"ansible_user": "root"},
        "bare": {"ansible_python_interpreter": "/nonexistent/python3"},
        "missing": {},
        "terminal": {"ansible_become": True, "ansible_become_method": "su"},
    }
    for name, variables in hosts.items():
        network.hosts[name] = {"skupper_site_namespace": name, **variables}
    (network.site("west") / "input/certs" / CA).mkdir(parents=True)
    before = tree(network.data_home)
    run = network.run().bad(
        "TLS101 down",
        "Connection refused",
        "Host key verification failed",
        "correct known_hosts",
        "Permission denied",
        "Correct ansible_user",
        "the Python of the site's host does not run: /nonexistent/python3",
        "there is no Skupper site in",
        "the become method su cannot give standard input",
        "Secret ca-cert-secret is there already",
        "nothing was written anywhere",
    )
    for name in ("down", "stranger", "nobody", "bare", "terminal"):
        assert f"TLS101 {name}" in run.output
    assert run.count("unreachable") == 0
    assert tree(network.data_home) == before
    assert not network.store.exists()


def fill(file: Path) -> None:
    """Take all the space that there is."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            return


@ROOT
def test_a_full_disk(network: SshNetwork) -> None:
    folder = network.site("west")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k,mode=777", "tmpfs", folder], check=True)
    try:
        (folder / "input/resources").mkdir(parents=True)
        (folder / "input/resources/Site-west.yaml").write_text("kind: Site\n")
        network.machine.give(folder)
        fill(folder / "fill")
        network.run().bad("site west", "cannot write", "No space left on device", "free space")
        assert not (folder / "input/certs" / SERVER).exists()
        (folder / "fill").unlink()
        network.run().good()
        same_everywhere(network)
    finally:
        subprocess.run(["umount", folder], check=True)


# -- secrecy


def test_no_byte_of_a_key_is_told(network: SshNetwork) -> None:
    """However much Ansible is asked to tell, of what is written, read back, rotated and failing."""
    folder = network.folder
    network.ansible.environment["ANSIBLE_LOG_PATH"] = str(folder / "ansible.log")
    debug = {"ANSIBLE_DEBUG": "1", "ANSIBLE_KEEP_REMOTE_FILES": "1"}
    outputs = []
    for alternative in ("a.example.net", "b.example.net"):
        network.variables["skupper_tls_certificate"] = {"alternative_names": [alternative]}
        outputs.append(network.run(ROLLOUT, "-vvvvv", "--diff", environment=debug).good().output)
    keys = {}
    for site in network.hosts:
        keys[site] = serialization.load_pem_private_key(network.secret(site, SERVER)["tls.key"], None)
    (network.site("west") / "input/certs" / SERVER / "ca.crt").unlink()
    network.machine.give(network.home / ".local")
    outputs.append(network.run("verify", "-vvvvv", environment=debug).bad().output)
    text = "\n".join(outputs)
    assert "stdout chunk" in text, "Ansible did not tell what it was asked to"
    assert "skupper-tls-answer:" in text
    assert '"masked"' in text.replace("\\", ""), "no secret was read back"
    for key in keys.values():
        wanted = needles(key)
        assert search(text.encode(), wanted) == []
        assert search_files(folder, wanted, {network.store}) == []
        assert search_files(network.home, wanted, set(network.data_home.glob("namespaces/*/input/certs"))) == []
    assert "PRIVATE KEY" not in text


# -- all kinds of site in one run


def test_local_remote_and_kubernetes_sites_together(clusters: Take, machine: Machine, tmp_path: Path) -> None:
    kube = KubeNetwork(tmp_path / "kube", clusters(1))
    remote = SshNetwork(tmp_path / "ssh", machine, ["west"])
    local = SystemNetwork(tmp_path / "local", ["edge"])
    shared = {"skupper_site_platform", "skupper_site_data_home", *machine.variables, "ansible_connection"}
    for each in (remote, local):
        own = {name: value for name, value in each.variables.items() if name in shared}
        kube.hosts.update({name: {**host, **own} for name, host in each.hosts.items()})
    # A site on Kubernetes is no machine: how its host would be reached is not looked at.
    kube.hosts["east"].update(ansible_connection="ssh", ansible_host="192.0.2.1", ansible_become=True)
    kube.ansible.environment.update(remote.ansible.environment | {"HOME": str(kube.ansible.home)})
    predicted = kube.run(ROLLOUT, "--check", "--diff").good()
    first = kube.run(ROLLOUT, "--diff").good()
    assert first.diffs() == predicted.diffs()
    assert kube.run().good().count("changed") == 0
    held = {site: each.secret(site, CA) for site, each in (("east", kube), ("west", remote), ("edge", local))}
    assert held["east"] == held["west"] == held["edge"]
    assert sorted(held["east"]) == ["ca.crt", "tls.crt", "tls.key"]
    assert kube.exposed("east")
    assert remote.exposed("west") == local.exposed("edge")
