"""A Lease on the real API server; and that the Leases in memory keep the same rules, by the same tests."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelramp.kube import login
from modelramp.kube.client import Client
from modelramp.kube.errors import Fenced, Missing, Unavailable
from modelramp.kube.lease import LEASE, claimed, released
from support.leases import Connection, LeaseServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from devcluster.cluster import Cluster
    from modelramp.kube.election import Leases

pytestmark = pytest.mark.cluster

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.fixture(params=["real", "memory"])
async def leases(request: pytest.FixtureRequest, cluster: Cluster) -> AsyncIterator[Leases]:
    """The real client, then Leases in memory: what is asserted holds for both."""
    if request.param == "memory":
        server = LeaseServer()
        server.namespaces.add("default")
        yield Connection(server)
        return
    client = Client(await login.load(kubeconfig=str(cluster.kubeconfig())))
    yield client
    await client.close()


def lease(spec: dict[str, Any] | None = None) -> dict[str, Any]:
    """A Lease that nobody has created yet."""
    found = spec or claimed(None, identity="a", lease=15, now=NOW)
    return {"metadata": {"namespace": "default", "name": f"lease-{uuid.uuid4().hex[:8]}"}, "spec": found}


async def test_it_is_created_once(leases: Leases) -> None:
    """Of two that create it the second is refused; what is read is what was written."""
    body = lease()
    made = await leases.create(LEASE, body)
    with pytest.raises(Fenced):
        await leases.create(LEASE, body)
    found = await leases.read(LEASE, "default", body["metadata"]["name"])
    assert found["spec"] == body["spec"]
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_it_is_replaced_under_its_resource_version_only(leases: Leases) -> None:
    """A renewal on old knowledge is refused and changes nothing; so is one of a Lease that is gone."""
    first = await leases.create(LEASE, lease())
    taken = {**first, "spec": claimed(first["spec"], identity="b", lease=15, now=NOW)}
    second = await leases.replace(LEASE, taken)
    with pytest.raises(Fenced):
        await leases.replace(
            LEASE, {**first, "spec": claimed(first["spec"], identity="a", lease=15, now=NOW)}
        )
    found = await leases.read(LEASE, "default", first["metadata"]["name"])
    assert found["spec"] == second["spec"]
    assert (found["spec"]["holderIdentity"], found["spec"]["leaseTransitions"]) == ("b", 1)


async def test_it_can_be_released_and_taken_again(leases: Leases) -> None:
    """An empty holder is valid, and survives the way to the server and back."""
    made = await leases.create(LEASE, lease())
    free = await leases.replace(LEASE, {**made, "spec": released(made["spec"], now=NOW)})
    assert not free["spec"].get("holderIdentity")
    again = claimed(free["spec"], identity="b", lease=15, now=NOW)
    assert (await leases.replace(LEASE, {**free, "spec": again}))["spec"]["leaseTransitions"] == 1


async def test_what_is_not_there_is_missing(leases: Leases) -> None:
    """A Lease that nobody made, and a namespace that nobody made."""
    with pytest.raises(Missing):
        await leases.read(LEASE, "default", "nobody")
    body = lease()
    body["metadata"]["namespace"] = "nowhere"
    with pytest.raises(Missing):
        await leases.create(LEASE, body)


async def test_who_does_not_lead_sends_no_write(cluster: Cluster) -> None:
    """The client asks before each write; reading goes on, and nothing has reached the server."""
    leads = True
    client = Client(await login.load(kubeconfig=str(cluster.kubeconfig())), may_write=lambda: leads)
    made = await client.create(LEASE, lease())
    leads = False
    with pytest.raises(Unavailable, match="not sent"):
        await client.replace(LEASE, {**made, "spec": released(made["spec"], now=NOW)})
    assert await client.read(LEASE, "default", made["metadata"]["name"]) == made
    await client.close()
