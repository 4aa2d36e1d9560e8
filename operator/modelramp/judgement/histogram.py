"""Histograms as counts per bin, whichever form a provider has them in, and how they are added and compared.

Classic Prometheus buckets, native histograms and the histograms frozen in a ModelVersion meet here in one
value object. Two of them can be added or compared where they have edges in common. An edge that only one of
them has is common too when the other has seen nothing around it: to split an empty bin loses nothing.
So native histograms, which leave empty buckets out, need no rule of their own.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from operator import add
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Libraries write the same edge as 0.3 and as 0.30000000000000004.
_DIGITS = 12
MOST_NATIVE_BINS = 40
_FINEST_SCHEMA, _COARSEST_SCHEMA = 8, -4
_NEAR = 1e-6
_ZERO_EDGES = 2  # the edges of the zero bucket are anywhere
BLOCK_SECONDS = 6 * 3600
BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of observations per bin; ``Histogram()`` has seen nothing, and adds to anything.

    Which side an observation exactly on an edge belongs to is the provider's affair: the upper edge belongs
    to the bin in classic buckets and in the positive native ones.

    Attributes:
        edges: Finite upper edges of the bins in the unit of what is observed, rising; edges that agree in
            12 digits are the same edge.
        counts: Observations per bin, not cumulative; one more than edges, the last one above all edges.

    Raises:
        ValueError: The edges do not rise or are not finite, a count is negative or not finite, or their
            numbers do not fit.
    """

    edges: tuple[float, ...] = ()
    counts: tuple[float, ...] = (0,)

    def __post_init__(self) -> None:
        edges = tuple(_edge(edge) for edge in self.edges)
        if not all(math.isfinite(edge) for edge in edges):
            raise ValueError(
                f"histogram: the edges {list(edges)} must be finite; +Inf is always the last bin"
            )
        if any(low >= high for low, high in pairwise(edges)):
            raise ValueError(f"histogram: the edges {list(edges)} must rise from one to the next")
        if len(self.counts) != len(edges) + 1:
            raise ValueError(
                f"histogram: {len(edges)} edges need {len(edges) + 1} counts, the last one for what is above "
                f"all edges; there are {len(self.counts)}"
            )
        wrong = next((count for count in self.counts if not 0 <= count < math.inf), None)
        if wrong is not None:
            raise ValueError(f"histogram: {wrong} is not a count; counts are 0 or more")
        object.__setattr__(self, "edges", edges)

    @property
    def n(self) -> float:
        """All observations."""
        return sum(self.counts)

    def __add__(self, other: Histogram) -> Histogram:
        """Both together, on the edges that they have in common."""
        one, two = aligned(self, other)
        return Histogram(one.edges, tuple(a + b for a, b in zip(one.counts, two.counts, strict=True)))

    def splits_at(self, edge: float) -> bool:
        """Whether it is known how many observations lie on each side of this edge."""
        place = bisect_left(self.edges, edge)
        return self.counts[place] == 0 or (place < len(self.edges) and self.edges[place] == edge)

    def on(self, edges: Sequence[float]) -> Histogram:
        """The same observations on other edges (rising, finite).

        Raises:
            ValueError: An edge is inside of a bin that has observations.
        """
        edges = tuple(_edge(edge) for edge in edges)
        unknown = [edge for edge in edges if not self.splits_at(edge)]
        if unknown:
            raise ValueError(
                f"histogram: nothing is known about the edges {unknown}; it has {list(self.edges)}"
            )
        counts: list[float] = [0] * (len(edges) + 1)
        for edge, count in zip((*self.edges, math.inf), self.counts, strict=True):
            counts[bisect_left(edges, edge)] += count
        return Histogram(edges, tuple(counts))


def aligned(one: Histogram, other: Histogram) -> tuple[Histogram, Histogram]:
    """Both on their common edges; nothing is interpolated, so they may come out coarser."""
    if one.edges == other.edges:
        return one, other
    every = sorted({*one.edges, *other.edges})
    edges = [edge for edge in every if one.splits_at(edge) and other.splits_at(edge)]
    return one.on(edges), other.on(edges)


def from_le(increments: Mapping[str, float]) -> Histogram:
    """From the increments of classic buckets, by the value of their label ``le``.

    The counts of ``le`` are cumulative over edges. Where one falls short of its lower neighbour (the buckets
    of one scrape are not one moment) the neighbour's counts, so that no bin is negative.

    Raises:
        ValueError: There is no ``+Inf``, a ``le`` is not a number, or an increment is not a count.
    """
    try:
        known = sorted((float(le), count) for le, count in increments.items())
    except ValueError as error:
        raise ValueError(f'histogram: a label le is not a number ({error}); select one with "le"') from error
    if not known or known[-1][0] != math.inf:
        raise ValueError(
            'histogram: there is no bucket with le="+Inf", so the total is not known; select all buckets'
        )
    wrong = next((count for _, count in known if not 0 <= count < math.inf), None)
    if wrong is not None:
        raise ValueError(f"histogram: {wrong} is not an increment of a bucket; increments are 0 or more")
    rising = list(accumulate((count for _, count in known), max))
    return Histogram(tuple(le for le, _ in known[:-1]), tuple(b - a for a, b in pairwise([0, *rising])))


