"""Reads what a histogram in Prometheus counted over a range of time, exactly."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import reduce
from operator import add
from typing import TYPE_CHECKING

from modelramp.cli.failure import ExitCode, Failure
from modelramp.judgement.histogram import Histogram, from_le
from modelramp.metrics.counters import Counters, carry, unusable
from modelramp.metrics.port import Series, Source, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.metrics.counters import Process, Sample

_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{.*\})?\s*", re.DOTALL)
_SUFFIX = "_bucket"
# One a minute for a day. Prometheus refuses more than 11,000 a series, and no baseline needs them.
MOST_POINTS = 1440


def name_of(selector: str) -> str:
    """What the selected metric is called, without ``_bucket`` and labels.

    Raises:
        Failure: It is not the name of a metric with labels in braces.
    """
    found = _SELECTOR.fullmatch(selector)
    if found is None:
        raise Failure(
            f"--metric {selector!r}: give the name of a histogram, with labels in braces if wanted, such as "
            'model_prediction_score{model="fraud"}; no functions: increments are counted exactly',
            code=ExitCode.USAGE,
        )
    return found[1].removesuffix(_SUFFIX)


def query(selector: str) -> str:
    """The selector of all buckets."""
    labels = _SELECTOR.fullmatch(selector)
    return f"{name_of(selector)}{_SUFFIX}{(labels[2] if labels else None) or ''}"


async def read(source: Source, selector: str, *, start: int, end: int) -> Histogram:
    """What all series of a classic histogram counted between two moments (Unix seconds), together.

    Raises:
        Failure: The provider does not answer, there are no such series, or they counted nothing.
    """
    step = max(1, -(-(end - start) // MOST_POINTS))
    asked = query(selector)
    try:
        series = await source.read(asked, start=start, end=end, step=step)
    except SourceError as error:
        raise Failure(str(error), code=ExitCode.UNREACHABLE) from error
    if not series:
        raise Failure(
            f"Prometheus has no series {asked} in this time; check the name, the labels and --from, and "
            "that it is a classic histogram (with buckets by le)"
        )
    try:
        seen = counted(series, step=step)
    except ValueError as error:
        raise Failure(f"{asked}: {error}") from error
    if not seen.n:
        raise Failure(f"{asked} counted nothing in this time; choose another time with --from and --to")
    return seen


def counted(series: Iterable[Series], *, step: int) -> Histogram:
    """The increments of all buckets from the first grid point to the last.

    Raises:
        ValueError: A series has no ``le``, or a process has no bucket ``+Inf``.
    """
    grid: dict[int, dict[Sample, float]] = defaultdict(dict)
    for one in series:
        if "le" not in one.labels:
            raise ValueError("a series has no label le")
        labels = {name: value for name, value in one.labels.items() if name != "le"}
        process: Process = tuple(sorted(labels.items()))
        for at, value in one.points:
            if not unusable(value):
                grid[at][process, one.labels["le"]] = value
    counters = Counters(carry(step))
    sums: dict[Process, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for at in sorted(grid):
        for (process, le), increment in counters.step(at, grid[at]).items():
            sums[process][le] += increment
    return reduce(add, (from_le(buckets) for buckets in sums.values()), Histogram())
