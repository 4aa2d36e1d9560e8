"""How stable's errors came before a rollout: asked once, for all that begin together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from modelramp.controller.past import Asked, Past
from modelramp.metrics.port import Series, SourceError
from modelramp.metrics.profiles.selection import Selection
from modelramp.metrics.service import ServiceRef

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.looptime]

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
ERRORS = Selection(check="error-rate")


class Day:
    """A provider that has counters of the day before: bursts of ten errors in one minute of twenty."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.asked: list[tuple[str, int, int, int]] = []

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """As the port."""
        self.asked.append((query, start, end, step))
        if self.fails:
            raise SourceError("no answer")
        found = []
        for name in ("fraud", "spam"):
            cluster = f"outbound|8080||{name}-1-0-0-abcdef12.ml.svc.cluster.local"
            if name not in query:
                continue
            counts = {"2xx": 0, "5xx": 0}
            points: dict[str, list[tuple[int, float]]] = {"2xx": [], "5xx": []}
            for number, at in enumerate(range(start, end + 1, step)):
                counts["2xx"] += 100
                counts["5xx"] += 10 if name == "fraud" and number % 20 == 0 else 0
                for kind, value in counts.items():
                    points[kind].append((at, float(value)))
            labels = {"cluster_name": cluster, "pod": "gateway"}
            found += [Series({**labels, "response_code_class": kind}, points[kind]) for kind in counts]
        return found


def asked(name: str, rollout: str = "r1") -> Asked:
    """The past of a ModelDeployment's stable revision."""
    stable = ServiceRef("ml", f"{name}-1-0-0-abcdef12", 8080, name, "1.0.0-abcdef12")
    selections = {"error-rate": ERRORS}
    return Asked(key=("ml", name), rollout=rollout, stable=stable, interval=30, selections=selections)


async def running(past: Past, seconds: float) -> None:
    """Lets it work for so long."""
    task = asyncio.create_task(past.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def past_of(source: Day, woken: list[tuple[str, str]]) -> Past:
    """What is tested, at noon."""
    return Past(source=source, clock=lambda: NOW, delay=30.0, wake=woken.append)


async def test_bursts_of_the_day_before_are_seen_and_asked_for_once() -> None:
    """Two rollouts that begin together are one query; bursts have a dispersion near their size."""
    source, woken = Day(), list[tuple[str, str]]()
    past = past_of(source, woken)
    assert past.of(asked("fraud")) is None
    assert past.of(asked("spam")) is None
    await running(past, 1)
    assert len(source.asked) == 1
    _, start, end, step = source.asked[0]
    assert (end - start, step) == (24 * 3600, 60)
    found = past.of(asked("fraud"))
    assert found is not None
    assert 5 < found["error-rate"].phi < 15
    # Without errors there is nothing to tell by.
    assert past.of(asked("spam")) == {}
    assert sorted(woken) == [("ml", "fraud"), ("ml", "spam")]
    await running(past, 60)
    assert len(source.asked) == 1


async def test_another_rollout_asks_anew() -> None:
    """What was known belongs to the rollout that asked."""
    source, woken = Day(), list[tuple[str, str]]()
    past = past_of(source, woken)
    past.of(asked("fraud"))
    await running(past, 1)
    assert past.of(asked("fraud", "r2")) is None
    await running(past, 1)
    assert past.of(asked("fraud", "r2"))
    assert len(source.asked) == 2


async def test_a_provider_that_is_away_is_no_history() -> None:
    """The rollout goes on without: judged as if errors came in bursts."""
    woken: list[tuple[str, str]] = []
    past = past_of(Day(fails=True), woken)
    past.of(asked("fraud"))
    await running(past, 1)
    assert past.of(asked("fraud")) == {}
    assert woken == [("ml", "fraud")]
