"""Evidence as a fold: scopes begin on the grid, nothing counts twice, and a checkpoint loses nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelramp.judgement.evidence import (
    Counts,
    Evidence,
    Look,
    NoData,
    ProviderError,
    Seen,
    advance,
    counted_until,
    first_look,
    interrupted,
)
from modelramp.judgement.plan import Plan, error_rate, latency
from modelramp.judgement.verdict import Arm, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAN = Plan(checks=(error_rate(), latency()), interval=10)
SINCE = datetime(2026, 11, 21, 8, 0, 3, tzinfo=UTC)
FIRST = first_look(SINCE, 10)
NEW = Evidence(scope="r1/0", since=SINCE)


def _look(number: int, candidate: Seen, stable: Seen) -> Look:
    return Look(at=FIRST + 10 * number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})


def _fold(looks: Sequence[tuple[Seen, Seen]], evidence: Evidence = NEW, begin: int = 1) -> Evidence:
    for number, (candidate, stable) in enumerate(looks, begin):
        evidence = advance(evidence, "error-rate", _look(number, candidate, stable), PLAN)
    return evidence


def _counts() -> st.SearchStrategy[Counts]:
    return st.integers(0, 500).flatmap(lambda n: st.integers(0, n).map(lambda k: Counts(n, k)))


SEEN: st.SearchStrategy[Seen] = st.one_of(_counts(), st.just(NoData()), st.just(ProviderError("NaN")))
LOOKS = st.lists(st.tuples(SEEN, SEEN), max_size=30)


@pytest.mark.parametrize(
    ("second", "microsecond", "expected"), [(0, 0, 0), (0, 1, 10), (3, 0, 10), (10, 0, 10), (10, 500, 20)]
)
def test_first_counters_are_at_or_after_the_acknowledgement(
    second: int, microsecond: int, expected: int
) -> None:
    """The scope's zero is the first grid point that is not before the route was acknowledged."""
    base = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)
    since = base + timedelta(seconds=second, microseconds=microsecond)
    assert first_look(since, 10) - int(base.timestamp()) == expected


@given(looks=LOOKS, cut=st.integers(0, 30))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_checkpoint_loses_no_bit(looks: list[tuple[Seen, Seen]], cut: int) -> None:
    """Going on from a checkpoint that went through JSON ends in the same evidence as going on without."""
    stored = _fold(looks[:cut])
    read = Evidence.from_dict(json.loads(json.dumps(stored.to_dict())))
    assert read == stored
    assert _fold(looks[cut:], read, cut + 1) == _fold(looks)


def test_a_checkpoint_is_small() -> None:
    """Less than a kilobyte per metric, with long counts and an alarm."""
    evidence = _fold([(Counts(10**9, 10**8 + i), Counts(10**9, 10**7 + i)) for i in range(50)])
    assert evidence.metrics["error-rate"].alarm is not None
    assert len(json.dumps(evidence.to_dict()["metrics"]["error-rate"])) < 1024


@pytest.mark.parametrize(
    "data", [{}, {"scope": "a", "since": "2026-01-01T00:00:00+00:00", "metrics": {"x": {}}}]
)
def test_a_broken_checkpoint_is_named(data: dict[str, object]) -> None:
    """What cannot be read is a clear error, not evidence."""
    with pytest.raises(ValueError, match="stored evidence cannot be read"):
        Evidence.from_dict(data)


def test_a_look_counts_once() -> None:
    """The same look again, or an older one, or one from before the step changes nothing."""
    once = _fold([(Counts(10, 1), Counts(90, 1))])
    again = advance(once, "error-rate", _look(1, Counts(10, 1), Counts(90, 1)), PLAN)
    assert again == once
    assert advance(NEW, "error-rate", _look(0, Counts(50, 50), Counts()), PLAN) == NEW


def test_checks_are_counted_apart() -> None:
    """A look at one check leaves the other's clock where it was."""
    evidence = _fold([(Counts(10, 1), Counts(90, 1))])
    assert counted_until(evidence, "error-rate", PLAN) == FIRST + 10
    assert counted_until(evidence, "latency", PLAN) == FIRST


def test_an_interruption_counts_nothing() -> None:
    """A provider that does not answer leaves a message only, and the next look takes it away."""
    before = _fold([(Counts(10, 1), Counts(90, 1))])
    down = interrupted(before, "error-rate", "Prometheus is down", PLAN)
    assert down.metrics["error-rate"].trouble == "Prometheus is down"
    assert counted_until(down, "error-rate", PLAN) == counted_until(before, "error-rate", PLAN)
    more = [(Counts(5, 0), Counts(5, 0))]
    assert _fold(more, down, 2) == _fold(more, before, 2)


def test_an_alarm_stays_and_may_only_become_critical() -> None:
    """Good looks after a failure do not take it back; worse ones raise its tier and nothing lowers it."""
    failed = _fold([(Counts(100, 8), Counts(100, 1))] * 100)
    first = failed.metrics["error-rate"].alarm
    assert first is not None
    assert first.tier is Tier.FAIL
    good = _fold([(Counts(100, 0), Counts(100, 0))] * 100, failed, 101)
    assert good.metrics["error-rate"].alarm == first
    worse = _fold([(Counts(100, 90), Counts(100, 0))] * 20, good, 201)
    critical = worse.metrics["error-rate"].alarm
    assert critical is not None
    assert critical.tier is Tier.CRITICAL
    calm = _fold([(Counts(100, 0), Counts(100, 0))] * 20, worse, 221)
    assert calm.metrics["error-rate"].alarm == critical


def test_the_alarm_is_about_its_own_stretch() -> None:
    """After many good looks the alarm's counts are those of the bad ones, not of the whole step."""
    evidence = _fold([(Counts(100, 0), Counts(100, 0))] * 500 + [(Counts(100, 40), Counts(100, 1))] * 5)
    alarm = evidence.metrics["error-rate"].alarm
    assert alarm is not None
    assert alarm.run.candidate.k / alarm.run.candidate.n == pytest.approx(0.4)
    assert alarm.run.since == FIRST + 500 * 10


def test_no_data_is_remembered_from_its_beginning() -> None:
    """The candidate's silence has a beginning, which ends with the first counts."""
    silent = _fold([(Counts(1, 0), Counts()), (NoData(), Counts()), (NoData(), Counts())])
    assert silent.metrics["error-rate"].no_data == FIRST + 20
    assert _fold([(Counts(), Counts())], silent, 4).metrics["error-rate"].no_data is None


def test_impossible_counts_are_refused() -> None:
    """More bad ones than requests cannot be."""
    with pytest.raises(ValueError, match="3 bad ones of 2"):
        Counts(2, 3)
