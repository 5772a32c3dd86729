# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host to reach by SSH: a real sshd on loopback, ordinary users, and a Python without any package."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.multisite.skupper_tls.tests.integration.networks import SITES, SystemNetwork
from ansible_collections.multisite.skupper_tls.tests.integration.playbook import descendants

PASSWORD = "not-a-secret-of-anyone"

# A stand-in for Skupper's command alone, which needs containers or systemd: it writes down how it was called, and
# whether every folder of certificates was complete then. What it would read is read and compared by the tests.
SKUPPER = """\
#!/bin/sh
cd "${XDG_DATA_HOME:-$HOME/.local/share}/skupper/namespaces/$5" || exit 9
for folder in input/certs/*; do
    for file in tls.crt tls.key ca.crt; do test -e "$folder/$file" || test ! -d "$folder" || exit 8; done
done
echo "$(id -un) $SKUPPER_PLATFORM $*" >> ~/skupper.log
if test -e ~/skupper.hangs; then touch ~/skupper.runs; sleep 60; fi
if test -e ~/skupper.fails; then echo "no router image" >&2; exit 3; fi
"""


def program(name: str) -> str:
    """Return the path of a program of the system, empty if it is not there."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/bin"))) or ""


def plain_python(folder: Path) -> Path:
    """Return a Python as old as a host may have, with nothing but the standard library, that every user may run.

    It is a copy, since the interpreters of pyenv may be in a folder that only their owner may enter.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    newer = () if os.environ.get("SKUPPER_TLS_TEST_ALL") else ("3.11", "3.12", "3.13")
    for version in ("3.9", "3.10", *newer):
        for binary in [*root.glob(f"{version}.*/bin/python{version}"), *_on_path(f"python{version}")]:
            base = _output([str(binary), "-I", "-c", "import sys; print(sys.base_prefix)"])
            if not (Path(base) / f"lib/python{version}/os.py").is_file():
                continue
            skip = shutil.ignore_patterns("test", "tests", "site-packages", "dist-packages", "__pycache__", "idlelib")
            library = folder / f"lib/python{version}"
            shutil.copytree(Path(base) / f"lib/python{version}", library, ignore=skip, symlinks=True)
            for file in Path(base).glob("lib/libpython*.so*"):
                shutil.copy(file, folder / "lib")
            (folder / "bin").mkdir()
            copy = Path(shutil.copy(binary.resolve(), folder / "bin" / f"python{version}"))
            python = folder / "python"
            python.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={folder}/lib exec {copy} "$@"\n')
            python.chmod(0o755)
            said = _output([str(python), "-I", "-c", "import importlib.util as i; print(i.find_spec('cryptography'))"])
            assert said == "None"
            return python
    raise AssertionError("there is no Python that a host may have on this machine, neither on PATH nor made by pyenv")


def _on_path(name: str) -> list[Path]:
    found = shutil.which(name)
    return [Path(found)] if found else []


def _output(command: Sequence[str]) -> str:
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return ended.stdout.strip()


