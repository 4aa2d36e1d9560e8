"""A canary from the first version to the promotion of the next, and back, in a world without I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from modelramp.judgement.dispersion import Dispersion
from modelramp.judgement.evidence import NoData
from modelramp.kube.kinds import VIRTUAL_SERVICE
from support.world import KEY, World

if TYPE_CHECKING:
    from modelramp.judgement.evidence import Evidence


@pytest.fixture
def world() -> World:
    """A world in which 1.0.0 serves everything."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    return made


def test_the_first_revision_serves_all_once_it_is_ready(world: World) -> None:
    """With nothing to compare with, the first revision gets 100 % as soon as its pods are ready."""
    assert world.route == {"1.0.0": 100}
    assert world.condition("Ready")["status"] == "True"
    assert world.status["summary"]["text"] == "Healthy"
    assert "previous" not in world.status


def test_a_good_version_takes_the_configured_steps(world: World) -> None:
    """Weights are exactly 5, 20, 50 and 100, each after its hold, and sum to 100 at every write."""
    world.weights.clear()
    world.deploy("1.1.0")
    begun = world.now
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    shares = [weights.get("1.1.0", 0) for _, weights in world.weights]
    assert shares == [5, 20, 50, 100]
    assert all(sum(weights.values()) == 100 for _, weights in world.weights)
    assert [moment - begun for moment, _ in world.weights] == [timedelta(seconds=60 * n) for n in range(4)]
    assert world.status["stable"]["version"] == "1.1.0"
    assert world.status["previous"]["version"] == "1.0.0"


def test_a_bad_version_goes_back_and_is_not_tried_again(world: World) -> None:
    """30 % errors: spec.rollback is written, all goes to stable, the pods go after the drain, for good."""
    world.deploy("2.0.0")
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    assert world.body["spec"]["rollback"]["reason"] == "ErrorRate"
    assert world.body["spec"]["version"] == "2.0.0"
    assert world.route == {"1.0.0": 100}
    assert world.replicas("2.0.0") > 0
    world.run(11)
    assert world.replicas("2.0.0") == 0
    world.run(300)
    assert world.route == {"1.0.0": 100}
    assert world.condition("RolledBack")["status"] == "True"
    assert world.condition("Stalled")["status"] == "True"
    assert [entry["version"] for entry in world.status["rejectedRevisions"]] == ["2.0.0"]


def test_a_new_version_clears_the_rejection(world: World) -> None:
    """After a rollback, another version starts a rollout, and spec.rollback goes; the memory stays."""
    world.deploy("2.0.0")
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    world.deploy("2.0.1")
    world.run(5)
    assert "rollback" not in world.body["spec"]
    assert world.route == {"1.0.0": 95, "2.0.1": 5}
    assert [entry["version"] for entry in world.status["rejectedRevisions"]] == ["2.0.0"]


def test_no_data_neither_passes_nor_fails(world: World) -> None:
    """Metrics gone in mid-step: the candidate stays where it is, however long it takes."""
    world.deploy("1.1.0")
    world.run(70, until=lambda: world.route.get("1.1.0") == 20)
    world.meter.answer = NoData()
    world.run(100)
    assert world.condition("Ready")["reason"] == "Blind"
    world.run(500)
    assert world.route == {"1.0.0": 80, "1.1.0": 20}
    assert world.status["paused"]["cause"] == "NotProved"
    world.meter.answer = None
    world.run(60, until=lambda: world.route.get("1.1.0") == 50)


def test_revert_in_mid_rollout_ends_it_at_once(world: World) -> None:
    """Going back to stable in mid-rollout takes effect in the same moment and is no rejection."""
    world.deploy("1.1.0")
    world.run(70, until=lambda: world.route.get("1.1.0") == 20)
    world.deploy("1.0.0")
    world.settle()
    assert world.route == {"1.0.0": 100}
    assert world.status["history"][0]["outcome"] == "Reverted"
    assert world.status["rejectedRevisions"] == []


