"""The object is deleted: in mid-rollout in order; with Orphan what serves stays; and nothing blocks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modelramp.controller.ownership import FINALIZER
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE
from support.deleted import ALL, DRAIN, delete, finalizers, gone, half, left, owners, serving, until_gone
from support.faults import Fault, Write
from support.world import KEY


def test_finalizer_is_there_while_traffic_is_split() -> None:
    """It comes with the rollout, before any weight, and goes when one revision has all."""
    world = serving()
    assert finalizers(world) == []
    world.deploy("1.1.0")
    world.settle()
    assert finalizers(world) == [FINALIZER]
    assert world.cluster.writes[-1].kind == MODEL_DEPLOYMENT or world.route[("1.0.0")] == 95
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.settle()
    assert finalizers(world) == []


def test_finalizer_costs_two_requests_for_a_whole_rollout() -> None:
    """One before the first step, one after the last."""
    world = serving()
    world.cluster.writes.clear()
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.run(5)
    written = [w for w in world.cluster.writes if w.kind == MODEL_DEPLOYMENT and w.verb == "json_patch"]
    assert len(written) == 2


def test_idle_object_goes_at_once() -> None:
    """Nothing is split: there is no finalizer, and the garbage collector takes all."""
    world = serving()
    world.cluster.writes.clear()
    delete(world)
    assert gone(world)
    world.run(60)
    assert left(world) == {}
    assert world.cluster.writes == []


def test_mid_rollout_goes_in_order() -> None:
    """Route to stable, drain, route away, drain, the rest; all revisions keep their pods until then."""
    world = half()
    delete(world)
    assert not gone(world)
    begun = world.now
    seen = until_gone(world)
    assert seen["stable"] == begun
    assert DRAIN <= (seen["unrouted"] - begun).total_seconds() <= DRAIN + 2
    assert DRAIN - 1 <= (seen["pods"] - seen["unrouted"]).total_seconds() <= DRAIN + 2
    assert seen["gone"] == seen["pods"]
    assert left(world) == {}
    assert world.reasons().count("Deleting") == 1


def test_status_says_how_far_it_is() -> None:
    """The phase is Deleting, the reason Deleting; the text tells the stage."""
    world = half()
    delete(world)
    world.settle()
    assert (world.status["phase"], world.condition("Ready")["reason"]) == ("Deleting", "Deleting")
    assert world.status["summary"]["text"] == "Deleting: draining"
    assert "1.0.0-" in world.condition("Ready")["message"]
    world.run(DRAIN + 2)
    assert world.status["summary"]["text"] == "Deleting: unrouted"


@pytest.mark.parametrize("side", [Fault.CRASH_BEFORE, Fault.CRASH_AFTER])
@pytest.mark.parametrize(
    ("policy", "at"), [("Delete", at) for at in range(5)] + [("Orphan", at) for at in range(6)]
)
def test_crash_at_any_write_changes_nothing(side: Fault, at: int, policy: str) -> None:
    """Killed before or after each write of a deletion: the same end, and never a weight without pods."""
    world = half(deletionPolicy=policy)
    delete(world)
    world.cluster.faults.inject(side, skip=at)
    until_gone(world)
    assert world.cluster.faults.waiting == [], "there are fewer writes than that"
    world.settle()
    if policy == "Delete":
        assert left(world) == {}
    else:
        assert len(left(world)["Deployment"]) == 1
        assert world.route == ALL
        assert owners(world) == []


def test_operator_that_was_away_goes_in_order_too() -> None:
    """Deleted an hour before it comes back: the object waited, and the time limit begins with it."""
    world = half()
    delete(world)
    world.now += timedelta(hours=1)
    assert not gone(world)
    world.restart()
    world.leader.woken = True
    begun = world.now
    seen = until_gone(world)
    assert seen["stable"] == begun
    assert (seen["unrouted"] - begun).total_seconds() >= DRAIN


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.UNAVAILABLE])
def test_broken_mesh_does_not_block(fault: Fault) -> None:
    """No write of the route goes through: after the time limit the object goes all the same; it is told."""
    world = half()
    world.cluster.faults.inject(fault, times=10_000, matching=lambda write: write.kind == VIRTUAL_SERVICE)
    delete(world)
    begun = world.now
    seen = until_gone(world)
    assert 2 * DRAIN + 60 <= (seen["gone"] - begun).total_seconds() <= 2 * DRAIN + 63
    assert "DeletionForced" in world.reasons()
    assert left(world) == {}


def test_status_that_is_refused_does_not_block() -> None:
    """Status cannot be written either: the same."""
    world = half()
    world.cluster.faults.inject(Fault.REFUSE, times=10_000, matching=lambda write: bool(write.subresource))
    delete(world)
    until_gone(world, 120)
    assert left(world) == {}


def test_spec_that_cannot_be_read_goes_in_order_too() -> None:
    """The route is mended by what it says itself; the drain is the field's default."""
    world = half()

    def unreadable(body: dict[str, Any]) -> None:
        body["spec"]["strategy"]["steps"] = "5, 20, 50"

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, unreadable)
    world.settle()
    delete(world)
    begun = world.now
    seen = until_gone(world)
    assert seen["stable"] == begun
    assert (seen["unrouted"] - begun).total_seconds() >= 30
    assert left(world) == {}


