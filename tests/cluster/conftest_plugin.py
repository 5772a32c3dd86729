# Copyright (c) 2026 multisite.skupper_tls contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest plugin: the fixture ``clusters``.

A test asks for as many as it needs: ``east, west = clusters(2)``. They are started at the first call, shared by all
tests of the session (so a test works in namespaces of its own: ``unique("shop")``), and stopped at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .clusters import Cluster, Clusters, NotEnoughClusters


@pytest.fixture(scope="session")
def clusters() -> Iterator[Callable[[int], list[Cluster]]]:
    running = Clusters()

    def take(count: int) -> list[Cluster]:
        try:
            return running(count)
        except NotEnoughClusters as error:
            pytest.skip(str(error))

    try:
        yield take
    finally:
        running.stop()
