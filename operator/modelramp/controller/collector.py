"""The metrics collector: asks the provider on its own clock, and wakes those whose evidence changed.

A slow provider never blocks a reconcile: its answers come into the book when they come, and a look that was
missed is asked for with the next one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.controller.book import Book, Key, Question, Subject
from modelramp.controller.past import Past
from modelramp.metrics.port import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from modelramp.controller.past import Asked
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Evidence
    from modelramp.metrics.port import Source

__all__ = ["Collector", "Subject", "Timing"]

_SHORTEST_SLEEP = 0.001
# A source that keeps its own time limit says more than we can: it comes first.
_GRACE = 1.0
# Seconds that the first answer of a look waits for the others: one pass and one status for all checks.
_TOGETHER = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When the provider is asked.

    Attributes:
        scrape_interval: Seconds between the provider's scrapes; a setting, not guessed.
        ingestion_delay: Seconds after a grid point at which its counters are taken to be in; None = two
        scrapes.
        timeout: Seconds for a query, whatever the source itself allows.
    """

    scrape_interval: float = 15.0
    ingestion_delay: float | None = None
    timeout: float = 10.0

    @property
    def delay(self) -> float:
        """Seconds from a grid point to its look."""
        return 2 * self.scrape_interval if self.ingestion_delay is None else self.ingestion_delay


class Collector:
    """Keeps the evidence of all tracked rollouts up to date while `run` runs.

    Args:
        source: The metrics provider.
        clock: The present time, aware.
        timing: See `Timing`.
        wake: Called with the key of a rollout whose evidence or provider's state changed.
    """

    def __init__(
        self,
        *,
        source: Source,
        clock: Callable[[], datetime],
        timing: Timing,
        wake: Callable[[Key], None],
    ) -> None:
        self._source = source
        self._clock = clock
        self._timing = timing
        self._wake = wake
        self._book = Book()
        self._past = Past(source=source, clock=clock, delay=timing.delay, wake=wake)
        self._looked: dict[int, int] = {}
        self._looking: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    def track(self, subject: Subject) -> None:
        """Begins or goes on to observe a rollout's step; idempotent, keeps the evidence within a scope."""
        self._past.forget(subject.key)
        self._book.track(subject)
        self._changed.set()

    def untrack(self, key: Key) -> None:
        """Ends the observation of a rollout; one that is not observed is fine."""
        self._book.untrack(key)

    def evidence(self, key: Key, scope: str) -> Evidence | None:
        """The live evidence of that scope; None when it is not observed."""
        return self._book.evidence(key, scope)

    def past(self, asked: Asked) -> Mapping[str, Dispersion] | None:
        """How stable's errors came before the rollout, by name of the check; None while it is not known."""
        return self._past.of(asked)

    async def run(self) -> None:
        """Looks on the grid until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._past.run())
            while True:
                self._changed.clear()
                pause = self._begin_due(group)
                try:
                    await asyncio.wait_for(self._changed.wait(), pause)
                except TimeoutError:
                    continue

    def _begin_due(self, group: asyncio.TaskGroup) -> float | None:
        """Begins the looks that are due; seconds until the next, None while nothing is tracked."""
        settled = self._clock().timestamp() - self._timing.delay
        pauses = []
        for interval in self._book.intervals():
            at = int(settled // interval) * interval
            pauses.append(max(_SHORTEST_SLEEP, at + interval - settled))
            before = self._looking.get(interval)
            # while a look is under way the next is not begun: it will be counted with the one after
            if at != self._looked.get(interval) and (before is None or before.done()):
                self._looked[interval] = at
                self._looking[interval] = group.create_task(self._look(interval, at))
        return min(pauses, default=None)

    async def _look(self, interval: int, at: int) -> None:
        """Counts all that is due up to the grid point, in parts when there is much to replay."""
        while questions := self._book.questions(interval, at):
            news = _News(self._wake)
            try:
                answers = await asyncio.gather(*(self._ask(question, news) for question in questions))
            finally:
                news.tell()
            if not all(answers):
                return

    async def _ask(self, question: Question, news: _News) -> bool:
        """Asks, and counts the answer; whether there was one."""
        try:
            async with asyncio.timeout(self._timing.timeout + _GRACE):
                series = await self._source.read(
                    question.query, start=question.start, end=question.end, step=question.interval
                )
        except SourceError as error:
            news.add(*self._book.failed(question, str(error)))
            return False
        except TimeoutError:
            message = f"the metrics provider did not answer within {self._timing.timeout:g} s"
            news.add(*self._book.failed(question, message))
            return False
        for key in self._book.answered(question, series):
            news.add(key)
            await asyncio.sleep(0)
        return True


class _News:
    """Whom the answers of one look concern: each is woken once, unless a check's answer is late."""

    def __init__(self, wake: Callable[[Key], None]) -> None:
        self._wake = wake
        self._keys: dict[Key, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, *keys: Key) -> None:
        """There is something new for them."""
        self._keys |= dict.fromkeys(keys)
        if keys and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TOGETHER, self.tell)

    def tell(self) -> None:
        """Wakes who has not been told yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        keys, self._keys = self._keys, {}
        for key in keys:
            self._wake(key)
