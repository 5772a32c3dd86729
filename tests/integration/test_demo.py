# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""The demo of the README, as `make demo` starts it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "tools" / "demo.py"


@pytest.mark.parametrize(
    ("sites", "custom", "generated"),
    [pytest.param("linux", 1, 0, marks=pytest.mark.smoke), pytest.param("kubernetes", 2, 1)],
)
def test_demo(sites: str, custom: int, generated: int, tmp_path: Path) -> None:
    command = [sys.executable, str(DEMO), "--sites", sites, "--directory", str(tmp_path / "demo")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Second run: changed=0 on every site.") == custom + generated
    assert done.stdout.count("handshake: TLS") == custom + generated
    assert done.stdout.count("strict RFC 5280 verification") == custom
    assert done.stdout.count("a client without ca-cert-secret refuses") == custom
    assert done.stdout.count("skupper-service-client of east, another CA, refuses") == generated
