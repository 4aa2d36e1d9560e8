"""The screen: one look says what serves, where the rollout is, how it goes, what comes next, and what to do.

Pure: from a picture to something rich can print, at any width.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from modelramp.api.conditions import ConditionType
from modelramp.api.status import Phase, RequestResult
from modelramp.cli import ending, steps
from modelramp.cli.checks import BLIND, FAIL, PASS, WATCHING, checks
from modelramp.cli.fitting import First
from modelramp.cli.picture import Picture, Row, picture
from modelramp.cli.wording import NONE, clock, of, percent, plain, request, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from rich.console import RenderableType

    from modelramp.cli.checks import Check
    from modelramp.cli.picture import Note
    from modelramp.cli.stats import Seen

_NOTES = 3
_SILENT = timedelta(seconds=5)
_NAME, _SHORT_NAME = 63, 17
_INDENT = (0, 0, 0, 2)
_VERDICTS = {PASS: "green", FAIL: "bold red", WATCHING: "yellow", BLIND: "yellow"}
_ROLES = {"stable": "green", "candidate": "cyan", "previous": "dim", "rejected": "red"}
_BADGES = {
    Phase.ROLLED_BACK: ("ROLLED BACK", "bold white on red"),
    Phase.ROLLING_BACK: ("GOING BACK", "bold white on red"),
    Phase.FAILED: ("FAILED", "bold white on red"),
    Phase.BAKING: ("PROMOTED", "bold black on green"),
}
_SINCE = {
    Phase.HEALTHY: ConditionType.READY,
    Phase.ROLLED_BACK: ConditionType.ROLLED_BACK,
    Phase.FAILED: ConditionType.STALLED,
}


def render(
    model_deployment: Mapping[str, Any],
    *,
    now: datetime,
    seen: Seen | None = None,
    notes: tuple[Note, ...] = (),
    trouble: str | None = None,
) -> RenderableType:
    """The screen of a ModelDeployment as it goes over the wire.

    Args:
        model_deployment: the object.
        now: the moment that progress is shown for.
        seen: what a client counted.
        notes: events of the object, newest first.
        trouble: why what is shown may be old.

    Raises:
        Failure: the status cannot be read.
    """
    return screen(picture(model_deployment, now=now, seen=seen, notes=notes, trouble=trouble))


def screen(shown: Picture) -> RenderableType:
    """The screen of a picture."""
    parts: list[RenderableType] = [title(shown)]
    if shown.trouble:
        parts.append(_indented(Text(plain(shown.trouble), style="bold yellow")))
    if shown.rejection is not None:
        parts += [Text(), ending.rolled_back(shown, shown.rejection)]
    elif shown.step is not None and shown.status.plan is not None:
        parts += [Text(), steps.bar(shown.step, shown.status.plan)]
    if shown.rows:
        parts += [Text(), _indented(_revisions(shown))]
    if shown.seen is not None:
        parts.append(_indented(_period(shown, shown.seen)))
    if judged := checks(shown):
        parts += [Text(), _indented(_checks(judged, baking=shown.bake is not None))]
    parts += [Text(), *(_indented(line) for line in _below(shown))]
    return Group(*parts)


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, _INDENT)


def title(shown: Picture) -> RenderableType:
    """Its name, where it comes from and goes to, and how far it is."""
    left = Text.assemble((plain(shown.name), "bold"), "  ")
    phase = shown.status.phase
    if phase in _BADGES:
        words, style = _BADGES[phase]
        left.append(f" {words} ", style=style)
        left.append("  ")
    left.append(plain(_path(shown)))
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, Text(plain(_where(shown)), style="bold"))
    return grid


def _path(shown: Picture) -> str:
    if shown.rejection is not None:
        return f"{shown.rejection.version} → {shown.before}"
    candidate, stable = shown.status.candidate, shown.status.stable
    if candidate is not None:
        return f"Canary {shown.before} → {candidate.version}" if shown.before else candidate.version
    if stable is None:
        return shown.version
    return f"{shown.before} → {stable.version}" if shown.before else f"{stable.version} serves all traffic"


def _where(shown: Picture) -> str:
    """How far it is, at the right of the title."""
    step, bake, phase = shown.step, shown.bake, shown.status.phase
    if step is not None and step.index:
        return f"step {step.index} of {step.total} · {step.weight} % · held {of(step.held, step.hold)}"
    if step is not None:
        return f"before step 1 of {step.total}"
    if bake is not None:
        return f"100 % · bake {of(bake.held, bake.hold)}"
    if phase in _SINCE and (since := shown.condition(_SINCE[phase])) is not None:
        return f"since {clock(since.last_transition_time, now=shown.now)}"
    return phase.value if phase else "not seen yet"


def _table(*columns: str) -> Table:
    """Columns as in the design: the first fits its text, figures stand right, nothing wraps."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, name in enumerate(columns):
        left = number < 2 or name == "enough data"  # noqa: PLR2004 - names and words
        made.add_column(
            name, justify="left" if left else "right", no_wrap=True, overflow="ellipsis", min_width=len(name)
        )
    return made


