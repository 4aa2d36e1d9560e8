"""The evidence book: which looks of which rollouts are due, and what came of them.

It does no I/O and reads no clock. One question to the provider serves all rollouts of an interval whose
looks begin at about the same time; the normal look and the replay after a restart are the same question, of
other lengths.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from modelramp.judgement.evidence import Evidence, advance, carried, counted_until, interrupted
from modelramp.metrics.counters import Counters, carry
from modelramp.metrics.looks import figures, grid, look_at, step, warm
from modelramp.metrics.profiles.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from modelramp.judgement.plan import Plan
    from modelramp.judgement.verdict import Arm
    from modelramp.metrics.looks import Figures, Grid
    from modelramp.metrics.port import Series
    from modelramp.metrics.service import ServiceRef

Key: TypeAlias = tuple[str, str]

# Prometheus refuses more than 11,000 points of a series.
MOST_POINTS = 10_000
# Length of the alternatives of names in one question, in characters.
LONGEST_NAMES = 16_000
# A replay pauses after this many looks, so that the event loop goes on.
LOOKS_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to be observed for one rollout's present step.

    Attributes:
        key: Namespace and name of the ModelDeployment.
        scope: ``<rollout id>/<index>``.
        since: The route's acknowledgement; nothing before it counts.
        arms: The Service of each arm; a bake has no stable arm.
        plan: Checks, limits and interval.
        checkpoint: Stored evidence to go on from; one of the step before gives what is carried on.
        selections: What is asked for each check, by its name; missing = as its profile has it.
    """

    key: Key
    scope: str
    since: datetime
    arms: Mapping[Arm, ServiceRef]
    plan: Plan
    checkpoint: Evidence | None = None
    selections: Mapping[str, Selection] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Entry:
    """A subject with its live evidence, and per check the counters and the grid point they are at."""

    subject: Subject
    evidence: Evidence
    counters: dict[str, tuple[int, Counters]] = field(default_factory=dict)

    def selection(self, check: str) -> Selection:
        """What is asked for a check."""
        return self.subject.selections.get(check) or Selection(
            check=check, profile=self.subject.plan.check(check).profile
        )


@dataclass(frozen=True, slots=True)
class Question:
    """One query for one check of several entries: grid points from start to end, ``interval`` apart."""

    selection: Selection
    interval: int
    start: int
    end: int
    entries: tuple[tuple[Entry, Mapping[Arm, ServiceRef]], ...]

    @property
    def check(self) -> str:
        """Name of the check."""
        return self.selection.check

    @property
    def query(self) -> str:
        """The selector, for all arms of all entries."""
        services = sorted({service for _, arms in self.entries for service in arms.values()})
        return self.selection.question().query(services)


