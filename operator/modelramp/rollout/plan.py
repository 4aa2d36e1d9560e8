"""What `decide` answers: writes in the order in which they must be made, and when to look again.

Every plan carries the whole wanted state; `act` leaves out each write that would change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.rollout.facts import APEX, FINALIZER_WRITE, ROLLBACK, ROUTE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.api.modeldeployment import Rollback
    from modelramp.api.status import ModelDeploymentStatus
    from modelramp.rollout.facts import StepMark
    from modelramp.rollout.revision import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A revision's share of the traffic, in percent."""

    revision: Revision
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePlan:
    """The route that is wanted. Weights sum to 100."""

    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    destinations: tuple[Destination, ...]
    mark: StepMark

    def __post_init__(self) -> None:
        total = sum(destination.weight for destination in self.destinations)
        if total != 100:  # noqa: PLR2004 - percent
            raise ValueError(f"weights sum to {total}, not 100")

    @property
    def weights(self) -> Mapping[str, int]:
        """Percent by Service name."""
        return {item.revision.service: item.weight for item in self.destinations}


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRollback:
    """Patch the resource's spec: the rejection."""

    rollback: Rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearRollback:
    """Take `spec.rollback` away, as it was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteStatus:
    """Write the intent and the memory."""

    status: ModelDeploymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRoute:
    """Put the route as wanted; `owned=False`: it stays when the object goes."""

    route: RoutePlan
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteApex:
    """Let the apex Service select this revision, at its port; `owned=False`: as the route."""

    revision: Revision
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRevision:
    """Make a revision's Deployment and Service, if they are missing. The template is written only here."""

    revision: Revision
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateService:
    """Make a revision's Service again, whose Deployment is there."""

    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Give a revision so many replicas."""

    revision: Revision
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRevision:
    """Remove a revision's Deployment and Service."""

    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Take our owner reference off a revision's Service and Deployment: they stay when the object goes."""

    revision: Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRoute:
    """Take the route away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFinalizer:
    """Put our finalizer on the object, or take it off."""

    present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An event for people.

    Attributes:
        warning: something needs a look.
    """

    reason: str
    message: str
    warning: bool = False


Effect = (
    WriteRollback
    | ClearRollback
    | WriteStatus
    | WriteRoute
    | WriteApex
    | CreateRevision
    | CreateService
    | Scale
    | DeleteRevision
    | Release
    | RemoveRoute
    | SetFinalizer
    | Notice
)


def key_of(effect: Effect) -> str:  # noqa: C901, PLR0911 - one for each effect
    """What a refusal of this effect is remembered under: one key for each thing that can be refused."""
    match effect:
        case WriteRollback() | ClearRollback():
            return ROLLBACK
        case WriteRoute() | RemoveRoute():
            return ROUTE
        case WriteApex():
            return APEX
        case CreateRevision() | CreateService():
            return effect.revision.name
        case Scale():
            return f"scale {effect.revision.name}"
        case DeleteRevision():
            return f"delete {effect.revision.name}"
        case Release():
            return f"release {effect.revision.name}"
        case SetFinalizer():
            return FINALIZER_WRITE
        case WriteStatus():
            return "status"
        case Notice():
            return "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer of `decide`.

    Attributes:
        rule: name of the rule that answered.
        effects: in the order of the writes.
        requeue_at: when to look again at the latest; None: only when something changes.
    """

    rule: str
    effects: tuple[Effect, ...] = ()
    requeue_at: datetime | None = None