def test_namespace_that_goes_blocks_nothing() -> None:
    """Children were deleted beside the object: nothing is to be put in order, and nothing is made again."""
    world = half()
    delete(world)
    for kind in (VIRTUAL_SERVICE, DEPLOYMENT, SERVICE):
        for body in world.cluster.all(kind):
            world.cluster.remove(kind, KEY[0], body["metadata"]["name"])
    world.leader.woken = True
    world.settle()
    assert gone(world)
    assert left(world) == {}


def test_foreground_is_the_garbage_collectors() -> None:
    """`--cascade=foreground`: it takes the children at once; our finalizer does not keep it from that."""
    world = half()

    def mark(body: dict[str, Any]) -> None:
        body["metadata"]["finalizers"].append("foregroundDeletion")

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, mark)
    delete(world)
    world.settle()
    assert finalizers(world) == ["foregroundDeletion"]


def test_other_finalizers_stay() -> None:
    """Ours comes and goes beside somebody else's; after it has gone nothing more is written."""
    world = half()

    def mark(body: dict[str, Any]) -> None:
        body["metadata"]["finalizers"].insert(0, "example.com/billing")

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, mark)
    delete(world)
    world.run(2 * DRAIN + 10)
    assert finalizers(world) == ["example.com/billing"]
    world.cluster.writes.clear()
    world.run(60)
    assert world.cluster.writes == []


def test_orphan_keeps_what_serves() -> None:
    """`deletionPolicy: Orphan` in mid-rollout: 100 % to stable; pods and Services stay, without owner."""
    world = half(deletionPolicy="Orphan")
    stable = world.status["stable"]["service"]
    delete(world)
    begun = world.now
    seen = until_gone(world)
    assert seen["stable"] == begun
    assert (seen["gone"] - begun).total_seconds() >= DRAIN
    assert left(world) == {
        "Deployment": [stable],
        "Service": sorted([KEY[1], stable]),
        "VirtualService": [KEY[1]],
    }
    assert owners(world) == []
    assert world.route == ALL
    assert world.replicas("1.0.0") == 4
    assert "Orphaned" in world.reasons()


def test_orphan_always_has_the_finalizer() -> None:
    """Also while nothing is split; it goes with the policy; an idle object with it goes at once."""
    world = serving(deletionPolicy="Orphan")
    assert finalizers(world) == [FINALIZER]
    world.deploy("1.0.0", deletionPolicy="Delete")
    world.settle()
    assert finalizers(world) == []
    world.deploy("1.0.0", deletionPolicy="Orphan")
    world.run(DRAIN + 1)
    delete(world)
    world.settle()
    assert gone(world)
    assert owners(world) == []
    assert world.route == ALL


def test_orphan_waits_for_a_broken_mesh() -> None:
    """What is to stay does not go because the route cannot be written: the object waits for it."""
    world = half(deletionPolicy="Orphan")
    world.cluster.faults.inject(
        Fault.REFUSE, times=10_000, matching=lambda write: write.kind == VIRTUAL_SERVICE
    )
    delete(world)
    world.run(300)
    assert not gone(world)
    assert world.condition("Ready")["reason"] == "RouteRefused"
    world.cluster.faults.waiting.clear()
    until_gone(world, 400)
    assert world.route == ALL


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_cascade_orphan_does_the_same(*, running: bool) -> None:
    """`--cascade=orphan` in mid-rollout, with the operator there or away: as the policy, without a fight."""
    world = half()
    stable = world.status["stable"]["service"]
    delete(world, orphan=True)
    assert owners(world) == []
    if not running:
        world.restart()
    world.leader.woken = True
    world.settle()
    assert world.route == ALL
    assert owners(world) == []
    until_gone(world)
    assert left(world)["Deployment"] == [stable]
    assert left(world)["Service"] == sorted([KEY[1], stable])
    assert world.route == ALL
    assert owners(world) == []


def test_what_was_left_is_taken_over_by_a_new_object() -> None:
    """Made again after an Orphan: the same pods and route serve, with the new owner, and nothing restarts."""
    world = half(deletionPolicy="Orphan")
    stable = world.status["stable"]["service"]
    delete(world)
    until_gone(world)
    before = world.cluster.get(DEPLOYMENT, KEY[0], stable)
    world.deploy("1.0.0")
    world.run(5)
    after = world.cluster.get(DEPLOYMENT, KEY[0], stable)
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert world.status["stable"]["version"] == "1.0.0"
    assert world.route == ALL
    uid = world.body["metadata"]["uid"]
    assert {item["uid"] for item in owners(world)} == {uid}


def test_refused_finalizer_is_told_and_does_not_stop_the_rollout() -> None:
    """An admission policy says no: the rollout goes on, a condition says so."""
    world = serving()

    def patches(write: Write) -> bool:
        return write.verb == "json_patch"

    world.cluster.faults.inject(Fault.REFUSE, times=10_000, matching=patches)
    world.deploy("1.1.0")
    world.run(5)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.condition("FinalizerWritten")["reason"] == "FinalizerRefused"
