"""How the router split the requests between the arms in one scope, as it counted them itself.

The share is held against the configured weight (`blame`): a candidate that gets other requests, or another
number of them, than was decided cannot be compared with stable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.judgement import dispersion

if TYPE_CHECKING:
    from collections.abc import Sequence

# A router draws each request; sessions and kept connections are found from the looks.
_DRAWN_ONE_BY_ONE = 1.0


@dataclass(frozen=True, slots=True)
class Split:
    """A fold over looks that showed both arms.

    Attributes:
        looks: All of them; the first is not counted, for proxies take a new weight at different moments.
        candidate, stable: Requests since the first look.
        busy: Counted looks that had requests.
        spread: Sum of c²/n over these, c the candidate's requests and n all: for the dispersion.
    """

    looks: int = 0
    candidate: int = 0
    stable: int = 0
    busy: int = 0
    spread: float = 0.0

    def add(self, candidate: int, stable: int) -> Split:
        """With one more look."""
        n = candidate + stable
        if not self.looks or not n:
            return Split(self.looks + 1, self.candidate, self.stable, self.busy, self.spread)
        return Split(
            looks=self.looks + 1,
            candidate=self.candidate + candidate,
            stable=self.stable + stable,
            busy=self.busy + 1,
            spread=self.spread + candidate**2 / n,
        )

    @property
    def phi(self) -> float:
        """Pearson dispersion of the candidate's part per look; 1 = each request drawn by itself."""
        return dispersion.shrunk(
            looks=self.busy,
            n=self.candidate + self.stable,
            k=self.candidate,
            spread=self.spread,
            prior=_DRAWN_ONE_BY_ONE,
        )

    def to_list(self) -> list[float]:
        """As JSON numbers; `from_list` gives back an equal object."""
        return [self.looks, self.candidate, self.stable, self.busy, self.spread]

    @classmethod
    def from_list(cls, data: Sequence[float]) -> Split:
        """The inverse of `to_list`."""
        looks, candidate, stable, busy, spread = data
        return cls(int(looks), int(candidate), int(stable), int(busy), float(spread))
