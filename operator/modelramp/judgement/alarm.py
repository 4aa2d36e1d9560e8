"""Alarm A: a mixture e-CUSUM that watches one proportion against an absolute limit, at every look, for weeks.

Source: Page's CUSUM over a grid of alternatives, mixed as in Shin, Ramdas & Rinaldo (2022), "E-detectors".
Its memory is short on purpose: a good day does not delay the alarm of a bad minute.
"""

from __future__ import annotations

import math
from functools import lru_cache

# The alternatives, in multiples of the limit.
FACTORS = (1.1, 1.25, 1.5, 2.0, 4.0, 8.0)
# Mean time to a false alarm at the limit itself.
RUN_LENGTH_SECONDS = 10 * 86_400
# A look with fewer failures than this adds at most half of the threshold: one hiccup is no trend.
FEW_FAILURES = 20


@lru_cache(maxsize=1024)
def _weights(null: float) -> tuple[tuple[float, float], ...]:
    """Per alternative what a bad and what a good request add, in nats."""
    alternatives = [null * f for f in FACTORS if null * f < 1.0]
    return tuple((math.log(p / null), math.log((1.0 - p) / (1.0 - null))) for p in alternatives)


def threshold(interval: float) -> float:
    """Nats of the mixture at which the alarm is raised: ln of the wanted run length in looks."""
    return math.log(RUN_LENGTH_SECONDS / interval)


def update(
    levels: tuple[float, ...], *, n: int, k: int, null: float, phi: float, interval: float
) -> tuple[float, ...]:
    """The levels (nats, one per alternative) after a look with k bad ones of n requests.

    Levels of another length (the limit was edited) start from zero.
    """
    weights = _weights(null)
    if len(levels) != len(weights):
        levels = (0.0,) * len(weights)
    most = math.inf if k >= FEW_FAILURES else threshold(interval) / 2.0
    return tuple(
        max(level, 0.0) + min((k * bad + (n - k) * good) / phi, most)
        for level, (bad, good) in zip(levels, weights, strict=True)
    )


def log_mixture(levels: tuple[float, ...]) -> float:
    """``ln mean exp(level)``; minus infinity without levels."""
    if not levels:
        return -math.inf
    top = max(levels)
    return top + math.log(sum(math.exp(level - top) for level in levels) / len(levels))


def raised(levels: tuple[float, ...], *, interval: float) -> bool:
    """Whether the alarm is raised."""
    return log_mixture(levels) > threshold(interval)
