"""What serves is changed on the last word of the ModelDeployment only, and to be sure of it costs little."""

from __future__ import annotations

from typing import Any

import pytest

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, VIRTUAL_SERVICE, WATCHED
from support.faults import Fault, Faults, Write
from support.world import KEY, World

FOREIGN = "other.example.com"
SHORT: dict[str, Any] = {
    "strategy": {"type": "Canary", "steps": [{"weight": weight, "hold": "5s"} for weight in (5, 20, 50)]},
    "rollbackPolicy": {"keepPrevious": "15s"},
    "drain": "3s",
}


@pytest.fixture
def world() -> World:
    """2.0.0 has 5 %."""
    made = World()
    made.deploy("1.0.0", **SHORT)
    made.settle()
    made.deploy("2.0.0", **SHORT)
    made.run(3)
    assert made.route == {"1.0.0": 95, "2.0.0": 5}
    return made


def edit_route(world: World) -> None:
    """Somebody adds a host."""
    world.cluster.edit(VIRTUAL_SERVICE, *KEY, lambda body: body["spec"]["hosts"].append(FOREIGN))


def hosts(world: World) -> list[str]:
    """The hosts of the route."""
    route = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    assert route is not None
    found: list[str] = route["spec"]["hosts"]
    return found


def test_steps_and_a_promotion_read_nothing(world: World) -> None:
    """Each step is status, route and, where pods are needed, a scale: that status was written is enough."""
    world.cluster.reads = 0
    world.cluster.writes.clear()
    world.run(90, until=lambda: world.route == {"2.0.0": 100})
    routes = [write for write in world.cluster.writes if write.kind == VIRTUAL_SERVICE]
    assert len(routes) == 3
    assert world.cluster.reads == 0


def test_a_rollback_reads_nothing(world: World) -> None:
    """The rejection in spec is its first write: no request more between the verdict and the route."""
    world.cluster.reads = 0
    world.meter.bad["2.0.0", "error-rate"] = 1.0
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    assert world.cluster.reads == 0


def test_a_rollback_whose_rejection_is_refused_goes_on(world: World) -> None:
    """A policy refuses spec.rollback: one read says that the route may go back, which it does at once."""
    world.cluster.reads = 0

    def spec(write: Write) -> bool:
        return write.kind == MODEL_DEPLOYMENT and write.subresource is None

    world.cluster.faults.inject(Fault.REFUSE, times=9, matching=spec)
    world.meter.bad["2.0.0", "error-rate"] = 1.0
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    assert world.cluster.reads == 1


def test_a_repair_in_the_bake_reads_once(world: World) -> None:
    """Status has nothing new to say: the route is put back after one read; idle passes read nothing."""
    world.run(90, until=lambda: world.status["phase"] == "Healthy")
    world.run(4)
    world.deploy("1.1.0", **SHORT)
    world.run(90, until=lambda: world.status["phase"] == "Baking")
    world.cluster.reads = 0
    world.run(5)
    assert world.cluster.reads == 0
    edit_route(world)
    world.settle()
    assert FOREIGN not in hosts(world)
    assert world.cluster.reads == 1


def test_nothing_is_repaired_on_an_old_view(world: World) -> None:
    """The watch of ModelDeployments stands still: what is read before a repair is what is decided on."""
    world.run(90, until=lambda: world.status["phase"] == "Healthy")
    world.run(4)
    world.leader.lag(frozenset({MODEL_DEPLOYMENT}))
    world.deploy("1.1.0", **SHORT)
    edit_route(world)
    world.run(3)
    assert FOREIGN not in hosts(world)
    assert world.route == {"2.0.0": 95, "1.1.0": 5}


def test_nothing_is_deleted_on_an_old_view() -> None:
    """A policy kept a revision from deletion; it serves again when one that missed that tries anew."""
    world = World()
    world.deploy("1.0.0", revisionHistoryLimit=0, **SHORT)
    world.settle()
    world.cluster.faults.inject(Fault.REFUSE, times=99, matching=lambda write: write.verb == "delete")
    world.deploy("2.0.0", revisionHistoryLimit=0, **SHORT)
    world.run(90, until=lambda: world.status["phase"] == "Healthy")
    world.settle()
    assert world.replicas("1.0.0") == 0
    world.rival = world.start()
    world.rival.lag(frozenset(WATCHED))
    world.deploy("1.0.0", revisionHistoryLimit=0, **SHORT)
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    world.cluster.faults = Faults()
    world.together([1])
    assert world.replicas("1.0.0") == 4


def test_what_is_told_is_not_lost_with_what_is_let_go(world: World) -> None:
    """The Deployment has changed when its pods are to go: that is tried again, the event comes once."""

    def old(write: Write) -> bool:
        return write.kind == DEPLOYMENT and "1-0-0" in write.name

    world.run(90, until=lambda: world.status["phase"] == "Baking")
    world.settle()
    world.cluster.faults.inject(Fault.FENCE, matching=old)
    world.run(90, until=lambda: world.status["phase"] == "Healthy")
    world.settle()
    assert not world.cluster.faults.waiting
    assert world.replicas("1.0.0") == 0
    assert world.reasons().count("BakeEnded") == 1
