"""How far this machine's clock is from those of the servers it asks, by the `Date` of their answers.

Holds and the grid of looks are read on our clock; the route's acknowledgement was written by whoever led
before, and counters carry Prometheus's time. If these differ nothing can be said about the present step, and
nothing moves towards a candidate.
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

API_SERVER = "API server"
PROMETHEUS = "Prometheus"

LIMIT = timedelta(seconds=5)
_TICK = timedelta(seconds=1)
"""What a `Date` leaves open: it is cut to whole seconds."""

_VALID = timedelta(minutes=15)
"""An answer older than this says nothing of now: its server is not asked any more.

It is longer than any usual interval of looks, and than the time between two looks for missed deletions.
"""


def least_difference(date: datetime, *, sent: datetime, received: datetime) -> timedelta:
    """How far the other clock is ahead of ours at least (negative: behind); zero when they may agree.

    Args:
        date: the `Date` of an answer, made between the two moments; it stands for `[date, date + 1 s)`.
        sent: our time when the request left.
        received: our time when the answer was there.
    """
    ahead, behind = date - received, date + _TICK - sent
    if ahead > timedelta():
        return ahead
    return min(behind, timedelta())


class Clocks:
    """The latest difference to each server.

    Args:
        clock: the time now, in UTC.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[datetime, timedelta]] = {}

    def answered(self, server: str, date: str | None, seconds: float) -> None:
        """An answer that came now, `seconds` after its request, with this `Date`; None: it had none."""
        received = self._clock()
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if told.tzinfo is None:
            return
        sent = received - timedelta(seconds=seconds)
        self._seen[server] = (received, least_difference(told, sent=sent, received=received))

    def trouble(self) -> str | None:
        """Which clock differs by more than 5 s, and what to do; None when none does.

        The text does not change with each answer: each change would be a write of status.
        """
        now = self._clock()
        # A copy: answers of Prometheus come in threads.
        for server, (seen, difference) in tuple(self._seen.items()):
            if abs(difference) > LIMIT and now - seen <= _VALID:
                side = "behind" if difference > timedelta() else "ahead of"
                limit = f"{LIMIT.total_seconds():g} s"
                return (
                    f"the operator's clock is more than {limit} {side} that of the {server}:"
                    " synchronise the clocks (NTP) of both machines"
                )
        return None
