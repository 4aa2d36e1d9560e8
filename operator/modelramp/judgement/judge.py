"""From evidence to verdicts: what may be said at this moment, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.judgement import literal, proof, shift
from modelramp.judgement.evidence import Counts, Evidence, MetricEvidence
from modelramp.judgement.finding import Fault
from modelramp.judgement.gates import is_held, phi
from modelramp.judgement.limits import limits
from modelramp.judgement.plan import HIGHEST_LIMIT, Check, Plan
from modelramp.judgement.special import clopper_pearson
from modelramp.judgement.verdict import Method, Outcome, Verdict
from modelramp.judgement.words import clock, duration, figures, percent, say

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.judgement.state import Alarm

# Evidence older than this many intervals (and the plan's lag) is no evidence.
STALE_INTERVALS = 3
# What the bake forgives over the upper bound of the stable revision's own rate.
BAKE_MARGIN = 1.25
_NONE = Counts()


def judge(evidence: Evidence | None, plan: Plan, *, now: datetime) -> tuple[Verdict, ...]:
    """One verdict per check of the plan, in its order.

    ``Fail`` comes from an alarm (or the literal rule) and stays, or from a shift of predictions that is there
    now. ``Pass`` means proved under the
    limit, and that the latest look saw the candidate. Everything else is ``Inconclusive``, no data and no
    answer included.
    """
    if evidence is None:
        return tuple(_waiting(check) for check in plan.checks)
    return tuple(_verdict(evidence, check, plan, now) for check in plan.checks)


def blind(evidence: Evidence | None, plan: Plan, now: datetime) -> str | None:
    """Why the candidate cannot be seen now; None when it can, or before the first look is due."""
    if evidence is None:
        return None
    reasons = (
        _unseen(metric, check, plan, now)
        for check in plan.checks
        if (metric := evidence.metrics.get(check.name)) is not None
    )
    return next((reason for reason in reasons if reason is not None), None)


def bake_limits(evidence: Evidence | None, plan: Plan) -> dict[str, float]:
    """Per Sequential check the alarm's limit for the bake: ``min(limit, 1.25 x bound of stable's own rate)``.

    The bound is the upper one (Clopper-Pearson, 95 %). ``evidence`` is that of the last hold. Without
    requests of the stable arm the limit stays as it is.
    """
    found: Mapping[str, MetricEvidence] = {} if evidence is None else evidence.metrics
    made = {}
    for check in plan.checks:
        if check.method is not Method.SEQUENTIAL:
            continue
        stable = found[check.name].stable if check.name in found else _NONE
        tested = limits(check, stable)
        limit = check.limit if tested is None or check.quality is None else tested.alarm
        upper = clopper_pearson(stable.k, stable.n)[1] if stable.n else HIGHEST_LIMIT
        made[check.name] = min(limit, BAKE_MARGIN * upper)
    return made


def _unseen(metric: MetricEvidence, check: Check, plan: Plan, now: datetime) -> str | None:
    if metric.trouble is not None:
        return f"{check.label}: {metric.trouble}"
    if metric.no_data is not None:
        return f"{check.label}: no data of the candidate since {clock(metric.no_data)}"
    if now.timestamp() - metric.at > STALE_INTERVALS * plan.interval + plan.lag:
        return f"{check.label}: the last look was at {clock(metric.at)}"
    return None


def _verdict(evidence: Evidence, check: Check, plan: Plan, now: datetime) -> Verdict:
    metric = evidence.metrics.get(check.name)
    labelled = evidence.since.timestamp() + check.label_delay
    if check.label_delay and now.timestamp() < labelled:
        return say(check, Outcome.INCONCLUSIVE, f"{check.label}: labels are complete at {clock(labelled)}")
    if metric is None:
        return _waiting(check)
    if metric.alarm is not None:
        return _failed(metric.alarm, check, plan)
    unseen = _unseen(metric, check, plan, now)
    if unseen is not None:
        return _open(metric, check, Outcome.INCONCLUSIVE, unseen)
    return _judged(metric, check, plan)


def _judged(metric: MetricEvidence, check: Check, plan: Plan) -> Verdict:
    """What the method of the check says of what is seen."""
    if check.method is Method.DRIFT:
        return shift.verdict(metric, check)
    if check.method is Method.THRESHOLD:
        return literal.verdict(metric, check, plan)
    return _proved(metric, check, plan)


def _open(
    metric: MetricEvidence,
    check: Check,
    outcome: Outcome,
    message: str,
    *,
    eta: float | None = None,
    threshold: float | None = None,
) -> Verdict:
    """A verdict on all that was counted in the scope."""
    return say(
        check,
        outcome,
        message,
        seen=metric.candidate,
        stable=metric.stable,
        eta=eta,
        threshold=threshold,
        window=float(metric.at - metric.first),
    )


def _waiting(check: Check) -> Verdict:
    return say(check, Outcome.INCONCLUSIVE, f"{check.label}: waiting for the first look")


def _proved(metric: MetricEvidence, check: Check, plan: Plan) -> Verdict:
    """What the candidate's counts say as long as there is no alarm."""
    seen = metric.candidate
    if not seen.n:
        return _open(metric, check, Outcome.INCONCLUSIVE, f"{check.label}: no request yet")
    text = f"{check.label} {figures(seen)}"
    tested = limits(check, metric.stable)
    if tested is None:
        text += " has nothing to be compared with: no labels of stable, and no frozen baseline"
        return _open(metric, check, Outcome.INCONCLUSIVE, text)
    if is_held(metric, plan):
        return _held(metric, check, tested.alarm)
    outcome, eta = Outcome.INCONCLUSIVE, None
    scale, limit = phi(metric, check, plan), tested.proof
    more = proof.requests_to_proof(n=seen.n / scale, k=seen.k / scale, null=limit)
    if more is None:
        text += f" is not under {percent(limit)}"
    else:
        more = max(more * scale, float(check.min_samples - seen.n))
        if more <= 0.0:
            outcome, text = Outcome.PASS, f"{text} is under {percent(limit)}"
        else:
            eta = more * (metric.at - metric.first) / seen.n
            text += (
                f" is not yet proved under {percent(limit)}: about {more:,.0f} more requests "
                f"at this rate, in about {duration(eta)}"
            )
    return _open(metric, check, outcome, text, eta=eta, threshold=tested.alarm)


