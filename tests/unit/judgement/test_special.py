"""The special functions against scipy, and against exact rational arithmetic where scipy underflows."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from modelramp.judgement.special import clopper_pearson, log_beta, log_beta_cdf, log_beta_sf

SHAPES = [0.5, 1.0, 2.0, 9.9, 10.0, 33.3, 1e3, 1e5, 1e7]
TOLERANCE = 1e-9


def _interesting(a: float, b: float) -> list[float]:
    mean = a / (a + b)
    sd = math.sqrt(mean * (1 - mean) / (a + b + 1))
    candidates = [1e-6, 0.01, 0.05, 0.1, 0.5, 0.9, *(mean + z * sd for z in (-20, -4, -1, 0, 1, 4))]
    return [x for x in candidates if 0 < x < 1]


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", [*SHAPES, 5.0, 11.0, 20.0, 1e8])
def test_log_beta_on_a_grid(a: float, b: float) -> None:
    """B(a, b) agrees with scipy's to 1e-9, small and large shapes mixed."""
    assert log_beta(a, b) == pytest.approx(special.betaln(a, b), rel=TOLERANCE, abs=TOLERANCE)


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", [*SHAPES, 5.0, 11.0, 20.0])
def test_tails_on_a_grid(a: float, b: float) -> None:
    """Both tails agree with scipy's to a relative error of 1e-9, wherever scipy has digits."""
    for x in _interesting(a, b):
        for ours, theirs in ((log_beta_cdf, stats.beta.cdf), (log_beta_sf, stats.beta.sf)):
            expected = theirs(x, a, b)
            if expected > 1e-290:
                assert math.exp(ours(x, a, b)) == pytest.approx(expected, rel=TOLERANCE), (ours.__name__, x)


@given(
    a=st.floats(0.5, 1e5),
    b=st.floats(0.5, 1e5),
    x=st.floats(1e-9, 1.0, exclude_max=True),
)
@settings(max_examples=500, deadline=None)
def test_tails_anywhere(a: float, b: float, x: float) -> None:
    """The same as on the grid, at points that nobody chose."""
    for ours, theirs in ((log_beta_cdf, special.betainc), (log_beta_sf, special.betaincc)):
        expected = float(theirs(a, b, x))
        if expected > 1e-290:
            assert math.exp(ours(x, a, b)) == pytest.approx(expected, rel=TOLERANCE), ours.__name__


@pytest.mark.parametrize(("a", "b"), [(200, 3), (500, 400), (900, 1200), (2500, 10)])
def test_deep_tail_is_exact(a: int, b: int) -> None:
    """Where the tail is below the smallest float, the logarithm equals that of exact rational arithmetic."""
    x, n = Fraction(1, 16), a + b - 1
    # I_x(a, b) = P(at least a of n), times 16^n to stay with integers
    tail = sum(math.comb(n, j) * 15 ** (n - j) for j in range(a, n + 1))
    expected = math.log(tail) - n * math.log(16)
    assert log_beta_cdf(float(x), a, b) == pytest.approx(expected, rel=TOLERANCE)
    assert log_beta_sf(1.0 - float(x), b, a) == pytest.approx(expected, rel=TOLERANCE)


def test_tails_at_the_ends() -> None:
    """At 0 and 1 there is nothing or everything, without an error."""
    assert log_beta_cdf(0.0, 2, 3) == -math.inf
    assert log_beta_cdf(1.0, 2, 3) == 0.0
    assert log_beta_sf(1.0, 2, 3) == -math.inf


@given(a=st.floats(1e-3, 1e7), b=st.floats(1e-3, 1e7))
@settings(max_examples=500, deadline=None)
def test_log_beta_anywhere(a: float, b: float) -> None:
    """The same as on the grid, at shapes that nobody chose."""
    assert log_beta(a, b) == pytest.approx(special.betaln(a, b), rel=TOLERANCE, abs=TOLERANCE)


def _expected_interval(k: int, n: int) -> tuple[float, float]:
    low = float(stats.beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(stats.beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return low, high


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100, 5_000, 10**6, 10**7])
def test_clopper_pearson_on_a_grid(n: int) -> None:
    """The interval is scipy's quantile to a relative error of 1e-9."""
    for k in {0, 1, 2, n // 100, n // 20, n // 2, n - 1, n}:
        if 0 <= k <= n:
            assert clopper_pearson(k, n) == pytest.approx(_expected_interval(k, n), rel=TOLERANCE), k


@given(data=st.data(), n=st.integers(1, 10**6))
@settings(max_examples=200, deadline=None)
def test_clopper_pearson_anywhere(data: st.DataObject, n: int) -> None:
    """The same as on the grid, for counts that nobody chose."""
    k = data.draw(st.integers(0, n))
    assert clopper_pearson(k, n) == pytest.approx(_expected_interval(k, n), rel=TOLERANCE)


def test_clopper_pearson_of_nothing() -> None:
    """What is not a proportion is refused."""
    with pytest.raises(ValueError, match="k=3 of n=2"):
        clopper_pearson(3, 2)
    with pytest.raises(ValueError, match="n=0"):
        clopper_pearson(0, 0)


@given(n=st.integers(1, 10**5), part=st.floats(0, 1), confidence=st.floats(0.5, 0.999999))
@settings(max_examples=200, deadline=None)
def test_clopper_pearson_at_any_confidence(n: int, part: float, confidence: float) -> None:
    """Other confidences than 95 % are as exact."""
    k, q = round(part * n), (1 - confidence) / 2
    low = float(stats.beta.ppf(q, k, n - k + 1)) if k else 0.0
    high = float(stats.beta.isf(q, k + 1, n - k)) if k < n else 1.0
    assert clopper_pearson(k, n, confidence=confidence) == pytest.approx((low, high), rel=TOLERANCE)
