"""Reference distributions that are frozen with a version: from values to the block of its ModelVersion.

A live histogram can be compared with a frozen one only on edges that both have. So the edges are either those
of the histogram that the server exports, or chosen here first and then given to the server as its buckets.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

USUAL_BINS = 10
MOST_BINS = 100
_FEWEST_DIGITS, _MOST_DIGITS = 3, 12


@dataclass(frozen=True, slots=True)
class Frozen:
    """One entry of ``baseline.histograms``.

    Attributes:
        name: Of the distribution: ``prediction``, or an input.
        le: Finite upper edges of the bins, rising, in the unit of the values.
        counts: Values per bin, not cumulative; one more than edges, the last one above all edges.

    Raises:
        ValueError: The edges do not rise, there are too many, or the numbers of edges and counts do not fit.
    """

    name: str
    le: tuple[float, ...]
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        _check(self.name, self.le)
        if len(self.counts) != len(self.le) + 1 or min(self.counts) < 0:
            raise ValueError(
                f"histogram {self.name}: {len(self.le)} edges need {len(self.le) + 1} counts of 0 or more, "
                f"the last one for what is above all edges; there are {list(self.counts)}"
            )

    @property
    def n(self) -> int:
        """All values."""
        return sum(self.counts)

    def wire(self) -> dict[str, Any]:
        """As it stands in a ModelVersion."""
        return {"name": self.name, "le": list(self.le), "counts": list(self.counts)}


def freeze(
    name: str, values: Sequence[float], *, le: Sequence[float] | None = None, bins: int = USUAL_BINS
) -> Frozen:
    """Counts finite values into bins.

    Args:
        name: Of the distribution.
        values: In any order.
        le: Upper edges of the bins; None = quantiles of the values, see `quantile_edges`.
        bins: How many bins to choose, without ``le``.

    Raises:
        ValueError: There are no values, the edges do not rise, or they tell none of the values apart.
    """
    if not len(values):
        raise ValueError(f"histogram {name}: there are no values")
    edges = tuple(le) if le is not None else quantile_edges(values, bins=bins)
    _check(name, edges)
    counts = [0] * (len(edges) + 1)
    for value in values:
        # an edge is the upper end of its bin, as in Prometheus' le
        counts[bisect_left(edges, value)] += 1
    if max(counts) == len(values):
        raise ValueError(
            f"histogram {name}: all of its {len(values):,} values, from {min(values):g} to {max(values):g}, "
            "are in one bin, so nothing could be compared; give edges among the values"
        )
    return Frozen(name, edges, tuple(counts))


def quantile_edges(values: Sequence[float], *, bins: int = USUAL_BINS) -> tuple[float, ...]:
    """Edges between bins of about as many values each; fewer where many values are the same.

    They are rounded to as few digits (3 at least) as keep them apart. Above the last edge there are values.

    Raises:
        ValueError: The number of bins is out of its bounds.
    """
    if not 2 <= bins <= MOST_BINS:  # noqa: PLR2004  one bin tells nothing apart
        raise ValueError(f"bins: {bins} is not possible; choose from 2 to {MOST_BINS}")
    ordered = sorted(values)
    # the inverse of the distribution function: the least value with i/bins of all at or under it
    chosen = sorted({ordered[math.ceil(i * len(ordered) / bins) - 1] for i in range(1, bins)} - {ordered[-1]})
    for digits in range(_FEWEST_DIGITS, _MOST_DIGITS + 1):
        edges = tuple(float(f"{edge:.{digits}g}") for edge in chosen)
        if all(low < high for low, high in pairwise((*edges, ordered[-1]))):
            return edges
    return tuple(chosen)


def block(histograms: Sequence[Frozen]) -> dict[str, Any]:
    """The part of a ModelVersion's spec to paste.

    Raises:
        ValueError: Two have the same name.
    """
    names = [histogram.name for histogram in histograms]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"histogram {twice} is there twice; give each a name of its own: NAME=…")
    return {"baseline": {"histograms": [histogram.wire() for histogram in histograms]}}


def _check(name: str, le: Sequence[float]) -> None:
    if not name:
        raise ValueError("a histogram needs a name")
    if not le:
        raise ValueError(f"histogram {name}: there is no edge among its values; give edges")
    if len(le) >= MOST_BINS:
        raise ValueError(f"histogram {name}: {len(le)} edges are too many; give {MOST_BINS - 1} at most")
    if not all(math.isfinite(edge) for edge in le):
        raise ValueError(f"histogram {name}: the edges {list(le)} must be finite; leave +Inf out")
    if any(low >= high for low, high in pairwise(le)):
        raise ValueError(f"histogram {name}: the edges {list(le)} must rise from one to the next")
