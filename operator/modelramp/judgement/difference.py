"""The difference of two proportions or of two means: its interval, and the p-value that belongs to it.

Proportions: Newcombe (1998), method 10, a hybrid of Wilson's scores. Means: Welch (1947).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeAlias

from modelramp.judgement.special import log_beta_cdf, log_beta_sf

if TYPE_CHECKING:
    from collections.abc import Callable

_NORMAL = NormalDist()
_HIGHEST_Z = 38.0  # beyond it a tail is under the smallest float
_EPSILON = 4e-16


@dataclass(frozen=True, slots=True)
class Share:
    """k of n users or requests did what is counted.

    Raises:
        ValueError: Not 0 <= k <= n.
    """

    n: int
    k: int

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(f"{self.k} of {self.n} is not a share")

    @property
    def value(self) -> float:
        """The share, 0 to 1; n is over 0."""
        return self.k / self.n


@dataclass(frozen=True, slots=True)
class Mean:
    """Mean of n values and their variance (with n − 1), in the unit of the metric and its square.

    Raises:
        ValueError: n or the variance is negative, or a figure is not finite.
    """

    n: int
    value: float
    variance: float

    def __post_init__(self) -> None:
        if self.n < 0 or not math.isfinite(self.value) or not 0.0 <= self.variance < math.inf:
            raise ValueError(f"{self} is no mean: n and the variance are 0 or more, and all are finite")


Sample: TypeAlias = Share | Mean


def interval(first: Sample, second: Sample, *, confidence: float) -> tuple[float, float]:
    """Two-sided interval of ``first - second``; both of one kind, with n of 1 (means: 2) at least."""
    if isinstance(first, Share) and isinstance(second, Share):
        z = _NORMAL.inv_cdf((1.0 + confidence) / 2.0)
        return _newcombe(first, second, z), -_newcombe(second, first, z)
    middle, error, df = _welch(first, second)
    reach = student_quantile(1.0 - confidence, df) * error if error else 0.0
    return middle - reach, middle + reach


def p_value(first: Sample, second: Sample, *, over: float) -> float:
    """The two-sided level at which the lower bound of ``first - second`` is just ``over`` (0 or more).

    1 when the difference is not over it, and for means without any variance: that is suspicious, not certain.
    """
    if isinstance(first, Share) and isinstance(second, Share):
        return _newcombe_p(first, second, over)
    middle, error, df = _welch(first, second)
    if middle <= over or not error:
        return 1.0
    return math.exp(_log_student_tails((middle - over) / error, df))


def student_quantile(tails: float, df: float) -> float:
    """The t that a Student variable with df degrees of freedom exceeds in size with probability ``tails``."""
    log_tails = math.log(tails)
    return math.exp(_root(lambda u: _log_student_tails(math.exp(u), df) - log_tails, low=-40.0, high=300.0))


def _wilson_reach(n: int, share: float, z: float) -> float:
    """How far Wilson's lower bound is under the share; over it, by 1 − share."""
    square = z * z / n
    spread = z * math.sqrt(share * (1.0 - share) / n + square / (4.0 * n))
    return (spread - square * (0.5 - share)) / (1.0 + square)


def _newcombe(first: Share, second: Share, z: float) -> float:
    """Newcombe's lower bound of ``first − second``."""
    under = _wilson_reach(first.n, first.value, z)
    over = _wilson_reach(second.n, 1.0 - second.value, z)
    return first.value - second.value - math.hypot(under, over)


def _newcombe_p(first: Share, second: Share, wanted: float) -> float:
    if first.value - second.value <= wanted:
        return 1.0
    if _newcombe(first, second, _HIGHEST_Z) > wanted:
        return 0.0
    z = _root(lambda z: _newcombe(first, second, z) - wanted, low=0.0, high=_HIGHEST_Z)
    return math.erfc(z / math.sqrt(2.0))


def _welch(first: Sample, second: Sample) -> tuple[float, float, float]:
    """Difference of the means, its standard error, and the degrees of freedom after Welch–Satterthwaite."""
    if not (isinstance(first, Mean) and isinstance(second, Mean)):
        raise TypeError("a share has no variance of its own")
    a, b = first.variance / first.n, second.variance / second.n
    df = (a + b) ** 2 / (a * a / (first.n - 1) + b * b / (second.n - 1)) if a + b else math.inf
    return first.value - second.value, math.sqrt(a + b), df


def _log_student_tails(t: float, df: float) -> float:
    """``ln P(|T| > t)`` for t >= 0 (Abramowitz & Stegun 26.7.1), from the argument that has all digits."""
    square = t * t
    if square < df:
        return log_beta_sf(square / (df + square), 0.5, df / 2.0)
    return log_beta_cdf(df / (df + square), df / 2.0, 0.5)


def _root(falling: Callable[[float], float], *, low: float, high: float) -> float:
    """Where a falling function is 0, by halving the bracket, to the last digits of 1 or of what it is."""
    while high - low > _EPSILON * max(1.0, abs(low)):
        middle = (low + high) / 2.0
        low, high = (middle, high) if falling(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0
