"""`modelramp policy test`: what the operator would do in a scripted case, without a cluster."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from modelramp.api.base import format_duration
from modelramp.cli.failure import ExitCode
from modelramp.cli.wording import plain
from modelramp.replay.load import ScriptError, load_script
from modelramp.replay.run import met, quantiles, runs, shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.judgement.verdict import Verdict
    from modelramp.replay.run import Run
    from modelramp.replay.script import Expect, Script

app = typer.Typer(name="policy", no_args_is_help=True, help="Try out what a revision is judged by.")
app.callback()(lambda: None)


class Output(StrEnum):
    """Forms of output."""

    TEXT = "text"
    JSON = "json"


@app.command("test")
def run_case(
    file: Annotated[Path, typer.Argument(help="The scripted case (YAML).", show_default=False)],
    *,
    output: Annotated[Output, typer.Option("-o", "--output", help="Form of the output.")] = Output.TEXT,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")] = False,
) -> None:
    """Roll out a revision whose requests are scripted, and see what is decided.

    Exit codes: 0 done, 1 it is not as the file expects, 2 the file is wrong.
    """
    console = Console(no_color=True if no_color else None, highlight=False)
    try:
        script = load_script(file)
    except ScriptError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    found = _run(script)
    if output is Output.JSON:
        sys.stdout.write(json.dumps(document(script, found), indent=2, ensure_ascii=False) + "\n")
    else:
        for line in text(script, found):
            console.print(plain(line), markup=False, soft_wrap=True)
    if script.expect is not None and met(found, script.expect) < script.expect.share:
        raise typer.Exit(ExitCode.FAILED)


def _run(script: Script) -> list[Run]:
    """All runs, with a bar when they are many and somebody sees it."""
    console = Console(stderr=True)
    if script.repeat == 1 or not console.is_terminal:
        return runs(script)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("runs", total=script.repeat)
        return runs(script, done=lambda: progress.advance(task))


def document(script: Script, found: Sequence[Run]) -> Any:  # noqa: ANN401 - JSON
    """For programs: the runs; with `repeat` also the share of each outcome and the quantiles of `at`.

    Times are in seconds, shares 0 to 1; what is not known is null.
    """
    listed = [
        {
            "seed": item.seed,
            "outcome": item.outcome,
            "reason": item.reason,
            "at": item.at.total_seconds(),
            "step": item.step,
            "analysis": [_analysis(verdict) for verdict in item.verdicts],
        }
        for item in found
    ]
    if script.repeat == 1:
        return listed
    expected = met(found, script.expect) if script.expect else None
    return {"runs": listed, "shares": shares(found), "at": quantiles(found), "asExpected": expected}


def _analysis(verdict: Verdict) -> dict[str, Any]:
    return {
        "metric": verdict.metric,
        "verdict": verdict.outcome.value,
        "tier": verdict.tier.value if verdict.tier else None,
        "value": verdict.value,
        "baseline": verdict.baseline,
        "interval": list(verdict.interval) if verdict.interval else None,
        "n": verdict.n,
        "threshold": verdict.threshold,
        "eta": verdict.eta,
        "message": verdict.message,
    }


def text(script: Script, found: Sequence[Run]) -> list[str]:
    """For people."""
    lines = [f"not judged, the policy has no metric for it: {', '.join(script.unjudged)}"] * bool(
        script.unjudged
    )
    lines += _one(script, found[0]) if script.repeat == 1 else _many(script, found)
    if script.expect is not None:
        share = met(found, script.expect)
        verdict = "as expected" if share >= script.expect.share else "NOT AS EXPECTED"
        counted = (
            "" if script.repeat == 1 else f" in {share:.1%} of the runs ({script.expect.share:.1%} wanted)"
        )
        lines.append(f"{verdict}{counted}: {_wanted(script.expect)}")
    return lines


def _one(script: Script, item: Run) -> list[str]:
    reason = "" if item.reason == item.outcome else f": {item.reason}"
    where = f"step {item.step} of {len(script.steps) + 1}, {item.weight} %"
    head = f"{item.outcome}{reason} after {format_duration(item.at)} at {where} (seed {item.seed})"
    return [head, *(f"  {verdict.outcome.value:12}  {verdict.message}" for verdict in item.verdicts)]


def _many(script: Script, found: Sequence[Run]) -> list[str]:
    last = script.seed + script.repeat - 1
    lines = [f"{script.repeat} runs, seeds {script.seed} to {last}"]
    for outcome, share in shares(found).items():
        some = [item for item in found if item.outcome == outcome]
        if some:
            times = ", ".join(
                f"{name} {format_duration(timedelta(seconds=value))}"
                for name, value in quantiles(some).items()
            )
            reasons = ", ".join(sorted({item.reason for item in some}))
            lines.append(f"  {outcome:10}  {share:6.1%}  {times}  {reasons}")
    return lines


def _wanted(expect: Expect) -> str:
    times = [
        f"{word} {format_duration(value)}"
        for word, value in (("after", expect.after), ("within", expect.within))
        if value is not None
    ]
    reason = f": {expect.reason}" if expect.reason else ""
    return " ".join([f"{expect.outcome}{reason}", *times])
