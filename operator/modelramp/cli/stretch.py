"""The stretch of looks that is judged, or that ended a rollout, derived as the operator derives it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelramp.api.status import CandidateStatus, PreviousStatus, StableStatus
from modelramp.controller.observe import observe
from modelramp.controller.snapshot import Snapshot
from modelramp.controller.subjects import subject_of
from modelramp.judgement.evidence import Evidence
from modelramp.rollout.draft import identity_of
from modelramp.rollout.policy import last_index
from modelramp.rollout.revision import child_name
from modelramp.rollout.view import outline, scope_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from modelramp.api.status import ModelDeploymentStatus, RejectedRevision
    from modelramp.controller.book import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What is observed, and what is known of it.

    Attributes:
        subject: from its beginning on; its checkpoint is at most what the step before hands on.
        evidence: what was counted of it when that was last written; None: nothing of it is known.
        until: the last look that counted (Unix seconds); None: it goes on.
    """

    subject: Subject
    evidence: Evidence | None
    until: int | None


def stretch_of(
    body: Mapping[str, Any],
    *,
    now: datetime,
    rejection: RejectedRevision | None,
    live: Evidence | None = None,
) -> Stretch | None:
    """What is judged now, or was when the wanted version was taken back; None: nothing.

    Args:
        body: the ModelDeployment.
        now: the time now.
        rejection: why the wanted version is not served, when it was taken back.
        live: the leader's evidence, if it has any.
    """
    metadata = body["metadata"]
    facts = observe(Snapshot(body=body), now=now)
    stored, status = live or facts.checkpoint, facts.status
    if rejection is not None and status.candidate is None:
        status = _before(metadata["name"], status, rejection, stored)
    scope = scope_of(status, status.plan)
    known = stored if stored is not None and stored.scope == scope else None
    since = _since(status) if known is None else known.since
    if since is None:
        return None
    begun = known or Evidence(scope=scope, since=since)
    view = outline(replace(facts, status=status, checkpoint=begun))
    subject = subject_of((metadata["namespace"], metadata["name"]), view)
    if subject is None:
        return None
    until = None
    if rejection is not None:
        counted = [metric.at for metric in known.metrics.values()] if known is not None else []
        until = max(counted, default=int(rejection.time.timestamp()))
    # Of the step before alarm B goes on; of this one everything is counted again.
    handed_on = stored if known is None else None
    return Stretch(subject=replace(subject, checkpoint=handed_on), evidence=known, until=until)


def _since(status: ModelDeploymentStatus) -> datetime | None:
    """When about it began, where status has no evidence of it: when it was decided."""
    if status.candidate is not None and status.candidate.step_started_at is not None:
        return status.candidate.step_started_at
    return status.promoted_at if status.previous is not None else None


def _before(
    deployment: str, status: ModelDeploymentStatus, rejection: RejectedRevision, stored: Evidence | None
) -> ModelDeploymentStatus:
    """Status as it was when the decision to go back was made, as far as it matters for what was counted."""
    plan, stable = status.plan, status.stable
    if plan is None or stable is None or plan.revision != rejection.revision:
        return status
    rollout, _, index = stored.scope.rpartition("/") if stored is not None else ("", "", "")
    known = rollout == plan.id and index.isdecimal()
    hash8 = rejection.revision.rpartition("-")[2]
    gone = {
        "revision": rejection.revision,
        "version": rejection.version,
        "digest": rejection.digest,
        "service": child_name(deployment, rejection.version, hash8),
    }
    if known and int(index) == last_index(plan) and plan.bake_limits is not None:
        previous = PreviousStatus(**identity_of(stable), keep_until=rejection.time)
        return status.model_copy(
            update={"stable": StableStatus(**gone), "candidate": None, "previous": previous}
        )
    # Later writes may have dropped the evidence: then it is all that the rollout counted since it began.
    step = int(index) if known else 1
    candidate = CandidateStatus(**gone, step=step, step_started_at=plan.started_at)
    return status.model_copy(update={"candidate": candidate})
