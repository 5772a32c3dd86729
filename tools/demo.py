# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The demo: one playbook run gives three sites the same certificates and exposes a service; then the proof.

    make demo                    three Skupper system sites: folders below a temporary one, no cluster needed
    make demo SITES=kubernetes   three real API servers, with a Skupper v2 and a Skupper v1 network on them

Everything is what a user would do: an inventory, ``ansible-playbook``, and a TLS handshake with what came out.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from base64 import b64decode
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SITES = ("east", "west", "edge")
ADDRESS = "payments"
TIMEOUT_SECONDS = 20.0

INVENTORY = """\
---
skupper_sites:
  vars:
    skupper_tls_network: demo
    skupper_tls_store:
      type: directory
      path: "{{{{ inventory_dir }}}}/store-{version}"
    skupper_tls_services:
      - address: payments
        protocol: http2
        ports: [5001, 5002]
        workload: {{kind: deployment, name: payments}}
        providers: [east]
        tls:
          mode: custom
          server_secret: server-cert-secret
          ca_secret: ca-cert-secret
{variables}
  hosts:
{hosts}
"""

SITE = """\
---
apiVersion: skupper.io/v2alpha1
kind: Site
metadata:
  name: {name}
  namespace: {name}
"""


class DemoError(Exception):
    """The demo did not show what it should; the text says what."""


def main() -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", choices=("linux", "kubernetes"), default="linux")
    parser.add_argument("--directory", type=Path, help="where to work; a new temporary folder by default")
    arguments = parser.parse_args()
    folder = arguments.directory or Path(tempfile.mkdtemp(prefix="skupper-tls-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.sites == "linux":
            on_directories(folder)
        else:
            on_api_servers(folder)
    except DemoError as error:
        print(f"\nThe demo failed: {error}\nWhat it made is in {folder}", file=sys.stderr)
        return 1
    return 0


# -- three system sites


def on_directories(folder: Path) -> None:
    """Roll out to three system sites, which are folders laid out as Skupper v2 does."""
    data_home = folder / "skupper"
    say("Three Skupper system sites, as `skupper site create` leaves them:")
    for name in SITES:
        resources = data_home / "namespaces" / name / "input" / "resources"
        resources.mkdir(parents=True, exist_ok=True)
        (resources / f"Site-{name}.yaml").write_text(SITE.format(name=name), encoding="utf-8")
        print(f"  {data_home / 'namespaces' / name}")
    variables = (
        f"    skupper_site_platform: linux\n    skupper_site_data_home: {data_home}\n    ansible_connection: local"
    )
    hosts = "\n".join(f"    {name}: {{skupper_site_namespace: {name}}}" for name in SITES)
    inventory = folder / "inventory.yml"
    inventory.write_text(INVENTORY.format(version="v2", variables=variables, hosts=hosts), encoding="utf-8")
    twice(inventory)

    certificates = data_home / "namespaces"
    server, client = certificates / "east/input/certs/server-cert-secret", certificates / "west/input/certs"
    prove(server / "tls.crt", server / "tls.key", client / "ca-cert-secret" / "ca.crt")
    say("Where things are")
    for name in SITES:
        print(f"  {name}:")
        for file in sorted((certificates / name).rglob("*")):
            if file.is_file():
                print(f"    {file.relative_to(certificates)}")
    print(f"  the store (CA and certificate, keys inside): {folder / 'store-v2'}")
    next_steps(inventory)


# -- three API servers


def on_api_servers(folder: Path) -> None:
    """Roll out to a v2 and a v1 network, each a namespace on three real API servers."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.cluster.clusters import Clusters

    say("Three real API servers (the first time, they are built: about six minutes on two cores)")
    with Clusters(SITES, directory=folder / "clusters") as clusters:
        for version, namespace in (("v2", "shop"), ("v1", "shop-v1")):
            for cluster in clusters:
                make_site = cluster.make_v2_site if version == "v2" else cluster.make_v1_site
                make_site(namespace, controller=False)
            clusters["east"].make_workload(namespace, ADDRESS, {"app": ADDRESS})
            variables = f"    skupper_site_kubeconfig: {clusters.kubeconfig}\n    skupper_site_namespace: {namespace}"
            hosts = "\n".join(f"    {name}: {{skupper_site_context: {name}}}" for name in SITES)
            inventory = folder / f"inventory-{version}.yml"
            text = INVENTORY.format(version=version, variables=variables, hosts=hosts)
            inventory.write_text(text, encoding="utf-8")
            say(f"Skupper {version}: namespace {namespace} on {', '.join(SITES)}")
            twice(inventory)
            prove(*secret_files(folder / version, clusters, namespace))
        print("\nThe API servers stop now. No Skupper controller runs on them: hence the warnings TLS403.")
        next_steps(folder / "inventory-v2.yml")


def secret_files(folder: Path, clusters: Any, namespace: str) -> tuple[Path, Path, Path]:
    """Write what the sites hold to files of this user only, as a pod would have it mounted."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = (("east", "server-cert-secret", "tls.crt"), ("east", "server-cert-secret", "tls.key"),
              ("west", "ca-cert-secret", "ca.crt"))  # fmt: skip
    files = []
    for site, secret, key in wanted:
        data = clusters[site].core.read_namespaced_secret(secret, namespace).data[key]
        file = folder / f"{site}-{key}"
        file.touch(mode=0o600)
        file.write_bytes(b64decode(data))
        files.append(file)
    return files[0], files[1], files[2]


# -- the steps


def twice(inventory: Path) -> None:
    """Run the rollout, and again; the second run must change nothing."""
    say("First run: ansible-playbook multisite.skupper_tls.rollout")
    changed = playbook(inventory)
    if not changed:
        raise DemoError("the first run changed nothing")
    say("Second run: it must change nothing")
    again = playbook(inventory, quiet=True)
    if again:
        raise DemoError(f"the second run changed {again} things")
    print(f"\n  First run: {changed} changes. Second run: changed=0 on every site.")


def playbook(inventory: Path, quiet: bool = False) -> int:
    """Run rollout.yml and return the number of changes in its recap."""
    command = [str(PLAYBOOK), "-i", str(inventory), "multisite.skupper_tls.rollout"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": collections_path(),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOWS": "true",
    }
    output = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=inventory.parent
    ) as run:
        assert run.stdout is not None
        recap = False
        for line in run.stdout:
            output.append(line)
            recap = recap or line.startswith("PLAY RECAP")
            if not quiet or recap:
                print("  " + line, end="", flush=True)
    if run.returncode:
        print("".join(output) if quiet else "")
        raise DemoError(f"ansible-playbook ended with {run.returncode}")
    return sum(int(number) for number in re.findall(r"changed=(\d+)", "".join(output)))


