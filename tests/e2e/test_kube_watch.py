"""First lists, watches and the store on a real API server: nothing is missed, nothing is written."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import kopf
import pytest

from modelramp.controller.feed import Feed
from modelramp.controller.store import Store
from modelramp.kube import login, watch
from modelramp.kube.client import PAGE, Client
from modelramp.kube.errors import Missing, Unavailable
from modelramp.kube.kinds import MODEL_DEPLOYMENT, SERVICE, WATCHED, Kind
from support.api import deployment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from devcluster.cluster import Cluster

pytestmark = pytest.mark.cluster

CONFIG_MAP = Kind("", "v1", "configmaps", "ConfigMap", selector="paged=yes")


@asynccontextmanager
async def watching(
    cluster: Cluster, client: Client, kinds: tuple[Kind, ...]
) -> AsyncIterator[tuple[Store, list[tuple[str, str]]]]:
    """A store that lists and watches, and the keys that it woke."""
    store, woken = Store(kinds), list[tuple[str, str]]()
    feed = Feed(store=store, cluster=client, kinds=kinds, namespaces=(), wake=woken.append, resync=3600)
    registry = kopf.OperatorRegistry()
    watch.register(registry, kinds, feed.on_event)

    async def authenticate() -> kopf.ConnectionInfo:
        return await login.connection(await login.load(kubeconfig=str(cluster.kubeconfig())))

    async def end() -> None:
        listing.cancel()

    watch.lifecycle(registry, login=authenticate, on_stop=end)
    stop = asyncio.Event()
    listing = asyncio.create_task(feed.run())
    running = asyncio.create_task(
        kopf.operator(
            registry=registry, settings=watch.tuned(kinds), standalone=True, clusterwide=True, stop_flag=stop
        )
    )
    try:
        async with asyncio.timeout(20):
            await store.wait_ready()
        yield store, woken
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running
            await asyncio.gather(listing, return_exceptions=True)


async def eventually(condition: Callable[[], object], within: float = 10.0) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - the world gives no event for this
            await asyncio.sleep(0.01)


def body(namespace: str) -> dict[str, Any]:
    """A valid ModelDeployment of a new name."""
    found = deployment(f"fraud-{uuid.uuid4().hex[:8]}")
    found["metadata"]["namespace"] = namespace
    return found


async def test_what_was_there_comes_by_list_and_the_rest_by_watch(
    cluster: Cluster, client: Client, namespace: str
) -> None:
    """Listed before the barrier opens; then creation, change and deletion are seen and wake their owner."""
    before = await client.apply(MODEL_DEPLOYMENT, body(namespace), manager="git")
    async with watching(cluster, client, (MODEL_DEPLOYMENT, SERVICE)) as (store, woken):
        assert store.get(MODEL_DEPLOYMENT, namespace, before["metadata"]["name"])
        manifest = body(namespace)
        name = manifest["metadata"]["name"]
        made = await client.apply(MODEL_DEPLOYMENT, manifest, manager="git")
        await eventually(lambda: store.get(MODEL_DEPLOYMENT, namespace, name))
        # What a first list of the watch still brings must not be taken for the change.
        await asyncio.sleep(1)
        woken.clear()
        manifest["spec"]["version"] = "2.2.0"
        await client.apply(MODEL_DEPLOYMENT, manifest, manager="git")
        await eventually(lambda: (namespace, name) in woken)
        seen = store.get(MODEL_DEPLOYMENT, namespace, name)
        assert seen
        assert seen["spec"]["version"] == "2.2.0"
        assert seen["metadata"]["managedFields"][0].keys() == {"manager", "operation", "time"}
        await client.delete(MODEL_DEPLOYMENT, namespace, name, uid=made["metadata"]["uid"])
        await eventually(lambda: store.get(MODEL_DEPLOYMENT, namespace, name) is None)


async def test_only_what_the_selector_lets_through_is_watched(
    cluster: Cluster, client: Client, namespace: str
) -> None:
    """A Service without the apex label never comes in; one that loses it goes."""
    async with watching(cluster, client, (SERVICE,)) as (store, _):
        for name, labels in (("plain", {}), ("apex", {"modelramp.dev/apex": "fraud"})):
            metadata = {"name": name, "namespace": namespace, "labels": labels}
            await client.apply(
                SERVICE, {"metadata": metadata, "spec": {"ports": [{"port": 80}]}}, manager="modelramp"
            )
        await eventually(lambda: store.get(SERVICE, namespace, "apex"))
        assert store.get(SERVICE, namespace, "plain") is None
        cluster.kubectl("label", "service", "apex", "modelramp.dev/apex-", "--namespace", namespace)
        await eventually(lambda: store.get(SERVICE, namespace, "apex") is None)


async def test_watching_writes_nothing(cluster: Cluster, client: Client, namespace: str) -> None:
    """No annotation, no finalizer, no status: the object's resourceVersion is what it was."""
    made = await client.apply(MODEL_DEPLOYMENT, body(namespace), manager="git")
    name = made["metadata"]["name"]
    async with watching(cluster, client, WATCHED[:6]):
        await asyncio.sleep(2)
    after = json.loads(
        cluster.kubectl("get", "modeldeployment", name, "--namespace", namespace, "-o", "json")
    )
    assert after["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_a_kind_that_is_installed_later_is_watched_then(
    cluster: Cluster, client: Client, namespace: str
) -> None:
    """Without its CRD a kind counts as empty; once it is installed, its objects come in."""
    plural = f"routes{uuid.uuid4().hex[:6]}"
    kind = Kind("test.modelramp.dev", "v1", plural, plural.capitalize())
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural[:-1], "kind": kind.kind},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    try:
        async with watching(cluster, client, (kind, SERVICE)) as (store, _):
            assert store.all(kind) == []
            await asyncio.to_thread(cluster.kubectl, "apply", "-f", "-", stdin=json.dumps(crd))
            wait = ("wait", "--for=condition=Established", f"crd/{plural}.{kind.group}")
            await asyncio.to_thread(cluster.kubectl, *wait)
            await client.apply(
                kind, {"metadata": {"name": "first", "namespace": namespace}}, manager="modelramp"
            )
            await eventually(lambda: store.get(kind, namespace, "first"), within=20)
    finally:
        cluster.kubectl("delete", "crd", f"{plural}.{kind.group}")


