"""Frozen distributions: which edges are chosen, what is counted, and what cannot be frozen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.registry.baseline import MOST_BINS, Frozen, block, freeze, quantile_edges

numbers = st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=2, max_size=300)


def test_deciles_of_even_values() -> None:
    """A thousand even values are cut into ten bins of a hundred, on edges that a person can read."""
    found = freeze("score", [value / 1000 for value in range(1, 1001)])
    assert found.le == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert found.counts == (100,) * 10


@given(values=numbers, bins=st.integers(2, 30))
def test_chosen_edges_cut_between_values(values: list[float], bins: int) -> None:
    """Edges rise, are fewer than the bins, have values above the last, and none of the values is lost."""
    edges = quantile_edges(values, bins=bins)
    assert list(edges) == sorted(set(edges))
    assert len(edges) < bins
    if not edges:
        assert values.count(max(values)) >= len(values) * (1 - 1 / bins) - 1
        return
    assert edges[-1] < max(values)
    if min(values) <= edges[0]:
        assert freeze("x", values, le=edges).n == len(values)


def test_chosen_edges_are_the_quantiles_of_numpy() -> None:
    """Of many values the edges are the quantiles by their definition, up to three digits."""
    values = np.random.default_rng(31).normal(100.0, 20.0, size=5000)
    expected = np.quantile(values, np.arange(1, 20) / 20, method="inverted_cdf")
    assert quantile_edges(values.tolist(), bins=20) == pytest.approx(tuple(expected), rel=5e-3)


def test_digits_are_kept_where_values_are_close() -> None:
    """Values that differ in the sixth digit still get edges of their own."""
    values = [100_000.0 + step for step in range(10)]
    assert quantile_edges(values, bins=5) == (100_001.0, 100_003.0, 100_005.0, 100_007.0)


def test_few_different_values_need_few_bins() -> None:
    """Two classes give one edge, on the lower one."""
    found = freeze("class", [0.0] * 70 + [1.0] * 30)
    assert (found.le, found.counts) == ((0.0,), (70, 30))


def test_given_edges_count_like_prometheus() -> None:
    """A value on an edge belongs to the bin under it, and what is over all edges is counted last."""
    found = freeze("score", [0.5, 0.5000001, 0.1, 7.0], le=[0.25, 0.5, 1.0])
    assert found.counts == (1, 1, 1, 1)
    assert found.wire() == {"name": "score", "le": [0.25, 0.5, 1.0], "counts": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("values", "le", "message"),
    [
        ([], None, "score: there are no values"),
        ([3.0, 3.0], None, "score: there is no edge among its values"),
        ([1.0, 2.0], [5.0], "all of its 2 values, from 1 to 2, are in one bin"),
        ([1.0, 2.0], [2.0, 1.0], "must rise"),
        ([1.0, 2.0], [1.0, math.inf], "must be finite; leave \\+Inf out"),
        ([1.0, 2.0], [0.01 * i for i in range(MOST_BINS)], "100 edges are too many"),
    ],
)
def test_what_cannot_be_frozen_is_refused(values: list[float], le: list[float] | None, message: str) -> None:
    """No values, values all the same and edges that do not fit are errors that name the histogram."""
    with pytest.raises(ValueError, match=message):
        freeze("score", values, le=le)


def test_impossible_histograms_are_refused() -> None:
    """Counts that do not fit to the edges, no name, and impossible numbers of bins are errors."""
    with pytest.raises(ValueError, match="histogram x: 1 edges need 2 counts"):
        Frozen("x", (1.0,), (1, 2, 3))
    with pytest.raises(ValueError, match="1 edges need 2 counts of 0 or more"):
        Frozen("x", (1.0,), (1, -2))
    with pytest.raises(ValueError, match="needs a name"):
        Frozen("", (1.0,), (1, 2))
    with pytest.raises(ValueError, match="choose from 2 to 100"):
        quantile_edges([1.0, 2.0], bins=1)


def test_the_block_has_each_name_once() -> None:
    """The block is what a ModelVersion's spec takes; the same name twice is an error."""
    one = Frozen("x", (1.0,), (1, 2))
    assert block([one]) == {"baseline": {"histograms": [{"name": "x", "le": [1.0], "counts": [1, 2]}]}}
    with pytest.raises(ValueError, match="histogram x is there twice"):
        block([one, one])
