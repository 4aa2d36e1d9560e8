"""Our clock is known to be wrong: nothing that hangs on the time is decided."""

from __future__ import annotations

import pytest

from support.world import World


@pytest.fixture
def world() -> World:
    """A world in which 1.0.0 serves everything."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    return made


def test_nothing_moves_on_while_the_clock_differs(world: World) -> None:
    """With proof and after the hold the candidate stays; with the clock right again it goes on, at once."""
    world.deploy("1.1.0")
    world.run(30)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    world.leader.clock_trouble = "the operator's clock is at least 9 s behind that of the API server"
    world.run(200)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert "clock" in world.condition("Ready")["message"]
    world.leader.clock_trouble = None
    world.run(6)
    assert world.route == {"1.0.0": 80, "1.1.0": 20}


def test_a_failing_candidate_goes_back_whatever_the_clock_says(world: World) -> None:
    """Going back is no matter of time."""
    world.deploy("2.0.0")
    world.run(5)
    world.leader.clock_trouble = "the operator's clock is at least 9 s behind that of the API server"
    world.meter.bad["2.0.0", "error-rate"] = 0.5
    world.run(60, until=lambda: world.route == {"1.0.0": 100})


CLOCK = "the operator's clock is more than 5 s ahead of that of the API server"


def test_a_clock_that_jumps_rejects_nothing_and_lets_nothing_go(world: World) -> None:
    """Two hours at once, known to be wrong: no deadline has passed, and the bake is not over."""
    world.ready["1.1.0"] = False
    world.deploy("1.1.0")
    world.run(5)
    world.leader.clock_trouble = CLOCK
    world.jump(7200)
    assert "rollback" not in world.body["spec"]
    world.leader.clock_trouble = None
    world.ready["1.1.0"] = True
    world.deploy("1.0.0")
    world.settle()


def test_a_bake_does_not_end_by_a_wrong_clock(world: World) -> None:
    """The previous revision stays warm while the clock is known to be wrong."""
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.leader.clock_trouble = CLOCK
    world.jump(7200)
    assert world.replicas("1.0.0") > 0
    world.leader.clock_trouble = None
    world.run(20, until=lambda: world.replicas("1.0.0") == 0)
