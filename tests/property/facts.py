"""Facts of every kind, possible and impossible, and what a plan makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from modelramp.api.modeldeployment import ModelDeploymentSpec, Rollback, RollbackReason
from modelramp.api.status import (
    CandidateStatus,
    HistoryEntry,
    ModelDeploymentStatus,
    PauseCause,
    PausedStatus,
    PreviousStatus,
    RejectedRevision,
    RolloutOutcome,
    StableStatus,
)
from modelramp.judgement.evidence import Counts, Evidence, Look, NoData, ProviderError, advance
from modelramp.judgement.verdict import Arm
from modelramp.rollout.checks import judgement_plan
from modelramp.rollout.draft import identity
from modelramp.rollout.facts import (
    ApexState,
    Deletion,
    Facts,
    Refusal,
    Request,
    RouteState,
    StepMark,
    Unresolved,
    WorkloadState,
)
from modelramp.rollout.plan import (
    ClearRollback,
    CreateRevision,
    CreateService,
    DeleteRevision,
    Notice,
    Plan,
    Release,
    RemoveRoute,
    Scale,
    SetFinalizer,
    WriteApex,
    WriteRollback,
    WriteRoute,
    WriteStatus,
)
from modelramp.rollout.policy import pin
from modelramp.rollout.revision import Revision, make_revision
from modelramp.rollout.view import scope_of
from property.actions import REQUESTS, WEIGHTS
from support.manifests import KEY, model_deployment

if TYPE_CHECKING:
    from modelramp.api.status import PlanStatus

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
REVISIONS = tuple(
    make_revision(
        deployment=KEY[1],
        version=version,
        digest=f"v1:{version}",
        template={"spec": {"containers": [{"name": "model", "image": "server:1"}]}},
        port=8080,
        environment={},
    )
    for version in ("1.0.0", "1.1.0", "2.0.0")
)
Draw = Any
revisions = st.sampled_from(REVISIONS)
moments = st.integers(-900, 5).map(lambda seconds: NOW + timedelta(seconds=seconds))


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Or None."""
    return st.none() | strategy


@st.composite
def specs(draw: Draw) -> ModelDeploymentSpec:
    """What a user wrote."""
    steps = [{"weight": weight, "hold": "60s"} for weight in draw(st.sampled_from(WEIGHTS))]
    spec = model_deployment(
        "1.0.0",
        replicas=draw(st.integers(1, 10)),
        paused=draw(st.booleans()),
        revisionHistoryLimit=draw(st.integers(0, 3)),
        strategy={"type": "Canary", "steps": steps, "onRevert": draw(st.sampled_from(("Direct", "Canary")))},
    )
    return ModelDeploymentSpec.model_validate(spec["spec"])


def rejected(revision: Revision, target: Revision, at: datetime) -> RejectedRevision:
    """A rejection in favour of the target."""
    return RejectedRevision(
        revision=revision.name,
        to_revision=target.name,
        version=revision.version,
        digest=revision.digest,
        reason=RollbackReason.ERROR_RATE,
        message="too many errors",
        time=at,
    )


def _ended(revision: Revision, outcome: RolloutOutcome, at: datetime) -> HistoryEntry:
    identified = {name: value for name, value in identity(revision).items() if name != "service"}
    return HistoryEntry(**identified, outcome=outcome, started=at, ended=at)


@st.composite
def statuses(draw: Draw, plan: PlanStatus | None) -> ModelDeploymentStatus:
    """What was written down, in any combination."""
    stable, previous = draw(maybe(revisions)), draw(maybe(revisions))
    candidate = draw(maybe(revisions)) if plan is not None else None
    step = draw(st.integers(0, len(plan.strategy.steps) if plan else 0))
    return ModelDeploymentStatus(
        plan=plan,
        stable=stable and StableStatus(**identity(stable)),
        previous=previous and PreviousStatus(**identity(previous), keep_until=draw(moments)),
        candidate=candidate
        and CandidateStatus(
            **identity(candidate),
            step=step,
            step_started_at=draw(moments),
            lost_seconds=draw(st.sampled_from((0.0, 30.0))),
            direct=draw(st.sampled_from((None, True))),
        ),
        paused=draw(
            maybe(
                st.builds(
                    PausedStatus, since=moments, cause=st.sampled_from(PauseCause), reason=st.just("so")
                )
            )
        ),
        rejected_revisions=draw(st.lists(st.builds(rejected, revisions, revisions, moments), max_size=2)),
        history=draw(
            st.lists(st.builds(_ended, revisions, st.sampled_from(RolloutOutcome), moments), max_size=4)
        ),
    )


@st.composite
def workloads(draw: Draw, revision: Revision) -> WorkloadState:
    """What runs of a revision."""
    desired = draw(maybe(st.integers(0, 10)))
    return WorkloadState(
        revision=replace(revision, template={}),
        desired=desired,
        has_service=draw(st.booleans()),
        ready=draw(st.integers(0, desired or 0)),
        trouble=draw(st.sampled_from((None, "CrashLoopBackOff"))),
        unschedulable=draw(st.sampled_from((None, None, "no room"))),
        unready_since=draw(maybe(moments)),
        created=draw(maybe(moments)),
        owned=draw(st.booleans()),
    )


@st.composite
def routes(draw: Draw, scope: str) -> RouteState:
    """What the route says."""
    names = [revision.service for revision in REVISIONS]
    weights = draw(st.dictionaries(st.sampled_from(names), st.integers(0, 100), max_size=3))
    mark = draw(maybe(st.builds(StepMark, scope=st.sampled_from((scope, "other/1")), time=moments)))
    hosts = draw(st.sampled_from(((), (f"{KEY[1]}.example.com",))))
    return RouteState(
        weights=weights, mark=mark, edited=draw(maybe(moments)), hosts=hosts, owned=draw(st.booleans())
    )


