"""Workers that take due keys and hand them to the reconciler, and what becomes of its failures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from modelramp.kube.errors import ClusterError, Fenced, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from modelramp.controller.due import DueQueue
    from modelramp.controller.store import Key

    Handle = Callable[[Key], Awaitable[datetime | None]]

_log = structlog.get_logger(__name__)

FENCED_AT_ONCE = 5
"""How often a fenced pass is repeated at once. More than that is no race, and backs off."""

_FENCED_PAUSE = 0.02
"""Seconds before a fenced pass is repeated: about what the watch needs to show what has changed."""


class Meter(Protocol):
    """Where passes are counted."""

    def reconciled(self, result: str, seconds: float) -> None:
        """One pass: `ok`, `fenced` or `error`."""
        ...


class Workers:
    """A fixed number of workers; `run` ends only by cancellation, or with an error that no retry can help.

    Args:
        queue: where keys come from and go back to.
        handle: one pass over one key; returns when the next one is due without an event.
        now: the clock that these times are read on (aware datetimes).
        meter: where passes are counted.
        count: passes at once.
    """

    def __init__(
        self,
        *,
        queue: DueQueue,
        handle: Handle,
        now: Callable[[], datetime],
        meter: Meter,
        count: int,
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._now = now
        self._meter = meter
        self._count = count
        self._fenced: dict[Key, int] = {}

    async def run(self) -> None:
        """Works until cancelled.

        Raises:
            ExceptionGroup: a worker met `Unauthorized`: only a new process with new credentials can go on.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self._count):
                group.create_task(self._work(), name=f"worker {number}")

    async def _work(self) -> None:
        while True:
            await self._pass(await self._queue.take())

    async def _pass(self, key: Key) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        result = "error"
        try:
            with structlog.contextvars.bound_contextvars(namespace=key[0], deployment=key[1]):
                again = await self._handle(key)
        except Unauthorized:
            raise
        except Fenced as error:
            result = "fenced"
            self._again(key, error)
        except ClusterError as error:
            delay = self._queue.failed(key)
            _log.warning(
                "pass failed",
                namespace=key[0],
                deployment=key[1],
                cause=type(error).__name__,
                message=str(error),
                retry_in=delay,
            )
        except Exception:  # noqa: BLE001 - it is logged
            # A bug that one deployment brings out must not stop the others.
            delay = self._queue.failed(key)
            _log.exception("pass failed", namespace=key[0], deployment=key[1], retry_in=delay)
        else:
            result = "ok"
            self._fenced.pop(key, None)
            due = None if again is None else loop.time() + (again - self._now()).total_seconds()
            self._queue.done(key, again=due)
        finally:
            self._meter.reconciled(result, loop.time() - started)

    def _again(self, key: Key, error: Fenced) -> None:
        """Somebody else was first, so that the store is behind: look again at once, but not for ever."""
        times = self._fenced.get(key, 0)
        if times < FENCED_AT_ONCE:
            self._fenced[key] = times + 1
            self._queue.done(key, again=asyncio.get_running_loop().time() + _FENCED_PAUSE)
            return
        self._fenced.pop(key)
        delay = self._queue.failed(key)
        _log.warning(
            "fenced again and again", namespace=key[0], deployment=key[1], message=str(error), retry_in=delay
        )
