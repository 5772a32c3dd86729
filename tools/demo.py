# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The demo: one playbook run gives three sites the same certificates and exposes a service; then the proof.

    make demo                    three Skupper system sites: folders below a temporary one, no cluster needed
    make demo SITES=kubernetes   three real API servers, with a Skupper v2 and a Skupper v1 network on them, and one
                                 more of v2 where each site's own CA signs (TLS mode generated)

Everything is what a user would do: an inventory, ``ansible-playbook``, and a TLS handshake with what came out.
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Iterable
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
      path: "{{{{ inventory_dir }}}}/store-{name}"
    skupper_tls_services:
      - address: payments
        protocol: http2
        ports: [5001, 5002]
        workload: {{kind: deployment, name: payments}}
        providers: [east]
        tls: {tls}
{variables}
  hosts:
{hosts}
"""

CUSTOM = "{mode: custom, server_secret: server-cert-secret, ca_secret: ca-cert-secret}"
GENERATED = "{mode: generated}"

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
    text = INVENTORY.format(name="v2", tls=CUSTOM, variables=variables, hosts=hosts)
    inventory.write_text(text, encoding="utf-8")
    twice(inventory)

    certificates = data_home / "namespaces"
    server, client = certificates / "east/input/certs/server-cert-secret", certificates / "west/input/certs"
    say("The proof: a TLS server with the certificate of east, a client with nothing but ca-cert-secret of west")
    prove(server / "tls.crt", server / "tls.key", client / "ca-cert-secret" / "ca.crt")
    refused(server / "tls.crt", server / "tls.key", None, "a client without ca-cert-secret")
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
    """Roll out to a v2, a v1 and a generated v2 network, each a namespace on three real API servers."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.cluster.clusters import Clusters
    from tests.cluster.controller import Controller

    say("Three real API servers (the first time, they are built: about six minutes on two cores)")
    with Clusters(SITES, directory=folder / "clusters") as clusters:
        for version, namespace in (("v2", "shop"), ("v1", "shop-v1")):
            inventory = network(folder, clusters, version, namespace, version, CUSTOM)
            say(f"Skupper {version}: namespace {namespace} on {', '.join(SITES)}")
            twice(inventory)
            wanted = (("east", "server-cert-secret", "tls.crt"), ("east", "server-cert-secret", "tls.key"),
                      ("west", "ca-cert-secret", "ca.crt"))  # fmt: skip
            server, key, bundle = secret_files(folder / version, clusters, namespace, wanted)
            say(
                "The proof: a TLS server with the certificate of east, a client with nothing but ca-cert-secret of west"
            )
            prove(server, key, bundle)
            refused(server, key, None, "a client without ca-cert-secret")
        print("\n  No Skupper controller runs on these two networks: hence the warnings TLS403.")
        inventory = network(folder, clusters, "v2", "shop-generated", "generated", GENERATED)
        say("TLS mode generated: namespace shop-generated, each site's own CA signs")
        print("  Skupper's controller, which makes the secrets, is played here by a small loop (tests/cluster).")
        with contextlib.ExitStack() as stack:
            for cluster in clusters:
                stack.enter_context(Controller(cluster, "shop-generated"))
            twice(inventory)
        pair = (("west", "skupper-tls-payments", "tls.crt"), ("west", "skupper-tls-payments", "tls.key"))
        bundles = tuple((site, "skupper-service-client", "ca.crt") for site in ("west", "east"))
        server, key, own, other = secret_files(folder / "generated", clusters, "shop-generated", (*pair, *bundles))
        say("The proof: a TLS server with the certificate of west, a client with skupper-service-client of west")
        prove(server, key, own, strict=False)
        refused(server, key, other, "a client with skupper-service-client of east, another CA,")
        print("\nThe API servers stop now.")
        next_steps(folder / "inventory-v2.yml")


def network(folder: Path, clusters: Any, version: str, namespace: str, name: str, tls: str) -> Path:
    """Make the namespaces of three sites and return the inventory of their network."""
    for cluster in clusters:
        make_site = cluster.make_v2_site if version == "v2" else cluster.make_v1_site
        make_site(namespace, controller=False)
    clusters["east"].make_workload(namespace, ADDRESS, {"app": ADDRESS})
    variables = f"    skupper_site_kubeconfig: {clusters.kubeconfig}\n    skupper_site_namespace: {namespace}"
    hosts = "\n".join(f"    {site}: {{skupper_site_context: {site}}}" for site in SITES)
    inventory = folder / f"inventory-{name}.yml"
    text = INVENTORY.format(name=name, tls=tls, variables=variables, hosts=hosts)
    inventory.write_text(text, encoding="utf-8")
    return inventory


def secret_files(folder: Path, clusters: Any, namespace: str, wanted: Iterable[tuple[str, str, str]]) -> list[Path]:
    """Write what the sites hold to files of this user only, as a pod would have it mounted."""
    folder.mkdir(mode=0o700, exist_ok=True)
    files = []
    for site, secret, key in wanted:
        data = clusters[site].core.read_namespaced_secret(secret, namespace).data[key]
        file = folder / f"{site}-{secret}-{key}"
        file.touch(mode=0o600)
        file.write_bytes(b64decode(data))
        files.append(file)
    return files


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


def prove(certificate: Path, key: Path, bundle: Path, strict: bool = True) -> None:
    """Show a handshake: a server with the certificate, a client that trusts the bundle alone."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.set_alpn_protocols(["h2"])
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(bundle)
    if strict:
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
    how = ", strict RFC 5280 verification" if strict else ""
    print(f"  handshake: {version}, {cipher[0] if cipher else '?'}, ALPN {protocol}{how}")
    print(f"  asked for: {ADDRESS}; the certificate's names: {names}; not after: {peer.get('notAfter')}")


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _address = listener.accept()
    with connection:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"hello from the service")
        except OSError:
            return  # the client that trusts something else hangs up


def refused(certificate: Path, key: Path, bundle: Path | None, who: str) -> None:
    """Show that the handshake is no accident: a client that trusts another CA must refuse."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=bundle)
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
            print(f"  {who} refuses: {error.verify_message}")
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
