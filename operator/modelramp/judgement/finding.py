"""What is found about inputs, routing and load, and what a verdict may not be used for because of it.

A finding never holds back a failure: what can be blocked is `Blocked`, and it has no such member. That the
fail tier waits while stable is over the limit too is the alarm's own affair (`gates.is_held`): an alarm stays
once it is raised, and what it has counted during the fault must be forgotten with the fault.
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
    """What a finding holds back. A failure cannot be named here."""

    PASS = "Pass"  # noqa: S105  the word of the API, not a password
    COMPARISON_PASS = "ComparisonPass"  # noqa: S105


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
    """The verdict as far as the findings let it stand: a ``Pass`` that they block becomes ``Inconclusive``.

    ``ComparisonPass`` is left to who compares.
    """
    if verdict.outcome is not Outcome.PASS:
        return verdict
    for finding in findings:
        if Blocked.PASS in finding.blocks and finding.concerns(verdict.metric):
            message = f"{verdict.message}; held by {finding.fault}: {finding.message}"
            return replace(verdict, outcome=Outcome.INCONCLUSIVE, message=message)
    return verdict
