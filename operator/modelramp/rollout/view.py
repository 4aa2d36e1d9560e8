"""What follows from the facts before any decision: where the rollout is, what is proved, what is wrong.

A state is derived from stable, previous and candidate; `phase` is never read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from modelramp.api.status import (
    FORMAT,
    ModelDeploymentStatus,
    PlanStatus,
    RejectedRevision,
    RevisionStatus,
)
from modelramp.judgement.evidence import Evidence
from modelramp.judgement.judge import blind, judge
from modelramp.judgement.verdict import Outcome, Verdict
from modelramp.rollout import faults
from modelramp.rollout.checks import judgement_plan
from modelramp.rollout.facts import Facts, Unresolved, WorkloadState
from modelramp.rollout.policy import MAX_WEIGHT, last_index, refresh, restarts, weight_at
from modelramp.rollout.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.finding import Finding
    from modelramp.judgement.plan import Plan as JudgementPlan

_DEFAULT_PORT = 8080


def scope_of(status: ModelDeploymentStatus, plan: PlanStatus | None) -> str:
    """Name of the stretch of time in which samples count together: `<rollout>/<index>`."""
    if plan is None:
        return "adopted/0"
    if status.candidate is not None:
        return f"{plan.id}/{status.candidate.step}"
    if status.stable is not None and status.stable.revision == plan.revision:
        return f"{plan.id}/{last_index(plan)}"
    return f"{plan.id}/back"


def shares_of(
    status: ModelDeploymentStatus, plan: PlanStatus | None
) -> tuple[tuple[RevisionStatus, int], ...]:
    """Who gets how many percent; from status and plan alone, never from the route. Empty without a stable."""
    if status.stable is None:
        return ()
    weight = weight_at(plan, status.candidate.step) if status.candidate and plan else 0
    stable = (status.stable, MAX_WEIGHT - weight)
    return (stable, (status.candidate, weight)) if status.candidate and weight else (stable,)


def rejections(facts: Facts) -> dict[str, RejectedRevision]:
    """Everything that is rejected: status' memory and `spec.rollback`, by name of the revision."""
    known = {entry.revision: entry for entry in facts.status.rejected_revisions}
    pin = facts.rollback
    if pin is not None and pin.rejected_revision not in known:
        workload = facts.workloads.get(pin.rejected_revision)
        revision = workload.revision if workload else _wanted(facts, pin.rejected_revision)
        known[pin.rejected_revision] = RejectedRevision(
            revision=pin.rejected_revision,
            to_revision=pin.to_revision,
            version=revision.version if revision else pin.rejected_revision.rpartition("-")[0],
            digest=revision.digest if revision else "",
            reason=pin.reason,
            message=pin.message,
            time=pin.time,
        )
    return known


def _wanted(facts: Facts, name: str) -> Revision | None:
    return facts.wanted if isinstance(facts.wanted, Revision) and facts.wanted.name == name else None


def acknowledged(facts: Facts, scope: str) -> datetime | None:
    """When the route took this scope's weights; status remembers it if the route is lost."""
    checkpoint = facts.checkpoint
    if checkpoint is not None and checkpoint.scope == scope:
        return checkpoint.since
    mark = facts.route.mark if facts.route is not None else None
    if mark is None or mark.scope != scope:
        return None
    # Whoever edits the annotation neither shortens a hold nor makes it endless.
    decided = facts.status.candidate.step_started_at if facts.status.candidate else facts.status.promoted_at
    return min(max(mark.time, decided or mark.time), facts.now)


