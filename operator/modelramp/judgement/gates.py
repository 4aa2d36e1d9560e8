"""What one look adds to the statistics of a Sequential check: both alarms, and what they wait for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.judgement import alarm, dispersion
from modelramp.judgement.limits import limits
from modelramp.judgement.state import Alarm, MetricEvidence, Run
from modelramp.judgement.verdict import Tier

if TYPE_CHECKING:
    from modelramp.judgement.limits import Limits
    from modelramp.judgement.plan import Check, Plan
    from modelramp.judgement.seen import Counts


def phi(metric: MetricEvidence, check: Check, plan: Plan) -> float:
    """The dispersion of errors per look: of the history, and of what the stable arm shows in this scope."""
    counted = metric.stable - metric.left_out
    prior = plan.prior if check.history is None else check.history.phi
    return dispersion.shrunk(looks=metric.looks, n=counted.n, k=counted.k, spread=metric.spread, prior=prior)


def is_suspect(metric: MetricEvidence, plan: Plan) -> bool:
    """Whether the stable arm is over the limit too, by half of what would be an alarm.

    Half, because when both arms rise alike chance decides whose alarm is first.
    """
    return alarm.raised(metric.watch, alarm.threshold(plan.interval) / 2.0)


def is_held(metric: MetricEvidence, plan: Plan) -> bool:
    """Whether the candidate would fail if the stable arm were not over the limit too."""
    return (
        metric.alarm is None
        and is_suspect(metric, plan)
        and alarm.raised(metric.fail, alarm.threshold(plan.interval))
    )


def sequential(
    metric: MetricEvidence, candidate: Counts, stable: Counts, check: Check, plan: Plan
) -> MetricEvidence:
    """The statistics after the counts of the look at ``metric.at``."""
    was_suspect = is_suspect(metric, plan)
    if stable.n:
        metric = _with_stable(metric, stable, check, plan)
    suspect = is_suspect(metric, plan)
    # What was counted while both were over the limit says nothing about the candidate alone.
    fail = () if was_suspect and not suspect else metric.fail
    run = longer(metric.run, metric.at, candidate, stable, plan, fresh=not alarm.is_up(fail))
    if not candidate.n:
        return replace(metric, fail=fail, run=run)
    metric = replace(metric, fail=fail, run=run, candidate=metric.candidate + candidate)
    scale = phi(metric, check, plan)
    tested = limits(check, metric.stable)
    if tested is not None:
        metric = _held_against(metric, candidate, tested, scale=scale, held=suspect, plan=plan)
    if check.ratio is not None and stable.n:
        metric = _compared(metric, candidate, stable, scale=scale, ratio=check.ratio, plan=plan)
    return metric


def _with_stable(metric: MetricEvidence, stable: Counts, check: Check, plan: Plan) -> MetricEvidence:
    """The stable arm's counts, its own alarm, and its dispersion as long as there is no alarm."""
    threshold, watch, failing = alarm.threshold(plan.interval), metric.watch, False
    total = metric.stable + stable
    tested = limits(check, total)
    if tested is not None:
        scale = phi(metric, check, plan)
        weights = alarm.absolute(tested.alarm)
        watch = alarm.update(watch, n=stable.n, k=stable.k, weights=weights, phi=scale, threshold=threshold)
        failing = alarm.raised(watch, threshold)
        # No more than an alarm's worth, so that it ends soon after the fault does.
        watch = tuple(min(level, threshold) for level in watch) if alarm.is_up(watch) else ()
    if failing:
        return replace(metric, stable=total, watch=watch, left_out=metric.left_out + stable)
    spread = metric.spread + stable.k**2 / stable.n
    return replace(metric, stable=total, watch=watch, looks=metric.looks + 1, spread=spread)


def _held_against(
    metric: MetricEvidence, candidate: Counts, tested: Limits, *, scale: float, held: bool, plan: Plan
) -> MetricEvidence:
    """Both tiers of alarm A; the fail tier is not raised while it is held."""
    threshold, known = alarm.threshold(plan.interval), metric.alarm

    def after(levels: tuple[float, ...], limit: float) -> tuple[float, ...]:
        weights = alarm.absolute(limit)
        return alarm.update(
            levels, n=candidate.n, k=candidate.k, weights=weights, phi=scale, threshold=threshold
        )

    fail, critical = after(metric.fail, tested.alarm), metric.critical
    if not held and alarm.raised(fail, threshold):
        known = worse(known, Alarm(Tier.FAIL, tested.alarm, metric.run))
    if tested.critical is not None:
        critical = after(critical, tested.critical)
        if alarm.raised(critical, threshold):
            known = worse(known, Alarm(Tier.CRITICAL, tested.critical, metric.run))
    return replace(metric, fail=fail, critical=critical, alarm=known)


def _compared(
    metric: MetricEvidence, candidate: Counts, stable: Counts, *, scale: float, ratio: float, plan: Plan
) -> MetricEvidence:
    """Alarm B."""
    threshold = alarm.threshold(plan.interval, alarm.RELATIVE_RUN_LENGTH)
    fresh = not alarm.is_up(metric.relative)
    run = longer(metric.relative_run, metric.at, candidate, stable, plan, fresh=fresh)
    levels = alarm.update(
        metric.relative,
        n=candidate.k + stable.k,
        k=candidate.k,
        weights=alarm.relative(candidate.n / (candidate.n + stable.n), ratio),
        phi=scale,
        threshold=threshold,
    )
    known = metric.alarm
    if alarm.raised(levels, threshold):
        known = worse(known, Alarm(Tier.FAIL, ratio, run, relative=True))
    return replace(metric, relative=levels, relative_run=run, alarm=known)


def longer(run: Run | None, at: int, candidate: Counts, stable: Counts, plan: Plan, *, fresh: bool) -> Run:
    """The run with the look at ``at`` in it; a fresh one begins with this look."""
    if run is None or fresh:
        return Run(at - plan.interval, at, candidate, stable)
    return Run(run.since, at, run.candidate + candidate, run.stable + stable)


def worse(known: Alarm | None, new: Alarm) -> Alarm:
    """A failure stays; only a critical one takes its place."""
    if known is None or (new.tier is Tier.CRITICAL and known.tier is Tier.FAIL):
        return new
    return known
