"""A fault of both arms: the fail tier waits, the critical one does not, and nothing of it stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from modelramp.judgement.dispersion import Dispersion
from modelramp.judgement.evidence import Counts, Evidence, NoData, first_look
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Outcome, Tier
from support.folds import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.judgement.evidence import Seen
    from modelramp.judgement.verdict import Verdict

QUIET = Dispersion(phi=1.0, looks=720, bad=500)
PLAN = Plan(checks=(error_rate(critical_limit=None, history=QUIET),), interval=60)
CRITICAL = replace(PLAN, checks=(error_rate(history=QUIET),))
SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
NEW = Evidence(scope="r/1", since=SINCE)
FIRST = first_look(SINCE, 60)
GOOD: tuple[Counts, Seen] = (Counts(120, 1), Counts(1080, 10))
BOTH: tuple[Counts, Seen] = (Counts(120, 14), Counts(1080, 124))


def _fold(looks: Sequence[tuple[Seen, Seen]], evidence: Evidence = NEW, plan: Plan = PLAN) -> Evidence:
    return fold(looks, plan=plan, evidence=evidence)


def _verdict(evidence: Evidence, plan: Plan = PLAN) -> Verdict:
    now = datetime.fromtimestamp(evidence.metrics["error-rate"].at, tz=UTC)
    return judge(evidence, plan, now=now)[0]


@pytest.mark.parametrize("good", [0, 10, 600])
@pytest.mark.parametrize("fault", [15, 60, 600])
def test_the_fail_tier_waits_as_long_as_stable_is_over_the_limit(good: int, fault: int) -> None:
    """Over 11 % in both arms, for minutes or hours, is Inconclusive for SharedFault, and says why."""
    verdict = _verdict(_fold([GOOD] * good + [BOTH] * fault))
    assert (verdict.outcome, verdict.reason) == (Outcome.INCONCLUSIVE, "SharedFault")
    assert "is over 5 %, and so is stable with 11.5 %" in verdict.message
    assert verdict.threshold == 0.05


@pytest.mark.parametrize("fault", [5, 60, 600])
def test_it_leaves_nothing_behind(fault: int) -> None:
    """When both arms have recovered the candidate is neither failed nor suspected."""
    evidence = _fold([GOOD] * 30 + [BOTH] * fault)
    for _ in range(200):
        evidence = _fold([GOOD], evidence)
        assert _verdict(evidence).outcome is not Outcome.FAIL
    assert evidence.metrics["error-rate"].watch == ()


@pytest.mark.parametrize("fault", [5, 600])
def test_only_stable_recovers(fault: int) -> None:
    """A candidate that is still bad when stable is well again fails, within minutes."""
    after: list[tuple[Counts, Seen]] = [(Counts(120, 14), Counts(1080, 10))] * 20
    verdict = _verdict(_fold([GOOD] * 30 + [BOTH] * fault + after))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "ErrorRate")


@pytest.mark.parametrize("good", [0, 30, 600])
def test_the_critical_tier_waits_for_nobody(good: int) -> None:
    """30 % in both arms is critical within ten looks, at a step's start and after hours."""
    both: tuple[Counts, Seen] = (Counts(120, 36), Counts(1080, 324))
    evidence = _fold([GOOD] * good + [both] * 10, plan=CRITICAL)
    verdict = _verdict(evidence, CRITICAL)
    assert (verdict.outcome, verdict.tier) == (Outcome.FAIL, Tier.CRITICAL)


def test_a_candidate_worse_than_a_bad_stable_fails() -> None:
    """Stable over the limit excuses what it has itself, not five times as much."""
    verdict = _verdict(_fold([GOOD] * 30 + [(Counts(120, 72), Counts(1080, 124))] * 10))
    assert verdict.outcome is Outcome.FAIL
    assert "times that of stable" in verdict.message


def test_without_a_stable_arm_nothing_is_shared() -> None:
    """In the bake, where nobody else is left, the fail tier is as quick as ever."""
    verdict = _verdict(_fold([(Counts(120, 14), NoData())] * 30))
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "ErrorRate")


@pytest.mark.parametrize("who", [Counts(1080, 10), Counts(1080, 32)])
def test_a_healthy_stable_holds_nothing(who: Counts) -> None:
    """With stable at 1 or 3 % a candidate at 12 % fails as if there were no hold."""
    verdict = _verdict(_fold([(Counts(120, 1), who)] * 30 + [(Counts(120, 14), who)] * 30))
    assert verdict.outcome is Outcome.FAIL


def test_a_fault_of_stable_is_no_burst() -> None:
    """The looks of the fault do not make the dispersion grow, which would slow all alarms for hours."""
    before, after = _fold([GOOD] * 60), _fold([GOOD] * 60 + [BOTH] * 60)
    assert after.metrics["error-rate"].left_out == Counts(60 * 1080, 60 * 124)
    assert after.metrics["error-rate"].spread == before.metrics["error-rate"].spread


def test_a_checkpoint_in_the_fault_loses_no_bit() -> None:
    """Stored in the middle of a fault and gone on from there, the evidence is the same."""
    looks = [GOOD] * 20 + [BOTH] * 20 + [GOOD] * 20
    for cut in (10, 21, 30, 41, 50):
        stored = json.loads(json.dumps(_fold(looks[:cut]).to_dict()))
        assert _fold(looks[cut:], Evidence.from_dict(stored)) == _fold(looks), cut
