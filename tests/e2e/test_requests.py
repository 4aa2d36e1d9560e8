"""What people ask for on a real cluster: each request is answered once, and costs no user an answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from e2e.driver import GROUP, ISTIO, NAME

if TYPE_CHECKING:
    from e2e.driver import Driver

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

STEPS = (40, 60)
FIRST = {"1.0.0": 60, "1.1.0": 40}
NOTES = ("request-reason", "request-to", "request-override")


def ask(rollout: Driver, request: str, **notes: str) -> dict[str, str]:
    """Makes a request as kubectl does, waits for the answer, and gives it."""
    given = {f"modelramp.dev/{name}": notes.get(name.removeprefix("request-")) for name in NOTES}
    sets = [f"{name}={value}" for name, value in given.items() if value is not None]
    unsets = [f"{name}-" for name, value in given.items() if value is None]
    rollout.cluster.kubectl(
        *("annotate", "mdep", NAME, "-n", rollout.namespace, "--overwrite"),
        *(*sets, *unsets, f"modelramp.dev/request={request}"),
    )
    identifier = request.partition("/")[2]
    rollout.until(lambda: (rollout.status.get("lastRequest") or {}).get("id") == identifier, 20, request)
    answer: dict[str, str] = rollout.status["lastRequest"]
    return answer


def begin(rollout: Driver, version: str) -> None:
    """That version has its first weight."""
    rollout.version(version)
    rollout.until(lambda: rollout.share(version) == 40, 30, f"{version} has 40 %")


def ship(rollout: Driver, version: str) -> None:
    """That version is promoted at once, on a person's word, and its bake is over."""
    begin(rollout, version)
    assert ask(rollout, f"promote/{version}", override="true")["result"] == "Done"
    rollout.until(lambda: rollout.weights == {version: 100}, 10, f"{version} serves")
    rollout.until(lambda: not rollout.status.get("previous"), 30, "the bake is over")


def test_x05_pause_and_resume(rollout: Driver) -> None:
    """Proved and held long enough, a paused candidate stays; resumed, it goes on once its pods are there."""
    rollout.deployment("1.0.0", hold="3s", weights=STEPS)
    rollout.traffic(100)
    begin(rollout, "1.1.0")
    assert ask(rollout, "pause/1", reason="lunch")["result"] == "Done"
    paused = rollout.condition("Paused")
    assert paused["status"] == "True"
    assert "lunch" in paused["message"]
    rollout.until(lambda: rollout.condition("AnalysisPassed")["status"] == "True", 30, "proved")
    rollout.never(lambda: rollout.weights != FIRST, 4, "moved while paused")
    assert ask(rollout, "resume/2")["result"] == "Done"
    rollout.until(lambda: rollout.share("1.1.0") == 60, 20, "60 %")
    assert "Resumed" in rollout.reasons()


def test_promote_and_skip_step_need_proof_or_an_override(rollout: Driver) -> None:
    """Without a request there is no proof: refused with the way out; by override both go, and say so."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    begin(rollout, "1.1.0")
    for action in ("promote", "skip-step"):
        answer = ask(rollout, f"{action}/no-{action}")
        assert answer["result"] == "Refused"
        assert "this step is not proved" in answer["message"]
        assert "modelramp.dev/request-override" in answer["message"]
    assert rollout.weights == FIRST
    answer = ask(rollout, "skip-step/yes", override="true")
    assert answer["result"] == "Done"
    assert "without proof, by override" in answer["message"]
    # Status, with the answer, is written just before the route.
    rollout.until(lambda: rollout.share("1.1.0") == 60, 2, "60 %")
    assert ask(rollout, "promote/now", override="true")["result"] == "Done"
    rollout.until(lambda: rollout.weights == {"1.1.0": 100}, 5, "all to 1.1.0")


def test_promote_with_proof_does_not_wait_for_the_hold(rollout: Driver) -> None:
    """Once every check is proved, a person may go on; no request of a user is lost."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    rollout.traffic(100)
    begin(rollout, "1.1.0")
    rollout.until(lambda: rollout.condition("AnalysisPassed")["status"] == "True", 30, "proved")
    answer = ask(rollout, "promote/1")
    assert answer["result"] == "Done"
    assert "override" not in answer["message"]
    rollout.until(lambda: rollout.weights == {"1.1.0": 100}, 5, "all to 1.1.0")
    time.sleep(1)
    assert [answer for answer in rollout.answers() if answer.failed] == []


