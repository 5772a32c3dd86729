#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: The identically named secrets of a site of a Skupper network
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Makes a site hold, for each service, the secret with certificate, key and CA and the secret with the CA alone, under
    the same names and with the same content as every other site. The module reads them from the store by itself.
  - On Kubernetes a secret is of type C(kubernetes.io/tls), which Skupper v2 insists on. On a system site it is a folder
    under C(input/certs), put in place as a whole, for Skupper replaces an incomplete one by a certificate of its own.
  - In TLS mode V(generated) Skupper makes the secrets. On v2 on Kubernetes the module makes the Certificates that it
    makes them from, the signing CA before what it signs, and waits for the secrets. It also mends what Skupper does
    not by itself, a secret that was deleted and certificates of a CA that is no longer there. On v1 and on system
    sites Skupper generates when the service is exposed, and the module does nothing, unless there is a signer.
  - A secret of a user's own under the name of one that Skupper is to generate is refused, O(adopt) or not.
  - Keys, labels and annotations of a secret that are not the collection's are left as they are.
  - Run it on every site before the service is exposed on any. A site that lacks one of the secrets stops configuring
    its router.
options:
  state:
    description:
      - V(present) makes the site hold the secrets.
      - V(absent) removes them. That is refused as long as a listener, a connector or an entry on the site uses one of
        them. The store is not needed. One that another network of this collection wrote stays.
      - V(absent) with O(removal) removes the secrets that are to go, and with them router profiles, Certificates and
        what was noted of things that are no longer there. What something else still uses stays. O(services) is then the
        whole inventory, of which O(removal) says what goes.
  services:
    description:
      - The services whose secrets are meant. All of them are checked before anything is read or written, and every
        error is told at once.
      - The default is the variable C(skupper_tls_services).
    required: true
  certificate_timeout:
    description:
      - How many seconds to wait for Skupper v2 on Kubernetes to make the secrets of Certificates, where the TLS mode is
        V(generated). It is an error if they are not there by then.
      - The variable C(skupper_tls_certificate_timeout) takes the place of the default.
    type: float
    default: 60.0
  signers:
    description:
      - The name of the variable in which the result of M(multisite.skupper_tls.authority) is registered, in the same
        run. In check mode, a site for which that would make an intermediate CA is predicted to get another one.
    type: str
extends_documentation_fragment:
  - multisite.skupper_tls.adopt
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.earlier
  - multisite.skupper_tls.earlier.issued
  - multisite.skupper_tls.earlier.removal
  - multisite.skupper_tls.network
  - multisite.skupper_tls.services
  - multisite.skupper_tls.services.overrides
  - multisite.skupper_tls.site
  - multisite.skupper_tls.state
  - multisite.skupper_tls.store
notes:
  - What another process changes between reading and writing is read and planned anew, up to five times.
  - On Kubernetes the user of the site needs the verbs get, create and patch on Secrets, and delete to remove or replace
    one. On v2 also list on Sites, and on Listeners and Connectors to remove; on v1 also get on the ConfigMaps
    C(skupper-site), and to remove C(skupper-services) and C(skupper-internal). In TLS mode V(generated) on v2 also
    list, create, patch and delete on Certificates; on Secrets then get is enough, unless there is a signer.
  - Skupper v1 reads a changed secret only after its router has restarted. On a system site the module runs
    C(skupper system reload) where a resource uses a changed secret, the site was started and the command is there.
seealso:
  - module: multisite.skupper_tls.certificate
  - module: multisite.skupper_tls.service
  - module: multisite.skupper_tls.site_info
"""

EXAMPLES = r"""
---
- name: Give every site the secrets of a service
  multisite.skupper_tls.secrets:
    services:
      - address: payments
        protocol: http2
        ports: [5001, 5002]
        workload: {kind: deployment, name: payments}
        providers: [east]
    store:
      type: directory
      path: "{{ inventory_dir }}/.skupper-tls"

- name: Take the site, the services and the store from the variables skupper_site_* and skupper_tls_*
  multisite.skupper_tls.secrets:

- name: Name the site in the task, where it is no host of the inventory
  multisite.skupper_tls.secrets:
    kubeconfig: ~/.kube/shop
    context: west
    namespace: shop
    services: "{{ skupper_tls_services }}"
    store: "{{ skupper_tls_store }}"

- name: Take over secrets that were made by hand
  multisite.skupper_tls.secrets:
    services: "{{ skupper_tls_services }}"
    store: "{{ skupper_tls_store }}"
    adopt: true

- name: Remove the secrets of services that are no longer exposed
  multisite.skupper_tls.secrets:
    services: "{{ skupper_tls_services }}"
    state: absent
"""

RETURN = r"""
removed:
  description: What was removed, or in check mode would be, as kind and name.
  type: list
  elements: str
  returned: with O(removal)
  sample: [Secret/ca-cert-secret, Secret/server-cert-secret]
kept:
  description: By kind and name what would go with the services and stays, and what uses it.
  type: dict
  returned: with O(removal)
  sample: {Secret/server-cert-secret: Listener mine}
