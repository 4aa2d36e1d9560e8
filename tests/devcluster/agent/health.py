"""What a container's probes mean for it: started, ready, or to be restarted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from devcluster.agent import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from devcluster.agent.status import ContainerState


class Health:
    """Keeps the probes running during a `with` block, and the container's state up to date.

    Args:
        container: its part of the pod's spec.
        state: gets `started` and `ready`.
        prober: who asks.
        changed: called after a change of the state.
        unhealthy: called with a text when a probe failed for good.
    """

    def __init__(
        self,
        container: Mapping[str, Any],
        *,
        state: ContainerState,
        prober: probe.Prober,
        changed: Callable[[], None],
        unhealthy: Callable[[str], None],
    ) -> None:
        self._container = container
        self._state = state
        self._prober = prober
        self._changed = changed
        self._unhealthy = unhealthy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.lost = asyncio.Event()
        """Set when a liveness or startup probe failed: the container is to be restarted."""

    def __enter__(self) -> Self:
        if not self._begin("startupProbe", self._startup):
            self._launch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _begin(self, kind: str, report: probe.Report, *, eager: bool = False) -> bool:
        """Start a probe if the container has it."""
        settings = self._container.get(kind)
        if settings is None:
            return False
        self._tasks[kind] = asyncio.create_task(probe.follow(self._prober, settings, report, eager=eager))
        return True

    def _launch(self) -> None:
        """The container has started: from now on the other probes count."""
        self._state.started = True
        self._begin("livenessProbe", self._liveness)
        # Before the first good answer a readiness probe's failures change nothing, so asking often is right.
        if not self._begin("readinessProbe", self._readiness, eager=True):
            self._state.ready = True
        self._changed()

    def _startup(self, verdict: probe.Verdict) -> None:
        if not verdict.good:
            self._unhealthy(f"Startup probe failed: {verdict.text}")
            self.lost.set()
        elif not self._state.started:
            self._launch()
            self._tasks["startupProbe"].cancel()

    def _liveness(self, verdict: probe.Verdict) -> None:
        if not verdict.good:
            self._unhealthy(f"Liveness probe failed: {verdict.text}")
            self.lost.set()

    def _readiness(self, verdict: probe.Verdict) -> None:
        if verdict.good == self._state.ready:
            return
        if not verdict.good:
            self._unhealthy(f"Readiness probe failed: {verdict.text}")
        self._state.ready = verdict.good
        self._changed()
