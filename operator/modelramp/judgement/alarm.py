"""Alarms A and B: one mixture e-CUSUM that watches a proportion at every look, for weeks.

A holds a share of bad requests against an absolute limit; B asks of each bad request whose it is, and holds
the candidate's part against its part of the requests. Both are the same test of k in n against ``null``.

Sources: Page's CUSUM over a grid of alternatives, mixed as in Shin, Ramdas & Rinaldo (2022), "E-detectors";
the comparison with stable after Lindon & Malek (2022), arXiv 2011.03567.
Its memory is short on purpose: a good day does not delay the alarm of a bad minute.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

# Alternatives of A, in multiples of the limit.
FACTORS = (1.1, 1.25, 1.5, 2.0, 4.0, 8.0)
# Alternatives of B, in multiples of the ratio that is forgiven.
RATIO_FACTORS = (1.5, 2.5, 5.0, 10.0)
# Mean time to a false alarm at the null itself: A, and B, to whose null a healthy version is much closer.
RUN_LENGTH = 10 * 86_400.0
RELATIVE_RUN_LENGTH = 30 * 86_400.0
# A look with fewer failures than this adds at most half of the threshold: one hiccup is no trend.
FEW_FAILURES = 20

# Per alternative what a bad and what a good one add, in nats.
Weights: TypeAlias = tuple[tuple[float, float], ...]
# Per alternative the evidence so far, in nats.
Levels: TypeAlias = tuple[float, ...]


@lru_cache(maxsize=1024)
def absolute(limit: float) -> Weights:
    """The weights of A: k bad ones of n requests, against a share of bad ones of at most ``limit``."""
    alternatives = [limit * factor for factor in FACTORS if limit * factor < 1.0]
    return tuple((math.log(p / limit), math.log((1.0 - p) / (1.0 - limit))) for p in alternatives)


def relative(share: float, ratio: float) -> Weights:
    """The weights of B: k bad ones of the candidate among n of both arms, given its share of the requests.

    A candidate that fails r times as often as stable has the part ``w r / (w r + 1 - w)`` of the bad ones.

    Args:
        share: the candidate's share w of this look's requests, between 0 and 1 (both excluded).
        ratio: how many times stable's rate is forgiven.
    """
    rest = 1.0 - share
    null = share * ratio + rest
    weights = []
    for factor in RATIO_FACTORS:
        good = math.log(null / (share * ratio * factor + rest))
        weights.append((math.log(factor) + good, good))
    return tuple(weights)


def threshold(interval: float, run_length: float = RUN_LENGTH) -> float:
    """Nats of the mixture at which the alarm is raised: ln of the wanted run length in looks."""
    return math.log(run_length / interval)


def update(levels: Levels, *, n: int, k: int, weights: Weights, phi: float, threshold: float) -> Levels:
    """The levels (nats, one per alternative) after a look with k bad ones of n.

    Levels of another length (the limit was edited) start from zero.
    """
    if len(levels) != len(weights):
        levels = (0.0,) * len(weights)
    most = math.inf if k >= FEW_FAILURES else threshold / 2.0
    return tuple(
        max(level, 0.0) + min((k * bad + (n - k) * good) / phi, most)
        for level, (bad, good) in zip(levels, weights, strict=True)
    )


def log_mixture(levels: Levels) -> float:
    """``ln mean exp(level)``; minus infinity without levels."""
    if not levels:
        return -math.inf
    top = max(levels)
    return top + math.log(sum(math.exp(level - top) for level in levels) / len(levels))


def raised(levels: Levels, threshold: float) -> bool:
    """Whether the alarm is raised."""
    # the mixture is never over its largest part, and mostly that is far below
    return bool(levels) and max(levels) > threshold and log_mixture(levels) > threshold


def is_up(levels: Levels) -> bool:
    """Whether any level is over zero: whether the past still counts."""
    return bool(levels) and max(levels) > 0.0
