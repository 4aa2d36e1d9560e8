"""The bar of steps, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from modelramp.cli.wording import seconds
from modelramp.rollout.policy import hold_at, weight_at

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from modelramp.cli.picture import Picture

_BAR = 16
_SHORT_BAR = 8


class Bar:
    """The steps of a canary in one line: done ✓, under way ▶ with its progress, to come ○.

    What does not fit is left out from the least important: holds, then the length of the bar, then the
    weights of steps that are not under way.
    """

    def __init__(self, shown: Picture) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the longest form that fits."""
        forms = [
            self._line(bar=bar, holds=holds, weights=weights)
            for bar, holds, weights in (
                (_BAR, True, True),
                (_BAR, False, True),
                (_SHORT_BAR, False, True),
                (_SHORT_BAR, False, False),
            )
        ]
        fitting = (form for form in forms if form.cell_len <= options.max_width)
        yield next(fitting, forms[-1])

    def _line(self, *, bar: int, holds: bool, weights: bool) -> Text:
        step, plan = self._shown.step, self._shown.status.plan
        line = Text("  ", no_wrap=True, overflow="ellipsis")
        if step is None or plan is None:
            return line
        for index in range(1, step.total + 1):
            weight = f" {weight_at(plan, index)} %" if weights or index in (step.index, step.total) else ""
            hold = f" {seconds(hold_at(plan, index).total_seconds())}" if holds and index < step.total else ""
            if index < step.index:
                line.append(f"✓{weight}{hold}", style="green")
            elif index > step.index:
                line.append(f"○{weight}{hold}", style="dim")
            else:
                line.append(f"▶{weight} ", style="bold cyan")
                line.append_text(_progress(step.held, step.hold, bar))
            line.append("   " if weight else " ")
        line.rstrip()
        return line


def _progress(part: float, whole: float, width: int) -> Text:
    done = round(width * part / whole) if whole else width
    return Text.assemble(("█" * done, "cyan"), ("░" * (width - done), "dim"))


class Command:
    """A command to copy: in one line if it fits, else in two that can be copied as they are."""

    def __init__(self, parts: tuple[str, str]) -> None:
        self._parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields one line, or two."""
        first, second = self._parts
        whole = f"  {first} {second}"
        lines = [whole] if len(whole) <= options.max_width else [f"  {first} \\", f"    {second}"]
        for line in lines:
            yield Text(line, style="bold", no_wrap=True, overflow="fold")


def following(shown: Picture) -> str:
    """What happens next, or why nothing does."""
    step, plan = shown.step, shown.status.plan
    if step is None or plan is None or shown.reason != "Holding":
        return shown.message or "the operator has not seen it yet: is it running? (modelramp operator)"
    weight = weight_at(plan, step.index + 1)
    candidate = shown.status.candidate
    if candidate is None or candidate.step_started_at is None:
        return shown.message
    waits = step.hold - step.held
    when = f"in {seconds(max(1, waits))}" if waits > 0 else "now"
    return f"next: {weight} % {when}, if every check is proved"


__all__ = ["Bar", "Command", "following"]
