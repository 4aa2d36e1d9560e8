"""Rules for what people ask for on the way: pause, resume, promote, skip-step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import PauseCause, PausedStatus, Phase, RequestResult, RequestStatus
from modelramp.rollout.draft import Display, Draft, unchanged
from modelramp.rollout.moves import percent, promote, step
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import MAX_WEIGHT, last_index, replicas_for, weight_at
from modelramp.rollout.rules.forward import waiting_for_pods

if TYPE_CHECKING:
    from modelramp.rollout.facts import Request
    from modelramp.rollout.view import View

FORWARD = ("promote", "skip-step")


def done(request: Request, message: str) -> RequestStatus:
    """The answer to a request that was carried out."""
    return RequestStatus(id=request.id, action=request.action, result=RequestResult.DONE, message=message)


def pause_requested(view: View) -> Draft | None:
    """A person wants the rollout to stay. Judgement goes on, and so does the clock of the hold."""
    request, candidate = view.facts.request, view.status.candidate
    if request is None or request.action != "pause" or candidate is None:
        return None
    message = f"{candidate.revision} stays at {percent(view)} % until it is resumed"
    pause = PausedStatus(
        by=request.by, reason=request.reason or "requested", since=view.now, cause=PauseCause.REQUEST
    )
    draft = unchanged(view, rule="pause_requested", display=_paused(view, pause))
    notice = Notice(reason="Paused", message=message)
    return draft.but(paused=pause, request=done(request, message), notices=(*draft.notices, notice))


def resume_requested(view: View) -> Draft | None:
    """A person lets it go on; after a pause for want of proof, for another maxHold."""
    request, candidate, pause = view.facts.request, view.status.candidate, view.status.paused
    if request is None or request.action != "resume" or candidate is None or pause is None:
        return None
    message = f"{candidate.revision} goes on from {percent(view)} %"
    display = Display(phase=Phase.PROGRESSING, reason="Resumed", message=message)
    draft = unchanged(view, rule="resume_requested", display=display)
    kept = draft.candidate and draft.candidate.model_copy(update={"resumed_at": view.now})
    notice = Notice(reason="Resumed", message=message)
    return draft.but(
        paused=None,
        candidate=kept,
        request=done(request, message),
        notices=(*draft.notices, notice),
        requeue_at=view.now,
    )


def paused(view: View) -> Draft | None:
    """Steps are frozen: by a person, by the spec, or for want of proof until there is one."""
    candidate, pause = view.status.candidate, view.status.paused
    if candidate is None:
        return _not_begun(view)
    by_spec = view.facts.spec is not None and view.facts.spec.paused
    if pause is None and not by_spec:
        return None
    if pause is not None and pause.cause is PauseCause.NOT_PROVED and not by_spec:
        proved = not view.unproved and view.blind is None
        if proved or _overrides(view):
            return None
    if view.ack is None and candidate.step > 0:
        # A step that was decided is finished first: the route must not stand between two weights.
        return None
    shown = pause or PausedStatus(
        by="", reason="spec.paused is true", since=view.now, cause=PauseCause.REQUEST
    )
    return unchanged(view, rule="paused", display=_paused(view, shown))


def _not_begun(view: View) -> Draft | None:
    wanted, stable, spec = view.wanted, view.status.stable, view.facts.spec
    if spec is None or not spec.paused or wanted is None or stable is None or wanted.name == stable.revision:
        return None
    message = f"{wanted.name} does not begin: spec.paused is true; {stable.revision} serves"
    display = Display(phase=Phase.PAUSED, reason="Paused", message=message)
    return unchanged(view, rule="paused", display=display)


def _paused(view: View, pause: PausedStatus) -> Display:
    candidate = view.status.candidate
    name = candidate.revision if candidate else ""
    who = f" by {pause.by}" if pause.by else ""
    if pause.cause is PauseCause.NOT_PROVED:
        metrics = ", ".join(verdict.metric for verdict in view.unproved)
        stays = f"{name} stays at {percent(view)} %"
        if view.blind:
            message = f"{stays}, maxHold has passed: {view.blind}. It goes on by itself with data"
        else:
            message = (
                f"{stays}, maxHold has passed without proof for {metrics}: it goes on by itself with it."
                " More traffic brings it sooner; or ask for skip-step with override, or abort"
            )
        return Display(phase=Phase.PAUSED, reason="NotProved", message=message, text="Paused: NotProved")
    where = f"{name} stays at {percent(view)} %"
    message = f"{where}: paused{who} ({pause.reason}); a failing check still takes it back"
    return Display(phase=Phase.PAUSED, reason="Paused", message=message)


def _overrides(view: View) -> bool:
    request = view.facts.request
    return request is not None and request.action in FORWARD and request.override


def promote_or_skip_requested(view: View) -> Draft | None:
    """A person wants to go on before the hold is over: this step's proof is needed, or an override."""
    request, candidate, plan = view.facts.request, view.status.candidate, view.plan
    spec, stable = view.facts.spec, view.status.stable
    if request is None or request.action not in FORWARD or candidate is None or plan is None:
        return None
    if spec is None or stable is None or candidate.step == 0:
        return None
    if not request.override and (view.unproved or view.blind):
        return None
    index = last_index(plan) if request.action == "promote" else candidate.step + 1
    weight = weight_at(plan, index)
    needed, ready = replicas_for(spec.replicas, weight), view.ready(candidate.revision)
    if ready < needed:
        return waiting_for_pods(view, needed, ready, weight).but(rule="promote_or_skip_requested")
    draft = (
        promote(view, rule="promote_or_skip_requested")
        if weight == MAX_WEIGHT
        else step(view, index, rule="promote_or_skip_requested")
    )
    how = " without proof, by override" if request.override and view.unproved else ""
    return draft.but(paused=None, request=done(request, f"{candidate.revision} goes to {weight} %{how}"))
