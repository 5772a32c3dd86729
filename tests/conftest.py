# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright (c) 2026 multisite.skupper_tls contributors
"""What all tests share: the fixtures that start real API servers."""

from __future__ import annotations

pytest_plugins = ["tests.cluster.conftest_plugin"]
