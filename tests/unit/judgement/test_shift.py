"""The check on predictions: what both arms answered, when there is a verdict, and what a status keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelramp.judgement.evidence import Counts, Evidence, NoData, ProviderError
from modelramp.judgement.histogram import BLOCK_SECONDS, Histogram
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Check, Plan
from modelramp.judgement.shift import MOST_BINS
from modelramp.judgement.verdict import Method, Outcome, Tier
from support.folds import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.judgement.evidence import Seen
    from modelramp.judgement.verdict import Verdict

NAME = "prediction-drift"
CHECK = Check(name=NAME, reason="PredictionShift", label="prediction", limit=0.25, method=Method.DRIFT)
PLAN = Plan(checks=(CHECK,), interval=60)
SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)
NEW = Evidence(scope="r/1", since=SINCE)
EDGES = (0.25, 0.5, 0.75)
FLAT, WARN, FAR = (0.25, 0.25, 0.25, 0.25), (0.35, 0.30, 0.20, 0.15), (0.55, 0.25, 0.15, 0.05)


def _seen(n: int, shares: Sequence[float] = FLAT) -> Histogram:
    return Histogram(EDGES, tuple(round(n * share) for share in shares))


def _fold(
    looks: Sequence[tuple[Seen, Seen]], *, plan: Plan = PLAN, evidence: Evidence = NEW, every: int = 60
) -> Evidence:
    return fold(looks, plan=plan, evidence=evidence, every=every)


def _verdict(evidence: Evidence, plan: Plan = PLAN) -> Verdict:
    now = datetime.fromtimestamp(evidence.metrics[NAME].at, tz=UTC)
    return judge(evidence, plan, now=now)[0]


@pytest.mark.parametrize(
    ("shares", "outcome", "tier"),
    [(FLAT, Outcome.PASS, None), (WARN, Outcome.PASS, None), (FAR, Outcome.FAIL, Tier.FAIL)],
)
def test_the_candidate_is_held_against_stable(
    shares: tuple[float, ...], outcome: Outcome, tier: Tier | None
) -> None:
    """The same answers and a small shift pass, PSI 0.61 fails; value, limit and n are in the verdict."""
    verdict = _verdict(_fold([(_seen(100, shares), _seen(1900))] * 20))
    assert (verdict.outcome, verdict.tier, verdict.reason) == (outcome, tier, "PredictionShift")
    assert (verdict.threshold, verdict.interval, verdict.n) == (0.25, None, 2000)
    assert verdict.value is not None
    assert (verdict.value > 0.25) is (outcome is Outcome.FAIL)
    assert f"PSI {verdict.value:.3f} against stable" in verdict.message


def test_few_predictions_say_nothing() -> None:
    """A hundred predictions, however far off, give no verdict; it says how many are missing, and when."""
    verdict = _verdict(_fold([(_seen(20, FAR), _seen(380))] * 5))
    assert (verdict.outcome, verdict.tier) == (Outcome.INCONCLUSIVE, None)
    assert "more are needed to compare with stable" in verdict.message
    assert verdict.eta is not None
    later = _fold([(_seen(20, FAR), _seen(380))] * (5 + round(verdict.eta / 60) + 1))
    assert _verdict(later).outcome is Outcome.FAIL


def test_no_data_says_nothing() -> None:
    """Without stable's predictions, or without any, there is no verdict; an outage is not counted."""
    alone = _verdict(_fold([(_seen(1000), NoData())] * 5))
    assert alone.outcome is Outcome.INCONCLUSIVE
    assert "no observation of stable" in alone.message
    assert _verdict(_fold([(NoData(), NoData())] * 5)).outcome is Outcome.INCONCLUSIVE
    down = _fold([(_seen(1000), _seen(1000)), (ProviderError("down"), ProviderError("down"))])
    assert _verdict(down).outcome is Outcome.INCONCLUSIVE
    assert down.metrics[NAME].histogram == _fold([(_seen(1000), _seen(1000))]).metrics[NAME].histogram


