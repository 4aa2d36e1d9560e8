"""Drawn counts have the distribution that the file asks for, and the same seed draws the same."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from modelramp.judgement.evidence import Counts, NoData, ProviderError
from modelramp.judgement.verdict import Arm
from modelramp.replay.draw import Bursts, Draws, poisson
from modelramp.replay.script import Script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.evidence import Seen


@pytest.mark.parametrize("mean", [0.3, 4.0, 9.99, 10.0, 30.0, 570.0])
def test_requests_are_poisson(mean: float) -> None:
    """A chi-square test against scipy's Poisson, in bins of equal weight (seeded; fails 1 in 10,000)."""
    random = Random(1)  # noqa: S311
    drawn = np.array([poisson(mean, random) for _ in range(20_000)])
    edges = np.unique(stats.poisson.ppf(np.linspace(0, 1, 21)[1:-1], mean))
    seen = np.bincount(np.searchsorted(edges, drawn), minlength=len(edges) + 1)
    shares = np.diff(np.concatenate([[0.0], stats.poisson.cdf(edges, mean), [1.0]]))
    assert stats.chisquare(seen, shares * len(drawn)).pvalue > 1e-4


def test_single_errors_are_binomial() -> None:
    """With bursts of one, bad requests of a look are a binomial number."""
    bursts = Bursts(Random(2))  # noqa: S311
    drawn = np.array([bursts.take(40, share=0.1, size=1) for _ in range(10_000)])
    seen = np.bincount(np.minimum(drawn, 9), minlength=10)
    shares = [*stats.binom.pmf(range(9), 40, 0.1), stats.binom.sf(8, 40, 0.1)]
    assert stats.chisquare(seen, np.array(shares) * len(drawn)).pvalue > 1e-4


@pytest.mark.parametrize("size", [1, 5, 10])
def test_bursts_keep_the_share(size: int) -> None:
    """The long-run share is what was asked for, also where a look is shorter than a burst."""
    bursts = Bursts(Random(3))  # noqa: S311
    n = 400_000
    bad = sum(bursts.take(4, share=0.03, size=size) for _ in range(n // 4))
    assert bad / n == pytest.approx(0.03, abs=4 * (0.03 * size / n) ** 0.5)


def test_bursts_come_in_a_row() -> None:
    """Asked one by one, bad requests come in rows whose lengths are whole bursts."""
    bursts = Bursts(Random(4))  # noqa: S311
    line = "".join(str(bursts.take(1, share=0.1, size=5)) for _ in range(20_000))
    rows = [len(row) for row in line.strip("1").split("0") if row]
    assert len(rows) > 100
    assert {row % 5 for row in rows} == {0}


def test_nothing_and_everything() -> None:
    """A share of 0 has no bad request, one of 1 no good one."""
    bursts = Bursts(Random(5))  # noqa: S311
    assert bursts.take(1000, share=0.0, size=5) == 0
    assert bursts.take(1000, share=1.0, size=5) == 1000


def _looks(seed: int, weight: int = 10, **content: Any) -> list[Mapping[Arm, Mapping[str, Seen]]]:  # noqa: ANN401
    arm = {"errors": 0.1, "slow": 0.05}
    phase = {"for": "1h", "candidate": {"rps": 2, **arm}, "stable": {"rps": 8, **arm}}
    script = Script.model_validate({"phases": [phase]} | content)
    return [look(weight) for look in Draws(script, seed).looks()]


def test_a_seed_is_a_run() -> None:
    """The same seed draws the same counts, another one others."""
    assert _looks(1) == _looks(1)
    assert _looks(1) != _looks(2)


def test_a_figure_that_is_added_leaves_the_others_as_they_were() -> None:
    """Labels in the file do not change which requests failed."""
    arm = {"errors": 0.1, "slow": 0.05, "wrong": 0.2}
    with_labels = [{"for": "1h", "candidate": {"rps": 2, **arm}, "stable": {"rps": 8, **arm}}]
    more = _looks(1, phases=with_labels)
    assert [look[Arm.CANDIDATE]["error-rate"] for look in more] == [
        look[Arm.CANDIDATE]["error-rate"] for look in _looks(1)
    ]
    assert all("quality" in look[Arm.STABLE] for look in more)


def test_a_total_is_shared_by_weight() -> None:
    """Of 100 requests a second the candidate gets its weight's part."""
    phases = [{"for": "1h", "candidate": {"errors": 0.1}, "stable": {"errors": 0.1}}]
    for weight in (5, 50):
        looks = _looks(1, weight, phases=phases, rps={"total": 100})
        counts = {arm: sum(_counts(look[arm]["error-rate"]).n for look in looks) for arm in Arm}
        assert counts[Arm.CANDIDATE] / sum(counts.values()) == pytest.approx(weight / 100, rel=0.02)
        assert sum(counts.values()) == pytest.approx(360_000, rel=0.02)


def _counts(seen: Seen) -> Counts:
    assert isinstance(seen, Counts)
    return seen


def test_no_data_is_not_zero() -> None:
    """Null is no data, `down` a provider that does not answer; a given arm without a figure has none."""
    phases = [
        {
            "for": "30s",
            "candidate": {"rps": 1, "errors": None, "slow": "down"},
            "stable": {"rps": 1, "errors": 0},
        },
        {"looks": [{"candidate": {"requests": 5, "errors": 1, "slow": "down"}}]},
    ]
    first, second = _looks(1, phases=phases)
    assert first[Arm.CANDIDATE]["error-rate"] == NoData()
    assert isinstance(first[Arm.CANDIDATE]["latency"], ProviderError)
    assert _counts(first[Arm.STABLE]["error-rate"]).k == 0
    assert second[Arm.CANDIDATE]["error-rate"] == Counts(5, 1)
    assert isinstance(second[Arm.CANDIDATE]["latency"], ProviderError)
    assert second[Arm.STABLE] == {}


def test_the_history_is_the_stable_arm_of_the_first_phase() -> None:
    """So many looks before the rollout, with its rate and its share of errors."""
    arm = {"errors": 0.02}
    phases = [{"for": "1h", "candidate": {"rps": 2, **arm}, "stable": {"rps": 8, **arm}}]
    script = Script.model_validate({"phases": phases, "history": "12h"})
    looks = list(Draws(script, 1).history(60))
    assert len(looks) == 720
    total = sum((look["error-rate"] for look in looks), Counts())
    assert total.n == pytest.approx(8 * 12 * 3600, rel=0.02)
    assert total.k / total.n == pytest.approx(0.02, rel=0.1)
