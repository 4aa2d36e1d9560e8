"""What may go wrong around a rollout, and what must hold all the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modelramp.judgement.evidence import NoData
from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE
from support.faults import Fault, Write
from support.world import KEY, World


@pytest.fixture
def world() -> World:
    """A world in which 1.0.0 serves everything."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    return made


def _rejects(write: Write) -> bool:
    return write.manager == "modelramp-rollback"


def stepping(world: World, version: str = "1.1.0") -> World:
    """The version at 5 %, just begun."""
    world.deploy(version)
    world.run(2)
    assert world.route == {"1.0.0": 95, version: 5}
    return world


def test_a_step_is_judged_from_its_beginning(world: World) -> None:
    """Our own write wakes nobody, and still a failing candidate goes within seconds of its step."""
    stepping(world)
    world.meter.bad["1.1.0", "error-rate"] = 0.5
    world.run(20, until=lambda: world.route == {"1.0.0": 100})


def test_observed_generation_follows_our_own_edits_of_spec(world: World) -> None:
    """After a rejection was written, and after it was cleared, status speaks of the present generation."""
    stepping(world)
    world.meter.bad["1.1.0", "error-rate"] = 0.5
    world.run(20, until=lambda: "rollback" in world.body["spec"])
    assert world.status["observedGeneration"] == world.body["metadata"]["generation"]
    world.deploy("1.0.0")
    world.run(2)
    assert "rollback" not in world.body["spec"]
    assert world.status["observedGeneration"] == world.body["metadata"]["generation"]


def test_a_deleted_service_of_stable_comes_back(world: World) -> None:
    """In mid-rollout the Service of stable is made again, although its template is not at hand."""
    stepping(world)
    world.run(15)
    name = world.status["stable"]["service"]
    world.cluster.remove(SERVICE, KEY[0], name)
    world.run(1)
    assert world.cluster.get(SERVICE, KEY[0], name) is not None


def test_a_rejected_candidate_goes_whatever_is_wanted_by_now(world: World) -> None:
    """Killed after `spec.rollback` was written, then an unknown version is wanted: it still goes."""
    stepping(world)
    world.cluster.faults.inject(
        Fault.CRASH_AFTER, matching=lambda write: write.manager == "modelramp-rollback"
    )
    world.request("abort/1")
    world.settle()

    def unknown(body: dict[str, Any]) -> None:
        body["spec"]["version"] = "9.9.9"

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, unknown)
    world.run(2)
    assert world.route == {"1.0.0": 100}


def test_a_rejected_stable_goes_back_before_another_begins(world: World) -> None:
    """Killed after `spec.rollback` in the bake, and then another version is wanted: first the way back."""
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.cluster.faults.inject(
        Fault.CRASH_AFTER, matching=lambda write: write.manager == "modelramp-rollback"
    )
    world.weights.clear()
    world.request("abort/1")
    world.settle()
    world.deploy("1.2.0")
    world.run(5)
    assert all("1.1.0" not in weights for _, weights in world.weights)
    assert world.route == {"1.0.0": 95, "1.2.0": 5}


@pytest.mark.parametrize("lost", ["status", "status and apex", "status and apex, rejected"])
def test_lost_status_never_promotes_what_was_not_proved(world: World, lost: str) -> None:
    """What served is known from apex, rejection or route; the candidate begins at its first step."""
    stepping(world)
    world.run(3)
    if "rejected" in lost:
        world.request("abort/1")
        world.settle()
    world.weights.clear()
    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda body: body.pop("status"), subresource="status")
    if "apex" in lost:
        world.cluster.remove(SERVICE, *KEY)
    world.restart()
    world.run(10)
    assert all(weights.get("1.1.0", 0) <= 5 for _, weights in world.weights)
    assert world.status["stable"]["version"] == "1.0.0"


def test_lost_status_with_nothing_to_name_moves_nothing(world: World) -> None:
    """Status and the Deployment that served are gone: nothing unjudged takes its place, and it says so."""
    stepping(world)
    stable = world.status["stable"]["service"]
    world.cluster.remove(DEPLOYMENT, KEY[0], stable)
    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda body: body.pop("status"), subresource="status")
    world.restart()
    world.run(10)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.condition("Stalled")["status"] == "True"


def test_the_apex_keeps_the_port_of_what_it_selects(world: World) -> None:
    """A candidate on another port does not cut off callers of stable."""
    world.deploy("1.1.0", port=9090)
    world.run(5)
    apex = world.cluster.get(SERVICE, *KEY)
    assert apex is not None
    assert apex["spec"]["ports"][0] | {"name": ""} == {
        "name": "",
        "port": 8080,
        "targetPort": 8080,
        "protocol": "TCP",
    }


