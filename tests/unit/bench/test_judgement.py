"""The simulation of judgement: its streams are what they say, its rivals too, and it runs from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, norm

from bench.judgement import ours, report
from bench.judgement.cases import Job, jobs, work
from bench.judgement.rivals import high, kayenta, naive, shifted, z_test
from bench.judgement.streams import CLEAN, ERRORS, SLOW, Arm, Stream, Traffic, bursty, load, stream, wandering

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("burst", [1, 5, 10])
def test_bursts_keep_the_share(burst: int) -> None:
    """The share is what was asked for, and the dispersion per look about the size of the bursts."""
    n = np.full(20_000, 60)
    bad = bursty(np.random.default_rng(burst), n, share=0.02, burst=burst)
    assert bad.sum() / n.sum() == pytest.approx(0.02, abs=4 * (0.02 * burst / n.sum()) ** 0.5)
    assert bad.var() / (60 * 0.02) == pytest.approx(burst, rel=0.2)
    assert bad.max() <= 60


def test_a_wandering_share_is_autocorrelated_and_clean() -> None:
    """Its mean is about what was asked for, it is never over 3 %, and the next look is much like this one."""
    share = wandering(np.random.default_rng(1), 50_000, mean=0.01)
    assert share.mean() == pytest.approx(0.01, rel=0.1)
    assert share.max() <= CLEAN
    assert np.corrcoef(share[1:], share[:-1])[0, 1] > 0.9


def test_a_load_swings() -> None:
    """Between a fifth and three times 1.8; without a swing it is even."""
    swings = load(np.random.default_rng(1), 1440, swing=True)
    assert swings.min() < 0.3
    assert swings.max() > 1.7
    assert set(load(np.random.default_rng(1), 10, swing=False)) == {1.0}


def test_a_seed_is_a_stream() -> None:
    """The same seed gives the same counts; stable has 19 times as many requests."""
    traffic = Traffic(rps=1.0, errors=(0.01, 0.01), burst=5)
    one, two = (stream(np.random.default_rng(7), traffic) for _ in range(2))
    assert (one.candidate.bad[ERRORS] == two.candidate.bad[ERRORS]).all()
    assert one.stable.n.sum() / one.candidate.n.sum() == pytest.approx(19, rel=0.05)


def _stream(candidate: list[int], stable: list[int], n: int = 100) -> Stream:
    """Errors per look of both arms, with n requests in each."""
    arms = [
        Arm(np.full(len(bad), n), {ERRORS: np.array(bad), SLOW: np.zeros(len(bad), dtype=np.int64)})
        for bad in (candidate, stable)
    ]
    return Stream(*arms)


def test_the_window_rule() -> None:
    """26 bad ones of 500 are over 5 %, 25 are not; what is older than five looks is forgotten."""
    assert naive(_stream([5] * 20, [0] * 20)) is None
    assert naive(_stream([5] * 10 + [6] + [5] * 9, [0] * 20)) == 11
    assert naive(_stream([0] * 10 + [24, 0, 0, 0, 0, 2], [0] * 16)) is None


def test_the_z_test() -> None:
    """Arms that are alike are not told apart; 10 % against 1 % is at the first look."""
    assert z_test(_stream([1] * 50, [1] * 50)) is None
    assert z_test(_stream([10] * 50, [1] * 50)) == 1


def test_kayenta_tells_arms_apart() -> None:
    """Twice the share in every minute is high after an hour; the same shares, or less, are not."""
    rng = np.random.default_rng(1)
    low, other, twice = (rng.binomial(1000, p, size=60).tolist() for p in (0.02, 0.02, 0.04))
    assert kayenta(_stream(twice, low, 1000)) == 60
    assert kayenta(_stream(low, other, 1000)) is None
    assert kayenta(_stream(low, twice, 1000)) is None


def test_the_rank_statistic_is_scipys() -> None:
    """With ties, it gives scipy's asymptotic p-value with correction for continuity."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 9, size=40) / 9, rng.integers(1, 10, size=50) / 9
    expected = mannwhitneyu(x, y, alternative="less", method="asymptotic").pvalue
    assert norm.cdf(shifted(x, y)) == pytest.approx(expected, rel=1e-9)
    assert not high(np.array([]), y)
    assert not high(np.zeros(9), np.zeros(9))


def test_a_fault_is_found_and_a_clean_hour_is_not_one() -> None:
    """The product's own judgement on these streams: half of the requests fail, or one in a hundred."""
    rng = np.random.default_rng(3)
    plan = ours.default_plan(stream(rng, Traffic(rps=1.0, errors=(0.01, 0.01))).stable)
    bad = ours.failure(stream(rng, Traffic(rps=1.0, errors=(0.5, 0.01)), 30), plan)
    assert bad is not None
    assert (bad.metric, bad.look <= 3) == (ERRORS, True)
    good = stream(rng, Traffic(rps=1.0, errors=(0.01, 0.01)), 60)
    assert ours.failure(good, plan) is None
    assert ours.passed(good, ours.only(plan, ERRORS)) is not None


def test_the_proof_is_the_judges() -> None:
    """What is counted as a pass is the look at which `judge` says Pass."""
    day = stream(np.random.default_rng(4), Traffic(rps=0.5, errors=(0.02, 0.01)), 120)
    plan = ours.only(ours.default_plan(), ERRORS)
    assert ours.passed(day, plan) == ours.first_pass(day, plan)


def test_the_section_takes_its_own_place(tmp_path: Path) -> None:
    """Written twice it is there once, and what is around it stays."""
    path = tmp_path / "benchmarks.md"
    path.write_text("# Benchmarks\n\nbefore\n")
    report.write(path, "one\n")
    path.write_text(path.read_text() + "\nafter\n")
    report.write(path, "two\n")
    text = path.read_text()
    assert text.count(report.BEGIN) == 1
    assert [word in text for word in ("before", "one", "two", "after")] == [True, False, True, True]


def test_a_quick_run_makes_all_tables() -> None:
    """One piece of work of each kind, from the work to Markdown; seeded, so that twice is the same."""
    listed = jobs(days=1, faults=1, limits=1, drifts=2, seed=1)
    some: dict[str, Job] = {job.kind: job for job in listed if job.place.get("rps", 1.0) == 1.0}
    assert set(some) == {"limit", "fault", "clean", "drift"}
    answers = [work(job) for job in some.values()]
    assert work(some["limit"]) == next(answer for answer in answers if answer[0].kind == "limit")
    text = report.markdown(answers, head="## Judgement")
    assert text.count("### ") == 4