def _period(shown: Picture, seen: Seen) -> Text:
    text = f"seen: {seen.requests:,} answers that the client counted {seen.period}"
    written = datetime.fromtimestamp(seen.at, tz=UTC)
    if shown.now - written > _SILENT:
        return Text(f"{text}; it has counted nothing since {clock(written, now=shown.now)}", style="yellow")
    return Text(text, style="dim")


def _revisions(shown: Picture) -> RenderableType:
    return First(_revision_table(shown, longest=_NAME), _revision_table(shown, longest=_SHORT_NAME))


def _revision_table(shown: Picture, *, longest: int) -> Table:
    table = _table("revision", "role", "weight", "seen", "requests", "pods", "errors", "over 500 ms")
    for row in shown.rows:
        name = Text(shortened(plain(row.revision), longest), style=_ROLES[row.role])
        table.add_row(name, Text(row.role, style=_ROLES[row.role]), *_figures(shown, row))
    lost = shown.seen.counts.get("") if shown.seen else None
    if shown.seen is not None and lost is not None and lost.requests:
        share = percent(shown.seen.share(""))
        errors, slow = lost.errors / lost.requests, lost.slow / lost.requests
        table.add_row(
            "(none named)", NONE, NONE, share, f"{lost.requests:,}", NONE, percent(errors), percent(slow)
        )
    return table


def _figures(shown: Picture, row: Row) -> list[str]:
    """Weight, seen, requests, pods, errors, over 500 ms."""
    share, requests = NONE, NONE
    errors, slow = _judged(shown, row)
    if shown.seen is not None:
        share = percent(shown.seen.share(row.revision))
        # Of what was taken back, all it was given counts: it gets nothing any more.
        counts = shown.seen.total if row.role == "rejected" else shown.seen.counts
        count = counts.get(row.revision)
        requests = f"{count.requests if count else 0:,}"
        errors = percent(count.errors / count.requests) if count and count.requests else NONE
        slow = percent(count.slow / count.requests) if count and count.requests else NONE
    # Pods of the next step are started before it begins: more than this step needs is nothing odd.
    pods = NONE if row.ready is None else f"{row.ready}/{max(row.ready, row.needed or 0)}"
    return [f"{row.weight} %", share, requests, pods, errors, slow]


def _judged(shown: Picture, row: Row) -> tuple[str, str]:
    """Errors and slow requests as the operator counted them for its last verdict."""
    if not checks(shown):
        return NONE, NONE
    known = {entry.metric: entry for entry in shown.status.analysis or []}
    judged = "stable" if shown.bake else "rejected" if shown.rejection else "candidate"
    found = []
    for name in ("error-rate", "latency"):
        entry = known.get(name)
        if entry is None or row.role not in (judged, "stable"):
            found.append(NONE)
        else:
            found.append(percent(entry.value if row.role == judged else entry.baseline))
    return found[0], found[1]


def _checks(judged: list[Check], *, baking: bool) -> RenderableType:
    # After the promotion the alarm has a limit of its own, tighter than the one that was proved.
    limit = "alarm over" if baking else "limit"
    return First(*(_check_table(judged, limit=limit, ranges=ranges) for ranges in (True, False)))


def _check_table(judged: list[Check], *, limit: str, ranges: bool) -> Table:
    ranged = ["95 % range"] if ranges else []
    table = _table("checks", "verdict", "value", *ranged, limit, "stable has", "enough data")
    for check in judged:
        verdict = Text(check.verdict, style=_VERDICTS[check.verdict])
        interval = [check.interval] if ranges else []
        table.add_row(check.label, verdict, check.value, *interval, check.limit, check.stable, check.enough)
    return table


def _news(shown: Picture) -> tuple[Note, ...]:
    """The last events; those of a rollback are told above already."""
    if shown.rejection is None:
        return shown.notes[:_NOTES]
    return tuple(note for note in shown.notes if note.reason not in ("RolledBack", "VerdictFailed"))[:1]


def _below(shown: Picture) -> list[RenderableType]:
    """What happens next, what is wrong, what happened last, and what can be done."""
    lines: list[RenderableType] = []
    if not shown.observed:
        text = f"version {shown.version} is wanted; the operator has not answered to this change yet"
        lines.append(Text(plain(text), style="yellow"))
    if shown.rejection is None:
        lines.append(Text(plain(steps.following(shown))))
    lines += [Text(f"! {item.reason}: {plain(item.message)}", style="yellow") for item in shown.problems]
    asked = shown.status.last_request
    if asked is not None and asked.result is RequestResult.REFUSED:
        lines.append(
            Text(plain(f"! request {asked.action}/{asked.id} was refused: {asked.message}"), style="yellow")
        )
    for note in _news(shown):
        text = f"{clock(note.time, now=shown.now)}  {note.reason}  {plain(note.message)}"
        style = "yellow" if note.warning else "dim"
        lines.append(Text(text, style=style, no_wrap=True, overflow="ellipsis"))
    if shown.step is not None and shown.before:
        lines += [
            Text(),
            Text(f"to go back to {plain(shown.rows[0].revision)} now:", style="dim"),
            steps.command(request("abort", name=shown.name, namespace=shown.namespace)),
        ]
    return lines
