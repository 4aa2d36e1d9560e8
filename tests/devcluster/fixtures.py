"""Pytest fixtures for suites that need a control plane: `pytest_plugins = ["devcluster.fixtures"]`.

A suite may run on the host, or as a whole inside the instance (`python -m devcluster exec -- pytest …`); the
addresses that `cluster` gives fit either way.
"""

from __future__ import annotations

import os
import re
import uuid
from typing import TYPE_CHECKING

import pytest

from devcluster.cluster import Cluster
from devcluster.instance import LAYERS

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster_layers() -> tuple[str, ...]:
    """Which layers `cluster` has; a suite that needs less overrides this and starts sooner."""
    return LAYERS


@pytest.fixture(scope="session")
def cluster(cluster_layers: tuple[str, ...]) -> Iterator[Cluster]:
    """A control plane for the session: the one named by DEVCLUSTER_INSTANCE, else one of its own."""
    if name := os.environ.get("DEVCLUSTER_INSTANCE"):
        existing = Cluster(name, layers=cluster_layers)
        if not existing.is_inside:
            existing.up()
        yield existing
        return
    with Cluster(f"test-{os.getpid()}", layers=cluster_layers) as fresh:
        yield fresh


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A Kubernetes namespace for one test, named after it, removed when it ends."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{stem}-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
