"""The block that says why a version was taken back, and what happens now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from modelramp.api.status import Phase
from modelramp.cli.steps import command
from modelramp.cli.wording import plain, request, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from modelramp.api.status import RejectedRevision
    from modelramp.cli.picture import Picture


def rolled_back(shown: Picture, rejection: RejectedRevision) -> RenderableType:
    """The reason with its figures, what serves, what the client met, and the next command to type."""
    why = Text(plain(_sentence(rejection.message)), style="bold")
    panel = Panel(
        Group(why, *(Text(plain(line)) for line in facts(shown, rejection))),
        box=box.HEAVY,
        border_style="red",
        title=Text(f"{rejection.reason.value}", style="bold red"),
        title_align="left",
    )
    name = plain(rejection.revision)
    again = Text(f"{name} will not be tried again. Ship another version, or ask for a retry:")
    retry = command(request("retry", name=shown.name, namespace=shown.namespace))
    return Group(panel, Padding(Group(again, retry), (0, 0, 0, 2)))


def facts(shown: Picture, rejection: RejectedRevision) -> list[str]:
    """What happened to the traffic, a sentence each."""
    if shown.status.phase is Phase.ROLLING_BACK:
        return [f"{shown.message}"]
    ended = shown.ended
    took = ""
    if ended is not None and ended.revision == rejection.revision:
        took = f", {seconds((rejection.time - ended.started).total_seconds())} after the rollout began"
    found = [f"All traffic is on {rejection.to_revision} again{took}."]
    count = shown.seen.total.get(rejection.revision) if shown.seen else None
    if count is not None and count.requests:
        found.append(
            f"The client sent {count.requests:,} requests to {rejection.revision}:"
            f" {count.errors:,} met an error, {count.slow:,} took over 500 ms."
        )
    return found


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
