# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to put into a certificate."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.issue``."""

    DOCUMENTATION = r"""
options:
  subject:
    description:
      - The subject, in the form of RFC 4514 (V(CN=payments,O=Example)), or a common name alone.
    type: str
  key_type:
    description:
      - The kind and size of the private key that is generated.
    type: str
    choices: [ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, rsa-4096, ed25519]
    default: ecdsa-p256
  validity_days:
    description:
      - For how many days from now on it is valid, 1 to 36500. It begins five minutes ago, for sites whose clocks are
        slow.
    type: int
"""
