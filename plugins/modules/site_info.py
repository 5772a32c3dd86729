#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: site_info
short_description: Reads a site of a Skupper network and judges it
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Reads what a site holds and checks it. Nothing is written.
  - What is wrong comes back as RV(findings) and is not a failure, so that one play finds the problems of all sites. The
    module M(multisite.skupper_tls.report) tells them and fails.
options:
  check:
    description:
      - What to read and to check.
      - V(preflight) looks at all that must be in order before anything is written, which is the site, its version,
        permissions, clock, workloads, and what stands under the names that the run would write.
      - V(secrets) reads the secrets alone.
      - V(verify) looks at secrets and services as they are to be after a run. What is ours and belongs to no service of
        the inventory is a warning. Secrets are looked at for that only where O(known) has no result, for that takes a
        request more, and the permission to list Secrets.
      - V(removal) looks at what O(remove) would remove, and what keeps it from that.
      - V(unexposed) looks whether anything still uses what O(removal) says is to go, and waits for Skupper to take away
        what it made itself, which are the entries on other v1 sites and the bridges of a v1 router. In check mode it
        looks at nothing.
    type: str
    choices: [preflight, secrets, verify, removal, unexposed]
    default: verify
  remove:
    description:
      - With O(check=removal), what is to be removed. One or more addresses of services, as a list or as text with
        commas, V(all) for the whole network, or V(orphans) for what is ours and belongs to no service of the inventory.
      - Without it, RV(removal) says which orphans there are.
      - The default is the variable C(skupper_tls_remove).
    type: raw
  remove_timeout:
    description:
      - With O(check=unexposed), how many seconds to wait at most.
      - The variable C(skupper_tls_remove_timeout) takes the place of the default.
    type: float
    default: 60.0
  services:
    description:
      - The services that are meant. Errors in them are findings. None at all is a finding too for V(preflight) and
        V(secrets).
      - The default is the variable C(skupper_tls_services).
    default: []
  adopt:
    description:
      - Whether a run would take over what it did not write. For V(preflight), such a thing is a finding without it.
      - The variable C(skupper_tls_adopt) takes the place of the default.
extends_documentation_fragment:
  - multisite.skupper_tls.adopt
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.earlier
  - multisite.skupper_tls.earlier.removal
  - multisite.skupper_tls.network
  - multisite.skupper_tls.services
  - multisite.skupper_tls.services.overrides
  - multisite.skupper_tls.site
  - multisite.skupper_tls.store
attributes:
  check_mode:
    support: full
    details: Nothing is ever written.
  diff_mode:
    support: none
    details: Nothing is ever written.
notes:
  - The option O(store) is only used by O(check=preflight), to tell what a run would change. The module
    M(multisite.skupper_tls.report) compares sites with the store after a run.
  - Permissions are found out by SelfSubjectRulesReview and SelfSubjectAccessReview, clocks by the time in the answers
    of the API server.
seealso:
  - module: multisite.skupper_tls.report
  - name: The numbered checks
    description: What each check looks at, why it matters, and what to do.
    link: https://github.com/multisite/skupper_tls/blob/main/docs/checks.md
"""

EXAMPLES = r"""
---
- name: Look at a site before a rollout
  multisite.skupper_tls.site_info:
    check: preflight
    services: "{{ skupper_tls_services }}"
  register: preflight_site

- name: Tell the end of each site's certificate
  hosts: skupper_sites
  gather_facts: false
  tasks:
    - name: Read the site
      multisite.skupper_tls.site_info:
        check: secrets
        services: "{{ skupper_tls_services }}"
      register: site

    - name: Tell it
      ansible.builtin.debug:
        msg: "{{ (site.secrets['server-cert-secret'].certificate | default({}, true)).not_after | default('none') }}"
"""

RETURN = r"""
site:
  description: The inventory name of the host.
  type: str
  returned: success
  sample: east
platform:
  description: The platform of the site.
  type: str
  returned: success
  sample: kubernetes
namespace:
  description: The namespace of the site.
  type: str
  returned: success
  sample: shop
