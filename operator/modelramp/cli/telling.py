"""The account for people: a block for each check, with a small chart where its looks are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from modelramp.cli import ending, steps
from modelramp.cli.account import Basis
from modelramp.cli.checks import BLIND, FAIL, PASS, WATCHING
from modelramp.cli.columns import MARGIN, Column, chart
from modelramp.cli.screen import title
from modelramp.cli.wording import clock, percent, plain, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from modelramp.cli.account import Account, Block, Point

_VERDICTS = {PASS: "green", FAIL: "bold red", WATCHING: "yellow", BLIND: "yellow"}
_OUTER, _INNER = 2, 4
_SHORTEST = 16
"""Columns below which a chart says nothing."""


def tell(console: Console, account: Account) -> None:
    """Prints it, as wide as the console is. Queries stay in one line each, so that they can be pasted."""
    shown = account.picture
    console.print(title(shown))
    if shown.rejection is not None:
        console.print(Text(), ending.rolled_back(shown, shown.rejection), sep="\n")
    else:
        console.print(_indented(Text(plain(steps.following(shown)))))
        for item in shown.problems:
            console.print(_indented(Text(f"! {item.reason}: {plain(item.message)}", style="yellow")))
    if account.missing is not None:
        console.print(_indented(_lacking(account.missing)))
    if not account.blocks:
        console.print(_indented(Text("no check has been judged: there are no figures yet", style="dim")))
        return
    console.print(_indented(_origin(account)))
    if account.unseen is not None:
        console.print(_indented(Text(plain(account.unseen), style="dim")))
    for block in account.blocks:
        console.print()
        _tell(console, account, block)


def _tell(console: Console, account: Account, block: Block) -> None:
    check = block.check
    console.print(
        _indented(Text.assemble((check.label, "bold"), "  ", (check.verdict, _VERDICTS[check.verdict])))
    )
    console.print(_indented(Text(plain(block.entry.message)), by=_INNER))
    console.print(_indented(Text(figures(block, baking=account.picture.bake is not None)), by=_INNER))
    near = _near(block)
    if near:
        console.print(_indented(Text(near), by=_INNER))
    for line in _looks(console, account, block):
        console.print(_indented(line, by=_INNER))
    if block.entry.query:
        console.print(_indented(Text("to see it in Prometheus:", style="dim"), by=_INNER))
        query = Text(" " * _INNER + plain(block.entry.query), no_wrap=True, overflow="ignore")
        console.print(query, soft_wrap=True)


def figures(block: Block, *, baking: bool) -> str:
    """Value against limit and against stable, with all that belongs to them, in one line."""
    entry = block.entry
    said = f"value {value(entry.value, block)}"
    if entry.interval is not None:
        low, high = entry.interval
        said += f" (95 % range {percent(low).removesuffix(' %')}–{percent(high)})"
    parts = [
        f"{said}, n = {entry.n:,}",
        _limit(block, baking=baking),
        f"stable has {value(entry.baseline, block)}",
    ]
    if entry.eta is not None:
        parts.append(f"decided in about {seconds(entry.eta)}")
    return "; ".join(parts)


def _limit(block: Block, *, baking: bool) -> str:
    if block.ratio is not None:
        return f"limit {block.ratio:g} × stable"
    # After the promotion the alarm has a limit of its own, tighter than the one that was proved.
    return f"{'alarm over' if baking else 'limit'} {value(block.entry.threshold, block)}"


def value(number: float | None, block: Block) -> str:
    """A share in percent, any other figure as it is."""
    return percent(number) if block.is_share or number is None else f"{number:.4g}"


def _near(block: Block) -> str:
    parts = []
    if block.proof is not None and block.check.verdict != FAIL:
        full = block.proof >= 1.0
        parts.append("the proof is complete" if full else f"proof at {int(100 * block.proof)} %")
    if block.alarm is not None:
        raised = block.alarm >= 1.0
        parts.append("the alarm is raised" if raised else f"alarm at {int(100 * block.alarm)} %")
    return "; ".join(parts)


def _looks(console: Console, account: Account, block: Block) -> list[Text]:
    """The chart of its looks, and what its columns are; nothing where there are none."""
    found = block.points
    if not found:
        return []
    is_terminal = console.is_terminal and not console.is_dumb_terminal
    cells = max(_SHORTEST, console.width - _INNER - MARGIN)
    each = -(-len(found) // cells)
    columns = [_column(found[start : start + each], block) for start in range(0, len(found), each)]

    def is_bad(number: float) -> bool:
        return number < block.line if block.higher else number > block.line

    lines = chart(
        columns,
        limit=block.line,
        said=lambda number: percent(number) if block.is_share else f"{number:.3g}",
        is_bad=is_bad,
        plain=not is_terminal or not console.encoding.startswith("utf"),
    )
    times = f"{clock(found[0].at).removesuffix(' UTC')}–{clock(found[-1].at)}"
    every = f" of {account.interval} s" if account.interval is not None else ""
    grouped = f", {each} in a column" if each > 1 else ""
    return [*lines, Text(f"{len(found):,} looks{every}{grouped}, {times}", style="dim")]


def _column(points: Sequence[Point], block: Block) -> Column:
    """Looks of one column: of shares their common one, of a figure the last."""
    alarms = [point.alarm for point in points if point.alarm is not None]
    alarm = max(alarms, default=None)
    if not block.is_share:
        known = [point.value for point in points if point.value is not None]
        return Column(known[-1] if known else None, alarm)
    n, k = sum(point.candidate.n for point in points), sum(point.candidate.k for point in points)
    return Column(k / n if n else None, alarm)


def _lacking(missing: Sequence[str]) -> Text:
    if not missing:
        return Text("nothing is missing: the next step begins at the next look", style="green")
    return Text(f"still missing: {'; '.join(missing)}", style="yellow")


def _origin(account: Account) -> Text:
    """Where the verdicts are from, and how old they are."""
    shown, at = account.picture, account.at
    if at is None:
        text = "from status"
    elif account.basis is Basis.STATUS:
        age = max(0.0, (shown.now - at).total_seconds())
        text = f"from status, written {seconds(age)} ago ({clock(at, now=shown.now)})"
    elif account.basis is Basis.LEADER:
        text = f"as the operator judged at {clock(at, now=shown.now)}"
    else:
        text = f"recomputed from Prometheus at {clock(at, now=shown.now)}"
    return Text(plain(text + (f"; {account.unasked}" if account.unasked else "")), style="dim")


def _indented(part: RenderableType, *, by: int = _OUTER) -> RenderableType:
    return Padding(part, (0, 0, 0, by), expand=False)
