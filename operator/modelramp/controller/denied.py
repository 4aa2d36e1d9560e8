"""What a refused write means to people: a typed reason, and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from modelramp.kube.errors import FieldConflict, Missing, Refused
from modelramp.kube.kinds import VIRTUAL_SERVICE
from modelramp.rollout.facts import APEX, FINALIZER_WRITE, ROLLBACK, ROUTE

ROUTER_MISSING = "RouterMissing"
_REFUSED = {
    ROLLBACK: "SpecWriteRefused",
    FINALIZER_WRITE: "FinalizerRefused",
    ROUTE: "RouteRefused",
    APEX: "RouteRefused",
}
_CONFLICT = {ROLLBACK: "RollbackConflict", APEX: "HostConflict"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """A write that was refused.

    Attributes:
        what: the key of its effect (`plan.key_of`).
        reason: of the condition.
        message: the cause, and what to do where we know it.
    """

    what: str
    reason: str
    message: str


def denied(what: str, error: FieldConflict | Refused | Missing, *, name: str) -> Denied:
    """The refusal of a write for the ModelDeployment of that name (`namespace/name`)."""
    if isinstance(error, FieldConflict):
        owners = ", ".join(error.managers)
        message = f"{what} is written by {owners} too; it is left alone: take it out of there"
        if what == APEX:
            message = f"Service {name} is not ours, {owners} wrote it: remove it, or choose another name"
        return Denied(what=what, reason=_CONFLICT.get(what, "FieldConflict"), message=message)
    if isinstance(error, Refused):
        return Denied(what=what, reason=_REFUSED.get(what, "WorkloadRefused"), message=error.message)
    if what == ROUTE:
        message = (
            f"there is no {VIRTUAL_SERVICE.kind} of {VIRTUAL_SERVICE.api_version} on this cluster: install"
            " Istio; the rollout goes on by itself once it is there"
        )
        return Denied(what=what, reason=ROUTER_MISSING, message=message)
    return Denied(what=what, reason="Missing", message=error.message)
