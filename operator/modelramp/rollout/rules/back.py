"""Rules that take a revision back, or keep it away: asked first, because nothing beats a failing verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.base import format_duration
from modelramp.api.modeldeployment import RollbackReason
from modelramp.api.status import (
    Phase,
    RejectedRevision,
    RequestResult,
    RequestStatus,
    RevisionStatus,
    RolloutOutcome,
)
from modelramp.judgement.verdict import Tier
from modelramp.rollout.draft import Display, Draft, ended, unchanged
from modelramp.rollout.moves import go_back, pin_to, reject, rolled_back, with_bake_end
from modelramp.rollout.plan import Notice
from modelramp.rollout.targets import entry_of, rollback_target

if TYPE_CHECKING:
    from modelramp.rollout.view import View

BACKWARD = {"abort": RollbackReason.ABORTED, "rollback": RollbackReason.REQUESTED}


def status_lost(view: View) -> Draft | None:
    """Something serves here, and nothing tells what: nothing unjudged takes its place."""
    facts = view.facts
    if view.status.stable is not None or (facts.apex is None and facts.route is None):
        return None
    message = (
        "status was lost, and what served before cannot be named: its Deployment is gone; want the version"
        f" that served, or delete Service and VirtualService {facts.namespace}/{facts.name} to begin anew"
    )
    display = Display(phase=Phase.FAILED, reason="StatusLost", message=message, stalled=True)
    return unchanged(view, rule="status_lost", display=display).but(candidate=None)


def abort_or_rollback_requested(view: View) -> Draft | None:
    """A person wants the revision gone: on its way, or (rollback) after it has been promoted."""
    request = view.facts.request
    if request is None or request.action not in BACKWARD:
        return None
    if request.action == "rollback" and not request.reason:
        return None
    back = going(view)
    if back is None and request.action == "rollback" and view.status.stable is not None:
        target = rollback_target(view, request.to)
        back = (view.status.stable, target) if target else None
    if back is None or not _is_meant(request.to, back[1]):
        return None
    failed, goal = back
    why = f": {request.reason}" if request.reason else ""
    entry = reject(
        view, failed, goal, BACKWARD[request.action], f"{request.action} by request {request.id}{why}"
    )
    draft = go_back(view, entry, goal, rule="abort_or_rollback_requested", new=False)
    answer = RequestStatus(
        id=request.id,
        action=request.action,
        result=RequestResult.DONE,
        message=f"{failed.revision} is taken back, {goal.revision} is to serve",
    )
    return draft.but(request=answer)


def _is_meant(to: str, target: RevisionStatus) -> bool:
    return not to or to in (target.revision, target.version)


def going(view: View) -> tuple[RevisionStatus, RevisionStatus] | None:
    """Who would be taken back, and to whom; None when nothing is on its way."""
    status = view.status
    if status.candidate is not None and status.stable is not None:
        return status.candidate, status.stable
    if status.candidate is None and status.stable is not None and status.previous is not None:
        return status.stable, status.previous
    return None


def verdict_fails(view: View) -> Draft | None:
    """A check says no: the revision is rejected and the traffic goes back."""
    back, request = going(view), view.facts.request
    if back is None or not view.failing:
        return None
    if request is not None and request.override and request.action in ("promote", "skip-step"):
        # A person with the right to override has seen it.
        return None
    failed, target = back
    worst = next((v for v in view.failing if v.tier is Tier.CRITICAL), view.failing[0])
    entry = view.rejected.get(failed.revision) or reject(
        view, failed, target, RollbackReason(worst.reason), worst.message
    )
    new = failed.revision not in view.rejected
    return go_back(view, entry, target, rule="verdict_fails", new=new)


def workload_failed(view: View) -> Draft | None:
    """The candidate's pods made no progress in time: the revision is rejected with their own reason."""
    candidate, stable, spec = view.status.candidate, view.status.stable, view.facts.spec
    workload = view.workload(candidate.revision if candidate else None)
    if candidate is None or workload is None or spec is None or workload.unready_since is None:
        return None
    if (workload.unschedulable or view.facts.clock) and not workload.trouble:
        # No room is no fault of the revision, and a clock that is wrong says nothing of a deadline.
        return None
    # Time without a node, or before this step was decided, does not count.
    known = (workload.unready_since, workload.scheduled, candidate.step_started_at)
    since = max(time for time in known if time is not None)
    if view.now - since < spec.progress_deadline:
        return None
    reason = RollbackReason.WORKLOAD_FAILED if workload.trouble else RollbackReason.PROGRESS_DEADLINE
    limit = format_duration(spec.progress_deadline)
    message = workload.trouble or f"the pods of {candidate.revision} were not ready within {limit}"
    if stable is None:
        display = Display(
            phase=Phase.FAILED,
            reason=reason.value,
            message=f"first revision {candidate.revision}: {message}; correct the template or the version",
            stalled=True,
            text=f"Failed: {reason.value}",
        )
        if view.wanted is not None and view.wanted.name != candidate.revision:
            return None
        return unchanged(view, rule="workload_failed", display=display)
    earlier = view.rejected.get(candidate.revision)
    entry = earlier or reject(view, candidate, stable, reason, message)
    return go_back(view, entry, stable, rule="workload_failed", new=earlier is None)


