"""Whatever users, metrics and faults do: every write is right, and it ends well (see invariants.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from property import strategies
from property.simulation import Simulation

if TYPE_CHECKING:
    from property.actions import Action

pytestmark = pytest.mark.timeout(0)


@given(strategies.PEOPLE)
def test_people_and_metrics(script: list[Action]) -> None:
    """Edits, requests, pods and metrics of every kind, without a fault."""
    Simulation().play(script)


@given(strategies.FAULTS)
def test_crashes_and_refusals(script: list[Action]) -> None:
    """The process dies before or after any write; writes are refused, conflict, or lose their answer."""
    Simulation().play(script)


@given(strategies.HANDS)
def test_interference_and_stale_watches(script: list[Action]) -> None:
    """Status, route and spec.rollback are changed behind the operator's back, and its watches lag."""
    Simulation().play(script)


@given(strategies.LEADERS)
def test_two_leaders(script: list[Action]) -> None:
    """Two processes act at once, one of them on stale state."""
    Simulation().play(script)


@given(strategies.ANYTHING)
def test_everything_at_once(script: list[Action]) -> None:
    """All of it."""
    Simulation().play(script)
