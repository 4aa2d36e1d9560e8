"""Deletion on the real control plane, with its garbage collector, under a client's steady requests."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client

from e2e.driver import GROUP, ISTIO, NAME
from modelramp.controller.ownership import FINALIZER
from modelramp.traffic import virtualservice
from modelramp.traffic.virtualservice import STEP_ANNOTATION

if TYPE_CHECKING:
    from e2e.driver import Driver
    from e2e.operatorprocess import OperatorProcess

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

ALL, HALF = {"1.0.0": 100}, {"1.0.0": 50, "1.1.0": 50}
# From a route's write to Envoy serving it.
PROPAGATION_SECONDS = 2.0


def half(rollout: Driver, **spec: Any) -> None:  # noqa: ANN401 - JSON
    """1.1.0 has 50 %, with 100 requests a second; `drain` is 3 s."""
    rollout.deployment("1.0.0", hold="120s", weights=(50,), **spec)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.weights == HALF, 40, "1.1.0 has 50 %")
    time.sleep(PROPAGATION_SECONDS)


def delete(rollout: Driver, cascade: str = "background") -> float:
    """`kubectl delete mdep`, not waited for; the Unix time at which it was asked for."""
    asked = time.time()
    rollout.cluster.kubectl(
        "delete", "mdep", NAME, "-n", rollout.namespace, f"--cascade={cascade}", "--wait=false"
    )
    return asked


def there(rollout: Driver) -> bool:
    """Whether the object is still there."""
    try:
        return bool(rollout.body)
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return False


def until(rollout: Driver, true: Any, seconds: float, what: str) -> float:  # noqa: ANN401 - a callable
    """As the driver's, for an object that may be gone."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return time.time()
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}; route {rollout.weights}, {there(rollout)}")


def children(rollout: Driver) -> dict[str, list[Any]]:
    """Owner references of what is there, by kind and name."""
    apps = rollout.apps.list_namespaced_deployment(rollout.namespace).items
    services = rollout.core.list_namespaced_service(rollout.namespace).items
    found = {f"Deployment {item.metadata.name}": item.metadata.owner_references or [] for item in apps}
    found |= {f"Service {item.metadata.name}": item.metadata.owner_references or [] for item in services}
    routes = rollout.custom.list_namespaced_custom_object(ISTIO, "v1", rollout.namespace, "virtualservices")
    return found | {
        f"VirtualService {item['metadata']['name']}": item["metadata"].get("ownerReferences") or []
        for item in routes["items"]
    }


def went_in_order(rollout: Driver, *, within: float) -> None:
    """Route to stable, drain, route away, drain, pods; no request failed but for want of a route."""
    until(rollout, lambda: rollout.weights == ALL, within, "all to stable")
    # By the route's own word: a watch may be late.
    mark = virtualservice.read_mark(rollout.route_body["metadata"]["annotations"][STEP_ANNOTATION])
    assert mark is not None
    back = mark.time.timestamp()
    assert rollout.replicas("1.1.0") > 0
    until(rollout, lambda: rollout.unrouted, 15, "the route is gone")
    assert rollout.unrouted is not None
    assert rollout.unrouted - back >= 2.9
    assert len(rollout.pods("1.0.0")) > 0
    gone = until(rollout, lambda: not there(rollout), 15, "the object is gone")
    assert gone - rollout.unrouted >= 1.9
    until(rollout, lambda: not children(rollout), 15, "what it owned is gone")
    time.sleep(1)
    # Envoy forgets the route some time between its deletion and the answers that show it.
    before = rollout.answers(before=rollout.unrouted - 0.1)
    assert len(before) > 100
    assert {answer.status for answer in before} == {HTTPStatus.OK}
    late = rollout.answers(since=rollout.unrouted - 0.1)
    assert {answer.status for answer in late} <= {HTTPStatus.OK, HTTPStatus.NOT_FOUND}
    assert late[-1].status == HTTPStatus.NOT_FOUND
    settled = rollout.answers(since=back + PROPAGATION_SECONDS, before=rollout.unrouted - 0.1)
    assert {answer.version for answer in settled} <= {"1.0.0"}


