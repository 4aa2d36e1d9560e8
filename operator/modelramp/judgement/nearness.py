"""How near a check is to its proof and to an alarm: for people and charts; no verdict reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.judgement import alarm, proof
from modelramp.judgement.gates import phi
from modelramp.judgement.limits import limits
from modelramp.judgement.verdict import Method

if TYPE_CHECKING:
    from modelramp.judgement.plan import Check, Plan
    from modelramp.judgement.state import MetricEvidence


def to_proof(metric: MetricEvidence, check: Check, plan: Plan) -> float | None:
    """The e-value that there is of the one that is wanted, as logarithms: 1 and over is proved, 0 is nothing.

    None: no requests, nothing to compare with, or another method. `min_samples` and what the latest look saw
    are not in it.
    """
    seen, tested = metric.candidate, limits(check, metric.stable)
    if check.method is not Method.SEQUENTIAL or not seen.n or tested is None:
        return None
    scale = phi(metric, check, plan)
    evidence = proof.log_evidence(n=seen.n / scale, k=seen.k / scale, null=tested.proof)
    return max(0.0, evidence / proof.LOG_PROVED)


def to_alarm(metric: MetricEvidence, check: Check, plan: Plan) -> float | None:
    """How much there is of what raises the nearest alarm: 1 and over is an alarm, 0 is nothing.

    Of A and B it is the mixture's logarithm over the threshold; by the literal rule the part of the duration
    for which the value has been bad. None: nothing was counted yet.
    """
    if check.method is Method.THRESHOLD:
        stretch = metric.stretch
        if stretch is None:
            return None
        lasts = stretch.looks * plan.interval / check.duration if check.duration else 1.0
        return lasts if stretch.bad else 0.0
    absolute = alarm.threshold(plan.interval)
    compared = alarm.threshold(plan.interval, alarm.RELATIVE_RUN_LENGTH)
    levels = ((metric.fail, absolute), (metric.critical, absolute), (metric.relative, compared))
    shares = [alarm.log_mixture(level) / most for level, most in levels if level]
    return max(0.0, *shares) if shares else None
