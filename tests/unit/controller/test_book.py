"""The evidence book: replay equals live, and questions stay within what the provider answers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelramp.controller.book import LONGEST_NAMES, MOST_POINTS, Book, Subject
from modelramp.judgement.evidence import Evidence
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Arm
from modelramp.metrics.profiles.envoy import cluster
from modelramp.metrics.service import ServiceRef
from support.counterstore import CounterStore

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = ("ml", "fraud")
ZERO = datetime(2026, 11, 21, 8, tzinfo=UTC)
ORIGIN = int(ZERO.timestamp())
NEW, OLD = ServiceRef("ml", "fraud-2", 80), ServiceRef("ml", "fraud-1", 80)
ARMS = {Arm.CANDIDATE: NEW, Arm.STABLE: OLD}
PLAN = Plan(checks=(error_rate(),), interval=10)


def _subject(since: float = 3.0, *, plan: Plan = PLAN, checkpoint: Evidence | None = None) -> Subject:
    begun = ZERO + timedelta(seconds=since)
    return Subject(key=KEY, scope="r1/0", since=begun, arms=ARMS, plan=plan, checkpoint=checkpoint)


_CHANGE = st.sampled_from(["on", "off", "reset", "nan", "inf", "burst"])
COUNTERS = [
    (service, pod, answer) for service in (NEW, OLD) for pod in ("g1", "g2") for answer in ("2xx", "5xx")
]
_LIFE = st.lists(_CHANGE, min_size=30, max_size=30)
_LIVES = st.lists(_LIFE, min_size=len(COUNTERS), max_size=len(COUNTERS))


def _life(changes: list[str]) -> dict[int, float]:
    samples: dict[int, float] = {}
    value = 0.0
    for number, change in enumerate(changes):
        value = 1.0 if change == "reset" else value + (40 if change == "burst" else 3)
        if change != "off":
            samples[10 * number] = {"nan": math.nan, "inf": math.inf}.get(change, value)
    return samples


def _collect(store: CounterStore, subject: Subject, looks: list[int]) -> Evidence:
    """Without a clock: asks at these grid points."""
    book = Book()
    book.track(subject)
    for look in looks:
        for question in book.questions(10, ORIGIN + 10 * look):
            found = store.answer(
                question.query, start=question.start, end=question.end, step=question.interval
            )
            for _ in book.answered(question, found):
                pass
    evidence = book.evidence(KEY, "r1/0")
    assert evidence is not None
    return evidence


def _agree(lives: Sequence[Sequence[str]], *, stretch: int, cut: int) -> None:
    """One life for each counter; a change lasts for ``stretch`` looks, a checkpoint is after ``cut``."""
    store = CounterStore(ORIGIN)
    for (service, pod, answer), life in zip(COUNTERS, lives, strict=True):
        changes = [change for change in life for _ in range(stretch)]
        store.add(service, _life(changes), pod, response_code_class=answer)
    last = len(changes)
    live = _collect(store, _subject(), list(range(last)))
    assert _collect(store, _subject(), [last - 1]) == live, "one replay of everything"
    stored = json.loads(json.dumps(_collect(store, _subject(), list(range(cut))).to_dict()))
    resumed = _subject(checkpoint=Evidence.from_dict(stored))
    assert _collect(store, resumed, [last - 1]) == live, "a replay from a checkpoint"
    assert live.metrics["error-rate"].at == ORIGIN + 10 * (last - 1)


@given(lives=_LIVES, cut=st.integers(2, 30))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replay_equals_live_to_the_last_bit(lives: list[list[str]], cut: int) -> None:
    """Births, resets, gaps, NaN and infinities in several gateways: live, replayed and resumed agree."""
    _agree(lives, stretch=1, cut=cut)


@given(lives=_LIVES, cut=st.integers(2, 30 * 25))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replay_equals_live_over_long_gaps(lives: list[list[str]], cut: int) -> None:
    """The same when series are gone, or without a usable value, for longer than they are remembered."""
    _agree(lives, stretch=25, cut=cut)


@pytest.mark.parametrize("cut", [65, 70, 71, 75, 80, 81, 85])
def test_replay_equals_live_when_a_process_restarts_in_a_gap(cut: int) -> None:
    """A restart is dated by a counter whose value only live remembers; the errors come back after it."""
    answers = ["on", "on", "off", "off", "off", "off", "reset", "on", "on", "on"]
    errors = ["on", "off", "off", "off", "nan", "off", "off", "off", "burst", "on"]
    _agree([answers, errors, *[["on"] * 10] * 6], stretch=10, cut=cut)
    _agree([errors, answers, *[["on"] * 10] * 6], stretch=10, cut=cut)


def test_long_replays_go_in_parts() -> None:
    """No question is over the provider's number of points; the parts follow each other without a gap."""
    book = Book()
    plan = replace(PLAN, interval=1)
    book.track(_subject(since=0, plan=plan))
    ends = []
    for _ in range(4):
        for question in book.questions(1, ORIGIN + 25_000):
            assert (question.end - question.start) + 1 <= MOST_POINTS
            ends.append(question.end - ORIGIN)
            for _key in book.answered(question, []):
                pass
    assert ends == [9_399, 19_399, 25_000]
    evidence = book.evidence(KEY, "r1/0")
    assert evidence is not None
    assert evidence.metrics["error-rate"].at == ORIGIN + 25_000


def test_names_are_asked_for_in_chunks() -> None:
    """A thousand rollouts are several questions, none with more names than is allowed, none forgotten."""
    book = Book()
    for number in range(1000):
        service = ServiceRef("ml", f"model-{number}", 80)
        book.track(replace(_subject(), key=("ml", str(number)), arms={Arm.CANDIDATE: service}))
    questions = book.questions(10, ORIGIN + 20)
    assert sum(len(question.entries) for question in questions) == 1000
    assert 1 < len(questions) < 10
    for question in questions:
        assert sum(len(cluster(s)) for _, arms in question.entries for s in arms.values()) <= LONGEST_NAMES
