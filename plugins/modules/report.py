#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Compares what all sites of a Skupper network said
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Takes the registered results of all sites, compares them with each other and with the store, prints a table, and
    fails if a check did not pass. What failed comes first, each with its remedy, then a line for each of at most 60
    sites.
  - Nothing is written.
  - Run it once a play, by C(run_once).
options:
  step:
    description:
      - Which step's results they are.
      - V(preflight) takes results of M(multisite.skupper_tls.site_info) with C(check=preflight), and looks for hosts
        that are one site and for mixed versions of Skupper.
      - Every step fails where the sites are of several networks.
      - V(barrier) takes results of M(multisite.skupper_tls.secrets), or of M(multisite.skupper_tls.site_info) with
        C(check=secrets), and fails unless every site holds the same secrets and they are what the store holds.
      - V(verify) takes results of M(multisite.skupper_tls.site_info) with C(check=verify), and does the same
        comparison. It also warns of what the store holds and no service of the inventory needs.
      - V(removal) takes results of M(multisite.skupper_tls.site_info) with C(check=removal), and says what goes, from
        which sites, and what from the store. A site that was not reached is an error.
      - V(unexposed) takes results of M(multisite.skupper_tls.service) and of M(multisite.skupper_tls.site_info) with
        C(check=unexposed), and fails if any site still exposes what is to go, before any secret is removed.
      - V(removed) takes results of M(multisite.skupper_tls.secrets), and fails if any site failed.
    type: str
    choices: [preflight, barrier, verify, removal, unexposed, removed]
    required: true
  registered:
    description:
      - The name of the variable in which every host of the play has its result. A host without a result, or with that
        of an unreachable host, counts as a site that was not reached.
      - Of several variables the last one that a host has counts, for a host that failed has no result of the next task.
      - Not for a play with C(serial), where hosts of later batches would count as not reached.
    type: list
    elements: str
  sites:
    description:
      - By inventory name of the host, its registered result, where O(registered) does not do. With O(registered) it is
        not used.
    type: dict
  default_authority:
    description:
      - The authority of services that name none. The variable C(skupper_tls_authority) takes the place of the default,
        where it has a C(name).
    type: str
    default: default
  issued:
    description:
      - For V(preflight), the names of the variables in which the results of M(multisite.skupper_tls.authority) and
        M(multisite.skupper_tls.certificate) in check mode are registered. Their errors become findings.
    type: list
    elements: str
    default: []
  remove:
    description:
      - For V(removal), what is to be removed, as in O(multisite.skupper_tls.site_info#module:remove). Without it the
        step fails, and says what could be removed.
      - The default is the variable C(skupper_tls_remove).
    type: raw
  remove_store:
    description:
      - For V(removal), whether the certificates of what goes, and authorities that no certificate needs any more, are
        to be removed from the store. That cannot be undone.
      - The variable C(skupper_tls_remove_store) takes the place of the default.
    type: bool
    default: false
  remove_skip_unreachable:
    description:
      - For V(removal), whether sites that are not reached are left out. Then nothing is removed from the store.
      - The variable C(skupper_tls_remove_skip_unreachable) takes the place of the default.
    type: bool
    default: false
  limited:
    description: For V(removal), whether this run has not all sites of the network. Then the store keeps what it has.
    type: bool
    default: false
  services:
    description:
      - The services whose secrets are compared.
      - The default is the variable C(skupper_tls_services).
    default: []
  site_overrides:
    description:
      - By inventory name of the host, what it sets otherwise than O(services), as in
        O(multisite.skupper_tls.service#module:overrides). With it, the secrets of a site are compared by their names
        there.
      - With O(registered), the default is the variable C(skupper_site_services) of each host.
    type: dict
    default: {}
  store:
    description:
      - Where CA keys and issued certificates live between runs. With it, the sites are also compared with what the
        store holds; V(preflight) does not use it.
      - The default is the variable C(skupper_tls_store).
extends_documentation_fragment:
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.earlier.removal
  - multisite.skupper_tls.network
  - multisite.skupper_tls.services
  - multisite.skupper_tls.site
  - multisite.skupper_tls.store
attributes:
  check_mode:
    support: full
    details:
      - Nothing is ever written. In check mode, V(barrier) and V(verify) say what is still to come and do not fail for
        it, since the steps before them wrote nothing.
  diff_mode:
    support: none
    details: Nothing is ever written.
notes:
  - The options that say which site is meant and how to reach it are accepted, so that C(module_defaults) for the group
    can hold them, and are not used. The variables C(skupper_site_*) are not read.
seealso:
  - module: multisite.skupper_tls.site_info
  - name: The numbered checks
    description: What each check looks at, why it matters, and what to do.
    link: https://github.com/multisite/skupper_tls/blob/main/docs/checks.md
"""

EXAMPLES = r"""
---
- name: Compare all sites, for the services and with the store of the variables skupper_tls_*
  hosts: skupper_sites
  gather_facts: false
  tasks:
    - name: Read the site
      multisite.skupper_tls.site_info:
      register: site

    - name: Compare every site with every other and with the store
      multisite.skupper_tls.report:
        step: verify
        registered: site
      run_once: true

- name: Compare some of the sites only
  multisite.skupper_tls.report:
    step: verify
    sites: {east: "{{ hostvars.east.site }}", west: "{{ hostvars.west.site }}"}
  run_once: true
"""

RETURN = r"""
step:
  description: The step that was asked for.
  type: str
  returned: always
  sample: verify
sites:
  description: How many sites were compared.
  type: int
  returned: always
  sample: 3
table:
  description: The lines of the table. They are printed in any case; a failed result leaves them out.
  type: list
  elements: str
  returned: success
  sample:
    - "SITE  VERSION  NAMESPACE  SERVICES           CERTIFICATE  CA           NOT AFTER   STATE"
    - "east  v2       shop       payments:provider  D1:81:77:99  A3:74:0F:89  2027-11-24  ok"
    - "west  v2       shop       payments:consumer  D1:81:77:99  A3:74:0F:89  2027-11-24  ok"
removal:
  description: What is to be removed, for the steps after this one.
  type: dict
  returned: with O(step=removal)
  contains:
    remove:
      description: What the user has said.
      type: raw
      returned: always
    addresses:
      description: The addresses that go, and whose entries Skupper v1 is to take away from all sites.
      type: list
      elements: str
      returned: always
    left_out:
      description: The sites that were not reached and are left out.
      type: list
      elements: str
      returned: always
    store:
      description:
        - The names of what goes from the store, as V(certificates) and V(authorities), and as V(signers) by authority
          the hosts whose intermediate CA goes.
      type: dict
      returned: always
  sample:
    remove: payments
    addresses: [payments]
    left_out: []
    store: {certificates: [server-cert-secret], authorities: [], signers: {}}
snippets:
  description:
    - By address of a service, for V(verify), commands that connect to each of its ports with the CA alone, for a POSIX
      shell where the address resolves, such as in a pod of a site. C(ca.crt) and C(truststore.p12) are files as
      M(multisite.skupper_tls.trust_bundle) writes them. Protocol C(http2) has C(grpcurl) as well.
  type: dict
  returned: success, step V(verify)
  sample:
    payments:
      curl: ["curl --http2 --cacert ca.crt https://payments:5001/"]
      grpcurl: [grpcurl -cacert ca.crt payments:5001 list]
      java:
        - >-
          java -Djavax.net.ssl.trustStore=truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12
          -Djavax.net.ssl.trustStorePassword="$TRUST_STORE_PASSWORD" -jar client.jar
      openssl:
        - >-
          openssl s_client -connect payments:5001 -servername payments -verify_hostname payments -verify_return_error
          -alpn h2 -CAfile ca.crt </dev/null
findings:
  description:
    - The checks that did not pass, of the sites and of the comparison, each like
      RV(multisite.skupper_tls.site_info#module:findings). The site is empty for what concerns the whole network.
    - A failed result leaves them out.
  type: list
  elements: dict
  returned: success
  sample: []
msg:
  description: How many problems there are, on how many sites, and what that means.
  type: str
  returned: failure
  sample: "barrier: 2 problems on 1 of 3 sites; nothing is exposed anywhere"
"""

from ansible_collections.multisite.skupper_tls.plugins.module_utils.run import main

if __name__ == "__main__":
    main("report")
