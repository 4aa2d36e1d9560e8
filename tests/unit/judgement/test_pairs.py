"""Shadow pairs: the e-process against integration and scipy, its error rate, and what is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from modelramp.judgement.pairs import Pairs, Standing, compare, log_evidence

TOLERANCE = 1e-9


@given(wins=st.floats(0, 300), losses=st.floats(0, 300))
@settings(max_examples=300, deadline=None)
def test_evidence_is_scipys(wins: float, losses: float) -> None:
    """The closed form with scipy's Beta functions gives the same E, where scipy has digits."""
    a, b = 1 + wins, 1 + losses
    tail = float(special.betaincc(a, b, 0.5))
    if tail > 1e-290:
        expected = float(special.betaln(a, b)) + math.log(tail) + (wins + losses + 1) * math.log(2)
        assert log_evidence(wins=wins, losses=losses) == pytest.approx(expected, rel=TOLERANCE, abs=TOLERANCE)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (0, 1), (8, 2), (2, 8), (30.5, 11.5)])
def test_evidence_is_the_mixture_of_likelihood_ratios(wins: float, losses: float) -> None:
    """The closed form equals the integral of the likelihood ratios over (1/2, 1], fractions included."""
    value = integrate.quad(
        lambda t: 2 * (2 * t) ** wins * (2 * (1 - t)) ** losses, 0.5, 1, epsabs=0, epsrel=1e-12
    )[0]
    assert math.exp(log_evidence(wins=wins, losses=losses)) == pytest.approx(value, rel=TOLERANCE)


@pytest.mark.parametrize("theta", [0.5, 0.4])
def test_evidence_is_a_supermartingale(theta: float) -> None:
    """At every count up to 30 the next pair raises E by nothing on average, at a half and under it."""
    for wins in range(30):
        for losses in range(30 - wins):
            here = math.exp(log_evidence(wins=wins, losses=losses))
            up = math.exp(log_evidence(wins=wins + 1, losses=losses))
            down = math.exp(log_evidence(wins=wins, losses=losses + 1))
            assert theta * up + (1 - theta) * down <= here * (1 + TOLERANCE)


def test_equal_revisions_are_seldom_told_apart() -> None:
    """Looked at 100 times, at most 10 of 400 runs are told apart (1 % may be worse and 1 % better)."""
    rng = np.random.default_rng(17)
    wrong = 0
    for _ in range(400):
        wins = np.cumsum(rng.random(1000) < 0.5)
        # every tenth is enough: E changes by a factor of two a pair at most
        wrong += any(
            abs(2 * int(wins[i]) - i - 1) > 2 * math.sqrt(i + 1)
            and compare(
                Pairs(n=i + 1, differ=i + 1, labelled=i + 1, worse=int(wins[i]), better=i + 1 - int(wins[i]))
            ).standing
            is not Standing.UNDECIDED
            for i in range(9, 1000, 10)
        )
    assert wrong <= 10


def test_a_worse_candidate_is_found() -> None:
    """60 against 20 is worse, the other way round better, and in bursts of ten neither."""
    pairs = Pairs(n=5000, differ=200, labelled=2000, worse=60, better=20)
    found = compare(pairs)
    assert found.standing is Standing.WORSE
    assert found.log_worse > math.log(100) > found.log_better
    assert (
        "alone was wrong in 60 and stable alone in 20 of 2,000 labelled pairs: the candidate is worse"
        in found.message
    )
    assert compare(Pairs(n=5000, differ=200, labelled=2000, worse=20, better=60)).standing is Standing.BETTER
    assert compare(pairs, phi=10.0).standing is Standing.UNDECIDED


def test_disagreement_has_its_interval() -> None:
    """Without labels the share of different answers is shown with scipy's exact interval, and no winner."""
    found = compare(Pairs(n=1000, differ=37))
    low, high = stats.binomtest(37, 1000).proportion_ci(0.95, method="exact")
    assert found.interval == pytest.approx((low, high), rel=TOLERANCE)
    assert found.disagreement == 0.037
    assert found.standing is Standing.UNDECIDED
    assert "3.7 % of 1,000 pairs" in found.message
    assert "no labels" in found.message


def test_nothing_seen_says_nothing() -> None:
    """Without a pair there is no figure and no winner."""
    found = compare(Pairs())
    assert (found.standing, found.disagreement, found.interval) == (Standing.UNDECIDED, None, None)
    assert "no pair" in found.message


def test_pairs_add() -> None:
    """Looks add up field by field."""
    one = Pairs(n=10, differ=5, labelled=4, worse=2, better=1)
    assert one + Pairs() == one
    assert one + one == Pairs(n=20, differ=10, labelled=8, worse=4, better=2)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 3, "differ": 4},
        {"n": 3, "labelled": 4},
        {"n": 3, "differ": -1},
        {"n": 9, "differ": 2, "labelled": 9, "worse": 2, "better": 1},
        {"n": 9, "differ": 9, "labelled": 2, "worse": 2, "better": 1},
        {"n": 9, "differ": 9, "labelled": 9, "worse": -1},
    ],
)
def test_impossible_pairs_are_refused(fields: dict[str, int]) -> None:
    """Parts that are more than their whole are an error."""
    with pytest.raises(ValueError, match="cannot be"):
        Pairs(**fields)


def test_impossible_settings_are_refused() -> None:
    """A level outside 0 to 1 and a dispersion under 1 are errors."""
    with pytest.raises(ValueError, match="alpha is 1"):
        compare(Pairs(), alpha=1.0)
    with pytest.raises(ValueError, match="phi is"):
        compare(Pairs(), phi=math.nan)
