"""Has a distribution moved? The population stability index and the Kolmogorov–Smirnov distance from bins.

PSI = Σ (p − q) ln(p/q), the symmetric Kullback–Leibler divergence (Jeffreys 1946; Siddiqi 2006 for the name
and the customary limits 0.10 and 0.25). Of samples without any drift, PSI·nm/(n+m) follows about a χ²
distribution with bins − 1 degrees of freedom (Yurdakul 2018), so with few observations a PSI over any limit
is common: there is no verdict then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

from modelramp.judgement.histogram import aligned
from modelramp.judgement.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelramp.judgement.histogram import Histogram

WARN_LIMIT = 0.10
FAIL_LIMIT = 0.25
MIN_EXPECTED = 5.0
MIN_SHARE = 0.01
# How often a PSI over the limit may come by chance, per verdict.
CHANCE = 1e-6
# A straight line in 1/limit through two sizes that were simulated for ten bins: 200 at 0.25, 450 at 0.10.
_SIZE_AT_NONE, _SIZE_PER_INVERSE = 100 / 3, 125 / 3
_USUAL_BINS = 10
_PSEUDO_COUNT = 0.5  # Jeffreys' prior: an empty bin is no proof of an impossible value


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far two samples are from each other.

    Attributes:
        psi: Population stability index, 0 or more; ``None`` when fewer than two bins are left.
        ks: Largest difference of the cumulative shares at a common edge, 0 to 1; the distance between edges
            is not known, so it is a lower bound. ``None`` without common edges or observations.
        n: Observations of the sample.
        m: Observations of the reference.
        bins: Bins that are left after merging.
    """

    psi: float | None
    ks: float | None
    n: float
    m: float
    bins: int

    @property
    def size(self) -> float:
        """``nm/(n+m)``, the size that noise depends on."""
        return self.n * self.m / (self.n + self.m) if self.n and self.m else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A distance held against a limit; ``Fail`` = over the limit, ``Pass`` = not.

    Attributes:
        psi, ks, n, m, bins: See `Distance`.
        limit: The PSI that is still accepted.
        needed: The ``nm/(n+m)`` from which there is a verdict.
        outcome: ``Inconclusive`` with too little data or without comparable bins.
        message: For people: number against limit, n, and what is missing.
    """

    psi: float | None
    ks: float | None
    n: float
    m: float
    bins: int
    limit: float
    needed: float
    outcome: Outcome
    message: str


def distance(sample: Histogram, reference: Histogram) -> Distance:
    """PSI and KS of two samples, on the edges that they have in common."""
    one, two = aligned(sample, reference)
    n, m = one.n, two.n
    if not (n and m):
        return Distance(psi=None, ks=None, n=n, m=m, bins=0)
    merged = list(_merged(one, two))
    bins = len(merged)
    psi = None if bins < 2 else _psi(merged)  # noqa: PLR2004  one bin tells nothing apart
    steps = (a / n - b / m for a, b in zip(one.counts[:-1], two.counts[:-1], strict=True))
    ks = max((abs(gap) for gap in accumulate(steps)), default=None)
    return Distance(psi=psi, ks=ks, n=n, m=m, bins=bins)


def needed(limit: float, *, bins: int) -> float:
    """The ``nm/(n+m)`` from which a PSI over the limit comes by chance about once in a million verdicts.

    For up to ten bins the line through 200 at a limit of 0.25 and 450 at 0.10 (simulated); with more bins
    noise grows as the 1 − 10⁻⁶ quantile of χ² with bins − 1 degrees of freedom, and the size with it.
    Measured at just this size, a million samples each of 5, 10 and 20 bins: 0 to 3 are over 0.25, and 0 to 5
    over 0.10; of ten bins of which nine hold 2.5 % each, up to 18 are over 0.10.

    Raises:
        ValueError: The limit is not a positive number.
    """
    if not 0.0 < limit < math.inf:
        raise ValueError(f"drift: the limit is {limit}; give a PSI over 0, such as 0.25")
    size = _SIZE_AT_NONE + _SIZE_PER_INVERSE / limit
    return size * max(1.0, chi_square_quantile(max(bins - 1, 1)) / chi_square_quantile(_USUAL_BINS - 1))


def judge(seen: Distance, *, limit: float, label: str = "prediction", against: str = "stable") -> Drift:
    """The distance against a limit.

    Args:
        seen: What was measured.
        limit: The PSI that is still accepted.
        label: What people call the distribution.
        against: What people call the reference.
    """
    wanted = needed(limit, bins=seen.bins)
    outcome, text = Outcome.INCONCLUSIVE, _missing(seen, wanted, against)
    if text is None and seen.psi is not None:
        failed = seen.psi > limit
        outcome = Outcome.FAIL if failed else Outcome.PASS
        text = (
            f"PSI {seen.psi:.3f} against {against} is {'over' if failed else 'not over'} {limit:g} "
            f"(KS {seen.ks or 0.0:.3f}, n={seen.n:,.0f} and {seen.m:,.0f})"
        )
    return Drift(
        psi=seen.psi,
        ks=seen.ks,
        n=seen.n,
        m=seen.m,
        bins=seen.bins,
        limit=limit,
        needed=wanted,
        outcome=outcome,
        message=f"{label}: {text}",
    )


def drift(
    sample: Histogram,
    reference: Histogram,
    *,
    limit: float = FAIL_LIMIT,
    label: str = "prediction",
    against: str = "stable",
) -> Drift:
    """`distance` and `judge` in one."""
    return judge(distance(sample, reference), limit=limit, label=label, against=against)


def _missing(  # noqa: PLR0911  one return per thing that can be missing
    seen: Distance, wanted: float, against: str
) -> str | None:
    """Why there is no verdict; None when there is one."""
    if not seen.n:
        return "no observation yet"
    if not seen.m:
        return f"no observation of {against} to compare with"
    if seen.size < wanted and seen.m <= wanted:
        return f"{against} has {seen.m:,.0f} observations; more than {math.ceil(wanted):,} are needed"
    if seen.size < wanted:
        more = wanted * seen.m / (seen.m - wanted) - seen.n
        return f"n={seen.n:,.0f}; about {math.ceil(more):,} more are needed to compare with {against}"
    if seen.ks is None:
        return f"its histogram and that of {against} have no edge in common; give both the same buckets"
    if seen.psi is None:
        return f"nearly all of it and of {against} is in one bin; give buckets with edges among the values"
    return None


def _merged(one: Histogram, two: Histogram) -> Iterator[tuple[float, float]]:
    """Neighbouring bins together until each is expected to hold 5 of the smaller sample and 1 % of both.

    Expected with the mean of both shares: with those of the reference alone, what is new in the sample would
    disappear in a neighbour. What is left over at the end goes to the last bin.
    """
    n, m = one.n, two.n
    least = max(MIN_SHARE, MIN_EXPECTED / min(n, m))
    a = b = 0.0
    last: tuple[float, float] | None = None
    for x, y in zip(one.counts, two.counts, strict=True):
        a, b = a + x, b + y
        if (a / n + b / m) / 2.0 >= least:
            if last is not None:
                yield last
            last, a, b = (a, b), 0.0, 0.0
    yield (a, b) if last is None else (last[0] + a, last[1] + b)


def _psi(bins: list[tuple[float, float]]) -> float:
    extra = _PSEUDO_COUNT * len(bins)
    n, m = sum(a for a, _ in bins) + extra, sum(b for _, b in bins) + extra
    shares = [((a + _PSEUDO_COUNT) / n, (b + _PSEUDO_COUNT) / m) for a, b in bins]
    return math.fsum((p - q) * math.log(p / q) for p, q in shares)


def _chi_square_tail(x: float, df: int) -> float:
    """``P(X > x)`` of a χ² variable with df degrees of freedom (Abramowitz & Stegun 26.4.4 and 26.4.5)."""
    half = x / 2.0
    terms, start = (df // 2, 1.0) if df % 2 == 0 else (df // 2, 1.5)
    # ln of half^(start - 1) e^-half / Γ(start), then each term from the one before
    term = math.exp((start - 1.0) * math.log(half) - half - math.lgamma(start))
    total = 0.0 if df % 2 == 0 else math.erfc(math.sqrt(half))
    for index in range(terms):
        total += term
        term *= half / (start + index)
    return total


@lru_cache(maxsize=256)
def chi_square_quantile(df: int) -> float:
    """The value that a χ² variable with df degrees of freedom exceeds once in a million."""
    low, high = float(df), 10.0 * df + 100.0
    while True:
        middle = (low + high) / 2.0
        if not low < middle < high:
            return middle
        low, high = (middle, high) if _chi_square_tail(middle, df) > CHANCE else (low, middle)
