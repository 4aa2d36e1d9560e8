"""Whose fault is it? Findings about inputs, routing and load that say what a verdict may not be used for.

Rolling back cannot help against data that changed for everyone, and a candidate that gets other requests than
stable cannot be compared with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from modelramp.judgement import drift
from modelramp.judgement.finding import Blocked, Fault, Finding
from modelramp.judgement.situation import Kind, Situation
from modelramp.judgement.special import clopper_pearson, log_beta, log_beta_cdf
from modelramp.judgement.verdict import Outcome, Tier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.judgement.evidence import Counts
    from modelramp.judgement.histogram import Histogram
    from modelramp.judgement.situation import Distribution, Rates

# The share of requests: off by more than this many points and this part of the weight.
SHARE_POINTS, SHARE_PART = 0.01, 0.2
# E against "the share is the configured one": wrong in one of 1,000 steps at most, however often looked at.
LOG_SHARE = math.log(1000.0)
LOAD_FACTOR = 1.25
# Two arms are alike when neither's rate is shown to be over this multiple of the other's.
ALIKE = 1.25
# A rise that stays under this part of the limit hurts nobody: at night 0.1 % becomes 0.2 %.
NOTABLE = 0.5
_LOG_TAIL = math.log(0.025)


Rule: TypeAlias = Callable[[Situation], "Iterable[Finding]"]


def blame(situation: Situation) -> tuple[Finding, ...]:
    """What is found, in the order of the rules."""
    return tuple(finding for rule in _RULES for finding in rule(situation))


def _data_drift(situation: Situation) -> Iterable[Finding]:
    """An input that differs from training in both arms; it blocks nothing."""
    for one in situation.distributions:
        if one.kind is not Kind.INPUT:
            continue
        limit = situation.limits.fail
        candidate = _drift(one.candidate, one.candidate_frozen or one.stable_frozen, limit=limit)
        stable = _drift(one.stable, one.stable_frozen or one.candidate_frozen, limit=limit)
        if _failed(candidate) and _failed(stable):
            yield Finding(
                fault=Fault.DATA_DRIFT,
                message=f"input {one.name} has moved from training in both arms: {_psi(candidate)} in the "
                f"candidate and {_psi(stable)} in stable, limit {limit:g}; rolling back cannot help: check "
                "where this input comes from, and train on newer data",
            )


def _different_inputs(situation: Situation) -> Iterable[Finding]:
    """The arms do not get the same kind of requests."""
    for one in situation.distributions:
        if one.kind is not Kind.INPUT:
            continue
        found = _drift(one.candidate, one.stable, limit=situation.limits.fail)
        if _failed(found):
            yield Finding(
                fault=Fault.ROUTING_FAULT,
                blocks=frozenset({Blocked.PASS}),
                message=f"input {one.name} differs between the arms: {_psi(found)}, limit "
                f"{situation.limits.fail:g}, so they do not get the same requests; look for a rule that "
                "routes by content, user or region before the weights apply",
            )


def _wrong_share(situation: Situation) -> Iterable[Finding]:
    """The candidate's share of requests is significantly and notably not the configured one."""
    seen = situation.routing
    if seen is None or seen.pinned or seen.looks <= 1 or not 0.0 < seen.weight < 1.0:
        return
    n = seen.candidate + seen.stable
    if not n:
        return
    share = seen.candidate / n
    if abs(share - seen.weight) <= max(SHARE_POINTS, SHARE_PART * seen.weight):
        return
    evidence = share_evidence(seen.candidate / seen.phi, seen.stable / seen.phi, weight=seen.weight)
    if evidence < LOG_SHARE:
        return
    low, high = clopper_pearson(seen.candidate, n)
    yield Finding(
        fault=Fault.ROUTING_FAULT,
        blocks=frozenset({Blocked.PASS}),
        message=f"the candidate gets {_percent(share)} of the requests (95 % CI {_percent(low)}–"
        f"{_percent(high)}, n={n:,}) instead of {_percent(seen.weight)}; look for another route on this "
        "host, clients that bypass the router, and sessions that stick to a revision",
    )


def share_evidence(candidate: float, stable: float, *, weight: float) -> float:
    """``ln E`` against "each request goes to the candidate with probability weight", at any number of looks.

    The alternative is Beta(1, 1): ``ln E = lnB(1+a, 1+b) − a ln w − b ln(1−w)``; E has mean 1 under the
    hypothesis and reaches 1/α with probability α at most (Ville).
    """
    return (
        log_beta(1.0 + candidate, 1.0 + stable) - candidate * math.log(weight) - stable * math.log1p(-weight)
    )


def _prediction_shift(situation: Situation) -> Iterable[Finding]:
    """Predictions that differ in the candidate only; other inputs would explain them."""
    if any(True for _ in _different_inputs(situation)):
        return
    for one in situation.distributions:
        if one.kind is not Kind.PREDICTION or one.name in situation.expected_shift:
            continue
        for limit, tier in ((situation.limits.fail, Tier.FAIL), (situation.limits.warn, None)):
            found = _candidate_only(one, situation, limit=limit)
            if found is None:
                continue
            yield Finding(
                fault=Fault.PREDICTION_SHIFT,
                tier=Tier.FAIL if tier else None,
                message=f"{found.message}: the candidate answers otherwise; compare the two versions on the "
                "same rows; a shift that is meant is declared in expectedShift of the ModelVersion",
            )
            break


