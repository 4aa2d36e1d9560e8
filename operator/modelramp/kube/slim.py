"""What of an object is worth keeping in memory, and worth a look when it changes.

The cache is what an operator's memory is spent on, and most changes of pods and Deployments (counts of
replicas, conditions that nobody reads) say nothing to a rollout.
"""

from __future__ import annotations

from typing import Any

from modelramp.kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, MODEL_DEPLOYMENT, POD, VIRTUAL_SERVICE, Kind
from modelramp.traffic.virtualservice import STEP_ANNOTATION
from modelramp.workloads import labels

_WHO = ("manager", "operation", "subresource", "time")
_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The part of an object that is kept; `body` itself is not changed.

    `managedFields` are cut to who wrote when (the fields themselves are most of an object's bytes), and
    kubectl's copy of the whole object goes. Of Deployments, pods and EndpointSlices only what a revision's
    state is read from stays, of a VirtualService that is not ours metadata, hosts and gateways.
    """
    metadata = {**body["metadata"]}
    annotations = metadata.get("annotations")
    if annotations and _LAST_APPLIED in annotations:
        metadata["annotations"] = {
            name: value for name, value in annotations.items() if name != _LAST_APPLIED
        }
    head = {"apiVersion": kind.api_version, "kind": kind.kind}
    rest = _rest(kind, body, metadata)
    if rest is not None:
        return {**head, "metadata": _picked(metadata, *_METADATA), **rest}
    managed = metadata.get("managedFields")
    if managed:
        metadata["managedFields"] = [_picked(entry, *_WHO) for entry in managed]
    return {**head, **body, "metadata": metadata}


def is_same(kind: Kind, known: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two slim states of an object say the same; only asked of kinds of which little is kept."""
    if kind not in (DEPLOYMENT, POD, ENDPOINT_SLICE):
        return False
    before, now = known["metadata"], new["metadata"]
    return {**known, "metadata": {**before, "resourceVersion": ""}} == {
        **new,
        "metadata": {**now, "resourceVersion": ""},
    }


def _rest(kind: Kind, body: dict[str, Any], metadata: dict[str, Any]) -> dict[str, Any] | None:
    """What stays beside the metadata; None: everything."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    if kind == DEPLOYMENT:
        return {
            "spec": _picked(spec, "replicas"),
            "status": {"conditions": _conditions(status, "Available", "lastTransitionTime")},
        }
    if kind == POD:
        return {
            "status": {
                "conditions": _conditions(status, "PodScheduled", "lastTransitionTime", "reason", "message"),
                **{
                    group: [_container(item) for item in status[group]]
                    for group in ("initContainerStatuses", "containerStatuses")
                    if status.get(group)
                },
            }
        }
    if kind == ENDPOINT_SLICE:
        return {"endpoints": [_picked(item, "conditions") for item in body.get("endpoints") or []]}
    if kind == VIRTUAL_SERVICE and not _may_be_ours(metadata):
        return {"spec": _picked(spec, "hosts", "gateways")}
    return None


def _may_be_ours(metadata: dict[str, Any]) -> bool:
    """Whether anything marks a route as ours: a label alone is taken off too easily."""
    owners = metadata.get("ownerReferences") or []
    return (
        labels.DEPLOYMENT in (metadata.get("labels") or {})
        or STEP_ANNOTATION in (metadata.get("annotations") or {})
        or any(owner.get("kind") == MODEL_DEPLOYMENT.kind for owner in owners)
    )


def _conditions(status: dict[str, Any], kind: str, *fields: str) -> list[dict[str, Any]]:
    """The one condition that is read."""
    return [
        _picked(item, "type", "status", *fields)
        for item in status.get("conditions") or []
        if item.get("type") == kind
    ]


def _container(status: dict[str, Any]) -> dict[str, Any]:
    kept = _picked(status, "name", "ready", "image")
    waiting = (status.get("state") or {}).get("waiting")
    if waiting:
        kept["state"] = {"waiting": _picked(waiting, "reason", "message")}
    ended = (status.get("lastState") or {}).get("terminated")
    if ended:
        kept["lastState"] = {"terminated": _picked(ended, "exitCode")}
    return kept


def _picked(item: dict[str, Any], *fields: str) -> dict[str, Any]:
    return {name: item[name] for name in fields if name in item}
