"""The dispersion from running sums, against the looks themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from modelramp.judgement import dispersion
from modelramp.judgement.plan import prior_dispersion


def _shrunk(looks: list[tuple[int, int]], prior: float) -> float:
    n, k = sum(n for n, _ in looks), sum(k for _, k in looks)
    spread = sum(k * k / n for n, k in looks)
    return dispersion.shrunk(looks=len(looks), n=n, k=k, spread=spread, prior=prior)


def test_running_sums_give_pearsons_sum() -> None:
    """X^2 from the sums is that of scipy's contingency table of the looks."""
    looks = [(50, 3), (40, 0), (60, 9), (55, 1), (45, 2)]
    table = np.array([[k for _, k in looks], [n - k for n, k in looks]])
    chi2 = chi2_contingency(table, correction=False).statistic
    assert _shrunk(looks, 5.0) == pytest.approx((chi2 + 30 * 5.0) / (4 + 30))


def test_errors_in_bursts_are_seen() -> None:
    """After some hours errors in bursts of ten give a dispersion near ten, independent ones near one."""
    rng = np.random.default_rng(1)
    single = [(300, int(rng.poisson(9))) for _ in range(480)]
    bursts = [(300, int(10 * rng.poisson(0.9))) for _ in range(480)]
    assert _shrunk(single, 5.0) < 1.5
    assert 7.0 < _shrunk(bursts, 5.0) < 13.0


@pytest.mark.parametrize("looks", [[], [(10, 1)], [(10, 0)] * 100, [(10, 10)] * 100])
def test_without_information_the_prior_stays(looks: list[tuple[int, int]]) -> None:
    """One look, or looks without any variation to measure, change nothing."""
    assert _shrunk(looks, 5.0) == 5.0


def test_never_under_one() -> None:
    """Counts more even than a coin's do not count for more than they are."""
    assert _shrunk([(100, 5)] * 1000, 1.0) == 1.0


def test_prior_by_interval() -> None:
    """Looks of half a minute start from bursts of five, looks of a second from nearly independent errors."""
    assert prior_dispersion(30) == prior_dispersion(300) == 5.0
    assert prior_dispersion(1) == pytest.approx(1.13, abs=0.01)
