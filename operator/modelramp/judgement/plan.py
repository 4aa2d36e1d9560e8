"""What is checked and against which limits: the part of a rollout's pinned plan that judgement reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Without a history of the stable revision, errors are taken to come in bursts of about this size.
BURSTY = 5.0
# The design's figures for bursts are for looks of half a minute and more.
LONG_LOOK = 30.0
HIGHEST_LIMIT = 0.9


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
class Check:
    """One proportion of bad requests with its limits (shares, 0 to 1).

    Attributes:
        name: ``error-rate`` or ``latency``; also the name of the profile's template.
        reason: Reason of the rollback when it fails.
        label: How people call the figure, e.g. ``error rate``.
        limit: The candidate must be proved to be under it.
        critical_limit: Limit of the critical tier; ``None`` = there is no such tier.
        alarm_limit: Limit of the alarm where it differs from ``limit`` (in the bake); ``None`` = ``limit``.
        profile: Which metrics profile knows the query.
        query: PromQL for people to paste.

    Raises:
        ValueError: A limit is not between 0 and 0.9, or the critical one is not above the limit.
    """

    name: str
    reason: str
    label: str
    limit: float
    critical_limit: float | None = None
    alarm_limit: float | None = None
    profile: str = "envoy"
    query: str = ""

    def __post_init__(self) -> None:
        for field in ("limit", "critical_limit", "alarm_limit"):
            value = getattr(self, field)
            if value is not None and not 0.0 < value <= HIGHEST_LIMIT:
                raise ValueError(f"check {self.name}: {field} is {value}; give a share over 0 and up to 0.9")
        if self.critical_limit is not None and self.critical_limit <= self.limit:
            raise ValueError(
                f"check {self.name}: critical_limit {self.critical_limit} must be over the limit {self.limit}"
            )

    @property
    def null(self) -> float:
        """The share that the alarm tests against."""
        return self.limit if self.alarm_limit is None else self.alarm_limit


def error_rate(*, limit: float = 0.05, critical_limit: float | None = 0.10, query: str = "") -> Check:
    """Share of requests that the server failed (5xx)."""
    return Check(
        name="error-rate",
        reason="ErrorRate",
        label="error rate",
        limit=limit,
        critical_limit=critical_limit,
        query=query,
    )


def latency(*, limit: float = 0.05, query: str = "") -> Check:
    """Share of requests over 500 ms; at most 5 % of them is the same as p95 <= 500 ms."""
    return Check(name="latency", reason="Latency", label="share over 500 ms", limit=limit, query=query)


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