def _held(metric: MetricEvidence, check: Check, limit: float) -> Verdict:
    """An alarm that is not raised, because stable is over the limit as well."""
    run = metric.run
    text = (
        f"{check.label} {figures(run.candidate)} in {duration(run.at - run.since)} is over {percent(limit)}"
    )
    if run.stable.n:
        text += f", and so is stable with {percent(run.stable.k / run.stable.n)}"
    text += ": the fault is shared, taking the candidate back would not help"
    verdict = say(check, Outcome.INCONCLUSIVE, text, seen=run.candidate, stable=run.stable, threshold=limit)
    return replace(verdict, reason=Fault.SHARED_FAULT.value, window=run.at - run.since)


def _failed(alarm: Alarm, check: Check, plan: Plan) -> Verdict:
    if check.method is Method.THRESHOLD:
        return literal.failed(alarm, check, plan)
    run, limit, relative = alarm.run, alarm.limit, alarm.relative
    well = run.stable.k <= check.null * run.stable.n
    if relative and well and clopper_pearson(run.candidate.k, run.candidate.n)[0] > check.null:
        # Whichever alarm was first: who alone is surely over the limit too is told so, without comparison.
        relative, limit = False, check.null
    text = f"{check.label} {figures(run.candidate)} in {duration(run.at - run.since)} is over "
    if relative:
        baseline = run.stable.k / run.stable.n if run.stable.n else 0.0
        limit = alarm.limit * baseline
        text += f"{alarm.limit:g} times that of stable, which had {percent(baseline)} in the same time"
    else:
        text += percent(limit)
        if run.stable.n:
            text += f"; stable had {percent(run.stable.k / run.stable.n)} in the same time"
    verdict = say(check, Outcome.FAIL, text, seen=run.candidate, stable=run.stable, threshold=limit)
    return replace(verdict, tier=alarm.tier, window=run.at - run.since)
