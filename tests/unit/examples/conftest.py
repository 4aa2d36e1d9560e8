"""Trains once for all tests of the example."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from unit.examples.processes import train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def _no_stray_loop() -> None:
    """Python 3.11 makes a loop for whoever asks where none was ever set; pytest plugins ask, and leak it."""
    asyncio.set_event_loop(None)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `python -m digits.train` wrote."""
    out = tmp_path_factory.mktemp("digits")
    train(out)
    return out