def test_a_shift_that_is_declared_passes() -> None:
    """What the ModelVersion declares is no failure, and the verdict says why; too little data is none."""
    declared = replace(PLAN, checks=(replace(CHECK, shift_expected=True),))
    verdict = _verdict(_fold([(_seen(100, FAR), _seen(1900))] * 20, plan=declared), declared)
    assert verdict.outcome is Outcome.PASS
    assert "as declared in expectedShift" in verdict.message
    few = _verdict(_fold([(_seen(20, FAR), _seen(380))], plan=declared), declared)
    assert few.outcome is Outcome.INCONCLUSIVE


def test_the_frozen_baseline_stands_in_for_stable() -> None:
    """Where stable shows no predictions the version's own histogram is the reference, and only there."""
    plan = replace(PLAN, checks=(replace(CHECK, frozen=_seen(4000)),))
    verdict = _verdict(_fold([(_seen(100, FAR), NoData())] * 20, plan=plan), plan)
    assert (verdict.outcome, verdict.reason) == (Outcome.FAIL, "PredictionShift")
    assert "against its frozen baseline" in verdict.message
    assert _verdict(_fold([(_seen(100), NoData())] * 20, plan=plan), plan).outcome is Outcome.PASS
    both = _verdict(_fold([(_seen(100, FAR), _seen(1900, FAR))] * 20, plan=plan), plan)
    assert both.outcome is Outcome.PASS
    few = _verdict(_fold([(_seen(20, FAR), NoData())] * 5, plan=plan), plan)
    assert few.outcome is Outcome.INCONCLUSIVE
    assert few.eta is not None
    later = _fold([(_seen(20, FAR), NoData())] * (5 + round(few.eta / 60) + 1), plan=plan)
    assert _verdict(later, plan).outcome is Outcome.FAIL


def test_min_samples_is_asked_for_as_well() -> None:
    """With fewer predictions than the user wants there is no verdict."""
    plan = replace(PLAN, checks=(replace(CHECK, min_samples=5000),))
    verdict = _verdict(_fold([(_seen(100, FAR), _seen(1900))] * 20, plan=plan), plan)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "5,000 samples are wanted" in verdict.message
    assert verdict.eta == pytest.approx(20 * 60 * 1.5)


def test_a_checkpoint_loses_no_bit_and_is_small() -> None:
    """Stored on the way, over two days, and gone on from there it is the same; an arm is under 1 KB."""
    rng = np.random.default_rng(3)
    edges = tuple(round(0.05 * number, 2) for number in range(1, 20))

    def drawn(n: int) -> Histogram:
        return Histogram(edges, tuple(int(count) for count in rng.multinomial(n, [0.05] * 20)))

    looks: list[tuple[Seen, Seen]] = [(drawn(500), drawn(9500)) for _ in range(96)]
    every, whole = BLOCK_SECONDS // 12, _fold(looks, every=BLOCK_SECONDS // 12)
    for cut in (1, 11, 12, 50, 95):
        stored = json.loads(json.dumps(_fold(looks[:cut], every=every).to_dict()))
        assert _fold(looks[cut:], evidence=Evidence.from_dict(stored), every=every) == whole, cut
    stored = whole.to_dict()["metrics"][NAME]
    for arm in ("histogram", "stableHistogram"):
        assert len(json.dumps(stored[arm], separators=(",", ":"))) < 1000


def test_many_buckets_become_fewer() -> None:
    """Of a hundred buckets at most twenty are kept, with all observations."""
    edges = tuple(round(0.01 * number, 2) for number in range(1, 101))
    seen = Histogram(edges, tuple(range(101)))
    kept = _fold([(seen, seen)]).metrics[NAME].histogram
    assert kept is not None
    assert len(kept.total.counts) <= MOST_BINS
    assert kept.total.n == seen.n


def test_counts_are_no_histogram() -> None:
    """What another query answers is not taken for predictions."""
    assert _fold([(Counts(1000, 1), Counts(1000, 1))]).metrics[NAME].histogram is None


def test_a_limit_that_makes_no_sense_is_refused() -> None:
    """A PSI of 0, or a critical tier, is an error where the check is made."""
    for wrong in ({"limit": 0.0}, {"critical_limit": 0.5}):
        with pytest.raises(ValueError, match="PSI over 0"):
            replace(CHECK, **wrong)  # type: ignore[arg-type]