def checkpoint_of(status: ModelDeploymentStatus) -> Evidence | None:
    """The evidence that status remembers; None when absent or unreadable (it is counted anew)."""
    if not status.evidence:
        return None
    try:
        return Evidence.from_dict(status.evidence)
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The facts, and what follows from them.

    Attributes:
        plan: the pinned plan with the user's edits of holds and limits; None before any rollout.
        scope: name of the present stretch of samples.
        ack: since when the route has had this scope's weights; None: not yet.
        wrong_since: since when the route has not been as decided; None when it is, or was never written.
        evidence: what is counted in this scope.
        verdicts: one for each check, as far as the findings let it stand; empty when nothing is being judged.
        findings: what is wrong that the candidate is not to blame for, or not to be judged by.
        blind: why nothing can be seen; None when something can.
        rejected: by name of the revision.
    """

    facts: Facts
    plan: PlanStatus | None
    scope: str
    ack: datetime | None
    wrong_since: datetime | None
    evidence: Evidence | None
    checks: JudgementPlan | None
    verdicts: tuple[Verdict, ...]
    blind: str | None
    rejected: Mapping[str, RejectedRevision]
    findings: tuple[Finding, ...] = ()

    @property
    def now(self) -> datetime:
        """The time of this decision."""
        return self.facts.now

    @property
    def status(self) -> ModelDeploymentStatus:
        """Status as last written."""
        return self.facts.status

    @property
    def wanted(self) -> Revision | None:
        """The revision the user wants, if it can be named."""
        return self.facts.wanted if isinstance(self.facts.wanted, Revision) else None

    @property
    def unresolved(self) -> Unresolved | None:
        """Why the wanted revision cannot be named."""
        return self.facts.wanted if isinstance(self.facts.wanted, Unresolved) else None

    @property
    def newer(self) -> bool:
        """Whether status was written by a release that knows more than this one."""
        return (self.status.format or 0) > FORMAT

    @property
    def baking(self) -> bool:
        """Whether stable is new and the one before it is still warm."""
        return self.status.candidate is None and self.status.previous is not None

    @property
    def failing(self) -> tuple[Verdict, ...]:
        """The verdicts that say no."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is Outcome.FAIL)

    @property
    def unproved(self) -> tuple[Verdict, ...]:
        """The verdicts that do not yet say yes."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is not Outcome.PASS)

    @property
    def lost(self) -> timedelta:
        """Time of this step in which the route was wrong, found out now and not yet in status."""
        return max(timedelta(), self.now - self.wrong_since) if self.wrong_since else timedelta()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the wanted route; those it has when spec cannot be read; empty: there can be none."""
        facts, spec, route = self.facts, self.facts.spec, self.facts.route
        if facts.conflict is not None and route is None:
            return ()
        if spec is None:
            wanted = route.hosts if route is not None else ()
        else:
            apex = f"{facts.name}.{facts.namespace}.svc.cluster.local"
            wanted = (apex, *(spec.traffic.istio.hosts or ()))
        return tuple(host for host in wanted if host not in facts.taken)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The gateways of the wanted route, likewise."""
        spec, route = self.facts.spec, self.facts.route
        if spec is None:
            return route.gateways if route is not None else ()
        return ("mesh", *(spec.traffic.istio.gateways or ()))

    def workload(self, name: str | None) -> WorkloadState | None:
        """A revision's workload as last seen."""
        return self.facts.workloads.get(name) if name else None

    def ready(self, name: str | None) -> int:
        """Ready endpoints of a revision."""
        workload = self.workload(name)
        return workload.ready if workload else 0

    def revision(self, entry: RevisionStatus) -> Revision:
        """The revision that status names, with its template if that is at hand."""
        wanted = self.wanted
        if wanted is not None and wanted.name == entry.revision:
            return wanted
        workload = self.workload(entry.revision)
        if workload is not None:
            return workload.revision
        port = self.facts.spec.port if self.facts.spec else _DEFAULT_PORT
        return Revision(
            name=entry.revision, version=entry.version, digest=entry.digest, service=entry.service, port=port
        )


def _wrong_since(
    facts: Facts, shares: tuple[tuple[RevisionStatus, int], ...], ack: datetime | None
) -> datetime | None:
    if ack is None or not shares:
        return None
    # Before that our own writes say that all was well.
    counted = facts.status.candidate.lost_until if facts.status.candidate else None
    last_right = max(time for time in (ack, facts.status_written, counted) if time)
    if facts.route is None:
        return last_right
    live = {service: weight for service, weight in facts.route.weights.items() if weight}
    if live == {entry.service: weight for entry, weight in shares}:
        return None
    return max(last_right, facts.route.edited or last_right)


def look(facts: Facts) -> View:
    """Derives the view. Pure."""
    view = outline(facts)
    if view.checks is None:
        return view
    judged = replace(
        view,
        verdicts=judge(view.evidence, view.checks, now=facts.now),
        blind=blind(view.evidence, view.checks, now=facts.now),
    )
    found = faults.findings(judged)
    return replace(judged, verdicts=faults.applied(judged.verdicts, found), findings=found)


def outline(facts: Facts) -> View:
    """The view without verdicts: what is to be counted, without the cost of judging it."""
    status, plan = facts.status, facts.status.plan
    usable = facts.spec if not (isinstance(facts.wanted, Unresolved) and facts.wanted.invalid) else None
    if plan is not None and status.candidate and usable and not restarts(plan, usable):
        plan = refresh(plan, usable)
    scope = scope_of(status, plan)
    ack = acknowledged(facts, scope)
    judged = _is_judged(status, plan, ack)
    known = (facts.evidence, facts.checkpoint)
    evidence = next((item for item in known if item is not None and item.scope == scope), None)
    checks = None
    if judged and plan is not None:
        checks = judgement_plan(plan, baking=status.candidate is None, facts=facts)
    return View(
        facts=facts,
        plan=plan,
        scope=scope,
        ack=ack,
        wrong_since=_wrong_since(facts, shares_of(status, plan), ack),
        evidence=evidence,
        checks=checks,
        verdicts=(),
        blind=None,
        rejected=rejections(facts),
    )


def _is_judged(status: ModelDeploymentStatus, plan: PlanStatus | None, ack: datetime | None) -> bool:
    """Whether requests of this scope say something: on a step with weight, and in the bake."""
    if plan is None or ack is None or status.stable is None:
        return False
    if status.candidate is not None:
        return status.candidate.step > 0
    return status.previous is not None
