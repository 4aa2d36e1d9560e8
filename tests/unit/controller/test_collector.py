"""The collector on virtual time, over a provider in memory that keeps samples and can be made to fail."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from modelramp.controller.book import Subject
from modelramp.controller.collector import Collector, Timing
from modelramp.judgement.evidence import Counts, Evidence
from modelramp.judgement.judge import blind, judge
from modelramp.judgement.plan import Plan, error_rate, latency
from modelramp.judgement.verdict import Arm, Outcome
from modelramp.metrics.service import ServiceRef
from support.counterstore import CounterStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = ("ml", "fraud")
ZERO = datetime(2026, 11, 21, 8, tzinfo=UTC)
ORIGIN = int(ZERO.timestamp())
NEW, OLD = ServiceRef("ml", "fraud-2", 80), ServiceRef("ml", "fraud-1", 80)
ARMS = {Arm.CANDIDATE: NEW, Arm.STABLE: OLD}
PLAN = Plan(checks=(error_rate(),), interval=10)
TIMING = Timing(scrape_interval=1.0, timeout=3.0)


def _steady(rate: float, begin: int = -1000, end: int = 4000) -> dict[int, float]:
    return {at: math.floor(rate * (at - begin)) for at in range(begin, end)}


def _healthy() -> CounterStore:
    store = CounterStore(ORIGIN)
    store.add(NEW, _steady(5))
    store.add(OLD, _steady(95))
    return store


def _subject(since: float = 3.0, *, plan: Plan = PLAN, checkpoint: Evidence | None = None) -> Subject:
    begun = ZERO + timedelta(seconds=since)
    return Subject(key=KEY, scope="r1/0", since=begun, arms=ARMS, plan=plan, checkpoint=checkpoint)


def _now() -> datetime:
    return ZERO + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass
class Running:
    """A running collector and whom it woke."""

    collector: Collector
    woken: Counter[tuple[str, str]]

    @property
    def evidence(self) -> Evidence:
        """Of the one subject."""
        evidence = self.collector.evidence(KEY, "r1/0")
        assert evidence is not None
        return evidence


@asynccontextmanager
async def _running(store: CounterStore, *subjects: Subject) -> AsyncIterator[Running]:
    woken: Counter[tuple[str, str]] = Counter()
    collector = Collector(source=store, clock=_now, timing=TIMING, wake=lambda key: woken.update([key]))
    for subject in subjects:
        collector.track(subject)
    task = asyncio.create_task(collector.run())
    try:
        yield Running(collector, woken)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(second: float) -> None:
    await asyncio.sleep(second - asyncio.get_running_loop().time())


pytestmark = pytest.mark.looptime(start=0)


async def test_looks_lie_on_the_grid() -> None:
    """Acknowledged at 3 s, a step's zero is at 10 s; looks are asked for two scrapes after their time."""
    store = _healthy()
    async with _running(store, _subject()) as run:
        await _until(21.9)
        assert not run.evidence.metrics
        await _until(22.5)
        metric = run.evidence.metrics["error-rate"]
        assert (metric.first - ORIGIN, metric.at - ORIGIN) == (10, 20)
        assert (metric.candidate, metric.stable) == (Counts(50, 0), Counts(950, 0))
        await _until(42.5)
        assert run.evidence.metrics["error-rate"].candidate == Counts(150, 0)
        assert run.woken[KEY] == 3


async def test_a_normal_look_is_one_point() -> None:
    """After the first, a look asks for its own grid point only."""
    store = _healthy()
    async with _running(store, _subject()):
        await _until(53)
    assert [(start, end) for _, start, end in store.asked] == [(10 - 600, 20), (30, 30), (40, 40), (50, 50)]


async def test_a_failing_version_is_found() -> None:
    """From series to verdict: a third of failures, whose series is only born in the step."""
    store = CounterStore(ORIGIN)
    store.add(NEW, _steady(3))
    store.add(NEW, _steady(2, begin=12), response_code_class="5xx")
    store.add(OLD, _steady(95))
    plan = replace(PLAN, interval=1)
    async with _running(store, _subject(plan=plan)) as run:
        await _until(40)
        (verdict,) = judge(run.evidence, plan, now=_now())
    assert verdict.outcome is Outcome.FAIL
    assert verdict.baseline == 0.0


async def test_provider_down_is_told_and_nothing_is_lost() -> None:
    """While refused the reason is there; once it answers, the evidence is that of an undisturbed run."""
    store, plain = _healthy(), _healthy()
    async with _running(store, _subject()) as run, _running(plain, _subject()) as undisturbed:
        await _until(35)
        store.fault, woken = "Prometheus http://p cannot be reached", run.woken[KEY]
        await _until(43)
        assert blind(run.evidence, PLAN, _now()) == "error rate: Prometheus http://p cannot be reached"
        assert run.woken[KEY] == woken + 1
        await _until(75)
        assert run.woken[KEY] == woken + 1, "the same error again is no news"
        assert judge(run.evidence, PLAN, now=_now())[0].outcome is Outcome.INCONCLUSIVE
        store.fault = None
        await _until(85)
        assert run.evidence == undisturbed.evidence
        assert blind(run.evidence, PLAN, _now()) is None


async def test_a_hanging_provider_is_given_up() -> None:
    """A query that never ends is an error after the time limit, and the looks are made up for later."""
    store, plain = _healthy(), _healthy()
    async with _running(store, _subject()) as run, _running(plain, _subject()) as undisturbed:
        store.hang = True
        await _until(27)
        assert "did not answer within 3 s" in (run.evidence.metrics["error-rate"].trouble or "")
        store.hang = False
        await _until(45)
        assert run.evidence == undisturbed.evidence


