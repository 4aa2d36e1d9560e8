"""Histograms with ``le`` buckets: how many requests took longer than an edge.

A quantile under a limit is a share under a limit: p95 <= T is the same as at most 5 % over T. That is exact
where T is an edge. Where it is not, the next lower edge counts: it calls more requests slow, never fewer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modelramp.judgement.evidence import Counts
from modelramp.metrics.profiles import series
from modelramp.metrics.profiles.arms import one_of
from modelramp.metrics.profiles.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.service import ServiceRef

LE = "le"
_ALL, _FAST = "all", "fast"
_PER_SECOND = {"s": 1.0, "ms": 1000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """A histogram as a source exports it.

    Attributes:
        names: Its ``…_bucket`` series; several = older and newer names of one and the same.
        edges: Upper edges of its buckets, in its own unit, rising, without infinity.
        unit: ``s`` or ``ms``; "" where it is no duration.
        slower_than: Seconds from which a request is slow when a user does not say.
        differ: Labels in which the histograms of one process differ.
        matchers: PromQL matchers of the series that count, without the revision.
        note: What people should know of the figure.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...]
    unit: Literal["s", "ms", ""] = "s"
    slower_than: float = 0.5
    differ: tuple[str, ...] = ()
    matchers: str = ""
    note: str = ""


def spellings(edge: float) -> tuple[str, ...]:
    """How an edge is written: 500 by Envoy and Prometheus 2, 500.0 by Python's client and Prometheus 3."""
    short = str(int(edge)) if edge.is_integer() else f"{edge:g}"
    return tuple(dict.fromkeys((short, repr(float(edge)))))


def edge_of(value: str) -> float | None:
    """The edge of an ``le``; None = that is none."""
    try:
        return float(value)
    except ValueError:
        return None


def template(histogram: Histogram, arms: Arms, slower_than: float | None = None) -> Template:
    """How the share of slow requests is asked for and read.

    Args:
        histogram: What the source exports.
        arms: How its series name a revision.
        slower_than: Seconds; None = the histogram's own.

    Raises:
        ValueError: All edges are slower than that; the message names them.
    """
    wanted = (histogram.slower_than if slower_than is None else slower_than) * _PER_SECOND[histogram.unit]
    edge = _lower(histogram, wanted)
    fast = f'{LE}=~"{one_of(spellings(edge))}"'
    both = f'{LE}=~"{one_of((*spellings(edge), "+Inf"))}"'

    def kind(labels: Mapping[str, str]) -> str | None:
        value = edge_of(labels.get(LE, ""))
        if value == edge:
            return _FAST
        return _ALL if value == math.inf else None

    def sums(kinds: Mapping[str, int]) -> Counts | str:
        if {_ALL, _FAST} - kinds.keys():
            return f"the provider has no le of {edge:g} or +Inf"
        return Counts(n=kinds[_ALL], k=max(0, kinds[_ALL] - kinds[_FAST]))

    def ratio(service: ServiceRef) -> str:
        arm = arms.matchers([service])
        return series.share(
            good=[series.selector((name,), histogram.matchers, fast, arm) for name in histogram.names],
            every=[
                series.selector((name,), histogram.matchers, f'{LE}="+Inf"', arm) for name in histogram.names
            ],
            plus=" or ",
        )

    return Template(
        arms=arms,
        selector=series.selector(histogram.names, histogram.matchers, f'{LE}="+Inf"'),
        ask=lambda services: series.selector(
            histogram.names, histogram.matchers, both, arms.matchers(services)
        ),
        parts=frozenset(histogram.differ),
        spelled=frozenset({LE}),
        kind=kind,
        sums=sums,
        ratio=ratio,
        note=_note(histogram, wanted=wanted, edge=edge),
    )


def _lower(histogram: Histogram, wanted: float) -> float:
    # Sums of decimal fractions: 0.3 s are 300 ms, not a hair less.
    below = [edge for edge in histogram.edges if edge <= wanted * (1 + 1e-9)]
    if not below:
        unit = histogram.unit
        edges = ", ".join(f"{edge:g}" for edge in histogram.edges)
        raise ValueError(
            f"{wanted:g} {unit} is under every edge of {histogram.names[0]}; it has {edges} {unit}"
        )
    return below[-1]


def _note(histogram: Histogram, *, wanted: float, edge: float) -> str:
    notes = [histogram.note] if histogram.note else []
    if not math.isclose(edge, wanted):
        unit = histogram.unit
        notes.append(
            f"{wanted:g} {unit} is no edge of {histogram.names[0]}:"
            f" what takes over {edge:g} {unit} is counted as slow"
        )
    return "; ".join(notes)
