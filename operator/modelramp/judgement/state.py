"""The statistics of one check in one scope, and how a status stores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelramp.judgement.histogram import Accumulated
from modelramp.judgement.seen import Counts
from modelramp.judgement.split import Split
from modelramp.judgement.verdict import Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONE = Counts()


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of looks: after ``since`` up to ``at`` (Unix seconds), with what both arms counted in it."""

    since: int
    at: int
    candidate: Counts = _NONE
    stable: Counts = _NONE


@dataclass(frozen=True, slots=True)
class Alarm:
    """A failure that was seen; it stays.

    Attributes:
        tier: How bad.
        limit: The share (or value) that was tested; for alarm B the ratio to stable that is forgiven.
        run: What it is about.
        relative: Whether it is alarm B.
        value, baseline: By the literal rule: the last values of the arms.
    """

    tier: Tier
    limit: float
    run: Run
    relative: bool = False
    value: float | None = None
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Looks in a row with a value on the same side of a limit: the bad one, or the good one."""

    bad: bool
    looks: int
    run: Run


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEvidence:
    """The statistics of one check in one scope.

    Attributes:
        first: Grid point of the first counters (Unix seconds); only what came after it counts.
        at: Grid point of the last look that is counted.
        candidate, stable: Sums since ``first``.
        looks, spread: Of the stable arm, for the dispersion: looks with requests, and the sum of k^2/n.
        left_out: Of ``stable``, what is not in ``looks`` and ``spread``: a fault of stable is no burst.
        fail, critical: Levels of alarm A's tiers.
        run: The looks since the level of ``fail`` was last at zero: what an alarm is about.
        relative, relative_run: The same of alarm B; both are carried from step to step.
        watch: Levels of alarm A's fail tier on the stable arm; empty while none is over zero.
        stretch, critical_stretch: Method Threshold: the latest looks on one side of either limit.
        value, baseline: Method Threshold: the latest values of the arms.
        histogram, stable_histogram: Method Drift: what the arms answered in the scope's last day.
        split: Of a check that counts at the router: how the arms shared the requests.
        alarm: The failure, once there is one.
        no_data: First of the latest looks without any series of the candidate; None when there are.
        trouble: Why the latest look could not be counted; None when it was.
    """

    first: int
    at: int
    candidate: Counts = _NONE
    stable: Counts = _NONE
    looks: int = 0
    spread: float = 0.0
    left_out: Counts = _NONE
    fail: tuple[float, ...] = ()
    critical: tuple[float, ...] = ()
    run: Run
    relative: tuple[float, ...] = ()
    relative_run: Run | None = None
    watch: tuple[float, ...] = ()
    stretch: Stretch | None = None
    critical_stretch: Stretch | None = None
    value: float | None = None
    baseline: float | None = None
    histogram: Accumulated | None = None
    stable_histogram: Accumulated | None = None
    split: Split | None = None
    alarm: Alarm | None = None
    no_data: int | None = None
    trouble: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON objects, numbers and strings; what a check does not use is left out."""
        data: dict[str, Any] = {
            "first": self.first,
            "at": self.at,
            "candidate": _pair(self.candidate),
            "stable": _pair(self.stable),
            "looks": self.looks,
            "spread": self.spread,
            "leftOut": _pair(self.left_out) if self.left_out.n else None,
            "fail": list(self.fail),
            "critical": list(self.critical),
            "run": _run(self.run),
            "relative": list(self.relative) or None,
            "relativeRun": None if self.relative_run is None else _run(self.relative_run),
            "watch": list(self.watch) or None,
            "stretch": _stretch(self.stretch),
            "criticalStretch": _stretch(self.critical_stretch),
            "value": self.value,
            "baseline": self.baseline,
            "histogram": _bins(self.histogram),
            "stableHistogram": _bins(self.stable_histogram),
            "split": None if self.split is None else self.split.to_list(),
            "alarm": _alarm(self.alarm),
            "noData": self.no_data,
            "trouble": self.trouble,
        }
        return {name: value for name, value in data.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MetricEvidence:
        """The inverse of `to_dict`.

        Raises:
            KeyError, TypeError, IndexError, ValueError: The data is not what `to_dict` writes.
        """
        relative_run, stretch, critical = (
            data.get(name) for name in ("relativeRun", "stretch", "criticalStretch")
        )
        return cls(
            first=int(data["first"]),
            at=int(data["at"]),
            candidate=_counts(data["candidate"]),
            stable=_counts(data["stable"]),
            looks=int(data["looks"]),
            spread=float(data["spread"]),
            left_out=_counts(data.get("leftOut", (0, 0))),
            fail=_levels(data["fail"]),
            critical=_levels(data["critical"]),
            run=_run_of(data["run"]),
            relative=_levels(data.get("relative", ())),
            relative_run=None if relative_run is None else _run_of(relative_run),
            watch=_levels(data.get("watch", ())),
            stretch=None if stretch is None else _stretch_of(stretch),
            critical_stretch=None if critical is None else _stretch_of(critical),
            value=_number(data.get("value")),
            baseline=_number(data.get("baseline")),
            histogram=_bins_of(data.get("histogram")),
            stable_histogram=_bins_of(data.get("stableHistogram")),
            split=None if data.get("split") is None else Split.from_list(data["split"]),
            alarm=None if data.get("alarm") is None else _alarm_of(data["alarm"]),
            no_data=None if data.get("noData") is None else int(data["noData"]),
            trouble=data.get("trouble"),
        )


def _pair(counts: Counts) -> list[int]:
    return [counts.n, counts.k]


def _counts(data: list[int]) -> Counts:
    return Counts(int(data[0]), int(data[1]))


def _levels(data: list[float]) -> tuple[float, ...]:
    return tuple(float(level) for level in data)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _bins(histogram: Accumulated | None) -> list[list[Any]] | None:
    return None if histogram is None else histogram.to_list()


def _bins_of(data: list[list[Any]] | None) -> Accumulated | None:
    return None if data is None else Accumulated.from_list(data)


def _run(run: Run) -> list[int]:
    return [run.since, run.at, *_pair(run.candidate), *_pair(run.stable)]


def _run_of(data: list[int]) -> Run:
    return Run(int(data[0]), int(data[1]), _counts(data[2:4]), _counts(data[4:6]))


def _stretch(stretch: Stretch | None) -> dict[str, Any] | None:
    if stretch is None:
        return None
    return {"bad": stretch.bad, "looks": stretch.looks, "run": _run(stretch.run)}


def _stretch_of(data: Mapping[str, Any]) -> Stretch:
    return Stretch(bool(data["bad"]), int(data["looks"]), _run_of(data["run"]))


def _alarm(alarm: Alarm | None) -> dict[str, Any] | None:
    if alarm is None:
        return None
    data: dict[str, Any] = {"tier": str(alarm.tier), "limit": alarm.limit, "run": _run(alarm.run)}
    if alarm.relative:
        data["relative"] = True
    if alarm.value is not None:
        data["value"] = alarm.value
    if alarm.baseline is not None:
        data["baseline"] = alarm.baseline
    return data


def _alarm_of(data: Mapping[str, Any]) -> Alarm:
    return Alarm(
        tier=Tier(data["tier"]),
        limit=float(data["limit"]),
        run=_run_of(data["run"]),
        relative=bool(data.get("relative", False)),
        value=_number(data.get("value")),
        baseline=_number(data.get("baseline")),
    )
