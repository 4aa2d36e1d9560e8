"""One rollout in virtual time: the operator's own decisions over counted looks, without a cluster.

What is decided comes from `rollout.decide` alone, on facts as it gets them in a cluster. Here its writes are
made at once: pods are ready, the route takes its weights, nothing is refused.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelramp.api.modeldeployment import (
    IstioTraffic,
    ModelDeploymentSpec,
    PodTemplate,
    Strategy,
    Traffic,
    Workload,
)
from modelramp.api.status import ModelDeploymentStatus, StableStatus
from modelramp.judgement.evidence import (
    Evidence,
    Look,
    NoData,
    ProviderError,
    advance,
    carried,
    interrupted,
)
from modelramp.rollout.checks import judgement_plan
from modelramp.rollout.decide import decide
from modelramp.rollout.draft import identity
from modelramp.rollout.facts import ApexState, Facts, RouteState, WorkloadState
from modelramp.rollout.plan import (
    CreateRevision,
    DeleteRevision,
    Scale,
    WriteApex,
    WriteRollback,
    WriteRoute,
    WriteStatus,
)
from modelramp.rollout.policy import built_in_strategy, pin
from modelramp.rollout.revision import make_revision
from modelramp.rollout.view import View, look, outline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.api.analysis import Analysis
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Seen
    from modelramp.judgement.plan import Plan
    from modelramp.judgement.verdict import Arm
    from modelramp.rollout.plan import Effect

START = datetime(2026, 1, 1, tzinfo=UTC)
_NAME, _NAMESPACE = "model", "script"
_TEMPLATE = {"spec": {"containers": [{"name": "model", "image": "model"}]}}
_MOST_PASSES = 20

STABLE, CANDIDATE = (
    make_revision(deployment=_NAME, version=version, digest="", template=_TEMPLATE, port=8080, environment={})
    for version in ("1.0.0", "2.0.0")
)


def begin_at(interval: int) -> datetime:
    """A start that lies on the grid of looks."""
    seconds = int(START.timestamp())
    return START + timedelta(seconds=-seconds % interval)


def _spec(strategy: Strategy, analysis: Analysis) -> ModelDeploymentSpec:
    return ModelDeploymentSpec(
        model=_NAME,
        version=CANDIDATE.version,
        workload=Workload(template=PodTemplate(spec=_TEMPLATE["spec"])),
        traffic=Traffic(istio=IstioTraffic()),
        strategy=strategy,
        analysis=analysis,
    )


def _begun(spec: ModelDeploymentSpec, now: datetime, histories: Mapping[str, Dispersion]) -> Facts:
    """Stable serves, the candidate's pods are ready, nothing has been decided."""
    return Facts(
        namespace=_NAMESPACE,
        name=_NAME,
        generation=1,
        now=now,
        wanted=CANDIDATE,
        spec=spec,
        status=ModelDeploymentStatus(stable=StableStatus(**identity(STABLE), weight=100)),
        workloads={
            revision.name: WorkloadState(revision=revision, desired=1, has_service=True, ready=1, created=now)
            for revision in (STABLE, CANDIDATE)
        },
        apex=ApexState(stable_revision=STABLE.name),
        past=histories,
        status_written=now,
    )


def checks_of(analysis: Analysis) -> Plan:
    """What a rollout would be judged by at any of its steps."""
    spec = _spec(built_in_strategy(None, CANDIDATE.version), analysis)
    plan = pin(spec, revision=CANDIDATE, stable_version=STABLE.version, now=START)
    return judgement_plan(plan, baking=False, facts=_begun(spec, START, {}))


