"""Who is to blame: of each row of the table what is found, what it holds back, and what is none of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from modelramp.judgement.blame import blame, share_evidence
from modelramp.judgement.evidence import Counts
from modelramp.judgement.finding import Blocked, Fault, Finding
from modelramp.judgement.histogram import Histogram
from modelramp.judgement.situation import Distribution, Kind, Load, Rates, Routing, Situation
from modelramp.judgement.verdict import Tier

FLAT = (0.25, 0.25, 0.25, 0.25)
WARN = (0.35, 0.30, 0.20, 0.15)  # PSI 0.12 against FLAT
FAR = (0.55, 0.25, 0.15, 0.05)  # PSI 0.61
BLOCK_PASS = frozenset({Blocked.PASS})


def _seen(shares: tuple[float, ...], n: int = 4000) -> Histogram:
    return Histogram((1, 2, 3), tuple(round(n * share) for share in shares))


def _one(kind: Kind = Kind.INPUT, name: str = "amount", **arms: Histogram) -> Situation:
    return Situation(distributions=(Distribution(name=name, kind=kind, **arms),))


def _faults(situation: Situation) -> list[Fault]:
    return [finding.fault for finding in blame(situation)]


def test_nothing_known_blames_nobody() -> None:
    """Without any figure there is no finding."""
    assert blame(Situation()) == ()


def test_data_drift_in_both_arms_is_an_alert() -> None:
    """Inputs that moved from training in both arms block nothing; the message has figures and a next step."""
    now, frozen = _seen(FAR), _seen(FLAT)
    (found,) = blame(_one(candidate=now, stable=now, candidate_frozen=frozen, stable_frozen=frozen))
    assert (found.fault, found.blocks, found.tier) == (Fault.DATA_DRIFT, frozenset(), None)
    assert "input amount has moved from training in both arms: PSI 0.609 (n=4,000 and 4,000)" in found.message
    assert "limit 0.25; rolling back cannot help" in found.message


def test_data_drift_with_one_frozen_baseline() -> None:
    """Where only one of the versions has a frozen histogram, both arms are held against it."""
    now, frozen = _seen(FAR), _seen(FLAT)
    assert _faults(_one(candidate=now, stable=now, stable_frozen=frozen)) == [Fault.DATA_DRIFT]
    assert _faults(_one(candidate=now, stable=now, candidate_frozen=frozen)) == [Fault.DATA_DRIFT]
    assert _faults(_one(candidate=now, stable=now)) == []


def test_inputs_that_differ_between_the_arms_are_a_routing_fault() -> None:
    """One arm alone gets other inputs: that is not drift of the data, and nothing passes meanwhile."""
    frozen = _seen(FLAT)
    (found,) = blame(
        _one(candidate=_seen(FAR), stable=_seen(FLAT), candidate_frozen=frozen, stable_frozen=frozen)
    )
    assert (found.fault, found.blocks) == (Fault.ROUTING_FAULT, BLOCK_PASS)
    assert "input amount differs between the arms" in found.message


def test_too_little_data_blames_nobody() -> None:
    """The same shares from a hundred requests are no finding."""
    few = _seen(FAR, 100)
    frozen = _seen(FLAT)
    assert _faults(_one(candidate=few, stable=frozen, candidate_frozen=frozen)) == []
    assert _faults(_one(Kind.PREDICTION, candidate=few, stable=frozen)) == []


@pytest.mark.parametrize(("shares", "tier"), [(WARN, None), (FAR, Tier.FAIL)])
def test_predictions_of_the_candidate_alone(shares: tuple[float, ...], tier: Tier | None) -> None:
    """Over 0.10 is a warning and over 0.25 a failure of the candidate, once each; neither blocks a pass."""
    (found,) = blame(_one(Kind.PREDICTION, "score", candidate=_seen(shares), stable=_seen(FLAT)))
    assert (found.fault, found.tier, found.blocks) == (Fault.PREDICTION_SHIFT, tier, frozenset())
    assert f"against stable is over {0.25 if tier else 0.1:g}" in found.message
    assert "expectedShift" in found.message


def test_an_expected_shift_is_no_finding() -> None:
    """What the candidate's ModelVersion declares is left alone, other distributions are not."""
    situation = _one(Kind.PREDICTION, "score", candidate=_seen(FAR), stable=_seen(FLAT))
    assert _faults(replace(situation, expected_shift=frozenset({"score"}))) == []
    assert _faults(replace(situation, expected_shift=frozenset({"other"}))) == [Fault.PREDICTION_SHIFT]


def test_other_inputs_explain_other_predictions() -> None:
    """When the arms get different inputs it is routing, and the model is not blamed."""
    situation = _one(candidate=_seen(FAR), stable=_seen(FLAT))
    shifted = Distribution(name="score", kind=Kind.PREDICTION, candidate=_seen(FAR), stable=_seen(FLAT))
    assert _faults(replace(situation, distributions=(*situation.distributions, shifted))) == [
        Fault.ROUTING_FAULT
    ]


