"""What has been seen in one scope, as sufficient statistics that fit into a status.

Evidence is a pure fold over looks on the grid, so it can be stored anywhere on the way and continued from
there: live state and state replayed from a checkpoint are equal to the last bit. A scope is one step of one
rollout (``<rollout id>/<index>``); nothing crosses scopes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from modelramp.judgement import alarm, dispersion
from modelramp.judgement.verdict import Arm, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.plan import Check, Plan


@dataclass(frozen=True, slots=True)
class Counts:
    """n requests of which k were bad.

    Raises:
        ValueError: Not 0 <= k <= n.
    """

    n: int = 0
    k: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(f"{self.k} bad ones of {self.n} requests cannot be")

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.n + other.n, self.k + other.k)


@dataclass(frozen=True, slots=True)
class NoData:
    """The provider answered, and has no series of this arm."""


@dataclass(frozen=True, slots=True)
class ProviderError:
    """The provider did not answer, or with what cannot be counted."""

    message: str


Seen: TypeAlias = Counts | NoData | ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one metric showed at the grid point ``at`` (Unix seconds), since the one before; per arm."""

    at: int
    arms: Mapping[Arm, Seen]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of looks: after ``since`` up to ``at`` (Unix seconds), with what both arms counted in it."""

    since: int
    at: int
    candidate: Counts = Counts()
    stable: Counts = Counts()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A failure that was seen; it stays. ``limit`` is the share that was tested."""

    tier: Tier
    limit: float
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEvidence:
    """The statistics of one check in one scope.

    Attributes:
        first: Grid point of the first counters (Unix seconds); only what came after it counts.
        at: Grid point of the last look that is counted.
        candidate, stable: Sums since ``first``.
        looks, spread: Of the stable arm, for the dispersion: looks with requests, and the sum of k^2/n.
        fail, critical: Levels of the alarms.
        run: The looks since the alarm's level was last at zero: what an alarm is about.
        alarm: The failure, once there is one.
        no_data: First of the latest looks without any series of the candidate; None when there are.
        trouble: Why the latest look could not be counted; None when it was.
    """

    first: int
    at: int
    candidate: Counts = Counts()
    stable: Counts = Counts()
    looks: int = 0
    spread: float = 0.0
    fail: tuple[float, ...] = ()
    critical: tuple[float, ...] = ()
    run: Run
    alarm: Alarm | None = None
    no_data: int | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All checks of one scope. ``since`` is the acknowledgement of the route, from which the scope began."""

    scope: str
    since: datetime
    metrics: Mapping[str, MetricEvidence] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """As JSON objects, numbers and strings; `from_dict` gives back an equal object."""
        metrics = {name: _metric_to_dict(metric) for name, metric in self.metrics.items()}
        return {"scope": self.scope, "since": self.since.isoformat(), "metrics": metrics}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """The inverse of `to_dict`.

        Raises:
            ValueError: The data is not what `to_dict` writes.
        """
        try:
            metrics = {name: _metric_from_dict(metric) for name, metric in data["metrics"].items()}
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
    return first_look(evidence.since, plan.interval) if metric is None else metric.at


def advance(evidence: Evidence, check: str, look: Look, plan: Plan) -> Evidence:
    """The evidence after one more look; a look that is already counted changes nothing."""
    metric = _metric(evidence, check, plan)
    if look.at <= metric.at:
        return evidence
    candidate = look.arms.get(Arm.CANDIDATE, NoData())
    stable = look.arms.get(Arm.STABLE, NoData())
    metric = replace(
        metric,
        at=look.at,
        no_data=(metric.no_data or look.at) if isinstance(candidate, NoData) else None,
        trouble=candidate.message if isinstance(candidate, ProviderError) else None,
    )
    counted_stable = stable if isinstance(stable, Counts) else Counts()
    if counted_stable.n:
        metric = replace(
            metric,
            stable=metric.stable + counted_stable,
            looks=metric.looks + 1,
            spread=metric.spread + counted_stable.k**2 / counted_stable.n,
        )
    counted = candidate if isinstance(candidate, Counts) else Counts()
    metric = replace(metric, candidate=metric.candidate + counted)
    metric = _test(metric, counted, counted_stable, plan.check(check), plan)
    return _with(evidence, check, metric)


def interrupted(evidence: Evidence, check: str, message: str, plan: Plan) -> Evidence:
    """The evidence when the provider did not answer: nothing is counted, the looks are replayed later."""
    return _with(evidence, check, replace(_metric(evidence, check, plan), trouble=message))


def phi(metric: MetricEvidence, plan: Plan) -> float:
    """The dispersion of errors per look, as far as the stable arm has shown it in this scope."""
    stable = metric.stable
    return dispersion.shrunk(
        looks=metric.looks, n=stable.n, k=stable.k, spread=metric.spread, prior=plan.prior
    )


def _test(
    metric: MetricEvidence, candidate: Counts, stable: Counts, check: Check, plan: Plan
) -> MetricEvidence:
    """Both tiers of the alarm after this look's counts, and the stretch that they are about."""
    levels = metric.fail
    fresh = not levels or max(levels) <= 0.0
    run = Run(metric.at - plan.interval, metric.at) if fresh else metric.run
    run = Run(run.since, metric.at, run.candidate + candidate, run.stable + stable)
    fail, critical, raised = metric.fail, metric.critical, metric.alarm
    if candidate.n:
        scale, interval = phi(metric, plan), plan.interval
        fail = alarm.update(fail, n=candidate.n, k=candidate.k, null=check.null, phi=scale, interval=interval)
        if raised is None and alarm.raised(fail, interval=interval):
            raised = Alarm(Tier.FAIL, check.null, run)
        if check.critical_limit is not None:
            limit = check.critical_limit
            critical = alarm.update(
                critical, n=candidate.n, k=candidate.k, null=limit, phi=scale, interval=interval
            )
            worse = raised is None or raised.tier is Tier.FAIL
            if worse and alarm.raised(critical, interval=interval):
                raised = Alarm(Tier.CRITICAL, limit, run)
    return replace(metric, fail=fail, critical=critical, run=run, alarm=raised)


