"""What is checked and against which limits: the part of a rollout's pinned plan that judgement reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelramp.judgement.verdict import Direction, Method

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.histogram import Histogram

# Without a history of the stable revision, errors are taken to come in bursts of about this size.
BURSTY = 5.0
# The design's figures for bursts are for looks of half a minute and more.
LONG_LOOK = 30.0
HIGHEST_LIMIT = 0.9
# What alarm B forgives over stable's rate.
RATIO = 1.25


def prior_dispersion(interval: float) -> float:
    """Dispersion of errors per look (Pearson, 1 = independent) that is assumed before any is measured.

    Looks of 30 s and more: 5, so that a proof needs about 350 requests instead of 70 and a burst of ten
    errors is no alarm. Shorter looks fall in a line towards 1. The prior weighs as much as 30 measured
    looks: that is 15 minutes for looks of 30 s, in which an alarm by chance must not happen, but only seconds
    for looks of 1 s, which somebody chooses who wants answers in seconds.

    Simulated, a revision at the limit with errors in bursts of five passed within 600 looks in 2 of 24 runs
    by this rule and in 7 with a prior of 1 at looks of 30 s; in 4 by either at looks of 1 s, in 2 with 5.
    No false alarm in 24 runs each (1 % errors, 24 h and 1 h, bursts of 1, 5 and 10).
    """
    return 1.0 + (BURSTY - 1.0) * min(1.0, interval / LONG_LOOK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Limits that follow a reference q, the share of right answers: fail 1 - 0.9 q, critical 1 - 0.85 q.

    Attributes:
        baseline: q as frozen with the stable version, for as long as the stable arm has too few labels.
        fail: The part of q that must be left.
        critical: The part of q below which nothing excuses; ``None`` = there is no such tier.

    Raises:
        ValueError: A part or the baseline is not between 0 and 1, or critical is not below fail.
    """

    baseline: float | None = None
    fail: float = 0.9
    critical: float | None = 0.85

    def __post_init__(self) -> None:
        for field in ("baseline", "fail", "critical"):
            value = getattr(self, field)
            if value is not None and not 0.0 < value <= 1.0:
                raise ValueError(f"quality: {field} is {value}; give a share over 0 and up to 1")
        if self.critical is not None and self.critical >= self.fail:
            raise ValueError(f"quality: critical {self.critical} must be below fail {self.fail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure with its limits: a proportion of bad requests (0 to 1), a gauge, or with Drift a PSI.

    Attributes:
        name: ``error-rate`` or ``latency``; also the name of the profile's template.
        reason: Reason of the rollback when it fails.
        label: How people call the figure, e.g. ``error rate``.
        limit: Sequential: the candidate must be proved to be under it. Threshold and Drift: the last good
            value.
        critical_limit: Limit of the critical tier; ``None`` = there is no such tier.
        alarm_limit: Limit of the alarm where it differs from ``limit`` (in the bake); ``None`` = ``limit``.
        ratio: How many times stable's rate is forgiven by alarm B; ``None`` = not compared with stable.
        history: Dispersion of the stable revision before the rollout; ``None`` = too little is known.
            It must stay as it is for the whole rollout, or a replay would differ from what was seen live.
        quality: Limits that follow stable's quality, in place of ``limit``; ``None`` = fixed limits.
        label_delay: Seconds until labels are complete; looks of a scope begin after it.
        min_samples: Pass (and with Threshold Fail) only with as many requests, or values of a gauge.
        method: Sequential tests, the literal rule, or the distance of histograms.
        direction: Threshold: which side of the limit is the better one.
        shift_expected: Drift: the candidate is meant to answer otherwise.
        frozen: Drift: what its version answered when it was made, for where stable shows nothing.
        duration: Threshold: for how many seconds every look must say the same.
        profile: Which metrics profile knows the query.
        routed: Whether the router counts it: its requests tell which share each arm gets.
        query: PromQL for people to paste.

    Raises:
        ValueError: A limit is not between 0 and 0.9 or no number, the critical one is on the wrong side of
            the limit, or another figure makes no sense.
    """

    name: str
    reason: str
    label: str
    limit: float
    critical_limit: float | None = None
    alarm_limit: float | None = None
    ratio: float | None = None
    history: Dispersion | None = None
    quality: Quality | None = None
    label_delay: float = 0.0
    min_samples: int = 0
    method: Method = Method.SEQUENTIAL
    direction: Direction = Direction.LOWER
    shift_expected: bool = False
    frozen: Histogram | None = None
    duration: float = 300.0
    profile: str = "envoy"
    routed: bool = False
    query: str = ""

    def __post_init__(self) -> None:
        for field in ("limit", "critical_limit", "alarm_limit"):
            self._check_limit(field)
        if self.critical_limit is not None and not self.is_bad(self.critical_limit):
            side = "over" if self.direction is Direction.LOWER else "under"
            raise ValueError(
                f"check {self.name}: critical_limit {self.critical_limit} must be {side} "
                f"the limit {self.limit}"
            )
        if self.ratio is not None and not 1.0 < self.ratio < math.inf:
            raise ValueError(f"check {self.name}: ratio is {self.ratio}; give a number over 1, such as 1.25")
        for field in ("label_delay", "min_samples", "duration"):
            value = getattr(self, field)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"check {self.name}: {field} is {value}; give 0 or more")
        if self.method is not Method.SEQUENTIAL and (self.ratio is not None or self.quality is not None):
            raise ValueError(f"check {self.name}: ratio and quality need the method Sequential")
        if self.method is Method.DRIFT and (self.limit <= 0.0 or self.critical_limit is not None):
            raise ValueError(f"check {self.name}: give a PSI over 0 as limit, and no critical_limit")
        if self.method is Method.SEQUENTIAL and self.direction is not Direction.LOWER:
            raise ValueError(
                f"check {self.name}: a share of bad requests is better when lower; see Threshold"
            )

    def _check_limit(self, field: str) -> None:
        value = getattr(self, field)
        if value is None:
            return
        if self.method is Method.SEQUENTIAL and not 0.0 < value <= HIGHEST_LIMIT:
            raise ValueError(f"check {self.name}: {field} is {value}; give a share over 0 and up to 0.9")
        if not math.isfinite(value):
            raise ValueError(f"check {self.name}: {field} is {value}; give a number")

    def is_bad(self, value: float, limit: float | None = None) -> bool:
        """Whether the value is on the worse side of the limit; the limit itself is good."""
        edge = self.limit if limit is None else limit
        return value > edge if self.direction is Direction.LOWER else value < edge

    @property
    def null(self) -> float:
        """The share that the alarm tests against."""
        return self.limit if self.alarm_limit is None else self.alarm_limit


def error_rate(
    *,
    limit: float = 0.05,
    critical_limit: float | None = 0.10,
    ratio: float | None = RATIO,
    history: Dispersion | None = None,
    query: str = "",
) -> Check:
    """Share of requests that the server failed (5xx)."""
    return Check(
        name="error-rate",
        reason="ErrorRate",
        label="error rate",
        limit=limit,
        critical_limit=critical_limit,
        ratio=ratio,
        history=history,
        query=query,
    )


def latency(
    *,
    limit: float = 0.05,
    ratio: float | None = RATIO,
    history: Dispersion | None = None,
    query: str = "",
) -> Check:
    """Share of requests over 500 ms; at most 5 % of them is the same as p95 <= 500 ms."""
    return Check(
        name="latency",
        reason="Latency",
        label="share over 500 ms",
        limit=limit,
        ratio=ratio,
        history=history,
        query=query,
    )


def quality(
    *,
    baseline: float | None = None,
    label_delay: float = 0.0,
    history: Dispersion | None = None,
    query: str = "",
) -> Check:
    """Share of labelled outcomes that were wrong, against that of the stable arm (or the frozen baseline)."""
    limits = Quality(baseline=baseline)
    return Check(
        name="quality",
        reason="Quality",
        label="share of wrong answers",
        # shown until there is a reference
        limit=min(HIGHEST_LIMIT, 1.0 - limits.fail * (1.0 if baseline is None else baseline)),
        quality=limits,
        label_delay=label_delay,
        history=history,
        query=query,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The checks of a rollout and their clock.

    Attributes:
        checks: In the order in which they are shown.
        interval: Seconds between looks; looks lie at whole multiples of it in Unix time.
        lag: Seconds after its grid point at which a look's counters are expected at the latest (ingestion
            delay, timeouts). Evidence that is older than that and three intervals counts as no evidence.
        phi0: Dispersion assumed before any is measured; ``None`` = `prior_dispersion` of the interval.

    Raises:
        ValueError: The interval is under one second, or phi0 under 1.
    """

    checks: tuple[Check, ...]
    interval: int
    lag: float = 60.0
    phi0: float | None = None

    def __post_init__(self) -> None:
        if self.interval < 1:
            raise ValueError(f"interval is {self.interval} s; give at least 1 s")
        if self.phi0 is not None and not (self.phi0 >= 1.0 and math.isfinite(self.phi0)):
            raise ValueError(f"phi0 is {self.phi0}; a dispersion is at least 1")

    @property
    def prior(self) -> float:
        """The dispersion to start from."""
        return prior_dispersion(self.interval) if self.phi0 is None else self.phi0

    def check(self, name: str) -> Check:
        """The check of that name.

        Raises:
            KeyError: There is none.
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check {name!r}; this plan has {[c.name for c in self.checks]}")

    def baking(self, limits: Mapping[str, float]) -> Plan:
        """The same plan with the alarms' limits for the bake, where no other arm is left: `bake_limits`."""
        checks = tuple(replace(c, alarm_limit=limits.get(c.name, c.alarm_limit)) for c in self.checks)
        return replace(self, checks=checks)