def test_predictions_that_moved_in_both_arms_are_not_the_candidates() -> None:
    """Both arms are far from what was frozen, and alike: no shift of the candidate."""
    now, frozen = _seen(FAR), _seen(FLAT)
    both = _one(Kind.PREDICTION, candidate=now, stable=now, candidate_frozen=frozen, stable_frozen=frozen)
    assert _faults(both) == []


def test_without_stable_the_frozen_predictions_are_the_reference() -> None:
    """A candidate alone is held against its own frozen histogram, unless its inputs moved as well."""
    frozen = _seen(FLAT)
    alone = _one(Kind.PREDICTION, "score", candidate=_seen(FAR), candidate_frozen=frozen)
    (found,) = blame(alone)
    assert found.tier is Tier.FAIL
    assert "against its frozen baseline" in found.message
    moved = Distribution(name="amount", kind=Kind.INPUT, candidate=_seen(FAR), candidate_frozen=frozen)
    assert _faults(replace(alone, distributions=(*alone.distributions, moved))) == []


def _routed(candidate: int, stable: int, *, weight: float = 0.05, **rest: Any) -> list[Finding]:  # noqa: ANN401
    routing = Routing(candidate=candidate, stable=stable, weight=weight, **{"looks": 5, **rest})
    return list(blame(Situation(routing=routing)))


def test_a_wrong_share_is_a_routing_fault() -> None:
    """8 % instead of 5 % of 10,000 requests blocks every pass, with the interval in the message."""
    (found,) = _routed(800, 9200)
    assert (found.fault, found.blocks, found.metrics) == (Fault.ROUTING_FAULT, BLOCK_PASS, frozenset())
    assert (
        "the candidate gets 8 % of the requests (95 % CI 7.48 %–8.55 %, n=10,000) instead of 5 %"
        in found.message
    )
    assert [finding.fault for finding in _routed(200, 9800)] == [Fault.ROUTING_FAULT]


@pytest.mark.parametrize(
    ("candidate", "stable", "weight", "rest"),
    [
        (59_000, 941_000, 0.05, {}),  # significant, but within one point
        (580_000, 420_000, 0.5, {}),  # significant, but within a fifth of the weight
        (3, 20, 0.05, {}),  # off by far, but nobody knows
        (800, 9200, 0.05, {"pinned": True}),
        (800, 9200, 0.05, {"looks": 1}),
        (800, 9200, 0.05, {"phi": 50.0}),
        (0, 0, 0.05, {}),
        (500, 0, 1.0, {}),
        (0, 500, 0.0, {}),
    ],
)
def test_a_share_that_proves_nothing(
    candidate: int, stable: int, weight: float, rest: dict[str, Any]
) -> None:
    """Small, insignificant, pinned, just changed or one-armed: no finding."""
    assert _routed(candidate, stable, weight=weight, **rest) == []


def test_a_wrong_share_is_seldom_seen_where_there_is_none() -> None:
    """300 steps of 500 looks at 1 request/s and 5 %: one at most is called wrong (1 in 1,000 allowed)."""
    rng = np.random.default_rng(29)
    found = 0
    for _ in range(300):
        n = np.cumsum(rng.poisson(30, size=500))
        k = np.cumsum(rng.binomial(np.diff(n, prepend=0), 0.05))
        worth = np.flatnonzero(np.abs(k / n - 0.05) > 0.01)
        found += any(_routed(int(k[i]), int(n[i] - k[i]), looks=int(i) + 2) for i in worth)
    assert found <= 1


def test_evidence_of_the_share_has_mean_one() -> None:
    """At any weight and number of requests the mean of E over all outcomes is 1."""
    for weight in (0.05, 0.5):
        for n in (1, 7, 40):
            k = np.arange(n + 1)
            log_choose = np.array(
                [
                    np.sum(np.log(np.arange(1, n + 1)))
                    - np.sum(np.log(np.arange(1, i + 1)))
                    - np.sum(np.log(np.arange(1, n - i + 1)))
                    for i in k
                ]
            )
            chance = np.exp(log_choose + k * np.log(weight) + (n - k) * np.log1p(-weight))
            evidence = np.exp([share_evidence(float(i), float(n - i), weight=weight) for i in k])
            assert float(chance @ evidence) == pytest.approx(1.0, rel=1e-9)


def _rates(candidate: Counts, stable: Counts, before: Counts | None = None) -> list[Finding]:
    rates = Rates(
        metric="error-rate", label="error rate", candidate=candidate, stable=stable, before=before, limit=0.05
    )
    return list(blame(Situation(rates=(rates,))))


