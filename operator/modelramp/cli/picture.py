"""What there is to see of a ModelDeployment at one moment: the base of every form of output."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from modelramp.api.conditions import FAULTS, ConditionStatus, ConditionType
from modelramp.api.status import (
    CandidateStatus,
    HistoryEntry,
    ModelDeploymentStatus,
    Phase,
    RejectedRevision,
    StableStatus,
)
from modelramp.cli.failure import Failure
from modelramp.rollout.policy import hold_at, last_index, replicas_for, weight_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.api.conditions import Condition
    from modelramp.cli.stats import Seen

_REQUEST = "modelramp.dev/request"


class Outcome(StrEnum):
    """How the rollout to the wanted version ended."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


_OUTCOMES = {
    Phase.BAKING: Outcome.PROMOTED,
    Phase.HEALTHY: Outcome.PROMOTED,
    Phase.ROLLED_BACK: Outcome.ROLLED_BACK,
    Phase.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A revision of the table.

    Attributes:
        weight: percent of the traffic that was decided.
        ready: pods that are ready, and `needed` those its weight needs; None: not told by status.
    """

    revision: str
    version: str
    role: str
    weight: int = 0
    ready: int | None = None
    needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a rollout is: `index` of `total` steps, the last of them 100 %; times in seconds."""

    index: int
    total: int
    weight: int
    held: float
    hold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An event of the object."""

    time: datetime
    reason: str
    message: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment of a ModelDeployment.

    Attributes:
        observed: the operator has seen the newest spec and request.
        step: where the canary is; None when none is under way.
        bake: the same for the time after the promotion.
        before: the version that serves, or served, before the wanted one; None for the first.
        rejection: why the wanted version is not served, when it was taken back.
        seen: what a client counted; None: no client was asked.
        trouble: why what is shown may be old; None: it is not.
    """

    name: str
    namespace: str
    version: str
    generation: int
    now: datetime
    observed: bool
    status: ModelDeploymentStatus
    rows: tuple[Row, ...]
    step: Step | None
    bake: Step | None
    before: str | None
    rejection: RejectedRevision | None
    seen: Seen | None
    notes: tuple[Note, ...]
    trouble: str | None

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not, or nobody knows yet."""
        if not self.observed or self.status.phase is None:
            return None
        return _OUTCOMES.get(self.status.phase)

    @property
    def scope(self) -> tuple[object, ...]:
        """Changes whenever the weights do."""
        return tuple(sorted((row.revision, row.weight) for row in self.rows if row.weight))

    @property
    def ended(self) -> HistoryEntry | None:
        """The last rollout that ended."""
        return self.status.history[0] if self.status.history else None

    def condition(self, kind: ConditionType) -> Condition | None:
        """A condition of status."""
        return next((item for item in self.status.conditions if item.type == kind), None)

    @property
    def reason(self) -> str:
        """What goes on, in one word."""
        ready = self.condition(ConditionType.READY)
        return ready.reason if ready else ""

    @property
    def message(self) -> str:
        """What goes on, in a sentence."""
        ready = self.condition(ConditionType.READY)
        return ready.message if ready else ""

    @property
    def problems(self) -> list[Condition]:
        """Conditions that say that something is wrong and that the sentence of `message` does not tell."""
        kinds = (
            ConditionType.VERSION_RESOLVED,
            ConditionType.TRAFFIC_CONFIGURED,
            ConditionType.AVAILABLE,
            ConditionType.SPEC_WRITTEN,
        )
        found = [item for kind in (*kinds, *FAULTS) if (item := self.condition(kind)) is not None]
        return [
            item
            for item in found
            if (item.status is ConditionStatus.FALSE) is (item.type not in FAULTS)
            and item.reason != "NoStable"
            and item.message not in self.message
        ]


def picture(
    body: Mapping[str, Any],
    *,
    now: datetime,
    seen: Seen | None = None,
    notes: tuple[Note, ...] = (),
    trouble: str | None = None,
) -> Picture:
    """Reads a ModelDeployment as it goes over the wire.

    Raises:
        Failure: its status is of an operator that is too new for this command.
    """
    metadata, spec = body["metadata"], body.get("spec") or {}
    status = _status(body)
    rejection = _rejection(status, spec)
    return Picture(
        name=metadata["name"],
        namespace=metadata["namespace"],
        version=str(spec.get("version", "")),
        generation=metadata.get("generation", 0),
        now=now,
        observed=_observed(metadata, status),
        status=status,
        rows=_rows(status, spec, rejection),
        step=_step(status, now),
        bake=_bake(status, now),
        before=_before(status, rejection),
        rejection=rejection,
        seen=seen,
        notes=notes,
        trouble=trouble,
    )


def _status(body: Mapping[str, Any]) -> ModelDeploymentStatus:
    try:
        # Fields that a newer operator adds are no reason to show nothing.
        return ModelDeploymentStatus.model_validate(body.get("status") or {}, extra="ignore")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Failure(
            f"{body['metadata']['name']}: status.{where} cannot be read ({first['msg']}):"
            " the operator is of another version than this command; use that version's modelramp"
        ) from error


def _observed(metadata: Mapping[str, Any], status: ModelDeploymentStatus) -> bool:
    _, _, asked = (metadata.get("annotations") or {}).get(_REQUEST, "").rpartition("/")
    answered = status.last_request.id if status.last_request else ""
    return status.observed_generation == metadata.get("generation", 0) and asked in ("", answered)


def _rejection(status: ModelDeploymentStatus, spec: Mapping[str, Any]) -> RejectedRevision | None:
    """The rejection of what is wanted now, newest first: the same version may have been taken back before."""
    if status.phase not in (Phase.ROLLED_BACK, Phase.ROLLING_BACK):
        return None
    newest = sorted(status.rejected_revisions, key=lambda entry: entry.time, reverse=True)
    return next((entry for entry in newest if entry.version == spec.get("version")), None)


def _before(status: ModelDeploymentStatus, rejection: RejectedRevision | None) -> str | None:
    if rejection is not None:
        return rejection.to_revision.rpartition("-")[0]
    if status.candidate is not None:
        return status.stable.version if status.stable else None
    return status.previous.version if status.previous else None


def _rows(
    status: ModelDeploymentStatus, spec: Mapping[str, Any], rejection: RejectedRevision | None
) -> tuple[Row, ...]:
    replicas = int(spec.get("replicas", 1))
    rows = []
    if status.previous is not None:
        previous = status.previous
        rows.append(Row(revision=previous.revision, version=previous.version, role="previous"))
    if status.stable is not None:
        rows.append(_row(status.stable, "stable", replicas))
    if status.candidate is not None:
        candidate, plan = status.candidate, status.plan
        weight = 100 if plan is None or status.stable is None else weight_at(plan, max(1, candidate.step))
        rows.append(_row(candidate, "candidate", replicas_for(replicas, weight)))
    if rejection is not None and rejection.revision not in {row.revision for row in rows}:
        rows.append(Row(revision=rejection.revision, version=rejection.version, role="rejected"))
    return tuple(rows)


def _row(entry: StableStatus, role: str, needed: int) -> Row:
    return Row(
        revision=entry.revision,
        version=entry.version,
        role=role,
        weight=entry.weight,
        ready=entry.ready_replicas,
        needed=needed,
    )


def _step(status: ModelDeploymentStatus, now: datetime) -> Step | None:
    candidate, plan = status.candidate, status.plan
    if candidate is None or plan is None or status.stable is None:
        return None
    hold = hold_at(plan, candidate.step).total_seconds()
    return Step(
        index=candidate.step,
        total=last_index(plan),
        weight=weight_at(plan, candidate.step),
        held=_held(candidate, hold, now),
        hold=hold,
    )


def _held(candidate: CandidateStatus, hold: float, now: datetime) -> float:
    if candidate.step_started_at is None:
        return 0.0
    passed = (now - candidate.step_started_at).total_seconds() - candidate.lost_seconds
    return min(max(0.0, passed), hold)


def _bake(status: ModelDeploymentStatus, now: datetime) -> Step | None:
    previous, promoted, plan = status.previous, status.promoted_at, status.plan
    if previous is None or promoted is None or plan is None or status.candidate is not None:
        return None
    hold = (previous.keep_until - promoted).total_seconds()
    held = min(max(0.0, (now - promoted).total_seconds()), hold)
    return Step(index=last_index(plan), total=last_index(plan), weight=100, held=held, hold=hold)
