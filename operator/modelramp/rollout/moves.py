"""The moves a rule can make: begin, step, promote, go back. Each gives a draft of the next state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.modeldeployment import OnRevert, Rollback, RollbackReason
from modelramp.api.status import (
    CandidateStatus,
    Phase,
    PreviousStatus,
    RejectedRevision,
    RevisionStatus,
    RolloutOutcome,
    StableStatus,
)
from modelramp.judgement.judge import bake_limits
from modelramp.judgement.verdict import Outcome
from modelramp.rollout.draft import Display, Draft, ended, identity, identity_of, unchanged
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import MAX_WEIGHT, hold_at, last_index, pin, weight_at

if TYPE_CHECKING:
    from datetime import datetime

    from modelramp.rollout.revision import Revision
    from modelramp.rollout.view import View


def clock(moment: datetime | None) -> str:
    """A time of day for people, in UTC."""
    return f"{moment:%H:%M:%S} UTC"


def begin(view: View, revision: Revision, *, rule: str, direct: bool = False) -> Draft:
    """A rollout from its first step; a candidate before this one goes to 0.

    Args:
        view: where we are.
        revision: what is rolled out.
        rule: who decided.
        direct: it completed here before: one switch instead of steps (`strategy.onRevert`).
    """
    spec, status = view.facts.spec, view.status
    assert spec is not None  # noqa: S101 - a wanted revision comes from a readable spec
    stable = status.stable
    plan = pin(spec, revision=revision, stable_version=stable.version if stable else None, now=view.now)
    history, notices = tuple(status.history), []
    if status.candidate is not None:
        again = status.candidate.revision == revision.name
        if not again:
            history = ended(view, status.candidate, RolloutOutcome.SUPERSEDED)
        why = "its steps were changed" if again else f"{revision.name} is wanted now"
        notices.append(Notice(reason="Superseded", message=f"{status.candidate.revision} goes to 0 %: {why}"))
    direct = direct and plan.strategy.on_revert is OnRevert.DIRECT
    weights = " → ".join(f"{step.weight} %" for step in plan.strategy.steps)
    path = "100 % at once, when its pods are ready" if direct else f"{weights} → 100 %"
    text = f"{stable.revision} → {revision.name}: {path}" if stable else f"first revision {revision.name}"
    notices.append(Notice(reason="RolloutStarted", message=text))
    draft = unchanged(
        view,
        rule=rule,
        display=Display(
            phase=Phase.DEPLOYING, reason="RolloutStarted", message=f"starting pods of {revision.name}"
        ),
    )
    return draft.but(
        plan=plan,
        candidate=CandidateStatus(
            **identity(revision), step=0, step_started_at=view.now, direct=True if direct else None
        ),
        paused=None,
        previous=None,
        history=history,
        notices=tuple(notices),
    )


def step(view: View, index: int, *, rule: str) -> Draft:
    """The candidate goes to the weight of that step."""
    candidate, plan = view.status.candidate, view.plan
    assert candidate is not None  # noqa: S101
    assert plan is not None  # noqa: S101
    weight, total = weight_at(plan, index), last_index(plan)
    until = view.now + hold_at(plan, index)
    draft = unchanged(view, rule=rule, display=holding(weight, index, total, clock(until)))
    if candidate.step == 0:
        # Pinned with the first weight: from then on the evidence depends on it.
        draft = draft.but(plan=plan.model_copy(update={"history": _past(view)}))
    notice = Notice(
        reason="StepEntered",
        message=f"{candidate.revision} gets {weight} % (step {index} of {total}), until {clock(until)}"
        + _proof(view),
    )
    moved = candidate.model_copy(
        update={
            "step": index,
            "step_started_at": view.now,
            "lost_seconds": 0.0,
            "lost_until": None,
            "resumed_at": None,
        }
    )
    return draft.but(candidate=moved, paused=None, notices=(*draft.notices, notice), requeue_at=until)


def _proof(view: View) -> str:
    """What the step that is left now was left with."""
    proved = [verdict.message for verdict in view.verdicts if verdict.outcome is Outcome.PASS]
    return f"; proved before: {'; '.join(proved)}"[:512] if proved else ""


def _past(view: View) -> dict[str, list[float]] | None:
    """How stable's errors came before, as the plan keeps it."""
    known = view.facts.past or {}
    return {name: [item.phi, item.looks, item.bad] for name, item in known.items()} or None


