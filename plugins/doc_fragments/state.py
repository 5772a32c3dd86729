# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a thing is to be there."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.state``."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - Whether it is to be there.
    type: str
    choices: [present, absent]
    default: present
"""