def test_rollback_by_a_person(rollout: Driver) -> None:
    """It needs a reason, and a target that completed here; that then serves, the rejected one stays away."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    ship(rollout, "1.1.0")
    ship(rollout, "2.0.0")
    without = ask(rollout, "rollback/1", to="1.0.0")
    assert (without["result"], rollout.serving) == ("Refused", "2.0.0")
    assert "set the annotation modelramp.dev/request-reason" in without["message"]
    unknown = ask(rollout, "rollback/2", to="7.0.0", reason="bad scores")
    assert unknown["result"] == "Refused"
    assert "no revision that is 7.0.0 that completed here" in unknown["message"]
    assert ask(rollout, "rollback/3", to="1.0.0", reason="bad scores")["result"] == "Done"
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 30, "1.0.0 serves")
    rejection = rollout.body["spec"]["rollback"]
    assert rejection["reason"] == "Requested"
    assert "bad scores" in rejection["message"]
    assert rejection["toRevision"].startswith("1.0.0-")
    rollout.never(lambda: rollout.weights != {"1.0.0": 100}, 3, "tried again")


def test_r10_going_back_is_one_switch(rollout: Driver) -> None:
    """An earlier completed version wanted again: its pods first, then one switch, without a lost request."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    ship(rollout, "1.1.0")
    rollout.until(lambda: rollout.replicas("1.0.0") == 0, 20, "1.0.0 is let go")
    rollout.traffic(100)
    before = len(rollout.writes)
    rollout.version("1.0.0")
    rollout.until(lambda: rollout.serving == "1.0.0", 30, "1.0.0 serves")
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to 1.0.0")
    time.sleep(2)
    seen = [write.weights for write in rollout.writes[before:]]
    assert [weights for weights in seen if weights != {"1.1.0": 100}] == [{"1.0.0": 100}] * len(
        [weights for weights in seen if weights != {"1.1.0": 100}]
    )
    answers = rollout.answers()
    assert len(answers) > 200
    assert [answer for answer in answers if answer.failed] == []
    assert "rollback" not in rollout.body["spec"]


def test_spec_paused(rollout: Driver) -> None:
    """`spec.paused` keeps a rollout from beginning, and its steps from being taken; false lets it go on."""
    rollout.deployment("1.0.0", hold="2s", weights=STEPS)
    rollout.traffic(100)
    rollout.patch({"paused": True, "version": "1.1.0"})
    rollout.until(lambda: rollout.condition("Paused")["status"] == "True", 5, "paused")
    assert "does not begin: spec.paused is true" in rollout.condition("Paused")["message"]
    rollout.patch({"paused": False})
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    rollout.patch({"paused": True})
    rollout.until(lambda: rollout.condition("AnalysisPassed")["status"] == "True", 30, "proved")
    rollout.never(lambda: rollout.weights != FIRST, 3, "moved while paused")
    rollout.patch({"paused": False})
    rollout.until(lambda: rollout.share("1.1.0") == 60, 10, "goes on")


