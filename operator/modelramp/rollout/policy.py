"""What a rollout is run with: the user's strategy and analysis, or the built-in ones; pinned at its start."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import datetime, timedelta

import semver

from modelramp.api.analysis import ERROR_RATE, Analysis, Metric
from modelramp.api.modeldeployment import (
    ModelDeploymentSpec,
    Step,
    Strategy,
    StrategyType,
)
from modelramp.api.status import PlanStatus
from modelramp.rollout.revision import HASH_LENGTH, Revision

MAX_WEIGHT = 100

_Steps = tuple[tuple[int, int], ...]
_MAJOR: _Steps = ((5, 24), (20, 48), (50, 48))
_MINOR: _Steps = ((20, 24), (50, 24))
_PATCH: _Steps = ((20, 1), (50, 1))

BUILT_IN_ANALYSIS = Analysis(
    metrics=[
        Metric(name=ERROR_RATE, limit=0.05, critical_limit=0.10),
        Metric(name="latency", limit=0.05),
    ]
)


def built_in_strategy(before: str | None, after: str) -> Strategy:
    """The strategy by the change of the semantic version: the larger the change, the longer the holds."""
    old, new = (semver.Version.parse(before) if before else None), semver.Version.parse(after)
    if old is None or old.major != new.major:
        steps = _MAJOR
    elif old.minor != new.minor:
        steps = _MINOR
    else:
        steps = _PATCH
    return Strategy(
        type=StrategyType.CANARY,
        steps=[Step(weight=weight, hold=timedelta(hours=hours)) for weight, hours in steps],
    )


def _hash(strategy: Strategy, analysis: Analysis) -> str:
    text = json.dumps([strategy.wire(), analysis.wire()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_LENGTH]


def pin(
    spec: ModelDeploymentSpec, *, revision: Revision, stable_version: str | None, now: datetime
) -> PlanStatus:
    """What a rollout that begins now is run with. Each start has an id of its own: no evidence is reused."""
    strategy = spec.strategy or built_in_strategy(stable_version, revision.version)
    analysis = spec.analysis or BUILT_IN_ANALYSIS
    return PlanStatus(
        id=f"{revision.name[-HASH_LENGTH:]}-{int(now.timestamp() * 1000):x}",
        hash=_hash(strategy, analysis),
        revision=revision.name,
        strategy=strategy,
        analysis=analysis,
        started_at=now,
        expected_shift=list(revision.expected_shift) or None,
    )


def refresh(plan: PlanStatus, spec: ModelDeploymentSpec) -> PlanStatus:
    """The plan with the user's edits of holds and limits; call `restarts` first.

    What was left out stays as it was pinned: an edit of a policy never touches a running rollout.
    """
    strategy = spec.strategy or plan.strategy
    analysis = spec.analysis or plan.analysis
    if strategy == plan.strategy and analysis == plan.analysis:
        return plan
    return plan.model_copy(
        update={"strategy": strategy, "analysis": analysis, "hash": _hash(strategy, analysis)}
    )


def restarts(plan: PlanStatus, spec: ModelDeploymentSpec) -> bool:
    """Whether the user's edit is another path, which begins at its first step."""
    if spec.strategy is None:
        return False
    return spec.strategy.type != plan.strategy.type or _weights(spec.strategy) != _weights(plan.strategy)


def _weights(strategy: Strategy) -> list[int]:
    return [step.weight for step in strategy.steps]


def last_index(plan: PlanStatus) -> int:
    """Index of the implied step at 100 %."""
    return len(plan.strategy.steps) + 1


def weight_at(plan: PlanStatus, index: int) -> int:
    """Percent at a step: 0 before the first, 100 past the last."""
    if index <= 0:
        return 0
    steps = plan.strategy.steps
    return steps[index - 1].weight if index <= len(steps) else MAX_WEIGHT


def hold_at(plan: PlanStatus, index: int) -> timedelta:
    """The least time at a step."""
    steps = plan.strategy.steps
    return steps[index - 1].hold if 1 <= index <= len(steps) else timedelta()


def max_hold_at(plan: PlanStatus, index: int) -> timedelta:
    """The longest time at a step without proof: twice the hold unless the step says otherwise."""
    steps = plan.strategy.steps
    if not 1 <= index <= len(steps):
        return timedelta()
    return steps[index - 1].max_hold or 2 * steps[index - 1].hold


def replicas_for(replicas: int, weight: int) -> int:
    """Pods that a weight needs (Surge): max(1, ⌈replicas·weight⌉)."""
    return max(1, math.ceil(replicas * weight / MAX_WEIGHT))
