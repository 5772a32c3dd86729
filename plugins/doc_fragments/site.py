# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which site is meant."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.site``."""

    DOCUMENTATION = r"""
options:
  platform:
    description:
      - What the site runs on. V(kubernetes) is a namespace of a Kubernetes or OpenShift cluster. V(linux), V(podman)
        and V(docker) are Skupper v2 system sites, which are folders on a host. The host is reached by the connection
        of the inventory's host, with C(become) if that is set.
      - The default is the host variable C(skupper_site_platform), then V(kubernetes).
    type: str
    choices: [kubernetes, linux, podman, docker]
  namespace:
    description:
      - The namespace of the site, of the cluster or of the system site. It is an RFC 1123 label.
      - The default is the host variable C(skupper_site_namespace). A site without a namespace is refused.
    type: str
  version:
    description:
      - The major version of Skupper on the site, V(v1) or V(v2).
      - The default is the host variable C(skupper_site_version). Without it, or with V(auto), the version is found
        by what marks a site, which is an object of kind Site (v2) or the ConfigMap C(skupper-site) (v1). Say it only
        where both are in one namespace. System sites are V(v2).
    type: str
  data_home:
    description:
      - The folder in which Skupper keeps the folder C(namespaces) of a system site, on the site's host. C(~) and
        environment variables are those of the user there. A relative path is for sites on the control node only, and
        begins at the folder of the playbook, or, in a playbook of this collection, at that of the inventory.
      - The default is the host variable C(skupper_site_data_home), then Skupper's own folder, which is
        C(/var/lib/skupper) for root and C(skupper) under E(XDG_DATA_HOME), or under C(~/.local/share), for others.
      - Not used for Kubernetes sites.
    type: str
  listener_host:
    description:
      - The address of the host that the listeners of a system site bind.
      - The default is the host variable C(skupper_site_listener_host), then V(0.0.0.0), which is what
        C(skupper listener create) binds.
      - Not used for Kubernetes sites, where a listener's host is the address of the service.
    type: str
"""
