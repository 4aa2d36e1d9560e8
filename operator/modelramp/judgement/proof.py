"""Proof C: an e-process against "the share of bad requests is not under the limit", at any number of looks.

The alternative is a Beta(1/2, 20) truncated to shares under the limit; by Ville's inequality a revision at
the limit or over it ever reaches 20 with probability 1/20 at most. Waiting instead for a confidence bound to
fall under the limit would pass a revision that sits at the limit in a third of the runs.
"""

from __future__ import annotations

import math
from functools import lru_cache

from modelramp.judgement.special import log_beta, log_beta_cdf

PRIOR_BAD = 0.5
PRIOR_GOOD = 20.0
LOG_PROVED = math.log(20.0)
_MOST_REQUESTS = 1e10


def log_evidence(*, n: float, k: float, null: float) -> float:
    """``ln E`` for k bad ones of n requests against p >= null; fractions (counts over phi) are welcome."""
    return _whole(n, k, null) + log_beta_cdf(null, PRIOR_BAD + k, PRIOR_GOOD + n - k)


def proved(*, n: float, k: float, null: float) -> bool:
    """Whether the share is proved to be under the limit (E >= 20)."""
    lacking = LOG_PROVED - _whole(n, k, null)
    # the tail only lowers it, and costs most
    return lacking <= 0.0 and log_beta_cdf(null, PRIOR_BAD + k, PRIOR_GOOD + n - k) >= lacking


def requests_to_proof(*, n: float, k: float, null: float) -> float | None:
    """How many more requests prove it while the share stays k/n; 0 if proved, None if they never will.

    To about 1 %, from above.
    """
    if proved(n=n, k=k, null=null):
        return 0.0
    share = k / n if n else 0.0
    if share >= null:
        return None
    # Nats per request in the long run (Kullback-Leibler). At first it is less, so that steps by it come near
    # from below: first without the tail, then with it.
    gain = (1.0 - share) * math.log((1.0 - share) / (1.0 - null))
    if share > 0.0:
        gain += share * math.log(share / null)
    more = 0.0
    for function in (_whole, _exact):
        while (lacking := LOG_PROVED - function(n + more, k + more * share, null)) > 0.0:
            more += max(lacking / gain, 0.5, 0.003 * more)
            if more > _MOST_REQUESTS:
                return None
    return more


def min_samples(*, null: float, phi: float) -> int:
    """How many requests without a bad one prove it, at that dispersion: nothing passes with fewer."""
    wanted = math.ceil(phi * (requests_to_proof(n=0.0, k=0.0, null=null) or 0.0))
    while wanted > 1 and proved(n=(wanted - 1) / phi, k=0.0, null=null):
        wanted -= 1
    return wanted


def _whole(n: float, k: float, null: float) -> float:
    """The evidence if all of the posterior were under the limit: an upper bound, and nearly all of it."""
    posterior = log_beta(PRIOR_BAD + k, PRIOR_GOOD + n - k)
    return posterior - _prior(null) - k * math.log(null) - (n - k) * math.log1p(-null)


def _exact(n: float, k: float, null: float) -> float:
    return log_evidence(n=n, k=k, null=null)


@lru_cache(maxsize=1024)
def _prior(null: float) -> float:
    """Logarithm of the prior's mass under the limit, times B(a, b)."""
    return log_beta(PRIOR_BAD, PRIOR_GOOD) + log_beta_cdf(null, PRIOR_BAD, PRIOR_GOOD)
