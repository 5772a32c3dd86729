# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # pytest_plugins is allowed in the topmost conftest only; this does the same, and once however many ask for it.
    config.pluginmanager.import_plugin("tests.cluster.conftest_plugin")
