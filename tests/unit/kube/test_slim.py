"""What is kept of an object is all that a revision's state is read from; the rest wakes nobody."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from modelramp.controller.pods import workload_state
from modelramp.controller.store import Store
from modelramp.kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, POD, WATCHED, Kind
from modelramp.kube.slim import slim

FRAUD = ("ml", "fraud")
OWN = {
    "modelramp.dev/deployment": "fraud",
    "modelramp.dev/revision": "1.0.0-abcdef12",
    "modelramp.dev/version": "1.0.0",
}
SINCE = "2026-01-01T12:00:00Z"


def thing(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """An object of ours as the API server sends it."""
    metadata = {
        "name": name,
        "namespace": "ml",
        "uid": f"uid-{name}",
        "resourceVersion": "1",
        "creationTimestamp": SINCE,
        "labels": {**OWN, "kubernetes.io/service-name": "fraud-1-0-0-abcdef12"},
        "annotations": {"modelramp.dev/port": "8080", "modelramp.dev/digest": "v1:0"},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
    }
    return {"metadata": metadata, **more}


def condition(kind: str, status: str, **more: str) -> dict[str, str]:
    """A condition of a status."""
    return {"type": kind, "status": status, "lastTransitionTime": SINCE, **more}


OBJECTS: dict[Kind, dict[str, Any]] = {
    DEPLOYMENT: thing(
        "fraud-1-0-0-abcdef12",
        spec={"replicas": 3, "template": {"spec": {"containers": [{"name": "model"}]}}},
        status={
            "replicas": 3,
            "updatedReplicas": 2,
            "conditions": [condition("Progressing", "True"), condition("Available", "False")],
        },
    ),
    POD: thing(
        "pod",
        spec={"containers": [{"name": "model"}]},
        status={
            "phase": "Running",
            "conditions": [condition("Ready", "False"), condition("PodScheduled", "True")],
            "containerStatuses": [
                {
                    "name": "model",
                    "ready": False,
                    "image": "model:1",
                    "restartCount": 4,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    "lastState": {"terminated": {"exitCode": 3, "finishedAt": SINCE}},
                }
            ],
        },
    ),
    ENDPOINT_SLICE: thing(
        "slice", endpoints=[{"addresses": ["10.0.0.1"], "conditions": {"ready": True, "serving": True}}]
    ),
}


def state(objects: dict[Kind, dict[str, Any]]) -> object:
    """What is read from a revision's Deployment, slice and pod."""
    return workload_state(objects[DEPLOYMENT], [objects[ENDPOINT_SLICE]], [objects[POD]])


def test_the_state_of_a_revision_is_read_from_what_is_kept() -> None:
    """The slim objects say the same as the whole ones: replicas, readiness, the pod's own trouble."""
    kept = {kind: slim(kind, body) for kind, body in OBJECTS.items()}
    assert state(kept) == state(OBJECTS)
    assert "template" not in kept[DEPLOYMENT]["spec"]
    assert "spec" not in kept[POD]


def changed(kind: Kind, *path: Any, value: object) -> dict[str, Any]:  # noqa: ANN401 - keys and positions
    """The object a version later, with one value changed."""
    body = deepcopy(OBJECTS[kind])
    body["metadata"]["resourceVersion"] = "2"
    at: Any = body
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return body


@pytest.mark.parametrize(
    ("kind", "path", "value", "wakes"),
    [
        (DEPLOYMENT, ("status", "updatedReplicas"), 3, False),
        (DEPLOYMENT, ("status", "conditions", 0, "status"), "False", False),
        (DEPLOYMENT, ("status", "conditions", 1, "status"), "True", True),
        (DEPLOYMENT, ("spec", "replicas"), 5, True),
        (POD, ("status", "conditions", 0, "status"), "True", False),
        (POD, ("status", "containerStatuses", 0, "restartCount"), 5, False),
        (POD, ("status", "containerStatuses", 0, "lastState", "terminated", "exitCode"), 137, True),
        (POD, ("status", "containerStatuses", 0, "ready"), True, True),
        (ENDPOINT_SLICE, ("endpoints", 0, "addresses"), ["10.0.0.2"], False),
        (ENDPOINT_SLICE, ("endpoints", 0, "conditions", "ready"), False, True),
        (ENDPOINT_SLICE, ("metadata", "ownerReferences"), [{"kind": "Service", "name": "x"}], True),
    ],
)
def test_only_what_says_something_wakes(
    kind: Kind, path: tuple[Any, ...], value: object, *, wakes: bool
) -> None:
    """A change of what is read wakes the owner; any other is taken in and wakes nobody."""
    store = Store(WATCHED)
    store.put(kind, OBJECTS[kind])
    new = changed(kind, *path, value=value)
    assert store.put(kind, new) == ({FRAUD} if wakes else set())
    found = store.get(kind, "ml", new["metadata"]["name"])
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "2"
