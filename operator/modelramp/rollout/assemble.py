"""A draft of the next state made into a plan: every write it needs, in the order that survives a crash.

Forward: status (the intent) before the route (the acknowledgement) before what is no longer needed goes.
Back: the rejection in spec, the route, the apex, then status.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelramp.api import labels
from modelramp.api.conditions import Condition, ConditionType
from modelramp.api.status import (
    FORMAT,
    AnalysisStatus,
    ModelDeploymentStatus,
    RejectedRevision,
    RevisionStatus,
    StableStatus,
)
from modelramp.judgement.judge import judge
from modelramp.judgement.verdict import Outcome
from modelramp.rollout.checks import judgement_plan
from modelramp.rollout.draft import REJECTIONS, Draft, with_lost
from modelramp.rollout.facts import StepMark, WorkloadState
from modelramp.rollout.leaving import farewell, finalizer
from modelramp.rollout.plan import (
    ClearRollback,
    CreateRevision,
    CreateService,
    DeleteRevision,
    Destination,
    Effect,
    Plan,
    RoutePlan,
    Scale,
    WriteApex,
    WriteRollback,
    WriteRoute,
    WriteStatus,
)
from modelramp.rollout.policy import MAX_WEIGHT, replicas_for, weight_at
from modelramp.rollout.present import conditions, summary
from modelramp.rollout.view import View, acknowledged, scope_of, shares_of

if TYPE_CHECKING:
    from modelramp.api.modeldeployment import Rollback
    from modelramp.judgement.verdict import Verdict
    from modelramp.rollout.leaving import Leaving

CHECKPOINT_EVERY = timedelta(minutes=10)
# A Service that has no EndpointSlice so long after its Deployment was made is gone.
SERVICE_GRACE = timedelta(seconds=10)
# While our clock is not that of the servers nothing is let go: so soon it is looked at again.
CLOCK_AGAIN = timedelta(seconds=5)


def assemble(view: View, draft: Draft) -> Plan:
    """The plan that makes the draft true."""
    if draft.silent:
        return Plan(rule=draft.rule)
    status = _status(view, draft)
    if draft.leaving is not None:
        return _leave(view, draft, draft.leaving, status)
    grow, shrink, drained = _workloads(view, draft, status)
    pin = _pin(view, draft)
    route = _route(view, status)
    hold, let_go = finalizer(view, status)
    routing: list[Effect] = []
    if route is not None and status.stable is not None:
        routing = [WriteRoute(route=route), WriteApex(revision=view.revision(status.stable))]
        if view.facts.apex is None:
            # A Service by that name may be somebody else's: the route must not take its traffic.
            routing.reverse()
    write = WriteStatus(status=status)
    if draft.back:
        effects = (*pin, *routing, write, *hold, *grow, *draft.notices, *shrink, *let_go)
    else:
        # Before there is anything that a deletion would have to put in order.
        effects = (*hold, *grow, write, *routing, *pin, *draft.notices, *shrink, *let_go)
    # What is due already was done in this pass, or waits for something that will wake us.
    times = [time for time in (draft.requeue_at, drained) if time is not None and time > view.now]
    return Plan(rule=draft.rule, effects=effects, requeue_at=min(times, default=None))


def _leave(view: View, draft: Draft, leaving: Leaving, status: ModelDeploymentStatus) -> Plan:
    """The plan of a deletion. Nothing is made any more, and nothing grows."""
    route = _route(view, status) if view.facts.route is not None else None
    effects = farewell(view, leaving, WriteStatus(status=status), route)
    again = draft.requeue_at if draft.requeue_at and draft.requeue_at > view.now else None
    return Plan(rule=draft.rule, effects=(*effects, *draft.notices), requeue_at=again)


def _pin(view: View, draft: Draft) -> list[Effect]:
    """What is to be done about `spec.rollback`."""
    present = view.facts.rollback
    if draft.rollback is not None:
        if present is not None and _same(present, draft.rollback):
            return []
        return [WriteRollback(rollback=draft.rollback)]
    if present is None:
        return []
    if draft.clear:
        return [ClearRollback()]
    if view.wanted is None:
        return []
    gone = present.rejected_revision not in draft.rejected
    # Status remembers the rejection before spec forgets it.
    remembered = {entry.revision for entry in view.status.rejected_revisions}
    superseded = present.rejected_revision != view.wanted.name and present.rejected_revision in remembered
    return [ClearRollback()] if gone or superseded else []


def _same(a: Rollback, b: Rollback) -> bool:
    return (a.rejected_revision, a.to_revision) == (b.rejected_revision, b.to_revision)


def _status(view: View, draft: Draft) -> ModelDeploymentStatus:
    """Status as it is to be; evidence goes with a transition, a change of verdict, or every ten minutes."""
    old = view.status
    shares = {
        entry.revision: weight
        for entry, weight in shares_of(
            old.model_copy(update={"stable": draft.stable, "candidate": draft.candidate}), draft.plan
        )
    }
    stable = draft.stable and draft.stable.model_copy(update=_live(view, draft.stable, shares))
    candidate = draft.candidate and draft.candidate.model_copy(update=_live(view, draft.candidate, shares))
    new = ModelDeploymentStatus(
        observed_generation=view.facts.generation,
        phase=draft.display.phase,
        plan=draft.plan,
        stable=stable,
        candidate=candidate,
        previous=draft.previous,
        promoted_at=draft.promoted_at,
        paused=draft.paused if draft.candidate else None,
        selector=_selector(view, stable, candidate),
        replicas=sum(_desired(view, entry) for entry in (stable, candidate)),
        summary=summary(draft),
        rejected_revisions=_newest(list(draft.rejected.values())),
        last_request=draft.request,
        history=list(draft.history),
        format=max(FORMAT, old.format or 0),
    )
    same_scope = scope_of(new, new.plan) == view.scope
    verdicts = _verdicts(view, draft, same_scope=same_scope)
    new = new.model_copy(update={"conditions": conditions(view, draft, verdicts)})
    kept = {"analysis": old.analysis, "evidence": old.evidence, "conditions": _calm(old, new)}
    if new.model_copy(update=kept) == old and not _due(view):
        return old
    same_rollout = old.plan is not None and draft.plan is not None and old.plan.id == draft.plan.id
    analysis = [analysis_of(verdict) for verdict in verdicts] or (old.analysis if same_rollout else None)
    # Of the step that is left too: what is carried from step to step begins with it.
    evidence = view.evidence.to_dict() if view.evidence is not None and (same_scope or same_rollout) else None
    if same_scope and new.candidate is not None:
        # A write of status says that all was well before it, also when the route cannot be put back now.
        new = new.model_copy(update={"candidate": with_lost(view, new.candidate)})
    return new.model_copy(update={"analysis": analysis, "evidence": evidence})


def _calm(old: ModelDeploymentStatus, new: ModelDeploymentStatus) -> list[Condition]:
    """The conditions with what is said of the analysis as it was: that goes with the evidence."""
    known = {item.type: item for item in old.conditions}
    kind = ConditionType.ANALYSIS_PASSED.value
    return [known.get(kind, item) if item.type == kind else item for item in new.conditions]


def _verdicts(view: View, draft: Draft, *, same_scope: bool) -> tuple[Verdict, ...]:
    """The verdicts to show: those that ended a rollout stay, a new step begins without any proof."""
    if same_scope or draft.back or draft.plan is None or draft.stable is None:
        return view.verdicts
    if draft.candidate is not None and draft.candidate.step == 0:
        return ()
    if draft.candidate is None and draft.previous is None:
        return view.verdicts
    checks = judgement_plan(draft.plan, baking=draft.candidate is None, facts=view.facts)
    return judge(None, checks, now=view.now)


def _selector(view: View, stable: StableStatus | None, candidate: StableStatus | None) -> str | None:
    """The pods that serve, as a label selector: what an autoscaler measures."""
    serving = [entry for entry in (stable, candidate) if entry is not None and (entry.weight or not stable)]
    if not serving:
        return None
    names = ",".join(entry.revision for entry in serving)
    return f"{labels.DEPLOYMENT}={view.facts.name},{labels.REVISION} in ({names})"


def _desired(view: View, entry: StableStatus | None) -> int:
    workload = view.workload(entry.revision) if entry is not None else None
    return (workload.desired or 0) if workload else 0


def _newest(entries: list[RejectedRevision]) -> list[RejectedRevision]:
    return sorted(entries, key=lambda entry: entry.time)[-REJECTIONS:]


def _live(view: View, entry: StableStatus, shares: dict[str, int]) -> dict[str, int]:
    return {"weight": shares.get(entry.revision, 0), "ready_replicas": view.ready(entry.revision)}


def analysis_of(verdict: Verdict) -> AnalysisStatus:
    """A verdict as status has it."""
    return AnalysisStatus(
        metric=verdict.metric,
        verdict=verdict.outcome.value,
        tier=verdict.tier.value if verdict.tier else None,
        value=verdict.value,
        baseline=verdict.baseline,
        interval=list(verdict.interval) if verdict.interval else None,
        n=verdict.n,
        threshold=verdict.threshold,
        eta=verdict.eta,
        message=verdict.message[:2048],
        query=verdict.query[:4096],
    )


def _due(view: View) -> bool:
    """Whether what is counted is worth a write: a verdict is new, or ten minutes have passed.

    A check that was proved and is not seen for a look is no news: flaky data would make a write of each look.
    """
    if not view.verdicts:
        return False
    known = {entry.metric: entry.verdict for entry in view.status.analysis or []}
    for verdict in view.verdicts:
        before, now = known.get(verdict.metric), verdict.outcome
        if before != now.value and (before != Outcome.PASS.value or now is Outcome.FAIL):
            return True
    written = view.facts.status_written
    return written is None or view.now - written >= CHECKPOINT_EVERY


def _route(view: View, status: ModelDeploymentStatus) -> RoutePlan | None:
    """The wanted route: the weights of status. None before there is a stable revision."""
    shares = shares_of(status, status.plan)
    if not shares or not view.hosts:
        return None
    return RoutePlan(
        hosts=view.hosts,
        gateways=view.gateways,
        destinations=tuple(
            Destination(revision=view.revision(entry), weight=weight) for entry, weight in shares if weight
        ),
        mark=_mark(view, status, shares),
    )


def _mark(
    view: View, status: ModelDeploymentStatus, shares: tuple[tuple[RevisionStatus, int], ...]
) -> StepMark:
    """The step annotation: kept in the same scope, so that a repaired route does not restart a hold."""
    scope = scope_of(status, status.plan)
    since = acknowledged(view.facts, scope)
    if since is not None:
        return StepMark(scope=scope, time=since)
    live = view.facts.route
    waits = status.candidate is None or status.candidate.step == 0
    promoted = status.stable is not None and status.plan and status.stable.revision == status.plan.revision
    if live is not None and live.mark is not None and waits and not promoted:
        # Weights that stay as they are need no new acknowledgement.
        same = {entry.service: weight for entry, weight in shares if weight}
        if {service: weight for service, weight in live.weights.items() if weight} == same:
            return live.mark
    return StepMark(scope=scope, time=view.now)


def _needed(view: View, draft: Draft, status: ModelDeploymentStatus) -> dict[str, tuple[RevisionStatus, int]]:
    """The revisions that must have pods, and how many."""
    spec = view.facts.spec
    assert spec is not None  # noqa: S101 - the caller looked
    needed: dict[str, tuple[RevisionStatus, int]] = {}
    if status.previous is not None:
        warm = view.workload(status.previous.revision)
        needed[status.previous.revision] = (
            status.previous,
            (warm.desired if warm else None) or spec.replicas,
        )
    if status.stable is not None:
        needed[status.stable.revision] = (status.stable, spec.replicas)
    if draft.warm is not None:
        needed.setdefault(draft.warm.revision, (draft.warm, spec.replicas))
    if status.candidate is not None:
        needed[status.candidate.revision] = (status.candidate, _candidate_replicas(view, draft, status))
    return needed


def _workloads(
    view: View, draft: Draft, status: ModelDeploymentStatus
) -> tuple[list[Effect], list[Effect], datetime | None]:
    """What must grow, what may shrink, and when something else may."""
    spec = view.facts.spec
    if spec is None:
        return [], [], None
    needed = _needed(view, draft, status)
    grow: list[Effect] = []
    shrink: list[Effect] = []
    for name, (entry, replicas) in needed.items():
        revision, state = view.revision(entry), view.workload(name)
        if state is None or state.desired is None:
            if revision.template:
                grow.append(CreateRevision(revision=revision, replicas=replicas))
            continue
        if _lost_service(view, state):
            grow.append(CreateService(revision=revision))
        if state.desired != replicas:
            (grow if (state.desired or 0) < replicas else shrink).append(
                Scale(revision=revision, replicas=replicas)
            )
    return grow, shrink, _let_go(view, set(needed), shrink)


def _candidate_replicas(view: View, draft: Draft, status: ModelDeploymentStatus) -> int:
    """Pods for the weight the candidate has, or is about to get; never fewer than it has."""
    spec, plan, candidate = view.facts.spec, status.plan, status.candidate
    assert spec is not None  # noqa: S101
    assert plan is not None  # noqa: S101
    assert candidate is not None  # noqa: S101
    if status.stable is None or candidate.direct:
        return spec.replicas
    weight = max(weight_at(plan, max(1, candidate.step)), draft.capacity or 0)
    state = view.workload(candidate.revision)
    has = (state.desired or 0) if state and candidate.step > 0 else 0
    return max(replicas_for(spec.replicas, min(weight, MAX_WEIGHT)), min(has, spec.replicas))


def _lost_service(view: View, state: WorkloadState) -> bool:
    made = state.created
    return not state.has_service and made is not None and view.now - made > SERVICE_GRACE


def _let_go(view: View, needed: set[str], shrink: list[Effect]) -> datetime | None:
    """Revisions that nobody needs: to 0 once drained, away when too many. Gives the next time to look."""
    spec, route = view.facts.spec, view.facts.route
    assert spec is not None  # noqa: S101
    later: datetime | None = None
    idle: list[WorkloadState] = []
    for name, state in sorted(view.facts.workloads.items()):
        if name in needed or state.desired is None:
            continue
        if state.desired == 0:
            idle.append(state)
            continue
        if route is not None and route.weights.get(state.revision.service):
            # Its traffic is being taken away in this pass; the route's own event wakes us.
            continue
        # A route that is gone cannot say since when: our last word can.
        last = route.mark.time if route is not None and route.mark else view.facts.status_written
        over = (last or view.now) + spec.drain
        if view.facts.clock is not None:
            over = max(over, view.now + CLOCK_AGAIN)
        if over > view.now:
            later = min(over, later or over)
            continue
        shrink.append(Scale(revision=state.revision, replicas=0))
    wanted = view.wanted.name if view.wanted else None
    idle.sort(key=lambda state: state.created or view.now, reverse=True)
    shrink.extend(
        DeleteRevision(revision=state.revision)
        for state in idle[spec.revision_history_limit :]
        if state.revision.name != wanted
    )
    return later
