"""The composition root: everything is made here, started here, and ended here."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import kopf
import structlog

from modelramp.controller.clocks import API_SERVER, PROMETHEUS, Clocks
from modelramp.controller.feed import Feed
from modelramp.controller.health import Server
from modelramp.controller.store import Store
from modelramp.controller.telemetry import Telemetry, set_up_logging
from modelramp.controller.terms import Terms
from modelramp.kube import login, watch
from modelramp.kube.client import Client
from modelramp.kube.election import Election
from modelramp.kube.kinds import WATCHED
from modelramp.kube.lease import Timing as LeaseTiming
from modelramp.metrics.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from modelramp.controller.settings import Settings
    from modelramp.controller.store import Key

_log = structlog.get_logger(__name__)

_GRACE = 2.0
"""Seconds that watches get to end."""


class StoppedError(Exception):
    """A part of the operator ended in a way that no retry can help: a new process starts afresh."""


async def run(settings: Settings) -> None:
    """Runs the operator until SIGTERM or SIGINT.

    Raises:
        LoginError: there are no credentials for a cluster.
        StoppedError: credentials are no longer valid; a list, a watch or the Lease is forbidden; a kind was
            installed that has to be watched; and the like.
        OSError: the HTTP port is taken.
    """
    set_up_logging(settings.log_level, settings.log_format)
    credentials = await login.load(kubeconfig=settings.kubeconfig, context=settings.context)
    telemetry = Telemetry()
    store = Store(WATCHED)
    clocks = Clocks(_now)
    async with AsyncExitStack() as stack:

        def client(may_write: Callable[[], bool] = lambda: True) -> Client:
            made = Client(
                credentials,
                record=telemetry.requested,
                dated=partial(clocks.answered, API_SERVER),
                may_write=may_write,
            )
            stack.push_async_callback(made.close)
            return made

        election = _election(settings, client()) if settings.leader_elect else None
        cluster = client(election.held) if election else client()
        source = Prometheus(
            str(settings.prometheus_url),
            timeout=settings.prometheus_timeout,
            dated=partial(clocks.answered, PROMETHEUS),
        )
        stack.callback(source.close)
        terms = Terms(
            settings,
            store=store,
            cluster=cluster,
            source=source,
            telemetry=telemetry,
            clock=_now,
            clocks=clocks,
        )
        telemetry.observe(store=store, depth=terms.depth, leads=terms.under_way)
        feed = Feed(
            store=store,
            cluster=cluster,
            kinds=WATCHED,
            namespaces=settings.namespaces,
            wake=terms.wake,
            wake_version=terms.wake_version,
            resync=settings.resync_interval,
        )

        async def work() -> None:
            # Who has not seen everything yet must not keep the Lease from those who have.
            await store.wait_ready()
            _log.info("ready", deployments=len(store.keys()))
            await (election.run(terms.run) if election else terms.run())

        await _until_one_ends(
            settings,
            feed=feed,
            crew={"lists": feed.run, "work": work},
            store=store,
            telemetry=telemetry,
            evidence=terms.evidence,
        )


def _election(settings: Settings, cluster: Client) -> Election:
    """The election for the Lease of the settings, on connections of its own."""
    return Election(
        cluster=cluster,
        namespace=settings.lease_namespace,
        name=settings.lease_name,
        process=settings.identity or socket.gethostname(),
        resumes=settings.identity is not None,
        timing=LeaseTiming(
            lease=settings.lease_duration,
            deadline=settings.lease_renew_deadline,
            retry=settings.lease_retry_period,
        ),
        now=_now,
    )


async def _until_one_ends(
    settings: Settings,
    *,
    feed: Feed,
    crew: Mapping[str, Callable[[], Coroutine[None, None, None]]],
    store: Store,
    telemetry: Telemetry,
    evidence: Callable[[Key], dict[str, Any] | None],
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
        evidence=evidence,
    )

    async def end() -> None:
        await server.stop()
        for task in tasks[: len(crew)]:
            # Once: a second time would break into the release of the Lease.
            if not task.cancelling():
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
