"""Stories that chance rarely tells: what each needs must happen in the right moments, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from property.actions import Both, BreakRoute, Fail, Kill, Lag, Metrics, Outage, Wait, Want
from property.simulation import Simulation
from support.faults import Fault

if TYPE_CHECKING:
    from property.actions import Action

BEHIND = Lag(("object",), stand_by=True)
PROMOTED: list[Action] = [Want("2.0.0"), Wait(20)]
STALE: dict[str, list[Action]] = {
    "missed that a rollout began": [BEHIND, Want("2.0.0"), Wait(2), Both(())],
    "missed a step": [Want("2.0.0"), Wait(2), BEHIND, Wait(6), Both(())],
    "missed a promotion": [Want("2.0.0"), Wait(2), BEHIND, Wait(20), Both(())],
    "missed the end of a bake": [*PROMOTED, BEHIND, Wait(20), Both(())],
    "missed a rollback": [
        Want("2.0.0"),
        Wait(8),
        BEHIND,
        Metrics("2.0.0", "error-rate", 1.0),
        Wait(3),
        Both(()),
    ],
    "missed a rollback in the bake": [
        *PROMOTED,
        BEHIND,
        Metrics("2.0.0", "error-rate", 1.0),
        Wait(3),
        Both(()),
    ],
    "missed a revert": [Want("2.0.0"), Wait(8), BEHIND, Want("1.0.0"), Wait(2), Both(())],
    "missed a revert that was taken back": [
        Want("2.0.0"),
        Wait(8),
        Want("1.0.0"),
        BEHIND,
        Want("2.0.0"),
        Wait(8),
        Both(()),
    ],
    "missed a rollout and its route": [
        Lag(("object", "route"), stand_by=True),
        Want("2.0.0"),
        Wait(8),
        Both(()),
    ],
    "missed a promotion and leads alone": [
        Want("2.0.0"),
        Wait(2),
        BEHIND,
        Wait(20),
        Kill(stand_by=True),
        Wait(2),
    ],
    "missed all that is its own": [Lag(("all",), stand_by=True), Want("2.0.0"), Wait(30), Both(())],
}
WRONG: dict[str, list[Action]] = {
    "nobody was there": [Want("2.0.0"), Wait(3), Outage(5, edited=True), Wait(12)],
    "its repair was refused": [
        Want("2.0.0"),
        Wait(3),
        Fail(Fault.REFUSE, "route", times=2),
        BreakRoute(),
        Wait(12),
    ],
    "its repair was refused and a verdict came": [
        Want("2.0.0"),
        Fail(Fault.REFUSE, "route", times=3),
        BreakRoute(),
        Wait(20),
    ],
    "it could not be made again and a verdict came": [
        Want("2.0.0"),
        Fail(Fault.REFUSE, "route", times=3),
        BreakRoute(delete=True),
        Wait(20),
    ],
    "there was no answer": [
        Want("2.0.0"),
        Wait(3),
        Fail(Fault.UNAVAILABLE, "route", times=3),
        BreakRoute(),
        Wait(12),
    ],
}


@pytest.mark.parametrize("script", STALE.values(), ids=STALE)
def test_who_missed_something_changes_nothing_that_serves(script: list[Action]) -> None:
    """A process that has an old ModelDeployment, and may have the newest route, thinks that it leads."""
    Simulation().play(script)


@pytest.mark.parametrize("script", WRONG.values(), ids=WRONG)
def test_time_in_which_the_route_was_wrong_is_held_again(script: list[Action]) -> None:
    """Somebody's weights stood there for a while: the hold is longer by so much, and no step is repeated."""
    Simulation().play(script)
