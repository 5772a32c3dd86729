# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an imported certificate comes from."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.source``."""

    DOCUMENTATION = r"""
options:
  source:
    description:
      - What to import, in place of making it. Everything is checked before it is written.
      - Files are read on the control node; a relative path begins at the folder of the playbook. PEM is read with
        any line ends and with text between the blocks; one certificate or key in DER form is read too.
    type: dict
    suboptions:
      certificate_path:
        description:
          - A file with the certificate and its chain, in any order. It may hold the key as well.
          - One of O(source.certificate_path) and O(source.certificate_content) is required.
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
