"""How near proof and alarm are: 1 exactly where the verdict is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from modelramp.judgement.evidence import Counts, Evidence, Gauge, Look, NoData, advance
from modelramp.judgement.judge import judge
from modelramp.judgement.nearness import to_alarm, to_proof
from modelramp.judgement.plan import Check, Plan, error_rate
from modelramp.judgement.verdict import Arm, Method, Outcome

ZERO = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(ZERO.timestamp())
PLAN = Plan(checks=(error_rate(),), interval=10)
FIGURE = Check(name="f1", reason="Quality", label="F1", limit=0.5, method=Method.THRESHOLD, duration=100.0)


def _seen(looks: int, candidate: Counts | Gauge | NoData, plan: Plan = PLAN) -> Evidence:
    evidence = Evidence(scope="r/1", since=ZERO)
    stable = Counts(100, 1) if isinstance(candidate, Counts) else NoData()
    for number in range(1, looks + 1):
        look = Look(at=AT + 10 * number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
        evidence = advance(evidence, plan.checks[0].name, look, plan)
    return evidence


@pytest.mark.parametrize("looks", range(1, 30))
def test_a_proof_is_complete_when_the_check_passes(looks: int) -> None:
    """Below 1 the verdict is open, from 1 on it is Pass."""
    evidence = _seen(looks, Counts(20, 0))
    near = to_proof(evidence.metrics["error-rate"], PLAN.checks[0], PLAN)
    assert near is not None
    (verdict,) = judge(evidence, PLAN, now=datetime.fromtimestamp(AT + 10 * looks, tz=UTC))
    assert (near >= 1.0) is (verdict.outcome is Outcome.PASS)


@pytest.mark.parametrize("looks", range(1, 30))
def test_an_alarm_is_raised_when_the_check_fails(looks: int) -> None:
    """At the first failing look it is over 1, and before it was not."""
    evidence = _seen(looks, Counts(20, 4))
    near = to_alarm(evidence.metrics["error-rate"], PLAN.checks[0], PLAN)
    assert near is not None
    (verdict,) = judge(evidence, PLAN, now=datetime.fromtimestamp(AT + 10 * looks, tz=UTC))
    assert (near > 1.0) is (verdict.outcome is Outcome.FAIL)


def test_nothing_seen_is_not_near_anything() -> None:
    """Without a request there is no proof to speak of; a good version is no part of an alarm."""
    nothing = _seen(3, NoData()).metrics["error-rate"]
    assert to_proof(nothing, PLAN.checks[0], PLAN) is None
    assert to_alarm(_seen(30, Counts(20, 0)).metrics["error-rate"], PLAN.checks[0], PLAN) == 0.0


def test_the_literal_rule_counts_time() -> None:
    """A figure that has been bad for half of the duration is half way to its alarm; it has no proof."""
    plan = replace(PLAN, checks=(FIGURE,))
    metric = _seen(5, Gauge(0.9), plan).metrics["f1"]
    assert to_alarm(metric, FIGURE, plan) == pytest.approx(0.5)
    assert to_proof(metric, FIGURE, plan) is None
    assert to_alarm(_seen(5, Gauge(0.1), plan).metrics["f1"], FIGURE, plan) == 0.0
