"""Past counters are judged as they would have been live, and the picture shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from modelramp.cli.backtest import document
from modelramp.cli.chart import svg
from modelramp.controller.book import Book, Subject
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Arm, Outcome
from modelramp.metrics.port import SourceError
from modelramp.metrics.service import ServiceRef
from modelramp.replay.past import Past, replayed, with_history
from support.counterstore import CounterStore

NEW, OLD = ServiceRef("shop", "fraud-2", 80), ServiceRef("shop", "fraud-1", 80)
ARMS = {Arm.CANDIDATE: NEW, Arm.STABLE: OLD}
PLAN = Plan(checks=(error_rate(),), interval=10)
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORIGIN = int(START.timestamp())


def _store(*, bad_from: int | None = None, length: int = 3600, before: int = 0) -> CounterStore:
    """Two requests a second to the candidate, eight to stable; from `bad_from` on half of the first fail."""
    store = CounterStore(origin=ORIGIN)
    times = range(-before - 1000, length + 1, 10)
    bad = {at: max(0, at - bad_from) // 10 * 10 if bad_from is not None else 0 for at in times}
    store.add(NEW, {at: 5000 + 2 * at - bad[at] for at in times})
    store.add(NEW, {at: 100 + bad[at] for at in times}, response_code_class="5xx")
    store.add(OLD, {at: 10**6 + 8 * at for at in times})
    return store


async def _past(store: CounterStore, *, minutes: float = 60, again: bool = False) -> Past:
    until = START + timedelta(minutes=minutes)
    return await replayed(store, plan=PLAN, arms=ARMS, since=START, until=until, again=again)


async def test_a_fault_is_found_when_it_would_have_been() -> None:
    """Proved within minutes; half of the requests fail after half an hour, and the verdict fails at once."""
    past = await _past(_store(bad_from=1800))
    assert past.proved is not None
    assert past.proved < START + timedelta(minutes=10)
    (first,) = past.failed
    assert timedelta(minutes=30) < first.at - START <= timedelta(minutes=31)
    assert first.verdict.reason == "ErrorRate"
    assert first.alarm is not None
    assert first.alarm >= 1.0
    assert len(past.rows) == 360


async def test_it_is_what_was_seen_live() -> None:
    """Every verdict equals that of a book that is asked look by look, to the last figure."""
    store = _store(bad_from=600)
    past = await _past(store, minutes=15)
    book = Book()
    book.track(Subject(key=("a", "b"), scope="s", since=START, arms=ARMS, plan=PLAN))
    for row in past.rows:
        for question in book.questions(10, int(row.at.timestamp())):
            series = store.answer(question.query, start=question.start, end=question.end, step=10)
            list(book.answered(question, series))
        assert judge(book.evidence(("a", "b"), "s"), PLAN, now=row.at) == (row.verdict,)


async def test_the_provider_is_asked_once() -> None:
    """One query per metric for the whole range, in parts of at most 10,000 points."""
    store = _store(length=10)
    await replayed(store, plan=PLAN, arms=ARMS, since=START, until=START + timedelta(hours=50))
    assert [(start, end) for _, start, end in store.asked] == [(-600, 99_390), (99_400, 180_000)]


async def test_false_alarms_are_counted_again_and_again() -> None:
    """A/A: after a failing verdict the count begins anew."""
    past = await _past(_store(bad_from=600), minutes=20, again=True)
    assert len(past.failed) > 3
    told = document(PLAN, past, timedelta(minutes=20), aa=True)["falseAlarms"]
    assert told["count"] == len(past.failed)
    assert told["per100Days"] == pytest.approx(100 * told["count"] * 72)


async def test_no_data_decides_nothing() -> None:
    """A range without series is neither proved nor failing."""
    past = await _past(CounterStore(origin=ORIGIN))
    assert (past.failed, past.proved) == ((), None)
    assert {row.verdict.outcome for row in past.rows} == {Outcome.INCONCLUSIVE}


async def test_a_provider_that_is_down_is_an_error() -> None:
    """What cannot be asked is not judged as if there were nothing."""
    store = _store()
    store.fault = "refused"
    with pytest.raises(SourceError, match="refused"):
        await _past(store)


async def test_the_history_of_stable_is_measured() -> None:
    """Bursts of ten before the range give a dispersion of about ten; too little history gives none."""
    store = CounterStore(origin=ORIGIN)
    bursts: dict[int, float] = {at: 10 * ((at + 90_000) // 600) for at in range(-90_000, 1, 60)}
    store.add(OLD, {at: 10**6 + 20 * at for at in bursts})
    store.add(OLD, bursts, response_code_class="5xx")
    for hours, known in ((12, True), (0.2, False)):
        plan = await with_history(store, plan=PLAN, stable=OLD, since=START, length=timedelta(hours=hours))
        history = plan.checks[0].history
        assert (history is not None) is known
        if history is not None:
            assert history.phi == pytest.approx(9.0, rel=0.1)


async def test_the_picture_is_svg() -> None:
    """Well-formed, with a title for each stretch of a decision, and as many stretches as there were."""
    past = await _past(_store(bad_from=1800))
    root = ET.fromstring(svg(past.rows, "a < b"))  # noqa: S314 - our own
    assert root.tag.endswith("svg")
    titles = [item.text or "" for item in root.iter("{http://www.w3.org/2000/svg}title")]
    outcomes = [row.verdict.outcome for row in past.rows]
    assert len(titles) == 1 + sum(a is not b for a, b in pairwise(outcomes))
    assert "error rate" in titles[-1]
