"""What people and programs are told: conditions, and the columns of `kubectl get`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.conditions import Condition, ConditionStatus, ConditionType
from modelramp.api.status import ModelDeploymentStatus, Phase, Summary
from modelramp.judgement.verdict import Outcome, Verdict
from modelramp.rollout.facts import FINALIZER_WRITE, ROLLBACK, ROUTE
from modelramp.rollout.policy import last_index

if TYPE_CHECKING:
    from modelramp.rollout.draft import Draft
    from modelramp.rollout.view import View

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
_Said = tuple[ConditionStatus, str, str]


def summary(draft: Draft) -> Summary:
    """Step of all steps, and what is going on."""
    step = "-"
    going = draft.candidate is not None and not draft.candidate.direct
    if going and draft.candidate is not None and draft.plan is not None and draft.stable is not None:
        step = f"{draft.candidate.step}/{last_index(draft.plan)}"
    return Summary(step=step, text=(draft.display.text or draft.display.reason)[:253])


def conditions(view: View, draft: Draft, verdicts: tuple[Verdict, ...]) -> list[Condition]:
    """All conditions; `lastTransitionTime` moves only with the status."""
    display = draft.display
    told = (display.reason, display.message[:2048])
    moving = not display.ready and not display.stalled
    said: dict[ConditionType, _Said] = {
        ConditionType.READY: (_TRUE if display.ready else _FALSE, *told),
        ConditionType.RECONCILING: (_TRUE if moving else _FALSE, *told),
        ConditionType.STALLED: (_TRUE if display.stalled else _FALSE, *told),
        ConditionType.AVAILABLE: _available(view, draft),
        ConditionType.PROMOTED: _promoted(draft),
        ConditionType.ROLLED_BACK: (
            (_TRUE, *told)
            if display.phase is Phase.ROLLED_BACK
            else (_FALSE, "NotRolledBack", "the wanted revision is not rejected")
        ),
        ConditionType.PAUSED: (
            (_TRUE, *told)
            if display.phase is Phase.PAUSED
            else (_FALSE, "NotPaused", "nothing waits for a person")
        ),
        ConditionType.ANALYSIS_PASSED: _analysis(verdicts),
        ConditionType.TRAFFIC_CONFIGURED: _traffic(view, draft),
        ConditionType.VERSION_RESOLVED: _resolved(view),
        **_refused_writes(view),
    }
    known = {condition.type: condition for condition in view.status.conditions}
    made = []
    for kind, (status, reason, message) in said.items():
        before = known.get(kind)
        since = before.last_transition_time if before and before.status is status else view.now
        made.append(
            Condition(
                type=kind,
                status=status,
                observed_generation=view.facts.generation,
                last_transition_time=since,
                reason=reason,
                message=message,
            )
        )
    return made


def stamped(status: ModelDeploymentStatus, generation: int) -> ModelDeploymentStatus:
    """The status, speaking of another generation: after our own write of `spec.rollback`."""
    if all(number == generation for number in (status.observed_generation, *_generations(status))):
        return status
    speaking = [item.model_copy(update={"observed_generation": generation}) for item in status.conditions]
    return status.model_copy(update={"observed_generation": generation, "conditions": speaking})


def _generations(status: ModelDeploymentStatus) -> list[int | None]:
    return [item.observed_generation for item in status.conditions]


def _available(view: View, draft: Draft) -> _Said:
    if draft.stable is None:
        return _FALSE, "NoStable", "no revision serves yet"
    if view.ready(draft.stable.revision):
        return _TRUE, "StableReady", f"{draft.stable.revision} has ready pods"
    return _FALSE, "StableUnready", f"{draft.stable.revision} has no ready pod"


def _promoted(draft: Draft) -> _Said:
    plan, stable = draft.plan, draft.stable
    if (
        stable is not None
        and draft.candidate is None
        and plan is not None
        and plan.revision == stable.revision
    ):
        return _TRUE, "Promoted", f"{stable.revision} has 100 % of the traffic"
    return _FALSE, "NotPromoted", "the last rollout is not at 100 %"


def _analysis(verdicts: tuple[Verdict, ...]) -> _Said:
    failing = [verdict for verdict in verdicts if verdict.outcome is Outcome.FAIL]
    if failing:
        return _FALSE, failing[0].reason, failing[0].message[:2048]
    if not verdicts:
        return _UNKNOWN, "NothingToJudge", "no revision is being judged"
    waiting = [verdict.metric for verdict in verdicts if verdict.outcome is not Outcome.PASS]
    if waiting:
        return _UNKNOWN, "NotProved", f"not proved yet: {', '.join(waiting)}"
    return _TRUE, "Proved", "every check is proved at this step"


def _traffic(view: View, draft: Draft) -> _Said:
    if view.facts.conflict is not None:
        return _FALSE, "HostConflict", view.facts.conflict[:2048]
    refused = view.facts.refusals.get(ROUTE)
    if refused is not None:
        return _FALSE, refused.reason, refused.message[:2048]
    if draft.stable is None:
        return _FALSE, "NoStable", "there is no route before the first revision is ready"
    return _TRUE, "RouteOwned", "the route has the weights of status"


def _resolved(view: View) -> _Said:
    if view.unresolved is not None:
        return _FALSE, view.unresolved.reason, view.unresolved.message[:2048]
    return _TRUE, "Resolved", f"the wanted revision is {view.wanted.name if view.wanted else ''}"


def _refused_writes(view: View) -> dict[ConditionType, _Said]:
    """Only while a write of `spec.rollback`, or of the finalizer, is refused."""
    kinds = {ROLLBACK: ConditionType.SPEC_WRITTEN, FINALIZER_WRITE: ConditionType.FINALIZER_WRITTEN}
    return {
        kind: (_FALSE, refused.reason, refused.message[:2048])
        for what, kind in kinds.items()
        if (refused := view.facts.refusals.get(what)) is not None
    }
