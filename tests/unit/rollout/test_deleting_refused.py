"""A deletion whose writes are refused, or whose children lost their owner: its end, and what is told."""

from __future__ import annotations

from typing import Any

import pytest

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE, WATCHED, Kind
from support.deleted import ALL, DRAIN, HALF, delete, finalizers, gone, half, left, owners, until_gone
from support.faults import Fault, Write
from support.world import KEY, World

LIMIT = 2 * DRAIN + 60


def refuse(world: World, kind: Kind, *verbs: str) -> None:
    """An admission policy says no to these writes of a kind; to all of them if no verb is named."""

    def matching(write: Write) -> bool:
        return write.kind == kind and (not verbs or write.verb in verbs)

    world.cluster.faults.inject(Fault.REFUSE, times=10_000, matching=matching)


def set_policy(world: World, policy: str) -> None:
    """The user edits `deletionPolicy`."""
    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda body: body["spec"].update(deletionPolicy=policy))


def service_of(world: World) -> str:
    """Stable's Deployment and Service."""
    found: str = world.status["stable"]["service"]
    return found


def test_delete_is_the_way_out_of_an_orphan_that_waits() -> None:
    """The route cannot lose its owner as the rest did: with `Delete` all goes in time, and it is told."""
    world = half(deletionPolicy="Orphan")
    refuse(world, VIRTUAL_SERVICE)
    delete(world)
    begun = world.now
    world.run(30)
    assert not gone(world)
    assert len(owners(world)) < 7
    set_policy(world, "Delete")
    seen = until_gone(world)
    assert LIMIT <= (seen["gone"] - begun).total_seconds() <= LIMIT + 3
    assert world.reasons().count("DeletionForced") == 1
    assert left(world) == {}


def test_delete_after_a_long_orphan_ends_at_once() -> None:
    """The time limit counts from the deletion: an hour later there is nothing left to wait for."""
    world = half(deletionPolicy="Orphan")
    refuse(world, VIRTUAL_SERVICE)
    delete(world)
    world.run(2 * LIMIT)
    assert not gone(world)
    set_policy(world, "Delete")
    until_gone(world, 2)
    assert left(world) == {}


def test_delete_after_all_was_released_still_ends() -> None:
    """Everything that is to stay has no owner already: it stays, and the object goes after its drain."""
    world = half(deletionPolicy="Orphan")
    stable = service_of(world)
    delete(world)
    world.settle()
    set_policy(world, "Delete")
    until_gone(world, DRAIN + 2)
    assert left(world)["Deployment"] == [stable]
    assert world.route == ALL
    assert owners(world) == []
    assert world.reasons().count("Orphaned") == 1


def test_cascade_orphan_has_a_way_out_too() -> None:
    """`--cascade=orphan` and a broken mesh: the object goes in time; what has traffic stays as it is."""
    world = half()
    refuse(world, VIRTUAL_SERVICE)
    delete(world, orphan=True)
    world.leader.woken = True
    until_gone(world, LIMIT + 3)
    assert world.route == HALF
    assert len(left(world)["Deployment"]) == 2
    assert owners(world) == []
    assert world.reasons().count("DeletionForced") == 1


@pytest.mark.parametrize("child", ["route", "apex", "deployment"])
def test_one_child_without_owner_is_no_orphan(child: str) -> None:
    """The garbage collector takes the owner off all: one alone that lost it goes with the rest, in order."""
    world = half()
    stable = service_of(world)
    kind, name = {
        "route": (VIRTUAL_SERVICE, KEY[1]),
        "apex": (SERVICE, KEY[1]),
        "deployment": (DEPLOYMENT, stable),
    }[child]
    delete(world)
    world.cluster.edit(kind, KEY[0], name, lambda body: body["metadata"].pop("ownerReferences"))
    begun = world.now
    seen = until_gone(world)
    assert seen["stable"] == begun
    assert (seen["unrouted"] - begun).total_seconds() >= DRAIN
    assert left(world) == {}
    assert not {"Orphaned", "DeletionForced"} & {*world.reasons()}


def test_cascade_orphan_that_is_seen_in_part_gives_no_owner_back() -> None:
    """The Deployments' watch lags behind the garbage collector's work: route and apex keep no owner."""
    world = half()
    stable = service_of(world)
    world.leader.lag(frozenset({DEPLOYMENT}))
    delete(world, orphan=True)
    world.leader.woken = True
    world.run(2)
    world.leader.lag(frozenset())
    until_gone(world)
    assert left(world)["Deployment"] == [stable]
    assert world.route == ALL
    assert owners(world) == []


