"""What the tests of the tool share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from devcluster.fixtures import cluster, cluster_layers, namespace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["cluster", "cluster_layers", "namespace"]


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
