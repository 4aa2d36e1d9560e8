"""How the router split the requests between the arms of late, as it counted them itself.

The share is held against the configured weight (`blame`): a candidate that gets other requests, or another
number of them, than was decided cannot be compared with stable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelramp.judgement import dispersion

if TYPE_CHECKING:
    from collections.abc import Sequence

# What is older than one to two blocks is forgotten: a route that was mended is judged by what it does now.
BLOCK_LOOKS = 120
# A router draws each request; sessions and kept connections are found from the looks.
_DRAWN_ONE_BY_ONE = 1.0


@dataclass(frozen=True, slots=True)
class Part:
    """The sums of some looks.

    Attributes:
        looks: How many, without those that had no request.
        candidate, stable: Requests.
        spread: Sum of c²/n over the looks, c the candidate's requests and n all: for the dispersion.
    """

    looks: int = 0
    candidate: int = 0
    stable: int = 0
    spread: float = 0.0

    def __add__(self, other: Part) -> Part:
        return Part(
            self.looks + other.looks,
            self.candidate + other.candidate,
            self.stable + other.stable,
            self.spread + other.spread,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A fold over the looks of one scope that showed both arms.

    Attributes:
        looks: All of them; the first is not counted, for proxies take a new weight at different moments.
        block, last: The sums of the present block of looks, and of the one before.
    """

    looks: int = 0
    block: Part = field(default_factory=Part)
    last: Part = field(default_factory=Part)

    def add(self, candidate: int, stable: int) -> Split:
        """With one more look."""
        n, looks = candidate + stable, self.looks + 1
        if not self.looks or not n:
            return Split(looks=looks, block=self.block, last=self.last)
        seen = Part(1, candidate, stable, candidate**2 / n)
        if self.block.looks >= BLOCK_LOOKS:
            return Split(looks=looks, block=seen, last=self.block)
        return Split(looks=looks, block=self.block + seen, last=self.last)

    @property
    def total(self) -> Part:
        """Both blocks together."""
        return self.last + self.block

    @property
    def phi(self) -> float:
        """Pearson dispersion of the candidate's part per look; 1 = each request drawn by itself."""
        seen = self.total
        return dispersion.shrunk(
            looks=seen.looks,
            n=seen.candidate + seen.stable,
            k=seen.candidate,
            spread=seen.spread,
            prior=_DRAWN_ONE_BY_ONE,
        )

    def to_list(self) -> list[Any]:
        """As JSON lists and numbers; `from_list` gives back an equal object."""
        return [self.looks, *(_numbers(part) for part in (self.block, self.last))]

    @classmethod
    def from_list(cls, data: Sequence[Any]) -> Split:
        """The inverse of `to_list`."""
        looks, block, last = data
        return cls(looks=int(looks), block=_part(block), last=_part(last))


def _numbers(part: Part) -> list[float]:
    return [part.looks, part.candidate, part.stable, part.spread]


def _part(data: Sequence[float]) -> Part:
    looks, candidate, stable, spread = data
    return Part(int(looks), int(candidate), int(stable), float(spread))
