"""The judgement's plan for the present step, made from what the rollout was pinned with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.modeldeployment import MetricName
from modelramp.judgement import plan as judgement

if TYPE_CHECKING:
    from modelramp.api.status import PlanStatus
    from modelramp.rollout.facts import Facts


def judgement_plan(plan: PlanStatus, *, baking: bool, facts: Facts) -> judgement.Plan:
    """The checks of a step, or of the bake, in which the alarms have limits of their own.

    Args:
        plan: the rollout's pinned plan.
        baking: whether the only arm left is the promoted revision.
        facts: its queries for people, the histories of stable, and its lag.
    """
    checks = []
    for metric in plan.analysis.metrics:
        query, history = facts.queries.get(metric.name, ""), facts.histories.get(metric.name)
        if metric.name is MetricName.ERROR_RATE:
            check = judgement.error_rate(
                limit=metric.limit, critical_limit=metric.critical_limit, history=history, query=query
            )
        else:
            check = judgement.latency(limit=metric.limit, history=history, query=query)
        checks.append(check)
    made = judgement.Plan(
        checks=tuple(checks), interval=int(plan.analysis.interval.total_seconds()), lag=facts.lag
    )
    return made.baking(plan.bake_limits or {}) if baking else made
