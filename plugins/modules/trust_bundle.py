#!/usr/bin/python
# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: trust_bundle
short_description: The CA certificates of a Skupper network, for clients that are not in a site
version_added: 0.1.0
author: multisite.skupper_tls contributors (@multisite)
description:
  - Writes the CA certificates of the services' authorities from the store to files of the control node, as PEM or as a
    trust store for Java, and to ConfigMaps in any cluster and namespace.
  - Only certificates are read from the store, so no key can get into a bundle, and its passphrase is not needed.
  - A trust store is compared by its entries, since its bytes are others each time that it is written.
  - All destinations are read and checked before the first is written.
  - Returns and prints commands with which a client connects to the services.
  - Run it once a network, by C(run_once) or on one host.
options:
  state:
    description:
      - V(present) makes the destinations hold the bundle.
      - V(absent) removes what this collection wrote there. The store is not needed. From a ConfigMap that has other
        keys as well, only the key is removed.
  destinations:
    description:
      - Where to write the bundle. Each entry has either a O(destinations[].path) or a O(destinations[].config_map).
      - The default is the variable C(skupper_tls_export).
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - A file on the control node, in a folder that exists. It is replaced as a whole, with the mode that it has; a
            new one has the mode 0644. A relative path begins at the folder of the playbook.
          - A PEM file is ours if it begins with our line of text and holds no key, a trust store if it opens with
            O(destinations[].password), holds certificates only, and all their names are ours.
        type: path
      format:
        description:
          - V(pem), or V(pkcs12) for a trust store that Java reads without keytool. Each entry of it has the friendly
            name C(multisite.skupper_tls/NETWORK/AUTHORITY/) with the begin of the certificate's fingerprint behind it.
          - V(pkcs12) needs C(cryptography) 45 or later, and Java 8u301, 11.0.12 or later to read it.
        type: str
        choices: [pem, pkcs12]
        default: pem
      password:
        description:
          - The password of a trust store, required for it. It is no secret of the network, for it guards certificates.
          - A trust store with another password than this is treated as one that we did not write.
        type: str
      authorities:
        description:
          - The names of the authorities in the store whose certificates to write. The default are those that issue for
            O(services), or sign for them (O(services[].tls.signer)). Where each site's own CA signs, there is none.
        type: list
        elements: str
      config_map:
        description:
          - A ConfigMap. It is ours by its labels; other keys in it are left alone.
          - The user needs get, create and patch on ConfigMaps of the namespace, and delete to remove it.
          - For OpenShift's trust bundle of the cluster use the namespace V(openshift-config) and the key
            V(ca-bundle.crt), and name the ConfigMap in C(spec.trustedCA.name) of the object C(proxy/cluster).
        type: dict
        suboptions:
          name:
            description: The name of the ConfigMap.
            type: str
            required: true
          namespace:
            description: Its namespace, which must exist.
            type: str
            required: true
          key:
            description: The key that holds the bundle.
            type: str
            default: ca.crt
          kubeconfig:
            description:
              - Of the ConfigMap's cluster. Here and for the options below, names and meanings are those of the module's
                own connection options. The default is the environment variable named there, but no host variable.
            type: raw
          context:
            description: The context of the kubeconfig.
            type: str
          host:
            description: The URL of the API server.
            type: str
          api_key:
            description: A bearer token.
            type: str
          username:
            description: A user name for HTTP basic authentication.
            type: str
          password:
            description: The password for O(destinations[].config_map.username).
            type: str
          ca_cert:
            description: The path of a PEM file with the CA certificates that the API server is verified with.
            type: path
            aliases: [ssl_ca_cert]
          validate_certs:
            description: Whether the API server's certificate is verified.
            type: bool
            aliases: [verify_ssl]
          client_cert:
            description: The path of a PEM file with a client certificate.
            type: path
            aliases: [cert_file]
          client_key:
            description: The path of a PEM file with the key of the client certificate.
            type: path
            aliases: [key_file]
          proxy:
            description: The URL of an HTTP proxy on the way to the API server.
            type: str
          no_proxy:
            description: Hosts that are reached without O(destinations[].config_map.proxy), separated by commas.
            type: str
          impersonate_user:
            description: The user to act as, by impersonation.
            type: str
          impersonate_groups:
            description: The groups to act as, by impersonation.
            type: list
            elements: str
          request_timeout:
            description: How many seconds the API server may take for an answer.
            type: float
            default: 30.0
  services:
    description:
      - The services whose authorities are meant, and for which commands are returned.
      - The default is the variable C(skupper_tls_services).
    default: []
extends_documentation_fragment:
  - multisite.skupper_tls.adopt
  - multisite.skupper_tls.attributes
  - multisite.skupper_tls.connection
  - multisite.skupper_tls.network
  - multisite.skupper_tls.services
  - multisite.skupper_tls.site
  - multisite.skupper_tls.state
  - multisite.skupper_tls.store
notes:
  - The options that say which site is meant and how to reach it are accepted, so that C(module_defaults) for the group
    can hold them, and are not used. The variables C(skupper_site_*) are not read.
seealso:
  - module: multisite.skupper_tls.authority
  - module: multisite.skupper_tls.report
"""

EXAMPLES = r"""
---
- name: Write the CA for clients outside the sites
  multisite.skupper_tls.trust_bundle:
    destinations:
      - path: files/shop-ca.pem
      - path: files/shop-ca.p12
        format: pkcs12
        password: changeit
    services: "{{ skupper_tls_services }}"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Have an OpenShift cluster trust the CA, and pods of one namespace of another cluster
  multisite.skupper_tls.trust_bundle:
    destinations:
      - config_map:
          context: hub
          namespace: openshift-config
          name: user-ca-bundle
          key: ca-bundle.crt
      - config_map: {context: apps, namespace: web, name: shop-ca}
    services: "{{ skupper_tls_services }}"
    store: "{{ skupper_tls_store }}"
  run_once: true

- name: Give the namespace of every site the CA as a ConfigMap
  multisite.skupper_tls.trust_bundle:
    destinations:
      - config_map:
          context: "{{ skupper_site_context }}"
          namespace: "{{ skupper_site_namespace }}"
          name: shop-ca
"""

RETURN = r"""
destinations:
  description: By destination whether it was changed, or in check mode would be.
  type: dict
  returned: success
  sample:
    "ConfigMap/web/shop-ca key ca.crt": true
certificates:
  description:
    - The certificates that were meant, each like RV(multisite.skupper_tls.certificate#module:certificate), with their
      friendly name as C(name). Empty for O(state=absent).
  type: list
  elements: dict
  returned: success
  sample: []
snippets:
  description:
    - By address of a service the commands of RV(multisite.skupper_tls.report#module:snippets), with the first file of
      each format that holds the CA of the service. Empty for O(state=absent).
  type: dict
  returned: success
  sample:
    payments:
      curl: ["curl --http2 --cacert files/shop-ca.pem https://payments:5001/"]
table:
  description: The lines of RV(snippets), as they are printed.
  type: list
  elements: str
  returned: success
  sample:
    - "payments:"
    - "  curl --http2 --cacert files/shop-ca.pem https://payments:5001/"
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
    main("trust_bundle")