class Book:
    """Subjects and their evidence."""

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}

    def track(self, subject: Subject) -> None:
        """Begins or goes on to observe; within a scope the live evidence stays, a new plan holds from now."""
        entry = self._entries.get(subject.key)
        if entry is None or entry.subject.scope != subject.scope:
            fresh = Entry(subject, begun(subject))
            fresh.counters = _handed_on(entry, fresh)
            self._entries[subject.key] = fresh
            return
        before, entry.subject = entry.subject, subject
        same = (before.plan.interval, before.arms) == (subject.plan.interval, subject.arms)
        if not same or before.selections != subject.selections:
            entry.counters = {}

    def untrack(self, key: Key) -> None:
        """Ends the observation; the evidence is forgotten."""
        self._entries.pop(key, None)

    def evidence(self, key: Key, scope: str) -> Evidence | None:
        """The live evidence of that scope; None when it is not observed."""
        entry = self._entries.get(key)
        return entry.evidence if entry is not None and entry.subject.scope == scope else None

    def intervals(self) -> set[int]:
        """The intervals in use, in seconds."""
        return {entry.subject.plan.interval for entry in self._entries.values()}

    def questions(self, interval: int, at: int) -> list[Question]:
        """What is to be asked to count all looks up to the grid point ``at``, or the next part of them.

        Entries that lag alike (within a factor of two) share a question.
        """
        batches: dict[tuple[Selection, int], list[tuple[int, Entry]]] = {}
        for entry in self._entries.values():
            if entry.subject.plan.interval != interval:
                continue
            for check in entry.subject.plan.checks:
                start = _start(entry, check.name, at)
                if start is not None and self._is_askable(entry, check.name):
                    lag = ((at - start) // interval).bit_length()
                    batches.setdefault((entry.selection(check.name), lag), []).append((start, entry))
        questions = []
        for (selection, _), batch in batches.items():
            start = min(start for start, _ in batch)
            end = min(at, start + (MOST_POINTS - 1) * interval)
            for entries in _chunks([entry for _, entry in batch], selection):
                asked = tuple((entry, entry.subject.arms) for entry in entries)
                questions.append(Question(selection, interval, start, end, asked))
        return questions

    def _is_askable(self, entry: Entry, check: str) -> bool:
        """Whether there is a question for it; one that cannot be asked is told, and stops nobody else."""
        try:
            entry.selection(check).question()
        except ValueError as error:
            entry.evidence = interrupted(entry.evidence, check, str(error), entry.subject.plan)
            return False
        return True

    def answered(self, question: Question, series: Sequence[Series]) -> Iterator[Key]:
        """Counts the answer; yields the key of an entry after some looks, so that long replays can pause."""
        chosen = question.selection
        if chosen.is_figure:
            shown = figures(series, chosen.value())
            for entry, arms in question.entries:
                if _look_at(entry, arms, question, shown):
                    yield entry.subject.key
            return
        seen = grid(series, chosen.counters())
        for entry, arms in question.entries:
            for _ in _count(entry, arms, question, seen):
                yield entry.subject.key

    def failed(self, question: Question, message: str) -> list[Key]:
        """Writes down why there is no answer, and says for whom that is news; the looks stay due."""
        told = []
        for entry, _ in question.entries:
            before = entry.evidence
            entry.evidence = interrupted(before, question.check, message, entry.subject.plan)
            if entry.evidence != before:
                told.append(entry.subject.key)
        return told


def begun(subject: Subject) -> Evidence:
    """The evidence to go on from: of this scope, or, of the step before, what is carried from step to step.

    Both are as status has them, also while this process has counted more: after a restart there is no more.
    """
    stored = subject.checkpoint
    if stored is not None and stored.scope == subject.scope:
        return stored
    if stored is not None and stored.scope.rpartition("/")[0] == subject.scope.rpartition("/")[0]:
        return carried(stored, subject.plan, scope=subject.scope, since=subject.since)
    return Evidence(scope=subject.scope, since=subject.since)


def _handed_on(before: Entry | None, entry: Entry) -> dict[str, tuple[int, Counters]]:
    """The counters of the scope before, where a replay of the window would end in the same state."""
    if (
        before is None
        or before.subject.arms != entry.subject.arms
        or before.subject.plan.interval != entry.subject.plan.interval
    ):
        return {}
    # A copy: an answer that is under way still moves those of the scope before.
    known = {check.name for check in entry.subject.plan.checks}
    return {
        check: (at, deepcopy(counters))
        for check, (at, counters) in before.counters.items()
        if check in known and at <= _anchor(entry, check)
    }


def _anchor(entry: Entry, check: str) -> int:
    """The grid point whose counters are the next look's zero."""
    interval = entry.subject.plan.interval
    # after an edit of the interval the stored point may lie off the grid
    return -(-counted_until(entry.evidence, check, entry.subject.plan) // interval) * interval


def _start(entry: Entry, check: str, at: int) -> int | None:
    """The oldest grid point that is needed for the looks up to ``at``; None when all are counted."""
    interval = entry.subject.plan.interval
    live = entry.counters.get(check)
    if live is not None:
        start = live[0] + interval
        return start if start <= at else None
    anchor = _anchor(entry, check)
    before = -interval if entry.selection(check).is_figure else carry(interval)
    return anchor - before if anchor < at else None


def _chunks(entries: Iterable[Entry], selection: Selection) -> Iterator[list[Entry]]:
    template = selection.question()
    chunk: list[Entry] = []
    length = 0
    for entry in entries:
        size = sum(len(template.key(service)) for service in entry.subject.arms.values())
        if chunk and length + size > LONGEST_NAMES:
            yield chunk
            chunk, length = [], 0
        chunk.append(entry)
        length += size
    if chunk:
        yield chunk


def _count(entry: Entry, arms: Mapping[Arm, ServiceRef], question: Question, seen: Grid) -> Iterator[None]:
    """Counts an answer for one entry, look by look."""
    check, interval, template = question.check, question.interval, question.selection.counters()
    clusters = {arm: template.key(service) for arm, service in arms.items()}
    live = entry.counters.get(check)
    if live is None:
        anchor = _anchor(entry, check)
        if question.end < anchor:
            return
        counters = Counters(window=carry(interval))
        window = range(anchor - counters.window, anchor + 1, interval)
        warm(counters, window, seen=seen, clusters=clusters)
    else:
        anchor, counters = live
    for at in range(anchor + interval, question.end + 1, interval):
        if not _still(entry, arms, question):
            return
        look = step(counters, at, seen=seen, clusters=clusters, template=template)
        entry.evidence = advance(entry.evidence, check, look, entry.subject.plan)
        entry.counters[check] = (at, counters)
        if at == question.end or at // interval % LOOKS_AT_ONCE == 0:
            yield


def _look_at(entry: Entry, arms: Mapping[Arm, ServiceRef], question: Question, shown: Figures) -> bool:
    """Takes a figure in for one entry, look by look; whether there was one."""
    if not _still(entry, arms, question):
        return False
    template, before = question.selection.value(), entry.evidence
    keys = {arm: template.key(service) for arm, service in arms.items()}
    first = _anchor(entry, question.check) + question.interval
    for at in range(first, question.end + 1, question.interval):
        look = look_at(at, seen=shown, keys=keys)
        entry.evidence = advance(entry.evidence, question.check, look, entry.subject.plan)
    return entry.evidence is not before


def _still(entry: Entry, arms: Mapping[Arm, ServiceRef], question: Question) -> bool:
    """Whether the entry still is what was asked for."""
    plan = entry.subject.plan
    known = any(check.name == question.check for check in plan.checks)
    if not known or entry.selection(question.check) != question.selection:
        return False
    return plan.interval == question.interval and entry.subject.arms == arms
