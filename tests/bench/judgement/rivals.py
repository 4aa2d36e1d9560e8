"""What others would say of the same streams: a window rule, a repeated z-test, Kayenta's judge.

Each gives the look (from 1) at which it takes the revision back; None: it never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, rankdata

from bench.judgement.streams import ERRORS, SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.judgement.streams import Numbers, Shares, Stream

METRICS = (ERRORS, SLOW)
WINDOW, LIMIT = 5, 0.05
Z_ALPHA, Z_FROM = 0.01, 30
KAYENTA_LOOKS, KAYENTA_CONFIDENCE, KAYENTA_FRACTION = 60, 0.98, 0.25


def naive(stream: Stream) -> int | None:
    """More than 5 % bad in the last five minutes, looked at each minute; no minimum of samples."""
    found = []
    for metric in METRICS:
        n, k = _window(stream.candidate.n), _window(stream.candidate.bad[metric])
        found.append(_first((n > 0) & (k > LIMIT * n)))
    return _earliest(found)


def z_test(stream: Stream) -> int | None:
    """A one-sided z-test of two proportions (pooled) at 1 % on all counts so far, repeated each minute."""
    found = []
    for metric in METRICS:
        n1, k1 = np.cumsum(stream.candidate.n), np.cumsum(stream.candidate.bad[metric])
        n0, k0 = np.cumsum(stream.stable.n), np.cumsum(stream.stable.bad[metric])
        with np.errstate(divide="ignore", invalid="ignore"):
            pooled = (k1 + k0) / (n1 + n0)
            deviation = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0))
            z = (k1 / n1 - k0 / n0) / deviation
        found.append(_first((n1 >= Z_FROM) & (z > norm.isf(Z_ALPHA))))
    return _earliest(found)


def kayenta(stream: Stream) -> int | None:
    """Mann-Whitney on the shares of each minute, an hour at a time, judged once an hour.

    As Kayenta's NetflixACAJudge does by default: the 98 % interval of the shift (asymptotic, with ties and
    correction for continuity) against 0.25 times the Hodges-Lehmann estimate, outliers removed by the
    interquartile range times 3. A metric that is high takes the revision back (as a critical metric would).
    A minute without requests has no value.
    """
    found = []
    for metric in METRICS:
        shares = [_shares(arm.n, arm.bad[metric]) for arm in (stream.candidate, stream.stable)]
        for end in range(KAYENTA_LOOKS, len(stream) + 1, KAYENTA_LOOKS):
            values = [_kept(part[end - KAYENTA_LOOKS : end]) for part in shares]
            if high(*values):
                found.append(end)
                break
    return _earliest([*found, None])


RIVALS: Mapping[str, Callable[[Stream], int | None]] = {
    "over 5 % in 5 minutes": naive,
    "z-test, repeated": z_test,
    "Kayenta's Mann–Whitney": kayenta,
}


def high(experiment: Shares, control: Shares) -> bool:
    """Whether the experiment's values are higher, by the lower end of the interval of the shift."""
    if not len(experiment) or not len(control):
        return False
    least, most = experiment.min() - control.max(), experiment.max() - control.min()
    if least == most or not len(np.unique(np.concatenate([experiment, control]))) > 1:
        return False

    def z(shift: float) -> float:
        return shifted(experiment - shift, control)

    def root(quantile: float) -> float:
        if z(least) <= quantile:
            return float(least)
        if z(most) >= quantile:
            return float(most)
        return float(brentq(lambda shift: z(shift) - quantile, least, most, xtol=1e-4))

    lower = root(float(norm.isf((1.0 - KAYENTA_CONFIDENCE) / 2.0)))
    return lower > KAYENTA_FRACTION * abs(root(0.0))


def shifted(x: Shares, y: Shares) -> float:
    """The Mann-Whitney statistic as a z-value, with ties and correction for continuity; 0 if all are tied."""
    nx, ny = len(x), len(y)
    together = np.concatenate([x, y])
    excess = float(rankdata(together)[:nx].sum()) - nx * (nx + 1) / 2.0 - nx * ny / 2.0
    _, ties = np.unique(together, return_counts=True)
    tied = float((ties.astype(float) ** 3 - ties).sum()) / ((nx + ny) * (nx + ny - 1.0))
    variance = nx * ny / 12.0 * (nx + ny + 1.0 - tied)
    return 0.0 if variance <= 0.0 else float((excess - 0.5 * np.sign(excess)) / variance**0.5)


def _shares(n: Numbers, k: Numbers) -> Shares:
    shares = np.full(len(n), np.nan)
    np.divide(k, n, out=shares, where=n > 0)
    return shares


def _kept(values: Shares) -> Shares:
    """Without minutes that have no value, and without outliers (three times the interquartile range)."""
    known: Shares = values[~np.isnan(values)]
    if not len(known):
        return known
    low, upper = np.percentile(known, [25, 75])
    reach = 3.0 * (upper - low)
    # Kayenta's reduced sensitivity: quantiles of 1 and 99 % bound what may be called an outlier.
    floor, ceiling = np.percentile(known, [1, 99])
    kept: Shares = known[(known >= min(low - reach, floor)) & (known <= max(upper + reach, ceiling))]
    return kept


def _window(counts: Numbers) -> Numbers:
    sums = np.cumsum(counts)
    sums[WINDOW:] -= sums[:-WINDOW].copy()
    return sums


def _first(hits: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int | None:
    places = np.flatnonzero(hits)
    return int(places[0]) + 1 if len(places) else None


def _earliest(found: list[int | None]) -> int | None:
    return min((look for look in found if look is not None), default=None)