def collections_path() -> str:
    """Return where Ansible finds this collection."""
    known = os.environ.get("ANSIBLE_COLLECTIONS_PATH")
    script = [sys.executable, str(REPOSITORY / "tools" / "collection_path.py")]
    return known or subprocess.run(script, check=True, capture_output=True, text=True).stdout.strip()


def prove(certificate: Path, key: Path, bundle: Path) -> None:
    """Show a handshake: a server with the certificate of one site, a client that trusts only what another site has."""
    say("The proof: a TLS server with the certificate of east, a client with nothing but ca-cert-secret of west")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.set_alpn_protocols(["h2"])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(bundle)
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # RFC 5280, the default from Python 3.13 on
    client.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_SECONDS)
        thread = threading.Thread(target=_serve, args=(listener, server), daemon=True)
        thread.start()
        with (
            socket.create_connection(listener.getsockname(), TIMEOUT_SECONDS) as plain,
            client.wrap_socket(plain, server_hostname=ADDRESS) as secure,
        ):
            answer = secure.recv(100).decode()
            peer = secure.getpeercert() or {}
            version, cipher, protocol = secure.version(), secure.cipher(), secure.selected_alpn_protocol()
        thread.join(TIMEOUT_SECONDS)
    if answer != "hello from the service":
        raise DemoError("the server did not answer")
    alternative: Any = peer.get("subjectAltName", ())
    names = ", ".join(value for _kind, value in alternative)
    print(f"  handshake: {version}, {cipher[0] if cipher else '?'}, ALPN {protocol}, strict RFC 5280 verification")
    print(f"  asked for: {ADDRESS}; the certificate's names: {names}; not after: {peer.get('notAfter')}")
    _refused(certificate, key)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _address = listener.accept()
    with connection:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"hello from the service")
        except OSError:
            return  # the client that trusts something else hangs up


def _refused(certificate: Path, key: Path) -> None:
    """Show that the handshake is no accident: a client that trusts the machine's usual CAs must refuse."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_SECONDS)
        thread = threading.Thread(target=_serve, args=(listener, server), daemon=True)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), TIMEOUT_SECONDS) as plain,
                client.wrap_socket(plain, server_hostname=ADDRESS),
            ):
                raise DemoError("a client without the CA accepted the certificate")
        except ssl.SSLCertVerificationError as error:
            print(f"  a client without ca-cert-secret refuses: {error.verify_message}")
        thread.join(TIMEOUT_SECONDS)


def say(text: str) -> None:
    """Print a headline."""
    print(f"\n== {text}", flush=True)


def next_steps(inventory: Path) -> None:
    """Print what to do next."""
    say("Next")
    print(f"  Look at the inventory:      {inventory}")
    print("  Write one of your sites, and look first, writing nothing:")
    print(f"    export ANSIBLE_COLLECTIONS_PATH={collections_path()}")
    print(f"    {PLAYBOOK} -i {inventory} multisite.skupper_tls.rollout --check --diff")
    print("  The README tells what a site needs, and each role's README its variables.")


if __name__ == "__main__":
    started = time.monotonic()
    code = main()
    print(f"\n{'Done' if code == 0 else 'Ended'} after {time.monotonic() - started:.0f} seconds.")
    sys.exit(code)
