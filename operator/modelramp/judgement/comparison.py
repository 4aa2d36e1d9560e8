"""The conclusion of an A/B test: is the candidate better by what was wanted, for each metric?

It is drawn once, when the test's fixed time is over; who looks every day and stops at the first good one
needs another test. The p-value is the one that belongs to the interval, so that "improvement counts when the
lower bound is over the wanted improvement" and Holm's correction (1979) are one rule: each metric's bound is
taken at the level that Holm leaves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from modelramp.judgement import difference
from modelramp.judgement.difference import Sample, Share

if TYPE_CHECKING:
    from collections.abc import Sequence

ALPHA = 0.05


class Direction(StrEnum):
    """Which way is better."""

    HIGHER = "Higher"
    LOWER = "Lower"


class Result(StrEnum):
    """What is known of a metric in the end."""

    IMPROVED = "Improved"
    WORSE = "Worse"
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of the test, in both arms.

    Attributes:
        name: For people.
        candidate, stable: Both `difference.Share` or both `difference.Mean`.
        direction: Which way is better.
        wanted: The improvement that is wanted: a difference in the unit of the metric, 0 or more (0.02 = two
            points of a share).

    Raises:
        ValueError: The arms are of different kinds, or the wanted improvement is negative.
    """

    name: str
    candidate: Sample
    stable: Sample
    direction: Direction = Direction.HIGHER
    wanted: float = 0.0

    def __post_init__(self) -> None:
        if type(self.candidate) is not type(self.stable):
            raise ValueError(
                f"metric {self.name}: a share and a mean cannot be compared; give both as one kind"
            )
        if not 0.0 <= self.wanted < math.inf:
            raise ValueError(f"metric {self.name}: the wanted improvement is {self.wanted}; give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What is known of one metric.

    Attributes:
        name: The metric.
        result: ``Improved`` only when ``lower`` is over ``wanted``; ``Worse`` when the whole of ``interval``
            is under 0 (not corrected for the number of metrics: it is a warning).
        improvement: Candidate against stable, over 0 = better; ``None`` without data.
        interval: Two-sided interval of it at 1 − alpha, for people.
        lower: Lower bound at the level that Holm's correction leaves this metric.
        wanted: The improvement that was wanted.
        p_value: Two-sided level at which the lower bound would be just ``wanted``; 1 without data.
        adjusted: The p-value after Holm's correction.
        message: For people.
    """

    name: str
    result: Result
    improvement: float | None
    interval: tuple[float, float] | None
    lower: float | None
    wanted: float
    p_value: float
    adjusted: float
    message: str


def conclude(metrics: Sequence[Metric], *, alpha: float = ALPHA) -> tuple[Conclusion, ...]:
    """One conclusion per metric, in their order; that any of them is ``Improved`` by chance: alpha at most.

    Raises:
        ValueError: alpha is not between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"conclusion: alpha is {alpha}; give a level between 0 and 1, such as 0.05")
    p_values = [p_value(metric) for metric in metrics]
    return tuple(
        _conclusion(metric, p_value=p, adjusted=adjusted, level=level, alpha=alpha)
        for metric, p, (adjusted, level) in zip(metrics, p_values, holm(p_values, alpha=alpha), strict=True)
    )


def holm(p_values: Sequence[float], *, alpha: float = ALPHA) -> tuple[tuple[float, float], ...]:
    """Per p-value the adjusted one and the level that it is held against, after Holm (1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    found = [(1.0, alpha)] * len(p_values)
    highest, level = 0.0, 0.0
    for place, index in enumerate(order):
        left = len(p_values) - place
        # after the first that is not significant nothing is: its level holds for the rest
        if highest <= alpha:
            level = alpha / left
        highest = max(highest, min(1.0, left * p_values[index]))
        found[index] = (highest, level)
    return tuple(found)


def interval(metric: Metric, *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Two-sided interval of the improvement (over 0 = better); None with fewer values than it needs."""
    better, worse = _arms(metric)
    if not _enough(metric):
        return None
    return difference.interval(better, worse, confidence=confidence)


def p_value(metric: Metric) -> float:
    """The two-sided level at which the lower bound of the interval is just the wanted improvement."""
    better, worse = _arms(metric)
    if not _enough(metric):
        return 1.0
    return difference.p_value(better, worse, over=metric.wanted)


def _arms(metric: Metric) -> tuple[Sample, Sample]:
    """The arms in the order in which the difference counts as an improvement."""
    if metric.direction is Direction.HIGHER:
        return metric.candidate, metric.stable
    # lower is better: stable − candidate
    return metric.stable, metric.candidate


def _enough(metric: Metric) -> bool:
    least = 1 if isinstance(metric.candidate, Share) else 2
    return min(metric.candidate.n, metric.stable.n) >= least


def _conclusion(metric: Metric, *, p_value: float, adjusted: float, level: float, alpha: float) -> Conclusion:
    shown = interval(metric, confidence=1.0 - alpha)
    corrected = interval(metric, confidence=1.0 - level)
    if shown is None or corrected is None:
        lacking = "candidate" if metric.candidate.n <= metric.stable.n else "stable"
        text = f"too few values of {lacking} to say anything (n={min(metric.candidate.n, metric.stable.n)})"
        return Conclusion(
            name=metric.name,
            result=Result.UNDECIDED,
            improvement=None,
            interval=None,
            lower=None,
            wanted=metric.wanted,
            p_value=1.0,
            adjusted=1.0,
            message=f"{metric.name}: {text}",
        )
    better, worse = _arms(metric)
    improvement = better.value - worse.value
    result = Result.UNDECIDED
    if adjusted <= alpha:
        result = Result.IMPROVED
    elif shown[1] < 0.0:
        result = Result.WORSE
    return Conclusion(
        name=metric.name,
        result=result,
        improvement=improvement,
        interval=shown,
        lower=corrected[0],
        wanted=metric.wanted,
        p_value=p_value,
        adjusted=adjusted,
        message=_message(metric, result, improvement, shown, lower=corrected[0], level=level),
    )


def _message(
    metric: Metric,
    result: Result,
    improvement: float,
    bounds: tuple[float, float],
    *,
    lower: float,
    level: float,
) -> str:
    figures = (
        f"{metric.name}: {metric.candidate.value:.4g} against {metric.stable.value:.4g} of stable "
        f"(n={metric.candidate.n:,} and {metric.stable.n:,}), improvement {improvement:.4g} "
        f"({bounds[0]:.4g} to {bounds[1]:.4g})"
    )
    bound = f"its lower bound {lower:.4g} (at {100.0 * (1.0 - level):.4g} %)"
    wanted = f"the wanted {metric.wanted:.4g}"
    if result is Result.IMPROVED:
        return f"{figures}; {bound} is over {wanted}"
    if result is Result.WORSE:
        return f"{figures}; the candidate is worse"
    return f"{figures}; {bound} is not over {wanted}"
