# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renewal times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import InputError
from ansible_collections.multisite.skupper_tls.plugins.module_utils.x509 import expiry
from ansible_collections.multisite.skupper_tls.tests.unit.x509 import factory

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
END = START + 90 * DAY


@pytest.mark.parametrize(
    ("text", "share", "days"),
    [
        ("1/3", Fraction(1, 3), 0),
        ("33%", Fraction(33, 100), 0),
        ("33.5%", Fraction(67, 200), 0),
        ("99.9%", Fraction(999, 1000), 0),
        ("30d", Fraction(0), 30),
        ("30", Fraction(0), 30),
        (" 30d ", Fraction(0), 30),
        (expiry.DEFAULT_RENEW_BEFORE, Fraction(1, 3), 0),
    ],
)
def test_forms(text: str, share: Fraction, days: int) -> None:
    assert expiry.RenewBefore.parse(text, "f") == expiry.RenewBefore(share, days * DAY)


@pytest.mark.parametrize(
    "text",
    ["", "x", "1/0", "0/3", "3/3", "4/3", "0%", "100%", "101%", "0", "0d", "-1", "0.33", "1/3/3", "30h", "-5%", "1e3"],
)
def test_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        expiry.RenewBefore.parse(text, "tls.x")
    factory.check_error(caught.value, "the time to renew before the end")
    assert caught.value.found


@pytest.mark.parametrize(
    ("text", "day"), [("1/3", 60), ("1/2", 45), ("10%", 81), ("30d", 60), ("89", 1), ("90", 0), ("1000", 0)]
)
def test_times(text: str, day: int) -> None:
    rule = expiry.RenewBefore.parse(text, "f")
    moment = START + day * DAY
    assert expiry.renewal_time(START, END, rule) == moment
    assert not expiry.is_due(START, END, rule, moment - timedelta(seconds=1))
    assert expiry.is_due(START, END, rule, moment)
    assert expiry.is_due(START, END, rule, END + DAY)


def test_a_rule_that_renews_at_every_run() -> None:
    rule = expiry.RenewBefore.parse("30d", "f")
    factory.check_only(expiry.check_renew_before(rule, 30, "tls.x"), "every run would renew it")
    assert expiry.check_renew_before(rule, 31, "tls.x") == []
    assert expiry.check_renew_before(expiry.RenewBefore.parse("1/3", "f"), 1, "tls.x") == []


@given(st.text(max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_rule_or_our_error(text: str) -> None:
    try:
        rule = expiry.RenewBefore.parse(text, "f")
    except InputError:
        return
    assert START <= expiry.renewal_time(START, END, rule) <= END
