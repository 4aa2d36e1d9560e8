"""What people ask for on the way, and what they get: each request is answered once."""

from __future__ import annotations

import pytest

from modelramp.judgement.evidence import NoData
from modelramp.kube.kinds import MODEL_DEPLOYMENT
from support.world import KEY, World


@pytest.fixture
def world() -> World:
    """A world in which 1.1.0 has 5 % beside 1.0.0, for 10 s."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    made.deploy("1.1.0")
    made.run(10)
    assert made.route == {"1.0.0": 95, "1.1.0": 5}
    return made


def annotate(world: World, **annotations: str) -> None:
    """Sets annotations of the request: action, reason, to, override."""

    def change(live: dict) -> None:  # type: ignore[type-arg]
        found = live["metadata"].setdefault("annotations", {})
        for name, value in annotations.items():
            found[f"modelramp.dev/{name.replace('_', '-')}"] = value

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, change)
    world.settle()


def answer(world: World) -> tuple[str, str]:
    """Result and message of the last request."""
    found = world.status["lastRequest"]
    return found["result"], found["message"]


def test_pause_freezes_steps_and_resume_lets_them_go_on(world: World) -> None:
    """Paused, the candidate stays beyond its hold; resumed, it goes on at once: the clock went on."""
    annotate(world, request="pause/1")
    world.run(300)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.condition("Paused")["status"] == "True"
    annotate(world, request="resume/2")
    assert world.route == {"1.0.0": 80, "1.1.0": 20}
    assert answer(world)[0] == "Done"


def test_pause_does_not_freeze_safety(world: World) -> None:
    """A failing check takes a paused candidate back."""
    annotate(world, request="pause/1")
    world.meter.bad["1.1.0", "error-rate"] = 0.5
    world.run(60, until=lambda: world.route == {"1.0.0": 100})
    assert world.body["spec"]["rollback"]["reason"] == "ErrorRate"
    assert "paused" not in world.status


def test_spec_paused_freezes_and_keeps_a_rollout_from_beginning(world: World) -> None:
    """`spec.paused` holds a rollout where it is, and the next one before it begins."""
    world.deploy("1.1.0", paused=True)
    world.run(200)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    world.deploy("1.0.0", paused=True)
    world.run(2)
    assert world.route == {"1.0.0": 100}
    world.deploy("1.2.0", paused=True)
    world.run(60)
    assert world.replicas("1.2.0") == 0
    assert world.condition("Ready")["reason"] == "Paused"
    world.deploy("1.2.0", paused=False)
    world.run(5)
    assert world.route == {"1.0.0": 95, "1.2.0": 5}


def test_promote_needs_this_steps_proof_or_an_override(world: World) -> None:
    """Unproved: refused with the way out; with an override the candidate gets 100 %, once pods are ready."""
    world.meter.answer = NoData()
    annotate(world, request="skip-step/1")
    world.run(70)
    annotate(world, request="promote/2")
    result, message = answer(world)
    assert result == "Refused"
    assert "request-override" in message
    annotate(world, request="promote/3", request_override="true")
    assert world.route == {"1.1.0": 100}
    assert answer(world) == (
        "Done",
        f"{world.status['stable']['revision']} goes to 100 % without proof, by override",
    )


def test_promote_with_proof_goes_to_all_at_once(world: World) -> None:
    """Proved at this step, `promote` leaves the other steps out."""
    world.run(20)
    annotate(world, request="promote/1")
    assert world.route == {"1.1.0": 100}
    assert world.status["previous"]["version"] == "1.0.0"


def test_skip_step_leaves_the_rest_of_a_hold_out(world: World) -> None:
    """Proved at this step, `skip-step` goes to the next weight before the hold is over."""
    world.run(20)
    annotate(world, request="skip-step/1")
    assert world.route == {"1.0.0": 80, "1.1.0": 20}
    world.run(30)
    assert world.route == {"1.0.0": 80, "1.1.0": 20}


def test_unknown_and_impossible_requests_are_refused(world: World) -> None:
    """A refusal names what is known, or why not now; each is answered once."""
    annotate(world, request="promte/1")
    assert answer(world)[0] == "Refused"
    assert "promote" in answer(world)[1]
    annotate(world, request="retry/2")
    assert "on its way already" in answer(world)[1]
    count = world.reasons().count("RequestRefused")
    world.run(5)
    assert world.reasons().count("RequestRefused") == count == 2


def test_at_max_hold_a_person_is_asked_and_proof_still_moves_on(world: World) -> None:
    """Twice the hold without proof pauses; resume gives another maxHold; proof goes on by itself."""
    world.meter.rate = 0
    world.deploy("1.2.0")
    world.run(125)
    assert world.status["paused"]["cause"] == "NotProved"
    assert world.condition("Paused")["reason"] == "NotProved"
    annotate(world, request="resume/1")
    assert "paused" not in world.status
    world.run(125)
    assert world.status["paused"]["cause"] == "NotProved"
    world.meter.rate = 50
    world.run(30, until=lambda: world.route == {"1.0.0": 80, "1.2.0": 20})
    assert "paused" not in world.status


def test_rollback_by_a_person_needs_a_reason_and_is_one_switch(world: World) -> None:
    """After the bake: refused without a reason; with one, capacity first, then one switch, and rejected."""
    world.run(500, until=lambda: world.replicas("1.0.0") == 0)
    annotate(world, request="rollback/1")
    assert answer(world)[0] == "Refused"
    assert "request-reason" in answer(world)[1]
    world.weights.clear()
    world.ready["1.0.0"] = False
    annotate(world, request="rollback/2", request_reason="wrong prices in Spain")
    world.run(5)
    assert world.route == {"1.1.0": 100}
    assert world.replicas("1.0.0") == 4
    world.ready["1.0.0"] = True
    world.run(2)
    assert [weights for _, weights in world.weights] == [{"1.0.0": 100}]
    assert world.body["spec"]["rollback"]["reason"] == "Requested"
    assert "wrong prices in Spain" in world.body["spec"]["rollback"]["message"]
    world.run(30)
    assert world.replicas("1.1.0") == 0


def test_rollback_to_a_version_that_cannot_serve_is_refused(world: World) -> None:
    """`request-to` must name a revision that completed here."""
    world.run(500, until=lambda: world.replicas("1.0.0") == 0)
    annotate(world, request="rollback/1", request_reason="why not", request_to="0.9.0")
    assert answer(world)[0] == "Refused"
    assert "0.9.0" in answer(world)[1]
    assert world.route == {"1.1.0": 100}


def test_the_authors_way_back_is_one_switch(world: World) -> None:
    """Git goes back to a version that completed here: capacity first, one switch, judged in the bake."""
    world.run(500, until=lambda: world.replicas("1.0.0") == 0)
    world.weights.clear()
    world.deploy("1.0.0")
    world.run(3)
    assert [weights for _, weights in world.weights] == [{"1.0.0": 100}]
    assert world.status["previous"]["version"] == "1.1.0"
    assert world.status["rejectedRevisions"] == []


def test_the_way_back_as_a_canary_if_wanted(world: World) -> None:
    """`onRevert: Canary` takes the steps."""
    world.run(500, until=lambda: world.replicas("1.0.0") == 0)
    steps = [{"weight": weight, "hold": "60s"} for weight in (5, 20, 50)]
    world.deploy("1.0.0", strategy={"type": "Canary", "onRevert": "Canary", "steps": steps})
    world.run(3)
    assert world.route == {"1.1.0": 95, "1.0.0": 5}