def test_errors_in_both_arms_block_the_pass() -> None:
    """Both arms at 8 % of 5 %: no pass, for this check alone; an alarm is the alarm's own to hold."""
    (found,) = _rates(Counts(1000, 80), Counts(19_000, 1520))
    assert found.fault is Fault.SHARED_FAULT
    assert found.blocks == BLOCK_PASS
    assert found.metrics == {"error-rate"}
    assert "8 % in the candidate and 8 % in stable (n=1,000 and 19,000, limit 5 %)" in found.message


@pytest.mark.parametrize(("n", "limit"), [(300, 0.05), (5000, 0.05), (5000, 0.3)])
def test_stable_is_over_the_limit_by_its_interval(n: int, limit: float) -> None:
    """It is found from the count on at which scipy's exact interval lies over the limit."""

    def low(k: int) -> float:
        return float(stats.binomtest(k, n).proportion_ci(0.95, method="exact").low)

    first = next(k for k in range(int(limit * n), n) if low(k) > limit)
    for k, expected in ((first - 1, False), (first, True)):
        rates = Rates(metric="m", label="m", candidate=Counts(n, k), stable=Counts(n, k), limit=limit)
        assert bool(blame(Situation(rates=(rates,)))) is expected


def test_bursts_make_evidence_weaker() -> None:
    """Twice as many errors are the candidate's own when they come one by one, but not in bursts of ten."""
    rates = Rates(metric="m", label="m", candidate=Counts(500, 80), stable=Counts(9500, 760), limit=0.05)
    assert blame(Situation(rates=(rates,))) == ()
    assert _faults(Situation(rates=(replace(rates, phi=10.0),))) == [Fault.SHARED_FAULT]


def test_a_rise_under_the_limit_blocks_the_pass() -> None:
    """From 0.1 % to 4 % in both arms: no step forward in an incident."""
    (found,) = _rates(Counts(1000, 40), Counts(19_000, 760), Counts(100_000, 100))
    assert found.blocks == BLOCK_PASS


@pytest.mark.parametrize(
    ("candidate", "stable", "before"),
    [
        (Counts(1000, 160), Counts(19_000, 1520), None),  # twice as bad: the candidate's own
        (Counts(1000, 80), Counts(19_000, 190), None),  # stable is well
        (Counts(1000, 10), Counts(19_000, 1520), None),  # the candidate mends it
        (Counts(1000, 40), Counts(19_000, 760), None),  # under the limit, and nothing to compare with
        (Counts(1000, 40), Counts(19_000, 760), Counts(100_000, 3900)),  # it was so before
        (Counts(1000, 2), Counts(19_000, 38), Counts(100_000, 50)),  # a rise that hurts nobody
        (Counts(10, 1), Counts(12, 1), None),  # nobody knows
        (Counts(0, 0), Counts(19_000, 1520), None),
    ],
)
def test_errors_that_are_not_shared(candidate: Counts, stable: Counts, before: Counts | None) -> None:
    """The candidate's own errors, old ones, small ones and unknown ones are no shared fault."""
    assert _rates(candidate, stable, before) == []


def test_uneven_load_blocks_the_comparison_of_latency() -> None:
    """Twice as much for a replica of the candidate: its latency is not compared, other checks are."""
    (found,) = blame(
        Situation(load=Load(candidate=2000, stable=3000, candidate_replicas=1, stable_replicas=3))
    )
    assert (found.fault, found.blocks) == (Fault.LOAD_IMBALANCE, frozenset({Blocked.COMPARISON_PASS}))
    assert found.concerns("latency")
    assert not found.concerns("error-rate")
    assert "got 2,000 requests and one of stable 1,000" in found.message


@pytest.mark.parametrize(
    "load",
    [
        Load(candidate=1200, stable=3000, candidate_replicas=1, stable_replicas=3),
        Load(candidate=4, stable=6, candidate_replicas=1, stable_replicas=2),
        Load(candidate=0, stable=3000, candidate_replicas=1, stable_replicas=3),
        Load(candidate=100, stable=3000, candidate_replicas=0, stable_replicas=3),
    ],
)
def test_load_that_is_even_or_unknown(load: Load) -> None:
    """Within 25 %, by chance, or without requests or replicas: no finding."""
    assert blame(Situation(load=load)) == ()


def test_impossible_figures_are_refused() -> None:
    """Negative counts, weights over 1, dispersions under 1 and limits that are no share are errors."""
    routing = Routing(candidate=1, stable=1, weight=0.5, looks=2)
    rates = Rates(metric="m", label="m", candidate=Counts(2, 1), stable=Counts(2, 1), limit=0.05)
    for routed in ({"candidate": -1}, {"weight": 1.5}, {"phi": 0.5}, {"phi": float("nan")}):
        with pytest.raises(ValueError, match="cannot be"):
            replace(routing, **routed)
    for rated in ({"phi": 0.5}, {"limit": 0.0}, {"limit": 1.0}):
        with pytest.raises(ValueError, match="cannot be"):
            replace(rates, **rated)  # type: ignore[arg-type]
