"""The literal rule: a value over (or under) its limit for a duration, for gauges and for those who want it.

It knows nothing of chance: on few requests it fails good revisions and passes bad ones. Where there are
counts, the sequential tests are the better rule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.judgement.gates import longer, worse
from modelramp.judgement.seen import Counts, Gauge
from modelramp.judgement.state import Alarm, MetricEvidence, Stretch
from modelramp.judgement.verdict import Direction, Outcome, Tier, Verdict
from modelramp.judgement.words import duration, percent, say

if TYPE_CHECKING:
    from modelramp.judgement.plan import Check, Plan
    from modelramp.judgement.seen import Seen

_NONE = Counts()


def count(
    metric: MetricEvidence, at: int, candidate: Seen, stable: Seen, *, check: Check, plan: Plan
) -> MetricEvidence:
    """The statistics after the look at ``at``.

    A look without a value neither prolongs nor ends a stretch; only one on the other side of the limit does.
    """
    value, baseline = _value(candidate), _value(stable)
    counts = (_counts(candidate), _counts(stable))
    metric = replace(
        metric,
        at=at,
        candidate=metric.candidate + counts[0],
        stable=metric.stable + counts[1],
        value=metric.value if value is None else value,
        baseline=metric.baseline if baseline is None else baseline,
    )
    if value is None:
        return metric

    def after(stretch: Stretch | None, limit: float) -> Stretch:
        bad = check.is_bad(value, limit)
        fresh = stretch is None or stretch.bad is not bad
        run = longer(None if stretch is None else stretch.run, at, *counts, plan, fresh=fresh)
        return Stretch(bad, 1 if stretch is None or fresh else stretch.looks + 1, run)

    def failure(tier: Tier, limit: float, stretch: Stretch) -> Alarm:
        return Alarm(tier, limit, stretch.run, value=value, baseline=metric.baseline)

    latest, lower, known = after(metric.stretch, check.limit), metric.critical_stretch, metric.alarm
    if latest.bad and _is_settled(latest, check, plan):
        known = worse(known, failure(Tier.FAIL, check.limit, latest))
    if check.critical_limit is not None:
        lower = after(lower, check.critical_limit)
        if lower.bad and _is_settled(lower, check, plan):
            known = worse(known, failure(Tier.CRITICAL, check.critical_limit, lower))
    return replace(metric, stretch=latest, critical_stretch=lower, alarm=known)


def verdict(metric: MetricEvidence, check: Check, plan: Plan) -> Verdict:
    """What the latest stretch says as long as it is no failure."""
    stretch = metric.stretch
    if stretch is None or metric.value is None:
        return say(check, Outcome.INCONCLUSIVE, f"{check.label}: no value yet", stable=metric.stable)
    lasts, samples = stretch.looks * plan.interval, _samples(stretch)
    settled = _is_settled(stretch, check, plan)
    text = _sentence(check, stretch, metric.value, check.limit, lasts)
    if not settled:
        lacking = []
        if lasts < check.duration:
            lacking.append(f"{duration(check.duration)} in a row")
        if samples < check.min_samples:
            lacking.append(f"{check.min_samples:,} samples (there are {samples:,})")
        text += f"; wanted: {' and '.join(lacking)}"
    outcome = Outcome.PASS if settled and not stretch.bad else Outcome.INCONCLUSIVE
    made = say(check, outcome, text, seen=stretch.run.candidate, stable=stretch.run.stable)
    eta = None if stretch.bad or settled else max(check.duration - lasts, 0.0) or None
    return replace(_valued(made, metric.value, metric.baseline, samples), eta=eta, window=float(lasts))


def failed(alarm: Alarm, check: Check, plan: Plan) -> Verdict:
    """A failure by the literal rule."""
    run = alarm.run
    stretch = Stretch(bad=True, looks=0, run=run)
    value = 0.0 if alarm.value is None else alarm.value
    text = _sentence(check, stretch, value, alarm.limit, run.at - run.since)
    made = say(check, Outcome.FAIL, text, seen=run.candidate, stable=run.stable, threshold=alarm.limit)
    made = _valued(made, value, alarm.baseline, (run.at - run.since) // plan.interval)
    return replace(made, tier=alarm.tier, window=float(run.at - run.since))


def _valued(made: Verdict, value: float, baseline: float | None, samples: int) -> Verdict:
    """The figures of a gauge, which has no counts."""
    return made if made.n else replace(made, value=value, baseline=baseline, n=samples)


def _is_settled(stretch: Stretch, check: Check, plan: Plan) -> bool:
    """Whether a stretch is as long, and has as many samples, as the rule wants."""
    return stretch.looks * plan.interval >= check.duration and _samples(stretch) >= check.min_samples


def _samples(stretch: Stretch) -> int:
    return stretch.run.candidate.n or stretch.looks


def _value(seen: Seen) -> float | None:
    """The value of one look of one arm: a gauge's, or the share of bad requests."""
    if isinstance(seen, Gauge):
        return seen.value
    if isinstance(seen, Counts) and seen.n:
        return seen.k / seen.n
    return None


def _counts(seen: Seen) -> Counts:
    return seen if isinstance(seen, Counts) else _NONE


def _sentence(check: Check, stretch: Stretch, value: float, limit: float, lasts: float) -> str:
    counts = stretch.run.candidate
    shown = f"{percent(counts.k / counts.n)} (n={counts.n:,})" if counts.n else f"{value:.4g}"
    edge = percent(limit) if counts.n else f"{limit:.4g}"
    if check.direction is Direction.LOWER:
        side = "over" if stretch.bad else "within"
    else:
        side = "under" if stretch.bad else "at or over"
    return f"{check.label} {shown} is {side} {edge} for {duration(lasts)}"
