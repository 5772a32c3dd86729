# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which network is meant."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.network``."""

    DOCUMENTATION = r"""
options:
  network:
    description:
      - The name of the Skupper network, an RFC 1123 label. It marks what this collection writes. Objects carry it
        as the label C(multisite.skupper-tls/network), records of the store hold it.
      - What carries the name of another network is treated like anything else that this collection did not write.
        A record of the store that belongs to another network is refused, unless that network shares it.
      - Two networks may share a pair of secrets in one namespace. A secret of another network with the very content
        that is wanted is left as it is and stays that network's; any other content is refused.
      - A run is for one network. Where the hosts of a play are of several, it is refused before anything is written.
      - The variable C(skupper_tls_network) takes the place of the default.
    type: str
    default: skupper
"""
