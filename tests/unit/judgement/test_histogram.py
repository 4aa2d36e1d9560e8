"""Histograms: what is read from each form, what adding and comparing keeps, and what is refused."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.judgement.histogram import Accumulated, Histogram, aligned, from_le, from_native, increase

HOUR = 3600
edges = st.lists(st.integers(-20, 20), unique=True, max_size=8).map(sorted)
values = st.lists(st.integers(-25, 25), max_size=40)


def _counted(at: list[int], seen: list[int]) -> Histogram:
    """By hand: how many values lie in each bin."""
    ends = [-math.inf, *at, math.inf]
    return Histogram(tuple(at), tuple(sum(low < v <= high for v in seen) for low, high in pairwise(ends)))


def test_classic_buckets_become_bins() -> None:
    """Cumulative increments in any order, with numbers written in any way, are bins afterwards."""
    seen = from_le({"+Inf": 10, "0.50": 4, "1e0": 9, "0.30000000000000004": 1})
    assert seen == Histogram((0.3, 0.5, 1.0), (1, 3, 5, 1))
    assert seen.n == 10


def test_buckets_of_different_moments_have_no_negative_bin() -> None:
    """A bucket that is behind its lower neighbour counts as much as that; the total stays."""
    assert from_le({"1": 5, "2": 3, "3": 8, "+Inf": 8}) == Histogram((1, 2, 3), (5, 0, 3, 0))


@pytest.mark.parametrize(
    ("buckets", "message"),
    [
        ({"0.5": 1.0}, r'no bucket with le="\+Inf"'),
        ({}, r'no bucket with le="\+Inf"'),
        ({"fast": 1.0, "+Inf": 2.0}, "a label le is not a number"),
        ({"1": -1.0, "+Inf": 2.0}, "-1.0 is not an increment"),
        ({"1": math.nan, "+Inf": 2.0}, "nan is not an increment"),
    ],
)
def test_buckets_that_cannot_be_counted_are_refused(buckets: dict[str, float], message: str) -> None:
    """Without a total or with what is no count there is an error that says so, not a histogram."""
    with pytest.raises(ValueError, match=message):
        from_le(buckets)


@pytest.mark.parametrize(
    ("at", "counts", "message"),
    [
        ((1.0, 1.0), (0, 0, 0), "must rise"),
        ((2.0, 1.0), (0, 0, 0), "must rise"),
        ((1.0, math.inf), (0, 0, 0), "must be finite"),
        ((1.0,), (0, 0, 0), "1 edges need 2 counts"),
        ((1.0,), (0, -1), "-1 is not a count"),
    ],
)
def test_what_is_no_histogram_is_refused(
    at: tuple[float, ...], counts: tuple[float, ...], message: str
) -> None:
    """Edges that do not rise or end, and counts that do not fit, are errors."""
    with pytest.raises(ValueError, match=message):
        Histogram(at, counts)


def test_native_buckets_become_bins() -> None:
    """Prometheus' JSON, negative and zero buckets and gaps included, becomes bins without a gap."""
    buckets = json.loads(
        '[[1, "-2", "-1", "3"], [3, "-0.001", "0.001", "5"], [0, "1", "2", "7"], [0, "2", "+Inf", "4"]]'
    )
    assert from_native(buckets) == Histogram((-2, -1, -0.001, 0.001, 1, 2), (0, 3, 0, 5, 0, 7, 4))


@pytest.mark.parametrize(
    "buckets", [[["1", "2"]], [[0, "a", "2", "3"]], [[0, "0", "2", "1"], [0, "1", "3", "1"]]]
)
def test_native_buckets_of_another_form_are_refused(buckets: list[list[object]]) -> None:
    """What is not four numbers, or overlaps, is an error."""
    with pytest.raises(ValueError, match="native bucket"):
        from_native(buckets)


@given(at=edges, other=edges, seen=values, more=values)
def test_nothing_is_lost_or_invented_on_common_edges(
    at: list[int], other: list[int], seen: list[int], more: list[int]
) -> None:
    """Of any two histograms the counts on the common edges are what counting the values there gives."""
    one, two = aligned(_counted(at, seen), _counted(other, more))
    assert one.edges == two.edges
    assert set(one.edges) >= {float(edge) for edge in at} & {float(edge) for edge in other}
    common = [int(edge) for edge in one.edges]
    assert (one, two) == (_counted(common, seen), _counted(common, more))


@given(at=edges, other=edges, seen=values, more=values)
def test_adding_counts_both(at: list[int], other: list[int], seen: list[int], more: list[int]) -> None:
    """The sum is commutative, has all observations, and nothing seen adds nothing."""
    one, two = _counted(at, seen), _counted(other, more)
    assert one + two == two + one
    assert (one + two).n == len(seen) + len(more)
    assert (one + Histogram()).on(one.edges) == one


