# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where CA keys and issued certificates live between runs."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.store``."""

    DOCUMENTATION = r"""
options:
  store:
    description:
      - Where CA keys and issued certificates live between runs.
      - Records are written by compare-and-swap, so that runs at the same time agree on one CA and one certificate.
        Every issued revision is kept.
      - The default is the variable C(skupper_tls_store).
    type: dict
    suboptions:
      type:
        description:
          - The kind of store. V(directory) is a folder on the control node. V(kubernetes) keeps each record as a
            Secret in a namespace of an authority cluster, for control nodes whose files do not last, as in AWX.
        type: str
        choices: [directory, kubernetes]
        default: directory
      path:
        description:
          - The folder of a V(directory) store. It is made if it is missing, readable by its user only; files in it
            have the mode 0600. A relative path begins at the folder of the playbook, or, in a playbook of this
            collection, at that of the inventory.
          - Required for O(store.type=directory).
        type: path
      namespace:
        description:
          - The namespace of a V(kubernetes) store. It must exist.
          - Required for O(store.type=kubernetes). The user of the store needs the verbs get, list, create, patch and
            delete on Secrets in it.
        type: str
      passphrase:
        description:
          - Encrypts the private keys in the store. Keep it in a vault. Without it keys are stored as they are.
          - A key that was stored with a passphrase can only be read with the same one. A key that was stored without
            one can still be read when one is given.
        type: str
      kubeconfig:
        description:
          - Of the cluster of a V(kubernetes) store. Here and for the options below, names and meanings are those of
            the module's own connection options. The default is the environment variable named there, but no host
            variable, for the store does not belong to a site.
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
        description: The password for O(store.username).
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
        description: Hosts that are reached without O(store.proxy), separated by commas.
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
"""
