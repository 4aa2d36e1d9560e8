"""A backtest as a picture (SVG): value against limit, e-values, and what would have been decided."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from modelramp.judgement.proof import LOG_PROVED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelramp.replay.past import Row

WIDTH, LEFT, RIGHT, TOP = 960, 70, 20, 34
VALUE, EVIDENCE, STRIP, GAP = 150, 110, 14, 26
BLOCK = TOP + VALUE + GAP + EVIDENCE + GAP + STRIP + GAP
COLOURS = {"Pass": "#2e9e5b", "Fail": "#d23c3c", "Inconclusive": "#c9ced6"}
MOST_POINTS = 2_000
_SVG = "http://www.w3.org/2000/svg"


Value: TypeAlias = "Callable[[Row], float | None]"


class _Panel(NamedTuple):
    """Where a line is drawn: `most` is the value at its top."""

    x: Callable[[Row], float]
    top: float
    height: float
    most: float


def svg(rows: Sequence[Row], title: str) -> str:
    """All checks, one under the other; rows of each in the order of time."""
    names = list(dict.fromkeys(row.verdict.metric for row in rows))
    height = 30 + BLOCK * len(names) + 20
    parts = [
        f'<svg xmlns="{_SVG}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        _text(LEFT, 22, title, size=14),
    ]
    for number, name in enumerate(names):
        some = _thinned([row for row in rows if row.verdict.metric == name])
        parts += _block(some, name, 30 + number * BLOCK)
    return "\n".join([*parts, "</svg>", ""])


def _thinned(rows: list[Row]) -> list[Row]:
    """So many that a screen can show; every change of the decision stays."""
    every = max(1, len(rows) // MOST_POINTS)
    last = len(rows) - 1
    return [
        row
        for number, row in enumerate(rows)
        if number % every == 0
        or number == last
        or row.verdict.outcome is not rows[number - 1].verdict.outcome
    ]


def _block(rows: Sequence[Row], name: str, top: int) -> list[str]:
    first, last = rows[0].at.timestamp(), rows[-1].at.timestamp()

    def x(row: Row) -> float:
        return LEFT + (row.at.timestamp() - first) / max(1.0, last - first) * (WIDTH - LEFT - RIGHT)

    shares = [
        share for row in rows for share in (row.verdict.value, row.verdict.baseline) if share is not None
    ]
    most = 1.15 * max(shares + [row.verdict.threshold for row in rows if not _compared(row)], default=1.0)
    base = top + TOP
    parts = [_text(LEFT, base - 8, f"{name}: candidate, stable, limit", weight="bold")]
    parts += _axis(base, VALUE, 0.0, most, lambda value: f"{100 * value:.2g} %")
    panel = _Panel(x, base, VALUE, most)
    parts.append(_line(rows, panel, _limit, COLOURS["Fail"], "5 4"))
    parts.append(_line(rows, panel, lambda row: row.verdict.baseline, "#8a94a6"))
    parts.append(_line(rows, panel, lambda row: row.verdict.value, "#1f5fbf"))
    base += VALUE + GAP
    parts.append(_text(LEFT, base - 8, "evidence (1 = enough): proof ln E / ln 20 (green), alarm (red)"))
    parts += _axis(base, EVIDENCE, 0.0, 2.0, lambda value: f"{value:g}")
    panel = _Panel(x, base, EVIDENCE, 2.0)
    parts.append(_line(rows, panel, lambda _: 1.0, "#8a94a6", "2 4"))
    parts.append(_line(rows, panel, _proof, COLOURS["Pass"]))
    parts.append(_line(rows, panel, lambda row: row.alarm, COLOURS["Fail"]))
    base += EVIDENCE + GAP
    parts += _decisions(rows, x, base)
    parts.append(_text(LEFT, base + STRIP + 14, f"{rows[0].at:%Y-%m-%d %H:%M} UTC"))
    parts.append(_text(WIDTH - RIGHT, base + STRIP + 14, f"{rows[-1].at:%Y-%m-%d %H:%M} UTC", anchor="end"))
    return parts


def _limit(row: Row) -> float | None:
    return None if _compared(row) else row.verdict.threshold


def _compared(row: Row) -> bool:
    """Whether its threshold is a ratio to stable (or nothing that a share could be held against)."""
    return row.verdict.threshold > 1.0


def _proof(row: Row) -> float | None:
    return None if row.proof is None else max(0.0, row.proof / LOG_PROVED)


def _decisions(rows: Sequence[Row], x: Callable[[Row], float], top: int) -> list[str]:
    parts = [_text(LEFT, top - 6, "decision: proved (green), failing (red), neither (grey)")]
    begun = rows[0]
    for row in (*rows[1:], None):
        if row is not None and row.verdict.outcome is begun.verdict.outcome:
            continue
        end = x(row) if row is not None else float(WIDTH - RIGHT)
        colour = COLOURS[begun.verdict.outcome.value]
        place, width = x(begun), max(1.0, end - x(begun))
        parts.append(
            f'<rect x="{place:.1f}" y="{top}" width="{width:.1f}" height="{STRIP}" fill="{colour}">'
            f"<title>{escape(begun.verdict.message)}</title></rect>"
        )
        begun = row or begun
    return parts


def _line(rows: Sequence[Row], panel: _Panel, value: Value, colour: str, dash: str = "") -> str:
    """A line with a gap where there is no value; values over the edge of the picture stay on it."""
    path, pen = [], "M"
    for row in rows:
        found = value(row)
        if found is None or not math.isfinite(found):
            pen = "M"
            continue
        y = panel.top + panel.height * (1.0 - min(found, panel.most) / panel.most)
        path.append(f"{pen}{panel.x(row):.1f} {y:.1f}")
        pen = "L"
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5"{style}/>'


def _axis(top: int, height: int, low: float, high: float, said: Callable[[float], str]) -> list[str]:
    right = WIDTH - RIGHT
    frame = (
        f'<rect x="{LEFT}" y="{top}" width="{right - LEFT}" height="{height}" fill="none" stroke="#dde1e7"/>'
    )
    marks = [(top + height, low), (top + height / 2, (low + high) / 2), (top, high)]
    return [frame, *(_text(LEFT - 6, y + 4, said(value), anchor="end") for y, value in marks)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal"
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="#2b313b"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'
