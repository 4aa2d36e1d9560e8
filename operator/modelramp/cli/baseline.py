"""`modelramp baseline`: freezes distributions of a version, as the block to paste into its ModelVersion."""

from __future__ import annotations

import asyncio
import json
import math
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
import yaml

from modelramp.api.base import parse_duration, parse_time
from modelramp.cli import buckets, tables
from modelramp.cli.failure import ExitCode, Failure
from modelramp.judgement.drift import WARN_LIMIT, needed
from modelramp.registry.baseline import MOST_BINS, USUAL_BINS, Frozen, block, freeze

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ALL = ""  # edges without a name are for every histogram


class Output(StrEnum):
    """Forms of output."""

    YAML = "yaml"
    JSON = "json"


def baseline(
    data: Annotated[
        Path | None, typer.Argument(help="Rows as CSV (with a header) or Parquet.", show_default=False)
    ] = None,
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "-c", "--column", metavar="[NAME=]COLUMN", help="A column, and what to call it. Can be repeated."
        ),
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Take histograms from this Prometheus instead.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--metric", metavar="[NAME=]METRIC", help="A histogram there, with labels in braces."
        ),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Since when: RFC 3339, or 24h for as long ago.")
    ] = "24h",
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Until when; left out: now.")
    ] = None,
    edges: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]E1,E2,…", help="Upper edges of the bins: those of the server's histogram."
        ),
    ] = None,
    bins: Annotated[
        int, typer.Option(min=2, max=MOST_BINS, help="Without --edges: so many bins, by quantiles.")
    ] = USUAL_BINS,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.YAML,
) -> None:
    """Freeze distributions for a ModelVersion: from rows of data, or from Prometheus.

    A live histogram is compared with a frozen one on the edges that both have: give those that the server
    exports with --edges, or give the server the edges that are chosen here.

    Exit codes: 0 done, 1 nothing to freeze, 2 wrong usage, 3 could not reach Prometheus.
    """
    try:
        wanted = _edges(edges or [])
        if prometheus is not None:
            _refuse(data is not None or column, "--prometheus takes --metric, not a file and --column")
            made = asyncio.run(_from_prometheus(prometheus, metric or [], _range(start, end), wanted))
        else:
            _refuse(metric, "--metric needs --prometheus")
            made = _from_file(data, column or [], wanted, bins)
        unknown = wanted.keys() - {_ALL} - {frozen.name for frozen in made}
        _refuse(unknown, f"--edges {', '.join(sorted(unknown))}: there is no histogram of that name")
        text = block(made)
    except Failure as failure:
        typer.echo(f"error: {failure}", err=True)
        raise typer.Exit(failure.code) from None
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    for frozen in made:
        _note(frozen)
    if output is Output.JSON:
        typer.echo(json.dumps(text, indent=2))
    else:
        typer.echo(yaml.safe_dump(text, sort_keys=False, default_flow_style=None, width=110), nl=False)


def _from_file(
    path: Path | None, columns: Sequence[str], edges: Mapping[str, tuple[float, ...]], bins: int
) -> list[Frozen]:
    if path is None or not columns:
        raise Failure(
            "give a file and its columns: modelramp baseline rows.csv --column prediction=score; or "
            "--prometheus URL --metric METRIC",
            code=ExitCode.USAGE,
        )
    names = [_named(given) for given in columns]
    read = tables.read(path, list(dict.fromkeys(column for _, column in names)))
    made = []
    for name, column in names:
        found, name = read[column], name or column  # noqa: PLW2901
        if found.missing:
            typer.echo(f"note: {name}: {found.missing:,} rows without a value are left out", err=True)
        if not found.values:
            raise Failure(f"{path}: the column {column} has no values")
        made.append(freeze(name, found.values, le=edges.get(name, edges.get(_ALL)), bins=bins))
    return made


async def _from_prometheus(
    url: str, metrics: Sequence[str], span: tuple[int, int], edges: Mapping[str, tuple[float, ...]]
) -> list[Frozen]:
    if not metrics:
        raise Failure(
            "--prometheus needs --metric, such as --metric prediction=model_prediction_score",
            code=ExitCode.USAGE,
        )
    # The client takes a second to load, which files should not wait for.
    from modelramp.metrics.prometheus import Prometheus  # noqa: PLC0415

    source = Prometheus(url, timeout=60.0)
    made = []
    try:
        for given in metrics:
            name, selector = _named(given)
            name = name or buckets.name_of(selector)
            seen = await buckets.read(source, selector, start=span[0], end=span[1])
            wanted = edges.get(name, edges.get(_ALL))
            seen = seen if wanted is None else seen.on(wanted)
            made.append(Frozen(name, seen.edges, tuple(int(count) for count in seen.counts)))
    finally:
        source.close()
    return made


def _named(given: str) -> tuple[str | None, str]:
    """``NAME=THING``, or a thing alone; a selector has = in its braces."""
    before, equals, after = given.partition("=")
    return (before.strip(), after.strip()) if equals and "{" not in before else (None, given.strip())


def _edges(given: Sequence[str]) -> dict[str, tuple[float, ...]]:
    found = {}
    for one in given:
        name, numbers = _named(one)
        try:
            found[name or _ALL] = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise Failure(
                f"--edges {one}: give numbers with commas, such as --edges prediction=0.25,0.5,0.75",
                code=ExitCode.USAGE,
            ) from None
    return found


def _range(start: str, end: str | None) -> tuple[int, int]:
    now = datetime.now(UTC)
    first, last = _moment("--from", start, now), now if end is None else _moment("--to", end, now)
    _refuse(first >= last, f"--from {start} is not before --to {end or 'now'}")
    return math.floor(first.timestamp()), math.floor(last.timestamp())


def _moment(option: str, given: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(given)
    except ValueError:
        pass
    try:
        return parse_time(given)
    except ValueError:
        raise Failure(
            f"{option} {given}: give a time as 2026-11-21T14:05:00Z, or how long ago as 24h",
            code=ExitCode.USAGE,
        ) from None


def _refuse(wrong: object, message: str) -> None:
    if wrong:
        raise Failure(message, code=ExitCode.USAGE)


def _note(frozen: Frozen) -> None:
    """Says when a histogram is too small ever to be compared with."""
    least = math.ceil(needed(WARN_LIMIT, bins=len(frozen.counts)))
    if frozen.n <= least:
        typer.echo(
            f"note: {frozen.name} has {frozen.n:,} values; drift over {WARN_LIMIT:.2f} can be told from more "
            f"than {least:,}",
            err=True,
        )