def _candidate_only(one: Distribution, situation: Situation, *, limit: float) -> drift.Drift | None:
    """The candidate's drift over the limit, if it is its own."""
    if one.stable is not None and one.stable.n:
        # both get the same requests, so what differs between them is the candidate's
        found = _drift(one.candidate, one.stable, limit=limit, label=one.name)
        return found if _failed(found) else None
    # without another arm, inputs that moved from training explain predictions that did
    if any(
        _failed(_drift(it.candidate, it.candidate_frozen or it.stable_frozen, limit=situation.limits.fail))
        for it in situation.distributions
        if it.kind is Kind.INPUT
    ):
        return None
    against = "its frozen baseline"
    found = _drift(one.candidate, one.candidate_frozen, limit=limit, label=one.name, against=against)
    return found if _failed(found) else None


def _shared_fault(situation: Situation) -> Iterable[Finding]:
    """Bad requests rise in both arms alike: something that both depend on."""
    for seen in situation.rates:
        candidate, stable = seen.candidate, seen.stable
        # cheap, and true of every healthy rollout
        if not (candidate.n and stable.k) or stable.k <= NOTABLE * seen.limit * stable.n:
            continue
        if not _alike(candidate, stable, seen.phi):
            continue
        if not _surely_over(stable.n / seen.phi, stable.k / seen.phi, seen.limit) and not _risen(seen):
            continue
        yield Finding(
            fault=Fault.SHARED_FAULT,
            blocks=frozenset({Blocked.PASS}),
            metrics=frozenset({seen.metric}),
            message=f"{seen.label} is {_percent(candidate.k / candidate.n)} in the candidate and "
            f"{_percent(stable.k / stable.n)} in stable (n={candidate.n:,} and {stable.n:,}, limit "
            f"{_percent(seen.limit)}): both alike, so a rollback would not mend it; look at what both depend "
            "on: data store, feature service, nodes, network",
        )


def _surely_over(n: float, k: float, share: float) -> bool:
    """Whether the lower end of the Clopper–Pearson 95 % interval is over the share, without the interval."""
    return k > share * n and log_beta_cdf(share, k, n - k + 1.0) < _LOG_TAIL


def _alike(candidate: Counts, stable: Counts, phi: float) -> bool:
    """Whether neither arm is shown to be worse than 1.25 × the other: given an error, whose is it?"""
    total = (candidate.k + stable.k) / phi

    def blamed(one: Counts, other: Counts) -> bool:
        ratio = ALIKE * one.n / other.n
        return _surely_over(total, one.k / phi, ratio / (1.0 + ratio))

    return not blamed(candidate, stable) and not blamed(stable, candidate)


def _risen(seen: Rates) -> bool:
    """Whether stable is worse than before the rollout, and near enough to the limit to matter."""
    if seen.before is None or not seen.before.n:
        return False
    least = max(ALIKE * clopper_pearson(seen.before.k, seen.before.n)[1], NOTABLE * seen.limit)
    stable = seen.stable
    return (
        least < 1.0
        and seen.candidate.k > least * seen.candidate.n
        and _surely_over(stable.n / seen.phi, stable.k / seen.phi, least)
    )


def _load_imbalance(situation: Situation) -> Iterable[Finding]:
    """A replica of one arm has more to do than one of the other, so their latencies cannot be compared."""
    seen = situation.load
    if seen is None or min(seen.candidate_replicas, seen.stable_replicas, seen.candidate, seen.stable) < 1:
        return
    candidate, stable = seen.candidate / seen.candidate_replicas, seen.stable / seen.stable_replicas
    if max(candidate, stable) <= LOAD_FACTOR * min(candidate, stable):
        return
    even = seen.candidate_replicas / (seen.candidate_replicas + seen.stable_replicas)
    low, high = clopper_pearson(seen.candidate, seen.candidate + seen.stable)
    if low <= even <= high:
        return
    yield Finding(
        fault=Fault.LOAD_IMBALANCE,
        blocks=frozenset({Blocked.COMPARISON_PASS}),
        metrics=seen.metrics,
        message=f"a replica of the candidate got {candidate:,.0f} requests and one of stable {stable:,.0f} "
        f"in the same time ({seen.candidate_replicas} and {seen.stable_replicas} replicas), over "
        f"{LOAD_FACTOR - 1:.0%} apart: latency is not compared; set the replicas of the step so that the "
        "load is even",
    )


_RULES: tuple[Rule, ...] = (
    _data_drift,
    _different_inputs,
    _wrong_share,
    _prediction_shift,
    _shared_fault,
    _load_imbalance,
)


def _drift(
    sample: Histogram | None,
    reference: Histogram | None,
    *,
    limit: float,
    label: str = "",
    against: str = "stable",
) -> drift.Drift | None:
    if sample is None or reference is None:
        return None
    return drift.drift(sample, reference, limit=limit, label=label, against=against)


def _failed(found: drift.Drift | None) -> bool:
    return found is not None and found.outcome is Outcome.FAIL


def _psi(found: drift.Drift | None) -> str:
    if found is None or found.psi is None:
        return "no PSI"
    return f"PSI {found.psi:.3f} (n={found.n:,.0f} and {found.m:,.0f})"


def _percent(share: float) -> str:
    return f"{100.0 * share:.3g} %"
