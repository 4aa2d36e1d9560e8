"""How often drift is seen where there is none: PSI alone, and with the rule that asks for enough data.

    PYTHONPATH=operator:tests python tests/bench/drift.py [--runs N]

Seeded. Each row is one number of observations of the candidate; stable has 19 times as many (5 % canary), as
many (50 %), or is a frozen histogram of 10,000.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
from scipy import stats

from modelramp.judgement.drift import FAIL_LIMIT, WARN_LIMIT, distance, judge
from modelramp.judgement.histogram import Histogram
from modelramp.judgement.verdict import Outcome

SIZES = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
FROZEN = 10_000
SEED = 20261121


@dataclass(slots=True)
class Tally:
    """Of ``runs`` comparisons against one limit: PSI over it, and the verdicts."""

    runs: int = 0
    over: int = 0
    passed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        decided = self.passed + self.failed
        return f"{self.over / self.runs:.1%} | {self.failed} of {decided:,}"


def shapes() -> dict[str, np.ndarray]:
    """Shares of the bins of what a model may predict."""
    at = np.linspace(0.0, 1.0, 21)
    normal = np.diff(stats.norm.cdf(np.r_[-99.0, at[1:-1], 99.0], 0.4, 0.2))
    return {
        "10 even bins": np.full(10, 0.1),
        "20 even bins": np.full(20, 0.05),
        "50 even bins": np.full(50, 0.02),
        "20 bins, normal": normal / normal.sum(),
        "20 bins, skewed": np.diff(stats.beta.cdf(at, 0.4, 6.0)),
    }


def tally(n: int, *, runs: int, rng: np.random.Generator) -> dict[float, Tally]:
    """Comparisons without drift with n observations of the candidate: all shapes, all references."""
    found = {limit: Tally() for limit in (WARN_LIMIT, FAIL_LIMIT)}
    for shares in shapes().values():
        for m in (19 * n, n, FROZEN):
            samples = (rng.multinomial(size, shares, size=runs).tolist() for size in (n, m))
            for candidate, reference in zip(*samples, strict=True):
                seen = distance(_histogram(candidate), _histogram(reference))
                for limit, counts in found.items():
                    outcome = judge(seen, limit=limit).outcome
                    counts.runs += 1
                    counts.over += seen.psi is not None and seen.psi > limit
                    counts.passed += outcome is Outcome.PASS
                    counts.failed += outcome is Outcome.FAIL
    return found


def table(*, runs: int) -> str:
    """The whole table in Markdown."""
    rng = np.random.default_rng(SEED)
    lines = [
        "| n | PSI > 0.10 | of the verdicts at 0.10 fail | PSI > 0.25 | of the verdicts at 0.25 fail |",
        "|---|---|---|---|---|",
    ]
    for n in SIZES:
        found = tally(n, runs=runs, rng=rng)
        lines.append(f"| {n:,} | {found[WARN_LIMIT]} | {found[FAIL_LIMIT]} |")
    return "\n".join(lines)


def _histogram(counts: list[int]) -> Histogram:
    return Histogram(tuple(range(1, len(counts))), tuple(counts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="comparisons a shape, reference and size")
    sys.stdout.write(table(runs=parser.parse_args().runs) + "\n")
