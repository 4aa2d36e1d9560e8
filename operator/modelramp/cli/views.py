"""The forms in which pictures are shown: once, live on a terminal, in plain lines, as JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.live import Live

from modelramp.cli.lines import changes
from modelramp.cli.report import report
from modelramp.cli.screen import screen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from modelramp.cli.picture import Picture


class View(Protocol):
    """Shows one picture after another, between `with` and its end."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, shown: Picture, body: Mapping[str, Any]) -> None:
        """This is how it is now."""
        ...


def view_for(console: Console, *, watch: bool, as_json: bool) -> View:
    """The form that fits what was asked for and where it goes."""
    if as_json:
        return _Json(indent=None if watch else 2)
    if not watch:
        return _Once(console)
    if console.is_terminal and not console.is_dumb_terminal:
        return _Screen(console)
    return _Lines()


class _Plain:
    """Nothing to set up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class _Once(_Plain):
    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, shown: Picture, body: Mapping[str, Any]) -> None:  # noqa: ARG002 - as the protocol
        self._console.print(screen(shown))


class _Screen:
    """Drawn in place; the last picture stays."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, shown: Picture, body: Mapping[str, Any]) -> None:  # noqa: ARG002 - as the protocol
        self._live.update(screen(shown), refresh=True)


class _Lines(_Plain):
    """A line for each change, written at once."""

    def __init__(self) -> None:
        self._before: Picture | None = None

    def show(self, shown: Picture, body: Mapping[str, Any]) -> None:  # noqa: ARG002 - as the protocol
        for line in changes(self._before, shown):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        self._before = shown


class _Json(_Plain):
    """A document for each change of the object; while watching, one to a line."""

    def __init__(self, *, indent: int | None) -> None:
        self._indent = indent
        self._before: object = None

    def show(self, shown: Picture, body: Mapping[str, Any]) -> None:
        mark = (body["metadata"].get("resourceVersion"), shown.trouble)
        if mark == self._before:
            return
        self._before = mark
        sys.stdout.write(json.dumps(report(shown, body), indent=self._indent, ensure_ascii=False) + "\n")
        sys.stdout.flush()


__all__ = ["View", "view_for"]
