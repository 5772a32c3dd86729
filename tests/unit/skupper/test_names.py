# Copyright (c) 2026 multisite.skupper_tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and ports: what is accepted, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.multisite.skupper_tls.plugins.module_utils.skupper import names


@pytest.mark.parametrize("text", ["a", "7", "payments", "a-b", "0-9", "a" * 63, "a--b"])
def test_labels(text: str) -> None:
    assert names.is_label(text)
    assert names.label_problems(text, "x") == []


@pytest.mark.parametrize(
    "value",
    ["", "-a", "a-", "A", "a.b", "a_b", "a b", "a" * 64, "é", "a\n", "\na", "٣", None, 7, True, ["a"], b"a"],
    ids=repr,
)
def test_no_labels(value: Any) -> None:
    (problem,) = names.label_problems(value, "services[0].address")
    assert problem.field == "services[0].address"
    assert problem.found == repr(value)
    assert problem.remedy


@pytest.mark.parametrize("text", ["skupper-tls", "skupper-tlsx", "my-skupper-tls-a", "server-cert-secret"])
def test_secret_names(text: str) -> None:
    assert names.secret_name_problems(text, "x") == []


@pytest.mark.parametrize("text", ["skupper-tls-payments", "skupper-tls-a"])
def test_reserved_secret_names(text: str) -> None:
    (problem,) = names.secret_name_problems(text, "tls.server_secret")
    assert problem.message == "begins with skupper-tls-"
    assert problem.field == "tls.server_secret"
    assert problem.found == text


@pytest.mark.parametrize("text", ["skupper-tls-", "Skupper-tls-a", None])
def test_a_bad_label_is_one_problem_only(text: Any) -> None:
    (problem,) = names.secret_name_problems(text, "x")
    assert "RFC 1123" in problem.message


@pytest.mark.parametrize(
    ("value", "port"),
    [
        (1, 1),
        (65535, 65535),
        ("443", 443),
        (" 443 ", 443),
        ("00443", 443),
        (0, None),
        (-1, None),
        (65536, None),
        ("65536", None),
        ("9" * 5000, None),
        (True, None),
        (False, None),
        (None, None),
        ("", None),
        ("http", None),
        ("4.5", None),
        (443.0, None),
        ("٤٤٣", None),
        ("²", None),
        ("0x50", None),
        ("1_0", None),
        ("+5", None),
        ([443], None),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_ports(value: Any, port: int | None) -> None:
    assert names.parse_port(value) == port


def test_ownership() -> None:
    assert names.ownership_labels("shop") == {
        "app.kubernetes.io/managed-by": "multisite.skupper_tls",
        "multisite.skupper-tls/network": "shop",
    }
