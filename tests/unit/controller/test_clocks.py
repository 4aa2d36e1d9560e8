"""How far the clocks of two machines are apart, by the date of an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.controller.clocks import API_SERVER, PROMETHEUS, Clocks, least_difference

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(
    ahead=st.floats(-100, 100),
    there=st.floats(0, 20),
    back=st.floats(0, 20),
    at=st.floats(0, 1),
)
def test_never_more_than_the_truth(ahead: float, there: float, back: float, at: float) -> None:
    """Whatever the answer took and the header cut off: what is told is not over the real difference."""
    sent = NOON + timedelta(seconds=at)
    made = sent + timedelta(seconds=there)
    received = made + timedelta(seconds=back)
    date = (made + timedelta(seconds=ahead)).replace(microsecond=0)
    least = least_difference(date, sent=sent, received=received).total_seconds()
    assert abs(least) <= abs(ahead) + 1e-5
    assert least * ahead >= -1e-9
    assert abs(ahead) - abs(least) <= there + back + 1.0 + 1e-5


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (0, None),
        (4, None),
        (7, "more than 5 s behind that of the API server"),
        (-9, "more than 5 s ahead of that of the API server"),
    ],
)
def test_what_is_told(ahead: int, said: str | None) -> None:
    """Over five seconds it is told, with the side, the server and the way out."""
    clocks = Clocks(lambda: NOON)
    clocks.answered(API_SERVER, format_datetime(NOON + timedelta(seconds=ahead), usegmt=True), 0.01)
    trouble = clocks.trouble()
    assert (trouble is None) == (said is None)
    if said is not None:
        assert said in str(trouble)
        assert "NTP" in str(trouble)


def test_old_answers_and_wrong_dates_say_nothing() -> None:
    """A server that has not answered for a quarter of an hour, or whose date is no date, blocks nothing."""
    now = [NOON]
    clocks = Clocks(lambda: now[0])
    clocks.answered(PROMETHEUS, format_datetime(NOON + timedelta(seconds=60), usegmt=True), 0.01)
    for date in (None, "", "yesterday", "2026-01-01"):
        clocks.answered(API_SERVER, date, 0.01)
    assert "Prometheus" in str(clocks.trouble())
    now[0] += timedelta(minutes=16)
    assert clocks.trouble() is None
