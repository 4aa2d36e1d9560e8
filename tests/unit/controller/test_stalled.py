"""A leader that stood still with a write on its way: it arrives after another has led, and is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from modelramp.kube.kinds import DEPLOYMENT
from support.faults import Fault, Faults
from support.process import drive
from support.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


@pytest.mark.parametrize("bad", [True, False], ids=["taken back meanwhile", "moved on meanwhile"])
def test_a_late_write_of_a_stalled_leader_is_refused(*, bad: bool) -> None:
    """It had decided on 20 %; the other has taken 2.0.0 back, or to 50 %, when its write arrives: 409."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("2.0.0")
    world.run(59)
    assert world.route == {"1.0.0": 95, "2.0.0": 5}
    world.now += timedelta(seconds=1)
    world.meter.tick(world.now)
    stalled = world.leader
    stalled.look()
    work = stalled.pass_()
    before = len(world.cluster.writes)
    # It has decided and is about to write; from here on it stands still, and sees nothing.
    work.send(None)
    assert len(world.cluster.writes) == before

    world.restart()
    if bad:
        world.meter.bad["2.0.0", "error-rate"] = 0.3
    wanted = {"1.0.0": 100} if bad else {"1.0.0": 50, "2.0.0": 50}
    world.run(120, until=lambda: world.route == wanted)
    world.settle()
    status, writes, events = world.status, len(world.cluster.writes), len(world.cluster.events)

    drive(work)
    late = world.cluster.writes[writes:]
    assert late
    assert [str(write) for write in late if write.changed] == []
    assert world.route == wanted
    assert world.status == status
    assert len(world.cluster.events) == events


def begun(version: str = "2.0.0") -> World:
    """1.0.0 serves, and the other version is at its first step."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy(version)
    world.run(5)
    return world


def stall(world: World, *, until: Callable[[], bool]) -> Any:  # noqa: ANN401 - a coroutine
    """The leader stands still in its pass as soon as this is true, and another process takes its place."""
    world.leader.look()
    work = world.leader.pass_()
    while not until():
        work.send(None)
    world.restart()
    return work


def refused(world: World, work: Any, *, told: int = 0) -> bool:  # noqa: ANN401 - a coroutine
    """Whether the stalled one goes on with a write, and nothing comes of it but so many events."""
    writes, events = len(world.cluster.writes), len(world.cluster.events)
    drive(work)
    late = world.cluster.writes[writes:]
    return (
        bool(late) and not any(write.changed for write in late) and len(world.cluster.events) == events + told
    )


def test_a_late_route_of_a_step_is_refused() -> None:
    """It has written status; meanwhile 1.0.0 is wanted again and the other has seen to that: 409."""
    world = begun()
    world.run(54)
    world.now += timedelta(seconds=1)
    world.meter.tick(world.now)
    work = stall(world, until=lambda: world.status["candidate"]["step"] == 2)
    assert world.route == {"1.0.0": 95, "2.0.0": 5}
    world.deploy("1.0.0")
    world.settle()
    assert world.route == {"1.0.0": 100}
    # That the step was entered is true: its status was written.
    assert refused(world, work, told=1)
    assert world.route == {"1.0.0": 100}


def test_a_late_clearing_of_a_rejection_is_refused() -> None:
    """For a revert it was about to clear one that a policy had kept; that revert is over by now: 422."""
    world = begun()
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    world.cluster.faults.inject(Fault.REFUSE, times=99, matching=lambda write: write.verb == "json_patch")
    world.deploy("1.1.0")
    world.run(2)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    # A process of its own: it knows of no refusal.
    world.restart()
    world.deploy("1.0.0")
    before = len(world.cluster.writes)
    work = world.leader.pass_()
    work.send(None)
    assert len(world.cluster.writes) == before
    world.restart()
    world.settle()
    world.deploy("1.1.0")
    world.run(2)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    world.cluster.faults = Faults()
    pin, writes = world.body["spec"]["rollback"], len(world.cluster.writes)
    assert refused(world, work)
    assert world.cluster.writes[writes].verb == "json_patch"
    assert world.body["spec"]["rollback"] == pin


def test_a_late_scaling_down_is_refused() -> None:
    """It was about to stop pods that nobody needed; the other has given them traffic again: 409."""
    world = begun()
    world.run(120)
    assert world.route == {"1.0.0": 50, "2.0.0": 50}
    world.deploy("1.0.0")
    world.run(9)
    assert world.replicas("2.0.0") == 4
    world.now += timedelta(seconds=1)
    work = world.leader.pass_()
    before, reads = len(world.cluster.writes), world.cluster.reads
    work.send(None)
    work.send(None)
    assert world.cluster.reads == reads + 1
    assert len(world.cluster.writes) == before
    world.restart()
    world.deploy("2.0.0")
    world.run(2)
    assert world.route == {"1.0.0": 95, "2.0.0": 5}
    pods = world.cluster.all(DEPLOYMENT)
    assert refused(world, work)
    assert world.cluster.all(DEPLOYMENT) == pods
