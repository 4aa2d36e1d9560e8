"""What a rule decides: the next state, in which direction to write, and what to tell people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from modelramp.api.status import (
    CandidateStatus,
    HistoryEntry,
    PausedStatus,
    Phase,
    PlanStatus,
    PreviousStatus,
    RejectedRevision,
    RequestStatus,
    RevisionStatus,
    RolloutOutcome,
    StableStatus,
)
from modelramp.rollout.facts import ROUTE
from modelramp.rollout.plan import Notice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.api.modeldeployment import Rollback
    from modelramp.rollout.leaving import Leaving
    from modelramp.rollout.revision import Revision
    from modelramp.rollout.view import View

HISTORY = 10
COMPLETED = 5
REJECTIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What people are told. It changes once per step, not per look.

    Attributes:
        ready: the wanted revision serves all traffic.
        stalled: nothing moves without a person.
        reason: one word for programs.
        message: number against limit, cause and next step.
        text: what the column of `kubectl get` shows; the message when left out.
    """

    phase: Phase
    reason: str
    message: str
    ready: bool = False
    stalled: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The next state. `assemble` turns it into a plan.

    Attributes:
        clear: `spec.rollback` must go, although status still remembers the rejection.
        silent: nothing is to be written.
        leaving: the object is being deleted: how far that is.
        back: going back: the route is written before status.
        rollback: what `spec.rollback` must say; None: nothing about the wanted revision.
        warm: a revision whose pods must be there although it has no part yet: the target of a rollback.
        capacity: percent whose pods the candidate must have now; its step's own when None.
        requeue_at: when to look again.
    """

    rule: str
    display: Display
    plan: PlanStatus | None
    stable: StableStatus | None
    candidate: CandidateStatus | None
    previous: PreviousStatus | None
    promoted_at: datetime | None
    rejected: Mapping[str, RejectedRevision]
    history: tuple[HistoryEntry, ...]
    request: RequestStatus | None
    paused: PausedStatus | None
    warm: RevisionStatus | None = None
    rollback: Rollback | None = None
    clear: bool = False
    silent: bool = False
    leaving: Leaving | None = None
    back: bool = False
    capacity: int | None = None
    notices: tuple[Notice, ...] = ()
    requeue_at: datetime | None = None

    def but(self, **changes: Any) -> Draft:  # noqa: ANN401 - as dataclasses.replace
        """A copy with changes."""
        return replace(self, **changes)


def _repairable(view: View) -> bool:
    """Whether this pass can put the route back: it is told, and counted, once it does."""
    facts = view.facts
    refused = facts.refusals.get(ROUTE)
    ours = facts.route is not None or facts.conflict is None
    known = facts.spec is not None or facts.route is not None
    return known and ours and (refused is None or refused.again <= view.now)


def with_lost(view: View, candidate: CandidateStatus) -> CandidateStatus:
    """The candidate with the time added in which the route was found wrong; in each pass it is added once."""
    if view.wrong_since is None or candidate.lost_until == view.now:
        return candidate
    lost = round(candidate.lost_seconds + view.lost.total_seconds(), 3)
    return candidate.model_copy(update={"lost_seconds": lost, "lost_until": view.now})


def unchanged(view: View, *, rule: str, display: Display) -> Draft:
    """The state as it is, with what was seen of the route added to the step's lost time."""
    status, candidate = view.status, view.status.candidate
    notices: tuple[Notice, ...] = ()
    if view.wrong_since is not None and _repairable(view):
        notices = (
            Notice(
                reason="RouteRepaired",
                message="the route was not as decided and was put back; the time it was wrong does not count",
                warning=True,
            ),
        )
        if candidate is not None:
            candidate = with_lost(view, candidate)
    return Draft(
        rule=rule,
        display=display,
        plan=view.plan,
        stable=status.stable,
        candidate=candidate,
        previous=status.previous,
        promoted_at=status.promoted_at,
        rejected=view.rejected,
        history=tuple(status.history),
        request=status.last_request,
        paused=status.paused if candidate is not None else None,
        notices=notices,
    )


def ended(
    view: View, entry: RevisionStatus, outcome: RolloutOutcome, reason: str = ""
) -> tuple[HistoryEntry, ...]:
    """The history with a rollout that ends now, newest first."""
    started = view.plan.started_at if view.plan else view.now
    added = HistoryEntry(
        revision=entry.revision,
        version=entry.version,
        digest=entry.digest,
        outcome=outcome,
        started=started,
        ended=view.now,
        reason=reason,
    )
    entries = (added, *view.status.history)
    # The last that completed are what can be gone back to: they stay, whatever failed since.
    completed = [n for n, item in enumerate(entries) if item.outcome is RolloutOutcome.PROMOTED][:COMPLETED]
    others = [n for n in range(len(entries)) if n not in completed][: HISTORY - len(completed)]
    return tuple(entries[n] for n in sorted((*completed, *others)))


def identity(revision: Revision) -> dict[str, str]:
    """The fields that every entry of status has."""
    return {
        "revision": revision.name,
        "version": revision.version,
        "digest": revision.digest,
        "service": revision.service,
    }


def identity_of(entry: RevisionStatus) -> dict[str, str]:
    """The same, from another entry."""
    return {
        "revision": entry.revision,
        "version": entry.version,
        "digest": entry.digest,
        "service": entry.service,
    }