def test_mid_rollout_goes_in_order(rollout: Driver, operator: OperatorProcess) -> None:
    """At 50 %: all traffic to stable at once, then the rest; it is an event and a line in the log."""
    half(rollout)
    assert rollout.body["metadata"]["finalizers"] == [FINALIZER]
    asked = delete(rollout)
    went_in_order(rollout, within=3)
    assert rollout.writes[-1].at - asked < 2.0
    assert "Deleting" in rollout.reasons()
    lines = [line for line in operator.log.read_text().splitlines() if rollout.namespace in line]
    assert any("the object is being deleted in mid-rollout" in line for line in lines)


def test_operator_that_is_away_is_waited_for(rollout: Driver, operator: OperatorProcess) -> None:
    """Deleted while no operator runs: the object waits and all goes on serving, until one is back."""
    half(rollout)
    operator.kill()
    delete(rollout)
    rollout.never(lambda: not there(rollout) or rollout.weights != HALF, 4, "went without the operator")
    assert "deletionTimestamp" in rollout.body["metadata"]
    operator.start()
    went_in_order(rollout, within=10)


@pytest.mark.parametrize("how", ["policy", "cascade"])
def test_orphan_keeps_what_serves(rollout: Driver, how: str) -> None:
    """Orphan, by policy or by cascade: 100 % to stable without owner; no request fails; taken over again."""
    half(rollout, **({"deletionPolicy": "Orphan"} if how == "policy" else {}))
    pods, body, stable = rollout.pods("1.0.0"), rollout.body, rollout.status["stable"]["service"]
    delete(rollout, "background" if how == "policy" else "orphan")
    until(rollout, lambda: rollout.weights == ALL, 3, "all to stable")
    until(rollout, lambda: not there(rollout), 15, "the object is gone")
    kept: dict[str, list[Any]] = {
        f"Deployment {stable}": [],
        f"Service {stable}": [],
        f"Service {NAME}": [],
        f"VirtualService {NAME}": [],
    }
    until(rollout, lambda: children(rollout) == kept, 15, f"only {sorted(kept)} stay")
    until(rollout, lambda: not rollout.pods("1.1.0"), 15, "the candidate's pods are gone")
    time.sleep(3)
    assert rollout.pods("1.0.0") == pods
    assert children(rollout) == kept
    body["metadata"] = {"name": NAME, "namespace": rollout.namespace}
    body["spec"]["version"] = "1.0.0"
    body.pop("status")
    rollout.custom.create_namespaced_custom_object(
        GROUP, "v1alpha1", rollout.namespace, "modeldeployments", body
    )
    rollout.until(lambda: rollout.serving == "1.0.0", 15, "taken over")
    uid = rollout.body["metadata"]["uid"]
    until(
        rollout,
        lambda: all([ref for ref in refs if _uid(ref) == uid] for refs in children(rollout).values()),
        10,
        "everything has the new owner",
    )
    time.sleep(2)
    assert rollout.pods("1.0.0") == pods
    assert rollout.weights == ALL
    assert [answer for answer in rollout.answers() if answer.failed] == []


def _uid(reference: Any) -> str:  # noqa: ANN401 - of one library or the other
    return str(reference["uid"] if isinstance(reference, dict) else reference.uid)


def test_idle_object_goes_at_once(rollout: Driver) -> None:
    """Nothing is split: no finalizer, and it goes although no operator runs."""
    rollout.deployment("1.0.0")
    assert "finalizers" not in rollout.body["metadata"]
    delete(rollout)
    until(rollout, lambda: not there(rollout), 5, "the object is gone")
    until(rollout, lambda: not children(rollout), 15, "what it owned is gone")


def test_foreground_is_not_held_up(rollout: Driver) -> None:
    """`--cascade=foreground`, which Argo CD prunes with: the garbage collector's order, in seconds."""
    half(rollout)
    delete(rollout, "foreground")
    until(rollout, lambda: not there(rollout), 30, "the object is gone")
    assert children(rollout) == {}


def test_namespace_that_is_deleted_is_not_held_up(rollout: Driver) -> None:
    """The namespace goes in mid-rollout: our finalizer is off as soon as nothing serves any more."""
    half(rollout)
    rollout.core.delete_namespace(rollout.namespace)
    until(rollout, lambda: not there(rollout), 20, "the object is gone")
