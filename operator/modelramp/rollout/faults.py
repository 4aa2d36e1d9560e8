"""Who is to blame in this rollout: what is counted already, put together as the situation that blame reads.

A finding is told once in a step, when it begins, and as a condition for as long as it is there. It may keep
the step from being proved; none holds back a failure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelramp.api.conditions import FAULTS, ConditionStatus
from modelramp.api.modeldeployment import RollbackReason
from modelramp.judgement import gates, shift
from modelramp.judgement.blame import blame
from modelramp.judgement.drift import WARN_LIMIT
from modelramp.judgement.evidence import Counts
from modelramp.judgement.finding import Blocked, Fault, Finding, held
from modelramp.judgement.limits import limits
from modelramp.judgement.situation import Distribution, Kind, Limits, Load, Rates, Routing, Situation
from modelramp.judgement.verdict import Method, Outcome
from modelramp.rollout.checks import PREDICTION
from modelramp.rollout.plan import Notice
from modelramp.rollout.policy import MAX_WEIGHT, weight_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelramp.api.conditions import ConditionType
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.split import Split
    from modelramp.judgement.verdict import Verdict
    from modelramp.rollout.view import View

# Uneven load is how a canary is: few requests for its first replica. It is told with the latency alone.
TOLD: Mapping[Fault, ConditionType] = {Fault(kind.value): kind for kind in FAULTS}
# Without figures: what is displayed must not change with each look.
_MEANING = {
    Fault.ROUTING_FAULT: "the arms do not get the requests that the route is to give them",
    Fault.SHARED_FAULT: "both arms fail alike, so it is something that both depend on",
}


def findings(view: View) -> tuple[Finding, ...]:
    """What is found while two arms serve; a view with verdicts, but nothing held yet."""
    if view.evidence is None or view.checks is None or view.status.candidate is None:
        return ()
    shared = {item.metric: item.message for item in view.verdicts if item.reason == Fault.SHARED_FAULT}
    split = next((metric.split for metric in view.evidence.metrics.values() if metric.split), None)
    situation = Situation(
        # What the alarm holds already is not looked into again.
        rates=tuple(rates for rates in _rates(view) if rates.metric not in shared),
        routing=_routing(view, split),
        load=_load(view, split),
    )
    situation = _with_predictions(situation, view)
    return (*(_shared(metric, message) for metric, message in shared.items()), *blame(situation))


def applied(verdicts: tuple[Verdict, ...], found: tuple[Finding, ...]) -> tuple[Verdict, ...]:
    """The verdicts as far as the findings let them stand; a latency under uneven load says so."""
    return tuple(held(_noted(verdict, found), found) for verdict in verdicts)


def blocking(found: tuple[Finding, ...]) -> dict[str, str]:
    """The faults that keep a step from being proved, and what each means, in words that stay the same."""
    return {item.fault.value: _MEANING[item.fault] for item in found if Blocked.PASS in item.blocks}


def messages(found: tuple[Finding, ...]) -> dict[Fault, str]:
    """What is told of each fault, with its figures."""
    said: dict[Fault, list[str]] = {}
    for item in found:
        if item.fault in TOLD:
            said.setdefault(item.fault, []).append(item.message)
    return {fault: "; ".join(parts) for fault, parts in said.items()}


def begun(view: View) -> tuple[Notice, ...]:
    """An event for each fault that status does not tell of yet."""
    known = {item.type for item in view.status.conditions if item.status is ConditionStatus.TRUE}
    return tuple(
        Notice(reason=fault.value, message=message, warning=True)
        for fault, message in messages(view.findings).items()
        if TOLD[fault].value not in known
    )


def _noted(verdict: Verdict, found: tuple[Finding, ...]) -> Verdict:
    if verdict.outcome is Outcome.FAIL:
        # What failed did so by more than that.
        return verdict
    for item in found:
        if item.fault is Fault.LOAD_IMBALANCE and item.concerns(verdict.metric):
            return replace(verdict, message=f"{verdict.message}; {item.message}")
    return verdict


def _shared(metric: str, message: str) -> Finding:
    return Finding(
        fault=Fault.SHARED_FAULT,
        blocks=frozenset({Blocked.PASS}),
        metrics=frozenset({metric}),
        message=f"{message}; look at what both depend on: data store, feature service, nodes, network",
    )


def _rates(view: View) -> Iterator[Rates]:
    """Bad requests of both arms in this step, per Sequential check that has a limit."""
    assert view.evidence is not None  # noqa: S101 - the caller looked
    assert view.checks is not None  # noqa: S101
    for check in view.checks.checks:
        metric = view.evidence.metrics.get(check.name)
        if metric is None or check.method is not Method.SEQUENTIAL:
            continue
        tested = limits(check, metric.stable)
        if tested is not None and 0.0 < tested.alarm < 1.0:
            yield Rates(
                metric=check.name,
                label=check.label,
                candidate=metric.candidate,
                stable=metric.stable,
                before=_before(check.history),
                limit=tested.alarm,
                phi=gates.phi(metric, check, view.checks),
            )


def _before(history: Dispersion | None) -> Counts | None:
    """What stable showed before the rollout; one that an earlier release has pinned lacks the requests."""
    if history is None or history.requests < history.bad:
        return None
    return Counts(history.requests, history.bad)


def _with_predictions(situation: Situation, view: View) -> Situation:
    """The same with what both arms answered, where there is a check of it."""
    assert view.evidence is not None  # noqa: S101 - the caller looked
    assert view.checks is not None  # noqa: S101
    check = next((check for check in view.checks.checks if check.method is Method.DRIFT), None)
    metric = view.evidence.metrics.get(check.name) if check is not None else None
    if check is None or metric is None:
        return situation
    candidate, stable = shift.totals(metric)
    return replace(
        situation,
        distributions=(
            Distribution(
                name=PREDICTION,
                kind=Kind.PREDICTION,
                candidate=candidate,
                stable=stable,
                candidate_frozen=check.frozen,
            ),
        ),
        expected_shift=frozenset({PREDICTION} if check.shift_expected else ()),
        limits=Limits(warn=min(WARN_LIMIT, check.limit), fail=check.limit),
    )


def _routing(view: View, split: Split | None) -> Routing | None:
    """The split against the step's weight; none in a step in which the route itself was wrong for a time."""
    candidate, plan = view.status.candidate, view.plan
    if split is None or candidate is None or plan is None:
        return None
    if candidate.lost_seconds or view.wrong_since is not None:
        return None
    return Routing(
        candidate=split.total.candidate,
        stable=split.total.stable,
        weight=weight_at(plan, candidate.step) / MAX_WEIGHT,
        looks=split.looks,
        phi=split.phi,
    )


def _load(view: View, split: Split | None) -> Load | None:
    """The same requests against the ready pods that share them now."""
    candidate, stable = view.status.candidate, view.status.stable
    if split is None or candidate is None or stable is None or view.checks is None:
        return None
    latencies = {check.name for check in view.checks.checks if check.reason == RollbackReason.LATENCY.value}
    if not latencies:
        return None
    return Load(
        candidate=split.total.candidate,
        stable=split.total.stable,
        candidate_replicas=view.ready(candidate.revision),
        stable_replicas=view.ready(stable.revision),
        metrics=frozenset(latencies),
    )
