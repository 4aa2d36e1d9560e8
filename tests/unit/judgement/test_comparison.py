"""The conclusion of an A/B test: when an improvement counts, with many metrics, and how often it is wrong."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelramp.judgement.comparison import Direction, Metric, Result, conclude, holm
from modelramp.judgement.difference import Mean, Share

TOLERANCE = 1e-9
counts = st.integers(20, 5000).flatmap(lambda n: st.builds(Share, st.just(n), st.integers(0, n)))
metrics = st.builds(
    Metric,
    name=st.just("m"),
    candidate=counts,
    stable=counts,
    direction=st.sampled_from(Direction),
    wanted=st.sampled_from([0.0, 0.02]),
)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    """Each adjusted p-value is the largest Bonferroni p-value of all groups of metrics it belongs to."""
    everyone = range(len(p_values))
    for index, (adjusted, _) in enumerate(holm(p_values)):
        groups = (
            g for size in range(1, len(p_values) + 1) for g in combinations(everyone, size) if index in g
        )
        expected = max(min(1.0, len(g) * min(p_values[i] for i in g)) for g in groups)
        assert adjusted == pytest.approx(expected, rel=TOLERANCE)


def test_holms_levels() -> None:
    """The smallest p-value is held against a third, the next against half; after a failure nothing passes."""
    adjusted, levels = zip(*holm([0.04, 0.01, 0.03]), strict=True)
    assert adjusted == pytest.approx((0.06, 0.03, 0.06))
    assert levels == pytest.approx((0.025, 0.05 / 3, 0.025))


@given(tested=st.lists(metrics, min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_improved_exactly_when_the_bound_is_over_what_was_wanted(tested: list[Metric]) -> None:
    """The verdict by p-values and the one by the lower bound that is shown are the same."""
    for metric, found in zip(tested, conclude(tested), strict=True):
        assert found.lower is not None
        assert found.interval is not None
        assert found.improvement is not None
        assert (found.result is Result.IMPROVED) is (found.lower > metric.wanted)
        assert found.lower <= found.interval[0] + 1e-12
        assert found.interval[0] <= found.improvement <= found.interval[1]


def test_an_improvement_that_counts() -> None:
    """Five points more of 10,000 each are over two wanted points, and the message says by which bound."""
    (found,) = conclude(
        [Metric(name="conversion", candidate=Share(10_000, 2500), stable=Share(10_000, 2000), wanted=0.02)]
    )
    assert found.result is Result.IMPROVED
    assert found.improvement == pytest.approx(0.05)
    assert "conversion: 0.25 against 0.2 of stable (n=10,000 and 10,000), improvement 0.05" in found.message
    assert "is over the wanted 0.02" in found.message


def test_significant_is_not_enough() -> None:
    """A difference that is surely over 0 but not over what was wanted does not count."""
    (found,) = conclude(
        [Metric(name="m", candidate=Share(10_000, 2300), stable=Share(10_000, 2000), wanted=0.02)]
    )
    assert found.interval is not None
    assert found.interval[0] > 0.0
    assert found.result is Result.UNDECIDED
    assert "is not over the wanted 0.02" in found.message


def test_lower_can_be_better() -> None:
    """Where lower is better, less is an improvement and more is worse; means as well as shares."""
    fast, slow = Mean(5000, 0.2, 0.01), Mean(5000, 0.3, 0.04)
    both = [
        Metric(name="seconds", candidate=fast, stable=slow, direction=Direction.LOWER, wanted=0.05),
        Metric(name="seconds", candidate=slow, stable=fast, direction=Direction.LOWER),
    ]
    better, worse = conclude(both)
    assert better.result is Result.IMPROVED
    assert better.improvement == pytest.approx(0.1)
    assert worse.result is Result.WORSE
    assert "the candidate is worse" in worse.message


def test_with_many_metrics_more_is_needed() -> None:
    """What counts alone does not count as one of five of which the others show nothing."""
    metric = Metric(name="m", candidate=Share(1000, 240), stable=Share(1000, 200))
    nothing = Metric(name="n", candidate=Share(1000, 200), stable=Share(1000, 200))
    assert conclude([metric])[0].result is Result.IMPROVED
    found = conclude([metric, *[nothing] * 4])[0]
    assert found.result is Result.UNDECIDED
    assert found.adjusted == pytest.approx(5 * found.p_value)


def test_false_improvements_are_rare() -> None:
    """Of 400 tests of four metrics each without any difference, 5 % find an improvement (3 sigma: 8 %)."""
    rng = np.random.default_rng(23)
    wrong = 0
    for _ in range(400):
        k = rng.binomial(500, 0.2, size=8)
        tested = [
            Metric(name="m", candidate=Share(500, int(k[i])), stable=Share(500, int(k[i + 4])))
            for i in range(4)
        ]
        wrong += any(found.result is Result.IMPROVED for found in conclude(tested))
    assert wrong <= 0.08 * 400


@pytest.mark.parametrize(
    ("candidate", "stable"),
    [(Share(0, 0), Share(100, 5)), (Mean(100, 1.0, 1.0), Mean(1, 1.0, 0.0)), (Share(0, 0), Share(0, 0))],
)
def test_no_data_concludes_nothing(candidate: Share | Mean, stable: Share | Mean) -> None:
    """An arm without enough values is undecided, without figures."""
    (found,) = conclude([Metric(name="m", candidate=candidate, stable=stable)])
    assert found.result is Result.UNDECIDED
    assert (found.improvement, found.interval, found.lower, found.adjusted) == (None, None, None, 1.0)
    assert "too few values" in found.message


def test_nonsense_is_refused() -> None:
    """Arms of two kinds, a negative wish and an impossible level are errors that name the metric."""
    with pytest.raises(ValueError, match="metric m: a share and a mean"):
        Metric(name="m", candidate=Share(3, 1), stable=Mean(3, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"metric m: the wanted improvement is -0\.1"):
        Metric(name="m", candidate=Share(3, 1), stable=Share(3, 1), wanted=-0.1)
    with pytest.raises(ValueError, match="alpha is 0"):
        conclude([], alpha=0.0)
