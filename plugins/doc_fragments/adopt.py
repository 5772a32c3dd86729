# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether to take over what another wrote."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.adopt``."""

    DOCUMENTATION = r"""
options:
  adopt:
    description:
      - Whether to change, delete and from then on own what stands under the names of this task and was not written by
        this collection for this network. Without it such a thing is an error, and nothing is written.
      - Ours is what carries the labels C(app.kubernetes.io/managed-by=multisite.skupper_tls) and
        C(multisite.skupper-tls/network). Where a thing cannot carry labels, it is an entry of an annotation (Skupper
        v1) or of the file C(skupper-tls-manifest.json) in the folder of the namespace (system sites).
      - The variable C(skupper_tls_adopt) takes the place of the default.
    type: bool
    default: false
"""
