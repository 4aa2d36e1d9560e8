"""The dispersion from running sums, against the looks themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from modelramp.judgement import dispersion, proof
from modelramp.judgement.evidence import MetricEvidence, Run
from modelramp.judgement.gates import phi
from modelramp.judgement.plan import Plan, error_rate, prior_dispersion


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


def test_history_is_pearsons_dispersion() -> None:
    """phi0 is scipy's X^2 of the looks over their degrees of freedom; looks without requests are none."""
    rng = np.random.default_rng(4)
    looks = [(int(n), 5 * int(rng.binomial(n, 0.004))) for n in rng.poisson(300, size=200)]
    table = np.array([[k for _, k in looks], [n - k for n, k in looks]])
    chi2 = chi2_contingency(table, correction=False).statistic
    found = dispersion.history([*looks, (0, 0)])
    assert found is not None
    assert found.phi == pytest.approx(chi2 / 199, rel=1e-9)
    assert (found.looks, found.bad) == (200, sum(k for _, k in looks))


@pytest.mark.parametrize(
    "looks", [[], [(100, 0)] * 720, [(100, 1)] * 19 + [(100, 0)] * 700, [(100, 5)] * 29, [(9, 9)] * 100]
)
def test_a_history_of_few_errors_is_none(looks: list[tuple[int, int]]) -> None:
    """Under 20 bad requests or 30 looks, or nothing but bad ones, say nothing about bursts."""
    assert dispersion.history(looks) is None


def test_a_quiet_history_is_one() -> None:
    """Counts more even than a coin's give a dispersion of 1, not less."""
    quiet = dispersion.Dispersion(phi=1.0, looks=100, bad=500, requests=10_000)
    assert dispersion.history([(100, 5)] * 100) == quiet


def test_impossible_histories_are_refused() -> None:
    """More bad ones than requests cannot be, nor a dispersion under 1."""
    with pytest.raises(ValueError, match="3 bad ones of 2"):
        dispersion.history([(2, 3)])
    with pytest.raises(ValueError, match="at least 1"):
        dispersion.Dispersion(phi=0.5, looks=30, bad=20)


def test_a_history_takes_the_place_of_the_prior() -> None:
    """A check with a quiet history needs 70 good requests, one without any five times as many."""
    quiet = error_rate(history=dispersion.Dispersion(phi=1.0, looks=720, bad=500))
    plan = Plan(checks=(quiet, error_rate()), interval=60)
    new = MetricEvidence(first=0, at=0, run=Run(0, 0))
    assert [phi(new, check, plan) for check in plan.checks] == [1.0, 5.0]
    assert [proof.min_samples(null=0.05, phi=scale) for scale in (1.0, 5.0)] == [70, 350]
