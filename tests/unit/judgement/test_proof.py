"""The proof: its value against numerical integration, what it needs, and that it is not given too early."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from modelramp.judgement import proof


def _by_integration(n: float, k: float, null: float) -> float:
    def density(p: float) -> float:
        return math.pow(p, -0.5) * math.pow(1 - p, 19)

    def likelihood(p: float) -> float:
        return math.pow(p / null, k) * math.pow((1 - p) / (1 - null), n - k) * density(p)

    mass = integrate.quad(density, 0, null, epsabs=0, epsrel=1e-12)[0]
    return float(integrate.quad(likelihood, 0, null, epsabs=0, epsrel=1e-12, limit=500)[0] / mass)


@pytest.mark.parametrize("null", [0.01, 0.05, 0.2])
@pytest.mark.parametrize(("n", "k"), [(0, 0), (10, 0), (70, 0), (70, 5), (14.2, 1.4), (300, 3), (300, 40)])
def test_evidence_is_the_mixture_of_likelihood_ratios(n: float, k: float, null: float) -> None:
    """The closed form equals the integral over the truncated Beta, fractions included."""
    assert math.exp(proof.log_evidence(n=n, k=k, null=null)) == pytest.approx(
        _by_integration(n, k, null), rel=1e-6
    )


def _by_scipy(n: float, k: float, null: float) -> float:
    posterior = special.betaln(0.5 + k, 20 + n - k) + math.log(special.betainc(0.5 + k, 20 + n - k, null))
    prior = special.betaln(0.5, 20) + math.log(special.betainc(0.5, 20, null))
    return float(posterior - prior - k * math.log(null) - (n - k) * math.log1p(-null))


@pytest.mark.parametrize("null", [0.001, 0.01, 0.05, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("n", [1, 7.5, 70, 300, 2_000, 20_000])
@pytest.mark.parametrize("times", [0.0, 0.1, 0.5, 0.9, 1.0, 1.05])
def test_evidence_on_a_grid(n: float, times: float, null: float) -> None:
    """E agrees with scipy's Beta functions to a relative error of 1e-9, below and above the limit."""
    k = min(n, n * null * times)
    assert math.expm1(proof.log_evidence(n=n, k=k, null=null) - _by_scipy(n, k, null)) == pytest.approx(
        0.0, abs=1e-9
    )


@given(n=st.floats(0, 20_000), times=st.floats(0, 1.05), null=st.floats(0.001, 0.9))
@settings(max_examples=300, deadline=None)
def test_evidence_anywhere(n: float, times: float, null: float) -> None:
    """The same as on the grid, at counts and limits that nobody chose."""
    k = min(n, n * null * times)
    assert math.expm1(proof.log_evidence(n=n, k=k, null=null) - _by_scipy(n, k, null)) == pytest.approx(
        0.0, abs=1e-9
    )


@pytest.mark.parametrize("phi", [1.0, 1.7, 5.0, 10.0])
@pytest.mark.parametrize("null", [0.01, 0.05, 0.2])
def test_min_samples_is_the_least(null: float, phi: float) -> None:
    """As many good requests prove it, one less do not."""
    least = proof.min_samples(null=null, phi=phi)
    assert proof.proved(n=least / phi, k=0, null=null)
    assert not proof.proved(n=(least - 1) / phi, k=0, null=null)


def test_seventy_requests_without_an_error_prove_five_percent() -> None:
    """The figure that the documentation promises."""
    assert proof.proved(n=70, k=0, null=0.05)
    assert not proof.proved(n=69, k=0, null=0.05)
    assert proof.requests_to_proof(n=0, k=0, null=0.05) == pytest.approx(70, abs=0.6)


@given(n=st.integers(0, 10_000_000), share=st.floats(0.05, 1.0))
@settings(max_examples=300, deadline=None)
def test_nothing_at_the_limit_is_proved_under_it(n: int, share: float) -> None:
    """With the observed share at the limit or over it there is never a proof."""
    assert not proof.proved(n=n, k=math.ceil(n * share), null=0.05)


@given(n=st.integers(1, 5000), k=st.integers(0, 100))
@settings(max_examples=200, deadline=None)
def test_requests_to_proof_are_enough(n: int, k: int) -> None:
    """As many more requests as forecast do prove it, and a tenth less do not."""
    k = min(n, k)
    more = proof.requests_to_proof(n=n, k=k, null=0.05)
    share = k / n
    if more is None:
        assert share > 0.045
    elif more == 0.0:
        assert proof.proved(n=n, k=k, null=0.05)
    else:
        assert proof.proved(n=n + more, k=k + share * more, null=0.05)
        less = 0.9 * more - 1
        assert less <= 0 or not proof.proved(n=n + less, k=k + share * less, null=0.05)
