# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all modules of the collection can do."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.attributes``."""

    DOCUMENTATION = r"""
attributes:
  action:
    description: An action plugin of the same name runs the module on the control node.
    support: full
  action_group:
    description: C(module_defaults) for C(group/multisite.skupper_tls.all) reach the module.
    support: full
    membership: [multisite.skupper_tls.all]
  async:
    description: Can be run by the keyword C(async).
    support: none
  check_mode:
    description: Can run without writing anything, and says whether and what it would change.
    support: full
  diff_mode:
    description: Returns what it changes, or would change, by the keyword or option C(diff).
    support: full
  platform:
    description: The systems of the control node.
    platforms: posix
    support: full
requirements:
  - cryptography >= 42, for the Python that runs Ansible on the control node
  - kubernetes >= 28, for the same Python, where a site or the store is on Kubernetes
notes:
  - The module runs in Ansible's own process on the control node, whatever the connection of the host is. For a
    Kubernetes site C(ansible_connection) need not be set, and no Python is needed anywhere else.
  - Of a system site on another machine (O(platform) other than V(kubernetes)) only what reads and writes its files
    runs there, by the connection of the host. The connection must support pipelining, as C(ansible.builtin.ssh) does,
    whether or not it is switched on. The host needs Python 3.9 or later with nothing but its standard library, found
    as Ansible finds it or set by C(ansible_python_interpreter). No file but the site's own is written on the host.
  - With C(become) a system site is written as that user. As root the module goes on as the user that owns the
    namespace folder of the site, so that its files stay that user's.
  - No byte of a key is ever part of a result, a diff, or a message. Certificates are shown by subject, alternative
    names, dates and SHA-256 fingerprint.
"""