def test_refused_finalizer_is_told_and_the_order_is_not_begun_anew() -> None:
    """Only our finalizer cannot be taken off: a condition says so, and nothing was forced."""
    world = half()
    refuse(world, MODEL_DEPLOYMENT, "json_patch")
    delete(world)
    world.run(2 * DRAIN + 10)
    assert world.cluster.get(VIRTUAL_SERVICE, *KEY) is None
    condition = world.condition("FinalizerWritten")
    assert (condition["status"], condition["reason"]) == ("False", "FinalizerRefused")
    assert "denied" in condition["message"]
    assert world.status["summary"]["text"] == "Deleting: going"
    written = len([write for write in world.cluster.writes if write.subresource])
    world.run(600)
    assert len([write for write in world.cluster.writes if write.subresource]) == written
    assert finalizers(world) != []
    world.cluster.faults.waiting.clear()
    until_gone(world, 400)
    assert left(world) == {}
    assert "DeletionForced" not in world.reasons()


@pytest.mark.parametrize(
    ("spec", "told"),
    [({}, "DeletionForced"), ({"deletionPolicy": "Orphan"}, "Orphaned")],
    ids=["forced", "orphaned"],
)
def test_the_end_is_told_once_and_when_it_is_one(spec: dict[str, Any], told: str) -> None:
    """While the finalizer cannot be taken off nothing is over; the event comes once, when it is off."""
    world = half(**spec)
    refuse(world, MODEL_DEPLOYMENT, "json_patch")
    if not spec:
        refuse(world, VIRTUAL_SERVICE)
    delete(world)
    world.run(600)
    assert not gone(world)
    assert told not in world.reasons()
    assert world.condition("FinalizerWritten")["reason"] == "FinalizerRefused"
    world.cluster.faults.waiting.clear()
    until_gone(world, 400)
    assert world.reasons().count(told) == 1


def test_refused_finalizer_and_status_do_not_block_each_other() -> None:
    """The finalizer is refused once, the status that tells of it always: the finalizer goes all the same."""
    world = half()
    delete(world)
    world.run(60, until=lambda: world.cluster.get(VIRTUAL_SERVICE, *KEY) is None)
    refuse(world, MODEL_DEPLOYMENT, "apply")
    world.cluster.faults.inject(Fault.REFUSE, matching=lambda write: write.verb == "json_patch")
    until_gone(world, 60)
    assert len(world.cluster.faults.waiting) == 1, "the finalizer was not refused"
    assert left(world) == {}


def test_route_is_taken_away_on_the_last_word_only() -> None:
    """It could not go at first, and `Orphan` was set unseen: it is not taken away on the old view."""
    world = half()
    refuse(world, VIRTUAL_SERVICE, "delete")
    delete(world)
    world.run(DRAIN + 5)
    world.leader.lag(frozenset({MODEL_DEPLOYMENT}))
    set_policy(world, "Orphan")
    world.cluster.faults.waiting.clear()
    world.run(30)
    assert world.route == ALL


def test_route_that_has_changed_since_is_not_taken_away() -> None:
    """Somebody split the traffic again, unseen: the route goes only when one revision has all of it."""
    world = half()
    split = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    assert split is not None
    delete(world)
    world.settle()
    world.leader.lag(frozenset({VIRTUAL_SERVICE}))
    world.cluster.edit(VIRTUAL_SERVICE, *KEY, lambda body: body.update(spec=split["spec"]))
    arms: list[int] = []

    def watch(event: str, kind: Kind, body: dict[str, Any]) -> None:
        if (event, kind) == ("DELETED", VIRTUAL_SERVICE):
            arms.append(len(body["spec"]["http"][0]["route"]))

    world.cluster.watch(watch)
    until_gone(world)
    assert arms == [1]
    assert left(world) == {}


def test_late_release_makes_nothing() -> None:
    """One that missed `Delete` and the end releases what is gone by now: no Service is made again."""
    world = half(deletionPolicy="Orphan")
    refuse(world, DEPLOYMENT, "json_patch")
    delete(world)
    world.settle()
    world.rival = world.start()
    world.rival.lag(frozenset(WATCHED))
    world.cluster.faults.waiting.clear()
    set_policy(world, "Delete")
    until_gone(world)
    assert left(world) == {}
    world.together([1])
    assert left(world) == {}


def test_release_leaves_what_others_wrote() -> None:
    """Only the owner goes: a port that somebody edited in stable's Service stays as it is."""
    world = half(deletionPolicy="Orphan")
    stable = service_of(world)

    def edit(body: dict[str, Any]) -> None:
        body["spec"]["ports"][0]["targetPort"] = 9000

    world.cluster.edit(SERVICE, KEY[0], stable, edit)
    delete(world)
    until_gone(world)
    service = world.cluster.get(SERVICE, KEY[0], stable)
    assert service is not None
    assert service["spec"]["ports"][0]["targetPort"] == 9000
    assert owners(world) == []