def holding(weight: int, index: int, total: int, until: str) -> Display:
    """At a step whose hold has not passed."""
    return Display(
        phase=Phase.PROGRESSING,
        reason="Holding",
        message=f"step {index} of {total}: {weight} % of the traffic until {until}, then on if all is proved",
        text=f"Holding until {until}",
    )


def promote(view: View, *, rule: str) -> Draft:
    """The candidate becomes stable; the one before stays warm for the bake."""
    status, candidate, spec, plan = view.status, view.status.candidate, view.facts.spec, view.plan
    assert candidate is not None  # noqa: S101
    assert spec is not None  # noqa: S101
    assert plan is not None  # noqa: S101
    previous, keep_until = None, None
    if status.stable is not None:
        keep_until = view.now + spec.rollback_policy.keep_previous
        previous = PreviousStatus(**identity_of(status.stable), keep_until=keep_until)
        if view.evidence is not None and view.checks is not None:
            plan = plan.model_copy(update={"bake_limits": dict(bake_limits(view.evidence, view.checks))})
    notice = Notice(
        reason="Promoted",
        message=f"{candidate.revision} has 100 % of the traffic{_proof(view)}"
        + (f"; {previous.revision} stays warm until {clock(keep_until)}" if previous else ""),
    )
    draft = unchanged(view, rule=rule, display=serving(candidate, clock(keep_until) if keep_until else None))
    return draft.but(
        plan=plan,
        stable=StableStatus(**identity_of(candidate)),
        candidate=None,
        previous=previous,
        promoted_at=view.now,
        history=ended(view, candidate, RolloutOutcome.PROMOTED),
        notices=(*draft.notices, notice),
        requeue_at=keep_until,
    )


def serving(entry: RevisionStatus, baking_until: str | None) -> Display:
    """The wanted revision has all traffic."""
    if baking_until:
        return Display(
            phase=Phase.BAKING,
            reason="Baking",
            message=f"{entry.revision} serves all traffic; judged until {baking_until}",
            text=f"Baking until {baking_until}",
            ready=True,
        )
    return Display(
        phase=Phase.HEALTHY,
        reason="Healthy",
        message=f"{entry.revision} serves all traffic",
        text="Healthy",
        ready=True,
    )


def rolled_back(view: View, entry: RejectedRevision, target: str) -> Display:
    """The wanted revision is rejected and another serves."""
    name = view.facts.name
    return Display(
        phase=Phase.ROLLED_BACK,
        reason=entry.reason.value,
        message=(
            f"{entry.revision} was taken back and will not be tried again: {entry.message}; {target} serves."
            f" Ship another version, or ask again: kubectl annotate mdep {name} --overwrite"
            " modelramp.dev/request=retry/<any new id>"
        ),
        text=f"RolledBack: {entry.reason.value}",
        stalled=True,
    )


def go_back(view: View, entry: RejectedRevision, target: RevisionStatus, *, rule: str, new: bool) -> Draft:
    """The failing revision is rejected and the target gets all traffic, as soon as it can take it.

    Args:
        view: where we are.
        entry: the rejection.
        target: the revision to go back to.
        rule: who decided.
        new: whether the rejection is decided now; False: it is only carried out.
    """
    status = view.status
    notices = []
    if new:
        notices.append(Notice(reason="VerdictFailed", message=entry.message, warning=True))
    if _can_take(view, entry, target):
        notices.append(
            Notice(
                reason="RolledBack",
                message=f"{entry.revision} → {target.revision}: {entry.reason.value}: {entry.message}",
                warning=True,
            )
        )
        draft = unchanged(view, rule=rule, display=rolled_back(view, entry, target.revision)).but(
            stable=StableStatus(**identity_of(target)),
            candidate=None,
            previous=None,
            promoted_at=status.promoted_at if status.candidate else None,
            history=ended(view, _failed(view, entry), RolloutOutcome.ROLLED_BACK, entry.reason.value),
        )
    elif _is_gone(view, target):
        message = (
            f"{entry.revision} is rejected ({entry.message}) but the Deployment of {target.revision} is gone;"
            " the weights stay as they are: set spec.version to a good version"
        )
        display = Display(phase=Phase.FAILED, reason="NoRollbackTarget", message=message, stalled=True)
        draft = unchanged(view, rule=rule, display=display)
    else:
        message = (
            f"{entry.revision} is rejected ({entry.message}); waiting for a ready pod of {target.revision}"
        )
        draft = unchanged(
            view,
            rule=rule,
            display=Display(phase=Phase.ROLLING_BACK, reason=entry.reason.value, message=message),
        ).but(warm=target)
    return draft.but(
        rejected={**view.rejected, entry.revision: entry},
        rollback=pin_to(entry, target),
        back=True,
        notices=tuple(notices),
        requeue_at=view.now + view.facts.spec.drain if view.facts.spec else None,
    )


