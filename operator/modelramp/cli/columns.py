"""A small chart for a terminal: one column for some looks, the limit as a line, what is over it in red."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEIGHT, LOW = 5, 2
"""Rows of a chart, and of one in which every value is zero."""

MARGIN = 16
"""Columns of a terminal that the figures at the left and the word at the right take."""

_LABEL = 8
_BLOCKS = " ▁▂▃▄▅▆▇█"
_SIGNS = " .:-=+*##"
_LINE, _NOTHING, _EDGE = ("╌", "-"), ("·", "?"), ("┤", "|")


@dataclass(frozen=True, slots=True)
class Column:
    """What stands for some looks: their value, and how near an alarm was (1 = raised); None: nothing seen."""

    value: float | None
    alarm: float | None = None


def chart(
    columns: Sequence[Column],
    *,
    limit: float,
    said: Callable[[float], str],
    is_bad: Callable[[float], bool],
    plain: bool,
) -> list[Text]:
    """The lines of the chart, top first; the last is how near an alarm was, if it was near at all.

    Args:
        columns: from the oldest to the newest.
        limit: where the line is drawn.
        said: a value for the axis, in at most eight characters.
        is_bad: whether a value is on the wrong side of the limit.
        plain: ASCII signs only.
    """
    values = [column.value for column in columns if column.value is not None]
    low, top = min([0.0, limit, *values]), max([limit, *values])
    span = (top - low) or 1.0
    height = HEIGHT if any(values) else LOW
    at_limit = min(height - 1, max(0, math.ceil((limit - low) / span * height) - 1))
    labels = {height - 1: said(top), 0: said(low)} | {at_limit: said(limit)}
    lines = []
    for row in reversed(range(height)):
        line = _label(labels.get(row, ""), plain=plain)
        for column in columns:
            level = None if column.value is None else (column.value - low) / span * height - row
            sign = _cell(level, row=row, plain=plain)
            style = "red" if column.value is not None and is_bad(column.value) else "green"
            if sign == " " and row == at_limit:
                sign, style = _LINE[plain], "dim"
            line.append(sign, style=style)
        if row == at_limit:
            line.append(" limit", style="dim")
        lines.append(line)
    if any(column.alarm for column in columns):
        lines.append(_alarms(columns, plain=plain))
    return lines


def _label(text: str, *, plain: bool) -> Text:
    return Text(f"{text[:_LABEL]:>{_LABEL}} {_EDGE[plain]}", style="dim", no_wrap=True)


def _cell(level: float | None, *, row: int, plain: bool) -> str:
    """The sign of a value that reaches so many rows over the bottom of this one."""
    signs = _SIGNS if plain else _BLOCKS
    if level is None:
        return _NOTHING[plain] if row == 0 else " "
    # What is over zero is seen, however little it is.
    least = 1 if row == 0 and level > 0.0 else 0
    return signs[max(least, min(8, round(8 * level)))]


def _alarms(columns: Sequence[Column], *, plain: bool) -> Text:
    signs = _SIGNS if plain else _BLOCKS
    line = _label("alarm", plain=plain)
    for column in columns:
        near = column.alarm or 0.0
        level = 0 if near <= 0.0 else max(1, min(8, int(8 * near)))
        line.append(signs[level], style="red" if near >= 1.0 else "yellow")
    return line
