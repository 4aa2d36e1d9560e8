"""Labelled outcomes: limits that follow stable's quality, and labels that come late."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from scipy import stats

from modelramp.judgement.evidence import Counts, Evidence, Look, advance, counted_until, first_look
from modelramp.judgement.judge import bake_limits, judge
from modelramp.judgement.limits import limits
from modelramp.judgement.plan import Plan, Quality, quality
from modelramp.judgement.verdict import Arm, Outcome, Tier, Verdict
from support.folds import fold

PLAN = Plan(checks=(quality(),), interval=60, phi0=1.0)
SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
NEW = Evidence(scope="r/1", since=SINCE)
HOUR = 3600


def _fold(looks: list[tuple[Counts, Counts]], plan: Plan = PLAN, evidence: Evidence = NEW) -> Evidence:
    return fold(looks, plan=plan, evidence=evidence)


def _verdict(evidence: Evidence, plan: Plan = PLAN) -> Verdict:
    now = datetime.fromtimestamp(evidence.metrics["quality"].at, tz=UTC)
    return judge(evidence, plan, now=now)[0]


def test_limits_follow_the_bounds_of_stables_quality() -> None:
    """Alarm at 1 - 0.9 of the lower bound, critical at 1 - 0.85 of it, proof at 1 - 0.9 of the upper one."""
    found = limits(quality(), Counts(400, 40))
    low, high = stats.beta.ppf([0.025, 0.975], [360, 361], [41, 40])
    assert found is not None
    assert found.alarm == pytest.approx(1 - 0.9 * low, rel=1e-9)
    assert found.critical == pytest.approx(1 - 0.85 * low, rel=1e-9)
    assert found.proof == pytest.approx(1 - 0.9 * high, rel=1e-9)


def test_the_frozen_baseline_serves_until_stable_has_labels() -> None:
    """Below a hundred labels of stable the frozen figure is the reference, above it is not."""
    check = quality(baseline=0.9)
    frozen = limits(check, Counts(99, 50))
    assert frozen is not None
    assert frozen.alarm == frozen.proof == pytest.approx(1 - 0.9 * 0.9)
    assert frozen.critical == pytest.approx(1 - 0.85 * 0.9)
    measured = limits(check, Counts(1000, 500))
    assert measured is not None
    assert measured.alarm > 0.5


def test_without_any_reference_nothing_is_said() -> None:
    """No labels of stable and no baseline: neither a pass nor a failure, and it says what is missing."""
    verdict = _verdict(_fold([(Counts(100, 60), Counts())] * 30))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no labels of stable, and no frozen baseline" in verdict.message


def test_as_good_as_stable_passes() -> None:
    """A candidate with stable's own 10 % of wrong answers is proved to lose less than a tenth of quality."""
    verdict = _verdict(_fold([(Counts(50, 5), Counts(500, 50))] * 30))
    assert verdict.outcome is Outcome.PASS
    assert verdict.reason == "Quality"


def test_a_little_worse_is_neither() -> None:
    """At 17 % against 10 %, about the limit of 19 %, nothing is proved at once and nothing fails."""
    assert _verdict(_fold([(Counts(50, 9), Counts(500, 50))] * 5)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("wrong", "tier"), [(13, Tier.FAIL), (30, Tier.CRITICAL)])
def test_worse_labels_fail(wrong: int, tier: Tier) -> None:
    """26 % wrong against 10 % fails; 60 % is critical."""
    verdict = _verdict(_fold([(Counts(50, wrong), Counts(500, 50))] * 60))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "Quality")
    assert verdict.tier is tier or wrong == 13


def test_nothing_is_said_before_labels_are_complete() -> None:
    """Looks begin when labels are complete; before that there is no verdict, however bad the early ones."""
    plan = replace(PLAN, checks=(quality(label_delay=6.0 * HOUR),))
    first = first_look(SINCE, 60) + 6 * HOUR
    assert counted_until(NEW, "quality", plan) == first
    early = Look(at=first - 60, arms={Arm.CANDIDATE: Counts(500, 500), Arm.STABLE: Counts(500, 50)})
    assert advance(NEW, "quality", early, plan) == NEW
    now = datetime.fromtimestamp(first - 60, tz=UTC)
    (verdict,) = judge(NEW, plan, now=now)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.message == "share of wrong answers: labels are complete at 14:00:00 UTC"
    assert _verdict(_fold([(Counts(50, 5), Counts(500, 50))] * 30, plan), plan).outcome is Outcome.PASS


def test_a_check_that_is_gone_is_no_error() -> None:
    """An answer that is under way for a check that an edit removed finds the scope's plain beginning."""
    assert counted_until(NEW, "gone", PLAN) == first_look(SINCE, 60)


def test_the_bake_is_held_against_what_stable_had() -> None:
    """Without another arm the alarm is at 1.25 times the wrong answers of stable's last hold."""
    hold = _fold([(Counts(500, 50), Counts(500, 50))] * 30)
    made = bake_limits(hold, PLAN)
    assert 1.25 * 0.1 < made["quality"] < 1.25 * 0.11
    baking = PLAN.baking(made)
    good = _fold([(Counts(500, 50), Counts())] * 60, baking)
    assert _verdict(good, baking).outcome is not Outcome.FAIL
    bad = _fold([(Counts(500, 90), Counts())] * 60, baking)
    assert _verdict(bad, baking).outcome is Outcome.FAIL


def test_a_checkpoint_loses_no_bit() -> None:
    """Limits that move with stable's labels come back from a checkpoint as they were."""
    looks = [(Counts(20, number % 7), Counts(90, number % 13)) for number in range(60)]
    stored = json.loads(json.dumps(_fold(looks[:25]).to_dict()))
    assert _fold(looks[25:], evidence=Evidence.from_dict(stored)) == _fold(looks)


@pytest.mark.parametrize(
    ("figures", "message"),
    [({"fail": 0.0}, "fail is 0.0"), ({"baseline": 1.2}, "baseline is 1.2"), ({"critical": 0.95}, "below")],
)
def test_impossible_parts_are_refused(figures: dict[str, float], message: str) -> None:
    """Parts of a quality are over 0 and up to 1, and the critical one is the smaller."""
    with pytest.raises(ValueError, match=message):
        Quality(**figures)
