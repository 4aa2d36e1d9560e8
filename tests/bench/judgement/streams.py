"""Traffic that is known: counts per look of both arms; bursts, autocorrelation and swings of the load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

Numbers: TypeAlias = NDArray[np.int64]
Shares: TypeAlias = NDArray[np.float64]

ERRORS, SLOW, WRONG = "error-rate", "latency", "quality"
INTERVAL = 60
DAY = 24 * 60
# The candidate's part of the traffic: stable has 19 times as much.
CANDIDATE_SHARE = 0.05
# A clean revision is never over this, however its share wanders.
CLEAN = 0.03


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's looks: requests, and the bad ones of each metric; arrays of one length."""

    n: Numbers
    bad: Mapping[str, Numbers]


@dataclass(frozen=True, slots=True)
class Stream:
    """Both arms, look by look, one look a minute."""

    candidate: Arm
    stable: Arm

    def __len__(self) -> int:
        return len(self.candidate.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What requests are like.

    Attributes:
        rps: requests a second on the candidate.
        errors: share of errors, candidate's and stable's.
        burst: errors in a row.
        slow: mean share of slow requests of both arms.
        wander: how the share of slow requests wanders: not, in both arms alike, or in each for itself.
        swing: whether the load swings by the time of day and has peaks.
        wrong: share of wrong labels of both arms.
    """

    rps: float
    errors: tuple[float, float]
    burst: int = 1
    slow: float = 0.01
    wander: str = "together"
    swing: bool = False
    wrong: float = 0.05


def bursty(rng: np.random.Generator, n: Numbers, *, share: float, burst: int) -> Numbers:
    """Bad requests per look: `burst` in a row each time, after a geometric number of good ones.

    The long-run share is exact; with bursts of 1 each request is bad by itself.
    """
    ends = np.cumsum(n)
    total = int(ends[-1]) if len(ends) else 0
    begins = share / (share + burst * (1.0 - share))
    if not total or begins <= 0.0:
        return np.zeros(len(n), dtype=np.int64)
    expected = total * share / burst
    starts = np.empty(0, dtype=np.int64)
    while not len(starts) or starts[-1] < total:
        gaps = rng.geometric(begins, size=int(expected + 6.0 * expected**0.5) + 16) - 1
        last = int(starts[-1]) + burst if len(starts) else 0
        starts = np.concatenate([starts, last + np.cumsum(gaps + burst) - burst])
    places = (starts[:, None] + np.arange(burst)).ravel()
    looks = np.searchsorted(ends, places[places < total], side="right")
    return np.bincount(looks, minlength=len(n)).astype(np.int64)


def wandering(rng: np.random.Generator, looks: int, *, mean: float, memory: float = 0.95) -> Shares:
    """A share that wanders: log-normal, autocorrelated from look to look, never over `CLEAN`.

    ``ln`` of it is AR(1) with a standard deviation of 0.5 and the given memory (0.95: 14 minutes by half).
    """
    steps = rng.normal(0.0, 0.5 * (1.0 - memory**2) ** 0.5, size=looks)
    level = np.empty(looks)
    now = rng.normal(0.0, 0.5)
    for number, step in enumerate(steps):
        now = memory * now + step
        level[number] = now
    return np.minimum(CLEAN, mean * np.exp(level - 0.125))


def load(rng: np.random.Generator, looks: int, *, swing: bool) -> Shares:
    """The load as a factor: 1, or 0.2 to 1.8 by the time of day with a few peaks of ten minutes."""
    if not swing:
        return np.ones(looks)
    times = np.arange(looks) / DAY + rng.random()
    factor = 1.0 + 0.8 * np.sin(2.0 * np.pi * times)
    for start in rng.integers(0, looks, size=max(1, looks // 360)):
        factor[start : start + 10] *= 3.0
    return factor


def stream(rng: np.random.Generator, traffic: Traffic, looks: int = DAY) -> Stream:
    """Both arms for so many looks."""
    factor = load(rng, looks, swing=traffic.swing)
    together = _slow_shares(rng, traffic, looks)
    arms = []
    for share, errors in zip((CANDIDATE_SHARE, 1.0 - CANDIDATE_SHARE), traffic.errors, strict=True):
        n = rng.poisson(traffic.rps * INTERVAL * share / CANDIDATE_SHARE * factor)
        slow = _slow_shares(rng, traffic, looks) if traffic.wander == "apart" else together
        bad = {
            ERRORS: bursty(rng, n, share=errors, burst=traffic.burst),
            SLOW: rng.binomial(n, slow),
            WRONG: rng.binomial(n, traffic.wrong),
        }
        arms.append(Arm(n, bad))
    return Stream(*arms)


def _slow_shares(rng: np.random.Generator, traffic: Traffic, looks: int) -> Shares:
    if traffic.wander == "none":
        return np.full(looks, traffic.slow)
    return wandering(rng, looks, mean=traffic.slow)
