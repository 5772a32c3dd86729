# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an imported certificate comes from, and the request that a CA outside answers."""

from __future__ import annotations

from textwrap import indent

_SOURCE = r"""
certificate_path:
  description:
    - A file with the certificate and its chain, in any order. It may hold the key as well. Not both of it and
      O(source.certificate_content) can be given, and so for the pairs below.
    - Without a key, the certificate must be the answer to a request of the store (O(request_path)).
  type: path
certificate_content:
  description: What O(source.certificate_path) would hold.
  type: str
key_path:
  description: A file with the private key, RSA, ECDSA P-256 or P-384, or Ed25519.
  type: path
key_content:
  description: What O(source.key_path) would hold. Keep it in a vault.
  type: str
key_passphrase:
  description:
    - Opens the key, if it is encrypted. The key is decrypted in memory, and stored as the store's own
      passphrase says.
  type: str
pkcs12_path:
  description:
    - A PKCS#12 file with the key, its certificate and the chain, as C(openssl pkcs12 -export), Java's C(keytool) or
      Windows write it. Old files, encrypted with 3DES or RC2, are read as well, RC2 if the OpenSSL of Ansible's
      Python has its legacy provider.
    - Of a file with several keys only the first one can be read.
  type: path
pkcs12_content:
  description: What O(source.pkcs12_path) would hold, as base64. Keep it in a vault.
  type: str
pkcs12_passphrase:
  description: Opens the PKCS#12 file. Without it, or with an empty one, only a file without passphrase opens.
  type: str
friendly_name:
  description:
    - The friendly name (in Java, the alias) of the entry of a PKCS#12 file that is meant, if there are several. Its
      case does not matter. The certificates of other entries are left out.
    - If another key stands first in the file, the entry is refused.
  type: str
secret:
  description:
    - A Secret of a cluster, whichever it is, of the type C(kubernetes.io/tls) or not, for example one that
      cert-manager made. When its content changes, the next run imports it as a new revision.
    - C(tls.crt) is taken for the certificate with its intermediates. C(ca.crt), if it is there and not empty, may hold
      the root or an intermediate, and only helps to find the way to the root.
    - For an authority, C(tls.crt) is the CA if it is one, as in the Secret of cert-manager's CA issuer. Else C(ca.crt)
      is, and C(tls.key), which is the server's, is not taken.
  type: dict
  suboptions:
    name:
      description: The name of the Secret.
      type: str
      required: true
    namespace:
      description: Its namespace. The user of the connection needs the verb get on the Secret.
      type: str
      required: true
    certificate_key:
      description: The key of the Secret that holds the certificate and its chain.
      type: str
      default: tls.crt
    key_key:
      description: The key of the Secret that holds the private key.
      type: str
      default: tls.key
    ca_key:
      description: The key of the Secret that holds CA certificates.
      type: str
      default: ca.crt
    keystore_key:
      description:
        - The key of the Secret that holds a PKCS#12 file, for example V(keystore.p12). It takes the place of
          O(source.secret.certificate_key) and O(source.secret.key_key), with O(source.pkcs12_passphrase) and
          O(source.friendly_name).
      type: str
    kubeconfig:
      description:
        - Of the cluster of the Secret. Here and for the options below, names and meanings are those of the module's
          own connection options. The default is the environment variable named there, but no host variable, for the
          Secret does not belong to a site.
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
      description: The password for O(source.secret.username).
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
      description: Hosts that are reached without O(source.secret.proxy), separated by commas.
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
allow:
  description:
    - Weaknesses to accept. V(rsa-under-2048), V(sha1) and V(md5) are what verifiers refuse sooner or later.
    - V(non-strict) drops the rules of RFC 5280 that only strict verifiers apply, among them Python from 3.13
      on, whose clients then refuse the certificate.
  type: list
  elements: str
  choices: [rsa-under-2048, sha1, md5, non-strict]
  default: []
"""

_IMPORT = r"""
options:
  source:
    description:
      - What to import, in place of making it. Everything is checked before it is written.
      - There is one source of three, PEM by O(source.certificate_path) or O(source.certificate_content), PKCS#12 by
        O(source.pkcs12_path) or O(source.pkcs12_content), or O(source.secret).
      - Files are read on the control node. A relative path begins at the folder of the playbook, or, in a playbook of
        this collection, at that of the inventory.
      - PEM is read with any line ends and with text between the blocks; one certificate or key in DER form is read
        too.
    type: dict
    suboptions:
"""

_REQUEST = r"""
options:
  request:
    description:
      - Options of this module in one dictionary, as the filter P(multisite.skupper_tls.certificate_requests#filter)
        gives them. What is in it is taken in place of the option of its name.
    type: dict
    suboptions:
      authority:
        description: As O(authority).
        type: str
      subject:
        description: As O(subject).
        type: str
      key_type:
        description: As O(key_type).
        type: str
        choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
      validity_days:
        description: As O(validity_days).
        type: int
      alternative_names:
        description: As O(alternative_names).
        type: list
        elements: str
      extended_key_usage:
        description: As O(extended_key_usage).
        type: list
        elements: str
      networks:
        description: As O(networks).
        type: list
        elements: str
      renew_before:
        description: As O(renew_before).
        type: str
      request_path:
        description: As O(request_path).
        type: path
      source:
        description: As O(source).
        type: dict
        suboptions:
"""


class ModuleDocFragment:
    """The fragments ``multisite.skupper_tls.source`` and ``multisite.skupper_tls.source.request``."""

    DOCUMENTATION: str
    REQUEST: str


# Not in the class: ansible-test takes what is assigned there for texts, and these are put together.
ModuleDocFragment.DOCUMENTATION = _IMPORT + indent(_SOURCE, " " * 6)
ModuleDocFragment.REQUEST = _REQUEST + indent(_SOURCE, " " * 10)
