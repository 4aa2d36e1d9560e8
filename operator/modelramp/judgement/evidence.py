"""What has been seen in one scope, as sufficient statistics that fit into a status.

Evidence is a pure fold over looks on the grid, so it can be stored anywhere on the way and continued from
there: live state and state replayed from a checkpoint are equal to the last bit. A scope is one step of one
rollout (``<rollout id>/<index>``); nothing crosses scopes but the levels of alarm B (`carried`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from modelramp.judgement import alarm, literal, shift
from modelramp.judgement.gates import sequential
from modelramp.judgement.seen import Counts, Gauge, Look, NoData, ProviderError, Seen
from modelramp.judgement.split import Split
from modelramp.judgement.state import Alarm, MetricEvidence, Run
from modelramp.judgement.verdict import Arm, Method

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.plan import Plan

__all__ = [
    "Alarm",
    "Counts",
    "Evidence",
    "Gauge",
    "Look",
    "MetricEvidence",
    "NoData",
    "ProviderError",
    "Run",
    "Seen",
    "advance",
    "carried",
    "counted_until",
    "first_look",
    "interrupted",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All checks of one scope. ``since`` is the acknowledgement of the route, from which the scope began."""

    scope: str
    since: datetime
    metrics: Mapping[str, MetricEvidence] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """As JSON objects, numbers and strings; `from_dict` gives back an equal object."""
        metrics = {name: metric.to_dict() for name, metric in self.metrics.items()}
        return {"scope": self.scope, "since": self.since.isoformat(), "metrics": metrics}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """The inverse of `to_dict`.

        Raises:
            ValueError: The data is not what `to_dict` writes.
        """
        try:
            metrics = {name: MetricEvidence.from_dict(metric) for name, metric in data["metrics"].items()}
            since = datetime.fromisoformat(data["since"])
            return cls(scope=data["scope"], since=since, metrics=MappingProxyType(metrics))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"stored evidence cannot be read: {error!r}; it is counted anew") from error


def first_look(since: datetime, interval: int) -> int:
    """First grid point at or after the acknowledgement (Unix seconds): its counters are the scope's zero."""
    seconds = int(since.timestamp() // 1)
    exact = since.microsecond == 0
    return -(-(seconds if exact else seconds + 1) // interval) * interval


def counted_until(evidence: Evidence, check: str, plan: Plan) -> int:
    """Grid point up to which the check is counted; that of the first counters when nothing is yet."""
    metric = evidence.metrics.get(check)
    return _first(evidence, check, plan) if metric is None else metric.at


def advance(evidence: Evidence, check: str, look: Look, plan: Plan) -> Evidence:
    """The evidence after one more look; a look that is already counted changes nothing."""
    metric, rules = _metric(evidence, check, plan), plan.check(check)
    if look.at <= metric.at:
        return evidence
    candidate = look.arms.get(Arm.CANDIDATE, NoData())
    stable = look.arms.get(Arm.STABLE, NoData())
    if isinstance(candidate, Gauge) and rules.method is Method.SEQUENTIAL:
        candidate = ProviderError("the query gives a gauge; judge it with method: Threshold")
    no_data = (metric.no_data or look.at) if isinstance(candidate, NoData) else None
    trouble = candidate.message if isinstance(candidate, ProviderError) else None
    if (no_data, trouble) != (metric.no_data, metric.trouble):
        metric = replace(metric, no_data=no_data, trouble=trouble)
    if rules.routed and isinstance(candidate, Counts) and isinstance(stable, Counts):
        metric = replace(metric, split=(metric.split or Split()).add(candidate.n, stable.n))
    if rules.method is Method.DRIFT:
        metric = shift.count(metric, look.at, candidate, stable)
    elif rules.method is Method.THRESHOLD:
        metric = literal.count(metric, look.at, candidate, stable, check=rules, plan=plan)
    else:
        metric = sequential(metric, look.at, _counted(candidate), _counted(stable), check=rules, plan=plan)
    return _with(evidence, check, metric)


def interrupted(evidence: Evidence, check: str, message: str, plan: Plan) -> Evidence:
    """The evidence when the provider did not answer: nothing is counted, the looks are replayed later."""
    return _with(evidence, check, replace(_metric(evidence, check, plan), trouble=message))


def carried(before: Evidence, plan: Plan, *, scope: str, since: datetime) -> Evidence:
    """The evidence with which the next step begins: alarm B goes on, all else is counted anew.

    B compares the arms at whatever weights they have, so a step is no reason to forget what it has seen.
    The other statistics are of this step's traffic alone. An alarm that did not end the rollout (a person
    with the right to do so went on) is not raised again by the same requests: its levels are left behind.

    Args:
        before: evidence of the step before, as it is stored with the transition.
        plan: of the step that begins.
        scope: of the step that begins.
        since: acknowledgement of its route.
    """
    begun = Evidence(scope=scope, since=since)
    for check in plan.checks:
        old = before.metrics.get(check.name)
        if old is None or old.alarm is not None or check.ratio is None or not alarm.is_up(old.relative):
            continue
        new = _metric(begun, check.name, plan)
        new = replace(new, relative=old.relative, relative_run=old.relative_run)
        begun = _with(begun, check.name, new)
    return begun


def _counted(seen: Seen) -> Counts:
    return seen if isinstance(seen, Counts) else Counts()


def _first(evidence: Evidence, check: str, plan: Plan) -> int:
    # a check that an edit removed is still asked about, by answers that are under way
    delay = next((rules.label_delay for rules in plan.checks if rules.name == check), 0.0)
    return first_look(evidence.since + timedelta(seconds=delay), plan.interval)


def _metric(evidence: Evidence, check: str, plan: Plan) -> MetricEvidence:
    metric = evidence.metrics.get(check)
    if metric is not None:
        return metric
    first = _first(evidence, check, plan)
    return MetricEvidence(first=first, at=first, run=Run(first, first))


def _with(evidence: Evidence, check: str, metric: MetricEvidence) -> Evidence:
    return replace(evidence, metrics=MappingProxyType({**evidence.metrics, check: metric}))