def from_native(buckets: Iterable[Sequence[Any]]) -> Histogram:
    """From the ``buckets`` of a native histogram in the JSON of Prometheus' HTTP API.

    Each is ``[boundary rule, left, right, count]``, the last three as text; empty buckets are left out there.
    The boundary rule (which edges belong to the bucket) is not kept. Of 40 exponential buckets and more each
    two, four, … become one, as Prometheus itself makes them coarser: edges of all resolutions are nested.

    Raises:
        ValueError: A bucket has another form, or two of them overlap.
    """
    try:
        read = sorted((float(left), float(right), float(count)) for _, left, right, count in buckets)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"histogram: a native bucket is not [rule, left, right, count]: {error}; ask the HTTP API of "
            "Prometheus 2.40 or newer"
        ) from error
    edges: list[float] = []
    counts: list[float] = []
    above = 0.0
    for left, right, count in read:
        start = _edge(left)
        if edges and start < edges[-1]:
            raise ValueError(
                f"histogram: the native bucket from {left} to {right} overlaps the one before it"
            )
        if math.isfinite(start) and (not edges or start > edges[-1]):
            edges.append(start)
            counts.append(0)
        if math.isfinite(right):
            edges.append(_edge(right))
            counts.append(count)
        else:
            above = count
    return _coarser(Histogram(tuple(edges), (*counts, above)))


def increase(before: Histogram, after: Histogram) -> Histogram:
    """What two readings of one cumulative histogram counted in between; after a reset the later one whole."""
    old, new = aligned(before, after)
    if any(b < a for a, b in zip(old.counts, new.counts, strict=True)):
        return after
    return Histogram(new.edges, tuple(b - a for a, b in zip(old.counts, new.counts, strict=True)))


@dataclass(frozen=True, slots=True)
class Accumulated:
    """One arm's histogram since a step began, over the last 24 h at most; a fold over looks.

    It forgets in blocks of six hours of Unix time, so a long step looks back 18 to 24 hours, the state is
    small, and a fold that was stored on the way goes on to the same end.

    Attributes:
        blocks: ``(number of the six hours, what was seen in them)``, oldest first.
    """

    blocks: tuple[tuple[int, Histogram], ...] = ()

    def add(self, at: int, seen: Histogram) -> Accumulated:
        """With the look at the grid point ``at`` (Unix seconds), which came after all others.

        Raises:
            ValueError: There is a later look already.
        """
        number = (at - 1) // BLOCK_SECONDS
        if self.blocks and self.blocks[-1][0] > number:
            raise ValueError(f"histogram: the look at {at} came after a later one; looks are added in order")
        kept = [block for block in self.blocks if block[0] > number - BLOCKS]
        if kept and kept[-1][0] == number:
            seen = kept.pop()[1] + seen
        return Accumulated((*kept, (number, seen)))

    @property
    def total(self) -> Histogram:
        """All of it together."""
        return reduce(add, (block for _, block in self.blocks)) if self.blocks else Histogram()

    def to_list(self) -> list[list[Any]]:
        """As JSON lists and numbers, edges only where they change; `from_list` gives back an equal object."""
        found: list[list[Any]] = []
        edges: tuple[float, ...] | None = None
        for number, block in self.blocks:
            found.append([number, None if block.edges == edges else list(block.edges), list(block.counts)])
            edges = block.edges
        return found

    @classmethod
    def from_list(cls, data: Iterable[Sequence[Any]]) -> Accumulated:
        """The inverse of `to_list`.

        Raises:
            ValueError: The data is not what `to_list` writes.
        """
        blocks: list[tuple[int, Histogram]] = []
        try:
            for number, edges, counts in data:
                known = blocks[-1][1].edges if edges is None else tuple(edges)
                blocks.append((int(number), Histogram(known, tuple(counts))))
            return cls(tuple(blocks))
        except (TypeError, ValueError, IndexError) as error:
            raise ValueError(f"stored histogram cannot be read: {error!r}; it is counted anew") from error


def _coarser(native: Histogram) -> Histogram:
    """With fewer exponential buckets, whose edges are 2^(j / 2^schema); others are left as they are."""
    places = {edge: math.log2(abs(edge)) for edge in native.edges if edge}
    for schema in range(_FINEST_SCHEMA, _COARSEST_SCHEMA - 1, -1):
        if len(native.edges) < MOST_NATIVE_BINS:
            break
        scaled = {edge: place * 2.0**schema for edge, place in places.items()}
        on_grid = [edge for edge in native.edges if edge and abs(scaled[edge] - round(scaled[edge])) < _NEAR]
        if schema == _FINEST_SCHEMA and len(on_grid) < len(native.edges) - _ZERO_EDGES:
            break
        native = native.on(on_grid)
    return native


def _edge(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
