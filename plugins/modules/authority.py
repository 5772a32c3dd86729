#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: authority
short_description: A CA in the store of a Skupper network
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Makes the store hold a CA, generated or imported, that issues the certificates of the network's services.
  - A generated CA is self-signed and passes strict verification by RFC 5280. Basic constraints and key usage are
    critical, and it has subject and authority key identifiers.
  - A CA that the store holds is never replaced because an option changed. The module warns, and keeps it. Nor is it
    renewed; when it has expired, the module fails.
  - What neither the task nor C(module_defaults) give is taken from the variable C(skupper_tls_authority), a dictionary
    of the module's options.
  - Run it once a network, by C(run_once) or on one host.
options:
  name:
    description:
      - The name of the authority in the store, an RFC 1123 label.
    type: str
    default: default
  state:
    description:
      - V(present) makes the store hold the authority.
      - V(absent) removes it with its key, all its revisions and its pending requests. That is refused as long as the
        store holds a certificate of which a revision was issued by it.
      - V(request) makes a key and a signing request for an intermediate CA, which the CA above (an offline root, for
        example) is to sign. A request that is pending for the same O(subject) and O(key_type) is taken again, with its
        key, and others stay until their certificate is imported. It is refused if the store has the authority already.
    choices: [present, absent, request]
  subject:
    description:
      - The subject, in the form of RFC 4514 (V(CN=Example service CA,O=Example)), or a common name alone, of at most
        64 characters.
      - The default is the name of the network with V( CA) behind it.
      - Not used with O(source).
  key_type:
    description:
      - The kind and size of the private key that is generated. Not used with O(source).
  validity_days:
    description:
      - For how many days from now on a generated CA is valid, 1 to 36500. It begins five minutes ago, for sites whose
        clocks are slow.
      - Certificates never outlive their CA.
    default: 3650
  site_intermediates:
    description:
      - By host, the DNS names that an intermediate CA of that site may sign for, as the filter
        P(multisite.skupper_tls.site_intermediates#filter) makes them for services with C(tls.site_intermediates).
      - The store then holds such a CA for each of the hosts, with an RSA key of 2048 bits, name constraints and path
        length 0. It is made anew when a third of its lifetime is left, when the authority is another, or when its
        names are; in the last case with the same key.
      - With O(state=absent), the intermediate CAs of these hosts are removed, and the authority itself stays.
    type: dict
  networks:
    description:
      - The networks that may use the authority, besides the one whose run made it, which owns it. The owner may stand
        among them.
      - Only a run of the owner changes the authority or this list, and a run of another network that asks for something
        else fails. Without the option the list stays as it is; at first only the owner uses the authority.
      - A network is not taken from the list as long as the store holds its certificates of this authority.
    type: list
    elements: str
  known:
    description:
      - The names of the variables in which results of M(multisite.skupper_tls.site_info) of the same run are
        registered. Without any, a task with C(run_once) fails where the hosts of the play are of several networks, by
        their variables C(skupper_tls_network); with one, M(multisite.skupper_tls.report) has looked already.
    type: list
    elements: str
    default: []
  issued:
    description:
      - The name of the variable in which the result of M(multisite.skupper_tls.certificate) with C(state=absent) is
        registered, in the same run. In check mode, with O(state=absent), certificates that it would have removed do
        not keep the authority from being removed.
    type: str
  source:
    description:
      - A CA to import, with its issuers up to the self-signed root, for the router and OpenSSL accept no chain without
        its root.
      - With a key, the CA is the certificate that belongs to the key; without one, the first in the file. Without a
        key only finished certificates can be imported. A later run can add the key.
      - Refused are, among others, a certificate that is no CA (C(CA:TRUE)) or may not sign certificates, one that has
        expired or is not valid yet, a key that does not belong to it, and what verifiers refuse and
        O(source.allow) does not name.
      - A CA without key that belongs to a pending request of this name (O(state=request), O(request_path)) takes the
        key that the store has kept, and the request is removed. As long as requests are pending, another CA without
        key is refused.
      - Another CA than the one of this name in the store is refused.
  request_path:
    description:
      - A file on the control node for the signing request of an intermediate CA (PKCS#10, PEM; C(CA:TRUE) with path
        length 0, or 1 with O(site_intermediates)). A relative path begins where those of O(source) do. The folder must
        exist.
      - With O(state=present) the store makes the key and the request, as long as it has no authority of this name and
        the file of O(source.certificate_path) is not there. Nothing else is done then, and RV(waiting) says what to
        do. Put there what the CA answers, with the certificates above it up to the root, and the next run takes it with
        the key that the store has kept.
      - O(source) takes O(source.certificate_path) or O(source.certificate_content) alone then, besides O(source.allow).
    type: path
extends_documentation_fragment:
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.issue
  - multisite.skupper_tls.network
  - multisite.skupper_tls.site
  - multisite.skupper_tls.source
  - multisite.skupper_tls.state
  - multisite.skupper_tls.store
notes:
  - The options that say which site is meant and how to reach it are accepted, so that C(module_defaults) for the group
    can hold them, and are not used. The variables C(skupper_site_*) are not read.
seealso:
  - module: multisite.skupper_tls.certificate
  - name: RFC 5280
    description: Certificates and their verification.
    link: https://www.rfc-editor.org/rfc/rfc5280
"""

EXAMPLES = r"""
---
- name: Make the CA of the network
  multisite.skupper_tls.authority:
    subject: CN=Shop service CA,O=Example
    validity_days: 1825
    store:
      type: directory
      path: "{{ inventory_dir }}/.skupper-tls"
      passphrase: "{{ vault_store_passphrase }}"
  run_once: true

- name: Import a CA that another tool made, its key included
  multisite.skupper_tls.authority:
    name: corporate
    source:
      certificate_path: files/intermediate-and-root.pem
      key_path: files/intermediate.key
      key_passphrase: "{{ vault_ca_passphrase }}"
    store:
      type: kubernetes
      context: authority
      namespace: skupper-tls
  run_once: true

- name: Trust a CA whose key stays elsewhere, to import finished certificates
  multisite.skupper_tls.authority:
    name: external
    source:
      certificate_content: "{{ lookup('ansible.builtin.file', 'external-ca.pem') }}"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Be an intermediate CA; have shop-ca.csr signed, put the answer and its root at shop-ca.pem, run again
  multisite.skupper_tls.authority:
    subject: CN=Shop issuing CA,O=Example
    request_path: "{{ inventory_dir }}/shop-ca.csr"
    source:
      certificate_path: "{{ inventory_dir }}/shop-ca.pem"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Issue with the CA of a cert-manager issuer
  multisite.skupper_tls.authority:
    source:
      secret:
        name: root-secret
        namespace: cert-manager
        context: hub
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Take the options from the variable skupper_tls_authority, the store from skupper_tls_store
  multisite.skupper_tls.authority:
  run_once: true

- name: Set the store once for all modules
  hosts: skupper_sites
  gather_facts: false
  module_defaults:
    group/multisite.skupper_tls.all:
      network: shop
      store: "{{ skupper_tls_store }}"
  tasks:
    - name: Make the CA of the network
      multisite.skupper_tls.authority:
      run_once: true
"""

RETURN = r"""
name:
  description: The name of the authority.
  type: str
  returned: when O(state=absent)
  sample: default
authority:
  description:
    - The CA certificate. It is null when O(state=absent), O(state=request), or RV(waiting) says why.
    - For a CA that check mode would generate, RV(authority.serial_number) and RV(authority.sha256) say that they are
      known after the run.
  type: dict
  returned: success
  contains:
    subject:
      description: The subject, in the form of RFC 4514.
      type: str
      returned: always
    issuer:
      description: The issuer, in the form of RFC 4514.
      type: str
      returned: always
    serial_number:
      description: The serial number, hexadecimal.
      type: str
      returned: always
    not_before:
      description: When it begins to be valid, UTC.
      type: str
      returned: always
    not_after:
      description: When it ends to be valid, UTC.
      type: str
      returned: always
    alternative_names:
      description: The subject alternative names, with their kind in front.
      type: list
      elements: str
      returned: always
    sha256:
      description: The SHA-256 fingerprint, as openssl x509 prints it.
      type: str
      returned: always
    key_type:
      description: The kind and size of its public key.
      type: str
      returned: always
    ca:
      description: Whether it is a CA certificate.
      type: bool
      returned: always
  sample:
    subject: CN=Shop service CA,O=Example
    issuer: CN=Shop service CA,O=Example
    serial_number: 17586FCD390C6C16ACC7858AD125EF55CEFA4A41
    not_before: "2026-11-24T08:35:58Z"
    not_after: "2036-11-21T08:40:58Z"
    alternative_names: []
    sha256: A3:74:0F:89:68:78:77:2A:0A:E2:3D:8E:8C:46:34:B8:3D:BB:83:85:EB:98:08:CE:43:9E:19:EB:55:24:97:9B
    key_type: ecdsa-p256
    ca: true
key:
  description: Whether the store has the private key of the CA.
  type: bool
  returned: success, unless O(state=absent)
  sample: true
site_intermediates:
  description:
    - By host, the intermediate CAs that were made in this run, or in check mode would be; what RV(authority) has of the
      certificate, and C(permitted_names). Null for one that was removed.
  type: dict
  returned: when O(site_intermediates) is given and not empty
  sample:
    east:
      subject: CN=east service CA
      permitted_names: [payments, payments.shop, payments.shop.svc]
bundle:
  description:
    - The self-signed CA certificates that every peer must trust, PEM.
    - Empty for a CA that check mode would generate.
  type: str
  returned: success, unless O(state=absent)
  sample: "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"
pending_chain:
  description:
    - In check mode, the CA certificate and its chain that a run would store, PEM, as
      O(multisite.skupper_tls.certificate#module:pending) takes it. For a CA that a run would generate it is one of the
      same subject and dates. Empty otherwise.
  type: str
  returned: success, unless O(state=absent)
  sample: "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"
revision:
  description:
    - The number of the revision in the store, from 1. It is 0 for one that check mode would make, or that is only
      requested.
  type: int
  returned: success, unless O(state=absent)
  sample: 1
csr:
  description: The signing request, PEM. It is no secret. Empty for one that check mode would make.
  type: str
  returned: when O(state=request), or O(request_path) and a certificate is waited for
  sample: "-----BEGIN CERTIFICATE REQUEST-----\n...\n-----END CERTIFICATE REQUEST-----\n"
request:
  description: What the signing request asks for.
  type: dict
  returned: as RV(csr)
  contains:
    subject:
      description: The subject, in the form of RFC 4514.
      type: str
      returned: always
    alternative_names:
      description: The subject alternative names, with their kind in front.
      type: list
      elements: str
      returned: always
    key_type:
      description: The kind and size of its public key.
      type: str
      returned: always
    key_sha256:
      description:
        - The SHA-256 fingerprint of its public key (DER). For one that check mode would make, that it is known after
          the run.
      type: str
      returned: always
    ca:
      description: Whether it asks for a CA certificate.
      type: bool
      returned: always
    request_path:
      description: The file that holds it, empty if none is asked for.
      type: str
      returned: always
  sample:
    subject: "CN=Shop issuing CA,O=Example"
    alternative_names: []
    key_type: ecdsa-p256
    key_sha256: A3:74:0F:89:68:78:77:2A:0A:E2:3D:8E:8C:46:34:B8:3D:BB:83:85:EB:98:08:CE:43:9E:19:EB:55:24:97:9B
    ca: true
    request_path: /shop/shop-ca.csr
waiting:
  description: What to do before the run can go on.
  type: str
  returned: when O(state=present) and the CA has not answered O(request_path) yet
  sample: "authority default waits for its CA (it is not signed yet): have /shop/shop-ca.csr signed, put the answer
    with its intermediates at /shop/shop-ca.pem"
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
    main("authority")
