"""Alarm B: the candidate against stable, over steps, whatever its share, and in spite of single bursts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelramp.judgement.dispersion import Dispersion
from modelramp.judgement.evidence import (
    Counts,
    Evidence,
    MetricEvidence,
    NoData,
    Run,
    carried,
    first_look,
)
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Outcome, Tier
from support.folds import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.judgement.evidence import Seen

QUIET = Dispersion(phi=1.0, looks=720, bad=500)
PLAN = Plan(checks=(error_rate(history=QUIET),), interval=60)
SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
FIRST = first_look(SINCE, 60)
NEW = Evidence(scope="r/1", since=SINCE)


def _fold(looks: Iterable[tuple[Seen, Seen]], evidence: Evidence = NEW, plan: Plan = PLAN) -> Evidence:
    return fold(looks, plan=plan, evidence=evidence)


def _metric(evidence: Evidence) -> MetricEvidence:
    return evidence.metrics["error-rate"]


def _looks_to_alarm(looks: list[tuple[Seen, Seen]], evidence: Evidence) -> int:
    for count in range(1, 500):
        evidence = _fold(looks, evidence)
        if _metric(evidence).alarm:
            return count
    raise AssertionError("no alarm")


def _drawn(seed: int, share: float, rate: float, *, looks: int) -> list[tuple[Seen, Seen]]:
    """1,200 requests a look of both arms; stable fails 1 % of its own, the candidate ``rate``."""
    rng = np.random.default_rng(seed)
    drawn: list[tuple[Seen, Seen]] = []
    for _ in range(looks):
        candidate, stable = int(rng.poisson(1200 * share)), int(rng.poisson(1200 * (1 - share)))
        k, stable_k = int(rng.binomial(candidate, rate)), int(rng.binomial(stable, 0.01))
        drawn.append((Counts(candidate, k), Counts(stable, stable_k)))
    return drawn


def test_a_candidate_under_the_limit_and_worse_than_stable_fails() -> None:
    """4 % is under the limit of 5 % and four times what stable has: the failure says against what."""
    evidence = _fold([(Counts(100, 4), Counts(900, 9))] * 30)
    raised = _metric(evidence).alarm
    assert raised is not None
    assert (raised.relative, raised.tier) == (True, Tier.FAIL)
    now = datetime.fromtimestamp(_metric(evidence).at, tz=UTC)
    (verdict,) = judge(evidence, PLAN, now=now)
    assert (verdict.outcome, verdict.tier, verdict.value) == (Outcome.FAIL, Tier.FAIL, 0.04)
    assert verdict.threshold == pytest.approx(0.0125)
    assert "is over 1.25 times that of stable, which had 1 % in the same time" in verdict.message


def test_a_quarter_more_than_stable_is_forgiven() -> None:
    """At 1.25 times stable's rate a thousand looks raise nothing, at twice that they do."""
    assert _metric(_fold(_drawn(1, 0.5, 0.0125, looks=1000))).alarm is None
    assert _metric(_fold(_drawn(1, 0.5, 0.025, looks=1000))).alarm is not None


def test_not_compared_without_a_ratio() -> None:
    """A check without a ratio is held against its limit alone."""
    plan = replace(PLAN, checks=(error_rate(ratio=None, history=QUIET),))
    evidence = _fold([(Counts(100, 4), Counts(900, 9))] * 30, plan=plan)
    assert _metric(evidence).alarm is None
    assert _metric(evidence).relative == ()


@pytest.mark.parametrize("stable", [NoData(), Counts(0, 0)])
def test_not_compared_with_nobody(stable: Seen) -> None:
    """A look without requests of stable says nothing about who is worse."""
    assert _metric(_fold([(Counts(100, 4), stable)] * 30)).relative == ()


def test_the_share_does_not_matter() -> None:
    """Equal rates raise nothing at shares of 2 to 98 %, also when the share changes with every look."""
    for share in (0.02, 0.2, 0.5, 0.9, 0.98):
        assert _metric(_fold(_drawn(2, share, 0.01, looks=300))).alarm is None, share
    mixed = [_drawn(number, share, 0.01, looks=1)[0] for number, share in enumerate([0.02, 0.9, 0.5] * 100)]
    assert _metric(_fold(mixed)).alarm is None


def test_rising_alike_does_not_matter() -> None:
    """When both arms rise from 1 to 4 % B has nothing to say."""
    rng = np.random.default_rng(3)
    looks = [
        (Counts(300, int(rng.binomial(300, rate))), Counts(900, int(rng.binomial(900, rate))))
        for rate in [0.01] * 100 + [0.04] * 100
    ]
    assert _metric(_fold(looks)).alarm is None


def test_one_burst_is_no_alarm() -> None:
    """19 errors in one look, when neither arm ever has any, raise nothing; three such looks do."""
    quiet: list[tuple[Seen, Seen]] = [(Counts(60, 0), Counts(1140, 0))] * 60
    burst: list[tuple[Seen, Seen]] = [(Counts(60, 19), Counts(1140, 0))]
    plan = replace(PLAN, checks=(error_rate(critical_limit=None, history=QUIET),))
    assert _metric(_fold([*quiet, *burst, *quiet], plan=plan)).alarm is None
    assert _metric(_fold([*quiet, *burst * 3], plan=plan)).alarm is not None


def test_a_good_day_does_not_delay_it() -> None:
    """The alarm after 24 good hours comes at most one look later than without them."""
    bad: list[tuple[Seen, Seen]] = [(Counts(60, 3), Counts(1140, 11))]
    day = _fold([(Counts(60, 0), Counts(1140, 11))] * 1440)
    assert _looks_to_alarm(bad, day) <= _looks_to_alarm(bad, NEW) + 1


def test_the_next_step_goes_on_where_it_was() -> None:
    """After half an alarm at one weight the next needs about half the looks; its words span both."""
    looks: list[tuple[Seen, Seen]] = [(Counts(100, 3), Counts(900, 9))]
    half = _fold(looks * (_looks_to_alarm(looks, NEW) // 2))
    since = SINCE + timedelta(hours=1)
    stored = Evidence.from_dict(json.loads(json.dumps(half.to_dict())))
    begun = carried(stored, PLAN, scope="r/2", since=since)
    assert (begun.scope, begun.since) == ("r/2", since)
    wider: list[tuple[Seen, Seen]] = [(Counts(200, 6), Counts(800, 8))]
    more = _looks_to_alarm(wider, begun)
    assert more <= 0.6 * _looks_to_alarm(wider, Evidence(scope="r/2", since=since))
    raised = _metric(_fold(wider * more, begun)).alarm
    assert raised is not None
    assert raised.relative
    assert raised.run.since < first_look(since, 60) < raised.run.at


def test_nothing_else_is_carried() -> None:
    """Counts, proof, dispersion and alarm A begin anew with the step."""
    before = _fold([(Counts(100, 8), Counts(900, 9))] * 2)
    old = _metric(before)
    assert old.alarm is None
    assert max(old.fail) > 0
    begun = carried(before, PLAN, scope="r/2", since=SINCE + timedelta(hours=1))
    new = _metric(begun)
    first = first_look(begun.since, 60)
    expected = MetricEvidence(
        first=first, at=first, run=Run(first, first), relative=old.relative, relative_run=old.relative_run
    )
    assert new == expected


def test_what_a_person_has_overridden_is_not_raised_again() -> None:
    """An alarm that did not end the rollout leaves its levels behind; new errors count."""
    before = _fold([(Counts(100, 20), Counts(900, 9))] * 5)
    assert _metric(before).alarm is not None
    assert carried(before, PLAN, scope="r/2", since=SINCE).metrics == {}
