"""Looks of both arms counted one after another, as the collector does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.judgement.evidence import Evidence, Look, Seen, advance, counted_until
from modelramp.judgement.verdict import Arm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.judgement.plan import Plan


def fold(looks: Iterable[tuple[Seen, Seen]], *, plan: Plan, evidence: Evidence, every: int = 60) -> Evidence:
    """The evidence after looks of (candidate, stable) at the plan's first check, `every` seconds apart."""
    name = plan.checks[0].name
    begin = counted_until(evidence, name, plan)
    for number, (candidate, stable) in enumerate(looks, 1):
        look = Look(at=begin + every * number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
        evidence = advance(evidence, name, look, plan)
    return evidence
