"""Drift: its figures against scipy, its verdicts, and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from modelramp.judgement.drift import chi_square_quantile, distance, drift, needed
from modelramp.judgement.histogram import Histogram
from modelramp.judgement.verdict import Outcome

TOLERANCE = 1e-9
full = st.lists(st.tuples(st.integers(1000, 5000), st.integers(1000, 5000)), min_size=2, max_size=15)


def _histogram(counts: list[int]) -> Histogram:
    return Histogram(tuple(range(1, len(counts))), tuple(counts))


@given(pairs=full)
@settings(max_examples=200, deadline=None)
def test_psi_is_the_symmetric_relative_entropy(pairs: list[tuple[int, int]]) -> None:
    """Of bins that are all large enough, PSI is KL(p, q) + KL(q, p) of scipy, with half a count added."""
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    p, q = ((np.array(x) + 0.5) / (sum(x) + 0.5 * len(x)) for x in (a, b))
    expected = float(stats.entropy(p, q) + stats.entropy(q, p))
    found = distance(_histogram(a), _histogram(b))
    assert found.bins == len(pairs)
    assert found.psi == pytest.approx(expected, rel=TOLERANCE, abs=1e-15)
    assert found.psi == pytest.approx(distance(_histogram(b), _histogram(a)).psi, rel=TOLERANCE, abs=1e-15)


@given(
    one=st.lists(st.integers(0, 9), min_size=2, max_size=200),
    two=st.lists(st.integers(0, 9), min_size=2, max_size=200),
)
@settings(max_examples=200, deadline=None)
def test_ks_is_that_of_the_values(one: list[int], two: list[int]) -> None:
    """Where every value lies on an edge, KS from bins is scipy's KS of the values."""
    at = tuple(float(edge) for edge in range(9))
    seen = [Histogram(at, tuple(x.count(value) for value in range(10))) for x in (one, two)]
    expected = float(stats.ks_2samp(one, two, method="asymp").statistic)
    assert distance(*seen).ks == pytest.approx(expected, rel=TOLERANCE, abs=1e-15)


@pytest.mark.parametrize("df", [1, 2, 3, 4, 9, 10, 19, 20, 49, 99, 250])
def test_chi_square_quantile(df: int) -> None:
    """The quantile agrees with scipy's."""
    assert chi_square_quantile(df) == pytest.approx(float(stats.chi2.isf(1e-6, df)), rel=TOLERANCE)


def test_needed_size() -> None:
    """200 for a limit of 0.25 and 450 for 0.10 up to ten bins; more for more bins and for lower limits."""
    assert needed(0.25, bins=10) == pytest.approx(200)
    assert needed(0.10, bins=3) == pytest.approx(450)
    assert needed(0.10, bins=20) == pytest.approx(450 * stats.chi2.isf(1e-6, 19) / stats.chi2.isf(1e-6, 9))
    assert needed(0.05, bins=10) > 2 * 0.9 * needed(0.10, bins=10)
    for limit in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="the limit is"):
            needed(limit, bins=10)


@given(counts=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 300)), min_size=2, max_size=40))
def test_merged_bins_hold_enough(counts: list[tuple[int, int]]) -> None:
    """However few observations there are, PSI is finite, and bins have room for 5 of each on average."""
    a, b = ([pair[side] for pair in counts] for side in (0, 1))
    found = distance(_histogram(a), _histogram(b))
    assert found.psi is None or math.isfinite(found.psi)
    assert found.bins <= max(1, min(sum(a), sum(b)) / 5)
    assert found.bins <= 100


def test_a_shift_fails_with_figures() -> None:
    """Predictions that moved by a bin fail, and the message says PSI against the limit, KS and both n."""
    found = drift(
        _histogram([50, 100, 200, 400, 250]), _histogram([4000, 8000, 4000, 2000, 2000]), limit=0.25
    )
    assert found.outcome is Outcome.FAIL
    assert found.psi is not None
    assert found.psi > 0.25
    assert f"PSI {found.psi:.3f} against stable is over 0.25" in found.message
    assert f"KS {found.ks:.3f}, n=1,000 and 20,000" in found.message


def test_what_is_new_is_seen() -> None:
    """A quarter of the predictions where stable has none is not hidden in the bin beside it."""
    found = drift(_histogram([450, 300, 250]), _histogram([5000, 5000, 0]), limit=0.25)
    assert found.outcome is Outcome.FAIL
    assert found.bins == 3


def test_no_shift_passes() -> None:
    """The same shares in both are not over the limit."""
    found = drift(_histogram([100, 300, 600]), _histogram([1010, 2990, 6000]), limit=0.1, label="score")
    assert found.outcome is Outcome.PASS
    assert found.message.startswith("score: PSI 0.000 against stable is not over 0.1 ")


