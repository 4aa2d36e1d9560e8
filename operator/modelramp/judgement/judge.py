"""From evidence to verdicts: what may be said at this moment, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelramp.judgement import proof
from modelramp.judgement.evidence import Alarm, Counts, Evidence, MetricEvidence, phi
from modelramp.judgement.plan import HIGHEST_LIMIT, Check, Plan
from modelramp.judgement.special import clopper_pearson
from modelramp.judgement.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

# Evidence older than this many intervals (and the plan's lag) is no evidence.
STALE_INTERVALS = 3
# What the bake forgives over the upper bound of the stable revision's own rate.
BAKE_MARGIN = 1.25
_NONE = Counts()


def judge(evidence: Evidence | None, plan: Plan, *, now: datetime) -> tuple[Verdict, ...]:
    """One verdict per check of the plan, in its order.

    ``Fail`` comes from an alarm alone and stays. ``Pass`` means proved under the limit, and that the latest
    look saw the candidate. Everything else is ``Inconclusive``, no data and no answer included.
    """
    metrics: Mapping[str, MetricEvidence] = {} if evidence is None else evidence.metrics
    return tuple(_verdict(metrics.get(check.name), check, plan, now) for check in plan.checks)


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
    """Per check the alarm's limit for the bake: ``min(limit, 1.25 x upper bound of stable's own rate)``.

    ``evidence`` is that of the last hold. Without requests of the stable arm the limit stays as it is.
    """
    limits = {}
    for check in plan.checks:
        metric = None if evidence is None else evidence.metrics.get(check.name)
        stable = Counts() if metric is None else metric.stable
        upper = clopper_pearson(stable.k, stable.n)[1] if stable.n else HIGHEST_LIMIT
        limits[check.name] = min(check.limit, BAKE_MARGIN * upper)
    return limits


def _unseen(metric: MetricEvidence, check: Check, plan: Plan, now: datetime) -> str | None:
    if metric.trouble is not None:
        return f"{check.label}: {metric.trouble}"
    if metric.no_data is not None:
        return f"{check.label}: no data of the candidate since {_clock(metric.no_data)}"
    if now.timestamp() - metric.at > STALE_INTERVALS * plan.interval + plan.lag:
        return f"{check.label}: the last look was at {_clock(metric.at)}"
    return None


def _verdict(  # noqa: PLR0911  one return per thing that can be said
    metric: MetricEvidence | None, check: Check, plan: Plan, now: datetime
) -> Verdict:
    if metric is None:
        return _say(check, Outcome.INCONCLUSIVE, f"{check.label}: waiting for the first look")
    if metric.alarm is not None:
        return _failed(metric.alarm, check)
    seen, stable = metric.candidate, metric.stable
    unseen = _unseen(metric, check, plan, now)
    if unseen is not None:
        return _say(check, Outcome.INCONCLUSIVE, unseen, seen=seen, stable=stable)
    if not seen.n:
        return _say(check, Outcome.INCONCLUSIVE, f"{check.label}: no request yet", stable=stable)
    figures = f"{check.label} {_figures(seen)}"
    scale = phi(metric, plan)
    more = proof.requests_to_proof(n=seen.n / scale, k=seen.k / scale, null=check.limit)
    if more == 0.0:
        return _say(
            check, Outcome.PASS, f"{figures} is under {_percent(check.limit)}", seen=seen, stable=stable
        )
    if more is None:
        text = f"{figures} is not under {_percent(check.limit)}"
        return _say(check, Outcome.INCONCLUSIVE, text, seen=seen, stable=stable)
    more *= scale
    eta = more * (metric.at - metric.first) / seen.n
    text = (
        f"{figures} is not yet proved under {_percent(check.limit)}: about {more:,.0f} more requests "
        f"at this rate, in about {_duration(eta)}"
    )
    return _say(check, Outcome.INCONCLUSIVE, text, seen=seen, stable=stable, eta=eta)


def _failed(alarm: Alarm, check: Check) -> Verdict:
    run = alarm.run
    text = (
        f"{check.label} {_figures(run.candidate)} in {_duration(run.at - run.since)} "
        f"is over {_percent(alarm.limit)}"
    )
    if run.stable.n:
        text += f"; stable had {_percent(run.stable.k / run.stable.n)} in the same time"
    verdict = _say(check, Outcome.FAIL, text, seen=run.candidate, stable=run.stable)
    return replace(verdict, tier=alarm.tier, threshold=alarm.limit)


def _say(
    check: Check,
    outcome: Outcome,
    message: str,
    *,
    seen: Counts = _NONE,
    stable: Counts = _NONE,
    eta: float | None = None,
) -> Verdict:
    return Verdict(
        metric=check.name,
        reason=check.reason,
        outcome=outcome,
        tier=None,
        value=seen.k / seen.n if seen.n else None,
        baseline=stable.k / stable.n if stable.n else None,
        interval=clopper_pearson(seen.k, seen.n) if seen.n else None,
        n=seen.n,
        threshold=check.null,
        eta=eta,
        message=message,
        query=check.query,
    )


def _figures(counts: Counts) -> str:
    low, high = clopper_pearson(counts.k, counts.n)
    bounds = f"{_number(low)}–{_number(high)} %"
    return f"{_percent(counts.k / counts.n)} (95 % CI {bounds}, n={counts.n:,})"


def _number(share: float) -> str:
    percent = 100.0 * share
    digits = 1 if percent == 0.0 or percent >= 0.1 else 3  # noqa: PLR2004
    return f"{percent:.{digits}f}".rstrip("0").rstrip(".") if percent else "0"


def _percent(share: float) -> str:
    return f"{_number(share)} %"


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%H:%M:%S UTC")


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
