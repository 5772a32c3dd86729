# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module ``trust_bundle``: the collection's one run path."""

from __future__ import annotations

from ansible_collections.multisite.skupper_tls.plugins.plugin_utils.in_worker import ActionModule

__all__ = ["ActionModule"]
