"""Samples as tables: for the terminal, and as Markdown beside what is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.scenario import Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure.

    Attributes:
        key: of its samples.
        title: what it is.
        wanted: in words.
        met: whether a median at N ModelDeployments is what is wanted; None: nothing is.
        unit: after each number.
        places: decimal places.
    """

    key: str
    title: str
    wanted: str = ""
    met: Callable[[float, int], bool] | None = None
    unit: str = "s"
    places: int = 2


def _below(alone: float, many: float | None = None) -> Callable[[float, int], bool]:
    return lambda value, count: value < (alone if many is None or count == 1 else many)


ROWS = (
    Row(
        key="first weight",
        title="candidate ready (its EndpointSlice is written) → first weight written",
        wanted="< 0.5 s alone, < 2 s at 100",
        met=_below(0.5, 2.0),
    ),
    Row(key="first weight after the pod", title="candidate's pod ready → first weight written"),
    Row(key="first weight after the request", title="spec.version written → first weight written"),
    Row(
        key="look to weight 0",
        title="look that proves a failure → weight 0 written",
        wanted="< 0.5 s alone, < 2 s at 100",
        met=_below(0.5, 2.0),
    ),
    Row(
        key="fault to weight 0",
        title="every request fails → weight 0 written, interval of 1 s included",
        wanted="< 1.5 s alone, < 3 s at 100",
        met=_below(1.5, 3.0),
    ),
    Row(
        key="beyond the holds",
        title="rollout beyond its three holds, from the first weight to 100 %",
        wanted="< 1 s alone, < 3 s at 100",
        met=_below(1.0, 3.0),
    ),
    Row(key="beyond the holds, from the request", title="the same from spec.version written, with the pods"),
    Row(
        key="hold",
        title="what a hold of 10 s lasts",
        wanted="10.0 s",
        met=lambda value, _: abs(value - 10.0) < 0.05,
    ),
    Row(
        key="hold with SIGKILL",
        title="what a hold of 30 s lasts when the operator is killed in it and started again",
        wanted="30 s",
        met=lambda value, _: abs(value - 30.0) < 0.5,
    ),
    Row(
        key="route put back",
        title="route edited by hand → put back",
        wanted="< 0.5 s",
        met=_below(0.5),
    ),
    Row(
        key="requests of a step",
        title="API requests per object and step",
        wanted="≤ 3",
        met=lambda value, _: value <= 3,
        unit="",
        places=1,
    ),
    Row(
        key="idle requests",
        title="API requests per object and idle minute, the Lease and renewed watches apart",
        wanted="0",
        met=lambda value, _: value == 0,
        unit="",
    ),
    Row(
        key="queries",
        title="Prometheus queries in an interval for two metrics, all objects together",
        wanted="2 (1 a metric)",
        met=lambda value, _: value <= 2,
        unit="",
        places=0,
    ),
    Row(
        key="CPU of a rollout",
        title="operator's CPU per object and rollout",
        wanted="< 0.1 s",
        met=_below(0.1),
        places=3,
    ),
    Row(key="idle CPU", title="operator's idle CPU", wanted="< 0.5 %", met=_below(0.5), unit="%"),
    Row(
        key="idle memory",
        title="operator's memory, idle",
        wanted="< 95 MiB",
        met=_below(95),
        unit="MiB",
        places=0,
    ),
    Row(
        key="peak memory",
        title="operator's memory, peak of a rollout",
        wanted="< 110 MiB",
        met=_below(110),
        unit="MiB",
        places=0,
    ),
)


def cell(row: Row, values: Sequence[float], count: int) -> str:
    """Median and range; a mark where it is not what is wanted."""
    if not values:
        return "–"
    low, middle, high = (f"{found:.{row.places}f}" for found in (min(values), median(values), max(values)))
    unit = f" {row.unit}" if row.unit else ""
    spread = f" ({low}–{high})" if len(values) > 1 and low != high else ""
    missed = row.met is not None and not row.met(round(median(values), 3), count)
    return f"{middle}{spread}{unit}{' ✗' if missed else ''}"


def requests(samples: Samples, what: str) -> list[tuple[str, float]]:
    """Mean number of requests per object of each verb and resource, most first."""
    begin = f"{what}: "
    objects = len(samples["beyond the holds"])
    found = {
        key.removeprefix(begin): sum(values) / (objects if what == "step" else 1)
        for key, values in samples.items()
        if key.startswith(begin)
    }
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def table(measured: Mapping[int, Samples]) -> Table:
    """For the terminal."""
    made = Table(title="median (min–max); ✗: not what is wanted")
    made.add_column("")
    for count in measured:
        made.add_column(f"N = {count}")
    made.add_column("wanted")
    for row in ROWS:
        made.add_row(row.title, *(cell(row, s.get(row.key, []), n) for n, s in measured.items()), row.wanted)
    return made


def markdown(measured: Mapping[int, Samples]) -> str:
    """The figures, and where the requests go."""
    heads = [f"N = {count}" for count in measured]
    lines = [
        f"| | {' | '.join(heads)} | wanted |",
        "|---|" + "---|" * (len(heads) + 1),
        *(
            f"| {row.title} | "
            + " | ".join(cell(row, samples.get(row.key, []), n) for n, samples in measured.items())
            + f" | {row.wanted} |"
            for row in ROWS
        ),
    ]
    for what, title in (("step", "One step"), ("rollout", "A whole rollout, with the bake")):
        lines += ["", f"{title}: requests per object, by verb and resource (mean).", ""]
        lines += [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
        counts = {n: dict(requests(samples, what)) for n, samples in measured.items()}
        keys = sorted(
            set().union(*counts.values()), key=lambda key: -max(c.get(key, 0) for c in counts.values())
        )
        lines += [
            f"| {key} | " + " | ".join(f"{found.get(key, 0):.2f}" for found in counts.values()) + " |"
            for key in keys
        ]
    return "\n".join(lines) + "\n"
