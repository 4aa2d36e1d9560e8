"""A check that no provider can answer: told for the one that has it, and nobody else's looks end with it."""

from __future__ import annotations

from datetime import UTC, datetime

from modelramp.controller.book import Book, Subject
from modelramp.judgement.plan import Plan, error_rate, latency
from modelramp.judgement.verdict import Arm
from modelramp.metrics.profiles.selection import Selection
from modelramp.metrics.service import ServiceRef
from support.world import World, model_deployment

SINCE = datetime(2026, 1, 1, 12, tzinfo=UTC)


def subject(name: str, **selections: Selection) -> Subject:
    """A rollout of that name with both default checks."""
    arms = {arm: ServiceRef("ml", f"{name}-{arm.value}", 8080, name, arm.value) for arm in Arm}
    plan = Plan(checks=(error_rate(), latency()), interval=10)
    return Subject(key=("ml", name), scope="r/1", since=SINCE, arms=arms, plan=plan, selections=selections)


def test_others_are_asked_for_all_the_same() -> None:
    """The questions leave it out; its evidence says why."""
    book = Book()
    book.track(subject("good"))
    book.track(subject("wrong", latency=Selection(check="latency", profile="triton")))
    questions = book.questions(10, int(SINCE.timestamp()) + 30)
    asked = {
        (question.check, entry.subject.key[1]) for question in questions for entry, _ in question.entries
    }
    assert asked == {("error-rate", "good"), ("latency", "good"), ("error-rate", "wrong")}
    evidence = book.evidence(("ml", "wrong"), "r/1")
    assert evidence is not None
    assert "profile triton has no latency" in str(evidence.metrics["latency"].trouble)


def test_an_invalid_edit_in_mid_rollout_keeps_the_pinned_checks() -> None:
    """What was pinned is judged on: nothing goes forward, and a failing candidate still goes."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("1.1.0")
    world.run(5)
    analysis = model_deployment("1.1.0")["spec"]["analysis"]
    wrong = {**analysis, "metrics": [{"name": "latency", "profile": "triton", "limit": 0.05}]}
    world.deploy("1.1.0", analysis=wrong)
    world.run(100)
    assert world.condition("VersionResolved")["reason"] == "InvalidSpec"
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    pinned = [metric["name"] for metric in world.status["plan"]["analysis"]["metrics"]]
    assert pinned == ["error-rate", "latency"]
    world.meter.bad["1.1.0", "error-rate"] = 0.5
    world.run(20, until=lambda: world.route == {"1.0.0": 100})
