"""The due queue: one entry a key, the earliest time counts, one worker a key, failures back off."""

from __future__ import annotations

import asyncio

import looptime  # noqa: F401 - its pytest plugin moves the loop's clock
import pytest

from modelramp.controller.due import LONGEST_BACKOFF, DueQueue

pytestmark = [pytest.mark.looptime]

A, B, C = (("ml", name) for name in "abc")


def now() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()


async def nothing_due(queue: DueQueue, within: float) -> bool:
    """Whether nothing comes up for so many seconds."""
    try:
        async with asyncio.timeout(within):
            await queue.take()
    except TimeoutError:
        return True
    return False


async def test_keys_come_when_they_are_due_and_in_that_order() -> None:
    """Due times order the keys, whatever the order of the wakes; equal ones come first in, first out."""
    queue = DueQueue()
    queue.wake(B, now() + 2)
    queue.wake(C, now() + 2)
    queue.wake(A, now() + 1)
    seen = [(await queue.take(), round(now(), 3)) for _ in range(3)]
    assert seen == [(A, 1), (B, 2), (C, 2)]


async def test_the_earliest_wake_counts_and_there_is_one() -> None:
    """A later time does not push an entry back, an earlier one brings it forward, and it comes once."""
    queue = DueQueue()
    queue.wake(A, now() + 5)
    queue.wake(A, now() + 9)
    queue.wake(A, now() + 1)
    assert await queue.take() == A
    assert round(now(), 3) == 1
    queue.done(A)
    assert await nothing_due(queue, 20)


async def test_a_wake_reaches_a_worker_that_waits() -> None:
    """A waiting `take` ends when a key is woken, not when the one it waited for is due."""
    queue = DueQueue()
    queue.wake(A, now() + 100)
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(1)
    queue.wake(B)
    assert await taking == B
    assert round(now(), 3) == 1


async def test_a_key_is_with_one_worker_at_a_time() -> None:
    """Woken while it is worked on, a key comes again only after it was given back, and then at once."""
    queue = DueQueue()
    queue.wake(A)
    assert await queue.take() == A
    queue.wake(A)
    assert await nothing_due(queue, 5)
    queue.done(A, again=now() + 60)
    assert await queue.take() == A
    assert round(now(), 3) == 5


async def test_a_pass_says_when_the_next_one_is_due() -> None:
    """`again` is the next due time, without any event."""
    queue = DueQueue()
    queue.wake(A)
    queue.done(await queue.take(), again=now() + 30)
    assert await queue.take() == A
    assert round(now(), 3) == 30


async def test_failures_wait_twice_as_long_each_time_up_to_a_limit() -> None:
    """0.2 s, doubling to 30 s; a success starts anew."""
    queue = DueQueue()
    queue.wake(A)
    delays = []
    for _ in range(10):
        await queue.take()
        delays.append(queue.failed(A))
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == LONGEST_BACKOFF
    assert now() == pytest.approx(sum(delays[:-1]), abs=0.02)
    queue.done(await queue.take())
    queue.wake(A)
    await queue.take()
    assert queue.failed(A) == 0.2


async def test_an_event_cuts_a_back_off_short() -> None:
    """What has changed may be what was wrong: a wake does not wait for the back-off."""
    queue = DueQueue()
    queue.wake(A)
    for _ in range(5):
        await queue.take()
        queue.failed(A)
    began = now()
    queue.wake(A)
    await queue.take()
    assert now() == began


async def test_many_workers_share_the_keys() -> None:
    """Eight waiting workers take a hundred keys, each once."""
    queue = DueQueue()
    taken: list[tuple[str, str]] = []

    async def work() -> None:
        while True:
            key = await queue.take()
            taken.append(key)
            await asyncio.sleep(0.1)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    await asyncio.sleep(1)
    keys = {("ml", f"d{number}") for number in range(100)}
    for key in keys:
        queue.wake(key)
    assert queue.depth() == 100
    await asyncio.sleep(10)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert len(taken) == 100
    assert set(taken) == keys
    assert queue.depth() == 0
