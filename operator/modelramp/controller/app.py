"""The composition root: everything is made here, started here, and ended here."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import kopf
import structlog

from modelramp.controller.collector import Collector, Timing
from modelramp.controller.due import DueQueue
from modelramp.controller.feed import Feed
from modelramp.controller.health import Server
from modelramp.controller.reconciler import Reconciler
from modelramp.controller.store import Store
from modelramp.controller.telemetry import MeteredSource, Telemetry, set_up_logging
from modelramp.controller.versions import VersionRecorder
from modelramp.controller.workers import Workers
from modelramp.kube import login, watch
from modelramp.kube.client import Client
from modelramp.kube.kinds import WATCHED
from modelramp.metrics.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from modelramp.controller.settings import Settings

_log = structlog.get_logger(__name__)

_GRACE = 2.0
"""Seconds that watches get to end."""


class StoppedError(Exception):
    """A part of the operator ended in a way that no retry can help: a new process starts afresh."""


async def run(settings: Settings) -> None:
    """Runs the operator until SIGTERM or SIGINT.

    Raises:
        LoginError: there are no credentials for a cluster.
        StoppedError: credentials are no longer valid, a list or watch is forbidden, and the like.
        OSError: the HTTP port is taken.
    """
    set_up_logging(settings.log_level, settings.log_format)
    credentials = await login.load(kubeconfig=settings.kubeconfig, context=settings.context)
    telemetry = Telemetry()
    store, queue, versions = Store(WATCHED), DueQueue(), DueQueue()
    telemetry.observe(store=store, depth=queue.depth)
    async with AsyncExitStack() as stack:
        client = Client(credentials, record=telemetry.requested)
        stack.push_async_callback(client.close)
        source = Prometheus(str(settings.prometheus_url), timeout=settings.prometheus_timeout)
        stack.callback(source.close)
        timing = Timing(
            scrape_interval=settings.scrape_interval,
            ingestion_delay=settings.ingestion_delay,
            timeout=settings.prometheus_timeout,
        )
        metered = MeteredSource(source, telemetry=telemetry, clock=_now, delay=timing.delay)
        collector = Collector(source=metered, clock=_now, timing=timing, wake=queue.wake)
        feed = Feed(
            store=store,
            cluster=client,
            kinds=WATCHED,
            namespaces=settings.namespaces,
            wake=queue.wake,
            wake_version=versions.wake,
            resync=settings.resync_interval,
        )
        reconciler = Reconciler(
            store=store,
            cluster=client,
            evidence=collector,
            clock=_now,
            lag=timing.delay + timing.timeout,
            decided=telemetry.decided,
        )
        workers = Workers(
            queue=queue, handle=reconciler.handle, now=_now, meter=telemetry, count=settings.workers
        )
        recorder = VersionRecorder(store=store, cluster=client, clock=_now)
        clerks = Workers(queue=versions, handle=recorder.handle, now=_now, meter=telemetry, count=1)

        async def work() -> None:
            await store.wait_ready()
            _log.info("ready", deployments=len(store.keys()))
            async with asyncio.TaskGroup() as group:
                group.create_task(workers.run())
                group.create_task(clerks.run())

        await _until_one_ends(
            settings,
            feed=feed,
            crew={"lists": feed.run, "metrics": collector.run, "workers": work},
            store=store,
            telemetry=telemetry,
        )


async def _until_one_ends(
    settings: Settings,
    *,
    feed: Feed,
    crew: Mapping[str, Callable[[], Coroutine[None, None, None]]],
    store: Store,
    telemetry: Telemetry,
) -> None:
    """Runs the watches, the crew and the HTTP server together; the first end is the end of all."""
    # They begin before kopf does: it waits at its end for tasks that are younger than itself.
    tasks = [asyncio.create_task(member(), name=name) for name, member in crew.items()]
    server = Server(
        address=settings.http_address,
        port=settings.http_port,
        broken=lambda: next((f"{task.get_name()} has ended" for task in tasks if task.done()), None),
        waiting=lambda: None if store.ready else "first lists are not complete",
        exposition=telemetry.exposition,
    )

    async def end() -> None:
        await server.stop()
        for task in tasks[: len(crew)]:
            task.cancel()
        await asyncio.gather(*tasks[: len(crew)], return_exceptions=True)

    stop = asyncio.Event()
    try:
        await server.start()
        _log.info("started", http=f"{settings.http_address}:{server.port}")
        tasks.append(asyncio.create_task(_watch(settings, feed, stop, end), name="watch"))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        await end()
        # Left alone it would wait five seconds for requests of its own that nobody needs any more.
        _, late = await asyncio.wait(tasks, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()):
            _log.critical("cannot go on", task=task.get_name(), exc_info=error)
            raise StoppedError(f"{task.get_name()} ended: {_cause(error)}") from error
    _log.info("ended")


def _cause(error: BaseException) -> BaseException:
    """The first real error in nested groups."""
    return _cause(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _watch(
    settings: Settings, feed: Feed, stop: asyncio.Event, end: Callable[[], Awaitable[None]]
) -> None:
    """kopf, until a signal or `stop`; `end` is awaited while it stops."""

    async def authenticate() -> kopf.ConnectionInfo:
        fresh = await login.load(kubeconfig=settings.kubeconfig, context=settings.context)
        return await login.connection(fresh)

    registry = kopf.OperatorRegistry()
    watch.register(registry, WATCHED, feed.on_event)
    watch.lifecycle(registry, login=authenticate, on_stop=end)
    await kopf.operator(
        registry=registry,
        settings=watch.tuned(WATCHED),
        standalone=True,
        clusterwide=not settings.namespaces,
        namespaces=settings.namespaces,
        stop_flag=stop,
    )


def _now() -> datetime:
    return datetime.now(UTC)