@st.composite
def all_facts(draw: Draw) -> Facts:
    """Everything `decide` may be asked about."""
    spec = draw(specs())
    plan = draw(
        maybe(st.builds(lambda r, at: pin(spec, revision=r, stable_version=None, now=at), revisions, moments))
    )
    status = draw(statuses(plan))
    scope = scope_of(status, plan)
    wanted: Revision | Unresolved = draw(revisions)
    if draw(st.integers(0, 9)) == 0:
        wanted = Unresolved(reason="VersionUnknown", message="it does not exist")
    facts = Facts(
        namespace=KEY[0],
        name=KEY[1],
        generation=1,
        now=NOW,
        spec=None if isinstance(wanted, Unresolved) and draw(st.booleans()) else spec,
        wanted=wanted,
        status=status,
        rollback=draw(
            maybe(
                st.builds(
                    lambda a, b, at: Rollback(
                        rejected_revision=a.name,
                        to_revision=b.name,
                        reason=RollbackReason.ERROR_RATE,
                        message="too many errors",
                        time=at,
                    ),
                    revisions,
                    revisions,
                    moments,
                )
            )
        ),
        workloads={r.name: draw(workloads(r)) for r in REVISIONS if draw(st.booleans())},
        apex=draw(maybe(st.builds(ApexState, stable_revision=maybe(revisions.map(lambda r: r.name))))),
        route=draw(maybe(routes(scope))),
        deletion=draw(
            st.none()
            | maybe(
                st.builds(
                    Deletion,
                    since=moments,
                    **dict.fromkeys(("orphan", "endless", "foreground"), st.booleans()),
                )
            )
        ),
        finalizer=draw(st.booleans()),
        conflict=draw(st.sampled_from((None, None, None, "host is taken"))),
        request=draw(
            maybe(
                st.builds(
                    Request,
                    action=st.sampled_from(REQUESTS),
                    id=st.just("1"),
                    reason=st.sampled_from(("", "so")),
                    override=st.booleans(),
                )
            )
        ),
        status_written=draw(maybe(moments)),
        refusals=draw(
            st.dictionaries(
                st.sampled_from(("spec.rollback", "route", "apex", "finalizer")),
                st.just(Refusal(reason="Refused", message="no", again=NOW + timedelta(seconds=5))),
                max_size=2,
            )
        ),
    )
    return replace(facts, evidence=draw(maybe(evidence(facts, scope))))


@st.composite
def evidence(draw: Draw, facts: Facts, scope: str) -> Evidence | None:
    """What was counted: good, bad, little, nothing."""
    plan = facts.status.plan
    if plan is None:
        return None
    checks = judgement_plan(plan, baking=False, facts=facts)
    found = Evidence(scope=scope, since=NOW - timedelta(seconds=draw(st.integers(0, 300))))
    arms = st.sampled_from((Counts(0, 0), Counts(500, 2), Counts(500, 250), NoData(), ProviderError("gone")))
    for check in checks.checks:
        look = Look(at=int(NOW.timestamp()), arms={arm: draw(arms) for arm in Arm})
        found = advance(found, check.name, look, checks)
    return found


def after(facts: Facts, plan: Plan) -> Facts:  # noqa: C901, PLR0912 - one case for each effect
    """The facts once the plan is carried out; equal when it changes nothing."""
    for effect in plan.effects:
        match effect:
            case WriteStatus():
                if effect.status != facts.status:
                    facts = replace(facts, status=effect.status, status_written=facts.now)
            case WriteRoute():
                facts = _with_route(facts, effect)
            case WriteApex():
                apex = ApexState(stable_revision=effect.revision.name, owned=effect.owned)
                facts = replace(facts, apex=apex)
            case WriteRollback():
                facts = replace(facts, rollback=effect.rollback)
            case ClearRollback():
                facts = replace(facts, rollback=None)
            case CreateRevision():
                made = {"desired": effect.replicas, "has_service": True, "ready": 0, "created": facts.now}
                facts = _with(facts, effect.revision, **made)
            case CreateService():
                facts = _with(facts, effect.revision, has_service=True)
            case Scale():
                facts = _with(facts, effect.revision, desired=effect.replicas)
            case DeleteRevision():
                kept = {
                    name: state for name, state in facts.workloads.items() if name != effect.revision.name
                }
                facts = replace(facts, workloads=kept)
            case Release():
                facts = _with(facts, effect.revision, owned=False)
            case RemoveRoute():
                facts = replace(facts, route=None)
            case SetFinalizer():
                facts = replace(facts, finalizer=effect.present)
            case Notice():
                pass
    answered = facts.status.last_request
    if facts.request is not None and answered is not None and answered.id == facts.request.id:
        facts = replace(facts, request=None)
    return facts


def _with_route(facts: Facts, effect: WriteRoute) -> Facts:
    wanted = effect.route
    now = RouteState(
        weights=dict(wanted.weights),
        mark=wanted.mark,
        hosts=wanted.hosts,
        gateways=wanted.gateways,
        owned=effect.owned,
    )
    if facts.route and replace(facts.route, edited=None) == now:
        return facts
    return replace(facts, route=now)


def _with(facts: Facts, revision: Revision, **changes: Any) -> Facts:  # noqa: ANN401 - any field
    old = facts.workloads.get(revision.name, WorkloadState(revision=replace(revision, template={})))
    return replace(facts, workloads={**facts.workloads, revision.name: replace(old, **changes)})
