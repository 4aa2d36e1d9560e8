"""The literal rule: a value on the wrong side of its limit for a duration, with enough samples."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelramp.judgement.evidence import (
    Counts,
    Evidence,
    Gauge,
    NoData,
    ProviderError,
)
from modelramp.judgement.judge import bake_limits, judge
from modelramp.judgement.plan import Check, Plan, error_rate
from modelramp.judgement.verdict import Direction, Method, Outcome, Tier
from support.folds import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.judgement.evidence import Seen
    from modelramp.judgement.verdict import Verdict

F1 = Check(
    name="f1",
    reason="Quality",
    label="F1",
    limit=0.8,
    critical_limit=0.6,
    method=Method.THRESHOLD,
    direction=Direction.HIGHER,
    duration=300.0,
)
PLAN = Plan(checks=(F1,), interval=60)
ERRORS = replace(error_rate(ratio=None), method=Method.THRESHOLD, min_samples=200)
LITERAL = Plan(checks=(ERRORS,), interval=60)
NEW = Evidence(scope="r/1", since=datetime(2026, 11, 21, 8, tzinfo=UTC))


def _fold(looks: Sequence[Seen], plan: Plan = PLAN, evidence: Evidence = NEW) -> Evidence:
    return fold(((candidate, Gauge(0.9)) for candidate in looks), plan=plan, evidence=evidence)


def _verdict(looks: Sequence[Seen], plan: Plan = PLAN) -> Verdict:
    evidence = _fold(looks, plan)
    now = datetime.fromtimestamp(evidence.metrics[plan.checks[0].name].at, tz=UTC)
    return judge(evidence, plan, now=now)[0]


def test_under_the_limit_for_the_duration_fails() -> None:
    """Four minutes of 0.75 are not five; five fail, with value, limit and stable's value."""
    assert _verdict([Gauge(0.75)] * 4).outcome is Outcome.INCONCLUSIVE
    verdict = _verdict([Gauge(0.75)] * 5)
    assert (verdict.outcome, verdict.tier, verdict.reason) == (Outcome.FAIL, Tier.FAIL, "Quality")
    assert (verdict.value, verdict.threshold, verdict.baseline) == (0.75, 0.8, 0.9)
    assert (verdict.interval, verdict.method, verdict.window) == (None, Method.THRESHOLD, 300.0)
    assert verdict.message == "F1 0.75 is under 0.8 for 5 min"
    assert _verdict([Gauge(0.75)] * 5 + [Gauge(0.95)] * 20) == verdict


def test_one_good_look_begins_anew() -> None:
    """A value on the good side ends the stretch."""
    assert _verdict([Gauge(0.7)] * 4 + [Gauge(0.8)] + [Gauge(0.7)] * 4).outcome is Outcome.INCONCLUSIVE


def test_far_under_is_critical() -> None:
    """Five minutes under the critical limit too raise the tier, though the failure came with them."""
    assert _verdict([Gauge(0.5)] * 5).tier is Tier.CRITICAL
    assert _verdict([Gauge(0.75)] * 5 + [Gauge(0.5)] * 5).tier is Tier.CRITICAL


def test_good_for_the_duration_passes() -> None:
    """Five good minutes pass; before that the time that is missing is said."""
    early = _verdict([Gauge(0.85)] * 3)
    assert (early.outcome, early.eta) == (Outcome.INCONCLUSIVE, 120.0)
    assert "wanted: 5 min in a row" in early.message
    verdict = _verdict([Gauge(0.85)] * 5)
    assert (verdict.outcome, verdict.value, verdict.n) == (Outcome.PASS, 0.85, 5)
    assert _verdict([Gauge(0.85)] * 5 + [Gauge(0.75)]).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("gap", [NoData(), ProviderError("gone")])
def test_gaps_are_no_values(gap: Seen) -> None:
    """Looks without a value neither fail nor pass, nor count as time on either side."""
    assert _verdict([Gauge(0.7)] * 4 + [gap] * 10).outcome is Outcome.INCONCLUSIVE
    assert _verdict([Gauge(0.9)] * 5 + [gap]).outcome is Outcome.INCONCLUSIVE
    assert _verdict([Gauge(0.7)] * 4 + [gap] * 10 + [Gauge(0.7)]).outcome is Outcome.FAIL


def test_lower_may_be_better() -> None:
    """An error such as RMSE fails over its limit."""
    rmse = replace(F1, limit=10.0, critical_limit=20.0, direction=Direction.LOWER)
    plan = replace(PLAN, checks=(rmse,))
    assert _verdict([Gauge(11.0)] * 5, plan).outcome is Outcome.FAIL
    assert _verdict([Gauge(10.0)] * 5, plan).outcome is Outcome.PASS


def test_the_literal_rule_on_requests_wants_samples() -> None:
    """Over 5 % for five minutes fails with 200 requests and not with 100; quiet looks are no looks."""
    few: list[Seen] = [Counts(20, 2)] * 5
    assert _verdict(few, LITERAL).outcome is Outcome.INCONCLUSIVE
    assert "wanted: 200 samples (there are 100)" in _verdict(few, LITERAL).message
    verdict = _verdict([Counts(20, 2), Counts(0, 0)] * 10, LITERAL)
    assert (verdict.outcome, verdict.value, verdict.n) == (Outcome.FAIL, 0.1, 200)
    assert verdict.message == "error rate 10 % (n=200) is over 5 % for 19 min"
    assert verdict.interval is not None


def test_a_gauge_is_nothing_for_a_sequential_check() -> None:
    """A query that gives a value where counts are wanted is said, and judged as no answer."""
    verdict = _verdict([Gauge(0.01)] * 100, Plan(checks=(error_rate(),), interval=60))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "method: Threshold" in verdict.message


def test_the_bake_keeps_the_literal_limit() -> None:
    """A literal limit is not moved by what stable had."""
    assert bake_limits(_fold([Gauge(0.9)]), PLAN) == {}


SEEN: st.SearchStrategy[Seen] = st.one_of(
    st.floats(-1e6, 1e6).map(Gauge),
    st.integers(0, 50).flatmap(lambda n: st.integers(0, n).map(lambda k: Counts(n, k))),
    st.just(NoData()),
    st.just(ProviderError("gone")),
)


@given(looks=st.lists(SEEN, max_size=40), cut=st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_a_checkpoint_loses_no_bit(looks: Sequence[Seen], cut: int) -> None:
    """Going on from a checkpoint that went through JSON ends in the same evidence as going on without."""
    stored = json.loads(json.dumps(_fold(looks[:cut]).to_dict()))
    assert _fold(looks[cut:], evidence=Evidence.from_dict(stored)) == _fold(looks)


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"critical_limit": 0.85}, "must be under the limit"),
        ({"limit": float("nan")}, "give a number"),
        ({"duration": -1.0}, "duration is -1.0"),
        ({"ratio": 1.25}, "need the method Sequential"),
        ({"method": Method.SEQUENTIAL, "critical_limit": None}, "better when lower"),
    ],
)
def test_wrong_rules_are_refused(figures: dict[str, object], message: str) -> None:
    """A rule that cannot mean anything is refused where it is made."""
    with pytest.raises(ValueError, match=message):
        replace(F1, **figures)  # type: ignore[arg-type]


def test_a_gauge_is_a_number() -> None:
    """Not a number is not a value."""
    with pytest.raises(ValueError, match="no value to judge"):
        Gauge(float("nan"))