class Machine:
    """The host.

    Attributes:
        user: who is logged in; the site's owner where no other is said.
        home: the user's home. Where we are not root, it is not our real one.
        owner: another user, empty where we are not root.
        owners_home: the home of that one.
        variables: what an inventory says of the host.
    """

    def __init__(self, folder: Path, user: str, owner: str, python: Path) -> None:
        self.folder, self.user, self.owner = folder, user, owner
        self.home, self.owners_home = folder / "home", folder / "owner"
        self.home.mkdir(exist_ok=True)
        self.known_hosts, self._log = folder / "known_hosts", folder / "sshd.log"
        for name in ("host", "user"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(key, check=True, timeout=60)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        host_key = (folder / "host.pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {' '.join(host_key)}\n")
        shutil.copy(folder / "user.pub", folder / "authorized_keys")
        (folder / "authorized_keys").chmod(0o644)
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPasswordAuthentication no\n"
            f"MaxStartups 100\nMaxSessions 100\nAllowUsers {user}\n"
            + ("" if owner else f'ForceCommand HOME={self.home}; export HOME; exec sh -c "$SSH_ORIGINAL_COMMAND"\n')
        )
        self.process = self._start()
        self.variables: dict[str, Any] = {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": user,
            "ansible_ssh_private_key_file": folder / "user",
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self.known_hosts} -o IdentitiesOnly=yes",
            "ansible_python_interpreter": python,
        }

    def _start(self) -> subprocess.Popen[bytes]:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        with self._log.open("wb") as log:
            process = subprocess.Popen(
                [program("sshd"), "-D", "-e", "-f", str(self.folder / "sshd_config")], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return process
            time.sleep(0.05)
        raise AssertionError(f"sshd does not start: {self._log.read_text()}")

    def stop(self) -> None:
        """End the server and every session."""
        for one in descendants(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def clean(self) -> None:
        """Remove what a test has left in the homes."""
        for home in (self.home, self.owners_home):
            shutil.rmtree(home / ".local", ignore_errors=True)
            for file in home.glob("skupper.*"):
                file.unlink()

    def install_skupper(self, home: Path | None = None) -> None:
        """Put the stand-in for Skupper's command where its installer puts the real one."""
        file = (home or self.home) / ".local/bin/skupper"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SKUPPER)
        file.chmod(0o755)
        self.give(file.parents[1])

    def give(self, folder: Path) -> None:
        """Give a folder in a home and all in it to whose home that is."""
        if self.owner:
            entry = pwd.getpwnam(self.owner if self.owners_home in folder.parents else self.user)
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)

    def calls(self, home: Path | None = None) -> list[str]:
        """Return how Skupper's command was called since the last time this was asked."""
        file = (home or self.home) / "skupper.log"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


class SshNetwork(SystemNetwork):
    """System sites of one machine, in the user's own data home, reached by SSH."""

    def __init__(self, folder: Path, machine: Machine, sites: Sequence[str] = SITES, home: Path | None = None) -> None:
        machine.clean()
        self.machine = machine
        self.home = home or machine.home
        super().__init__(folder, sites, self.home / ".local/share/skupper")
        machine.give(self.home / ".local")
        del self.variables["skupper_site_data_home"]
        self.variables.update(machine.variables, skupper_site_platform="podman")
        # A socket's path must be short, which a test's folder is not.
        self.ansible.environment["ANSIBLE_SSH_CONTROL_PATH_DIR"] = str(machine.folder / "cp")

    def start_sites(self, *sites: str) -> None:
        """Make it look as if Skupper had been started there."""
        for site in sites or self.hosts:
            (self.site(site) / "runtime").mkdir(exist_ok=True)
        self.machine.give(self.home / ".local")


@contextlib.contextmanager
def running() -> Iterator[Machine]:
    """Run the host, with users made for it where we are root, else for who we are."""
    folder = Path(tempfile.mkdtemp(prefix="ssh-", dir="/tmp"))
    folder.chmod(0o755)
    made = [f"tls-{name}-{os.getpid()}" for name in ("home", "owner")] if os.geteuid() == 0 else []
    try:
        for name, home in zip(made, ("home", "owner")):
            _make_user(name, folder / home)
        user, owner = made or (getpass.getuser(), "")
        machine = Machine(folder, user, owner, plain_python(folder / "python"))
        try:
            yield machine
        finally:
            machine.stop()
    finally:
        for name in made:
            subprocess.run([program("userdel"), name], check=False, capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def _make_user(name: str, home: Path) -> None:
    secret = _output(["openssl", "passwd", "-6", PASSWORD])
    command = [program("useradd"), "--create-home", "--home-dir", str(home), "--shell", "/bin/sh", "--password", secret]
    subprocess.run([*command, name], check=True, timeout=60)
    home.chmod(0o755)


@contextlib.contextmanager
def sudoer(machine: Machine, rule: str) -> Iterator[None]:
    """Let the machine's user become another by sudo."""
    file = Path("/etc/sudoers.d") / machine.user
    file.write_text(f"{machine.user} ALL=(ALL) {rule}\n")
    file.chmod(0o440)
    try:
        yield
    finally:
        file.unlink()
