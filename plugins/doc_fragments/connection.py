# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach an API server."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.connection``."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The kubeconfig of the site, as the path of a file or as its content in a dictionary. Several paths can be
        joined by a colon, then the first that names a thing wins, as in kubectl. A relative path begins at the folder
        that Ansible was started in, here and for the other files of a connection.
      - It is read if it is given, if O(context) is given, or if O(host) is not given. Other options below take the
        place of what it says.
      - The default is the host variable C(skupper_site_kubeconfig), then E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG),
        then C(~/.kube/config). The service account of a pod is not looked for.
    type: raw
  context:
    description:
      - The context of the kubeconfig.
      - The default is the host variable C(skupper_site_context), then E(K8S_AUTH_CONTEXT), then the current context
        of the kubeconfig.
    type: str
  host:
    description:
      - The URL of the API server.
      - The default is the host variable C(skupper_site_host), then E(K8S_AUTH_HOST), then what the kubeconfig says.
    type: str
  api_key:
    description:
      - A bearer token.
      - The default is the host variable C(skupper_site_api_key), then E(K8S_AUTH_API_KEY), then what the kubeconfig
        says.
    type: str
  username:
    description:
      - A user name for HTTP basic authentication, with O(password). API servers have not known it since
        Kubernetes 1.19, a proxy in front of one may.
      - The default is the host variable C(skupper_site_username), then E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - The password for O(username).
      - The default is the host variable C(skupper_site_password), then E(K8S_AUTH_PASSWORD).
    type: str
  ca_cert:
    description:
      - The path of a PEM file with the CA certificates that the API server's certificate is verified with.
      - The default is the host variable C(skupper_site_ca_cert), then E(K8S_AUTH_SSL_CA_CERT), then what the
        kubeconfig says.
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether the API server's certificate is verified.
      - The default is the host variable C(skupper_site_validate_certs), then E(K8S_AUTH_VERIFY_SSL), then what the
        kubeconfig says, which is V(true) unless it has C(insecure-skip-tls-verify).
    type: bool
    aliases: [verify_ssl]
  client_cert:
    description:
      - The path of a PEM file with a client certificate, with O(client_key).
      - The default is the host variable C(skupper_site_client_cert), then E(K8S_AUTH_CERT_FILE), then what the
        kubeconfig says.
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - The path of a PEM file with the key of the client certificate.
      - The default is the host variable C(skupper_site_client_key), then E(K8S_AUTH_KEY_FILE), then what the
        kubeconfig says.
    type: path
    aliases: [key_file]
  proxy:
    description:
      - The URL of an HTTP proxy on the way to the API server.
      - The default is the host variable C(skupper_site_proxy), then E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Hosts that are reached without O(proxy), separated by commas.
      - The default is the host variable C(skupper_site_no_proxy), then E(K8S_AUTH_NO_PROXY).
    type: str
  impersonate_user:
    description:
      - The user to act as, by impersonation.
      - The default is the host variable C(skupper_site_impersonate_user), then E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - The groups to act as, by impersonation.
      - The default is the host variable C(skupper_site_impersonate_groups), then E(K8S_AUTH_IMPERSONATE_GROUPS) with
        the groups separated by commas.
    type: list
    elements: str
  request_timeout:
    description:
      - How many seconds the API server may take for an answer. Connecting may take as many, but at most 10.
      - A read that fails on the way is tried once more. A request that the server puts off (HTTP status 429 or 503)
        is tried up to three times more.
      - The host variable C(skupper_site_request_timeout) takes the place of the default.
    type: float
    default: 30.0
notes:
  - Names, environment variables and meanings of the connection options are those of the collection kubernetes.core.
  - What neither the task nor C(module_defaults) give is taken from the variable that the option names, then from the
    environment variable.
"""