def test_native_histograms_of_different_resolution_meet_at_the_coarse_one() -> None:
    """The fine one's edges are dropped; an edge that an empty bucket hid is common all the same."""
    coarse = from_native([[0, "1", "2", "8"]])
    fine = from_native([[0, "1.414213562373095", "2", "3"]])
    one, two = aligned(coarse, fine)
    assert one.edges == (1.0, 2.0)
    assert (one.counts, two.counts) == ((0, 8, 0), (0, 3, 0))


@given(schema=st.integers(0, 8), first=st.integers(-50, 50), length=st.integers(1, 400))
def test_many_native_buckets_become_fewer(schema: int, first: int, length: int) -> None:
    """At most 40 bins are left of any exponential histogram, on edges it had, with all that was counted."""
    at = [2.0 ** (j / 2**schema) for j in range(first, first + length + 1)]
    buckets = [[0, str(low), str(high), "3"] for low, high in pairwise(at)]
    found = from_native(buckets)
    assert len(found.counts) <= 40
    assert {*found.edges} <= {float(f"{edge:.12g}") for edge in at}
    assert found.n == 3 * length
    if length <= 38:
        assert len(found.edges) == length + 1


def test_coarse_and_fine_native_histograms_stay_comparable() -> None:
    """Two ranges of one resolution that are made coarser to different degrees have many edges in common."""
    one, two = (
        from_native([[0, str(2 ** (j / 8)), str(2 ** ((j + 1) / 8)), "3"] for j in range(-length, 0)])
        for length in (30, 120)
    )
    assert len(one.counts) > 30
    assert 15 < len(two.counts) <= 40
    assert len(aligned(one, two)[0].edges) > 7


def test_many_buckets_of_any_other_kind_stay() -> None:
    """Custom buckets in native form are not on the exponential grid, and none of them is lost."""
    buckets = [[0, str(j / 100), str((j + 1) / 100), "1"] for j in range(100)]
    assert len(from_native(buckets).edges) == 101


def test_other_edges_are_refused_where_nothing_is_known() -> None:
    """Counts are not spread within a bin: asking for an edge inside of one is an error that names it."""
    with pytest.raises(ValueError, match=r"edges \[1.5\]"):
        Histogram((1, 2), (0, 3, 0)).on([1.0, 1.5])


def test_increase_between_two_readings() -> None:
    """The difference per bin; after a reset, which one bin is enough to show, the later reading whole."""
    before, after = Histogram((1, 2), (5, 5, 0)), Histogram((1, 2), (6, 9, 1))
    assert increase(before, after) == Histogram((1, 2), (1, 4, 1))
    assert increase(after, before) == before
    assert increase(Histogram((1,), (3, 0)), Histogram((1,), (2, 9))) == Histogram((1,), (2, 9))


@pytest.mark.parametrize("start", [0, 6 * HOUR, 6 * HOUR + 30])
def test_a_day_at_most_is_looked_back(start: int) -> None:
    """Of 40 hours of looks the last 18 to 24 are kept; of 18 hours all."""
    seen, total = Accumulated(), 0
    for number in range(1, 40 * 60 + 1):
        seen = seen.add(start + 60 * number, Histogram((1,), (1, 0)))
        total += 1
        if number <= 18 * 60:
            assert seen.total.n == number
        assert seen.total.n <= 24 * 60
        assert seen.total.n >= min(number, 18 * 60)
    assert total == 40 * 60


def test_a_look_belongs_to_the_time_before_it() -> None:
    """What was counted up to six o'clock sharp is forgotten with what was counted before six."""
    seen = Histogram((1,), (1, 0))
    assert Accumulated().add(6 * HOUR, seen) == Accumulated().add(6 * HOUR - 60, seen)
    assert Accumulated().add(6 * HOUR, seen) != Accumulated().add(6 * HOUR + 1, seen)


def test_a_stored_fold_goes_on_to_the_same_end() -> None:
    """Stored as JSON at any look and continued from there, the state is equal, edges that change included."""
    looks = [
        (600 * number, Histogram((1, 2) if number % 7 else (2,), (number, 1, 2) if number % 7 else (3, 4)))
        for number in range(1, 200)
    ]
    live = Accumulated()
    states = []
    for at, seen in looks:
        live = live.add(at, seen)
        states.append(json.dumps(live.to_list()))
    for number in (0, 35, 36, 37, 120):
        replayed = Accumulated.from_list(json.loads(states[number]))
        for at, seen in looks[number + 1 :]:
            replayed = replayed.add(at, seen)
        assert replayed == live


def test_looks_come_in_order() -> None:
    """A look before the last block is an error, and so is what was never stored."""
    with pytest.raises(ValueError, match="came after a later one"):
        Accumulated().add(10 * 24 * HOUR, Histogram()).add(24 * HOUR, Histogram())
    for stored in ([[1, [2]]], [[1, [3, 2], [1, 1, 1]]], [1]):
        with pytest.raises(ValueError, match="stored histogram"):
            Accumulated.from_list(stored)  # type: ignore[arg-type]
