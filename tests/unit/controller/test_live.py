"""The leader tells what it judges now, which status has only now and then."""

from __future__ import annotations

import json

from modelramp.controller.live import Live
from modelramp.judgement.evidence import Evidence
from support.world import KEY, World


def _live(world: World) -> Live:
    process = world.leader
    return Live(store=process.store, evidence=process.collector, clock=lambda: world.now, lag=60.0)


def _holding() -> World:
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("1.1.0")
    world.run(20)
    return world


def test_verdicts_are_of_now() -> None:
    """20 looks of 50 requests are counted, while status has those of the proof; the query comes with it."""
    world = _holding()
    told = _live(world).of(KEY)
    assert told is not None
    (errors, _) = told["analysis"]
    assert (errors["metric"], errors["verdict"], errors["n"]) == ("error-rate", "Pass", 1000)
    assert world.status["analysis"][0]["n"] < 1000
    assert errors["query"] == world.status["analysis"][0]["query"] != ""
    assert told["time"] == "2026-01-01T12:00:20.000Z"
    assert told["blind"] is None


def test_evidence_survives_the_wire() -> None:
    """What is read from the JSON equals what was counted."""
    world = _holding()
    told = json.loads(json.dumps(_live(world).of(KEY)))
    counted = world.leader.collector.evidence(KEY, told["scope"])
    assert counted is not None
    assert Evidence.from_dict(told["evidence"]) == counted


def test_it_changes_nothing() -> None:
    """Who asks makes no difference to what is written or observed."""
    world = _holding()
    before = (world.body, len(world.cluster.writes))
    _live(world).of(KEY)
    world.settle()
    assert (world.body, len(world.cluster.writes)) == before


def test_nothing_is_judged_where_no_rollout_is() -> None:
    """A version that serves alone has no verdicts and no evidence; an unknown name has no answer."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    told = _live(world).of(KEY)
    assert told is not None
    assert (told["analysis"], told["evidence"]) == ([], None)
    assert _live(world).of(("shop", "churn")) is None
