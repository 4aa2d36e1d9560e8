"""What the tests of the tool share."""

from __future__ import annotations

import re
import time
import uuid
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from devcluster import Cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A Kubernetes namespace for one test, named after it, removed when it ends."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{stem}-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def run_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base folder of its own for instances of one test."""
    monkeypatch.setenv("MODELRAMP_RUN", str(tmp_path / "run"))
    return tmp_path / "run"


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until a check holds, with a generous limit: order of events counts here, not seconds."""

    def wait(check: Callable[[], bool], *, limit: float = 60, what: str = "the expected state") -> None:
        deadline = time.monotonic() + limit
        while not check():
            assert time.monotonic() < deadline, f"waited {limit} s for {what}"
            time.sleep(0.1)

    return wait
