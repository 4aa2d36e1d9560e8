"""Workers: what becomes of a pass that goes well, is fenced, fails, or cannot be helped."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelramp.controller.due import DueQueue
from modelramp.controller.workers import FENCED_AT_ONCE, Workers
from modelramp.kube.errors import Fenced, Unauthorized, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from modelramp.controller.store import Key

pytestmark = [pytest.mark.looptime]

A, B = ("ml", "a"), ("ml", "b")
START = datetime(2026, 11, 21, 8, tzinfo=UTC)


class Meter:
    """Keeps what was counted."""

    def __init__(self) -> None:
        self.results: list[str] = []

    def reconciled(self, result: str, seconds: float) -> None:
        """One pass."""
        assert seconds >= 0
        self.results.append(result)


class Bench:
    """Workers over a handler that a test gives, with the times of its passes."""

    def __init__(self, handle: Callable[[Key, int], Awaitable[datetime | None]], count: int = 2) -> None:
        self.passes: list[tuple[str, float]] = []
        self.queue = DueQueue()
        self.meter = Meter()
        self._handle = handle
        self.workers = Workers(
            queue=self.queue, handle=self._pass, now=self.now, meter=self.meter, count=count
        )

    def now(self) -> datetime:
        """Wall time that goes with the loop's clock."""
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    async def _pass(self, key: Key) -> datetime | None:
        self.passes.append((key[1], round(asyncio.get_running_loop().time(), 3)))
        return await self._handle(key, len(self.passes))

    async def run(self, seconds: float) -> None:
        """Lets the workers work for so long."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.workers.run()


async def test_a_pass_is_repeated_when_it_says() -> None:
    """The wall-clock time that a pass returns becomes the next due time on the loop's clock."""

    async def handle(_: Key, number: int) -> datetime | None:
        return START + timedelta(seconds=30) if number == 1 else None

    bench = Bench(handle)
    bench.queue.wake(A)
    await bench.run(100)
    assert bench.passes == [("a", 0), ("a", 30)]
    assert bench.meter.results == ["ok", "ok"]


async def test_a_fenced_pass_is_repeated_at_once_but_not_for_ever() -> None:
    """Within a tenth of a second for the first few times, then with back-off."""

    async def handle(_: Key, __: int) -> datetime | None:
        raise Fenced("somebody was first")

    bench = Bench(handle)
    bench.queue.wake(A)
    await bench.run(0.29)
    assert len(bench.passes) == FENCED_AT_ONCE + 1
    assert bench.passes[-1][1] == pytest.approx(0.1)
    bench.queue.wake(B)
    await bench.run(1)
    assert set(bench.meter.results) == {"fenced"}


async def test_a_failing_key_backs_off_and_does_not_stop_the_others() -> None:
    """A bug or an outage that one key meets delays that key only, and it is tried again."""

    async def handle(key: Key, number: int) -> datetime | None:
        if key == A:
            raise ZeroDivisionError if number == 1 else Unavailable("no connection")
        return None

    bench = Bench(handle, count=1)
    bench.queue.wake(A)
    bench.queue.wake(B)
    await bench.run(1)
    assert bench.passes == [("a", 0), ("b", 0), ("a", 0.2), ("a", 0.6)]
    assert bench.meter.results == ["error", "ok", "error", "error"]


async def test_credentials_that_are_gone_end_everything() -> None:
    """Unauthorized is for the process, not for a key: `run` ends with it."""

    async def handle(_: Key, __: int) -> datetime | None:
        raise Unauthorized("token expired")

    bench = Bench(handle)
    bench.queue.wake(A)
    with pytest.raises(ExceptionGroup) as caught:
        await bench.workers.run()
    assert caught.group_contains(Unauthorized)


async def test_a_slow_pass_does_not_hold_up_the_rest() -> None:
    """With two workers a key that takes long leaves room for the others."""

    async def handle(key: Key, _: int) -> datetime | None:
        await asyncio.sleep(50 if key == A else 1)
        return None

    bench = Bench(handle, count=2)
    for name in "abcd":
        bench.queue.wake(("ml", name))
    await bench.run(10)
    assert bench.passes == [("a", 0), ("b", 0), ("c", 1), ("d", 2)]
