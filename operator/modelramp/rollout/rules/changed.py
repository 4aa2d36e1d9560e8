"""Rules for a spec that has changed in mid-rollout, or that cannot be followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import FORMAT, Phase, RolloutOutcome
from modelramp.rollout.draft import Display, Draft, ended, unchanged
from modelramp.rollout.moves import begin, percent, serving, with_bake_end
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import restarts
from modelramp.rollout.targets import is_way_back

if TYPE_CHECKING:
    from modelramp.rollout.view import View


def reverted_or_superseded(view: View) -> Draft | None:
    """Another revision is wanted in mid-rollout: stable ends it at once, any other starts anew."""
    wanted, candidate, stable = view.wanted, view.status.candidate, view.status.stable
    if wanted is None or candidate is None:
        return None
    if stable is not None and wanted.name == stable.revision:
        message = f"{candidate.revision} goes to 0 %: {stable.revision} is wanted again"
        draft = unchanged(view, rule="reverted_or_superseded", display=serving(stable, None))
        history = ended(view, candidate, RolloutOutcome.REVERTED)
        notice = Notice(reason="Reverted", message=message)
        return draft.but(candidate=None, history=history, notices=(notice,), back=True)
    spec, plan = view.facts.spec, view.plan
    if wanted.name != candidate.revision or (spec and plan and restarts(plan, spec)):
        return begin(view, wanted, rule="reverted_or_superseded", direct=is_way_back(view, wanted))
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
    return with_bake_end(view, unchanged(view, rule="invalid_spec", display=display))


def newer_format(view: View) -> Draft | None:
    """Status is another release's, and says more than can be read here: nothing moves forward."""
    if not view.newer:
        return None
    candidate, stable = view.status.candidate, view.status.stable
    stays = f"; {candidate.revision} stays at {percent(view)} %" if candidate and stable else ""
    serves = f"; {stable.revision} keeps serving" if stable else ""
    message = (
        f"status has format {view.status.format}, this release reads {FORMAT}{stays}{serves}:"
        " run the release that wrote it, or a later one; a failing check, abort and rollback still take back"
    )
    display = Display(
        phase=Phase.PROGRESSING if candidate else Phase.PENDING,
        reason="NewerFormat",
        message=message,
        stalled=True,
    )
    return unchanged(view, rule="newer_format", display=display)


def host_conflict(view: View) -> Draft | None:
    """Another route has our host: nothing moves forward."""
    conflict, status = view.facts.conflict, view.status
    if conflict is None:
        return None
    if status.candidate is None and status.stable is not None and view.facts.route is not None:
        # What serves here keeps serving; the condition TrafficConfigured tells of it.
        wanted = view.wanted.name if view.wanted else None
        if wanted == status.stable.revision:
            return None
    display = Display(phase=Phase.PENDING, reason="HostConflict", message=conflict, stalled=True)
    return unchanged(view, rule="host_conflict", display=display)
