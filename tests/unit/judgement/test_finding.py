"""What findings do to verdicts: they hold back what they block, and never the critical tier."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

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


def test_nothing_holds_back_the_critical_tier() -> None:
    """Of all findings with all that can be blocked, none changes a critical failure."""
    verdict = _verdict(Outcome.FAIL, Tier.CRITICAL)
    for size in range(len(Blocked) + 1):
        for blocks in combinations(Blocked, size):
            findings = [Finding(fault=fault, blocks=frozenset(blocks), message="m") for fault in Fault]
            assert held(verdict, findings) is verdict


def test_what_is_blocked_becomes_inconclusive() -> None:
    """A blocked pass and a blocked failure say what holds them; the others stay as they are."""
    found = Finding(
        fault=Fault.SHARED_FAULT, blocks=BLOCK_PASS, metrics=frozenset({"error-rate"}), message="both"
    )
    passed, failed = _verdict(Outcome.PASS), _verdict(Outcome.FAIL, Tier.FAIL)
    assert held(passed, [found]).outcome is Outcome.INCONCLUSIVE
    assert held(passed, [found]).message == "error rate 20 %; held by SharedFault: both"
    assert held(failed, [found]) is failed
    assert held(_verdict(Outcome.PASS, metric="latency"), [found]).outcome is Outcome.PASS
    both = replace(found, blocks=frozenset({Blocked.PASS, Blocked.FAIL_TIER}))
    assert held(failed, [both]).outcome is Outcome.INCONCLUSIVE
    assert held(failed, [both]).tier is None
    undecided = _verdict(Outcome.INCONCLUSIVE)
    assert held(undecided, [both]) is undecided
