"""The judgement's plan for the present step, made from what the rollout was pinned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.analysis import (
    ERROR_RATE,
    PREDICTION_DRIFT,
    QUALITY,
    MetricMethod,
    Profile,
    format_latency,
)
from modelramp.api.modeldeployment import RollbackReason
from modelramp.judgement import plan as judgement
from modelramp.judgement.dispersion import Dispersion
from modelramp.judgement.drift import FAIL_LIMIT
from modelramp.judgement.verdict import Direction, Method
from modelramp.rollout.revision import Revision

if TYPE_CHECKING:
    from modelramp.api.analysis import Metric
    from modelramp.api.status import PlanStatus
    from modelramp.judgement.histogram import Histogram
    from modelramp.rollout.facts import Facts

_DURATION = 300.0
# What ``expectedShift`` and frozen histograms call the distribution of the answers.
PREDICTION = "prediction"
# Who counts where the requests are split.
_ROUTERS = frozenset({Profile.ENVOY, Profile.ISTIO, Profile.ENVOY_GATEWAY})
_LABELS = {
    ERROR_RATE: "error rate",
    QUALITY: "share of wrong answers",
    PREDICTION_DRIFT: PREDICTION,
    "time-to-first-token": "first token",
    "inter-token-latency": "time per token",
}
_REASONS = {
    ERROR_RATE: RollbackReason.ERROR_RATE,
    QUALITY: RollbackReason.QUALITY,
    PREDICTION_DRIFT: RollbackReason.PREDICTION_SHIFT,
    "latency": RollbackReason.LATENCY,
    "time-to-first-token": RollbackReason.LATENCY,
    "inter-token-latency": RollbackReason.LATENCY,
}


def judgement_plan(plan: PlanStatus, *, baking: bool, facts: Facts) -> judgement.Plan:
    """The checks of a step, or of the bake, in which the alarms have limits of their own.

    Args:
        plan: the rollout's pinned plan.
        baking: whether the only arm left is the promoted revision.
        facts: its queries for people, and its lag.
    """
    history = plan.history or {}
    declared = frozenset(plan.expected_shift or ())
    wanted = facts.wanted if isinstance(facts.wanted, Revision) else None
    # After the promotion nobody can tell a shift of the model from one of the world.
    known = wanted is not None and wanted.name == plan.revision and not baking
    frozen = wanted.frozen.get(PREDICTION) if wanted is not None and known else None
    checks = tuple(
        _check(
            metric,
            query=facts.queries.get(metric.name, ""),
            history=history.get(metric.name),
            declared=declared,
            frozen=frozen,
        )
        for metric in plan.analysis.metrics
    )
    made = judgement.Plan(checks=checks, interval=int(plan.analysis.interval.total_seconds()), lag=facts.lag)
    return made.baking(plan.bake_limits or {}) if baking else made


def _check(
    metric: Metric,
    *,
    query: str,
    history: list[float] | None,
    declared: frozenset[str],
    frozen: Histogram | None,
) -> judgement.Check:
    shared = {
        "name": metric.name,
        "reason": _REASONS.get(metric.name, RollbackReason.METRIC_LIMIT).value,
        "label": label_of(metric),
        "min_samples": metric.min_samples or 0,
        "label_delay": metric.label_delay.total_seconds() if metric.label_delay else 0.0,
        "profile": metric.profile.value,
        "routed": metric.name == ERROR_RATE and metric.profile in _ROUTERS,
        "query": query,
    }
    if metric.is_drift:
        return judgement.Check(
            **shared,  # type: ignore[arg-type]
            limit=FAIL_LIMIT if metric.limit is None else metric.limit,
            method=Method.DRIFT,
            shift_expected=PREDICTION in declared,
            frozen=frozen,
        )
    if metric.method is MetricMethod.THRESHOLD:
        return judgement.Check(
            **shared,  # type: ignore[arg-type]
            limit=metric.limit or 0.0,
            critical_limit=metric.critical_limit,
            method=Method.THRESHOLD,
            direction=Direction(metric.direction.value) if metric.direction else Direction.LOWER,
            duration=metric.duration.total_seconds() if metric.duration else _DURATION,
        )
    relative = metric.limit is None
    return judgement.Check(
        **shared,  # type: ignore[arg-type]
        limit=judgement.HIGHEST_LIMIT if metric.limit is None else metric.limit,
        critical_limit=metric.critical_limit,
        # Wrong answers are held against those of stable already where there is no limit.
        ratio=None if relative else 1.0 + (metric.relative_margin or judgement.RATIO - 1.0),
        quality=judgement.Quality() if relative else None,
        history=dispersion_of(history),
    )


def label_of(metric: Metric) -> str:
    """What people call the figure."""
    known = _LABELS.get(metric.name, metric.name)
    over = format_latency(metric.slower_than) if metric.slower_than else ""
    if metric.name == "latency":
        return f"share over {over or '500 ms'}"
    return f"{known} over {over}" if over else known


def dispersion_of(stored: list[float] | None) -> Dispersion | None:
    """A history as the plan has pinned it: dispersion, looks, bad requests, and by now all requests."""
    if stored is None:
        return None
    phi, looks, bad, *rest = stored
    requests = int(rest[0]) if rest else 0
    return Dispersion(phi=max(1.0, phi), looks=int(looks), bad=int(bad), requests=requests)
