"""The looks of a stretch of time, one after the other: the operator's own replay, state by state."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, TypeAlias

from modelramp.controller.book import MOST_POINTS, Book, begun
from modelramp.judgement.evidence import counted_until
from modelramp.metrics.port import Series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from modelramp.controller.book import Subject
    from modelramp.judgement.evidence import Evidence
    from modelramp.metrics.port import Source

_Labels: TypeAlias = "tuple[tuple[str, str], ...]"


async def looks(source: Source, subject: Subject, *, until: int) -> AsyncIterator[tuple[int, Evidence]]:
    """The evidence after each look, with its grid point, up to `until` (Unix seconds).

    It begins where the subject's checkpoint ends, or at its `since`. Give a `Range` as the source: a look is
    a question of its own, which a provider should not be asked.

    Raises:
        SourceError: the provider does not answer.
    """
    interval, book = subject.plan.interval, Book()
    book.track(subject)
    stored = begun(subject)
    counted = min(counted_until(stored, check.name, subject.plan) for check in subject.plan.checks)
    first = -(-counted // interval) * interval + interval
    for at in range(first, until + 1, interval):
        for question in book.questions(interval, at):
            series = await source.read(question.query, start=question.start, end=question.end, step=interval)
            for _ in book.answered(question, series):
                """Counted look by look; nobody else waits here."""
        evidence = book.evidence(subject.key, subject.scope)
        if evidence is not None:
            yield at, evidence


class Range:
    """A `Source` that asks another one once for all up to `end`, and cuts from it what it is asked for.

    Args:
        source: the provider.
        end: the last moment that anybody will ask for (Unix seconds).
    """

    def __init__(self, source: Source, *, end: int) -> None:
        self._source = source
        self._end = end
        self._known: dict[tuple[str, int], _Fetched] = {}

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """See `Source.read`; what was asked for earlier than before is asked for anew."""
        known = self._known.get((query, step))
        if known is None or start < known.start or end > known.end:
            last = max(start, end, start + (self._end - start) // step * step)
            known = _Fetched(start, last, await self._fetched(query, start=start, end=last, step=step))
            self._known[query, step] = known
        return known.between(start, end)

    async def _fetched(self, query: str, *, start: int, end: int, step: int) -> list[Series]:
        """In as many parts as the provider wants."""
        found: dict[_Labels, list[tuple[int, float]]] = {}
        length = (MOST_POINTS - 1) * step
        for begin in range(start, end + 1, length + step):
            part = await self._source.read(query, start=begin, end=min(end, begin + length), step=step)
            for one in part:
                found.setdefault(tuple(sorted(one.labels.items())), []).extend(one.points)
        return [Series(dict(labels), points) for labels, points in found.items()]


class _Fetched:
    """Series from start to end, both included."""

    def __init__(self, start: int, end: int, series: Sequence[Series]) -> None:
        self.start = start
        self.end = end
        self._series = series
        self._times = [[at for at, _ in one.points] for one in series]

    def between(self, start: int, end: int) -> list[Series]:
        """The points of a part; a series without any is left out."""
        cut = [(bisect_left(times, start), bisect_right(times, end)) for times in self._times]
        return [
            Series(one.labels, one.points[first:last])
            for one, (first, last) in zip(self._series, cut, strict=True)
            if first < last
        ]


__all__ = ["Range", "looks"]