class Walk:
    """A candidate on its way, from the moment its pods are ready.

    Args:
        strategy: the steps.
        analysis: the checks; its interval is that of the looks.
        now: when it begins.
        histories: dispersion of the stable arm before it, by name of the metric.
        every_look: decide at each look as in a cluster, also where nothing can come of it.

    Attributes:
        now: the time of the last look or decision.
        due: when something is to be decided without a look; None: nothing is.
    """

    def __init__(
        self,
        *,
        strategy: Strategy,
        analysis: Analysis,
        now: datetime,
        histories: Mapping[str, Dispersion] | None = None,
        every_look: bool = False,
    ) -> None:
        self.now = now
        self._every_look = every_look
        self._rule = ""
        self.due: datetime | None = None
        self._facts = _begun(_spec(strategy, analysis), now, histories or {})
        self._decided_on = self._facts
        self._outline = outline(self._facts)
        self.decide(now)

    # -- what happens --------------------------------------------------------------------------------------

    def look(self, at: datetime, seen: Mapping[Arm, Mapping[str, Seen]]) -> None:
        """One look at all checks, of the interval before `at`, and what is decided until then and on it."""
        while self.due is not None and self.due < at:
            self.decide(self.due)
            if self.over:
                return
        self._count(at, seen)
        if self._every_look or not self._waits(at):
            self.decide(at)
        self.now = at

    def _waits(self, at: datetime) -> bool:
        """Whether the hold goes on whatever the checks say: it is not over, and there is no alarm.

        Until then proof is not needed, and to judge each look would be most of the time a run takes.
        """
        evidence = self._facts.evidence
        alarms = [] if evidence is None else [metric.alarm for metric in evidence.metrics.values()]
        return self._rule == "hold" and self.due is not None and at < self.due and not any(alarms)

    def _count(self, at: datetime, seen: Mapping[Arm, Mapping[str, Seen]]) -> None:
        view = self._outline
        if view.checks is None or view.ack is None:
            return
        evidence = self._facts.evidence
        if evidence is None:
            evidence = Evidence(scope=view.scope, since=view.ack)
        elif evidence.scope != view.scope:
            evidence = carried(evidence, view.checks, scope=view.scope, since=view.ack)
        for check in view.checks.checks:
            arms = {arm: shown.get(check.name, NoData()) for arm, shown in seen.items()}
            down = next((item for item in arms.values() if isinstance(item, ProviderError)), None)
            if down is not None:
                evidence = interrupted(evidence, check.name, down.message, view.checks)
            else:
                counted = Look(at=int(at.timestamp()), arms=arms)
                evidence = advance(evidence, check.name, counted, view.checks)
        self._facts = replace(self._facts, evidence=evidence)

    def decide(self, now: datetime) -> None:
        """Decides and writes until nothing is left to write at this moment.

        Raises:
            RuntimeError: it does not come to rest, which is a defect of the rules.
        """
        self.now = now
        for _ in range(_MOST_PASSES):
            self._facts = replace(self._facts, now=now)
            plan = decide(self._facts)
            before, ended = self._facts, self.over
            for effect in plan.effects:
                self._write(effect)
            if self.over and not ended:
                self._decided_on = before
            if self._facts == before:
                break
        else:
            raise RuntimeError(f"the rules do not come to rest at {now}: {plan.rule}")
        self.due, self._rule = plan.requeue_at, plan.rule
        self._outline = outline(self._facts)
        if self._outline.checks is not None:
            # A script's requests come per arm: they tell nothing of a router.
            checks = tuple(replace(check, routed=False) for check in self._outline.checks.checks)
            self._outline = replace(self._outline, checks=replace(self._outline.checks, checks=checks))

    def _write(self, effect: Effect) -> None:
        facts, now = self._facts, self.now
        match effect:
            case WriteStatus() if effect.status != facts.status:
                facts = replace(facts, status=effect.status, status_written=now)
            case WriteRoute():
                facts = replace(
                    facts, route=RouteState(weights=dict(effect.route.weights), mark=effect.route.mark)
                )
            case WriteApex():
                facts = replace(facts, apex=ApexState(stable_revision=effect.revision.name))
            case WriteRollback():
                facts = replace(facts, rollback=effect.rollback)
            case Scale() | CreateRevision():
                known = facts.workloads[effect.revision.name]
                pods = replace(known, desired=effect.replicas, ready=effect.replicas)
                facts = replace(facts, workloads={**facts.workloads, effect.revision.name: pods})
            case DeleteRevision():
                kept = {k: v for k, v in facts.workloads.items() if k != effect.revision.name}
                facts = replace(facts, workloads=kept)
        self._facts = facts

    # -- what came of it -----------------------------------------------------------------------------------

    @property
    def weight(self) -> int:
        """The candidate's percent of the traffic now."""
        route = self._facts.route
        return route.weights.get(CANDIDATE.service, 0) if route else 0

    @property
    def promoted(self) -> bool:
        """Whether the candidate has reached 100 %."""
        stable = self._facts.status.stable
        return stable is not None and stable.revision == CANDIDATE.name

    @property
    def rejected(self) -> str | None:
        """Why the candidate was taken back; None: it was not."""
        entries = self._facts.status.rejected_revisions
        return next((item.reason.value for item in entries if item.revision == CANDIDATE.name), None)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.promoted or self.rejected is not None

    @property
    def reason(self) -> str:
        """What the operator says it is doing, in one word."""
        said = next((item for item in self._facts.status.conditions if item.type == "Ready"), None)
        return said.reason if said else ""

    def last(self) -> View:
        """The facts on which it ended, with the verdicts; before its end: as it is now."""
        return look(self._decided_on if self.over else replace(self._facts, now=self.now))
