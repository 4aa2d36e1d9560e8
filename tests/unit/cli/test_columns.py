"""The chart in a terminal shows values where they are, the limit as a line, and gaps as gaps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.cli.columns import HEIGHT, LOW, MARGIN, Column, chart
from modelramp.cli.wording import percent


def drawn(
    *values: float | None, limit: float = 0.05, plain: bool = False, near: float | None = None
) -> list[str]:
    """The lines of a chart of shares."""
    columns = [Column(value, near) for value in values]
    lines = chart(columns, limit=limit, said=percent, is_bad=lambda value: value > limit, plain=plain)
    return [line.plain for line in lines]


def test_values_stand_against_the_limit() -> None:
    """The highest value reaches the top, one at half of it the middle, and the line goes through the rest."""
    assert drawn(0.0, 0.05, 0.1) == [
        "    10 % ┤  █",
        "         ┤  █",
        "     5 % ┤╌▄█ limit",
        "         ┤ ██",
        "     0 % ┤ ██",
    ]


def test_it_can_be_ascii() -> None:
    """The same without a terminal."""
    assert drawn(0.0, None, 0.1, limit=0.1, plain=True) == [
        "    10 % |--# limit",
        "         |  #",
        "         |  #",
        "         |  #",
        "     0 % | ?#",
    ]


def test_little_is_more_than_nothing() -> None:
    """One error among thousands is seen; none at all leaves the column empty."""
    assert drawn(0.0, 0.00001)[-1] == "     0 % ┤ ▁"


def test_the_alarm_has_a_line_of_its_own() -> None:
    """Half way to an alarm is half a column; without any alarm to speak of there is no such line."""
    assert drawn(0.0, near=0.5)[-1] == "   alarm ┤▄"
    assert drawn(0.0, near=3.0)[-1] == "   alarm ┤█"
    assert len(drawn(0.1)) == len(drawn(0.1, near=0.0)) == HEIGHT


def test_what_was_never_bad_takes_little_room() -> None:
    """Zero and the limit, each with its line."""
    assert drawn(0.0, 0.0, None) == ["     5 % ┤╌╌╌ limit", "     0 % ┤  ·"]


def test_figures_below_zero() -> None:
    """A figure that is no share has an axis of its own."""
    lines = chart(
        [Column(-1.0), Column(1.0)],
        limit=0.0,
        said=lambda value: f"{value:g}",
        is_bad=lambda value: value < 0.0,
        plain=False,
    )
    assert [line.plain[:9].strip() for line in lines] == ["1", "", "0", "", "-1"]


@pytest.mark.parametrize("plain", [False, True])
@given(values=st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=60), limit=st.floats(-1e6, 1e6))
def test_anything_can_be_drawn(values: list[float | None], limit: float, *, plain: bool) -> None:
    """Whatever was seen: as many lines and columns as there should be."""
    columns = [Column(value) for value in values]
    lines = chart(
        columns,
        limit=limit,
        said=lambda value: f"{value:.4g}",
        is_bad=lambda value: value > limit,
        plain=plain,
    )
    assert len(lines) == (HEIGHT if any(values) else LOW)
    assert max(len(line.plain) for line in lines) <= len(values) + MARGIN