def test_retry_takes_the_rejection_back(world: World) -> None:
    """`retry` is answered once, clears spec.rollback, and begins at the first step with new evidence."""
    world.deploy("2.0.0")
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    world.meter.bad.clear()
    world.request("retry/1")
    world.run(5)
    assert "rollback" not in world.body["spec"]
    assert world.route == {"1.0.0": 95, "2.0.0": 5}
    assert world.status["lastRequest"]["result"] == "Done"
    world.run(300, until=lambda: world.route == {"2.0.0": 100})


def test_abort_is_a_rollback(world: World) -> None:
    """`abort` takes the candidate back and rejects it with the reason Aborted."""
    world.deploy("1.1.0")
    world.run(70, until=lambda: world.route.get("1.1.0") == 20)
    world.request("abort/1")
    world.settle()
    assert world.route == {"1.0.0": 100}
    assert world.body["spec"]["rollback"]["reason"] == "Aborted"


def test_failure_in_the_bake_goes_back(world: World) -> None:
    """A failure right after promotion returns to the previous revision, which is still warm."""
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    assert world.replicas("1.0.0") == 4
    world.meter.bad["1.1.0", "error-rate"] = 0.3
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    assert world.status["stable"]["version"] == "1.0.0"
    assert world.body["spec"]["rollback"]["toRevision"] == world.status["stable"]["revision"]


def test_a_restart_neither_shortens_nor_repeats_a_hold(world: World) -> None:
    """The hold is counted from the route's acknowledgement, which outlives the process."""
    world.deploy("1.1.0")
    world.run(30)
    world.weights.clear()
    world.restart()
    world.run(29)
    assert world.weights == []
    world.run(10, until=lambda: world.route.get("1.1.0") == 20)


def test_a_route_edited_by_hand_is_put_back(world: World) -> None:
    """Weights come from status, never from the route; the time it was wrong is added to the hold."""
    world.deploy("1.1.0")
    world.run(30)

    def edit(body: dict) -> None:  # type: ignore[type-arg]
        for item, weight in zip(body["spec"]["http"][0]["route"], (0, 100), strict=True):
            item["weight"] = weight

    world.cluster.edit(VIRTUAL_SERVICE, *KEY, edit)
    world.settle()
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.weights[-2][1] == {"1.0.0": 0, "1.1.0": 100}
    assert "RouteRepaired" in world.reasons()


def test_an_idle_operator_writes_nothing(world: World) -> None:
    """When what is wanted serves, passes make no request."""
    world.run(5)
    world.cluster.writes.clear()
    world.run(1200)
    assert world.cluster.writes == []


def test_the_past_of_stable_is_pinned_with_the_first_weight(world: World) -> None:
    """How its errors came before stays in the plan as it was; what is known later changes nothing."""
    world.meter.past = {"error-rate": Dispersion(phi=8.25, looks=1000, bad=300, requests=60_000)}
    world.deploy("1.1.0")
    world.run(2)
    pinned = {"error-rate": [8.25, 1000.0, 300.0, 60_000.0]}
    assert world.status["plan"]["history"] == pinned
    world.meter.past = {"error-rate": Dispersion(phi=1.0, looks=1000, bad=300)}
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    assert world.status["plan"]["history"] == pinned


def test_evidence_is_the_same_after_restarts() -> None:
    """Levels that are carried from step to step, and all others: replayed evidence equals the live one."""

    def evidence(*restarts: int) -> Evidence:
        world = World()
        world.deploy("1.0.0")
        world.settle()
        world.meter.rate = 60
        world.meter.bad = {("1.0.0", "error-rate"): 0.02, ("1.1.0", "error-rate"): 0.035}
        world.deploy("1.1.0")
        for second in range(95):
            if second in restarts:
                world.restart()
            world.run(1)
        plan = world.leader.collector.evidence(KEY, f"{world.status['plan']['id']}/2")
        assert plan is not None
        return replace(plan, scope="")

    live = evidence()
    assert live.metrics["error-rate"].relative
    assert max(live.metrics["error-rate"].relative) > 0
    # In the first step, in the second of the transition, and in the second step.
    for moments in ((30,), (60,), (61,), (30, 62, 80)):
        assert evidence(*moments) == live
