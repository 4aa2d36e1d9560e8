"""Stories that once ended badly, each in its shortest form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelramp.api.modeldeployment import ModelDeploymentSpec
from modelramp.api.status import CandidateStatus, ModelDeploymentStatus, StableStatus
from modelramp.rollout.decide import decide
from modelramp.rollout.draft import identity
from modelramp.rollout.facts import Facts, WorkloadState
from modelramp.rollout.plan import Notice, WriteRoute
from modelramp.rollout.policy import pin
from property.actions import Ask, BreakRoute, Edit, Metrics, Wait, Want
from property.facts import NOW, REVISIONS, after, rejected
from property.simulation import Simulation
from support.manifests import KEY, model_deployment

if TYPE_CHECKING:
    from property.actions import Action

AGAIN: list[Action] = [Ask("retry"), Wait(8)]
FOUND: dict[str, list[Action]] = {
    "a route that is deleted does not end the drain": [
        Edit("image", "server:2"),
        Edit("image", "server:1"),
        BreakRoute(delete=True),
    ],
    "a route that cannot be put back is not said to be": [
        Want("1.1.0"),
        Wait(2),
        Edit("invalid", value=True),
        BreakRoute(),
        Wait(10),
    ],
    "ten failures in a row are remembered beside what completed": [
        Want("1.1.0"),
        Wait(40),
        Metrics("2.0.0", "error-rate", 1.0),
        Want("2.0.0"),
        Wait(8),
        *AGAIN * 11,
    ],
}


@pytest.mark.parametrize("script", FOUND.values(), ids=FOUND)
def test_found(script: list[Action]) -> None:
    """It goes as it should now."""
    Simulation().play(script)


def test_two_rejected_revisions_do_not_take_turns() -> None:
    """Each was rejected in favour of the other: the weights stay as they are, and it is told once."""
    one, other = REVISIONS[:2]
    rejections = [rejected(one, other, NOW), rejected(other, one, NOW)]
    status = ModelDeploymentStatus(stable=StableStatus(**identity(one)), rejected_revisions=rejections)
    running = {r.name: WorkloadState(revision=r, desired=4, has_service=True, ready=4) for r in (one, other)}
    spec = ModelDeploymentSpec.model_validate(model_deployment("1.0.0")["spec"])
    facts = Facts(
        namespace=KEY[0],
        name=KEY[1],
        generation=1,
        now=NOW,
        spec=spec,
        wanted=one,
        status=status,
        workloads=running,
    )
    plan = decide(facts)
    routes = [effect.route.weights for effect in plan.effects if isinstance(effect, WriteRoute)]
    assert routes == [{one.service: 100}]
    assert not any(isinstance(effect, Notice) for effect in plan.effects)


def test_pods_that_are_late_are_told_once() -> None:
    """The candidate's pods were late and stable has none: the way back waits, and is not told again."""
    stable, candidate = REVISIONS[:2]
    spec = ModelDeploymentSpec.model_validate(model_deployment("1.1.0")["spec"])
    late = NOW - 2 * spec.progress_deadline
    plan = pin(spec, revision=candidate, stable_version="1.0.0", now=late)
    facts = Facts(
        namespace=KEY[0],
        name=KEY[1],
        generation=1,
        now=NOW,
        spec=spec,
        wanted=candidate,
        status=ModelDeploymentStatus(
            plan=plan,
            stable=StableStatus(**identity(stable)),
            candidate=CandidateStatus(**identity(candidate), step_started_at=late),
        ),
        workloads={
            stable.name: WorkloadState(revision=stable, desired=4, has_service=True),
            candidate.name: WorkloadState(
                revision=candidate, desired=4, has_service=True, ready=1, unready_since=late, created=late
            ),
        },
    )
    first = decide(facts)
    assert first.rule == "workload_failed"
    then = after(facts, first)
    again = decide(then)
    assert not any(isinstance(effect, Notice) for effect in again.effects)
    assert after(then, again).status.rejected_revisions == then.status.rejected_revisions