def _is_gone(view: View, target: RevisionStatus) -> bool:
    workload = view.workload(target.revision)
    return (workload is None or workload.desired is None) and not view.revision(target).template


def _can_take(view: View, entry: RejectedRevision, target: RevisionStatus) -> bool:
    """Whether the target may get all traffic now.

    From a failing revision: with one ready pod, or when the failing one has none either. When a person
    goes back from a healthy one: with all its pods, capacity before weight.
    """
    ready, spec = view.ready(target.revision), view.facts.spec
    if not view.ready(entry.revision):
        return True
    kept_warm = view.status.candidate is not None or view.status.previous is not None
    if entry.reason is RollbackReason.REQUESTED and spec is not None and not kept_warm:
        return ready >= spec.replicas
    return ready > 0


def with_bake_end(view: View, draft: Draft) -> Draft:
    """The draft, with the previous revision let go if its time is over."""
    previous, stable = view.status.previous, view.status.stable
    if not view.baking or previous is None or stable is None:
        return draft
    until = bake_until(view, previous)
    if until is None or view.now < until:
        return draft.but(requeue_at=until)
    seen = "nothing was seen of it" if _unseen(view) else "no check has failed"
    message = f"the bake of {stable.revision} is over, {seen}; {previous.revision} is let go"
    notice = Notice(reason="BakeEnded", message=message, warning=_unseen(view))
    return draft.but(previous=None, notices=(*draft.notices, notice))


def _unseen(view: View) -> bool:
    return view.evidence is None or view.blind is not None


def bake_until(view: View, previous: PreviousStatus) -> datetime | None:
    """The end of the bake, counted from the route's acknowledgement as a hold is; None: not to be told yet.

    A bake that sees nothing takes twice as long, because no data is not good data.
    """
    plan, stable = view.plan, view.status.stable
    begun = view.status.promoted_at or previous.keep_until
    if view.facts.clock is not None:
        return None
    if view.ack is None and plan is not None and stable is not None and plan.revision == stable.revision:
        return None
    length = previous.keep_until - begun
    return max(view.ack or begun, begun) + length * (2 if _unseen(view) else 1)


def pin_to(entry: RejectedRevision, target: RevisionStatus) -> Rollback:
    """The rejection as it stands in spec."""
    return Rollback(
        rejected_revision=entry.revision,
        to_revision=target.revision,
        reason=entry.reason,
        message=entry.message,
        time=entry.time,
    )


def _failed(view: View, entry: RejectedRevision) -> RevisionStatus:
    for known in (view.status.candidate, view.status.stable):
        if known is not None and known.revision == entry.revision:
            return known
    return RevisionStatus(revision=entry.revision, version=entry.version, digest=entry.digest, service="")


def reject(
    view: View, failed: RevisionStatus, target: RevisionStatus, reason: RollbackReason, message: str
) -> RejectedRevision:
    """A rejection that is decided now."""
    return RejectedRevision(
        revision=failed.revision,
        to_revision=target.revision,
        version=failed.version,
        digest=failed.digest,
        reason=reason,
        message=message[:1024],
        time=view.now,
    )


def percent(view: View) -> int:
    """The candidate's percent now."""
    if view.status.candidate is None or view.plan is None:
        return MAX_WEIGHT
    return weight_at(view.plan, view.status.candidate.step)
