"""Runs of a scripted file, and whether they are what was expected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from modelramp.controller.past import SHORTEST_STEP
from modelramp.judgement.dispersion import history
from modelramp.replay.draw import Draws
from modelramp.replay.walk import Walk, begin_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.verdict import Verdict
    from modelramp.replay.script import Expect, Script

PROMOTED, ROLLED_BACK, HOLDING = "Promoted", "RolledBack", "Holding"
OUTCOMES = (PROMOTED, ROLLED_BACK, HOLDING)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of one seed.

    Attributes:
        outcome: Promoted, RolledBack or Holding.
        reason: of a rollback; otherwise what the operator said last.
        at: time since the start of the phases; their end when it still holds.
        step: the step at which it ended, from 1.
        weight: that step's percent.
        verdicts: on which it ended.
    """

    seed: int
    outcome: str
    reason: str
    at: timedelta
    step: int
    weight: int
    verdicts: tuple[Verdict, ...]

    def meets(self, expect: Expect) -> bool:
        """Whether it is what was expected."""
        return (
            self.outcome == expect.outcome
            and expect.reason in (None, self.reason)
            and (expect.after is None or self.at >= expect.after)
            and (expect.within is None or self.at <= expect.within)
        )


def run(script: Script, seed: int, *, every_look: bool = False) -> Run:
    """One rollout through all phases, or to its end; `every_look` as in `Walk`."""
    every = timedelta(seconds=script.look_every)
    begun = begin_at(script.look_every)
    draws = Draws(script, seed)
    walk = Walk(
        strategy=script.strategy,
        analysis=script.judged,
        now=begun,
        histories=_histories(script, draws),
        every_look=every_look,
    )
    for number, draw in enumerate(draws.looks(), start=1):
        walk.look(begun + number * every, draw(walk.weight))
        if walk.over:
            break
    return _told(walk, seed, walk.now - begun)


def _histories(script: Script, draws: Draws) -> dict[str, Dispersion]:
    """The dispersion of the stable arm before the rollout, where it is known; looks as in the operator."""
    looks = list(draws.history(max(script.look_every, SHORTEST_STEP)))
    names = sorted({name for look in looks for name in look})
    found = {name: history((look[name].n, look[name].k) for look in looks if name in look) for name in names}
    return {name: known for name, known in found.items() if known is not None}


def _told(walk: Walk, seed: int, at: timedelta) -> Run:
    view = walk.last()
    candidate = view.status.candidate
    if walk.promoted:
        outcome, reason = PROMOTED, PROMOTED
    elif walk.rejected is not None:
        outcome, reason = ROLLED_BACK, walk.rejected
    else:
        outcome, reason = HOLDING, walk.reason
    return Run(
        seed=seed,
        outcome=outcome,
        reason=reason,
        at=at,
        step=candidate.step if candidate else 0,
        weight=candidate.weight if candidate else 0,
        verdicts=view.verdicts,
    )


def runs(script: Script, *, done: Callable[[], None] = lambda: None) -> list[Run]:
    """All runs, in the order of their seeds; `done` is called after each."""
    found = []
    for number in range(script.repeat):
        found.append(run(script, script.seed + number))
        done()
    return found


def shares(found: Sequence[Run]) -> dict[str, float]:
    """The part of the runs that had each outcome."""
    return {outcome: sum(item.outcome == outcome for item in found) / len(found) for outcome in OUTCOMES}


def quantiles(found: Sequence[Run]) -> dict[str, float]:
    """Quantiles of the time at which the runs ended, in seconds (nearest rank)."""
    times = sorted(item.at.total_seconds() for item in found)
    return {f"p{round(100 * q)}": times[max(0, math.ceil(q * len(times)) - 1)] for q in QUANTILES}


def met(found: Sequence[Run], expect: Expect) -> float:
    """The part of the runs that are as expected."""
    return sum(item.meets(expect) for item in found) / len(found)
