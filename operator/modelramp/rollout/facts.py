"""Everything `decide` may look at: frozen data, gathered beforehand, with no clock but `now`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelramp.api.status import ModelDeploymentStatus

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.api.modeldeployment import ModelDeploymentSpec, Rollback
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Evidence
    from modelramp.rollout.revision import Revision


INVALID_SPEC = "InvalidSpec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """The wanted revision cannot be named; what serves keeps serving.

    Attributes:
        reason: typed reason of the condition, such as VersionUnknown.
        message: what is wrong and the way out.
    """

    reason: str
    message: str

    @property
    def invalid(self) -> bool:
        """Whether the spec itself is wrong: what was pinned goes on to hold."""
        return self.reason == INVALID_SPEC


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadState:
    """A revision's Deployment, Service and pods, as last seen.

    Attributes:
        desired: replicas the Deployment asks for; None when there is no Deployment.
        has_service: its Service exists.
        ready: endpoints that are ready, by its EndpointSlices.
        trouble: what the pods themselves say is wrong (crash loop, image, …); None when nothing.
        unschedulable: the scheduler's reason for a pending pod; None when all are placed.
        scheduled: when the last of the pods was given a node; None when none was.
        unready_since: since when the Deployment has not been available; None when it is.
        created: when the Deployment was made.
        owned: False: it has no owner any more.
    """

    revision: Revision
    desired: int | None = None
    has_service: bool = False
    ready: int = 0
    trouble: str | None = None
    unschedulable: str | None = None
    scheduled: datetime | None = None
    unready_since: datetime | None = None
    created: datetime | None = None
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMark:
    """The route's step annotation: which step it was written for, and when. It is the acknowledgement.

    Attributes:
        scope: `<rollout>/<index>`.
        time: when the weights of this scope were written first.
    """

    scope: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteState:
    """What the route says now.

    Attributes:
        weights: percent by Service name.
        mark: its step annotation; None when it is missing or garbled.
        edited: when another manager last wrote it; None when none did.
        hosts: what it routes, and at which gateways: kept when the spec cannot be read.
        owned: False: it has no owner (any more).
    """

    weights: Mapping[str, int]
    mark: StepMark | None = None
    edited: datetime | None = None
    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApexState:
    """The apex Service: the revision it selects, which is stable's durable copy."""

    stable_revision: str | None
    owned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """The object is being deleted.

    Attributes:
        since: when this process saw it first: an operator that was away begins the time limit anew.
        orphan: what serves is to stay, without owner.
        endless: there is no time limit: `deletionPolicy: Orphan` stands in the spec.
        foreground: the garbage collector takes at once what is owned, whatever we do.
    """

    since: datetime
    orphan: bool = False
    endless: bool = False
    foreground: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A person's request by annotation, not yet answered.

    Attributes:
        by: who asked, as stamped at admission.
        to: for `rollback`: the version or revision to go back to; empty: the last that completed.
        override: for `promote` and `skip-step`: without proof.
    """

    action: str
    id: str
    by: str = ""
    reason: str = ""
    to: str = ""
    override: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A write of ours that was refused: why, and when it may be tried again.

    Attributes:
        reason: typed reason of the condition.
        message: the API server's words.
    """

    reason: str
    message: str
    again: datetime


ROLLBACK = "spec.rollback"
ROUTE = "route"
APEX = "apex"
FINALIZER_WRITE = "finalizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One ModelDeployment and all that concerns it.

    Attributes:
        spec: what the user wrote; None when it cannot be read (`wanted` then says why).
        rollback: `spec.rollback`, also when the rest of spec cannot be read.
        wanted: the revision the user wants.
        deletion: the object is being deleted; None: it is not.
        finalizer: ours is on the object: without us it does not go.
        workloads: by name of the revision.
        conflict: what of the route somebody else has (its name, a host); None when nothing.
        taken: hosts that another route has: they are left out of ours.
        evidence: what the collector has counted in the present scope; None when nothing yet.
        checkpoint: the evidence that status remembers; None when absent or unreadable.
        lag: seconds after which a look's counters must be in; older evidence is none.
        queries: PromQL for people, by name of the metric.
        status_written: when we last wrote status.
        refusals: writes that were refused, by the key of their effect (`plan.key_of`).
        clock: what is wrong with our clock; None when it agrees with the servers'.
        past: how stable's errors came before the rollout, by metric; None when it is not known (yet).
    """

    namespace: str
    name: str
    generation: int
    now: datetime
    wanted: Revision | Unresolved
    spec: ModelDeploymentSpec | None = None
    status: ModelDeploymentStatus = field(default_factory=ModelDeploymentStatus)
    rollback: Rollback | None = None
    deletion: Deletion | None = None
    finalizer: bool = False
    workloads: Mapping[str, WorkloadState] = field(default_factory=dict)
    apex: ApexState | None = None
    route: RouteState | None = None
    conflict: str | None = None
    taken: frozenset[str] = frozenset()
    evidence: Evidence | None = None
    checkpoint: Evidence | None = None
    lag: float = 60.0
    queries: Mapping[str, str] = field(default_factory=dict)
    request: Request | None = None
    status_written: datetime | None = None
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    clock: str | None = None
    past: Mapping[str, Dispersion] | None = None
