"""`modelramp status`: what serves, where the rollout is, and how it goes; with `--watch` as it happens."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import sys
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer
from rich.console import Console

from modelramp.cli.access import connected
from modelramp.cli.failure import ExitCode, Failure
from modelramp.cli.picture import Outcome
from modelramp.cli.views import view_for
from modelramp.cli.watching import Watch


class Output(StrEnum):
    """Forms of output."""

    TEXT = "text"
    JSON = "json"


class Until(StrEnum):
    """What `--until` can wait for."""

    PROMOTED = Outcome.PROMOTED.value
    ROLLED_BACK = Outcome.ROLLED_BACK.value


def status(
    name: Annotated[str, typer.Argument(help="Name of the ModelDeployment.", show_default=False)],
    *,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Its namespace.  [default: the context's]")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(envvar="KUBECONFIG", help="File with the cluster's address and credentials.")
    ] = None,
    watch: Annotated[bool, typer.Option("-w", "--watch", help="Go on showing it, until Ctrl-C.")] = False,
    until: Annotated[
        Until | None,
        typer.Option(
            help="Watch until this happens; exit code 1 when the other thing does, or nothing in time."
        ),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="Seconds to watch at most.", show_default=False)
    ] = None,
    stats: Annotated[
        Path | None,
        typer.Option(
            help="Counts of a traffic client (JSON, its --stats): what each revision was really sent."
        ),
    ] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TEXT,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")] = False,
) -> None:
    """Show what serves, where the rollout is and how it goes.

    Exit codes: 0 done, 1 the thing failed, 2 wrong usage, 3 could not reach the cluster.
    """
    if timeout is not None and not (watch or until):
        raise typer.BadParameter("--timeout needs --watch or --until")
    # A log that takes ASCII only gets question marks, not an error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    # Libraries' warnings would draw over the screen; what matters comes as an error.
    logging.getLogger().addHandler(logging.NullHandler())
    console = Console(no_color=True if no_color else None, highlight=False)

    async def run() -> ExitCode:
        async with connected(
            kubeconfig=kubeconfig, context=context, namespace=namespace, name=name
        ) as source:
            watching = watch or until is not None
            with view_for(console, watch=watching, as_json=output is Output.JSON) as view:
                run = Watch(source=source, stats=stats, view=view)
                if not watching:
                    return await run.once()
                return await run.follow(until=Outcome(until.value) if until else None, timeout=timeout)

    try:
        code = asyncio.run(run())
    except KeyboardInterrupt:
        # Who waits for something and gives up has not seen it.
        code = ExitCode.FAILED if until else ExitCode.DONE
    except Failure as failure:
        with contextlib.suppress(BrokenPipeError):
            typer.echo(f"error: {failure}", err=True)
        code = failure.code
    raise typer.Exit(code)