version:
  description: The major version of Skupper on the site.
  type: str
  returned: success
  sample: v2
network:
  description: The name of the network.
  type: str
  returned: success
  sample: shop
secrets:
  description:
    - By name of the secret what the site holds after the run, or in check mode now. Null for a secret that is not
      there. Each other value has the entries below.
    - Empty when O(state=absent).
  type: dict
  returned: success
  contains:
    owner:
      description: V(ours) if this collection wrote the secret for this network, else V(foreign).
      type: str
      returned: always
    network:
      description: The network whose label the secret carries, empty where none.
      type: str
      returned: always
    type:
      description: The type of the secret, empty on system sites.
      type: str
      returned: always
    usable_type:
      description: Whether Skupper uses a secret of this type. Skupper v2 uses C(kubernetes.io/tls) only.
      type: bool
      returned: always
    missing_keys:
      description: The keys that the secret must have and has not, or has empty.
      type: list
      elements: str
      returned: always
    key:
      description:
        - V(matches), V(does not match), V(absent), V(without certificate), or that and why the key cannot be read.
        - Always V(absent) for a secret with the CA alone.
      type: str
      returned: always
    certificate:
      description:
        - The first certificate of C(tls.crt), like RV(multisite.skupper_tls.certificate#module:certificate), null where
          there is none.
        - Always null for a secret with the CA alone.
      type: dict
      returned: always
    tls_sha256:
      description: The SHA-256 fingerprints of the certificates of C(tls.crt), in their order, joined by spaces.
      type: str
      returned: always
    ca_sha256:
      description: The SHA-256 fingerprints of the certificates of C(ca.crt), sorted, joined by spaces.
      type: str
      returned: always
    ca:
      description: The certificates of C(ca.crt), each like RV(multisite.skupper_tls.certificate#module:certificate).
      type: list
      elements: dict
      returned: always
    problems:
      description: What is wrong with the content, each as number of the check, message, what was found, and remedy.
      type: list
      elements: list
      returned: always
  sample:
    ca-cert-secret:
      owner: ours
      network: shop
      type: kubernetes.io/tls
      usable_type: true
      missing_keys: []
      key: absent
      certificate: null
      tls_sha256: ""
      ca_sha256: A3:74:0F:89:68:78:77:2A:0A:E2:3D:8E:8C:46:34:B8:3D:BB:83:85:EB:98:08:CE:43:9E:19:EB:55:24:97:9B
      ca:
        - subject: CN=Shop service CA,O=Example
          issuer: CN=Shop service CA,O=Example
          serial_number: 17586FCD390C6C16ACC7858AD125EF55CEFA4A41
          not_before: "2026-11-24T08:35:58Z"
          not_after: "2036-11-21T08:40:58Z"
          alternative_names: []
          sha256: A3:74:0F:89:68:78:77:2A:0A:E2:3D:8E:8C:46:34:B8:3D:BB:83:85:EB:98:08:CE:43:9E:19:EB:55:24:97:9B
          key_type: ecdsa-p256
          ca: true
      problems: []
    server-cert-secret: null
settled:
  description: Whether the site was not read again, since O(known) said that nothing is to be done.
  type: bool
  returned: when that is so
  sample: true
reloaded:
  description: Whether Skupper was told to read what is written, by C(skupper system reload). System sites only.
  type: bool
  returned: changed
  sample: true
predicted:
  description:
    - By name of the secret, the SHA-256 fingerprints of what it will hold of certificates after the run, as in
      RV(secrets.tls_sha256) and RV(secrets.ca_sha256), of the server secret and the CA secret. Where the certificate is
      still to be issued, V(known after the run).
    - M(multisite.skupper_tls.service) takes it from its option C(known), where workloads are to show fingerprints.
  type: dict
  returned: changed, in check mode
  sample:
    server-cert-secret: known after the run
to_do:
  description:
    - What a person must still do on the site, empty if nothing. Skupper reads the files of a system site only when it
      is told to.
  type: str
  returned: changed
  sample: run `skupper system reload -n shop` on edge1
errors:
  description: Every error that was found, each as the parts of the message.
  type: list
  elements: dict
  returned: failure
  contains:
    check:
      description: The number of the check that it belongs to.
      type: str
      returned: always
    message:
      description: What is wrong.
      type: str
      returned: always
    site:
      description: The inventory name of the site, empty where no site is concerned.
      type: str
      returned: always
    field:
      description: The option, variable or object to look at.
      type: str
      returned: always
    found:
      description: What stands there. Never content of a key.
      type: str
      returned: always
    remedy:
      description: What to do about it.
      type: str
      returned: always
  sample:
    - check: TLS801
      message: the store is not given
      site: ""
      field: store
      found: ""
      remedy: "Set skupper_tls_store, for example {type: directory, path: ~/.skupper-tls}"
"""

from ansible_collections.multisite.skupper_tls.plugins.module_utils.run import main

if __name__ == "__main__":
    main("secrets")
