"""What is to be observed, from what follows of the facts: the same for the operator and for who looks on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.controller import questions
from modelramp.controller.book import Subject
from modelramp.judgement.verdict import Arm
from modelramp.metrics.service import ServiceRef

if TYPE_CHECKING:
    from modelramp.api.status import RevisionStatus
    from modelramp.controller.book import Key
    from modelramp.rollout.view import View


def subject_of(key: Key, view: View) -> Subject | None:
    """What is to be observed of a ModelDeployment now; None: nothing is judged."""
    stable, candidate = view.status.stable, view.status.candidate
    if view.facts.deletion or view.checks is None or view.ack is None or stable is None:
        return None
    arms = {Arm.CANDIDATE: _service(view, candidate or stable)}
    if candidate is not None:
        arms[Arm.STABLE] = _service(view, stable)
    return Subject(
        key=key,
        scope=view.scope,
        since=view.ack,
        arms=arms,
        plan=view.checks,
        checkpoint=view.facts.checkpoint,
        selections=questions.selections(view.plan.analysis) if view.plan else {},
    )


def _service(view: View, entry: RevisionStatus) -> ServiceRef:
    revision = view.revision(entry)
    facts = view.facts
    return ServiceRef(facts.namespace, revision.service, revision.port, facts.name, revision.name)
