"""What happened, in lines for people: the user's actions, the faults, the decisions and the writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE

if TYPE_CHECKING:
    from modelramp.kube.kinds import Kind


class BrokenError(AssertionError):
    """An invariant does not hold; the message ends with the trace."""


def shares(route: dict[str, Any] | None) -> dict[str, int]:
    """Percent by Service, as the route says."""
    found: dict[str, int] = {}
    for item in route["spec"]["http"][0]["route"] if route else ():
        name = item["destination"]["host"].partition(".")[0]
        found[name] = found.get(name, 0) + item["weight"]
    return found


@dataclass
class Trace:
    """Lines with their second."""

    lines: list[str] = field(default_factory=list)

    def say(self, second: float, who: str, text: str) -> None:
        """One line; a repeated one is left out."""
        line = f"{second:5.0f} s  {who:8} {text}"
        if not self.lines or self.lines[-1] != line:
            self.lines.append(line)

    def broken(self, second: float, what: str) -> BrokenError:
        """The end: an error that tells the whole story."""
        self.say(second, "BROKEN", what)
        return BrokenError("\n".join([what, "", *self.lines[-400:]]))


def describe(event: str, kind: Kind, body: dict[str, Any]) -> str:
    """One change of an object."""
    name = body["metadata"]["name"]
    if event == "DELETED":
        return f"{kind} {name} is gone"
    if kind == VIRTUAL_SERVICE:
        mark = (body["metadata"].get("annotations") or {}).get("modelramp.dev/step", "-")
        return f"route {shares(body)} {mark}"
    if kind == DEPLOYMENT:
        return f"Deployment {name} has replicas {body['spec'].get('replicas')}"
    if kind == SERVICE:
        return (
            f"apex selects {(body['metadata'].get('annotations') or {}).get('modelramp.dev/stable-revision')}"
        )
    if kind == MODEL_DEPLOYMENT:
        return f"{_wish(body)} | {_status(body.get('status') or {})}"
    return f"{kind} {name}"


def _wish(body: dict[str, Any]) -> str:
    spec = body["spec"]
    rollback = spec.get("rollback") or {}
    back = f", rollback {rollback['rejectedRevision']} → {rollback['toRevision']}" if rollback else ""
    return f"spec {spec.get('version')}{back}"


def _status(status: dict[str, Any]) -> str:
    if not status:
        return "no status"
    said = [f"stable {(status.get('stable') or {}).get('revision')}"]
    if candidate := status.get("candidate"):
        said.append(f"candidate {candidate['revision']} step {candidate['step']}")
        if lost := candidate.get("lostSeconds"):
            said.append(f"lost {lost}")
    if previous := status.get("previous"):
        said.append(f"previous {previous['revision']}")
    if rejected := status.get("rejectedRevisions"):
        said.append(f"rejected {[entry['revision'] for entry in rejected]}")
    if paused := status.get("paused"):
        said.append(f"paused {paused['cause']}")
    if request := status.get("lastRequest"):
        said.append(f"answered {request['id']} {request['result']}")
    verdicts = ",".join(entry["verdict"][:4] for entry in status.get("analysis") or ())
    return f"status {status.get('phase')}: {', '.join(said)} [{verdicts}]"
