"""Proof C: an e-process against "the share of bad requests is not under the limit", at any number of looks.

The alternative is a Beta(1/2, 20) truncated to shares under the limit; by Ville's inequality a revision at
the limit or over it ever reaches 20 with probability 1/20 at most. Waiting instead for a confidence bound to
fall under the limit would pass a revision that sits at the limit in a third of the runs.
"""

from __future__ import annotations

import math

from modelramp.judgement.special import log_beta, log_beta_cdf

PRIOR_BAD = 0.5
PRIOR_GOOD = 20.0
LOG_PROVED = math.log(20.0)
_MOST_REQUESTS = 1e10


def log_evidence(*, n: float, k: float, null: float) -> float:
    """``ln E`` for k bad ones of n requests against p >= null; fractions (counts over phi) are welcome."""
    a, b = PRIOR_BAD + k, PRIOR_GOOD + n - k
    posterior = log_beta(a, b) + log_beta_cdf(null, a, b)
    prior = log_beta(PRIOR_BAD, PRIOR_GOOD) + log_beta_cdf(null, PRIOR_BAD, PRIOR_GOOD)
    return posterior - prior - k * math.log(null) - (n - k) * math.log1p(-null)


def proved(*, n: float, k: float, null: float) -> bool:
    """Whether the share is proved to be under the limit (E >= 20)."""
    return log_evidence(n=n, k=k, null=null) >= LOG_PROVED


def requests_to_proof(*, n: float, k: float, null: float) -> float | None:
    """How many more requests prove it while the share stays k/n; 0 if proved, None if they never will."""
    if proved(n=n, k=k, null=null):
        return 0.0
    share = k / n if n else 0.0
    if share >= null:
        return None

    def enough(more: float) -> bool:
        return proved(n=n + more, k=k + more * share, null=null)

    high = 1.0
    while not enough(high):
        high *= 2.0
        if high > _MOST_REQUESTS:
            return None
    low = 0.0 if high <= 1.0 else high / 2.0
    while high - low > max(0.5, 0.01 * high):
        middle = (low + high) / 2.0
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