async def test_a_kind_that_is_not_installed_is_missing(client: Client) -> None:
    """A list of a kind without CRD is Missing, which start-up counts as an empty list."""
    with pytest.raises(Missing):
        await client.list(Kind("modelramp.dev", "v1alpha1", "modelaliases", "ModelAlias"))


async def test_long_lists_come_in_pages(client: Client, namespace: str) -> None:
    """More objects than a page holds, created all at once: each is listed once, whole and as metadata."""
    wanted = {f"item-{number:03}" for number in range(PAGE + 1)}

    async def create(name: str) -> None:
        metadata = {"name": name, "namespace": namespace, "labels": {"paged": "yes"}}
        await client.apply(CONFIG_MAP, {"metadata": metadata, "data": {"a": "b"}}, manager="modelramp")

    async with asyncio.TaskGroup() as group:
        for name in wanted:
            group.create_task(create(name))
    listed = await client.list(CONFIG_MAP, namespace=namespace)
    short = await client.list_metadata(CONFIG_MAP, namespace=namespace)
    assert len(listed) == len(short) == PAGE + 1
    assert {item["metadata"]["name"] for item in listed} == {item["name"] for item in short} == wanted
    assert all(item["data"] == {"a": "b"} for item in listed)


async def test_metadata_of_nothing_is_an_empty_list(client: Client, namespace: str) -> None:
    """A kind without objects is an empty list in both forms: the API server says null in one of them."""
    elsewhere = f"{namespace}-of-nobody"
    assert await client.list(MODEL_DEPLOYMENT, namespace=elsewhere) == []
    assert await client.list_metadata(MODEL_DEPLOYMENT, namespace=elsewhere) == []


async def test_no_answer_is_unavailable(cluster: Cluster) -> None:
    """A port where nobody listens: Unavailable, which says where."""
    credentials = await login.load(kubeconfig=str(cluster.kubeconfig()))
    credentials.host = "https://127.0.0.1:1"
    nowhere = Client(credentials)
    try:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
            await nowhere.list(MODEL_DEPLOYMENT)
    finally:
        await nowhere.close()
