"""Whose word weights are: what the ModelDeployment, as it is at that moment, says of the traffic.

A write of a process that has not seen the last word is one that nothing stands behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT
from support.manifests import KEY

if TYPE_CHECKING:
    from property.simulation import Simulation


def service_of(revision: str) -> str:
    """The Service of a revision, by its name."""
    return f"{KEY[1]}-{revision.replace('.', '-')}"


def told(status: dict[str, Any]) -> dict[str, int]:
    """The weights that status gives."""
    stable, candidate = status.get("stable"), status.get("candidate") or {}
    if stable is None:
        return {}
    steps = (status.get("plan") or {}).get("strategy", {}).get("steps", [])
    index = candidate.get("step", 0)
    share = int(steps[index - 1]["weight"]) if 1 <= index <= len(steps) else 0
    return {stable["service"]: 100 - share} | ({candidate["service"]: share} if share else {})


def unfounded(sim: Simulation, weights: dict[str, int]) -> str | None:
    """Why nothing stands behind weights that the operator writes now; None when something does.

    That is status; for all traffic to one revision also `spec.rollback`, the wish for stable instead of the
    candidate, or for an end of the object. When a policy may have refused the write of `spec.rollback` the
    route says it first.
    """
    live = sim.world.cluster.get(MODEL_DEPLOYMENT, *KEY) or {"metadata": {}, "spec": {}}
    status, pin = live.get("status") or {}, live["spec"].get("rollback") or {}
    if weights == told(status):
        return None
    service = next(iter(weights))
    stable, candidate = status.get("stable") or {}, status.get("candidate") or {}
    to_stable = service == stable.get("service") and bool(candidate)
    if len(weights) == 1:
        if to_stable and "deletionTimestamp" in live["metadata"]:
            return None
        if pin and service == service_of(pin["toRevision"]):
            return None
        if to_stable and not _is_wanted(sim, candidate["service"]):
            return None
        if sim.refusing and (to_stable or service in _remembered(status)):
            return None
    return f"status says {told(status)}, spec.rollback {pin or None}"


def _is_wanted(sim: Simulation, service: str) -> bool:
    """Whether the user asks for what runs behind this Service."""
    running = sim.world.cluster.get(DEPLOYMENT, KEY[0], service)
    if running is None:
        return False
    image = running["spec"]["template"]["spec"]["containers"][0]["image"]
    version = running["metadata"]["labels"]["modelramp.dev/version"]
    return bool((version, image) == (sim.knobs["version"], sim.knobs["image"]))


def _remembered(status: dict[str, Any]) -> set[str]:
    """Whom status knows as one to go back to."""
    found = {service_of(entry["toRevision"]) for entry in status.get("rejectedRevisions") or ()}
    return found | ({status["previous"]["service"]} if status.get("previous") else set())
