"""The chain: named rules in the order in which they are asked; the first that answers wins.

The order matters: nothing beats a failing verdict but deletion and a person's abort. A rule answers with a
draft of the next state, or passes with None.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

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
from modelramp.rollout.moves import (
    begin,
    clock,
    go_back,
    holding,
    percent,
    pin_to,
    promote,
    reject,
    rolled_back,
    serving,
    step,
)
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import MAX_WEIGHT, hold_at, last_index, replicas_for, restarts, weight_at
from modelramp.rollout.view import View

# Pods of the next step are started so long before the hold ends: what most models need to start.
LEAD = timedelta(seconds=60)

Rule = Callable[[View], Draft | None]


def deleting(view: View) -> Draft | None:
    """The object is going: nothing is written any more; what it owns goes with it."""
    if not view.facts.deleting:
        return None
    message = "being deleted; the route, the Services and the pods go with it"
    return unchanged(
        view, rule="deleting", display=Display(phase=Phase.PENDING, reason="Deleting", message=message)
    )


def abort_requested(view: View) -> Draft | None:
    """A person wants the rollout gone: a rollback with the reason Aborted."""
    request, back = view.facts.request, _going(view)
    if request is None or request.action != "abort" or back is None:
        return None
    failed, target = back
    why = f": {request.reason}" if request.reason else ""
    entry = reject(view, failed, target, RollbackReason.ABORTED, f"aborted by request {request.id}{why}")
    draft = go_back(view, entry, target, rule="abort_requested", new=False)
    done = RequestStatus(
        id=request.id,
        action=request.action,
        result=RequestResult.DONE,
        message=f"{failed.revision} was taken back, {target.revision} serves",
    )
    return draft.but(request=done)


def _going(view: View) -> tuple[RevisionStatus, RevisionStatus] | None:
    """Who would be taken back, and to whom; None when nothing is on its way."""
    status = view.status
    if status.candidate is not None and status.stable is not None:
        return status.candidate, status.stable
    if status.candidate is None and status.stable is not None and status.previous is not None:
        return status.stable, status.previous
    return None


def verdict_fails(view: View) -> Draft | None:
    """A check says no: the revision is rejected and the traffic goes back."""
    back = _going(view)
    if back is None or not view.failing:
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
    if candidate is None or workload is None or spec is None or workload.unschedulable:
        return None
    since = workload.unready_since
    overdue = workload.overdue
    if overdue is None and workload.ready == 0 and since and view.now - since >= spec.progress_deadline:
        overdue = f"no pod of {candidate.revision} became ready within {spec.progress_deadline}"
    if overdue is None:
        return None
    reason = RollbackReason.WORKLOAD_FAILED if workload.trouble else RollbackReason.PROGRESS_DEADLINE
    message = workload.trouble or overdue
    if stable is None:
        display = Display(
            phase=Phase.FAILED,
            reason=reason.value,
            message=f"first revision {candidate.revision}: {message}; correct the template or the version",
            stalled=True,
            text=f"Failed: {reason.value}",
        )
        return unchanged(view, rule="workload_failed", display=display)
    return go_back(
        view, reject(view, candidate, stable, reason, message), stable, rule="workload_failed", new=True
    )


def retry_requested(view: View) -> Draft | None:
    """A person wants a rejected revision tried again: the rejection goes, the rollout begins anew."""
    request, wanted = view.facts.request, view.wanted
    if request is None or request.action != "retry" or wanted is None or wanted.name not in view.rejected:
        return None
    if view.status.candidate is not None:
        return None
    display = Display(
        phase=Phase.PENDING, reason="Retry", message=f"{wanted.name} is tried again: request {request.id}"
    )
    draft = unchanged(view, rule="retry_requested", display=display)
    done = RequestStatus(
        id=request.id, action="retry", result=RequestResult.DONE, message=f"{wanted.name} is tried again"
    )
    return draft.but(
        rejected={name: entry for name, entry in view.rejected.items() if name != wanted.name},
        request=done,
        # The rejection leaves spec before status forgets it: a crash in between leaves it unanswered.
        back=True,
        notices=(Notice(reason="RequestAnswered", message=done.message),),
        requeue_at=view.now,
    )


def rejected_revision(view: View) -> Draft | None:
    """The wanted revision was taken back: finish that, then stay with what is known to be good."""
    wanted, status = view.wanted, view.status
    if wanted is None or status.stable is None or wanted.name not in view.rejected:
        return None
    entry = view.rejected[wanted.name]
    back = _going(view)
    if back is not None and back[0].revision == wanted.name:
        return go_back(view, entry, back[1], rule="rejected_revision", new=False)
    if status.stable.revision == wanted.name:
        return _without_previous(view, entry, status.stable)
    draft = unchanged(
        view, rule="rejected_revision", display=rolled_back(view, entry, status.stable.revision)
    )
    if status.candidate is not None:
        draft = draft.but(
            candidate=None, history=ended(view, status.candidate, RolloutOutcome.SUPERSEDED), back=True
        )
    return draft.but(rollback=pin_to(entry, status.stable), previous=None)


def _without_previous(view: View, entry: RejectedRevision, stable: RevisionStatus) -> Draft:
    """Stable itself is rejected and status names no previous: only the rejection still knows where to go."""
    target = view.workload(entry.to_revision)
    if target is None or target.revision.name == stable.revision:
        display = Display(
            phase=Phase.FAILED,
            reason="NoRollbackTarget",
            message=f"{stable.revision} is rejected ({entry.message}) but {entry.to_revision} is gone;"
            " the weights stay as they are: set spec.version to a good version, or ask for a retry",
            stalled=True,
        )
        return unchanged(view, rule="rejected_revision", display=display)
    revision = target.revision
    known = RevisionStatus(
        revision=revision.name, version=revision.version, digest=revision.digest, service=revision.service
    )
    return go_back(view, entry, known, rule="rejected_revision", new=False)


def reverted_or_superseded(view: View) -> Draft | None:
    """Another revision is wanted in mid-rollout: stable ends it at once, any other starts anew."""
    wanted, candidate, stable = view.wanted, view.status.candidate, view.status.stable
    if wanted is None or candidate is None:
        return None
    if stable is not None and wanted.name == stable.revision:
        notice = Notice(
            reason="Reverted", message=f"{candidate.revision} goes to 0 %: {stable.revision} is wanted again"
        )
        draft = unchanged(view, rule="reverted_or_superseded", display=serving(stable, None))
        history = ended(view, candidate, RolloutOutcome.REVERTED)
        return draft.but(candidate=None, history=history, notices=(notice,), back=True)
    spec, plan = view.facts.spec, view.plan
    if wanted.name != candidate.revision or (spec and plan and restarts(plan, spec)):
        return begin(view, wanted, rule="reverted_or_superseded")
    return None


def invalid_spec(view: View) -> Draft | None:
    """The wanted revision cannot be named: what serves keeps serving, a candidate stays where it is."""
    problem, candidate = view.unresolved, view.status.candidate
    if problem is None:
        return None
    stays = f"; {candidate.revision} stays at {percent(view)} %" if candidate and view.status.stable else ""
    serves = f"; {view.status.stable.revision} keeps serving" if view.status.stable else ""
    display = Display(
        phase=Phase.PROGRESSING if candidate else Phase.PENDING,
        reason=problem.reason,
        message=problem.message + stays + serves,
        stalled=True,
        text=problem.reason,
    )
    return _with_bake_end(view, unchanged(view, rule="invalid_spec", display=display))


def host_conflict(view: View) -> Draft | None:
    """Another route has our host: nothing moves forward."""
    if view.facts.conflict is None:
        return None
    display = Display(
        phase=Phase.PENDING,
        reason="HostConflict",
        message=view.facts.conflict,
        stalled=True,
        text="HostConflict",
    )
    if view.status.candidate is None and view.status.stable is not None and not view.baking:
        return None if view.facts.route else unchanged(view, rule="host_conflict", display=display)
    return unchanged(view, rule="host_conflict", display=display)


def stable_unready(view: View) -> Draft | None:
    """Stable has no ready pod in mid-rollout: hold."""
    candidate, stable = view.status.candidate, view.status.stable
    if candidate is None or stable is None or candidate.step == 0 or view.ready(stable.revision):
        return None
    message = (
        f"{stable.revision} has no ready pod; {candidate.revision} stays at {percent(view)} % until it has"
    )
    display = Display(
        phase=Phase.PROGRESSING, reason="Waiting", message=message, text="Waiting: StableUnready"
    )
    return unchanged(view, rule="stable_unready", display=display)


def not_acknowledged(view: View) -> Draft | None:
    """The step is decided but the route does not have its weights yet: write it (again)."""
    candidate, plan = view.status.candidate, view.plan
    if candidate is None or plan is None or candidate.step == 0 or view.ack is not None:
        return None
    until = clock(view.now + hold_at(plan, candidate.step))
    display = holding(weight_at(plan, candidate.step), candidate.step, last_index(plan), until)
    return unchanged(view, rule="not_acknowledged", display=display)


def hold(view: View) -> Draft | None:
    """The step's time has not passed; time in which the route was wrong does not count."""
    candidate, plan = view.status.candidate, view.plan
    if candidate is None or plan is None or view.ack is None or candidate.step == 0:
        return None
    lost = timedelta(seconds=candidate.lost_seconds) + view.lost
    until = view.ack + hold_at(plan, candidate.step) + lost
    if view.now >= until:
        return None
    display = holding(weight_at(plan, candidate.step), candidate.step, last_index(plan), clock(until))
    draft = unchanged(view, rule="hold", display=display)
    early = until - LEAD
    if view.now < early:
        return draft.but(requeue_at=early)
    # What is proved already gets the pods of the next step now, so that the step does not wait for them.
    capacity = None if view.unproved or view.blind else weight_at(plan, candidate.step + 1)
    return draft.but(requeue_at=until, capacity=capacity)


