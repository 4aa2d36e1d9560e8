"""A leader that stood still with a write on its way: it arrives after another has led, and is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest

from support.process import drive
from support.world import World


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