async def test_metrics_gone_is_no_data() -> None:
    """When the candidate's series end, the verdict is Inconclusive and says since when."""
    store = CounterStore(ORIGIN)
    store.add(NEW, _steady(50, end=35))
    store.add(OLD, _steady(95))
    async with _running(store, _subject()) as run:
        await _until(33)
        assert judge(run.evidence, PLAN, now=_now())[0].outcome is Outcome.PASS
        await _until(65)
        (verdict,) = judge(run.evidence, PLAN, now=_now())
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no data of the candidate since 08:00:40 UTC" in verdict.message


async def test_one_query_serves_all_rollouts() -> None:
    """Fifty rollouts of one interval cost one query per check and look, and each gets its own counts."""
    store, subjects = CounterStore(ORIGIN), []
    plan = Plan(checks=(error_rate(), latency()), interval=10)
    for number in range(50):
        service = ServiceRef("ml", f"m{number}", 80)
        store.add(service, _steady(number))
        subjects.append(replace(_subject(plan=plan), key=("ml", f"d{number}"), arms={Arm.CANDIDATE: service}))
    async with _running(store, *subjects) as run:
        await _until(45)
        asked = [start for _, start, _ in store.asked]
        assert Counter(asked) == {-590: 2, 30: 2, 40: 2}
        for number in range(50):
            evidence = run.collector.evidence(("ml", f"d{number}"), "r1/0")
            assert evidence is not None
            assert evidence.metrics["error-rate"].candidate == Counts(30 * number, 0)
            assert evidence.metrics["latency"].no_data == ORIGIN + 20


async def test_track_again_keeps_and_a_new_scope_forgets() -> None:
    """The same scope goes on, with the new plan; another begins from nothing, and untracking forgets."""
    async with _running(_healthy(), _subject()) as run:
        await _until(45)
        before = run.evidence
        run.collector.track(_subject(plan=replace(PLAN, checks=(error_rate(limit=0.2, critical_limit=0.4),))))
        assert run.evidence == before
        run.collector.track(replace(_subject(since=45.0), scope="r1/1"))
        assert run.collector.evidence(KEY, "r1/0") is None
        await _until(65)
        fresh = run.collector.evidence(KEY, "r1/1")
        assert fresh is not None
        assert fresh.metrics["error-rate"].candidate == Counts(50, 0)
        run.collector.untrack(KEY)
        run.collector.untrack(KEY)
        assert run.collector.evidence(KEY, "r1/1") is None


async def test_a_longer_interval_counts_nothing_twice() -> None:
    """After an edit of the interval the looks go on at the next point of the new grid."""
    async with _running(_healthy(), _subject()) as run:
        await _until(45)
        run.collector.track(_subject(plan=replace(PLAN, interval=30)))
        await _until(125)
        metric = run.evidence.metrics["error-rate"]
    # 10 to 40 on the old grid, 60 to 120 on the new one
    assert metric.candidate == Counts(5 * (30 + 60), 0)


async def test_a_restart_goes_on_from_the_checkpoint() -> None:
    """A new collector with the stored evidence replays what is missing and ends where the old one is."""
    store = _healthy()
    async with _running(store, _subject()) as first:
        await _until(45)
        stored = json.dumps(first.evidence.to_dict())
        await _until(500)
        async with _running(store, _subject(checkpoint=Evidence.from_dict(json.loads(stored)))) as second:
            await _until(503)
            assert second.evidence == first.evidence
            assert second.evidence.metrics["error-rate"].at == ORIGIN + 500


async def test_a_checkpoint_of_another_scope_is_ignored() -> None:
    """Evidence never crosses scopes."""
    alien = Evidence.from_dict(
        {"scope": "r0/2", "since": ZERO.isoformat(), "metrics": {}},
    )
    async with _running(_healthy(), _subject(checkpoint=alien)) as run:
        assert run.evidence == Evidence(scope="r1/0", since=ZERO + timedelta(seconds=3))


async def test_a_look_wakes_once_for_all_checks() -> None:
    """Answers to two checks that come one after the other are one piece of news, and one status."""
    store = _healthy()
    plan = Plan(checks=(error_rate(), latency()), interval=10)
    async with _running(store, _subject(plan=plan)) as run:
        await _until(45)
        assert {check: metric.at - ORIGIN for check, metric in run.evidence.metrics.items()} == {
            "error-rate": 40,
            "latency": 40,
        }
        assert run.woken[KEY] == 3


async def test_a_check_does_not_wait_for_another_that_hangs() -> None:
    """The error rate is told within a second although the latency's answer never comes."""
    store = _healthy()
    plan = Plan(checks=(error_rate(), latency()), interval=10)
    store.hang = "time_bucket"
    async with _running(store, _subject(plan=plan)) as run:
        await _until(23)
        assert run.woken[KEY] == 1
        assert run.evidence.metrics["error-rate"].at - ORIGIN == 20
        assert "latency" not in run.evidence.metrics


async def test_the_next_step_goes_on_with_the_counters() -> None:
    """A new scope of the same arms replays no window, and counts as one that does."""
    store, plain = _healthy(), _healthy()
    later = replace(_subject(45), scope="r1/1")
    async with _running(store, _subject()) as run, _running(plain) as replayed:
        await _until(45)
        run.collector.track(later)
        replayed.collector.track(later)
        await _until(85)
        found = run.collector.evidence(KEY, "r1/1")
        assert found is not None
        assert found == replayed.collector.evidence(KEY, "r1/1")
        assert found.metrics["error-rate"].candidate == Counts(150, 0)
    assert [start for _, start, _ in store.asked] == [-590, 30, 40, 50, 60, 70, 80]
    assert plain.asked[0][1] == -550
