"""Past counters judged look by look: the operator's own replay, on a range that is asked for once.

One stretch of time is one scope, as a step of a rollout would be. Which steps a rollout would have taken is
not asked: past traffic has the weights that it had.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from modelramp.controller.book import Book, Subject
from modelramp.controller.past import SHORTEST_STEP, dispersion_of
from modelramp.judgement import proof
from modelramp.judgement.gates import phi
from modelramp.judgement.judge import judge
from modelramp.judgement.nearness import to_alarm
from modelramp.judgement.verdict import Arm, Method, Outcome
from modelramp.metrics.looks import grid
from modelramp.replay.looks import Range, looks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Evidence
    from modelramp.judgement.plan import Check, Plan
    from modelramp.judgement.state import MetricEvidence
    from modelramp.judgement.verdict import Verdict
    from modelramp.metrics.port import Source
    from modelramp.metrics.service import ServiceRef

KEY = ("backtest", "backtest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One check after one look.

    Attributes:
        at: the look's grid point.
        verdict: what would have been said.
        proof: e-value of the proof as ln E; it is proved from ln 20 on. None: no requests, or another method.
        alarm: how far the nearest alarm is: 1 and over is an alarm; None: no alarm can be raised.
    """

    at: datetime
    verdict: Verdict
    proof: float | None
    alarm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What would have been decided.

    Attributes:
        rows: of every look, every check of it.
        failed: the first failing verdict of each stretch; with `again` there may be many.
        proved: the first look at which every check was proved; None: never.
    """

    rows: tuple[Row, ...]
    failed: tuple[Row, ...]
    proved: datetime | None


async def replayed(
    source: Source,
    *,
    plan: Plan,
    arms: Mapping[Arm, ServiceRef],
    since: datetime,
    until: datetime,
    again: bool = False,
) -> Past:
    """Every look after `since` up to `until`.

    Args:
        source: the metrics provider.
        plan: checks, limits, interval.
        arms: the Service of each arm.
        since: when the candidate would have got its traffic.
        until: the end.
        again: begin anew after a failing verdict, to count them all (A/A).

    Raises:
        SourceError: the provider does not answer.
    """
    end = int(until.timestamp())
    ranged = Range(source, end=end)
    rows: list[Row] = []
    failed: list[Row] = []
    begin: datetime | None = since
    while begin is not None:
        subject, begin = _subject(plan, arms, begin, len(failed)), None
        async for at, evidence in looks(ranged, subject, until=end):
            looked = _rows(evidence, plan, datetime.fromtimestamp(at, tz=UTC))
            rows += looked
            worst = next((row for row in looked if row.verdict.outcome is Outcome.FAIL), None)
            if worst is not None and (again or not failed):
                failed.append(worst)
            if worst is not None and again:
                begin = worst.at
                break
    return Past(rows=tuple(rows), failed=tuple(failed), proved=_proved(rows, len(plan.checks)))


def _proved(rows: Sequence[Row], checks: int) -> datetime | None:
    """The first look at which all of its rows pass."""
    each = (rows[start : start + checks] for start in range(0, len(rows), checks))
    return next(
        (look[0].at for look in each if all(row.verdict.outcome is Outcome.PASS for row in look)), None
    )


async def with_history(
    source: Source, *, plan: Plan, stable: ServiceRef, since: datetime, length: timedelta
) -> Plan:
    """The plan with the dispersion of the stable arm before `since`, where that says enough.

    Raises:
        SourceError: the provider does not answer.
    """
    every = max(plan.interval, SHORTEST_STEP)
    long = replace(plan, interval=every)
    subject = _subject(long, {Arm.CANDIDATE: stable}, since - length, 0)
    end = int(since.timestamp()) // every * every
    checks = []
    for check in plan.checks:
        if check.method is Method.SEQUENTIAL:
            found = await _history(source, replace(subject, plan=replace(long, checks=(check,))), end)
            check = replace(check, history=found)  # noqa: PLW2901 - the same check, knowing more
        checks.append(check)
    return replace(plan, checks=tuple(checks))


async def _history(source: Source, subject: Subject, end: int) -> Dispersion | None:
    book, every = Book(), subject.plan.interval
    book.track(subject)
    (question,) = book.questions(every, end)
    series = await Range(source, end=end).read(question.query, start=question.start, end=end, step=every)
    template = question.selection.template()
    seen = grid(series, template)
    key = template.key(subject.arms[Arm.CANDIDATE])
    return dispersion_of(seen, key, template=template, interval=every)


def _scope(number: int) -> str:
    return f"backtest/{number}"


def _subject(plan: Plan, arms: Mapping[Arm, ServiceRef], since: datetime, number: int) -> Subject:
    return Subject(key=KEY, scope=_scope(number), since=since, arms=arms, plan=plan)


def _rows(evidence: Evidence, plan: Plan, at: datetime) -> list[Row]:
    found = []
    for verdict in judge(evidence, plan, now=at):
        check, metric = plan.check(verdict.metric), evidence.metrics.get(verdict.metric)
        known = metric is not None and check.method is Method.SEQUENTIAL
        found.append(
            Row(
                at=at,
                verdict=verdict,
                proof=_proof(metric, check, plan) if known and metric is not None else None,
                alarm=to_alarm(metric, check, plan) if known and metric is not None else None,
            )
        )
    return found


def _proof(metric: MetricEvidence, check: Check, plan: Plan) -> float | None:
    seen = metric.candidate
    if not seen.n or check.quality is not None:
        return None
    scale = phi(metric, check, plan)
    return proof.log_evidence(n=seen.n / scale, k=seen.k / scale, null=check.limit)
