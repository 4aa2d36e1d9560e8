"""Stories that once ended badly, each in its shortest form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from property.actions import BreakRoute, Edit, Wait, Want
from property.simulation import Simulation

if TYPE_CHECKING:
    from property.actions import Action

FOUND: dict[str, list[Action]] = {
    "a route that is deleted does not end the drain": [
        Edit("image", "server:2"),
        Edit("image", "server:1"),
        BreakRoute(delete=True),
    ],
    "a route that cannot be put back is not said to be": [
        Want("1.1.0"),
        Wait(2),
        Edit("invalid", value=True),
        BreakRoute(),
        Wait(10),
    ],
}


@pytest.mark.parametrize("script", FOUND.values(), ids=FOUND)
def test_found(script: list[Action]) -> None:
    """It goes as it should now."""
    Simulation().play(script)
