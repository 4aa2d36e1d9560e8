"""Reads the object and the client's counts again and again, and shows what they make."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelramp.cli import stats as client
from modelramp.cli.failure import ExitCode, Failure
from modelramp.cli.picture import Outcome, Picture, picture
from modelramp.cli.wording import clock
from modelramp.kube.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from modelramp.cli.access import Sight, Source
    from modelramp.cli.views import View

READ_SECONDS = 0.5
"""Time between two looks at the object and at the client's counts."""

DRAW_SECONDS = 0.25
"""Time between two pictures: a hold goes on between two looks."""


class Watch:
    """One object, shown once or for as long as somebody looks.

    Args:
        source: where the object is read.
        stats: the file of a traffic client.
        view: where pictures go.
    """

    def __init__(self, *, source: Source, stats: Path | None, view: View) -> None:
        self._source = source
        self._stats = stats
        self._view = view
        self._tracker = client.Tracker()
        self._sight: Sight | None = None
        self._silent_since: datetime | None = None

    async def once(self) -> ExitCode:
        """Shows it as it is.

        Raises:
            Failure: it cannot be shown.
        """
        await self._first()
        self._show()
        return ExitCode.DONE

    async def follow(self, *, until: Outcome | None, timeout: float | None) -> ExitCode:  # noqa: ASYNC109
        """Shows it until that happens, or the time is over.

        Raises:
            Failure: it cannot be shown (any more), or what was waited for did not happen.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout if timeout is not None else None
        await self._first()
        reading = asyncio.create_task(self._read_on())
        try:
            while True:
                shown = self._show()
                if until is not None and shown.outcome is not None:
                    # What was written last (the events, the counts) is worth a last look.
                    await asyncio.sleep(2 * READ_SECONDS)
                    return _judged(self._show(), until)
                if end is not None and loop.time() >= end:
                    if until is None:
                        return ExitCode.DONE
                    raise Failure(f"{shown.name} is not {until.value} after {timeout:g} s: {shown.message}")
                await asyncio.wait([reading], timeout=DRAW_SECONDS)
                if reading.done():
                    reading.result()
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, Failure):
                await reading

    async def _first(self) -> None:
        try:
            self._sight = await self._source.read()
        except Unavailable as error:
            raise self._source.unreachable(error) from error

    async def _read_on(self) -> None:
        while True:
            await asyncio.sleep(READ_SECONDS)
            try:
                self._sight = await self._source.read()
                self._silent_since = None
            except Unavailable:
                self._silent_since = self._silent_since or datetime.now(UTC)

    def _show(self) -> Picture:
        if self._sight is None:
            raise RuntimeError("nothing was read yet")
        trouble = None
        if self._silent_since is not None:
            trouble = (
                f"the API server has not answered since {clock(self._silent_since)};"
                " this is what was seen last, and it is tried again"
            )
        shown = picture(self._sight.body, now=datetime.now(UTC), notes=self._sight.notes, trouble=trouble)
        if self._stats is not None:
            seen = self._tracker.seen(client.read(self._stats), scope=shown.scope)
            shown = replace(shown, seen=seen)
        self._view.show(shown, self._sight.body)
        return shown


def _judged(shown: Picture, until: Outcome) -> ExitCode:
    if shown.outcome is until:
        return ExitCode.DONE
    raise Failure(
        f"{shown.name} is {shown.outcome or 'on its way again'}, not {until.value}: {shown.message}"
    )
