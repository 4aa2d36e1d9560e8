"""Asks all who know: the object, the leader, and Prometheus; who does not answer is no failure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelramp.api.base import parse_time
from modelramp.api.status import AnalysisStatus
from modelramp.cli.access import OPERATOR_SERVICE
from modelramp.cli.account import Account, Basis, blocks, missing
from modelramp.cli.picture import picture
from modelramp.cli.stretch import stretch_of
from modelramp.controller.collector import Timing
from modelramp.controller.live import STANDBY
from modelramp.controller.observe import status_written
from modelramp.judgement.evidence import Evidence
from modelramp.judgement.judge import judge
from modelramp.kube.errors import ClusterError, Missing, Refused, Unavailable
from modelramp.metrics.port import SourceError
from modelramp.replay.looks import Range, looks
from modelramp.rollout.assemble import analysis_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelramp.cli.access import Source
    from modelramp.cli.picture import Picture
    from modelramp.cli.stretch import Stretch
    from modelramp.metrics import port

# Each time the API server asks any of the processes behind the Service; all but one stand by.
_TRIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """The leader's answer: its verdicts, and what they rest on."""

    at: datetime
    analysis: tuple[AnalysisStatus, ...]
    evidence: Evidence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Recomputed from Prometheus: the state after each look, and the verdicts after the last."""

    looks: tuple[tuple[int, Evidence], ...]
    analysis: tuple[AnalysisStatus, ...]
    evidence: Evidence


async def gather(
    source: Source, *, now: datetime, provider: port.Source | None, operator_namespace: str
) -> Account:
    """All that can be said of the object of `source`.

    Args:
        source: of the object and the leader's answer.
        now: the time now.
        provider: Prometheus; None: it is not asked.
        operator_namespace: where the operator's Service is.

    Raises:
        Unavailable: the API server does not answer.
        Failure: the object cannot be shown.
    """
    sight = await source.read()
    shown = picture(sight.body, now=now, notes=sight.notes)
    judged = (shown.step is not None and shown.step.index > 0) or shown.bake is not None
    leader = await _leader(source, operator_namespace) if judged else None
    live = leader.evidence if isinstance(leader, Leader) else None
    stretch = stretch_of(sight.body, now=now, rejection=shown.rejection, live=live)
    looked = await replayed(provider, stretch, shown) if stretch is not None else None
    written = status_written(sight.body["metadata"])
    return account_of(shown, stretch=stretch, written=written, leader=leader, replay=looked)


def account_of(
    shown: Picture,
    *,
    stretch: Stretch | None,
    written: datetime | None,
    leader: Leader | str | None,
    replay: Replay | str | None,
) -> Account:
    """What the newest of the sources says: the leader, what was recomputed, or status.

    Args:
        shown: the object as status has it.
        stretch: what is or was observed of it.
        written: when status was written.
        leader: its answer, or why there is none; None: there was nothing to ask.
        replay: likewise.
    """
    basis, at, evidence = Basis.STATUS, written, stretch.evidence if stretch is not None else None
    going_on = stretch is not None and stretch.until is None
    if isinstance(leader, Leader) and leader.analysis:
        basis, at, evidence = Basis.LEADER, leader.at, leader.evidence
        shown = _with(shown, leader.analysis)
    elif isinstance(replay, Replay) and going_on:
        # What ended a rollout stays as it was said then.
        basis, at, evidence = Basis.PROMETHEUS, shown.now, replay.evidence
        shown = _with(shown, replay.analysis)
    looked = replay.looks if isinstance(replay, Replay) else ()
    found = blocks(shown, stretch=stretch, evidence=evidence, looks=looked)
    return Account(
        picture=shown,
        basis=basis,
        at=at if found else None,
        blocks=found,
        unasked=leader if isinstance(leader, str) else None,
        unseen=replay if isinstance(replay, str) else None,
        missing=missing(shown, found),
        interval=stretch.subject.plan.interval if stretch is not None else None,
    )


def _with(shown: Picture, analysis: Sequence[AnalysisStatus]) -> Picture:
    return replace(shown, status=shown.status.model_copy(update={"analysis": list(analysis)}))


async def _leader(source: Source, operator_namespace: str) -> Leader | str:
    """The leader's answer, or why there is none."""
    try:
        return await _asked(source, operator_namespace)
    except ClusterError as error:
        return _why(error, operator_namespace)
    except (KeyError, TypeError, ValueError) as error:
        return (
            f"the operator's answer cannot be read ({type(error).__name__}):"
            " it is of another version than this command"
        )


async def _asked(source: Source, operator_namespace: str) -> Leader:
    for _ in range(_TRIES - 1):
        try:
            return answered(await source.live(operator_namespace))
        except Unavailable as error:
            if STANDBY not in str(error):
                raise
    return answered(await source.live(operator_namespace))


def answered(answer: dict[str, object]) -> Leader:
    """Reads the leader's answer.

    Raises:
        KeyError, TypeError, ValueError: it is not what `Live.of` gives.
    """
    analysis, evidence = answer["analysis"], answer.get("evidence")
    if not isinstance(analysis, list) or not isinstance(evidence, dict | None):
        raise TypeError("not as the operator answers")
    return Leader(
        at=parse_time(answer["time"]),
        # Fields that a newer operator adds are no reason to show nothing.
        analysis=tuple(AnalysisStatus.model_validate(entry, extra="ignore") for entry in analysis),
        evidence=None if evidence is None else Evidence.from_dict(evidence),
    )


def _why(error: ClusterError, operator_namespace: str) -> str:
    name = OPERATOR_SERVICE.partition(":")[0]
    if isinstance(error, Missing):
        return (
            f"no Service {name} in namespace {operator_namespace} knows of it;"
            " choose its namespace with --operator-namespace"
        )
    if isinstance(error, Refused):
        return f"you may not get services/proxy in namespace {operator_namespace}"
    if STANDBY in str(error):
        return f"{_TRIES} times a process answered that stands by; try again"
    return f"Service {name} in namespace {operator_namespace} does not answer"


async def replayed(provider: port.Source | None, stretch: Stretch, shown: Picture) -> Replay | str:
    """The looks as the operator took them up to what is settled now, or why there are none."""
    if provider is None:
        return "give --prometheus URL to see the looks"
    subject, interval = stretch.subject, stretch.subject.plan.interval
    settled = int((shown.now.timestamp() - Timing().delay) // interval) * interval
    until = settled if stretch.until is None else stretch.until
    ranged = Range(provider, end=until)
    try:
        history = [item async for item in looks(ranged, subject, until=until)]
        if not history:
            return "the counters of the first look are not complete yet"
        evidence = history[-1][1]
        if stretch.evidence is not None and stretch.until is None:
            # From where the operator wrote it down: that has in it what the step before handed on.
            evidence = stretch.evidence
            async for _, after in looks(ranged, replace(subject, checkpoint=evidence), until=until):
                evidence = after
    except SourceError as error:
        return f"the looks could not be recomputed: {error}"
    queries = {entry.metric: entry.query for entry in shown.status.analysis or []}
    verdicts = judge(evidence, subject.plan, now=shown.now)
    return Replay(
        looks=tuple(history),
        analysis=tuple(
            analysis_of(replace(verdict, query=queries.get(verdict.metric, ""))) for verdict in verdicts
        ),
        evidence=evidence,
    )
