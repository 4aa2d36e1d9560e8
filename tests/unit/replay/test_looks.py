"""Looks of the past are those of the operator, and the provider is asked as seldom as possible."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelramp.controller.book import Book, Subject
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Arm
from modelramp.metrics.port import SourceError
from modelramp.metrics.service import ServiceRef
from modelramp.replay.looks import Range, looks
from support.counterstore import CounterStore

if TYPE_CHECKING:
    from modelramp.judgement.evidence import Evidence

NEW, OLD = ServiceRef("shop", "fraud-2", 80), ServiceRef("shop", "fraud-1", 80)
ZERO = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORIGIN = int(ZERO.timestamp())
SUBJECT = Subject(
    key=("shop", "fraud"),
    scope="r1/1",
    since=ZERO + timedelta(seconds=3),
    arms={Arm.CANDIDATE: NEW, Arm.STABLE: OLD},
    plan=Plan(checks=(error_rate(),), interval=10),
)


def _store(length: int = 600) -> CounterStore:
    """Two requests a second, one in ten of them bad from the fifth minute on, with a restart on the way."""
    store, times = CounterStore(origin=ORIGIN), range(-1000, length + 1, 10)
    restarted = {at: at - 400 if at >= 400 else at + 5000 for at in times}
    store.add(NEW, {at: 2.0 * restarted[at] for at in times})
    store.add(NEW, {at: float(max(0, at - 300) // 5) for at in times}, response_code_class="5xx")
    store.add(OLD, {at: 8.0 * (at + 5000) for at in times})
    return store


async def _looks(store: CounterStore, subject: Subject = SUBJECT, until: int = 600) -> dict[int, Evidence]:
    source = Range(store, end=ORIGIN + until)
    return {at - ORIGIN: after async for at, after in looks(source, subject, until=ORIGIN + until)}


async def test_every_look_is_as_it_was_live() -> None:
    """A book that is asked look by look has the same evidence after each, to the last bit."""
    store = _store()
    found = await _looks(store)
    assert list(found) == list(range(20, 601, 10))
    book = Book()
    book.track(SUBJECT)
    for at, evidence in found.items():
        for question in book.questions(10, ORIGIN + at):
            series = store.answer(question.query, start=question.start, end=question.end, step=10)
            list(book.answered(question, series))
        assert book.evidence(SUBJECT.key, SUBJECT.scope) == evidence


async def test_it_goes_on_from_a_checkpoint() -> None:
    """From what was stored on the way the rest is the same, and no look comes twice."""
    whole = await _looks(_store())
    rest = await _looks(_store(), replace(SUBJECT, checkpoint=whole[300]))
    assert rest == {at: evidence for at, evidence in whole.items() if at > 300}


async def test_the_provider_is_asked_once_for_a_range() -> None:
    """One question for all looks; again from a checkpoint none; in parts of at most 10,000 points."""
    store = _store(length=10)
    source = Range(store, end=ORIGIN + 110_000)
    first = [item async for item in looks(source, SUBJECT, until=ORIGIN + 110_000)]
    assert [(start, end) for _, start, end in store.asked] == [(-590, 99_400), (99_410, 110_000)]
    later = replace(SUBJECT, checkpoint=first[100][1])
    assert [item async for item in looks(source, later, until=ORIGIN + 110_000)] == first[101:]
    assert len(store.asked) == 2


async def test_before_its_first_look_there_is_none() -> None:
    """Looks begin one interval after the first point at which the route was known to be right."""
    assert await _looks(_store(), until=10) == {}
    assert list(await _looks(_store(), until=20)) == [20]


async def test_a_provider_that_is_down_is_an_error() -> None:
    """What cannot be asked is not shown as if nothing had happened."""
    store = _store()
    store.fault = "refused"
    with pytest.raises(SourceError, match="refused"):
        await _looks(store)