def test_a_bake_that_sees_nothing_is_not_called_good(world: World) -> None:
    """No data for the whole bake: it lasts twice as long, and its end does not speak of proof."""
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    world.meter.answer = NoData()
    world.run(130)
    assert "previous" in world.status
    world.run(130)
    assert "previous" not in world.status
    note = next(event["note"] for event in world.cluster.events if event["reason"] == "BakeEnded")
    assert "nothing was seen" in note


def test_a_bake_begins_with_the_route(world: World) -> None:
    """Promoted, but the route's writes are refused for longer than a bake: it lasts as long as ever after."""
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.0.0": 50, "1.1.0": 50})
    refusing = True
    world.cluster.faults.inject(
        Fault.REFUSE, times=10_000, matching=lambda write: refusing and write.kind == VIRTUAL_SERVICE
    )
    world.run(900, until=lambda: world.status["stable"]["version"] == "1.1.0")
    world.cluster.writes.clear()
    world.run(600)
    assert world.route == {"1.0.0": 50, "1.1.0": 50}
    assert "previous" in world.status
    assert world.replicas("1.0.0") > 0
    assert len([write for write in world.cluster.writes if write.kind == MODEL_DEPLOYMENT]) < 20
    refusing = False
    world.run(310, until=lambda: world.route == {"1.1.0": 100})
    world.run(115)
    assert "previous" in world.status
    world.run(10)
    assert "previous" not in world.status
    assert world.reasons().count("BakeEnded") == 1


def test_an_edited_mark_does_not_shorten_a_hold(world: World) -> None:
    """The step annotation is set back by an hour: the hold still lasts as long as it was decided."""
    stepping(world)

    def back(body: dict[str, Any]) -> None:
        scope = body["metadata"]["annotations"]["modelramp.dev/step"].rpartition("@")[0]
        body["metadata"]["annotations"]["modelramp.dev/step"] = f"{scope}@2025-01-01T00:00:00.000Z"

    world.cluster.edit(VIRTUAL_SERVICE, *KEY, back)
    world.run(50)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}


@pytest.mark.parametrize("kind", [VIRTUAL_SERVICE, DEPLOYMENT])
def test_refused_writes_are_asked_for_less_and_less(world: World, kind: object) -> None:
    """A policy that says no gets few requests, and status is not written for each of them."""

    def concerned(write: Write) -> bool:
        return write.kind == kind and write.manager != "modelramp-scale"

    world.cluster.faults.inject(Fault.REFUSE, times=10_000, matching=concerned)
    world.deploy("1.1.0")
    world.cluster.writes.clear()
    world.run(120)
    asked = [write for write in world.cluster.writes if write.kind == kind]
    told = [write for write in world.cluster.writes if write.kind == MODEL_DEPLOYMENT]
    assert 3 <= len(asked) <= 12
    assert len(told) <= 8
    assert world.route == {"1.0.0": 100}


def test_a_refusal_that_concerns_nobody_any_more_is_forgotten(world: World) -> None:
    """The refused revision is not wanted any more: the operator comes to rest."""
    world.cluster.faults.inject(Fault.REFUSE, times=10_000, matching=lambda write: write.kind == DEPLOYMENT)
    world.deploy("1.1.0")
    world.run(5)
    world.deploy("1.0.0")
    world.run(5)
    world.cluster.writes.clear()
    world.run(60)
    assert world.cluster.writes == []
    assert world.condition("Ready")["status"] == "True"


def test_a_name_that_is_taken_is_told_and_left_alone() -> None:
    """A Service by the ModelDeployment's name is somebody else's: neither it nor its traffic is taken."""
    world = World()
    port = {"name": "web", "port": 8080, "targetPort": 80, "protocol": "TCP"}
    spec = {"selector": {"app": "theirs"}, "ports": [port]}
    theirs = {"metadata": {"namespace": KEY[0], "name": KEY[1]}, "spec": spec}
    world.cluster.place(SERVICE, theirs)
    world.deploy("1.0.0")
    world.run(60)
    service = world.cluster.get(SERVICE, *KEY)
    assert service is not None
    assert service["spec"]["selector"] == {"app": "theirs"}
    assert world.cluster.get(VIRTUAL_SERVICE, *KEY) is None
    assert world.condition("Ready")["status"] == "False"
    assert len(world.cluster.writes) < 30


@pytest.mark.parametrize("request_text", ["x" * 200 + "/1", "abort/" + "y" * 400])
def test_a_long_request_is_answered_once(world: World, request_text: str) -> None:
    """What status has no room for is cut, and a rollback that is on its way goes on."""
    stepping(world)
    world.request(request_text)
    world.run(3)
    world.cluster.writes.clear()
    world.run(3)
    assert world.status["lastRequest"]["result"] in {"Refused", "Done"}
    assert [write for write in world.cluster.writes if write.subresource == "status"] == []


