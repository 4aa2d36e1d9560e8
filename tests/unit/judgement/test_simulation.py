"""Seeded simulation: how often judgement is wrong on traffic that is known, beside the naive rule."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from modelramp.judgement import alarm, dispersion, proof
from modelramp.judgement.evidence import Counts, Evidence, Look, advance, first_look
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.verdict import Arm

PLAN = Plan(checks=(error_rate(),), interval=60)
SINCE = datetime(2026, 11, 21, tzinfo=UTC)
FIRST = first_look(SINCE, 60)
DAY = 24 * 60


def _errors(rng: np.random.Generator, *, requests: int, share: float, burst: int) -> int:
    return min(requests, burst * int(rng.binomial(requests, share / burst)))


def _day(
    seed: int, *, rate: float, share: float, burst: int, stable_share: float = 0.01, looks: int = DAY
) -> list[tuple[Counts, Counts]]:
    rng = np.random.default_rng(seed)
    day = []
    for _ in range(looks):
        candidate, stable = int(rng.poisson(rate * 60)), int(rng.poisson(19 * rate * 60))
        day.append(
            (
                Counts(candidate, _errors(rng, requests=candidate, share=share, burst=burst)),
                Counts(stable, _errors(rng, requests=stable, share=stable_share, burst=burst)),
            )
        )
    return day


def _looks_until_alarm(day: list[tuple[Counts, Counts]], plan: Plan = PLAN) -> int | None:
    evidence = Evidence(scope="r/0", since=SINCE)
    for number, (candidate, stable) in enumerate(day, 1):
        look = Look(at=FIRST + 60 * number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
        evidence = advance(evidence, "error-rate", look, plan)
        if evidence.metrics["error-rate"].alarm:
            return number
    return None


def _naive_alarm(day: list[tuple[Counts, Counts]]) -> bool:
    window = [candidate for candidate, _ in day]
    for end in range(5, len(window)):
        n, k = sum(c.n for c in window[end - 5 : end]), sum(c.k for c in window[end - 5 : end])
        if n and k / n > 0.05:
            return True
    return False


@pytest.mark.parametrize(("share", "burst"), [(0.01, 1), (0.03, 1), (0.01, 5), (0.03, 5), (0.01, 10)])
def test_clean_days_raise_no_alarm(share: float, burst: int) -> None:
    """Six clean days per case, 0.2 and 2 requests a second: no alarm, errors in bursts or not."""
    for seed in range(3):
        for rate in (0.2, 2.0):
            day = _day(seed, rate=rate, share=share, stable_share=share, burst=burst)
            assert _looks_until_alarm(day) is None, (seed, rate)


def test_the_naive_rule_does_raise_alarms_on_them() -> None:
    """The same days under "over 5 % in five minutes" do not pass: the streams are not too easy."""
    days = [_day(seed, rate=0.2, share=0.01, burst=1) for seed in range(3)]
    assert all(_naive_alarm(day) for day in days)


@pytest.mark.parametrize(
    ("share", "rate", "most"), [(0.2, 1.0, 8), (0.5, 1.0, 4), (0.2, 5.0, 4), (0.33, 0.25, 20)]
)
def test_bad_revisions_are_found_after_good_hours(share: float, rate: float, most: int) -> None:
    """After ten good hours a failing revision is found within minutes (median of seven)."""
    found = []
    for seed in range(7):
        good = _day(seed, rate=rate, share=0.01, burst=1, looks=600)
        bad = _day(seed + 100, rate=rate, share=share, burst=1, looks=200)
        look = _looks_until_alarm(good + bad)
        found.append(math.inf if look is None else look - 600)
    assert np.median(found) <= most


@pytest.mark.parametrize(
    ("share", "burst", "rate", "most"),
    [
        (0.05, 1, 0.25, 33),
        (0.05, 1, 1.0, 12),
        (0.05, 1, 5.0, 4.5),
        (0.1, 1, 0.25, 12),
        (0.1, 1, 1.0, 4.5),
        (0.1, 1, 5.0, 1.5),
        (0.2, 1, 0.25, 6),
        (0.2, 1, 1.0, 4.5),
        (0.5, 1, 0.25, 4.5),
        (0.5, 1, 1.0, 1.5),
        (0.1, 5, 0.25, 48),
        (0.1, 5, 1.0, 13.5),
        (0.1, 5, 5.0, 3),
    ],
)
def test_detection_times_of_the_table(share: float, burst: int, rate: float, most: float) -> None:
    """With half a day of history and looks of a minute, the median of 15 is at most 1.5 times the table's."""
    found = []
    for seed in range(15):
        past = _day(seed + 200, rate=rate, share=0.01, burst=burst, looks=720)
        known = dispersion.history((stable.n, stable.k) for _, stable in past)
        plan = Plan(checks=(error_rate(history=known),), interval=60)
        good = _day(seed, rate=rate, share=0.01, burst=burst, looks=120)
        bad = _day(seed + 100, rate=rate, share=share, burst=burst, looks=300)
        look = _looks_until_alarm(good + bad, plan)
        found.append(math.inf if look is None else look - 120)
    assert min(found) > 0
    assert np.median(found) <= most


def test_a_revision_at_the_limit_is_seldom_proved() -> None:
    """Looked at 500 times, a revision at the limit is proved in at most 5 % of 200 runs (3 sigma: 10 %)."""
    rng = np.random.default_rng(3)
    passed = 0
    for _ in range(200):
        k = np.cumsum(rng.binomial(20, 0.05, size=500))
        n = 20 * np.arange(1, 501)
        # the proof needs a share well under the limit: only those looks are worth the arithmetic
        worth = np.flatnonzero(k / n < 0.05)
        passed += any(proof.proved(n=float(n[i]), k=float(k[i]), null=0.05) for i in worth)
    assert passed <= 0.1 * 200


def test_alarm_at_the_limit_is_as_rare_as_promised() -> None:
    """At the limit itself an alarm comes once in 14,400 looks at most: in 60 days of looks, 12 at most."""
    rng = np.random.default_rng(5)
    alarms, weights, threshold = 0, alarm.absolute(0.05), alarm.threshold(60)
    for _ in range(60):
        levels: tuple[float, ...] = ()
        for k in rng.binomial(60, 0.05, size=DAY):
            levels = alarm.update(levels, n=60, k=int(k), weights=weights, phi=1.0, threshold=threshold)
            if alarm.raised(levels, threshold):
                alarms, levels = alarms + 1, ()
    assert alarms <= 12