@pytest.mark.parametrize(
    ("sample", "reference", "message"),
    [
        ([], [10, 10], "no observation yet"),
        ([10, 10], [], "no observation of stable to compare with"),
        ([30, 70], [100_000, 100_000], "n=100; about 101 more are needed to compare with stable"),
        ([30_000, 70_000], [70, 130], "stable has 200 observations; more than 200 are needed"),
        ([0, 0, 5000], [0, 3, 5000], "is in one bin; give buckets with edges among the values"),
    ],
)
def test_without_enough_there_is_no_verdict(sample: list[int], reference: list[int], message: str) -> None:
    """No data, too little or data that tell nothing apart neither pass nor fail, and say what is missing."""
    found = drift(_histogram(sample or [0]), _histogram(reference or [0]), limit=0.25)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert message in found.message


def test_what_is_forecast_is_enough() -> None:
    """With as many more observations as the message says there is a verdict, with one less there is none."""
    reference = _histogram([4000, 4000])
    assert "about 106 more" in drift(_histogram([50, 50]), reference, limit=0.25).message
    assert drift(_histogram([103, 102]), reference, limit=0.25).outcome is Outcome.INCONCLUSIVE
    assert drift(_histogram([103, 103]), reference, limit=0.25).outcome is Outcome.PASS


def test_histograms_without_a_common_edge_are_not_compared() -> None:
    """Different buckets are said to be different, not interpolated."""
    one, two = Histogram((1.0, 3.0), (500, 500, 500)), Histogram((2.0, 4.0), (500, 500, 500))
    found = drift(one, two)
    assert found.outcome is Outcome.INCONCLUSIVE
    assert "no edge in common" in found.message


def _shares() -> dict[str, np.ndarray]:
    at = np.linspace(0.0, 1.0, 21)
    normal = np.diff(stats.norm.cdf(np.r_[-9.0, at[1:-1], 9.0], 0.4, 0.2))
    return {
        "ten even bins": np.full(10, 0.1),
        "fifty even bins": np.full(50, 0.02),
        "normal": normal / normal.sum(),
        "skewed": np.diff(stats.beta.cdf(at, 0.4, 6)),
    }


@pytest.mark.parametrize("shape", list(_shares()))
@pytest.mark.parametrize("limit", [0.10, 0.25])
def test_false_alarms_are_rare_at_any_size(shape: str, limit: float) -> None:
    """Of samples of 50 to 10,000 without drift none fails, against stable or frozen; the largest pass."""
    rng = np.random.default_rng(11)
    shares = _shares()[shape]
    outcomes: dict[int, set[Outcome]] = {}
    for n in (50, 100, 200, 500, 1000, 10_000):
        for m in (n, 19 * n, 10_000):
            samples = (
                rng.multinomial(n, shares, size=20).tolist(),
                rng.multinomial(m, shares, size=20).tolist(),
            )
            found = {
                drift(_histogram(a), _histogram(b), limit=limit).outcome
                for a, b in zip(*samples, strict=True)
            }
            outcomes.setdefault(n, set()).update(found)
    assert all(Outcome.FAIL not in found for found in outcomes.values())
    assert outcomes[50] == {Outcome.INCONCLUSIVE}
    assert outcomes[10_000] == {Outcome.PASS}


def test_without_the_rule_they_would_not_be() -> None:
    """Of such samples of 100 each PSI alone is over 0.1 in most: the streams are not too easy."""
    rng = np.random.default_rng(12)
    samples = rng.multinomial(100, np.full(10, 0.1), size=400).tolist()
    found = [
        distance(_histogram(a), _histogram(b)).psi for a, b in zip(samples[:200], samples[200:], strict=True)
    ]
    assert sum(psi is not None and psi > 0.1 for psi in found) > 0.6 * 200


@pytest.mark.parametrize(("moved", "least"), [(0.5, 0.95), (0.1, 0.0)])
def test_a_real_shift_is_found_when_there_is_a_verdict(moved: float, least: float) -> None:
    """Half a standard deviation is found by nearly every first verdict; a tenth is no shift by the limits."""
    at = np.linspace(-2.0, 2.0, 19)
    shares = [np.diff(stats.norm.cdf(np.r_[-99.0, at, 99.0], shift, 1.0)) for shift in (0.0, moved)]
    rng = np.random.default_rng(13)
    size = math.ceil(needed(0.10, bins=20) * 20 / 19)
    found = [
        drift(_histogram(rng.multinomial(size, shares[1]).tolist()), _histogram(b), limit=0.10).outcome
        for b in rng.multinomial(19 * size, shares[0], size=50).tolist()
    ]
    failed = found.count(Outcome.FAIL) / 50
    assert failed >= least if least else failed == 0.0
