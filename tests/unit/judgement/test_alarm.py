"""The alarms: their arithmetic, their short memory and their reserve about single looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from modelramp.judgement import alarm

THRESHOLD = alarm.threshold(30)


def _after(looks: list[tuple[int, int]], *, null: float = 0.05, phi: float = 1.0) -> tuple[float, ...]:
    levels: tuple[float, ...] = ()
    for n, k in looks:
        weights = alarm.absolute(null)
        levels = alarm.update(levels, n=n, k=k, weights=weights, phi=phi, threshold=THRESHOLD)
    return levels


def _looks_to_alarm(look: tuple[int, int], *, before: list[tuple[int, int]], phi: float = 1.0) -> int:
    for count in range(1, 1000):
        if alarm.raised(_after([*before, *[look] * count], phi=phi), THRESHOLD):
            return count
    raise AssertionError("no alarm")


def test_levels_are_log_likelihood_ratios() -> None:
    """One look adds, per alternative, what scipy's binomial densities say, divided by the dispersion."""
    levels = _after([(200, 12)], phi=2.0)
    alternatives = np.array([1.1, 1.25, 1.5, 2, 4, 8]) * 0.05
    expected = (binom.logpmf(12, 200, alternatives) - binom.logpmf(12, 200, 0.05)) / 2.0
    assert levels == pytest.approx(tuple(expected), rel=1e-12)


def test_threshold_is_the_run_length_in_looks() -> None:
    """The mean time to a false alarm is ten days for A and thirty for B, whatever the interval."""
    assert alarm.threshold(30) == pytest.approx(math.log(10 * 86_400 / 30))
    assert alarm.threshold(30, alarm.RELATIVE_RUN_LENGTH) == pytest.approx(math.log(30 * 86_400 / 30))


@given(null=st.floats(1e-4, 0.9), n=st.integers(1, 5_000), part=st.floats(0, 1), phi=st.floats(1.0, 50.0))
def test_absolute_evidence_anywhere(null: float, n: int, part: float, phi: float) -> None:
    """What a look adds to A is scipy's ratio of binomial densities, to 1e-9, at figures that nobody chose."""
    k = round(part * n)
    weights = alarm.absolute(null)
    levels = alarm.update((), n=n, k=k, weights=weights, phi=phi, threshold=math.inf)
    alternatives = np.array([f * null for f in (1.1, 1.25, 1.5, 2, 4, 8) if f * null < 1])
    expected = (binom.logpmf(k, n, alternatives) - binom.logpmf(k, n, null)) / phi
    assert levels == pytest.approx(tuple(expected), rel=1e-9, abs=1e-9)


@given(
    share=st.floats(0.001, 0.999),
    n=st.integers(1, 5_000),
    part=st.floats(0, 1),
    ratio=st.floats(1.01, 5.0),
    phi=st.floats(1.0, 50.0),
)
def test_relative_evidence_anywhere(share: float, n: int, part: float, ratio: float, phi: float) -> None:
    """What a look adds to B is scipy's ratio of densities of "whose error is it", to 1e-9."""
    k = round(part * n)
    weights = alarm.relative(share, ratio)
    levels = alarm.update((), n=n, k=k, weights=weights, phi=phi, threshold=math.inf)
    ratios = ratio * np.array([1.0, 1.5, 2.5, 5, 10])
    null, *alternatives = share * ratios / (share * ratios + 1 - share)
    expected = (binom.logpmf(k, n, alternatives) - binom.logpmf(k, n, null)) / phi
    assert levels == pytest.approx(tuple(expected), rel=1e-9, abs=1e-9)


def test_alternatives_stay_under_one() -> None:
    """A limit of 30 % has no alternatives of 120 and 240 %."""
    assert len(_after([(10, 3)], null=0.3)) == 4


def test_mixture_is_the_mean_of_likelihoods() -> None:
    """The mixture is taken over likelihoods, not over levels, and does not overflow."""
    assert alarm.log_mixture((0.0, math.log(3.0))) == pytest.approx(math.log(2.0))
    assert alarm.log_mixture((2000.0, 0.0)) == pytest.approx(2000.0 - math.log(2))


def test_a_good_day_does_not_delay_the_alarm() -> None:
    """24 good hours before make the alarm at most one look later."""
    day = [(30, 0)] * (24 * 120)
    assert _looks_to_alarm((30, 6), before=day) <= _looks_to_alarm((30, 6), before=[]) + 1


def test_one_look_of_few_failures_is_no_alarm() -> None:
    """19 failures in one look, however certain, are half an alarm; 20 may be a whole one."""
    assert not alarm.raised(_after([(19, 19)]), THRESHOLD)
    assert alarm.raised(_after([(20, 20)]), THRESHOLD)
    assert alarm.raised(_after([(19, 19)] * 3), THRESHOLD)


def test_dispersion_slows_the_alarm() -> None:
    """Errors in bursts of five need about five times as many requests."""
    plain = _looks_to_alarm((30, 6), before=[])
    assert _looks_to_alarm((30, 6), before=[], phi=5.0) >= 3 * plain


def test_an_edited_limit_begins_anew() -> None:
    """Levels that belong to another number of alternatives are not mixed with the new ones."""
    old = _after([(100, 50)], null=0.3)
    weights = alarm.absolute(0.05)
    assert alarm.update(old, n=10, k=0, weights=weights, phi=1.0, threshold=THRESHOLD) == _after([(10, 0)])