def retry_requested(view: View) -> Draft | None:
    """A person wants a rejected revision tried again: the rejection goes, the rollout begins anew."""
    request, wanted = view.facts.request, view.wanted
    if request is None or request.action != "retry" or wanted is None or wanted.name not in view.rejected:
        return None
    stable = view.status.stable
    if stable is not None and stable.revision == wanted.name:
        return None
    if view.status.candidate is not None or view.newer:
        return None
    message = f"{wanted.name} is tried again"
    display = Display(phase=Phase.PENDING, reason="Retry", message=f"{message}: request {request.id}")
    draft = unchanged(view, rule="retry_requested", display=display)
    without = {name: entry for name, entry in view.rejected.items() if name != wanted.name}
    pin = view.facts.rollback
    if pin is not None and pin.rejected_revision == wanted.name:
        # The rejection leaves spec before status forgets it; the request is answered when both have.
        return draft.but(clear=True)
    return draft.but(
        rejected=without,
        request=RequestStatus(id=request.id, action="retry", result=RequestResult.DONE, message=message),
        notices=(Notice(reason="RequestAnswered", message=message),),
        requeue_at=view.now,
    )


def rejected_revision(view: View) -> Draft | None:
    """The wanted revision was taken back: finish that, then stay with what is known to be good."""
    wanted, status, back = view.wanted, view.status, going(view)
    # Whoever serves must not be rejected, whatever is wanted by now.
    if back is not None and back[0].revision in view.rejected:
        return go_back(view, view.rejected[back[0].revision], back[1], rule="rejected_revision", new=False)
    if status.stable is not None and status.candidate is None and status.stable.revision in view.rejected:
        found = _without_previous(view, view.rejected[status.stable.revision], status.stable)
        if found is not None:
            return found
    if wanted is None or wanted.name not in view.rejected:
        return None
    entry = view.rejected[wanted.name]
    if status.stable is None:
        return _nothing_to_serve(view, entry)
    display = rolled_back(view, entry, status.stable.revision)
    draft = unchanged(view, rule="rejected_revision", display=display)
    if status.candidate is not None:
        history = ended(view, status.candidate, RolloutOutcome.SUPERSEDED)
        draft = draft.but(candidate=None, history=history, back=True)
    return with_bake_end(view, draft.but(rollback=pin_to(entry, status.stable)))


def _nothing_to_serve(view: View, entry: RejectedRevision) -> Draft:
    message = (
        f"{entry.revision} is rejected ({entry.message}) and no other revision is known: want another version"
    )
    display = Display(phase=Phase.FAILED, reason="NoRollbackTarget", message=message, stalled=True)
    return unchanged(view, rule="rejected_revision", display=display).but(candidate=None)


def _without_previous(view: View, entry: RejectedRevision, stable: RevisionStatus) -> Draft | None:
    """Stable itself is rejected and status names no previous: only the rejection still knows where to go."""
    target = view.workload(entry.to_revision)
    # Between two that are rejected nothing may go to and fro.
    if target is None or target.revision.name in view.rejected:
        if view.wanted is not None and view.wanted.name != stable.revision:
            # Another version is wanted: that is the way out.
            return None
        display = Display(
            phase=Phase.FAILED,
            reason="NoRollbackTarget",
            message=f"{stable.revision} is rejected ({entry.message}) but {entry.to_revision} is gone or"
            " rejected; the weights stay as they are: set spec.version to a good version, or ask for a retry",
            stalled=True,
        )
        return unchanged(view, rule="rejected_revision", display=display)
    return go_back(view, entry, entry_of(target.revision), rule="rejected_revision", new=False)
