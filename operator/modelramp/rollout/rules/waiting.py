"""Rules that keep the candidate where it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from modelramp.api.status import PauseCause, PausedStatus, Phase
from modelramp.rollout import faults
from modelramp.rollout.draft import Display, Draft, unchanged
from modelramp.rollout.moves import clock, holding, percent
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import hold_at, last_index, max_hold_at, weight_at

if TYPE_CHECKING:
    from modelramp.rollout.view import View

# Pods of the next step are started so long before the hold ends: what most models need to start.
LEAD = timedelta(seconds=60)
CLOCK_AGAIN = timedelta(seconds=5)


def stable_unready(view: View) -> Draft | None:
    """Stable has no ready pod in mid-rollout: hold."""
    candidate, stable = view.status.candidate, view.status.stable
    if candidate is None or stable is None or candidate.direct or view.ready(stable.revision):
        return None
    message = (
        f"{stable.revision} has no ready pod; {candidate.revision} stays at {percent(view)} % until then"
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
    weight = weight_at(plan, candidate.step)
    where = f"step {candidate.step} of {last_index(plan)}"
    message = f"{where}: the route is to give {weight} % to {candidate.revision}"
    display = Display(phase=Phase.PROGRESSING, reason="StepEntered", message=message)
    return unchanged(view, rule="not_acknowledged", display=display)


def clock_differs(view: View) -> Draft | None:
    """Our clock is not that of the servers: no time of this rollout can be trusted, so nothing moves on."""
    candidate, stable = view.status.candidate, view.status.stable
    if view.facts.clock is None or candidate is None or stable is None or candidate.direct:
        return None
    message = f"{candidate.revision} stays at {percent(view)} %: {view.facts.clock}"
    display = Display(phase=Phase.PROGRESSING, reason="Blind", message=message, text="Blind: clock differs")
    return unchanged(view, rule="clock_differs", display=display).but(requeue_at=view.now + CLOCK_AGAIN)


def hold(view: View) -> Draft | None:
    """The step's time has not passed; time in which the route was wrong does not count."""
    candidate, plan = view.status.candidate, view.plan
    if candidate is None or plan is None or view.ack is None or candidate.step == 0:
        return None
    until = view.ack + hold_at(plan, candidate.step) + _lost(view)
    if view.now >= until:
        return None
    # Told by the time of the decision, as it was then: the route follows within the same moment.
    told = clock(until - (view.ack - (candidate.step_started_at or view.ack)))
    display = holding(weight_at(plan, candidate.step), candidate.step, last_index(plan), told)
    draft = unchanged(view, rule="hold", display=display)
    early = until - LEAD
    if view.now < early:
        return draft.but(requeue_at=early)
    # What is proved already gets the pods of the next step now, so that the step does not wait for them.
    capacity = None if view.unproved or view.blind else weight_at(plan, candidate.step + 1)
    return draft.but(requeue_at=until, capacity=capacity)


def _lost(view: View) -> timedelta:
    candidate = view.status.candidate
    return timedelta(seconds=candidate.lost_seconds if candidate else 0.0) + view.lost


def not_proved(view: View) -> Draft | None:
    """The time has passed but a check is not proved, or nothing is seen: stay; at maxHold ask a person."""
    candidate, plan = view.status.candidate, view.plan
    if candidate is None or view.status.stable is None or candidate.step == 0:
        return None
    if plan is None or view.ack is None or not (view.unproved or view.blind):
        return None
    names = ", ".join(verdict.metric for verdict in view.unproved)
    where = f"{candidate.revision} stays at {percent(view)} %"
    until = max(view.ack, candidate.resumed_at or view.ack) + max_hold_at(plan, candidate.step) + _lost(view)
    if view.blind is not None:
        message = f"{where}: {view.blind}; nothing moves on without data"
        display = Display(phase=Phase.PROGRESSING, reason="Blind", message=message, text="Blind: no data")
    else:
        message = f"{where} until there is proof for: {names}"
        found = faults.blocking(view.findings)
        if found:
            message += f"; {'; '.join(found.values())}: see condition {' and '.join(found)}"
            names = ", ".join(found)
        display = Display(
            phase=Phase.PROGRESSING, reason="NotProved", message=message, text=f"NotProved: {names}"
        )
    draft = unchanged(view, rule="not_proved", display=display).but(requeue_at=until)
    if view.now < until or view.status.paused is not None:
        return draft
    pause = PausedStatus(reason=message, since=view.now, cause=PauseCause.NOT_PROVED)
    notice = Notice(reason="Paused", message=f"{message}; maxHold has passed", warning=True)
    return draft.but(paused=pause, notices=(*draft.notices, notice), requeue_at=view.now)