def test_scale_subresource(rollout: Driver) -> None:
    """`kubectl scale` works, and the selector finds the pods of every revision that has traffic."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    begin(rollout, "1.1.0")
    path = f"/apis/modelramp.dev/v1alpha1/namespaces/{rollout.namespace}/modeldeployments/{NAME}/scale"
    rollout.cluster.kubectl("scale", "mdep", NAME, "-n", rollout.namespace, "--replicas=3")
    rollout.until(lambda: rollout.replicas("1.0.0") == 3, 10, "three pods of stable")

    def scale() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(rollout.cluster.kubectl("get", "--raw", path))
        return found

    assert scale()["spec"]["replicas"] == 3
    total = rollout.replicas("1.0.0") + rollout.replicas("1.1.0")
    rollout.until(lambda: scale()["status"]["replicas"] == total, 10, "all pods are counted")
    rollout.until(lambda: len(rollout.pods("1.0.0")) == 3, 10, "three pods")
    found = rollout.core.list_namespaced_pod(
        rollout.namespace, label_selector=scale()["status"]["selector"]
    ).items
    expected = rollout.pods("1.0.0").keys() | rollout.pods("1.1.0").keys()
    assert {pod.metadata.uid for pod in found} == expected


def test_a_horizontal_pod_autoscaler_scales_it(rollout: Driver) -> None:
    """The controller manager's own autoscaler reads and writes the scale: its least number becomes ours."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": NAME, "namespace": rollout.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": f"{GROUP}/v1alpha1", "kind": "ModelDeployment", "name": NAME},
            "minReplicas": 3,
            "maxReplicas": 4,
        },
    }
    rollout.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    # It looks every 15 s.
    rollout.until(lambda: rollout.replicas("1.0.0") == 3, 40, "three pods")
    rollout.until(lambda: len(rollout.pods("1.0.0")) == 3, 10, "three pods run")
    found = json.loads(rollout.cluster.kubectl("get", "hpa", NAME, "-n", rollout.namespace, "-o", "json"))
    able = next(item for item in found["status"]["conditions"] if item["type"] == "AbleToScale")
    assert able["status"] == "True"
    assert found["status"]["desiredReplicas"] == 3


def test_x07_host_that_is_taken(rollout: Driver) -> None:
    """Another VirtualService has our host: it is named and left as it is; once it is gone, all goes on."""
    body = {
        "apiVersion": f"{ISTIO}/v1",
        "kind": "VirtualService",
        "metadata": {"name": "legacy", "namespace": "default"},
        "spec": {
            "hosts": [rollout.host],
            "gateways": ["istio-ingress/main"],
            "http": [{"route": [{"destination": {"host": "legacy.default.svc.cluster.local"}}]}],
        },
    }
    rollout.deployment("1.0.0", hold="10m", weights=STEPS)
    path = (ISTIO, "v1", "default", "virtualservices")
    made = rollout.custom.create_namespaced_custom_object(*path, body)
    try:
        rollout.until(lambda: rollout.condition("TrafficConfigured")["status"] == "False", 20, "said")
        rollout.version("1.1.0")
        rollout.until(lambda: rollout.condition("Stalled")["reason"] == "HostConflict", 20, "stalled")
        said = rollout.condition("TrafficConfigured")["message"]
        assert f"host {rollout.host} is already routed by VirtualService default/legacy" in said
        assert "choose another host" in said
        rollout.never(lambda: rollout.share("1.1.0") > 0, 3, "moved on a host that is not ours alone")
        found = rollout.custom.get_namespaced_custom_object(*path, "legacy")
        assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    finally:
        rollout.custom.delete_namespaced_custom_object(*path, "legacy")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "goes on")


def test_revision_history_limit(rollout: Driver) -> None:
    """So many Deployments are kept at 0; older ones go, with their Services."""
    rollout.deployment("1.0.0", hold="10m", weights=STEPS, revisionHistoryLimit=1)
    ship(rollout, "1.1.0")
    rollout.until(lambda: rollout.replicas("1.0.0") == 0, 20, "1.0.0 is let go")
    ship(rollout, "2.0.0")

    def kept(kind: str) -> set[str]:
        label = "metadata.labels.modelramp\\.dev/version"
        text = rollout.cluster.kubectl(
            *("get", kind, "-n", rollout.namespace, "-l", "modelramp.dev/revision"),
            *("-o", f"jsonpath={{.items[*].{label}}}"),
        )
        return set(text.split())

    rollout.until(lambda: kept("deployments") == {"1.1.0", "2.0.0"}, 30, "1.0.0 is deleted")
    rollout.until(lambda: kept("services") == {"1.1.0", "2.0.0"}, 10, "and its Service")
    rollout.until(lambda: rollout.replicas("1.1.0") == 0, 20, "1.1.0 is kept at 0")
