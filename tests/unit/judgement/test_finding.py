"""What findings do to verdicts: they hold back a pass that they block, and never a failure."""

from __future__ import annotations

from itertools import combinations

import pytest

from modelramp.judgement.finding import Blocked, Fault, Finding, held
from modelramp.judgement.verdict import Outcome, Tier, Verdict

BLOCK_PASS = frozenset({Blocked.PASS})


def _verdict(outcome: Outcome, tier: Tier | None = None, metric: str = "error-rate") -> Verdict:
    return Verdict(
        metric=metric,
        reason="ErrorRate",
        outcome=outcome,
        tier=tier,
        value=0.2,
        baseline=0.01,
        interval=(0.1, 0.3),
        n=100,
        threshold=0.05,
        eta=None,
        message="error rate 20 %",
        query="",
    )


@pytest.mark.parametrize("tier", Tier)
def test_nothing_holds_back_a_failure(tier: Tier) -> None:
    """Of all findings with all that can be blocked, none changes a failure of either tier."""
    verdict = _verdict(Outcome.FAIL, tier)
    for size in range(len(Blocked) + 1):
        for blocks in combinations(Blocked, size):
            findings = [Finding(fault=fault, blocks=frozenset(blocks), message="m") for fault in Fault]
            assert held(verdict, findings) is verdict


def test_what_is_blocked_becomes_inconclusive() -> None:
    """A blocked pass says what holds it; passes of other checks, and what is undecided, stay as they are."""
    found = Finding(
        fault=Fault.SHARED_FAULT, blocks=BLOCK_PASS, metrics=frozenset({"error-rate"}), message="both"
    )
    passed = _verdict(Outcome.PASS)
    assert held(passed, [found]).outcome is Outcome.INCONCLUSIVE
    assert held(passed, [found]).message == "error rate 20 %; held by SharedFault: both"
    assert held(_verdict(Outcome.PASS, metric="latency"), [found]).outcome is Outcome.PASS
    undecided = _verdict(Outcome.INCONCLUSIVE)
    assert held(undecided, [found]) is undecided
