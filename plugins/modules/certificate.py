#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate
short_description: A server certificate in the store of a Skupper network
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Makes the store hold a server certificate with its key, issued by an authority of the store or imported.
  - A new revision is issued when there is none yet, when O(subject), O(alternative_names), O(key_type) or
    O(extended_key_usage) differ from what the certificate has, when the authority is another one, when the stored
    certificate was imported, and when it is due by O(renew_before). Each revision has a new key, and every earlier one
    is kept.
  - What is issued passes strict verification by RFC 5280, covers its names for clients and for Skupper's router, and
    never outlives its CA. A certificate that ends with its CA before its time comes with a warning, and is not renewed
    as long as a new one could not last longer.
  - Run it once a network, by C(run_once) or on one host.
options:
  name:
    description:
      - The name of the certificate in the store, an RFC 1123 label. The module M(multisite.skupper_tls.secrets) takes
        the certificate of a service from the record with the name of its server secret.
    type: str
    required: true
  state:
    description:
      - V(present) makes the store hold the certificate.
      - V(absent) removes it with its key, all its revisions and its pending requests. Secrets of sites stay as they
        are.
      - V(request) makes a key and a signing request for a CA outside, and leaves the certificate as it is. A request
        that is pending for the same O(subject), O(alternative_names), O(key_type) and O(extended_key_usage) is taken
        again, with its key. Others stay until their certificate is imported, for the CA may be about to answer them.
    choices: [present, absent, request]
  authority:
    description:
      - The name of the authority in the store that issues the certificate, or that an imported one is checked against.
    type: str
    default: default
  subject:
    description:
      - The subject, in the form of RFC 4514 (V(CN=payments,O=Example)), or a common name alone, of at most 64
        characters. Verifiers do not look at it.
      - The default is the first of O(alternative_names) that is not longer than 64 characters.
      - Not used with O(source).
  key_type:
    description:
      - The kind and size of the private key that is generated. Not used with O(source).
  validity_days:
    description:
      - For how many days from now on the certificate is valid, 1 to 36500, but not longer than its CA. It begins five
        minutes ago, for sites whose clocks are slow.
      - A changed number counts from the next renewal on. Not used with O(source).
    default: 365
  alternative_names:
    description:
      - The subject alternative names, DNS names (V(payments), V(*.example.com)) or IP addresses, with or without
        V(DNS:) or V(IP:) in front. At least one is required to issue.
      - An IP address is written as IP address and as DNS name, for Skupper's router compares every host with the DNS
        names only.
      - With O(source), the names that the certificate must cover.
    type: list
    elements: str
    default: []
  networks:
    description:
      - The networks that may use the certificate, besides the one whose run made it, which owns it. The owner may stand
        among them.
      - Only a run of the owner changes the certificate or this list. Without the option the list stays as it is; at
        first only the owner uses the certificate.
      - In a run of another network the certificate is taken as it is. It must have all of O(alternative_names), and
        its owner renews it. The authority need not be shared for that.
    type: list
    elements: str
  extended_key_usage:
    description:
      - V(serverAuth), which must be there, and V(clientAuth). Not used with O(source).
    type: list
    elements: str
    default: [serverAuth]
  renew_before:
    description:
      - How long before its end the certificate is renewed, as a share of its lifetime (V(1/3), V(33%)) or in days
        (V(30d), V(30)). Days must be fewer than O(validity_days).
      - With O(source) it only decides RV(renewal_due), for an imported certificate is not renewed.
    type: str
    default: 1/3
  source:
    description:
      - A certificate to import, with its key and all intermediates. Only the order of the chain is mended.
      - Its CA must be the O(authority) in the store, whose key is not needed.
      - Refused are, among others, a key that does not belong to the certificate, a chain that is not complete,
        alternative names that do not cover O(alternative_names), an end in the past or a beginning in the future, a
        missing C(serverAuth), a CA in the place of the certificate, and what verifiers refuse and O(source.allow)
        does not name.
      - Another certificate than the stored one becomes the next revision.
      - A certificate without key must belong to a pending request of this name (O(state=request), O(request_path)) or
        to the key of the stored certificate. Its request is removed when it is stored.
  request_path:
    description:
      - A file on the control node for a signing request (PKCS#10, PEM), of which a CA outside is to make the
        certificate. A relative path begins where those of O(source) do. The folder must exist.
      - With O(state=present) the store makes the key and the request, as long as the file of
        O(source.certificate_path) is not there yet, or what it holds has expired, does not cover
        O(alternative_names), or has a key of another type. Nothing else is done then, and RV(waiting) says what to do.
        Put there what the CA answers, and the next run takes it with the key that the store has kept.
      - When the certificate is due by O(renew_before), a request for the next one is made, with a new key, and a
        warning says so.
      - As long as the store has the certificate, its file is not needed.
      - O(source) takes O(source.certificate_path) or O(source.certificate_content) alone then, besides O(source.allow).
    type: path
  pending:
    description:
      - For check mode, the name of the variable in which an earlier task of M(multisite.skupper_tls.authority)
        registered its result. It is used where the store does not hold the authority yet. What would be issued is shown
        as of that one, and an imported certificate is checked against it.
    type: str
extends_documentation_fragment:
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.issue
  - multisite.skupper_tls.network
  - multisite.skupper_tls.site
  - multisite.skupper_tls.source
  - multisite.skupper_tls.source.request
  - multisite.skupper_tls.state
  - multisite.skupper_tls.store
notes:
  - The options that say which site is meant and how to reach it are accepted, so that C(module_defaults) for the group
    can hold them, and are not used. The variables C(skupper_site_*) are not read.
  - In check mode, an authority that is not in the store yet is taken as one that will be generated.
seealso:
  - module: multisite.skupper_tls.authority
  - module: multisite.skupper_tls.secrets
  - plugin: multisite.skupper_tls.certificate_requests
    plugin_type: filter
  - name: RFC 5280
    description: Certificates and their verification.
    link: https://www.rfc-editor.org/rfc/rfc5280
  - name: RFC 9525
    description: How a client compares names.
    link: https://www.rfc-editor.org/rfc/rfc9525
"""

EXAMPLES = r"""
---
- name: Issue a certificate for one service
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    alternative_names:
      - payments
      - payments.shop
      - payments.shop.svc
    renew_before: 30d
    store:
      type: directory
      path: "{{ inventory_dir }}/.skupper-tls"
  run_once: true

- name: Issue what all services need, as the role issue does
  multisite.skupper_tls.certificate:
    name: "{{ item }}"
    request: "{{ requests[item] }}"
  loop: "{{ requests.keys() }}"
  vars:
    requests: "{{ skupper_tls_services | multisite.skupper_tls.certificate_requests(groups, hostvars) }}"
  run_once: true

- name: Import a certificate that the company's CA issued
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    authority: corporate
    alternative_names: [payments]
    source:
      certificate_path: files/payments-chain.pem
      key_content: "{{ vault_payments_key }}"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Import a PKCS#12 file
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    alternative_names: [payments]
    source:
      pkcs12_path: files/payments.p12
      pkcs12_passphrase: "{{ vault_payments_passphrase }}"
      friendly_name: payments
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Import what cert-manager has made, again and again
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    alternative_names: [payments]
    source:
      secret:
        name: payments-tls
        namespace: cert-manager
        context: hub
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Have a CA outside sign; send it payments.csr, put its answer at payments.pem, run again
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    alternative_names: [payments]
    request_path: "{{ inventory_dir }}/payments.csr"
    source:
      certificate_path: "{{ inventory_dir }}/payments.pem"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Only make the request
  multisite.skupper_tls.certificate:
    name: server-cert-secret
    state: request
    alternative_names: [payments]
    store: "{{ skupper_tls_store }}"
  register: requested
  run_once: true

- name: Forget a certificate
  multisite.skupper_tls.certificate:
    name: old-cert-secret
    state: absent
    store: "{{ skupper_tls_store }}"
  run_once: true
"""

RETURN = r"""
name:
  description: The name of the certificate.
  type: str
  returned: success
  sample: server-cert-secret
certificate:
  description:
    - The certificate. It is null when O(state=absent), O(state=request), or RV(waiting) says why.
    - For one that check mode would issue, RV(certificate.serial_number) and RV(certificate.sha256) say that they are
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
    subject: CN=payments
    issuer: CN=Shop service CA,O=Example
    serial_number: 7813D6FAA7BB3DB85AA33551CA6771A7B90F4B51
    not_before: "2026-11-24T08:35:58Z"
    not_after: "2027-11-24T08:40:58Z"
    alternative_names: ["DNS:payments", "IP:10.0.0.1", "DNS:10.0.0.1"]
    sha256: D1:81:77:99:65:E0:2D:B0:89:51:2E:34:24:FE:E9:15:3D:7D:EA:D0:96:11:44:71:49:CD:AF:A8:FD:F9:C2:C1
    key_type: ecdsa-p256
    ca: false
intermediates:
  description: The CA certificates that the certificate is served with, its issuer first, each like RV(certificate).
  type: list
  elements: dict
  returned: success, when O(state=present) and not RV(waiting)
  sample: []
renewal_due:
  description: From when on the certificate is renewed, by O(renew_before), UTC.
  type: str
  returned: success, when O(state=present) and not RV(waiting)
  sample: "2027-07-25T16:39:18Z"
revision:
  description:
    - The number of the revision in the store, from 1.
    - In check mode it is that of the revision that is there now, 0 for none.
  type: int
  returned: success, when O(state=present) and not RV(waiting)
  sample: 1
authority:
  description: The name of the authority that it is issued from or checked against.
  type: str
  returned: when O(state=present)
  sample: default
another_key:
  description: Whether its key is another one than that of the revision before.
  type: bool
  returned: when O(state=present) and a revision is made
  sample: true
pending_ca:
  description:
    - What peers would trust, each with V(subject), V(alternative_names), V(not_after) and V(sha256), where the
      authority is not in the store yet, in check mode.
  type: list
  elements: dict
  returned: when O(state=present) and a revision is made
  sample: []
authority_revision:
  description: The number of the revision of the authority in the store, 0 for none.
  type: int
  returned: when O(state=present) and not changed
  sample: 1
reason:
  description: Why a revision is issued or imported.
  type: str
  returned: when O(state=present) and a revision is made
  sample: due for renewal
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
    subject: CN=payments
    alternative_names: ["DNS:payments"]
    key_type: ecdsa-p256
    key_sha256: A3:74:0F:89:68:78:77:2A:0A:E2:3D:8E:8C:46:34:B8:3D:BB:83:85:EB:98:08:CE:43:9E:19:EB:55:24:97:9B
    ca: false
    request_path: /shop/payments.csr
waiting:
  description: What to do before the run can go on.
  type: str
  returned: when O(state=present) and the CA has not answered O(request_path) yet
  sample: "certificate server-cert-secret waits for its CA (there is none yet): have /shop/payments.csr signed, put the
    answer with its intermediates at /shop/payments.pem"
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
    main("certificate")
