"""The bar of steps, what comes next, and commands to copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from modelramp.cli.fitting import First
from modelramp.cli.wording import plain, seconds
from modelramp.rollout.policy import hold_at, weight_at

if TYPE_CHECKING:
    from modelramp.api.status import PlanStatus
    from modelramp.cli.picture import Picture, Step

_BAR = 16
_SHORT_BAR = 8


def bar(step: Step, plan: PlanStatus) -> First:
    """The steps of a canary in one line: done ✓, under way ▶ with its progress, to come ○.

    What does not fit is left out from the least important: holds, the length of the bar, and the weights of
    the steps that are not under way.
    """
    forms = ((_BAR, True, True), (_BAR, False, True), (_SHORT_BAR, False, True), (_SHORT_BAR, False, False))
    return First(
        *(_line(step, plan, width=width, holds=holds, weights=weights) for width, holds, weights in forms)
    )


def _line(step: Step, plan: PlanStatus, *, width: int, holds: bool, weights: bool) -> Text:
    line = Text("  ", no_wrap=True, overflow="ellipsis")
    for index in range(1, step.total + 1):
        weight = f" {weight_at(plan, index)} %" if weights or index in (step.index, step.total) else ""
        hold = f" {seconds(hold_at(plan, index).total_seconds())}" if holds and index < step.total else ""
        if index < step.index:
            line.append(f"✓{weight}{hold}", style="green")
        elif index > step.index:
            line.append(f"○{weight}{hold}", style="dim")
        else:
            line.append(f"▶{weight} ", style="bold cyan")
            line.append_text(_progress(step.held, step.hold, width))
        if index < step.total:
            line.append("   " if weights else " ")
    return line


def _progress(part: float, whole: float, width: int) -> Text:
    done = int(width * part / whole) if whole else width
    return Text.assemble(("█" * done, "cyan"), ("░" * (width - done), "dim"))


def command(parts: tuple[str, str]) -> First:
    """A command to copy: in one line if it fits, else in two that can be copied as they are."""
    first, second = parts
    return First(
        Text(f"  {first} {second}", style="bold", no_wrap=True),
        Text(f"  {first} \\\n    {second}", style="bold", no_wrap=True, overflow="fold"),
    )


def following(shown: Picture) -> str:
    """What happens next, or why nothing does."""
    step, plan = shown.step, shown.status.plan
    if not shown.message:
        return "the operator has not seen it yet: is it running? (modelramp operator)"
    if step is None or plan is None or shown.reason != "Holding":
        return plain(shown.message)
    waits = step.hold - step.held
    when = f"in {seconds(max(1, waits))}" if waits > 0 else "now"
    return f"next: {weight_at(plan, step.index + 1)} % {when}, if every check is proved"
