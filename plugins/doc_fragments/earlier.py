# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier tasks of the run have said."""

from __future__ import annotations


class ModuleDocFragment:
    """The fragment ``multisite.skupper_tls.earlier``."""

    DOCUMENTATION = r"""
options:
  known:
    description:
      - The names of the variables in which results of earlier tasks of the same run are registered. First that of
        M(multisite.skupper_tls.site_info) with C(check=preflight), then those of the steps since, which are
        M(multisite.skupper_tls.secrets) and M(multisite.skupper_tls.service). All must have the same services.
      - The version of Skupper is taken from them, unless O(version) says it. Where each of them found that nothing is
        to be done, the site is not read again.
      - Give names and not results. Variables that are not there count as no result.
    type: list
    elements: str
    default: []
"""

    ISSUED = r"""
options:
  issued:
    description:
      - The name of the variable in which the result of M(multisite.skupper_tls.certificate) is registered, with or
        without a loop, in the same run.
      - In check mode, what that task would have issued counts as if it were in the store and on the site.
      - Else it tells, with O(known), whether the certificates are still those that the site was compared with.
    type: str
"""

    REMOVAL = r"""
options:
  removal:
    description:
      - The name of the variable in which the result of M(multisite.skupper_tls.report) with C(step=removal) is
        registered, in the same run. What is to be removed is taken from there.
    type: str
"""
