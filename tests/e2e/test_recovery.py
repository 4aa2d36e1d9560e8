"""What is lost, replaced or missing: the operator finds its way back; nothing unjudged gets all traffic."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from e2e.driver import GROUP, NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devcluster import Cluster
    from e2e.driver import Driver
    from e2e.operatorprocess import OperatorProcess

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

ROUTER = "virtualservices.networking.istio.io"
STEPS = (40, 60)


def wipe_status(rollout: Driver) -> None:
    """Status is gone, as after a restore from a backup of specs alone."""
    body = rollout.body
    body["status"] = {}
    rollout.custom.replace_namespaced_custom_object_status(
        GROUP, "v1alpha1", rollout.namespace, "modeldeployments", NAME, body
    )


def rerecord(rollout: Driver, version: str, **changes: str) -> None:
    """A ModelVersion is deleted, and made again under its name."""
    path = (GROUP, "v1alpha1", rollout.namespace, "modelversions", f"{NAME}-{version}")
    rollout.custom.delete_namespaced_custom_object(*path)
    found = [yaml.safe_load(file.read_text()) for file in (rollout.models / "modelversions").glob("*.yaml")]
    body = next(item for item in found if item["spec"]["version"] == version)
    body["spec"] |= changes
    rollout.custom.create_namespaced_custom_object(*path[:-1], body)


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_x10_status_lost_in_mid_rollout(rollout: Driver, operator: OperatorProcess, *, running: bool) -> None:
    """Stable is adopted and the candidate starts at the first step, with the operator running or not."""
    rollout.deployment("1.0.0", hold="60s", weights=STEPS)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    before, plan = len(rollout.writes), rollout.status["plan"]["id"]
    if not running:
        operator.kill()
    wipe_status(rollout)
    if not running:
        operator.start()
    rollout.until(lambda: (rollout.status.get("plan") or {}).get("id", plan) != plan, 10, "a new plan")
    rollout.until(lambda: (rollout.status.get("candidate") or {}).get("step") == 1, 20, "the first step")
    assert rollout.serving == "1.0.0"
    rollout.until(lambda: rollout.share("1.1.0") == 40, 10, "1.1.0 has 40 % again")
    assert {write.weights.get("1.1.0", 0) for write in rollout.writes[before:]} <= {0, 40}


def test_status_lost_after_an_override_does_not_repeat_it(rollout: Driver) -> None:
    """A request that was carried out long ago is not carried out again on a candidate nobody judged."""
    rollout.deployment("1.0.0", hold="60s", weights=STEPS)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    annotations = {"modelramp.dev/request": "promote/now", "modelramp.dev/request-override": "true"}
    rollout.custom.patch_namespaced_custom_object(
        GROUP,
        "v1alpha1",
        rollout.namespace,
        "modeldeployments",
        NAME,
        {"metadata": {"annotations": annotations}},
    )
    rollout.until(lambda: rollout.serving == "1.1.0", 30, "promoted by override")
    rollout.until(lambda: not rollout.status.get("previous"), 20, "the bake has ended")
    rollout.version("2.0.0")
    rollout.until(lambda: rollout.share("2.0.0") == 40, 30, "2.0.0 has 40 %")
    wipe_status(rollout)
    rollout.until(lambda: (rollout.status.get("candidate") or {}).get("step") == 1, 20, "the first step")
    rollout.never(lambda: rollout.share("2.0.0") > 40, 3, "went on without proof")
    assert rollout.status["lastRequest"]["result"] == "Refused"
    assert "ask again with another id" in rollout.status["lastRequest"]["message"]


def test_replaced_object_keeps_its_rejection(rollout: Driver) -> None:
    """Replace=true strips spec.rollback and annotations: written again, and the version not tried again."""
    rollout.deployment("1.0.0", hold="60s", weights=STEPS)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    rollout.request("abort/1")
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "taken back")
    rollout.until(lambda: "rollback" in rollout.body["spec"], 5, "spec.rollback")
    body = rollout.body
    rejection = body["spec"].pop("rollback")
    for key in ("annotations", "managedFields", "resourceVersion"):
        body["metadata"].pop(key, None)
    before = len(rollout.writes)
    rollout.cluster.kubectl("replace", "-f", "-", stdin=json.dumps(body))
    rollout.until(lambda: rollout.body["spec"].get("rollback") == rejection, 5, "written again")
    rollout.never(lambda: rollout.share("1.1.0") > 0, 3, "tried again")
    assert len(rollout.writes) == before
    assert rollout.condition("RolledBack")["status"] == "True"


def test_version_made_again_with_another_record(rollout: Driver) -> None:
    """VersionReused: what serves keeps serving, the candidate stays; the old record back, it goes on."""
    rollout.deployment("1.0.0", hold="5s", weights=STEPS)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    rerecord(rollout, "1.1.0", changelog="Trained again.")
    rollout.until(lambda: rollout.condition("VersionResolved")["reason"] == "VersionReused", 5, "refused")
    said = rollout.condition("Ready")
    assert said["status"] == "False"
    assert f"ModelVersion {rollout.namespace}/{NAME}-1.1.0 is not the record" in said["message"]
    assert "publish it under a new version" in said["message"]
    assert rollout.condition("Stalled")["status"] == "True"
    rollout.never(lambda: rollout.weights != {"1.0.0": 60, "1.1.0": 40}, 6, "moved with a wrong record")
    rerecord(rollout, "1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 60, 20, "goes on with the old record")
    assert [answer for answer in rollout.answers() if answer.failed] == []


@pytest.fixture
def without_router(installed: Cluster, process: OperatorProcess) -> Iterator[str]:
    """No VirtualService CRD when the operator starts; gives the CRD, to be added. It is back at the end."""
    process.terminate()
    found = json.loads(installed.kubectl("get", "crd", ROUTER, "-o", "json"))
    found["metadata"] = {"name": ROUTER}
    found.pop("status", None)
    installed.kubectl("delete", "crd", ROUTER, "--timeout=30s")
    text = json.dumps(found)
    yield text
    installed.kubectl("apply", "-f", "-", stdin=text)


def test_router_that_comes_later(
    without_router: str, rollout: Driver, operator: OperatorProcess, installed: Cluster
) -> None:
    """No VirtualService CRD at the start: a condition says so; once it is there all goes on by itself."""
    rollout.deployment("1.0.0", weights=STEPS)
    rollout.until(lambda: rollout.condition("TrafficConfigured")["reason"] == "RouterMissing", 10, "said")
    assert "install Istio" in rollout.condition("TrafficConfigured")["message"]
    ready = rollout.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "RouterMissing")
    installed.kubectl("apply", "-f", "-", stdin=without_router)
    added = time.monotonic()
    rollout.until(lambda: rollout.condition("TrafficConfigured")["status"] == "True", 30, "routed")
    assert time.monotonic() - added < 20
    rollout.until(lambda: rollout.condition("Ready")["status"] == "True", 5, "ready")
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 10, "seen by a watch")
    # It ends when the kind is there, to be started again as Kubernetes would: only then is the kind watched.
    rollout.until(lambda: not operator.alive, 60, "the operator ended")
    assert "installed since the start" in operator.tail()
    operator.start()
    rollout.until(lambda: rollout.condition("Ready")["status"] == "True", 20, "works again")
    written = len(rollout.writes)
    installed.kubectl("delete", "virtualservice", "--all", "-n", rollout.namespace)
    rollout.until(lambda: len(rollout.writes) > written, 5, "put back, seen by the operator's own watch")
    # istiod lost the kind too, and looks for it at growing intervals.
    rollout.traffic(20, within=90)
