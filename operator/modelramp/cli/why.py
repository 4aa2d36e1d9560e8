"""`modelramp why`: what each check rests on, what is missing, and how it came to be so."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from modelramp.cli.access import connected
from modelramp.cli.failure import Failure
from modelramp.cli.status import Output
from modelramp.kube.errors import Unavailable

if TYPE_CHECKING:
    from modelramp.cli.account import Account

_QUERY_SECONDS = 60.0


def why(
    name: Annotated[str, typer.Argument(help="Name of the ModelDeployment.", show_default=False)],
    *,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Its namespace.  [default: the context's]")
    ] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(envvar="KUBECONFIG", help="File with the cluster's address and credentials.")
    ] = None,
    prometheus: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="MODELRAMP_PROMETHEUS_URL",
            help="Recompute the looks from this Prometheus, as the operator did, and show them as charts.",
        ),
    ] = None,
    operator_namespace: Annotated[
        str, typer.Option(help="Where the operator's Service is: its leader has the newest verdicts.")
    ] = "modelramp-system",
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TEXT,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")] = False,
) -> None:
    """Show for each check what its verdict rests on, what is missing for a proof, and why it went back.

    Exit codes: 0 done, 1 there is nothing to show, 2 wrong usage, 3 could not reach the cluster.
    """
    # A log that takes ASCII only gets question marks, not an error.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    # Libraries' warnings are not what was asked for; what matters comes as an error.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        account = asyncio.run(
            _gathered(
                name,
                namespace=namespace,
                context=context,
                kubeconfig=kubeconfig,
                prometheus=prometheus,
                operator_namespace=operator_namespace,
            )
        )
    except Failure as failure:
        with contextlib.suppress(BrokenPipeError):
            typer.echo(f"error: {failure}", err=True)
        raise typer.Exit(failure.code) from None
    # What they need takes a part of a second to load, which no other sub-command should wait for.
    from modelramp.cli.figures import document  # noqa: PLC0415
    from modelramp.cli.telling import tell  # noqa: PLC0415

    if output is Output.JSON:
        sys.stdout.write(json.dumps(document(account), indent=2, ensure_ascii=False) + "\n")
    else:
        tell(Console(no_color=True if no_color else None, highlight=False), account)


async def _gathered(
    name: str,
    *,
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
    prometheus: str | None,
    operator_namespace: str,
) -> Account:
    """Raises Failure where the object cannot be shown."""
    from modelramp.cli.gathering import gather  # noqa: PLC0415 - as above

    provider = None
    if prometheus:
        from modelramp.metrics.prometheus import Prometheus  # noqa: PLC0415 - as above

        provider = Prometheus(prometheus, timeout=_QUERY_SECONDS)
    try:
        async with connected(
            kubeconfig=kubeconfig, context=context, namespace=namespace, name=name
        ) as source:
            try:
                return await gather(
                    source, now=datetime.now(UTC), provider=provider, operator_namespace=operator_namespace
                )
            except Unavailable as error:
                raise source.unreachable(error) from error
    finally:
        if provider is not None:
            provider.close()
