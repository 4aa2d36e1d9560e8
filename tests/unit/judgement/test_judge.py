"""Verdicts: what passes, what fails, and what does neither."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.judgement.evidence import (
    Counts,
    Evidence,
    Look,
    NoData,
    ProviderError,
    Seen,
    advance,
    first_look,
    interrupted,
)
from modelramp.judgement.judge import bake_limits, blind, judge
from modelramp.judgement.plan import Plan, error_rate, latency
from modelramp.judgement.special import clopper_pearson
from modelramp.judgement.verdict import Arm, Outcome, Tier, Verdict

PLAN = Plan(checks=(error_rate(query="errors?"),), interval=1)
SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
FIRST = first_look(SINCE, 1)
NEW = Evidence(scope="r1/0", since=SINCE)


def _at(number: float) -> datetime:
    return datetime.fromtimestamp(FIRST + number, tz=UTC)


def _seen(looks: list[tuple[Seen, Seen]], plan: Plan = PLAN) -> Evidence:
    evidence = NEW
    for number, (candidate, stable) in enumerate(looks, 1):
        look = Look(at=FIRST + number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
        evidence = advance(evidence, plan.checks[0].name, look, plan)
    return evidence


def _verdict(looks: list[tuple[Seen, Seen]], plan: Plan = PLAN) -> Verdict:
    return judge(_seen(looks, plan), plan, now=_at(len(looks) + 1))[0]


def test_proved_passes() -> None:
    """Enough good requests pass, with figures and query."""
    verdict = _verdict([(Counts(5, 0), Counts(95, 1))] * 20)
    assert verdict.outcome is Outcome.PASS
    assert verdict.tier is None
    assert (verdict.value, verdict.n, verdict.threshold) == (0.0, 100, 0.05)
    assert verdict.baseline == pytest.approx(1 / 95)
    assert verdict.interval == clopper_pearson(0, 100)
    assert verdict.query == "errors?"
    assert "n=100" in verdict.message
    assert "under 5 %" in verdict.message


def test_too_few_requests_are_inconclusive_with_a_forecast() -> None:
    """What is missing is said in requests and seconds, and comes true."""
    verdict = _verdict([(Counts(5, 0), Counts(95, 1))] * 4)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.eta is not None
    assert "more requests" in verdict.message
    more = round(verdict.eta)
    assert _verdict([(Counts(5, 0), Counts(95, 1))] * (4 + more)).outcome is Outcome.PASS
    assert _verdict([(Counts(5, 0), Counts(95, 1))] * (4 + more - 4)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("rate", "looks"), [(5, 12), (20, 4), (50, 4)])
def test_a_third_of_failures_is_caught_in_a_few_looks(rate: int, looks: int) -> None:
    """At looks of one second a version that fails on a third of its requests fails within seconds."""
    pattern: list[tuple[Seen, Seen]] = [(Counts(rate, round(rate * 0.34)), Counts(95, 1))] * looks
    verdict = _verdict(pattern)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.tier is not None
    assert "stable had 1.1 % in the same time" in verdict.message


def test_latency_fails_with_its_own_reason() -> None:
    """A slow version is rolled back for Latency; it has no critical tier."""
    plan = Plan(checks=(latency(),), interval=1)
    verdict = _verdict([(Counts(20, 18), Counts(95, 1))] * 5, plan)
    assert (verdict.outcome, verdict.reason, verdict.tier) == (Outcome.FAIL, "Latency", Tier.FAIL)
    assert "share over 500 ms" in verdict.message


def test_a_failure_stays() -> None:
    """A hundred good looks after a failure leave the verdict, its figures and its words as they were."""
    bad: list[tuple[Seen, Seen]] = [(Counts(20, 10), Counts(95, 1))] * 5
    good: list[tuple[Seen, Seen]] = [(Counts(20, 0), Counts(95, 1))] * 100
    assert _verdict(bad + good) == _verdict(bad)


@pytest.mark.parametrize("end", [NoData(), ProviderError("the provider sent nan")])
def test_without_data_even_the_proved_is_inconclusive(end: Seen) -> None:
    """Proof of yesterday is not sight of now: the latest look must have seen the candidate."""
    looks: list[tuple[Seen, Seen]] = [(Counts(20, 0), Counts(95, 1))] * 20
    assert _verdict(looks).outcome is Outcome.PASS
    verdict = _verdict([*looks, (end, Counts(95, 1))])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert blind(_seen([*looks, (end, Counts(95, 1))]), PLAN, _at(22)) == verdict.message


@given(looks=st.lists(st.sampled_from([NoData(), ProviderError("x")]), max_size=200))
def test_missing_data_never_passes_and_never_fails(looks: list[Seen]) -> None:
    """Whatever is missing for however long, the verdict is Inconclusive."""
    assert _verdict([(look, Counts(95, 1)) for look in looks]).outcome is Outcome.INCONCLUSIVE


def test_provider_down_is_blind() -> None:
    """A provider that does not answer makes us blind, in its own words, until it answers."""
    evidence = _seen([(Counts(20, 0), Counts(95, 1))] * 20)
    assert blind(evidence, PLAN, _at(20)) is None
    down = interrupted(evidence, "error-rate", "Prometheus is down", PLAN)
    assert blind(down, PLAN, _at(21)) == "error rate: Prometheus is down"
    assert judge(down, PLAN, now=_at(21))[0].outcome is Outcome.INCONCLUSIVE


def test_old_evidence_is_blind() -> None:
    """Evidence that nobody renewed is no evidence, though nothing reported an error."""
    evidence = _seen([(Counts(20, 0), Counts(95, 1))] * 20)
    plan = replace(PLAN, lag=5.0)
    assert judge(evidence, plan, now=_at(20 + 8))[0].outcome is Outcome.PASS
    assert judge(evidence, plan, now=_at(20 + 9))[0].outcome is Outcome.INCONCLUSIVE
    assert "the last look was at 08:00:20 UTC" in (blind(evidence, plan, _at(29)) or "")


def test_before_the_first_look() -> None:
    """Without evidence every check waits, and that is not blindness."""
    plan = Plan(checks=(error_rate(), latency()), interval=1)
    verdicts = judge(None, plan, now=SINCE)
    assert [v.metric for v in verdicts] == ["error-rate", "latency"]
    assert {v.outcome for v in verdicts} == {Outcome.INCONCLUSIVE}
    assert blind(None, plan, SINCE) is None


def test_no_request_is_not_blind() -> None:
    """A candidate that is there but gets no request is inconclusive; we do see it."""
    evidence = _seen([(Counts(), Counts(95, 1))] * 3)
    assert judge(evidence, PLAN, now=_at(3))[0].message == "error rate: no request yet"
    assert blind(evidence, PLAN, _at(3)) is None


def test_over_the_limit_without_an_alarm_has_no_forecast() -> None:
    """One failure of three is not a failure of the version, and no time can be named for a proof."""
    verdict = _verdict([(Counts(3, 1), Counts(95, 1))])
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.eta is None
    assert "not under 5 %" in verdict.message


def test_bake_limits_follow_the_stable_arm() -> None:
    """The bake's alarm is at 1.25 times what stable may have had, and never over the limit."""
    evidence = _seen([(Counts(5, 0), Counts(10_000, 100))])
    limits = bake_limits(evidence, PLAN)
    assert limits == {"error-rate": pytest.approx(1.25 * clopper_pearson(100, 10_000)[1])}
    assert bake_limits(_seen([(Counts(5, 0), Counts(10, 5))]), PLAN) == {"error-rate": 0.05}
    assert bake_limits(None, PLAN) == {"error-rate": 0.05}


def test_bake_alarms_under_the_limit() -> None:
    """In the bake a rise from 1 % to 4 % fails, though 4 % is under the limit of 5 %."""
    looks: list[tuple[Seen, Seen]] = [(Counts(100, 4), NoData())] * 200
    assert _verdict(looks).outcome is not Outcome.FAIL
    baking = PLAN.baking({"error-rate": 0.0125})
    verdict = _verdict(looks, baking)
    assert (verdict.outcome, verdict.threshold) == (Outcome.FAIL, 0.0125)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: error_rate(limit=0.0), "limit is 0.0"),
        (lambda: error_rate(limit=0.1, critical_limit=0.1), "must be over the limit"),
        (lambda: Plan(checks=(), interval=0), "interval is 0"),
        (lambda: Plan(checks=(), interval=1, phi0=0.5), "phi0 is 0.5"),
    ],
)
def test_wrong_plans_are_refused(make: object, message: str) -> None:
    """Limits and intervals that make no sense are refused where they are made."""
    assert callable(make)
    with pytest.raises(ValueError, match=message):
        make()