def not_proved(view: View) -> Draft | None:
    """The time has passed but a check is not proved, or nothing can be seen: stay."""
    candidate = view.status.candidate
    if candidate is None or view.status.stable is None or candidate.step == 0:
        return None
    if view.blind is not None:
        message = (
            f"{candidate.revision} stays at {percent(view)} %: {view.blind}; nothing moves on without data"
        )
        display = Display(phase=Phase.PROGRESSING, reason="Blind", message=message, text="Blind: no data")
        return unchanged(view, rule="not_proved", display=display)
    if not view.unproved:
        return None
    names = ", ".join(verdict.metric for verdict in view.unproved)
    message = f"{candidate.revision} stays at {percent(view)} % until there is proof for: {names}"
    display = Display(
        phase=Phase.PROGRESSING, reason="NotProved", message=message, text=f"NotProved: {names}"
    )
    return unchanged(view, rule="not_proved", display=display)


def next_step(view: View) -> Draft | None:
    """All is proved: the next weight, once the pods for it are ready."""
    candidate, plan, spec = view.status.candidate, view.plan, view.facts.spec
    if candidate is None or plan is None or spec is None:
        return None
    index = last_index(plan) if view.status.stable is None else candidate.step + 1
    weight = weight_at(plan, index)
    needed, ready = replicas_for(spec.replicas, weight), view.ready(candidate.revision)
    if ready < needed:
        return _waiting_for_pods(view, needed, ready, weight)
    if weight < MAX_WEIGHT:
        return step(view, index, rule="next_step")
    return promote(view, rule="next_step")


