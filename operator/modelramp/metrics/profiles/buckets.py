"""Histograms as a whole, for drift: what each bucket got, not how much was over an edge.

The edges are those of the model and found in the answer, not known beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from modelramp.judgement.histogram import Histogram as Bins
from modelramp.metrics.profiles import series
from modelramp.metrics.profiles.histogram import LE, edge_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelramp.metrics.counters import Sample
    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.profiles.histogram import Histogram
    from modelramp.metrics.service import ServiceRef


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many fell into each bucket: ``counts[i]`` up to ``edges[i]``, the last one over all edges."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Buckets:
    """How all buckets of a histogram are asked for and read, as by a Template."""

    histogram: Histogram
    arms: Arms

    def query(self, services: Sequence[ServiceRef]) -> str:
        """The selector for these revisions."""
        found = self.histogram
        return series.selector(found.names, found.matchers, self.arms.matchers(services))

    def key(self, service: ServiceRef) -> str:
        """By what `read` names the series of a revision."""
        return self.arms.key(service)

    def read(self, labels: Mapping[str, str]) -> tuple[str, Sample] | None:
        """Of a series: the revision's key, and which bucket of which process it is; None = not ours."""
        key, edge = self.arms.key_of(labels), edge_of(labels.get(LE, ""))
        if key is None or edge is None:
            return None
        apart = {"__name__", LE, *self.histogram.differ}
        process = tuple(sorted((label, value) for label, value in labels.items() if label not in apart))
        rest = "|".join(labels.get(label, "") for label in self.histogram.differ)
        return key, (process, f"{edge!r}|{rest}")

    def tally(self, increments: Mapping[str, int]) -> Bins | str:
        """The same as `distribution`, as judgement reads it."""
        found = self.distribution(increments)
        return found if isinstance(found, str) else Bins(found.edges, found.counts)

    def for_people(self, service: ServiceRef) -> str:
        """PromQL to paste: how many fell into each bucket, and those under it, in the last hour."""
        found, arm = self.histogram, self.arms.matchers([service])
        sums = [
            f"sum by ({LE}) (increase({series.selector((name,), found.matchers, arm)}[1h]))"
            for name in found.names
        ]
        return " or ".join(sums)

    def distribution(self, increments: Mapping[str, int]) -> Distribution | str:
        """From the increments of one process, per component, to its buckets.

        Returns:
            The buckets, or, for people, what keeps them from being counted.
        """
        below: dict[float, int] = {}
        for component, count in increments.items():
            edge = float(component.partition("|")[0])
            below[edge] = below.get(edge, 0) + count
        if math.inf not in below:
            return f"the provider has no le of +Inf in {self.histogram.names[0]}"
        edges = sorted(below)
        steps = (below[after] - below[before] for before, after in pairwise(edges))
        # Buckets of one scrape can be a request apart in servers that do not lock.
        return Distribution(tuple(edges[:-1]), (below[edges[0]], *(max(0, step) for step in steps)))
