"""What there is to say about each check, and what of it is still missing: the base of `modelramp why`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from modelramp.cli.checks import BLIND, FAIL, PASS, check_of
from modelramp.cli.wording import plain, seconds
from modelramp.judgement.evidence import Counts
from modelramp.judgement.nearness import to_alarm, to_proof
from modelramp.judgement.verdict import Direction, Method, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.api.status import AnalysisStatus
    from modelramp.cli.checks import Check
    from modelramp.cli.picture import Picture
    from modelramp.cli.stretch import Stretch
    from modelramp.judgement import plan as judgement
    from modelramp.judgement.evidence import Evidence, MetricEvidence


class Basis(StrEnum):
    """Where the verdicts are from."""

    LEADER = "leader"
    PROMETHEUS = "prometheus"
    STATUS = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one look at one check showed.

    Attributes:
        candidate, stable: counted since the look before; nothing of a figure that is no share.
        value: the candidate's share in this look, or its figure; None: nothing was seen.
        proof, alarm: how near they were after it; 1 and over: there.
    """

    at: datetime
    candidate: Counts
    stable: Counts
    value: float | None
    proof: float | None
    alarm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """All about one check.

    Attributes:
        entry: the verdict, as in status.
        check: the same in words.
        is_share: its value is a share of requests; otherwise it is a figure of its own unit.
        higher: higher values are the better ones.
        line: the limit that each look can be held against.
        ratio: how many times stable is forgiven, where the verdict is about that and not about the limit.
        proof, alarm: how near they are; 1 and over: there; None: not known.
        points: its looks, from the oldest; empty: nobody was asked.
    """

    entry: AnalysisStatus
    check: Check
    is_share: bool
    higher: bool
    line: float
    ratio: float | None
    proof: float | None
    alarm: float | None
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Why it is as it is.

    Attributes:
        at: the time of the verdicts; None: there are none, or it is not known.
        unasked: why the leader has not said it; None: it has, or there was nothing to ask.
        unseen: why there are no looks; None: there are, or there is nothing to look at.
        missing: what the next step waits for; None: no step is waited for.
        interval: seconds between two looks; None: there are none.
    """

    picture: Picture
    basis: Basis
    at: datetime | None
    blocks: tuple[Block, ...]
    unasked: str | None
    unseen: str | None
    missing: tuple[str, ...] | None
    interval: int | None


def blocks(
    shown: Picture,
    *,
    stretch: Stretch | None,
    evidence: Evidence | None,
    looks: Sequence[tuple[int, Evidence]] = (),
) -> tuple[Block, ...]:
    """A block for each verdict of the picture.

    Args:
        shown: the picture, with the verdicts to show.
        stretch: what is observed, if anything.
        evidence: on which the verdicts rest, if it is known.
        looks: the evidence after each look.
    """
    plan = stretch.subject.plan if stretch is not None else None
    known = {check.name: check for check in plan.checks} if plan is not None else {}
    made = []
    for entry in shown.status.analysis or []:
        rule = known.get(entry.metric)
        metric = evidence.metrics.get(entry.metric) if evidence is not None else None
        raised = metric.alarm if metric is not None and entry.verdict == Outcome.FAIL else None
        ratio = raised.limit if raised is not None and raised.relative else None
        proof = alarm = None
        if rule is not None and plan is not None and metric is not None:
            proof, alarm = to_proof(metric, rule, plan), to_alarm(metric, rule, plan)
        made.append(
            Block(
                entry=entry,
                check=_seen(check_of(shown, entry), entry, metric),
                is_share=entry.interval is not None or rule is None or rule.method is Method.SEQUENTIAL,
                higher=rule is not None and rule.direction is Direction.HIGHER,
                line=rule.null if ratio is not None and rule is not None else entry.threshold,
                ratio=ratio,
                proof=proof,
                alarm=alarm,
                points=points(looks, rule, plan) if rule is not None and plan is not None else (),
            )
        )
    return tuple(made)


def points(
    looks: Sequence[tuple[int, Evidence]], check: judgement.Check, plan: judgement.Plan
) -> tuple[Point, ...]:
    """What each look showed of one check; looks at which it was not counted are left out."""
    found = []
    candidate, stable = Counts(), Counts()
    for at, evidence in looks:
        metric = evidence.metrics.get(check.name)
        if metric is None or metric.at != at:
            continue
        new, beside = metric.candidate - candidate, metric.stable - stable
        candidate, stable = metric.candidate, metric.stable
        found.append(
            Point(
                at=datetime.fromtimestamp(at, tz=UTC),
                candidate=new,
                stable=beside,
                value=_value(new, metric, check),
                proof=to_proof(metric, check, plan),
                alarm=to_alarm(metric, check, plan),
            )
        )
    return tuple(found)


def missing(shown: Picture, found: Sequence[Block]) -> tuple[str, ...] | None:
    """What the next step waits for, in words; None when no step is under way."""
    step, paused = shown.step, shown.status.paused
    if step is None or not step.index or shown.rejection is not None:
        return None
    lacking = []
    if paused is not None:
        who = f" ({plain(paused.by)})" if paused.by else ""
        lacking.append(f"a person who lets it go on: paused{who}: {plain(paused.reason)}")
    if step.hold > step.held:
        lacking.append(f"{seconds(max(1, step.hold - step.held))} of the hold of {seconds(step.hold)}")
    return (*lacking, *(_lacking(block) for block in found if block.check.verdict != PASS))


def _lacking(block: Block) -> str:
    name = block.entry.metric
    if block.check.verdict == BLIND:
        return f"data for {name}"
    if block.check.verdict == FAIL:
        return f"{name} fails"
    soon = f", in about {seconds(block.entry.eta)} at this rate" if block.entry.eta is not None else ""
    return f"proof for {name}{soon}"


def _seen(check: Check, entry: AnalysisStatus, metric: MetricEvidence | None) -> Check:
    """An open check of which the latest look saw nothing waits for data, not for a proof."""
    blind = metric is not None and (metric.no_data is not None or metric.trouble is not None)
    return replace(check, verdict=BLIND) if blind and entry.verdict == Outcome.INCONCLUSIVE else check


def _value(new: Counts, metric: MetricEvidence, check: judgement.Check) -> float | None:
    if new.n:
        return new.k / new.n
    is_figure = check.method is Method.THRESHOLD and not metric.candidate.n
    return metric.value if is_figure and metric.no_data is None and metric.trouble is None else None
