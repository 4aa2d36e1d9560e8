"""What is found about inputs, routing and load, and what a verdict may not be used for because of it.

A finding can never hold back a failure in the critical tier: what can be blocked is `Blocked`, and it has no
such member.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from modelramp.judgement.verdict import Outcome, Tier, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable


class Fault(StrEnum):
    """What was found; the reasons of conditions and events."""

    DATA_DRIFT = "DataDrift"
    ROUTING_FAULT = "RoutingFault"
    PREDICTION_SHIFT = "PredictionShift"
    SHARED_FAULT = "SharedFault"
    LOAD_IMBALANCE = "LoadImbalance"


class Blocked(StrEnum):
    """What a finding holds back. A failure in the critical tier cannot be named here."""

    PASS = "Pass"  # noqa: S105  the word of the API, not a password
    COMPARISON_PASS = "ComparisonPass"  # noqa: S105
    FAIL_TIER = "FailTier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        fault: What it is.
        blocks: What it holds back; nothing = it is an alert.
        metrics: The checks that it concerns; empty = all.
        tier: Set when the finding itself is a failure of the candidate; never critical.
        message: For people: figures, and the next step.
    """

    fault: Fault
    blocks: frozenset[Blocked] = frozenset()
    metrics: frozenset[str] = frozenset()
    tier: Literal[Tier.FAIL] | None = None
    message: str

    def concerns(self, metric: str) -> bool:
        """Whether it holds back verdicts of this check."""
        return not self.metrics or metric in self.metrics


def held(verdict: Verdict, findings: Iterable[Finding]) -> Verdict:
    """The verdict as far as the findings let it stand: what they hold back becomes ``Inconclusive``.

    A failure in the critical tier is returned as it is. ``ComparisonPass`` is left to who compares.
    """
    word = {(Outcome.PASS, None): Blocked.PASS, (Outcome.FAIL, Tier.FAIL): Blocked.FAIL_TIER}.get(
        (verdict.outcome, verdict.tier)
    )
    for finding in findings:
        if word is not None and word in finding.blocks and finding.concerns(verdict.metric):
            message = f"{verdict.message}; held by {finding.fault}: {finding.message}"
            return replace(verdict, outcome=Outcome.INCONCLUSIVE, tier=None, message=message)
    return verdict
