# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a certificate is due for renewal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from ..errors import InputError

#: Renew when this share of the lifetime is left.
DEFAULT_RENEW_BEFORE = "1/3"

_FORMS = re.compile(r"(?P<part>\d{1,6})/(?P<whole>\d{1,6})|(?P<percent>\d{1,3}(\.\d{1,6})?)%|(?P<days>\d{1,6})d?")


@dataclass(frozen=True)
class RenewBefore:
    """How long before its end a certificate is renewed: a share of its lifetime, or a time.

    Args:
        share: between 0 and 1, exclusive; 0 if a time is given.
        period: more than zero; zero if a share is given.
    """

    share: Fraction = Fraction(0)
    period: timedelta = timedelta(0)

    @staticmethod
    def parse(text: str, field: str) -> RenewBefore:
        """Return the rule of a text: ``1/3`` or ``33%`` of the lifetime, ``30d`` or ``30`` for days.

        Raises:
            InputError: the text is none of these, the share is not between 0 and 1, or there are no days.
        """
        form = _FORMS.fullmatch(text.strip())
        if form is None:
            raise _refused("is neither a share of the lifetime nor a number of days", text, field)
        if form["days"]:
            if int(form["days"]) == 0:
                raise _refused("is no days at all", text, field)
            return RenewBefore(period=timedelta(days=int(form["days"])))
        if form["whole"] and int(form["whole"]) == 0:
            raise _refused("divides by zero", text, field)
        share = Fraction(int(form["part"]), int(form["whole"])) if form["whole"] else Fraction(form["percent"]) / 100
        if not 0 < share < 1:
            raise _refused("is not more than nothing and less than the whole lifetime", text, field)
        return RenewBefore(share=share)


def check_renew_before(rule: RenewBefore, validity_days: int, field: str) -> list[InputError]:
    """Return the error of a rule under which every run would renew, because its days reach the whole lifetime."""
    if rule.period < timedelta(days=validity_days):
        return []
    return [
        InputError(
            "the renewal begins before the certificate does, so every run would renew it",
            field=field,
            found=f"{rule.period.days} days of a lifetime of {validity_days} days",
            remedy="Give fewer days than the validity has, or a share of the lifetime such as 1/3",
        )
    ]


def renewal_time(not_before: datetime, not_after: datetime, rule: RenewBefore) -> datetime:
    """Return the moment from which on a certificate is due, never before it begins."""
    lifetime = not_after - not_before
    # By whole seconds and exact fractions: a float would move the moment.
    left = rule.period or timedelta(seconds=int(rule.share * int(lifetime.total_seconds())))
    return max(not_before, not_after - left)


def is_due(not_before: datetime, not_after: datetime, rule: RenewBefore, now: datetime) -> bool:
    """Tell whether a certificate is to be renewed now; an expired one always is."""
    return now >= renewal_time(not_before, not_after, rule)


def _refused(what: str, text: str, field: str) -> InputError:
    return InputError(
        f"the time to renew before the end {what}",
        field=field,
        found=text[:100] or "nothing",
        remedy="Write a share of the lifetime (1/3, 33%) or days (30d)",
    )
