# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors: what they say, and how several are one."""

from __future__ import annotations

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils import errors
from ansible_collections.multisite.skupper_tls.plugins.module_utils.errors import (
    InputError,
    Problems,
    SiteConflict,
    SiteError,
    SkupperTlsError,
    StoreConflict,
    StoreError,
    flatten,
    raise_all,
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SkupperTlsError("is wrong"), "is wrong."),
        (SkupperTlsError("is wrong", field="tls.x"), "tls.x: is wrong."),
        (SkupperTlsError("is wrong", site="east"), "site east: is wrong."),
        (
            SkupperTlsError("is wrong", site="east", field="tls.x", found="y", remedy="Mend it"),
            "site east, tls.x: is wrong (found: y). Mend it.",
        ),
    ],
)
def test_text(error: SkupperTlsError, text: str) -> None:
    assert str(error) == text


def test_at_fills_the_site_in_once() -> None:
    error = InputError("m")
    assert error.at("east") is error
    assert error.at("west").site == "east"


def test_several_errors() -> None:
    both = Problems([InputError("a", field="f"), Problems([StoreError("b"), SiteError("c", site="west")])])
    assert str(both.at("east")) == "site east, f: a; site east: b; site west: c."
    assert [single.message for single in flatten(both)] == ["a", "b", "c"]
    assert [entry.site for entry in flatten(both)] == ["east", "east", "west"]
    assert flatten(both)[0].as_dict() == {"message": "a", "site": "east", "field": "f", "found": "", "remedy": ""}


def test_raise_all() -> None:
    raise_all([])
    one = InputError("a")
    with pytest.raises(InputError) as caught:
        raise_all([one])
    assert caught.value is one
    with pytest.raises(InputError):
        raise_all([Problems([one])])
    with pytest.raises(Problems) as several:
        raise_all(error for error in (one, Problems([StoreError("b"), StoreError("c")])))
    assert [single.message for single in several.value.errors] == ["a", "b", "c"]


def test_conflicts_are_of_their_kind() -> None:
    assert issubclass(StoreConflict, StoreError)
    assert issubclass(SiteConflict, SiteError)
    assert issubclass(errors.ForeignObject, SiteError)
    assert not issubclass(SiteError, StoreError)
