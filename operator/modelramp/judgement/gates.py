"""What one look adds to the statistics of a Sequential check: both alarms, and what they wait for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.judgement import alarm, dispersion
from modelramp.judgement.limits import limits
from modelramp.judgement.state import Alarm, MetricEvidence, Run
from modelramp.judgement.verdict import Tier

if TYPE_CHECKING:
    from modelramp.judgement.alarm import Levels
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
    metric: MetricEvidence, at: int, candidate: Counts, stable: Counts, *, check: Check, plan: Plan
) -> MetricEvidence:
    """The statistics after the counts of the look at ``at``."""
    was_suspect = is_suspect(metric, plan)
    if stable.n:
        metric = _with_stable(metric, stable, check, plan)
    held = is_suspect(metric, plan)
    # What was counted while both were over the limit says nothing about the candidate alone.
    fail = () if was_suspect and not held else metric.fail
    run = longer(metric.run, at, candidate, stable, plan, fresh=not alarm.is_up(fail))
    if not candidate.n:
        return replace(metric, at=at, fail=fail, run=run)
    scale, tested = phi(metric, check, plan), limits(check, metric.stable)
    known, critical, relative, relative_run = (
        metric.alarm,
        metric.critical,
        metric.relative,
        metric.relative_run,
    )
    if tested is not None:
        fail, critical, tier = _absolute(fail, critical, candidate, tested, scale=scale, held=held, plan=plan)
        if tier is not None:
            limit = tested.critical if tier is Tier.CRITICAL and tested.critical else tested.alarm
            known = worse(known, Alarm(tier, limit, run))
    if check.ratio is not None and stable.n:
        fresh = not alarm.is_up(relative)
        relative_run = longer(relative_run, at, candidate, stable, plan, fresh=fresh)
        relative, is_raised = _relative(
            relative, candidate, stable, scale=scale, ratio=check.ratio, plan=plan
        )
        if is_raised:
            known = worse(known, Alarm(Tier.FAIL, check.ratio, relative_run, relative=True))
    return replace(
        metric,
        at=at,
        candidate=metric.candidate + candidate,
        fail=fail,
        critical=critical,
        run=run,
        relative=relative,
        relative_run=relative_run,
        alarm=known,
    )


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


def _absolute(
    fail: Levels, critical: Levels, candidate: Counts, tested: Limits, *, scale: float, held: bool, plan: Plan
) -> tuple[Levels, Levels, Tier | None]:
    """Both tiers of alarm A, and the worst that is raised; the fail tier is not while it is held."""
    threshold, tier = alarm.threshold(plan.interval), None

    def after(levels: Levels, limit: float) -> Levels:
        weights = alarm.absolute(limit)
        return alarm.update(
            levels, n=candidate.n, k=candidate.k, weights=weights, phi=scale, threshold=threshold
        )

    fail = after(fail, tested.alarm)
    if not held and alarm.raised(fail, threshold):
        tier = Tier.FAIL
    if tested.critical is not None:
        critical = after(critical, tested.critical)
        if alarm.raised(critical, threshold):
            tier = Tier.CRITICAL
    return fail, critical, tier


def _relative(
    levels: Levels, candidate: Counts, stable: Counts, *, scale: float, ratio: float, plan: Plan
) -> tuple[Levels, bool]:
    """Alarm B, and whether it is raised."""
    threshold = alarm.threshold(plan.interval, alarm.RELATIVE_RUN_LENGTH)
    levels = alarm.update(
        levels,
        n=candidate.k + stable.k,
        k=candidate.k,
        weights=alarm.relative(candidate.n / (candidate.n + stable.n), ratio),
        phi=scale,
        threshold=threshold,
    )
    return levels, alarm.raised(levels, threshold)


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
