"""`modelramp backtest`: what a policy would have decided on past data, look by look."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from modelramp.api.base import parse_duration, parse_time
from modelramp.cli.chart import svg
from modelramp.cli.failure import ExitCode
from modelramp.cli.wording import METRICS, percent, plain, seconds
from modelramp.judgement.verdict import Arm
from modelramp.metrics.port import SourceError
from modelramp.metrics.prometheus import Prometheus
from modelramp.metrics.service import ServiceRef
from modelramp.replay.load import ScriptError, load_policy
from modelramp.replay.past import replayed, with_history
from modelramp.replay.walk import checks_of
from modelramp.rollout.policy import BUILT_IN_ANALYSIS

if TYPE_CHECKING:
    from modelramp.judgement.plan import Plan
    from modelramp.replay.past import Past, Row

_DAY = 86_400.0


class Output(StrEnum):
    """Forms of output."""

    TEXT = "text"
    JSON = "json"


def service(text: str) -> ServiceRef:
    """A Service as NAMESPACE/NAME or NAMESPACE/NAME:PORT (8080).

    Raises:
        typer.BadParameter: it is not one.
    """
    namespace, _, rest = text.partition("/")
    name, _, port = rest.partition(":")
    if not namespace or not name or not (port or "8080").isdigit():
        raise typer.BadParameter(
            f"{text!r} is not NAMESPACE/NAME:PORT, such as shop/fraud-2-0-0-1a2b3c4d:8080"
        )
    return ServiceRef(namespace, name, int(port or 8080))


def moment(text: str) -> datetime:
    """A time in RFC 3339 with its zone, or how long ago, such as 24h.

    Raises:
        typer.BadParameter: it is neither.
    """
    try:
        return datetime.now(tz=UTC) - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_time(text)
    except ValueError:
        message = f"{text!r} is neither a time such as 2026-01-31T08:00:00Z nor how long ago, such as 24h"
        raise typer.BadParameter(message) from None


def backtest(
    *,
    candidate: Annotated[
        str, typer.Option(help="Service of the judged revision: NAMESPACE/NAME:PORT.", show_default=False)
    ],
    stable: Annotated[
        str, typer.Option(help="Service it is compared with: NAMESPACE/NAME:PORT.", show_default=False)
    ],
    since: Annotated[
        str,
        typer.Option("--from", help="Begin: a time (RFC 3339), or how long ago (24h).", show_default=False),
    ],
    until: Annotated[str | None, typer.Option("--to", help="End, in the same form.  [default: now]")] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="Analysis section, or an object with spec.analysis.  [default: built-in]"),
    ] = None,
    prometheus_url: Annotated[
        str,
        typer.Option(envvar="MODELRAMP_PROMETHEUS_URL", help="Where the metrics are.", show_default=False),
    ],
    history: Annotated[
        str, typer.Option(help="So long before, bursts of errors of the stable revision are measured.")
    ] = "24h",
    aa: Annotated[
        bool,
        typer.Option("--aa", help="Both are the same: every failing verdict is a false one; count them."),
    ] = False,
    picture: Annotated[
        Path | None, typer.Option("--svg", help="Picture of value, limit, e-value and decision.")
    ] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TEXT,
) -> None:
    """Judge past data by a policy, look by look.

    Exit codes: 0 done, 2 wrong usage, 3 could not reach Prometheus.
    """
    begin, end = moment(since), moment(until) if until else datetime.now(tz=UTC)
    arms = {Arm.CANDIDATE: service(candidate), Arm.STABLE: service(stable)}
    if begin >= end:
        raise typer.BadParameter("--from must be before --to")
    try:
        before = parse_duration(history)
        analysis = load_policy(policy) if policy else BUILT_IN_ANALYSIS
    except (ScriptError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    source = Prometheus(prometheus_url, timeout=60.0)

    async def run() -> tuple[Plan, Past]:
        plan = await with_history(
            source, plan=checks_of(analysis), stable=arms[Arm.STABLE], since=begin, length=before
        )
        return plan, await replayed(source, plan=plan, arms=arms, since=begin, until=end, again=aa)

    try:
        plan, past = asyncio.run(run())
    except SourceError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(ExitCode.UNREACHABLE) from None
    finally:
        source.close()
    if picture is not None and past.rows:
        title = f"{arms[Arm.CANDIDATE].name} beside {arms[Arm.STABLE].name}"
        picture.write_text(svg(past.rows, title), encoding="utf-8")
    if output is Output.JSON:
        sys.stdout.write(json.dumps(document(plan, past, end - begin, aa=aa), indent=2) + "\n")
    else:
        show(Console(highlight=False), plan, past, end - begin, aa=aa)


def document(plan: Plan, past: Past, length: timedelta, *, aa: bool) -> dict[str, Any]:
    """For programs: every look; times in RFC 3339, shares 0 to 1, e-values as natural logarithms."""
    told: dict[str, Any] = {
        "interval": plan.interval,
        "dispersion": {check.name: check.history.phi if check.history else None for check in plan.checks},
        "failed": [_row(row) for row in past.failed],
        "proved": past.proved.isoformat() if past.proved else None,
        "looks": [_row(row) for row in past.rows],
    }
    if aa:
        days = length.total_seconds() / _DAY
        told["falseAlarms"] = {
            "count": len(past.failed),
            "days": days,
            "per100Days": 100 * len(past.failed) / days,
        }
    return told


def _row(row: Row) -> dict[str, Any]:
    verdict = row.verdict
    return {
        "at": row.at.isoformat(),
        "metric": verdict.metric,
        "verdict": verdict.outcome.value,
        "value": verdict.value,
        "baseline": verdict.baseline,
        "n": verdict.n,
        "threshold": verdict.threshold,
        "proof": row.proof,
        "alarm": row.alarm,
        "message": verdict.message,
    }


def show(console: Console, plan: Plan, past: Past, length: timedelta, *, aa: bool) -> None:
    """For people: the changes of the verdicts, and what would have come of it."""
    table = Table("time", "check", "verdict", "candidate", "stable", "n", "why", box=None, pad_edge=False)
    said: dict[str, str] = {}
    for row in past.rows:
        verdict = row.verdict
        if said.get(verdict.metric) != verdict.outcome.value:
            said[verdict.metric] = verdict.outcome.value
            name = METRICS.get(verdict.metric, verdict.metric)
            shares = percent(verdict.value), percent(verdict.baseline)
            when = f"{row.at:%Y-%m-%d %H:%M:%S}"
            table.add_row(
                when, name, verdict.outcome.value, *shares, f"{verdict.n:,}", plain(verdict.message)
            )
    console.print(table)
    known = (
        ", ".join(f"{c.name} {c.history.phi:.1f}" for c in plan.checks if c.history) or "too little history"
    )
    console.print(f"dispersion of stable before: {known}")
    if aa:
        console.print(_rate(len(past.failed), length))
    elif past.failed:
        first = past.failed[0]
        console.print(
            f"it would have been taken back at {first.at:%Y-%m-%d %H:%M:%S} UTC: {first.verdict.reason}"
        )
    elif past.proved:
        console.print(f"every check was proved first at {past.proved:%Y-%m-%d %H:%M:%S} UTC; it never failed")
    else:
        console.print("it would have held: neither proved nor failing")


def _rate(alarms: int, length: timedelta) -> str:
    days = length.total_seconds() / _DAY
    return (
        f"{alarms} false alarms in {seconds(length.total_seconds())}: {100 * alarms / days:.3g} per 100 days"
    )
