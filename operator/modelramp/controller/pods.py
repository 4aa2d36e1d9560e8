"""What a revision's Deployment, EndpointSlices and pods say: counts, and the pods' own reasons.

Texts are made so that they change with the cause, not with each restart: each change is a write of status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.api.base import parse_time
from modelramp.rollout.facts import WorkloadState
from modelramp.rollout.revision import Revision
from modelramp.workloads import labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from modelramp.controller.snapshot import Body

SERVICE_NAME = "kubernetes.io/service-name"
# Reasons of a waiting container that are no progress.
TROUBLES = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "InvalidImageName",
        "RunContainerError",
        "StartError",
    }
)
# The kubelet goes from one to the other and back; the cause is one.
NO_IMAGE = {"ErrImagePull": "ImagePullBackOff", "ImagePullBackOff": "ImagePullBackOff"}


def workload_state(deployment: Body, slices: Sequence[Body], pods: Sequence[Body]) -> WorkloadState | None:
    """The state of one revision; None for a Deployment that is no revision of ours."""
    metadata = deployment["metadata"]
    own, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    name, version, port = own.get(labels.REVISION), own.get(labels.VERSION), notes.get(labels.PORT, "")
    if not name or not version or not port.isdigit():
        return None
    service = metadata["name"]
    endpoints = [item for item in slices if _label(item, SERVICE_NAME) == service]
    mine = [pod for pod in pods if _label(pod, labels.REVISION) == name]
    conditions = {item["type"]: item for item in (deployment.get("status") or {}).get("conditions") or []}
    return WorkloadState(
        revision=Revision(
            name=name, version=version, digest=notes.get(labels.DIGEST, ""), service=service, port=int(port)
        ),
        desired=(deployment.get("spec") or {}).get("replicas", 1),
        has_service=bool(endpoints),
        ready=sum(_ready_endpoints(item) for item in endpoints),
        trouble=next(filter(None, map(_trouble, mine)), None),
        unschedulable=next(filter(None, map(_unschedulable, mine)), None),
        scheduled=max(filter(None, map(_scheduled, mine)), default=None),
        unready_since=_unready_since(conditions.get("Available"), metadata),
        created=parse_time(metadata["creationTimestamp"]),
    )


def _label(body: Body, name: str) -> str | None:
    found: str | None = (body["metadata"].get("labels") or {}).get(name)
    return found


def _ready_endpoints(item: Body) -> int:
    # A condition that is absent counts as ready: that is the API's own default.
    states = ((endpoint.get("conditions") or {}) for endpoint in item.get("endpoints") or [])
    return sum(1 for state in states if state.get("ready", True) is not False)


def _unready_since(available: dict[str, Any] | None, metadata: dict[str, Any]) -> datetime | None:
    if available is None:
        return parse_time(metadata["creationTimestamp"])
    return None if available.get("status") == "True" else parse_time(available["lastTransitionTime"])


def _containers(pod: Body) -> Iterable[dict[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def _trouble(pod: Body) -> str | None:
    for container in _containers(pod):
        if container.get("ready"):
            continue
        name = f"container {container['name']}"
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason")
        if reason in NO_IMAGE:
            return f"{name}: {NO_IMAGE[reason]}: image {container.get('image', '')}"[:512]
        last = (container.get("lastState") or {}).get("terminated") or {}
        if last.get("exitCode"):
            # Also while it runs once more: the cause is the same until it is ready.
            return f"{name}: CrashLoopBackOff, exit code {last['exitCode']}"
        if reason in TROUBLES:
            return f"{name}: {reason}: {waiting.get('message', '')}".rstrip(": ")[:512]
    return None


def _scheduled(pod: Body) -> datetime | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True":
            return parse_time(condition["lastTransitionTime"])
    return None


def _unschedulable(pod: Body) -> str | None:
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return str(condition.get("message") or condition.get("reason") or "no node has room")[:512]
    return None
