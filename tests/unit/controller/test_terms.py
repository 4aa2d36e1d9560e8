"""Terms of leadership: nothing is done between them, and each begins with everything that is in the store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelramp.controller.clocks import Clocks
from modelramp.controller.live import StandbyError
from modelramp.controller.settings import Settings
from modelramp.controller.store import Store
from modelramp.controller.telemetry import Telemetry
from modelramp.controller.terms import Terms
from modelramp.kube.kinds import MODEL_DEPLOYMENT, WATCHED
from support.fakecluster import FakeCluster
from support.manifests import KEY, model_deployment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.kube.kinds import Kind
    from modelramp.metrics.port import Series

pytestmark = [pytest.mark.looptime]


class NoMetrics:
    """A provider that has nothing."""

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """No series."""
        del query, start, end, step
        return ()


async def term(terms: Terms, seconds: float) -> None:
    """One term of that length."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await terms.run()


async def test_a_standby_does_nothing_and_each_term_begins_with_everything() -> None:
    """What was seen in standby is decided on in the next term without another event, and in each again."""
    cluster, store, telemetry = FakeCluster(), Store(WATCHED), Telemetry()
    terms = Terms(
        Settings(prometheus_url="http://prometheus:9090"),
        store=store,
        cluster=cluster,
        source=NoMetrics(),
        telemetry=telemetry,
        clock=lambda: datetime.now(UTC),
        clocks=Clocks(lambda: datetime.now(UTC)),
    )

    def seen(_: str, kind: Kind, body: dict[str, Any]) -> None:
        store.put(kind, body)

    cluster.watch(seen)
    cluster.place(MODEL_DEPLOYMENT, model_deployment("1.0.0"))
    terms.wake(KEY)
    await asyncio.sleep(60)
    assert (terms.under_way(), terms.depth(), cluster.writes) == (False, 0, [])
    with pytest.raises(StandbyError):
        terms.evidence(KEY)

    await term(terms, 1)
    written = len(cluster.writes)
    assert written > 0
    assert not terms.under_way()
    with pytest.raises(StandbyError):
        terms.evidence(KEY)

    cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda live: live["spec"].update(version="9.9.9"))
    terms.wake(KEY)
    await asyncio.sleep(60)
    assert len(cluster.writes) == written
    await term(terms, 1)
    assert len(cluster.writes) > written
