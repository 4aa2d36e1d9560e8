"""How much errors come in bursts: retries, sessions, a stalling pod make counts vary more than a coin would.

All evidence is divided by this figure; without that, bursts of ten raise a false alarm on nearly every day,
and let bad revisions pass too early.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# The prior weighs as much as this many looks.
PRIOR_LOOKS = 30
# A history with less than this says nothing about bursts.
HISTORY_BAD = 20
HISTORY_LOOKS = 30


@dataclass(frozen=True, slots=True)
class Dispersion:
    """What the stable revision showed before the rollout.

    Attributes:
        phi: Pearson dispersion of bad requests per look; 1 = independent, about the size of the bursts else.
        looks, bad: From how many looks with requests, and how many bad requests in them.
        requests: How many requests in them; 0 = not known.

    Raises:
        ValueError: phi is under 1 or no number.
    """

    phi: float
    looks: int
    bad: int
    requests: int = 0

    def __post_init__(self) -> None:
        if not (self.phi >= 1.0 and math.isfinite(self.phi)):
            raise ValueError(f"phi is {self.phi}; a dispersion is at least 1")


def history(looks: Iterable[tuple[int, int]]) -> Dispersion | None:
    """The dispersion of one arm over the looks (n, k) of its past; None when they say too little.

    ``max(1, X^2 / df)``. The looks should be of 60 s or the rollout's interval, whichever is longer, over 12
    to 24 h: bursts that last longer than a look of a second are seen whole then.

    Raises:
        ValueError: Not 0 <= k <= n.
    """
    number = total = bad = 0
    spread = 0.0
    for n, k in looks:
        if not 0 <= k <= n:
            raise ValueError(f"{k} bad ones of {n} requests cannot be")
        if n:
            number, total, bad, spread = number + 1, total + n, bad + k, spread + k * k / n
    if number < HISTORY_LOOKS or bad < HISTORY_BAD or bad == total:
        return None
    phi = max(1.0, _pearson(n=total, k=bad, spread=spread) / (number - 1))
    return Dispersion(phi=phi, looks=number, bad=bad, requests=total)


def shrunk(*, looks: int, n: int, k: int, spread: float, prior: float) -> float:
    """``max(1, (X^2 + 30 phi0) / (df + 30))``, X^2 the Pearson sum over looks of one arm.

    ``spread`` is the sum of k_i^2/n_i, which with the totals n and k gives X^2 without keeping the looks.
    Looks without any error, or of nothing but errors, say nothing about bursts.
    """
    if looks < 2 or not 0 < k < n:  # noqa: PLR2004  a variance needs two
        return max(1.0, prior)
    pearson = _pearson(n=n, k=k, spread=spread)
    return max(1.0, (pearson + PRIOR_LOOKS * prior) / (looks - 1 + PRIOR_LOOKS))


def _pearson(*, n: int, k: int, spread: float) -> float:
    share = k / n
    return max(0.0, (spread - k * share) / (share * (1.0 - share)))
