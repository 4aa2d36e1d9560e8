"""Exact increments: births, resets, deaths, gaps, values that cannot be counted, and replay."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modelramp.metrics.counters import Counters, Sample, carry, unusable

A = (("cluster_name", "a"), ("pod", "gateway-1"))
B = (("cluster_name", "a"), ("pod", "gateway-2"))
GOOD, BAD, OTHER = (A, "2xx"), (A, "5xx"), (B, "2xx")
Samples = dict[Sample, float]


def _run(*points: Samples, window: int = 600, step: int = 10) -> list[dict[Sample, int]]:
    counters = Counters(window=window)
    return [counters.step(step * number, samples) for number, samples in enumerate(points)]


def test_an_increment_is_the_difference() -> None:
    """Exact integers, per series."""
    assert _run({GOOD: 5, OTHER: 7}, {GOOD: 9, OTHER: 7})[1] == {GOOD: 4, OTHER: 0}


def test_the_first_sight_is_a_mark() -> None:
    """What was counted before we looked does not count."""
    assert _run({GOOD: 5000})[0] == {GOOD: 0}


def test_a_birth_counts_whole() -> None:
    """The first burst of errors is a new series, and is not lost."""
    assert _run({GOOD: 5}, {GOOD: 6, BAD: 4})[1] == {GOOD: 1, BAD: 4}


def test_a_new_process_counts_whole() -> None:
    """A second gateway that begins in the step is counted from its zero."""
    assert _run({GOOD: 5}, {GOOD: 6, OTHER: 3})[1] == {GOOD: 1, OTHER: 3}


def test_a_reset_counts_the_new_value() -> None:
    """A process that restarted counts from zero, those of its counters too that did not fall."""
    assert _run({GOOD: 100, BAD: 3}, {GOOD: 8, BAD: 4})[1] == {GOOD: 8, BAD: 4}


def test_a_reset_of_one_process_leaves_the_others() -> None:
    """A restarted gateway does not make another's totals count again."""
    assert _run({GOOD: 100, OTHER: 50}, {GOOD: 8, OTHER: 51})[1] == {GOOD: 8, OTHER: 1}


def test_a_counter_that_is_missing_in_a_restart_starts_from_zero() -> None:
    """Errors after a restart count whole, and do not make the others count a second time."""
    runs = _run({GOOD: 100, BAD: 10}, {GOOD: 5}, {GOOD: 6, BAD: 1})
    assert runs[1:] == [{GOOD: 5}, {GOOD: 1, BAD: 1}]


def test_a_reset_behind_a_value_that_cannot_be_counted_counts_the_new_value() -> None:
    """A counter that fell began again, whatever was seen in between; so did the others of its process."""
    runs = _run({GOOD: 9, BAD: 2}, {GOOD: math.nan, BAD: math.nan}, {GOOD: 5, BAD: 3})
    assert runs[2] == {GOOD: 5, BAD: 3}


def test_a_counter_without_a_value_since_before_a_restart_is_a_mark() -> None:
    """Whether it was last seen before or after the restart is not known: when it is back, nothing counts."""
    runs = _run({GOOD: 9, BAD: 2}, {GOOD: math.nan, BAD: math.nan}, {GOOD: 5}, {GOOD: 6, BAD: 3})
    assert runs[3] == {GOOD: 1, BAD: 0}


def test_a_death_counts_nothing() -> None:
    """A gateway that goes away takes nothing back."""
    assert _run({GOOD: 5, OTHER: 7}, {GOOD: 6})[1] == {GOOD: 1}


def test_a_gap_is_bridged() -> None:
    """A series that comes back within the window goes on from its last value: nothing lost, nothing twice."""
    assert _run({GOOD: 50}, {}, {}, {GOOD: 53})[3] == {GOOD: 3}


def test_out_of_darkness_nothing_counts() -> None:
    """When everything was gone for longer than the window, what comes back may be old and is a mark only."""
    assert _run({GOOD: 50}, *[{}] * 4, {GOOD: 90, BAD: 9}, {GOOD: 91, BAD: 9}, window=30)[5:] == [
        {GOOD: 0, BAD: 0},
        {GOOD: 1, BAD: 0},
    ]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, 2.5, 2.0**60])
def test_values_that_cannot_be_counted(value: float) -> None:
    """They are left out, and the next good value counts what came in between."""
    assert unusable(value)
    assert _run({GOOD: 5, OTHER: 1}, {GOOD: value, OTHER: 2}, {GOOD: 9, OTHER: 2})[1:] == [
        {OTHER: 1},
        {GOOD: 4, OTHER: 0},
    ]


def test_a_series_first_seen_without_a_value_is_a_mark() -> None:
    """A series that was there, but never with a number, is not born when it gets one."""
    assert _run({OTHER: 1}, {OTHER: 1, GOOD: math.nan}, {OTHER: 1, GOOD: 70})[2] == {OTHER: 0, GOOD: 0}


@pytest.mark.parametrize(("interval", "expected"), [(1, 600), (7, 602), (30, 600), (300, 3000)])
def test_the_window_lies_on_the_grid(interval: int, expected: int) -> None:
    """Ten minutes or ten intervals, in whole intervals."""
    assert carry(interval) == expected


VALUES = st.one_of(st.integers(0, 6).map(float), st.sampled_from([math.nan, math.inf, -1.0, 0.5]))
POINTS = st.lists(st.dictionaries(st.sampled_from([GOOD, BAD, OTHER, (B, "5xx")]), VALUES), max_size=20)


# the value of GOOD is older than the window, but not that it was there when its process restarted
FORGOTTEN: list[Samples] = [{GOOD: 0}, {BAD: 5}, {}, {}, {}, {GOOD: math.nan}, {}, {BAD: 0}, {GOOD: 5}]
# what shows the restart is older than the window, and so seen live only
UNSEEN: list[Samples] = [
    {OTHER: 1, GOOD: 2, BAD: 4},
    {OTHER: 1},
    {OTHER: 1, GOOD: math.nan},
    {OTHER: 1, BAD: 1},
    {OTHER: 1},
    {OTHER: 1, GOOD: 9},
]


@example(points=FORGOTTEN, cut=7, window=6)
@example(points=UNSEEN, cut=4, window=3)
@given(points=POINTS, cut=st.integers(0, 20), window=st.integers(1, 6))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_replay_from_the_window_equals_going_on(points: list[Samples], cut: int, window: int) -> None:
    """Counters that saw only the window before a point count the same after it as those that saw all."""
    live, replayed = Counters(window=window), Counters(window=window)
    for at, samples in enumerate(points):
        counted = live.step(at, copy.deepcopy(samples))
        if at >= cut - window:
            again = replayed.step(at, samples)
            if at > cut:
                assert again == counted, at


@given(points=POINTS)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_is_ever_negative(points: list[Samples]) -> None:
    """Whatever the series do, no increment is under zero or over the value."""
    counters = Counters(window=3)
    for at, samples in enumerate(points):
        for sample, increment in counters.step(at, samples).items():
            assert 0 <= increment <= samples[sample]
