"""Worlds in the states that a person may look at, and what a client may have counted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelramp.cli.access import notes_of
from modelramp.cli.picture import Picture, picture
from modelramp.cli.stats import Count, Seen
from modelramp.judgement.evidence import NoData
from support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable


def look(world: World, *, seen: Seen | None = None, trouble: str | None = None) -> Picture:
    """What there is to see of the world now."""
    notes = notes_of(world.cluster.events, uid=world.body["metadata"]["uid"])
    return picture(world.body, now=world.now, seen=seen, notes=notes, trouble=trouble)


def counted(world: World, **requests: tuple[int, int, int]) -> Seen:
    """Requests, errors and slow answers by role, as a client may have counted them in 20 s."""
    roles = {row.role: row.revision for row in look(world).rows} | {"unnamed": ""}
    counts = {
        roles[role]: Count(revision=roles[role], requests=n, errors=errors, slow=slow)
        for role, (n, errors, slow) in requests.items()
    }
    return Seen(
        period="since these weights", seconds=20.0, at=world.now.timestamp(), counts=counts, total=counts
    )


def _first() -> World:
    world = World()
    world.ready["1.0.0"] = False
    world.deploy("1.0.0")
    world.settle()
    return world


def _healthy() -> World:
    world = World()
    world.deploy("1.0.0")
    world.settle()
    return world


def _unseen() -> World:
    world = _healthy()
    world.deploy("1.1.0")
    return world


def _deploying() -> World:
    world = _healthy()
    world.ready["1.1.0"] = False
    world.deploy("1.1.0")
    world.run(3)
    return world


def _holding() -> World:
    world = _healthy()
    world.deploy("1.1.0")
    world.run(70, until=lambda: world.route.get("1.1.0") == 20)
    world.run(20)
    return world


def _entered() -> World:
    world = _healthy()
    world.deploy("1.1.0")
    world.run(5, until=lambda: world.route.get("1.1.0") == 5)
    return world


def _not_proved() -> World:
    world = _healthy()
    # as many as stable has: compared with it there is nothing to say
    world.meter.bad = {(version, "error-rate"): 0.04 for version in ("1.0.0", "1.1.0")}
    world.deploy("1.1.0")
    world.run(70)
    return world


def _blind() -> World:
    world = _holding()
    world.meter.answer = NoData()
    world.run(90)
    return world


def _baking() -> World:
    world = _healthy()
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.run(30)
    return world


def _rolled_back() -> World:
    world = _healthy()
    world.deploy("2.0.0")
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    return world


def _failed() -> World:
    world = _first()
    world.run(400)
    return world


STATES: dict[str, Callable[[], World]] = {
    "first": _first,
    "healthy": _healthy,
    "unseen": _unseen,
    "deploying": _deploying,
    "entered": _entered,
    "holding": _holding,
    "not proved": _not_proved,
    "blind": _blind,
    "baking": _baking,
    "rolled back": _rolled_back,
    "failed": _failed,
}


@pytest.fixture(scope="session")
def worlds() -> Callable[[str], World]:
    """A world in a state of that name, to look at: it is shared."""
    made: dict[str, Any] = {}

    def make(state: str) -> World:
        if state not in made:
            made[state] = STATES[state]()
        world: World = made[state]
        return world

    return make
