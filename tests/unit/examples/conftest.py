"""Trains once for all tests of the example."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unit.examples.processes import train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `python -m digits.train` wrote."""
    out = tmp_path_factory.mktemp("digits")
    train(out)
    return out
