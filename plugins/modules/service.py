#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: Exposes services with TLS on a site of a Skupper network
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Makes a site expose services with the secrets that M(multisite.skupper_tls.secrets) wrote.
  - Skupper v2. On a consuming site a Listener for each port, with the server secret; on a providing site a Connector
    for each port, with the CA secret. Both are named C(address-port), and so is the routing key. On a system site they
    are files under C(input/resources), and a providing one also gets the Certificate that makes the router find the CA.
  - Skupper v1. On a providing site the CA's profile in the ConfigMap C(skupper-internal), then the entry in the
    ConfigMap C(skupper-services). Other sites get the entry from Skupper itself.
  - What Skupper does not take a change of is removed and added again, such as the credentials of a v1 entry. A v1 entry
    that came before its secrets is written again, since Skupper sets it up only then.
  - What this collection wrote for a service and is no longer wanted is removed, such as the objects of a dropped port.
  - Where O(services[].workload.mount_path) or O(services[].consumers) ask for it, the secrets are mounted into the pods
    of workloads, by server-side apply of those fields alone. A provider's workload gets its certificate before
    connections are sent to it. An annotation of the pod template has the fingerprint of what is mounted, so that the
    pods of a workload are restarted if, and only if, its certificates are others than before.
options:
  state:
    description:
      - V(present) exposes the services. It is refused as long as the site does not hold both secrets complete.
      - V(absent) removes what this collection wrote for the services. Secrets stay.
      - V(absent) with O(removal) removes what exposes the services that are to go. O(services) is then the whole
        inventory, of which O(removal) says what goes.
  services:
    description:
      - The services that are meant. All of them are checked before anything is read or written, and every error is told
        at once.
      - The default is the variable C(skupper_tls_services).
    required: true
  wait_timeout:
    description:
      - How many seconds to wait for Skupper to take up what was written. It waits only where a Skupper controller is
        seen at work, and never on system sites. V(0) does not wait.
      - What is not taken up in that time is no error, see RV(not_taken_up).
      - The variable C(skupper_tls_wait_timeout) takes the place of the default.
    type: float
    default: 5.0
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
  - The option O(store) is accepted, so that C(module_defaults) for the group can hold it, and is not used.
  - A providing Kubernetes site whose workload does not exist is an error.
  - On a system site the module runs C(skupper system reload) after a change, where the site was started and the
    command is there. A reload that fails is an error, after everything is written; the next run does it again.
  - Mounts need get and patch on the workloads that are named. With list on Deployments, StatefulSets and DaemonSets,
    mounts that the inventory no longer asks for are found and removed; without it they stay. They are found by the
    label C(multisite.skupper-tls/mounts) of the workload.
  - The field manager of a service's mounts is C(multisite.skupper_tls/NETWORK/ADDRESS). A field that another manager
    holds with another value is an error that names it; with O(adopt=true) it is taken over.
  - On Kubernetes the user of the site needs get on Secrets and on a workload that is named. On v2 also list on Sites,
    and list, create, patch and delete on Listeners and Connectors; on v1 also get on the ConfigMap C(skupper-site) and
    on the Deployment C(skupper-service-controller), and get and patch on the ConfigMaps C(skupper-services) and
    C(skupper-internal).
seealso:
  - module: multisite.skupper_tls.secrets
  - module: multisite.skupper_tls.site_info
  - name: Skupper
    description: Services, listeners, connectors and routing keys.
    link: https://skupper.io/docs/
"""

EXAMPLES = r"""
---
- name: Expose a service of a deployment
  multisite.skupper_tls.service:
    services:
      - address: payments
        protocol: http2
        ports: [5001, 5002]
        workload: {kind: deployment, name: payments}
        providers: [east]

- name: Expose another port than that of the workload, found by labels
  multisite.skupper_tls.service:
    services:
      - address: ledger
        ports: "443:8443"
        workload: {selector: "app=ledger,tier=api"}
        providers: [edge_sites]
        tls:
          server_secret: ledger-cert
          ca_secret: ledger-ca

- name: Expose a server that runs beside a system site
  multisite.skupper_tls.service:
    platform: podman
    namespace: shop
    services:
      - address: printer
        ports: [9100]
        workload: {host: 192.0.2.17}
        providers: ["{{ inventory_hostname }}"]
        tls: {server_secret: printer-cert, ca_secret: printer-ca}

- name: Take a service off the site
  multisite.skupper_tls.service:
    services: "{{ skupper_tls_services | selectattr('address', 'eq', 'payments') }}"
    state: absent
"""

RETURN = r"""
removed:
  description: What was removed, or in check mode would be, as kind and name.
  type: list
  elements: str
  returned: with O(removal)
  sample: [Listener/payments-5001]
version:
  description: The major version of Skupper on the site.
  type: str
  returned: success
  sample: v2
services:
  description: By address, what the site has to do with each service that concerns it.
  type: dict
  returned: success
  contains:
    role:
      description:
        - V(provider) if the site provides the service, else V(consumer). V(synced) for a site that is not to take part
          and gets the service from Skupper v1 all the same.
      type: str
      returned: always
    ports:
      description: The ports of the address on this site.
      type: list
      elements: int
      returned: always
    server_secret:
      description: The name of the secret with certificate, key and CA.
      type: str
      returned: always
    ca_secret:
      description: The name of the secret with the CA alone.
      type: str
      returned: always
  sample:
    payments:
      role: provider
      ports: [5001, 5002]
      server_secret: server-cert-secret
      ca_secret: ca-cert-secret
not_taken_up:
  description:
    - The listeners, connectors and entries written in this run, as kind and name, that Skupper has not taken up
      within O(wait_timeout), and secrets that workloads are to mount and that Skupper has not made in that time.
      Always empty on system sites, which have no status.
  type: list
  elements: str
  returned: changed or such a secret is missing, not in check mode
  sample: [Listener/payments-5001]
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
    main("service")