@pytest.mark.parametrize("containers", [None, [], [{"image": "x"}], ["x"]])
def test_a_template_that_cannot_be_read_is_named(world: World, containers: object) -> None:
    """The path of what is wrong in the template is told; what serves keeps serving."""
    world.deploy("1.1.0", workload={"template": {"spec": {"containers": containers}}})
    world.run(2)
    assert world.route == {"1.0.0": 100}
    assert "spec.workload.template.spec.containers" in world.condition("VersionResolved")["message"]


def test_a_route_that_lost_its_owner_gets_it_back(world: World) -> None:
    """Our route without its owner reference is still ours."""
    world.cluster.edit(VIRTUAL_SERVICE, *KEY, lambda body: body["metadata"].pop("ownerReferences"))
    world.run(2)
    route = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    assert route is not None
    assert route["metadata"]["ownerReferences"][0]["kind"] == "ModelDeployment"


def test_a_host_of_another_route_is_not_taken(world: World) -> None:
    """A host that another VirtualService has is left out of ours, told, and nothing moves forward."""
    theirs = {
        "metadata": {"namespace": "other", "name": "legacy"},
        "spec": {"hosts": ["b.example.com"], "gateways": ["istio-ingress/main"]},
    }
    world.cluster.place(VIRTUAL_SERVICE, theirs)
    istio = {"hosts": ["fraud.example.com", "b.example.com"], "gateways": ["istio-ingress/main"]}
    world.deploy("1.1.0", traffic={"istio": istio})
    world.run(5)
    route = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    assert route is not None
    assert "b.example.com" not in route["spec"]["hosts"]
    assert "fraud.example.com" in route["spec"]["hosts"]
    assert "other/legacy" in world.condition("Ready")["message"]
    assert world.route == {"1.0.0": 100}


def test_flaky_data_is_not_written_with_each_look(world: World) -> None:
    """Every other look has no data: status does not follow."""
    stepping(world)
    world.run(15)
    world.cluster.writes.clear()
    for number in range(20):
        world.meter.answer = NoData() if number % 2 else None
        world.run(1)
    assert len(world.cluster.writes) <= 2


def test_no_room_is_no_fault_and_no_busy_loop(world: World) -> None:
    """Pending for lack of room beyond the deadline: Waiting, few passes, and not rejected."""
    world.ready["1.1.0"] = False
    world.deploy("1.1.0")
    world.run(2)
    passes = len(world.plans)
    world.run(400)
    assert len(world.plans) - passes < 50
    assert world.route == {"1.0.0": 100}
    assert world.now - timedelta(seconds=400) > world.plans[0][0].now


def test_a_spec_that_cannot_be_read_does_not_keep_a_rejected_candidate(world: World) -> None:
    """Another release's schema made the spec unreadable in mid-rollout: a failing candidate still goes."""
    stepping(world)
    hosts = world.cluster.get(VIRTUAL_SERVICE, *KEY)

    def unreadable(body: dict[str, Any]) -> None:
        body["spec"]["strategy"]["steps"] = "5, 20, 50"

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, unreadable)
    world.run(2)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    world.meter.bad["1.1.0", "error-rate"] = 0.5
    world.run(20, until=lambda: world.route == {"1.0.0": 100})
    after = world.cluster.get(VIRTUAL_SERVICE, *KEY)
    assert hosts is not None
    assert after is not None
    assert [after["spec"][key] for key in ("hosts", "gateways")] == [
        hosts["spec"][key] for key in ("hosts", "gateways")
    ]


def test_a_watch_that_lags_does_not_hold_up_a_rollback(world: World) -> None:
    """Somebody annotates the object and its watch stands still: what is refused is read, and goes on."""
    world.deploy("1.1.0")
    world.run(5)
    world.leader.lag(frozenset({MODEL_DEPLOYMENT}))
    world.cluster.edit(
        MODEL_DEPLOYMENT, *KEY, lambda body: body["metadata"].setdefault("annotations", {}).update(a="b")
    )
    world.meter.bad["1.1.0", "error-rate"] = 1.0
    world.run(10, until=lambda: world.route == {"1.0.0": 100})


def test_what_status_says_is_told_although_the_route_is_late(world: World) -> None:
    """The write after status gets no answer: the step that was entered is told all the same, once."""
    world.deploy("1.1.0")
    world.cluster.events.clear()
    world.cluster.faults.inject(
        Fault.UNAVAILABLE, times=2, matching=lambda write: write.kind == VIRTUAL_SERVICE
    )
    world.run(10)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.reasons().count("StepEntered") == 1
