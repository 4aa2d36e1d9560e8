"""What a pod's status says, from the states of its containers. All pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not running, and why."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    """Running since."""

    since: dt.datetime


@dataclass(frozen=True, slots=True)
class Terminated:
    """Ended, and how."""

    exit_code: int
    reason: str
    started: dt.datetime
    finished: dt.datetime
    message: str = ""


@dataclass(slots=True)
class ContainerState:
    """All that is known of one container."""

    name: str
    image: str
    state: Waiting | Running | Terminated = field(default_factory=lambda: Waiting("ContainerCreating"))
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False
    process: str = ""

    def document(self) -> dict[str, Any]:
        """As an entry of containerStatuses."""
        result: dict[str, Any] = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image,
            "state": _state_document(self.state, self.process),
            "lastState": _state_document(self.last, self.process) if self.last else {},
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": self.started,
        }
        if self.process:
            result["containerID"] = self.process
        return result


def timestamp(moment: dt.datetime) -> str:
    """A time as Kubernetes writes it, in whole seconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _state_document(state: Waiting | Running | Terminated, process: str) -> dict[str, Any]:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        case Running(since):
            return {"running": {"startedAt": timestamp(since)}}
        case Terminated():
            detail: dict[str, Any] = {
                "exitCode": state.exit_code,
                "reason": state.reason,
                "startedAt": timestamp(state.started),
                "finishedAt": timestamp(state.finished),
            }
            if state.message:
                detail["message"] = state.message
            if process:
                detail["containerID"] = process
            return {"terminated": detail}


def initialized(init: Sequence[ContainerState]) -> bool:
    """Whether all init containers ended well."""
    return all(isinstance(c.state, Terminated) and c.state.exit_code == 0 for c in init)


def phase(init: Sequence[ContainerState], containers: Sequence[ContainerState]) -> str:
    """The pod's phase; a container that will be restarted is Waiting, so Terminated means for good."""
    if any(isinstance(c.state, Terminated) and c.state.exit_code != 0 for c in init):
        return "Failed"
    if not initialized(init):
        return "Pending"
    if all(isinstance(c.state, Terminated) for c in containers):
        good = all(isinstance(c.state, Terminated) and c.state.exit_code == 0 for c in containers)
        return "Succeeded" if good else "Failed"
    if any(isinstance(c.state, Waiting) and c.last is None for c in containers):
        return "Pending"
    return "Running"


def conditions(
    init: Sequence[ContainerState],
    containers: Sequence[ContainerState],
    *,
    gates: Sequence[str],
    known: Sequence[Mapping[str, Any]],
    networked: bool,
    now: dt.datetime,
) -> list[dict[str, Any]]:
    """The conditions that a kubelet owns.

    Args:
        init: init containers.
        containers: the others.
        gates: condition types that must be True as well before the pod is Ready.
        known: the conditions that the pod has now; an unchanged one keeps its transition time.
        networked: whether the pod has its namespace and address.
        now: time of a transition.
    """
    before = {condition["type"]: condition for condition in known}
    over = phase(init, containers) in {"Succeeded", "Failed"}
    lacking = [c.name for c in containers if not c.ready]
    closed = [gate for gate in gates if before.get(gate, {}).get("status") != "True"]
    unready = "PodCompleted" if over else "ContainersNotReady"
    message = f"containers with unready status: [{' '.join(lacking)}]" if lacking and not over else ""
    wanted = [
        ("PodReadyToStartContainers", networked, "", ""),
        ("Initialized", initialized(init), "ContainersNotInitialized", ""),
        ("ContainersReady", not lacking, unready, message),
        (
            "Ready",
            not lacking and not closed,
            unready if lacking else "ReadinessGatesNotReady",
            message if lacking else f"readiness gates not passed: {' '.join(closed)}",
        ),
    ]
    result = []
    for kind, holds, reason, text in wanted:
        value = "True" if holds else "False"
        old = before.get(kind, {})
        same = old.get("status") == value and "lastTransitionTime" in old
        result.append(
            {
                "type": kind,
                "status": value,
                "reason": None if holds or not reason else reason,
                "message": None if holds or not text else text,
                "lastTransitionTime": old["lastTransitionTime"] if same else timestamp(now),
            }
        )
    return result
