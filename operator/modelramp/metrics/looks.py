"""From raw series to looks: what each arm counted between two grid points (pure)."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any, TypeAlias

from modelramp.judgement.evidence import Counts, Gauge, Look, NoData, ProviderError, Seen
from modelramp.metrics.counters import unusable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelramp.judgement.histogram import Histogram
    from modelramp.judgement.verdict import Arm
    from modelramp.metrics.counters import Counters, Process, Sample
    from modelramp.metrics.port import Series
    from modelramp.metrics.profiles.buckets import Buckets
    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.profiles.values import Value

# key of an arm -> grid point -> counters
Grid: TypeAlias = "Mapping[str, Mapping[int, Mapping[Sample, float]]]"
# key of an arm -> grid point -> figures
Figures: TypeAlias = "Mapping[str, Mapping[int, Sequence[float]]]"


def grid(series: Iterable[Series], template: Template | Buckets) -> Grid:
    """The counters per arm and grid point; series that the template does not know are left out."""
    found: dict[str, dict[int, dict[Sample, float]]] = defaultdict(lambda: defaultdict(dict))
    for one in series:
        read = template.read(one.labels)
        if read is not None:
            key, sample = read
            for at, value in one.points:
                found[key][at][sample] = value
    return found


def step(
    counters: Counters, at: int, *, seen: Grid, clusters: Mapping[Arm, str], template: Template | Buckets
) -> Look:
    """Moves the counters on to the grid point ``at``, and says what each arm counted since the one before."""
    samples = {arm: seen.get(key, {}).get(at, {}) for arm, key in clusters.items()}
    together = {sample: value for values in samples.values() for sample, value in values.items()}
    increments = counters.step(at, together)
    return Look(at=at, arms={arm: _seen(values, increments, template) for arm, values in samples.items()})


def figures(series: Iterable[Series], template: Value) -> Figures:
    """The figures per arm and grid point: of several series of one arm, which is right cannot be told."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in series:
        key = template.read(one.labels)
        if key is not None:
            for at, value in one.points:
                found[key][at].append(value)
    return found


def look_at(at: int, *, seen: Figures, keys: Mapping[Arm, str]) -> Look:
    """What each arm's figure was at a grid point."""
    return Look(at=at, arms={arm: _figure(seen.get(key, {}).get(at, [])) for arm, key in keys.items()})


def _figure(values: Sequence[float]) -> Seen:
    if not values:
        return NoData()
    if len(values) > 1:
        return ProviderError(
            f"the query gives {len(values)} series for one revision: aggregate them to one, by its labels"
        )
    if not math.isfinite(values[0]):
        return ProviderError(f"the provider sent {values[0]} as a figure")
    return Gauge(values[0])


def warm(counters: Counters, points: Iterable[int], *, seen: Grid, clusters: Mapping[Arm, str]) -> None:
    """Moves the counters over grid points whose looks nobody asks for; one without a sample costs nothing."""
    by_time = [seen.get(key, {}) for key in clusters.values()]
    for at in points:
        together = {sample: value for values in by_time for sample, value in values.get(at, {}).items()}
        if together:
            counters.step(at, together)


def _seen(
    values: Mapping[Sample, float], increments: Mapping[Sample, int], template: Template | Buckets
) -> Seen:
    if not values:
        return NoData()
    processes: dict[Process, dict[str, int]] = defaultdict(dict)
    for sample, value in values.items():
        process, component = sample
        if unusable(value):
            return ProviderError(f"the provider sent {value} as a counter of {_name(process)}")
        processes[process][component] = increments[sample]
    counted: list[Any] = []
    for process, components in processes.items():
        found = template.tally(components)
        if isinstance(found, str):
            return ProviderError(f"{found} for {_name(process)}")
        counted.append(found)
    total: Counts | Histogram = reduce(add, counted)
    return total


def _name(process: Process) -> str:
    return "{" + ",".join(f'{label}="{value}"' for label, value in process) + "}"
