"""Which ModelDeployment is looked at next, and when: a heap of due times, one worker for each at a time.

Nothing in the operator sleeps for a rollout: a pass says when the next one is due, and events bring it
forward.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelramp.controller.store import Key

FIRST_BACKOFF = 0.2
"""Seconds before a failed key is tried again; doubles with each further failure."""

LONGEST_BACKOFF = 30.0
"""Seconds that a failed key waits at most."""

_TICK = 0.001
"""Seconds by which a key may come early: a loop fires timers a tick of its clock before they are due."""


class DueQueue:
    """Keys with their due times on the event loop's clock (monotonic seconds)."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._taken: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def wake(self, key: Key, at: float | None = None) -> None:
        """Makes a key due, at once or at a time; the earliest time counts.

        A key that is with a worker comes again after it is done.
        """
        when = asyncio.get_running_loop().time() if at is None else at
        known = self._due.get(key)
        if known is not None and known <= when:
            return
        self._due[key] = when
        heapq.heappush(self._heap, (when, next(self._order), key))
        self._changed.set()

    async def take(self) -> Key:
        """Waits for the key that is due first; it belongs to the caller until `done` or `failed`."""
        loop = asyncio.get_running_loop()
        while True:
            entry = self._first()
            if entry and entry[0] <= loop.time() + _TICK:
                heapq.heappop(self._heap)
                key = entry[2]
                del self._due[key]
                self._taken.add(key)
                return key
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(entry[0] if entry else None):
                    await self._changed.wait()

    def done(self, key: Key, *, again: float | None = None) -> None:
        """Gives a key back after a pass that went well; `again`: when it is due even without an event."""
        self._failures.pop(key, None)
        self._release(key)
        if again is not None:
            self.wake(key, again)

    def failed(self, key: Key) -> float:
        """Gives a key back after a pass that failed; returns the seconds until it is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0**failures)
        self._release(key)
        self.wake(key, asyncio.get_running_loop().time() + delay)
        return delay

    def depth(self) -> int:
        """Keys that are due now and wait for a worker."""
        now = asyncio.get_running_loop().time()
        return sum(1 for key, when in self._due.items() if when <= now and key not in self._taken)

    def _release(self, key: Key) -> None:
        self._taken.discard(key)
        if key in self._due:
            heapq.heappush(self._heap, (self._due[key], next(self._order), key))
        self._changed.set()

    def _first(self) -> tuple[float, int, Key] | None:
        """The earliest entry that still counts and that nobody works on; the others are cleared away."""
        while self._heap:
            when, _, key = self._heap[0]
            if self._due.get(key) == when and key not in self._taken:
                return self._heap[0]
            heapq.heappop(self._heap)
        return None
