"""Counts of requests, drawn by a seed: Poisson requests of which bad ones come alone or in bursts.

Only the standard library, which has neither distribution in this Python. Each arm and figure has a stream of
its own, so that one that is added to a file leaves the others as they were.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from modelramp.judgement.evidence import Counts, NoData, ProviderError, Seen
from modelramp.judgement.verdict import Arm
from modelramp.replay.script import DOWN, METRICS
from modelramp.rollout.policy import MAX_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelramp.replay.script import Figures, Given, GivenLook, Script, Total

# Below this the product of uniform numbers is quick, and the rejection method does not hold.
_FEW = 10.0
NO_ANSWER = "the provider does not answer"
Draw: TypeAlias = Callable[[int], Mapping[Arm, Mapping[str, Seen]]]
"""What each arm shows in one interval, by metric, at the candidate's percent; to be called once."""
COUNTED = ("errors", "slow", "wrong")
"""The figures that are proportions of the requests."""


def poisson(mean: float, random: Random) -> int:
    """A Poisson number.

    Source: Hörmann (1993), "The transformed rejection method for generating Poisson random variables",
    algorithm PTRS; for small means the product of uniform numbers (Knuth).
    """
    if mean < _FEW:
        limit, product, count = math.exp(-mean), random.random(), 0
        while product > limit:
            product *= random.random()
            count += 1
        return count
    log_mean, b = math.log(mean), 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha, most = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = random.random() - 0.5, 1.0 - random.random()
        s = 0.5 - abs(u)
        if s <= 0.0:
            continue
        k = math.floor((2.0 * a / s + b) * u + mean + 0.43)
        if s >= 0.07 and v <= most:  # noqa: PLR2004 - the algorithm's own constants
            return k
        if k < 0 or (s < 0.013 and v > s):  # noqa: PLR2004
            continue
        accepted = math.log(v * inverse_alpha / (a / (s * s) + b))
        if accepted <= k * log_mean - mean - math.lgamma(k + 1.0):
            return k


class Bursts:
    """Which requests are bad: `size` in a row each time, after a geometric number of good ones.

    The long-run share is exact; with a size of 1 each request is bad by itself.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._left = 0
        self._good: int | None = None
        self._made_for = (-1.0, 0)

    def take(self, n: int, *, share: float, size: int) -> int:
        """How many of the next n requests are bad."""
        if self._made_for != (share, size):
            self._made_for, self._good = (share, size), None
        if share <= 0.0:
            self._left = 0
            return 0
        bad = 0
        while n:
            now = min(n, self._left)
            bad, n, self._left = bad + now, n - now, self._left - now
            if self._left:
                break
            if self._good is None:
                self._good = self._gap(share, size)
            now = min(n, self._good)
            n, self._good = n - now, self._good - now
            if not self._good and n:
                self._left, self._good = size, None
        return bad

    def _gap(self, share: float, size: int) -> int:
        begins = share / (share + size * (1.0 - share))
        if begins >= 1.0:
            return 0
        return int(math.log(1.0 - self._random.random()) / math.log1p(-begins))


class Draws:
    """The looks of a script, one after the other.

    Args:
        script: the file.
        seed: of all streams.
    """

    def __init__(self, script: Script, seed: int) -> None:
        self._script = script
        self._requests = {arm: Random(f"{seed}/{arm}/requests") for arm in Arm}  # noqa: S311 - a simulation
        self._bursts = {
            (arm, figure): Bursts(Random(f"{seed}/{arm}/{figure}"))  # noqa: S311
            for arm in Arm
            for figure in COUNTED
        }

    def history(self, every: int) -> Iterator[Mapping[str, Counts]]:
        """What the stable arm counted before the rollout, in looks of so many seconds, oldest first."""
        script = self._script
        if script.history is None:
            return
        _, total, _, stable = next(iter(script.drawn()))
        rate = (total.total if total else stable.rps) or 0.0
        for _ in range(int(script.history.total_seconds()) // every):
            seen = self._arm(Arm.STABLE, stable, rate * every)
            yield {name: counts for name, counts in seen.items() if isinstance(counts, Counts)}

    def looks(self) -> Iterator[Draw]:
        """One for each interval of the phases."""
        every = self._script.look_every
        for phase, total, candidate, stable in self._script.drawn():
            if phase.looks is not None:
                yield from (partial(_given_look, look) for look in phase.looks)
                continue
            for _ in range(self._script.looks(phase)):
                yield partial(self._look, total, candidate, stable, every)

    def _look(
        self, total: Total | None, candidate: Figures, stable: Figures, every: int, weight: int
    ) -> Mapping[Arm, Mapping[str, Seen]]:
        rates = candidate.rps or 0.0, stable.rps or 0.0
        if total is not None:
            rates = total.total * weight / MAX_WEIGHT, total.total * (MAX_WEIGHT - weight) / MAX_WEIGHT
        return {
            Arm.CANDIDATE: self._arm(Arm.CANDIDATE, candidate, rates[0] * every),
            Arm.STABLE: self._arm(Arm.STABLE, stable, rates[1] * every),
        }

    def _arm(self, arm: Arm, figures: Figures, mean: float) -> dict[str, Seen]:
        n = poisson(mean, self._requests[arm]) if mean > 0.0 else 0
        return {
            METRICS[figure]: self._figure(arm, figure, figures, n)
            for figure in COUNTED
            if figure in self._script.mentioned
        }

    def _figure(self, arm: Arm, figure: str, figures: Figures, n: int) -> Seen:
        share = getattr(figures, figure)
        if share is None:
            return NoData()
        if share == DOWN:
            return ProviderError(NO_ANSWER)
        return Counts(n, self._bursts[arm, figure].take(n, share=share, size=figures.burst))


def _given_look(look: GivenLook, weight: int) -> Mapping[Arm, Mapping[str, Seen]]:  # noqa: ARG001 - a Draw
    return {Arm.CANDIDATE: _given(look.candidate), Arm.STABLE: _given(look.stable)}


def _given(given: Given | None) -> dict[str, Seen]:
    if given is None:
        return {}
    found: dict[str, Seen] = {}
    for figure in COUNTED:
        count = getattr(given, figure)
        if count == DOWN:
            found[METRICS[figure]] = ProviderError(NO_ANSWER)
        elif count is not None:
            found[METRICS[figure]] = Counts(given.requests, count)
    return found
