"""How the stable revision's errors came before a rollout: asked for once, when the rollout begins.

Errors in bursts look like a fault to who thinks they come one by one. During the rollout there is too little
to tell by; the day before it says enough.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from modelramp.judgement import dispersion
from modelramp.judgement.seen import Counts
from modelramp.judgement.verdict import Arm
from modelramp.metrics.counters import Counters, carry
from modelramp.metrics.looks import grid, step
from modelramp.metrics.port import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from modelramp.judgement.dispersion import Dispersion
    from modelramp.metrics.looks import Grid
    from modelramp.metrics.port import Source
    from modelramp.metrics.profiles.selection import Selection
    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.service import ServiceRef

SECONDS = 24 * 3600
SHORTEST_STEP = 60
"""Seconds of a look of the past at least: a burst is to be seen whole."""
TOGETHER = 0.25
"""Seconds that the first one waits for others: rollouts that begin together are one question."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose past is wanted.

    Attributes:
        key: Namespace and name of the ModelDeployment.
        rollout: Id of the plan: a new rollout asks anew.
        stable: The revision that served.
        interval: Seconds between two looks of the rollout.
        selections: What is asked for each check, by its name; figures and distributions have no dispersion.
    """

    key: tuple[str, str]
    rollout: str
    stable: ServiceRef
    interval: int
    selections: Mapping[str, Selection]


class Past:
    """Answers by rollout, for as long as the rollout asks.

    Args:
        source: The metrics provider.
        clock: The present time, aware.
        delay: Seconds until counters are in.
        wake: Called with the key of a rollout whose past is known.
    """

    def __init__(
        self,
        *,
        source: Source,
        clock: Callable[[], datetime],
        delay: float,
        wake: Callable[[tuple[str, str]], None],
    ) -> None:
        self._source = source
        self._clock = clock
        self._delay = delay
        self._wake = wake
        self._known: dict[tuple[str, str], tuple[str, dict[str, Dispersion] | None]] = {}
        self._wanted: list[Asked] = []
        self._changed = asyncio.Event()

    def of(self, asked: Asked) -> Mapping[str, Dispersion] | None:
        """What is known, by name of the check; None while it is being asked for. Too little = left out."""
        rollout, known = self._known.get(asked.key, ("", None))
        if rollout != asked.rollout:
            self._known[asked.key] = (asked.rollout, None)
            self._wanted.append(asked)
            self._changed.set()
            return None
        return known

    def forget(self, key: tuple[str, str]) -> None:
        """The rollout is past the point where it asks."""
        self._known.pop(key, None)

    async def run(self) -> None:
        """Asks until it is cancelled."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(TOGETHER)
            self._changed.clear()
            wanted, self._wanted = self._wanted, []
            await self._ask(wanted)

    async def _ask(self, wanted: list[Asked]) -> None:
        found: dict[tuple[str, str], dict[str, Dispersion]] = {asked.key: {} for asked in wanted}
        questions: dict[tuple[Selection, int], list[Asked]] = {}
        for asked in wanted:
            for selection in asked.selections.values():
                if not (selection.is_figure or selection.is_distribution):
                    questions.setdefault((selection, max(asked.interval, SHORTEST_STEP)), []).append(asked)
        for (selection, interval), those in questions.items():
            for asked, known in await self._answers(selection, interval, those):
                found[asked.key][selection.check] = known
        for asked in wanted:
            if self._known.get(asked.key, ("", None))[0] == asked.rollout:
                self._known[asked.key] = (asked.rollout, found[asked.key])
                self._wake(asked.key)

    async def _answers(
        self, selection: Selection, interval: int, those: list[Asked]
    ) -> list[tuple[Asked, Dispersion]]:
        template = selection.template()
        end = int((self._clock().timestamp() - self._delay) // interval) * interval
        start = end - SECONDS // interval * interval
        query = template.query(sorted({asked.stable for asked in those}))
        try:
            series = await self._source.read(query, start=start, end=end, step=interval)
        except SourceError as error:
            # Without it the rollout is judged as if errors came in bursts: later, not wrongly.
            _log.warning("the past of stable is not known", check=selection.check, message=str(error))
            return []
        seen = grid(series, template)
        answers = []
        for asked in those:
            known = dispersion_of(seen, template.key(asked.stable), template=template, interval=interval)
            if known is not None:
                answers.append((asked, known))
            await asyncio.sleep(0)
        return answers


def dispersion_of(seen: Grid, key: str, *, template: Template, interval: int) -> Dispersion | None:
    """How one revision's bad requests came, by its counters on a grid; None when they say too little."""
    counters, looks = Counters(window=carry(interval)), list[tuple[int, int]]()
    for at in sorted(seen.get(key, {})):
        counted = step(counters, at, seen=seen, clusters={Arm.STABLE: key}, template=template).arms[
            Arm.STABLE
        ]
        if isinstance(counted, Counts):
            looks.append((counted.n, counted.k))
    return dispersion.history(looks)
