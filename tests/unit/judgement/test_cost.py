"""What judging costs: it is done for every rollout at every look."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from modelramp.judgement import special
from modelramp.judgement.evidence import Counts, Evidence, Look, advance, first_look
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Arm

SINCE = datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_ten_metrics_cost_less_than_a_millisecond() -> None:
    """One judgement of ten metrics takes under 1 ms of CPU (the best of many: the machine is shared)."""
    plan = Plan(checks=tuple(replace(error_rate(), name=f"metric-{i}") for i in range(10)), interval=60)
    evidence, first = Evidence(scope="r/1", since=SINCE), first_look(SINCE, 60)
    rng = np.random.default_rng(1)
    for number in range(1, 101):
        for check in plan.checks:
            counts = (Counts(30, int(rng.binomial(30, 0.01))), Counts(570, int(rng.binomial(570, 0.01))))
            arms = dict(zip(Arm, counts, strict=True))
            evidence = advance(evidence, check.name, Look(at=first + 60 * number, arms=arms), plan)
    now = datetime.fromtimestamp(first + 6000, tz=UTC)
    costs = []
    for _ in range(100):
        special.clopper_pearson.cache_clear()
        begin = time.process_time()
        judge(evidence, plan, now=now)
        costs.append(time.process_time() - begin)
    assert min(costs) < 1e-3