def _waiting_for_pods(view: View, needed: int, ready: int, weight: int) -> Draft:
    candidate = view.status.candidate
    assert candidate is not None  # noqa: S101 - the caller looked
    workload = view.workload(candidate.revision)
    name = candidate.revision
    refused = view.facts.refusals.get(name)
    if refused is not None:
        message = f"pods of {name} are refused: {refused.message}"
        display = Display(phase=Phase.DEPLOYING, reason=refused.reason, message=message, stalled=True)
        return unchanged(view, rule="next_step", display=display).but(capacity=weight)
    if workload is not None and workload.unschedulable:
        reason, why = "Waiting", f"no room: {workload.unschedulable}"
    elif workload is not None and workload.trouble:
        reason, why = "Waiting", workload.trouble
    else:
        reason, why = "Deploying", "pods are starting"
    message = (
        f"{weight} % needs {needed} ready pod{'s' if needed > 1 else ''} of {name}, {ready} so far: {why}"
    )
    phase = Phase.DEPLOYING if candidate.step == 0 else Phase.PROGRESSING
    display = Display(
        phase=phase, reason=reason, message=message, text=f"{reason}: {ready}/{needed} pods ready"
    )
    draft = unchanged(view, rule="next_step", display=display).but(capacity=weight)
    spec, since = view.facts.spec, workload.unready_since if workload else None
    return draft.but(requeue_at=since + spec.progress_deadline) if spec and since else draft


def bake(view: View) -> Draft | None:
    """Promoted: the one before stays warm and judgement goes on until the bake ends."""
    status, stable = view.status, view.status.stable
    if not view.baking or status.previous is None or stable is None:
        return None
    if view.wanted is not None and view.wanted.name != stable.revision:
        return None
    if view.now < status.previous.keep_until:
        until = status.previous.keep_until
        return unchanged(view, rule="bake", display=serving(stable, clock(until))).but(requeue_at=until)
    return _with_bake_end(view, unchanged(view, rule="bake", display=serving(stable, None)))


def _with_bake_end(view: View, draft: Draft) -> Draft:
    """The draft, with the previous revision let go if its time is over."""
    previous, stable = view.status.previous, view.status.stable
    if not view.baking or previous is None or stable is None:
        return draft
    if view.now < previous.keep_until:
        return draft.but(requeue_at=previous.keep_until)
    notice = Notice(reason="BakeEnded", message=f"{stable.revision} is proved; {previous.revision} is let go")
    return draft.but(previous=None, notices=(*draft.notices, notice))


def start(view: View) -> Draft | None:
    """A revision is wanted that does not serve yet."""
    wanted, stable = view.wanted, view.status.stable
    if wanted is None or (stable is not None and stable.revision == wanted.name):
        return None
    return begin(view, wanted, rule="start")


def idle(view: View) -> Draft:
    """What is wanted serves."""
    stable = view.status.stable
    assert stable is not None  # noqa: S101 - without one the rules before have answered
    return unchanged(view, rule="idle", display=serving(stable, None))


RULES: tuple[Rule, ...] = (
    deleting,
    abort_requested,
    verdict_fails,
    workload_failed,
    retry_requested,
    rejected_revision,
    reverted_or_superseded,
    invalid_spec,
    host_conflict,
    stable_unready,
    not_acknowledged,
    hold,
    not_proved,
    next_step,
    bake,
    start,
    idle,
)
