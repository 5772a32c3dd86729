# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services of the network."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.services``."""

    DOCUMENTATION = r"""
options:
  services:
    description:
      - The services of the network. All of them are checked before anything is read or written, and every error is
        told at once.
      - The default is the variable C(skupper_tls_services).
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - The address of the service in the network, an RFC 1123 label. Each service has an address of its own.
            With a hyphen and a port behind it, it names objects and routing keys and may not be longer than 63
            characters.
        type: str
        required: true
      protocol:
        description:
          - V(tcp) or V(http2). On v2 both go over TCP listeners. V(http) is refused, as Skupper refuses it with TLS.
        type: str
        default: tcp
      ports:
        description:
          - The ports of the address, at least one, each of them once, from 1 to 65535.
          - A list of numbers or of text, a single value, or text with commas. V(5001:8443) is port 5001 of the
            address and port 8443 of the workload.
        type: raw
      workload:
        description:
          - Where a providing site sends connections. A providing Kubernetes site needs O(services[].workload.name) or
            O(services[].workload.selector), not both.
        type: dict
        suboptions:
          kind:
            description:
              - The kind of workload, V(deployment), V(statefulset) or V(daemonset). Without it a name is that of a
                deployment.
            type: str
          name:
            description: The name of the workload in the namespace of the site. Its pod selector is looked up.
            type: str
          selector:
            description: The labels of the pods, as in V(app=payments,tier=api). Nothing is looked up.
            type: str
          host:
            description: On system sites, the host that the connector connects to. The default is V(127.0.0.1).
            type: str
          mount_path:
            description:
              - Where on providing Kubernetes sites to mount C(tls.crt), C(tls.key) and C(ca.crt) of the server secret
                into the workload, read-only. It needs O(services[].workload.name). Without it nothing is mounted.
              - An absolute path that no other mount of the container has. System sites have no pods and refuse it.
              - A mount is written by server-side apply and owns its volume, its mounts and an annotation of the pod
                template with the fingerprint of the certificate, by which a new certificate restarts the pods.
            type: str
          containers:
            description: The containers to mount into, also init containers. The default is all but init containers.
            type: list
            elements: str
      consumers:
        description:
          - Workloads that are clients of the service, to mount C(ca.crt) of the CA secret into, read-only, by the same
            rules as for O(services[].workload.mount_path). No key is mounted.
        type: list
        elements: dict
        suboptions:
          workload:
            description: The workload. It is an error if a site that is meant does not have it.
            type: dict
            required: true
            suboptions:
              kind:
                description: V(deployment), V(statefulset) or V(daemonset). The default is a deployment.
                type: str
              name:
                description: The name of the workload in the namespace of the site.
                type: str
                required: true
          mount_path:
            description: Where to mount the CA, an absolute path.
            type: str
            required: true
          containers:
            description: The containers to mount into, also init containers. The default is all but init containers.
            type: list
            elements: str
          sites:
            description: The Kubernetes sites that are meant, as hosts or groups of the inventory. The default is all.
            type: list
            elements: str
      providers:
        description:
          - The sites that provide the service, as hosts or groups of the inventory. Every other site consumes it,
            unless O(services[].sites) says which; without providers all do.
        type: list
        elements: str
      sites:
        description:
          - The sites that take part besides the providers, as hosts or groups of the inventory. The default is every
            site of the play.
          - A site that does not take part is left alone for this service. It gets no secret, no listener and no check.
            A listener that this collection wrote there before is removed; secrets stay.
          - Skupper v1 sends a service to every site of the network, and a site without the secrets of one has no
            bridges for any. So on v1 this changes nothing, but that the role of such a site is told as V(synced).
        type: list
        elements: str
      tls:
        description: The secrets of the service, and what is in them.
        type: dict
        suboptions:
          mode:
            description:
              - V(custom) is one certificate and one CA, under the same two names on every site.
              - V(generated) is what Skupper's C(--generate-tls-secrets) makes, each site's own CA signs. The
                certificate is in the secret C(skupper-tls-<address>), the CA in C(skupper-service-client), and clients
                must trust the CA of their own site.
            type: str
            default: custom
          server_secret:
            description:
              - In mode V(custom), the name of the secret with certificate, key and CA, on every site. It is an RFC 1123
                label that does not begin with C(skupper-tls-), for Skupper v1 deletes secrets of that name when it
                unexposes the address, and is no secret that Skupper makes itself.
              - Services may share it. Their certificate then has the names of all of them.
            type: str
            default: server-cert-secret
          ca_secret:
            description:
              - In mode V(custom), the name of the secret with the CA alone, on every site, which clients may mount. The
                same rules hold
                as for O(services[].tls.server_secret), and it has another name than that.
            type: str
            default: ca-cert-secret
          authority:
            description:
              - In mode V(custom), the name of the authority in the store that issues the certificate. The default is
                V(default).
              - Services that share a secret have the same authority.
            type: str
          signer:
            description:
              - In mode V(generated), the authority in the store that is placed on every v2 and system site as its
                signing CA, so that the certificates of all sites chain to one root. Without it each site has a CA of
                its own. All services of that mode have the same signer.
              - Its key is RSA, for Skupper 2.2.1 signs with a PKCS#1 RSA key only. Skupper v1 always signs with a CA of
                its own.
            type: str
          site_intermediates:
            description:
              - Whether each site signs with an intermediate CA of its own below O(services[].tls.signer), which may
                sign for the names of the services on that site only and no further CA, so that the key of the signer
                stays in the store. The key of the signer may then be of any type.
            type: bool
            default: false
          certificate:
            description:
              - In mode V(custom), options for the certificate. It takes C(subject), C(alternative_names),
                C(key_type), C(validity_days), C(renew_before), C(extended_key_usage), C(networks), C(source) and
                C(request_path), with the meanings of the module M(multisite.skupper_tls.certificate).
              - Only the step issue reads it, by the filter
                P(multisite.skupper_tls.certificate_requests#filter).
            type: dict
"""

    OVERRIDES = r"""
options:
  overrides:
    description:
      - What the site at hand sets otherwise than O(services). By address, the fields of the service that differ.
        Mappings are merged key by key, lists and values take the place of what the service says, and a field that is
        null has its default again. So a selector in place of a workload comes with kind and name as null.
      - The fields C(address), C(providers), C(sites), C(tls.mode), C(tls.authority) and C(tls.certificate) are the
        same on every site and refused here.
      - C(ports) lists the ports of this site for those of the service, one for each and in the same order. The first
        number is where this site listens, the second the port of its workload. The routing key stays that of the
        service's port.
      - Other names for the secrets hold the same certificate on this site alone.
      - On Skupper v1, where one entry goes to every site, only the workload and the target ports can differ.
      - The default is the host variable C(skupper_site_services).
    type: dict
    default: {}
"""
