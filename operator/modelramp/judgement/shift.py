"""A check on what the model answers: the candidate's predictions against those of stable, by their PSI.

Both arms get the same kind of requests, so what differs between their answers is the candidate's. There is no
alarm that is kept: the histograms of the step say it anew at each look, and need so many predictions that a
shift by chance comes once in a million verdicts (`drift.needed`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.judgement import drift
from modelramp.judgement.histogram import Accumulated, Histogram
from modelramp.judgement.verdict import Outcome, Tier, Verdict
from modelramp.judgement.words import say

if TYPE_CHECKING:
    from modelramp.judgement.drift import Drift
    from modelramp.judgement.plan import Check
    from modelramp.judgement.seen import Seen
    from modelramp.judgement.state import MetricEvidence

# A status holds both arms, for each block of six hours.
MOST_BINS = 20


def count(metric: MetricEvidence, at: int, candidate: Seen, stable: Seen) -> MetricEvidence:
    """The statistics after the look at ``at``."""
    return replace(
        metric,
        at=at,
        histogram=_added(metric.histogram, at, candidate),
        stable_histogram=_added(metric.stable_histogram, at, stable),
    )


def totals(metric: MetricEvidence) -> tuple[Histogram, Histogram]:
    """What the candidate and stable answered in this step, of its last day."""
    candidate, stable = metric.histogram, metric.stable_histogram
    return candidate.total if candidate else Histogram(), stable.total if stable else Histogram()


def verdict(metric: MetricEvidence, check: Check) -> Verdict:
    """What the two histograms say; a shift that is declared is none.

    The frozen histogram stands in for a stable arm that does not say what it answers.
    """
    candidate, stable = totals(metric)
    reference, against = stable, "stable"
    if not stable.n and check.frozen is not None:
        reference, against = check.frozen, "its frozen baseline"
    found = drift.drift(candidate, reference, limit=check.limit, label=check.label, against=against)
    outcome, text = found.outcome, found.message
    if found.n < check.min_samples and outcome is not Outcome.INCONCLUSIVE:
        outcome, text = Outcome.INCONCLUSIVE, f"{text}; {check.min_samples:,} samples are wanted"
    elif outcome is Outcome.FAIL and check.shift_expected:
        outcome, text = Outcome.PASS, f"{text}, as declared in expectedShift of the ModelVersion"
    seconds = float(metric.at - metric.first)
    eta = _eta(found, check, seconds, grows=reference is stable)
    made = say(check, outcome, text, eta=eta, window=seconds)
    tier = Tier.FAIL if outcome is Outcome.FAIL else None
    return replace(made, tier=tier, value=found.psi, n=int(found.n))


def _eta(found: Drift, check: Check, seconds: float, *, grows: bool) -> float | None:
    """Seconds until there are enough predictions at the rates so far; a frozen reference does not grow."""
    n, m = found.n, found.m
    if not (n and m) or (not grows and m <= found.needed):
        return None
    wanted = found.needed * (n + m) / m if grows else found.needed * m / (m - found.needed)
    share = max(wanted, float(check.min_samples)) / n
    return seconds * (share - 1.0) if share > 1.0 else None


def _added(known: Accumulated | None, at: int, seen: Seen) -> Accumulated | None:
    if not isinstance(seen, Histogram) or not seen.n:
        return known
    return (known or Accumulated()).add(at, _coarse(seen))


def _coarse(seen: Histogram) -> Histogram:
    """With so few bins that a status can hold them: every second, third, … edge."""
    every = -(-(len(seen.edges) + 1) // MOST_BINS)
    return seen if every == 1 else seen.on(seen.edges[every - 1 :: every])
