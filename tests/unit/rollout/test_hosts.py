"""Several routes that want one host."""

from __future__ import annotations

from datetime import timedelta

import pytest

from modelramp.kube.kinds import MODEL_DEPLOYMENT, VIRTUAL_SERVICE
from support.world import KEY, World, model_deployment


@pytest.fixture
def world() -> World:
    """A world in which 1.0.0 serves everything."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    return made


def test_who_waits_for_a_host_is_woken_when_it_is_given_up(world: World) -> None:
    """Our own write takes a host out of our route: whoever else wants it hears of it."""
    other = model_deployment("1.0.0")
    other["metadata"] = {**other["metadata"], "name": "spam"}
    world.cluster.place(MODEL_DEPLOYMENT, other)
    world.settle()
    world.leader.others.clear()
    hosts = {"istio": {"hosts": ["new.example.com"], "gateways": ["istio-ingress/main"]}}
    world.deploy("1.0.0", traffic=hosts)
    world.settle()
    assert world.leader.others == {(KEY[0], "spam")}


def rival_route(world: World, *, managed: bool) -> None:
    """A route of another object with our host, made now."""
    labels = {"app.kubernetes.io/managed-by": "modelramp"} if managed else {}
    metadata = {"namespace": KEY[0], "name": "spam", "labels": labels}
    spec = {"hosts": ["fraud.example.com"], "gateways": ["istio-ingress/main"], "http": []}
    world.cluster.place(VIRTUAL_SERVICE, {"metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("first", "managed", "keeps"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_of_two_of_ours_the_older_route_keeps_the_host(*, first: bool, managed: bool, keeps: bool) -> None:
    """Two that began at once do not both give way, or both take; a route of others always wins."""
    world = World()
    if first:
        rival_route(world, managed=managed)
        world.now += timedelta(seconds=10)
    world.deploy("1.0.0")
    world.settle()
    if not first:
        world.now += timedelta(seconds=10)
        rival_route(world, managed=managed)
    world.run(2)
    route = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    kept = route is not None and "fraud.example.com" in route["spec"]["hosts"]
    assert kept is keeps
    assert (world.condition("TrafficConfigured")["status"] == "True") is keeps
