"""The port to a metrics provider: raw series on a grid and nothing else, so that all can be replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SourceError(Exception):
    """The provider did not answer, or not in a form that can be read. The message is for people."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of raw counters: its labels and ``(Unix seconds, value)`` on the grid, oldest first.

    A grid point at which the series did not exist is left out. Values may be NaN or infinite.
    """

    labels: Mapping[str, str]
    points: Sequence[tuple[int, float]]


class Source(Protocol):
    """A provider that can be asked for ranges."""

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """The series of a selector at start, start + step, … end (Unix seconds, both ends included).

        Raises:
            SourceError: Refused, timed out, an HTTP error, or an answer that cannot be read.
        """
        ...
