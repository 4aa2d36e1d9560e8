"""`decide(facts) -> Plan`: the one place where it is decided what happens to a ModelDeployment."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.api.status import (
    FORMAT,
    RequestResult,
    RequestStatus,
    StableStatus,
)
from modelramp.rollout.assemble import assemble
from modelramp.rollout.draft import Draft, identity
from modelramp.rollout.facts import APEX, ROUTE
from modelramp.rollout.plan import Notice, Plan
from modelramp.rollout.rules import RULES
from modelramp.rollout.targets import remembered
from modelramp.rollout.view import View, look

if TYPE_CHECKING:
    from modelramp.rollout.facts import Facts, Request

KNOWN_ACTIONS = ("abort", "pause", "promote", "resume", "retry", "rollback", "skip-step")


def decide(facts: Facts) -> Plan:
    """What is to be written now, in order, and when to look again. Pure: no clock, no logger, no I/O."""
    view = look(adopt(facts))
    draft = next(draft for rule in RULES if (draft := rule(view)) is not None)
    return assemble(view, _answered(view, _routed(view, draft)))


def adopt(facts: Facts) -> Facts:
    """Facts with the stable revision that other objects remember, when status has been lost.

    Only with neither is a revision the first one, which goes to 100 % when it is ready.
    """
    status, candidate = facts.status, facts.status.candidate
    if status.stable is not None:
        if candidate is not None and candidate.revision == status.stable.revision:
            # Nothing of ours writes that; whoever did must not split the traffic of one revision.
            return replace(facts, status=status.model_copy(update={"candidate": None}))
        return facts
    revision = remembered(facts)
    if revision is None:
        return facts
    stable = StableStatus(**identity(revision))
    if candidate is not None and candidate.revision == stable.revision:
        candidate = None
    newest = max(FORMAT, status.format or 0)
    known = status.model_copy(update={"stable": stable, "candidate": candidate, "format": newest})
    if facts.request is None or status.last_request is not None:
        return replace(facts, status=known)
    # Whether it was answered is lost as well: carried out again, it could go on without proof.
    answered = known.model_copy(update={"last_request": _forgotten(facts.request)})
    return replace(facts, status=answered, request=None)


def _forgotten(request: Request) -> RequestStatus:
    return RequestStatus(
        id=request.id,
        action=request.action,
        result=RequestResult.REFUSED,
        message="status was lost, and with it whether this was done: ask again with another id",
    )


def _routed(view: View, draft: Draft) -> Draft:
    """The draft, not telling of traffic that the route does not have: its write is refused."""
    refused = view.facts.refusals.get(ROUTE) or view.facts.refusals.get(APEX)
    if refused is None or draft.stable is None:
        return draft
    display = replace(
        draft.display,
        reason=refused.reason,
        message=f"the route is not as decided: {refused.message}",
        text=refused.reason,
        ready=False,
        stalled=True,
    )
    return draft.but(display=display)


def _answered(view: View, draft: Draft) -> Draft:
    """The draft with a refusal, when a request was not what the rule acted on. Each id is answered once."""
    request = view.facts.request
    if request is None or (draft.request is not None and draft.request.id == request.id):
        return draft
    if _pending(draft):
        return draft
    refused = RequestStatus(
        id=request.id,
        action=request.action,
        result=RequestResult.REFUSED,
        message=_refusal(view, request),
    )
    notice = Notice(reason="RequestRefused", message=f"{request.action}: {refused.message}", warning=True)
    return draft.but(request=refused, notices=(*draft.notices, notice))


def _pending(draft: Draft) -> bool:
    """Whether the request is being carried out but waits for pods: it is answered when it is done."""
    return draft.rule in ("promote_or_skip_requested", "retry_requested")


def _refusal(view: View, request: Request) -> str:  # noqa: PLR0911 - one sentence for each thing to say
    action, candidate = request.action, view.status.candidate
    if view.newer:
        return "status is of a newer release: only abort and rollback are done by this one"
    if action not in KNOWN_ACTIONS:
        return f"unknown action {action!r}; known are {', '.join(KNOWN_ACTIONS)}"
    if action == "retry":
        wanted = view.wanted.name if view.wanted else "the wanted revision"
        return f"{candidate.revision} is on its way already" if candidate else f"{wanted} is not rejected"
    if action == "rollback":
        if not request.reason:
            return "rollback needs a reason: set the annotation modelramp.dev/request-reason with it"
        named = f" that is {request.to}" if request.to else ""
        return (
            f"there is no revision{named} that completed here, is not rejected and still has its Deployment"
        )
    if candidate is None:
        return "nothing is on its way"
    if action == "abort":
        return "this is the first revision: there is nothing to go back to"
    if action in ("pause", "resume"):
        return f"{action} is not possible now; spec.paused is the spec's to change"
    if view.status.paused is not None or (view.facts.spec and view.facts.spec.paused):
        return "it is paused: ask for resume first"
    return 'this step is not proved; wait, or set modelramp.dev/request-override to "true" as well'
