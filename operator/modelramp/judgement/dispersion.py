"""How much errors come in bursts: retries, sessions, a stalling pod make counts vary more than a coin would.

All evidence is divided by this figure; without that, bursts of ten raise a false alarm on nearly every day,
and let bad revisions pass too early.
"""

from __future__ import annotations

# The prior weighs as much as this many looks.
PRIOR_LOOKS = 30


def shrunk(*, looks: int, n: int, k: int, spread: float, prior: float) -> float:
    """``max(1, (X^2 + 30 phi0) / (df + 30))``, X^2 the Pearson sum over looks of one arm.

    ``spread`` is the sum of k_i^2/n_i, which with the totals n and k gives X^2 without keeping the looks.
    Looks without any error, or of nothing but errors, say nothing about bursts.
    """
    if looks < 2 or not 0 < k < n:  # noqa: PLR2004  a variance needs two
        return max(1.0, prior)
    share = k / n
    pearson = max(0.0, (spread - k * share) / (share * (1.0 - share)))
    return max(1.0, (pearson + PRIOR_LOOKS * prior) / (looks - 1 + PRIOR_LOOKS))
