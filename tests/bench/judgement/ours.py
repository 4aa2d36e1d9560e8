"""The product's own judgement on a stream: the same `advance` and proof as in the operator, look by look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.judgement.streams import ERRORS, INTERVAL, SLOW, WRONG
from modelramp.judgement import dispersion, proof
from modelramp.judgement.evidence import Counts, Evidence, Look, advance, first_look
from modelramp.judgement.gates import phi
from modelramp.judgement.judge import judge
from modelramp.judgement.plan import Check, Plan, error_rate, latency, quality
from modelramp.judgement.verdict import Arm, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.judgement.streams import Arm as Counted
    from bench.judgement.streams import Stream
    from modelramp.judgement.evidence import MetricEvidence

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = first_look(SINCE, INTERVAL)


@dataclass(frozen=True, slots=True)
class Found:
    """A failing verdict: at which look (from 1), of which metric, and whether against stable."""

    look: int
    metric: str
    relative: bool


def default_plan(history: Counted | None = None) -> Plan:
    """The default metrics, with the dispersion of the stable arm's history if there is one."""
    known = {name: _dispersion(history, name) for name in (ERRORS, SLOW, WRONG)}
    checks = (
        error_rate(history=known[ERRORS]),
        latency(history=known[SLOW]),
        quality(history=known[WRONG]),
    )
    return Plan(checks=checks, interval=INTERVAL)


def only(plan: Plan, name: str, *, part: str = "both") -> Plan:
    """One check of a plan: with its alarms A and B both, or one of them."""
    check = plan.check(name)
    if part == "A":
        check = replace(check, ratio=None)
    elif part == "B":
        check = replace(check, limit=0.9, critical_limit=None)
    return replace(plan, checks=(check,))


def _dispersion(history: Counted | None, name: str) -> dispersion.Dispersion | None:
    if history is None:
        return None
    return dispersion.history(zip(history.n.tolist(), history.bad[name].tolist(), strict=True))


def begin() -> Evidence:
    """A step that begins."""
    return Evidence(scope="bench/1", since=SINCE)


def fold(evidence: Evidence, stream: Stream, plan: Plan, *, after: int = 0) -> Iterator[tuple[int, Evidence]]:
    """The evidence after each look; `after` looks have been before."""
    columns = [
        [
            (Counts(n, k), Counts(m, j))
            for n, k, m, j in zip(
                stream.candidate.n.tolist(),
                stream.candidate.bad[check.name].tolist(),
                stream.stable.n.tolist(),
                stream.stable.bad[check.name].tolist(),
                strict=True,
            )
        ]
        for check in plan.checks
    ]
    for number, row in enumerate(zip(*columns, strict=True), start=1):
        at = FIRST + INTERVAL * (after + number)
        for check, (candidate, stable) in zip(plan.checks, row, strict=True):
            look = Look(at=at, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
            evidence = advance(evidence, check.name, look, plan)
        yield number, evidence


def failure(stream: Stream, plan: Plan, evidence: Evidence | None = None, *, after: int = 0) -> Found | None:
    """The first failing verdict."""
    for number, now in fold(evidence or begin(), stream, plan, after=after):
        if all(metric.alarm is None for metric in now.metrics.values()):
            continue
        at = datetime.fromtimestamp(FIRST + INTERVAL * (after + number), tz=UTC)
        for verdict in judge(now, plan, now=at):
            alarm = now.metrics[verdict.metric].alarm
            if verdict.outcome is Outcome.FAIL and alarm is not None:
                return Found(number, verdict.metric, alarm.relative)
    return None


def last(stream: Stream, plan: Plan) -> Evidence:
    """The evidence after a whole stream."""
    *_, (_, evidence) = fold(begin(), stream, plan)
    return evidence


def passed(stream: Stream, plan: Plan) -> int | None:
    """The first look at which the one check of the plan is proved; None: never."""
    (check,) = plan.checks
    for number, evidence in fold(begin(), stream, plan):
        if is_proved(evidence.metrics[check.name], check, plan):
            return number
    return None


def first_pass(stream: Stream, plan: Plan) -> int | None:
    """The same as `passed`, asked of `judge`: much slower."""
    for number, evidence in fold(begin(), stream, plan):
        at = datetime.fromtimestamp(FIRST + INTERVAL * number, tz=UTC)
        if all(verdict.outcome is Outcome.PASS for verdict in judge(evidence, plan, now=at)):
            return number
    return None


def is_proved(metric: MetricEvidence, check: Check, plan: Plan) -> bool:
    """Whether gate C is open: what `judge` asks before it says Pass."""
    n, k = metric.candidate.n, metric.candidate.k
    if k >= check.limit * n:
        return False
    scale = phi(metric, check, plan)
    return proof.proved(n=n / scale, k=k / scale, null=check.limit)