network:
  description: The name of the network.
  type: str
  returned: success
  sample: shop
version:
  description: The major version of Skupper on the site, V(v1) or V(v2), empty if it was not found.
  type: str
  returned: success
  sample: v2
reachable:
  description: Whether the site was reached, that is, whether TLS101 is not among the findings.
  type: bool
  returned: success
  sample: true
identity:
  description:
    - A text that only this site has, by which one site under two host names is recognised. Only read with
      O(check=preflight), else empty.
  type: str
  returned: success
  sample: 6b0f4f0e-2f0e-4d2b-8f51-3e1a4b7f2d10
controller:
  description:
    - Whether a Skupper controller was seen at work. Only read with O(check=preflight), and V(false) on system sites.
  type: bool
  returned: success
  sample: true
clock_offset:
  description:
    - How many seconds the clock of the site's API server, or of a system site's host, is ahead of that of the control
      node. Only read with O(check=preflight); null where it is not known, as on the control node itself.
  type: float
  returned: success
  sample: 0.4
secrets:
  description:
    - By name of the secret what the site holds. Null for a secret that is not there. Each other value has the entries
      below.
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
services:
  description: By address, what the site has to do with each service. Empty with O(check=secrets).
  type: dict
  returned: success
  contains:
    role:
      description: V(provider) if the site provides the service, else V(consumer).
      type: str
      returned: always
    ports:
      description: The ports of the address.
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
    objects:
      description: What exposes the service on the site now, as kind and name.
      type: list
      elements: str
      returned: always
  sample:
    payments:
      role: provider
      ports: [5001, 5002]
      server_secret: server-cert-secret
      ca_secret: ca-cert-secret
      objects: [Connector/payments-5001, Connector/payments-5002]
removal:
  description: What would be removed from the site.
  type: dict
  returned: with O(check=removal), where the site could be read
  contains:
    unexpose:
      description: What exposes the services that go, as kind and name. It goes first, on every site.
      type: list
      elements: str
      returned: always
    remove:
      description: What goes after that.
      type: list
      elements: str
      returned: always
    kept:
      description: What would go and stays, and what uses it.
      type: dict
      returned: always
    addresses:
      description: The addresses of what exposes services and goes.
      type: list
      elements: str
      returned: always
    held:
      description: The addresses of v1 entries that other users have written, and that therefore stay.
      type: list
      elements: str
      returned: always
    orphans:
      description: What belongs to no service of the inventory. Only looked for without O(remove).
      type: list
      elements: str
      returned: always
  sample:
    unexpose: [Listener/payments-5001]
    remove: [Secret/ca-cert-secret]
    kept: {Secret/server-cert-secret: Listener mine}
    addresses: [payments]
    held: []
    orphans: []
settled:
  description:
    - With O(check=preflight), what a run would not have to do. It is for the option O(known) of the steps after it.
    - With O(check=verify), V(true) where the site was not read again, since O(known) said that nothing is to be done.
      All other values are then those of the earlier result.
  type: raw
  returned: when O(check=preflight) and there are no findings, or when O(known) said that nothing is to be done
  sample:
    secrets: {server-cert-secret: [1, 1]}
    services: true
    findings: []
findings:
  description: The checks that did not pass, errors first.
  type: list
  elements: dict
  returned: success
  contains:
    check:
      description: The number of the check.
      type: str
      returned: always
    title:
      description: What the check wants.
      type: str
      returned: always
    severity:
      description: V(error) or V(warning).
      type: str
      returned: always
    site:
      description: The inventory name of the site.
      type: str
      returned: always
    subject:
      description: What was looked at, an object, an option or nothing.
      type: str
      returned: always
    message:
      description: What is wrong.
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
    - check: TLS201
      title: the secret is there
      severity: error
      site: west
      subject: Secret/ca-cert-secret
      message: "the secret is missing: the router of this site gets no configuration any more"
      found: no such secret
      remedy: Run the step distribute for this site
errors:
  description: Every error that was found, each as the parts of the message.
  type: list
  elements: dict
  returned: when a Python library is missing
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
    main("site_info")