def _metric(evidence: Evidence, check: str, plan: Plan) -> MetricEvidence:
    metric = evidence.metrics.get(check)
    if metric is not None:
        return metric
    first = first_look(evidence.since, plan.interval)
    return MetricEvidence(first=first, at=first, run=Run(first, first))


def _with(evidence: Evidence, check: str, metric: MetricEvidence) -> Evidence:
    return replace(evidence, metrics=MappingProxyType({**evidence.metrics, check: metric}))


def _run_to_list(run: Run) -> list[int]:
    return [run.since, run.at, run.candidate.n, run.candidate.k, run.stable.n, run.stable.k]


def _run_from_list(data: list[int]) -> Run:
    return Run(int(data[0]), int(data[1]), _counts(data[2:4]), _counts(data[4:6]))


def _counts(data: list[int]) -> Counts:
    return Counts(int(data[0]), int(data[1]))


def _metric_to_dict(metric: MetricEvidence) -> dict[str, Any]:
    raised = metric.alarm
    data: dict[str, Any] = {
        "first": metric.first,
        "at": metric.at,
        "candidate": [metric.candidate.n, metric.candidate.k],
        "stable": [metric.stable.n, metric.stable.k],
        "looks": metric.looks,
        "spread": metric.spread,
        "fail": list(metric.fail),
        "critical": list(metric.critical),
        "run": _run_to_list(metric.run),
    }
    if raised is not None:
        data["alarm"] = {"tier": str(raised.tier), "limit": raised.limit, "run": _run_to_list(raised.run)}
    if metric.no_data is not None:
        data["noData"] = metric.no_data
    if metric.trouble is not None:
        data["trouble"] = metric.trouble
    return data


def _metric_from_dict(data: Mapping[str, Any]) -> MetricEvidence:
    raised = data.get("alarm")
    return MetricEvidence(
        first=int(data["first"]),
        at=int(data["at"]),
        candidate=_counts(data["candidate"]),
        stable=_counts(data["stable"]),
        looks=int(data["looks"]),
        spread=float(data["spread"]),
        fail=tuple(float(level) for level in data["fail"]),
        critical=tuple(float(level) for level in data["critical"]),
        run=_run_from_list(data["run"]),
        alarm=None
        if raised is None
        else Alarm(Tier(raised["tier"]), float(raised["limit"]), _run_from_list(raised["run"])),
        no_data=None if data.get("noData") is None else int(data["noData"]),
        trouble=data.get("trouble"),
    )
