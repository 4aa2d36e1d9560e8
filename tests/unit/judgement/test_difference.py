"""Differences of proportions and means: intervals and p-values against scipy."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import special, stats

from modelramp.judgement.difference import Mean, Share, interval, p_value, student_quantile

TOLERANCE = 1e-9
counts = st.integers(1, 100_000).flatmap(lambda n: st.builds(Share, st.just(n), st.integers(0, n)))
means = st.builds(Mean, st.integers(2, 100_000), st.floats(-100, 100), st.floats(0.01, 1e4))


def _newcombe(first: Share, second: Share, confidence: float) -> tuple[float, float]:
    """By the book, with scipy's Wilson intervals."""
    (l1, u1), (l2, u2) = (
        stats.binomtest(x.k, x.n).proportion_ci(confidence, method="wilson") for x in (first, second)
    )
    middle = first.value - second.value
    return (
        middle - math.hypot(first.value - l1, u2 - second.value),
        middle + math.hypot(u1 - first.value, second.value - l2),
    )


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99, 0.9999])
@pytest.mark.parametrize(("first", "second"), [((56, 70), (48, 80)), ((0, 10), (0, 20)), ((10, 10), (0, 20))])
def test_shares_on_a_grid(first: tuple[int, int], second: tuple[int, int], confidence: float) -> None:
    """The interval is Newcombe's, with none and all among the counts."""
    one, two = Share(first[1], first[0]), Share(second[1], second[0])
    expected = _newcombe(one, two, confidence)
    assert interval(one, two, confidence=confidence) == pytest.approx(expected, rel=TOLERANCE, abs=1e-15)


def test_newcombes_own_example() -> None:
    """56 of 70 against 48 of 80: the published interval, 0.0524 to 0.3339."""
    assert interval(Share(70, 56), Share(80, 48), confidence=0.95) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )


@given(first=counts, second=counts, confidence=st.floats(0.5, 0.9999))
@settings(max_examples=300, deadline=None)
def test_shares_anywhere(first: Share, second: Share, confidence: float) -> None:
    """The same for counts that nobody chose."""
    found = interval(first, second, confidence=confidence)
    assert found == pytest.approx(_newcombe(first, second, confidence), rel=TOLERANCE, abs=1e-12)


@given(first=counts, second=counts, over=st.sampled_from([0.0, 0.01, 0.1]))
@settings(max_examples=200, deadline=None)
def test_p_of_shares_belongs_to_the_interval(first: Share, second: Share, over: float) -> None:
    """At the level p the lower bound of scipy's Newcombe interval is just what was asked for."""
    p = p_value(first, second, over=over)
    if first.value - second.value <= over:
        assert p == 1.0
    elif 1e-15 < p < 0.999:
        assert _newcombe(first, second, 1.0 - p)[0] == pytest.approx(over, abs=1e-3 if p < 1e-12 else 1e-6)
        for level in (0.5 * p, min(1.0, 1.5 * p)):
            if level < 1.0:
                assert (interval(first, second, confidence=1.0 - level)[0] > over) is (level > p)


@given(first=means, second=means, confidence=st.floats(0.5, 0.9999))
@settings(max_examples=300, deadline=None)
def test_means_anywhere(first: Mean, second: Mean, confidence: float) -> None:
    """Interval and p-value are those of scipy's Welch test."""
    a, b = first.variance / first.n, second.variance / second.n
    df = (a + b) ** 2 / (a**2 / (first.n - 1) + b**2 / (second.n - 1))
    middle, reach = (
        first.value - second.value,
        float(stats.t.isf((1 - confidence) / 2, df)) * math.sqrt(a + b),
    )
    low, high = interval(first, second, confidence=confidence)
    assert (high - low) / 2 == pytest.approx(reach, rel=TOLERANCE, abs=1e-12)
    assert (high + low) / 2 == pytest.approx(middle, rel=TOLERANCE, abs=1e-9)
    test = stats.ttest_ind_from_stats(
        first.value,
        math.sqrt(first.variance),
        first.n,
        second.value,
        math.sqrt(second.variance),
        second.n,
        equal_var=False,
    )
    expected = float(test.pvalue) if middle > 0 else 1.0
    assume(expected > 1e-290)
    assert p_value(first, second, over=0.0) == pytest.approx(expected, rel=TOLERANCE)


@pytest.mark.parametrize("df", [1.0, 1.5, 2.0, 7.3, 30.0, 1e3, 1e6])
@pytest.mark.parametrize("tails", [0.9, 0.5, 0.1, 0.05, 0.01, 1e-6, 1e-12])
def test_student_quantile(df: float, tails: float) -> None:
    """The quantile agrees with scipy's, from the middle far into the tails."""
    expected = -float(special.stdtrit(df, tails / 2))
    assert student_quantile(tails, df) == pytest.approx(expected, rel=TOLERANCE)


def test_values_without_variance_prove_nothing() -> None:
    """Means whose values are all the same differ, and still nothing is significant."""
    assert p_value(Mean(50, 2.0, 0.0), Mean(50, 1.0, 0.0), over=0.0) == 1.0
    assert interval(Mean(50, 2.0, 0.0), Mean(50, 1.0, 0.0), confidence=0.95) == (1.0, 1.0)


def test_what_is_no_sample_is_refused() -> None:
    """Impossible counts and moments are errors, and a share is not a mean."""
    with pytest.raises(ValueError, match="5 of 3"):
        Share(3, 5)
    for wrong in ((-1, 0.0, 1.0), (5, math.nan, 1.0), (5, 0.0, -1.0), (5, 0.0, math.inf)):
        with pytest.raises(ValueError, match="no mean"):
            Mean(*wrong)
    with pytest.raises(TypeError, match="a share has no variance"):
        interval(Share(3, 1), Mean(3, 1.0, 1.0), confidence=0.9)
