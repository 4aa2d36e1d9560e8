"""The CRDs on a real API server."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devcluster.cluster import Cluster

CRDS = Path(__file__).parents[3] / "crds"


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> Path:
    """The folder of the CRDs, which the cluster has, applied as a person would."""
    cluster.kubectl("apply", "-f", str(CRDS))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
    return CRDS


@pytest.fixture(scope="module")
def api(cluster: Cluster, crds: Path) -> Iterator[Api]:  # noqa: ARG001 - it has to be there
    """Kubectl in a fresh namespace."""
    namespace = f"api-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    yield Api(cluster, namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"fraud-{uuid.uuid4().hex[:8]}"
