"""Rules that move on, and the end of the chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import Phase
from modelramp.rollout.draft import Display, Draft, unchanged
from modelramp.rollout.moves import bake_until, begin, clock, promote, serving, step, with_bake_end
from modelramp.rollout.policy import MAX_WEIGHT, last_index, replicas_for, weight_at
from modelramp.rollout.targets import is_way_back

if TYPE_CHECKING:
    from modelramp.rollout.view import View


def next_step(view: View) -> Draft | None:
    """All is proved: the next weight, once the pods for it are ready.

    The first revision, and one that its author goes back to, take one step to 100 %.
    """
    candidate, plan, spec = view.status.candidate, view.plan, view.facts.spec
    if candidate is None or plan is None or spec is None:
        return None
    at_once = view.status.stable is None or candidate.direct
    index = last_index(plan) if at_once else candidate.step + 1
    weight = weight_at(plan, index)
    needed, ready = replicas_for(spec.replicas, weight), view.ready(candidate.revision)
    if ready < needed:
        return waiting_for_pods(view, needed, ready, weight)
    if weight < MAX_WEIGHT:
        return step(view, index, rule="next_step")
    return promote(view, rule="next_step")


def waiting_for_pods(view: View, needed: int, ready: int, weight: int) -> Draft:
    """Capacity before weight: what the pods are waiting for."""
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
    pods = "1 ready pod" if needed == 1 else f"{needed} ready pods"
    message = f"{weight} % needs {pods} of {name}, {ready} so far: {why}"
    phase = Phase.DEPLOYING if candidate.step == 0 else Phase.PROGRESSING
    text = f"{reason}: {ready}/{needed} pods ready"
    display = Display(phase=phase, reason=reason, message=message, text=text)
    draft = unchanged(view, rule="next_step", display=display).but(capacity=weight)
    known = (candidate.step_started_at, workload and workload.unready_since, workload and workload.scheduled)
    since = max((time for time in known if time), default=view.now)
    return draft.but(requeue_at=since + view.facts.spec.progress_deadline) if view.facts.spec else draft


def bake(view: View) -> Draft | None:
    """Promoted: the one before stays warm and judgement goes on until the bake ends."""
    status, stable = view.status, view.status.stable
    if not view.baking or status.previous is None or stable is None:
        return None
    if view.wanted is not None and view.wanted.name != stable.revision:
        return None
    until = bake_until(view, status.previous)
    if until is None or view.now < until:
        # What was told at the promotion stays told, as long as it is true.
        told = status.previous.keep_until
        shown = clock(told if until is None or view.now < told else until)
        return unchanged(view, rule="bake", display=serving(stable, shown)).but(requeue_at=until)
    return with_bake_end(view, unchanged(view, rule="bake", display=serving(stable, None)))


def start(view: View) -> Draft | None:
    """A revision is wanted that does not serve yet."""
    wanted, stable = view.wanted, view.status.stable
    if wanted is None or (stable is not None and stable.revision == wanted.name):
        return None
    return begin(view, wanted, rule="start", direct=is_way_back(view, wanted))


def idle(view: View) -> Draft:
    """What is wanted serves."""
    stable = view.status.stable
    assert stable is not None  # noqa: S101 - without one the rules before have answered
    return unchanged(view, rule="idle", display=serving(stable, None))
