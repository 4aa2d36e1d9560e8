"""Exact increments of counters between grid points, as integers.

``increase()`` of PromQL extrapolates, misses the first burst of a new series and is empty under two scrapes;
a verdict on a handful of errors cannot live with that. What is counted at a grid point depends on the
counters in the `CARRY` window before it alone, so a replay that starts that much earlier ends in the same
state, exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

# Counters of one process (a gateway): a component is a class of answers, or an edge of a histogram.
Process: TypeAlias = tuple[tuple[str, str], ...]
Sample: TypeAlias = tuple[Process, str]

# A series that is missing for no longer than this goes on where it was.
CARRY_SECONDS = 600
CARRY_INTERVALS = 10
_EXACT = 2.0**53


def carry(interval: int) -> int:
    """Seconds for which the last value of a missing series is remembered; a multiple of the interval."""
    return -(-max(CARRY_SECONDS, CARRY_INTERVALS * interval) // interval) * interval


def unusable(value: float) -> bool:
    """Whether a value cannot be a counter of requests: NaN, infinite, negative, a fraction, or too large."""
    return not (math.isfinite(value) and 0.0 <= value < _EXACT and value == math.floor(value))


@dataclass(slots=True)
class _Last:
    value: int | None  # None = seen, but with no value in the window that could be used
    good: int  # when the value was seen; of no meaning without one
    seen: int  # when anything was seen


@dataclass(slots=True)
class Counters:
    """The last values of all series of one metric and its arms, per process.

    `step` goes forward in time only, by grid points. The state is bounded by what was seen in the window.
    """

    window: int
    _last: dict[Process, dict[str, _Last]] = field(default_factory=dict)

    def step(self, at: int, samples: Mapping[Sample, float]) -> dict[Sample, int]:
        """The increments since the grid point before, of the series that are there at ``at``.

        - Reset: when a counter of a process fell, its counters began again; the new values count.
        - Birth: a series that was not there within the window counts whole, for it began at zero, provided
          that anything at all was there: what appears out of darkness may be old, and only sets the mark.
        - Gap: a series that comes back within the window goes on from its last value. Death: nothing.
        - Values that cannot be counted are left out; the caller finds them with `unusable`.
        """
        self._forget(at)
        dark = not self._last
        by_process: dict[Process, dict[str, float]] = {}
        for (process, component), value in samples.items():
            by_process.setdefault(process, {})[component] = value
        increments: dict[Sample, int] = {}
        for process, values in by_process.items():
            known = self._last.setdefault(process, {})
            good = {component: int(value) for component, value in values.items() if not unusable(value)}
            _restart(known, good)
            for component, count in good.items():
                last = known.get(component)
                if last is None:
                    increments[process, component] = 0 if dark else count
                else:
                    increments[process, component] = 0 if last.value is None else count - last.value
                known[component] = _Last(count, at, at)
            for component in values.keys() - good.keys():
                known.setdefault(component, _Last(None, at, at)).seen = at
        return increments

    def _forget(self, at: int) -> None:
        oldest = at - self.window
        for process, known in list(self._last.items()):
            for component, last in list(known.items()):
                if last.seen < oldest:
                    del known[component]
                elif last.good < oldest:
                    last.value = None
            if not known:
                del self._last[process]


def _restart(known: dict[str, _Last], good: Mapping[str, int]) -> None:
    """Forgets the values of a process that began again, also of those counters that are not there now.

    Of a counter that was there since, but without a usable value, only that is remembered: for a replay that
    starts in between it is all there is to see. So the outcome never hangs on points before the window.
    """
    falls = [
        last.good
        for component, count in good.items()
        if (last := known.get(component)) is not None and last.value is not None and count < last.value
    ]
    if not falls:
        return
    before = max(falls)
    for component, last in list(known.items()):
        outdated = last.value is not None and last.good <= before
        if last.seen <= before or (outdated and component in good):
            del known[component]
        elif outdated:
            last.value = None
