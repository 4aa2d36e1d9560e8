"""What works while this process leads: made anew for each term, so that nothing of an earlier one lingers.

Watches and the store live on between terms. Queues, evidence, refusals and back-offs do not: they are made
again from the store, as in a new process.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelramp.controller.collector import Collector, Timing
from modelramp.controller.due import DueQueue
from modelramp.controller.live import Live, StandbyError
from modelramp.controller.reconciler import Reconciler
from modelramp.controller.telemetry import MeteredSource
from modelramp.controller.versions import VersionRecorder
from modelramp.controller.workers import Workers
from modelramp.kube.kinds import MODEL_DEPLOYMENT, MODEL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from modelramp.controller.clocks import Clocks
    from modelramp.controller.settings import Settings
    from modelramp.controller.store import Key, Store
    from modelramp.controller.telemetry import Telemetry
    from modelramp.kube.port import Cluster
    from modelramp.metrics.port import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queues:
    deployments: DueQueue
    versions: DueQueue


class Terms:
    """One term after the other; between them nothing is queued, decided, asked or written.

    Args:
        settings: of the process.
        store: what was seen last; filled all the time.
        cluster: where writes go.
        source: the metrics provider.
        telemetry: where it is counted.
        clock: the time now, in UTC.
        clocks: how far that is from the servers' clocks.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        cluster: Cluster,
        source: Source,
        telemetry: Telemetry,
        clock: Callable[[], datetime],
        clocks: Clocks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._cluster = cluster
        self._source = source
        self._telemetry = telemetry
        self._clock = clock
        self._clocks = clocks
        self._queues: _Queues | None = None
        self._live: Live | None = None

    def under_way(self) -> bool:
        """Whether there is a term now."""
        return self._queues is not None

    def wake(self, key: Key) -> None:
        """Something that concerns this ModelDeployment has changed; a term begins with all of them anyway."""
        if self._queues:
            self._queues.deployments.wake(key)

    def wake_version(self, key: Key) -> None:
        """The same for a ModelVersion."""
        if self._queues:
            self._queues.versions.wake(key)

    def depth(self) -> int:
        """ModelDeployments that are due and wait for a worker."""
        return self._queues.deployments.depth() if self._queues else 0

    def evidence(self, key: Key) -> dict[str, Any] | None:
        """What is counted and judged of a ModelDeployment now (see `Live.of`); None: it is not known.

        Raises:
            StandbyError: there is no term now.
        """
        if self._live is None:
            raise StandbyError
        return self._live.of(key)

    async def run(self) -> None:
        """One term, until it is cancelled or something ends it that no retry can help."""
        self._queues = _Queues(deployments=DueQueue(), versions=DueQueue())
        try:
            async with asyncio.TaskGroup() as group:
                for run in self._crew(self._queues):
                    group.create_task(run)
                for kind, wake in ((MODEL_DEPLOYMENT, self.wake), (MODEL_VERSION, self.wake_version)):
                    for body in self._store.all(kind):
                        wake((body["metadata"]["namespace"], body["metadata"]["name"]))
        finally:
            self._queues = self._live = None

    def _crew(self, queues: _Queues) -> tuple[Coroutine[None, None, None], ...]:
        """Those that run side by side in a term."""
        settings = self._settings
        timing = Timing(
            scrape_interval=settings.scrape_interval,
            ingestion_delay=settings.ingestion_delay,
            timeout=settings.prometheus_timeout,
        )
        collector = Collector(
            source=MeteredSource(
                self._source, telemetry=self._telemetry, clock=self._clock, delay=timing.delay
            ),
            clock=self._clock,
            timing=timing,
            wake=queues.deployments.wake,
        )
        lag = timing.delay + timing.timeout
        self._live = Live(store=self._store, evidence=collector, clock=self._clock, lag=lag)
        reconciler = Reconciler(
            store=self._store,
            cluster=self._cluster,
            evidence=collector,
            clock=self._clock,
            lag=lag,
            decided=self._telemetry.decided,
            clocks=self._clocks.trouble,
            wake=queues.deployments.wake,
        )
        recorder = VersionRecorder(store=self._store, cluster=self._cluster, clock=self._clock)
        workers = Workers(
            queue=queues.deployments,
            handle=reconciler.handle,
            now=self._clock,
            meter=self._telemetry,
            count=settings.workers,
        )
        clerks = Workers(
            queue=queues.versions, handle=recorder.handle, now=self._clock, meter=self._telemetry, count=1
        )
        return collector.run(), workers.run(), clerks.run()
