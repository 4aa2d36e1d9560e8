"""First lists, the barrier, and deletions that a watch missed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from modelramp.controller.feed import Feed, UnwatchedError
from modelramp.controller.store import Store
from modelramp.kube.errors import Missing, Refused, Unavailable
from modelramp.kube.kinds import MODEL_DEPLOYMENT, POD, VIRTUAL_SERVICE
from support.fakecluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.controller.store import Key
    from modelramp.kube.errors import ClusterError
    from modelramp.kube.kinds import Kind

pytestmark = [pytest.mark.looptime]

KINDS = (MODEL_DEPLOYMENT, POD, VIRTUAL_SERVICE)
FRAUD = ("ml", "fraud")
POD_LABELS = {"modelramp.dev/deployment": "fraud"}


class Lists:
    """Lists of a cluster in memory that fail as a test says."""

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self.failures: dict[Kind, list[ClusterError]] = {}
        self.asked: list[tuple[Kind, str | None]] = []

    async def list(self, kind: Kind, *, namespace: str | None = None) -> list[dict[str, Any]]:
        """As the port."""
        self.asked.append((kind, namespace))
        if self.failures.get(kind):
            raise self.failures[kind].pop(0)
        return await self._cluster.list(kind, namespace=namespace)

    async def list_metadata(self, kind: Kind, *, namespace: str | None = None) -> Sequence[dict[str, Any]]:
        """As the client."""
        return [item["metadata"] for item in await self.list(kind, namespace=namespace)]


class World:
    """A cluster with one ModelDeployment and one pod of it, a store, and the feed between them."""

    def __init__(self, *namespaces: str) -> None:
        self.cluster = FakeCluster()
        self.lists = Lists(self.cluster)
        self.store = Store(KINDS)
        self.woken: list[Key] = []
        self.feed = Feed(
            store=self.store,
            cluster=self.lists,
            kinds=KINDS,
            namespaces=namespaces,
            wake=self.woken.append,
            resync=600,
        )
        self.cluster.place(MODEL_DEPLOYMENT, {"metadata": {"name": "fraud", "namespace": "ml"}, "spec": {}})
        labels = {"modelramp.dev/deployment": "fraud"}
        self.cluster.place(POD, {"metadata": {"name": "pod", "namespace": "ml", "labels": labels}})

    async def run(self, seconds: float) -> None:
        """Lets the feed run for so long."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.feed.run()


async def test_everything_is_listed_and_every_deployment_woken() -> None:
    """After the first lists the store is ready, and each ModelDeployment is looked at once at least."""
    world = World()
    await world.run(1)
    assert world.store.ready
    assert world.store.get(POD, "ml", "pod")
    assert FRAUD in world.woken


async def test_a_kind_that_is_not_installed_counts_as_empty() -> None:
    """A cluster without Istio: the barrier opens all the same."""
    world = World()
    world.lists.failures[VIRTUAL_SERVICE] = [Missing("the server could not find the requested resource")]
    await world.run(1)
    assert world.store.ready


async def test_a_kind_that_comes_later_ends_the_feed_once_it_stays() -> None:
    """A CRD added while kopf runs may stay unwatched: all begins anew when two looks have found it."""
    world = World()
    absent = Missing("the server could not find the requested resource")
    world.lists.failures[VIRTUAL_SERVICE] = [absent, absent]
    running = asyncio.create_task(world.feed.run())
    # Looks at 5 (there is none yet), 15 and 20 s.
    await asyncio.sleep(19)
    assert not running.done()
    await asyncio.sleep(2)
    assert running.done()
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(UnwatchedError, match="VirtualService: installed since the start")


async def test_objects_that_the_watch_never_shows_end_the_feed() -> None:
    """A watch that has died tells nothing: two lists that have what it should have shown tell of it."""
    world = World()
    running = asyncio.create_task(world.feed.run())
    await asyncio.sleep(1)
    world.cluster.place(POD, {"metadata": {"name": "unseen", "namespace": "ml", "labels": POD_LABELS}})
    seen = world.cluster.place(POD, {"metadata": {"name": "seen", "namespace": "ml", "labels": POD_LABELS}})
    world.feed.on_event(POD, "ADDED", seen)
    await asyncio.sleep(600)
    assert not running.done()
    await asyncio.sleep(31)
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(UnwatchedError, match="Pod: 1 objects")


async def test_a_kind_that_goes_and_comes_ends_the_feed() -> None:
    """The look for ghosts finds that a kind is gone; its return counts as that of one that came later."""
    world = World()
    running = asyncio.create_task(world.feed.run())
    await asyncio.sleep(29)
    world.lists.failures[VIRTUAL_SERVICE] = [Missing("no such kind")]
    await asyncio.sleep(600)
    assert running.done()
    with pytest.raises(ExceptionGroup) as caught:
        await running
    assert caught.group_contains(UnwatchedError)


async def test_the_barrier_waits_for_an_api_server_that_is_away() -> None:
    """A list that gets no answer is tried again: not ready before every kind is really in."""
    world = World()
    world.lists.failures[POD] = [Unavailable("no connection")] * 3
    await world.run(2.5)
    assert not world.store.ready
    await world.run(2)
    assert world.store.ready


async def test_a_list_that_is_forbidden_ends_the_process() -> None:
    """Missing rights do not mend themselves in a running process, and half a picture is none."""
    world = World()
    world.lists.failures[POD] = [Refused(403, "Forbidden", "cannot list pods")]
    with pytest.raises(ExceptionGroup) as caught:
        await world.feed.run()
    assert caught.group_contains(Refused)


async def test_a_deletion_that_the_watch_missed_is_found() -> None:
    """Half a minute after the start, and every ten minutes: what is gone goes, and its owner looks again."""
    world = World()
    running = asyncio.create_task(world.feed.run())
    await asyncio.sleep(1)
    for wait in (30, 600):
        world.cluster.remove(POD, "ml", "pod")
        world.woken.clear()
        await asyncio.sleep(wait)
        assert world.store.get(POD, "ml", "pod") is None
        assert world.woken == [FRAUD]
        labels = {"modelramp.dev/deployment": "fraud"}
        made = world.cluster.place(POD, {"metadata": {"name": "pod", "namespace": "ml", "labels": labels}})
        world.feed.on_event(POD, "ADDED", made)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_api_server_that_is_away_makes_no_ghosts() -> None:
    """No answer is no empty list: nothing is dropped."""
    world = World()
    running = asyncio.create_task(world.feed.run())
    await asyncio.sleep(1)
    world.lists.failures[POD] = [Unavailable("no connection")]
    await asyncio.sleep(31)
    assert world.store.get(POD, "ml", "pod")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_only_the_namespaces_that_are_served_are_listed() -> None:
    """With --namespaces every list is of one of them."""
    world = World("shop", "ml")
    await world.run(1)
    assert {namespace for _, namespace in world.lists.asked} == {"shop", "ml"}
    assert world.store.get(POD, "ml", "pod")


async def test_events_feed_the_store_and_wake() -> None:
    """What a watch tells comes in or goes out, and its ModelDeployment is woken each time."""
    world = World()
    made = world.cluster.get(POD, "ml", "pod")
    assert made
    world.feed.on_event(POD, None, made)
    assert world.store.get(POD, "ml", "pod")
    world.feed.on_event(POD, "DELETED", made)
    assert world.store.get(POD, "ml", "pod") is None
    assert world.woken == [FRAUD, FRAUD]
