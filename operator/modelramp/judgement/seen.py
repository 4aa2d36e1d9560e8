"""What a look can show of an arm: counts, a value, a histogram, nothing, or that nobody answered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from modelramp.judgement.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.judgement.verdict import Arm


@dataclass(frozen=True, slots=True)
class Counts:
    """n requests of which k were bad.

    Raises:
        ValueError: Not 0 <= k <= n.
    """

    n: int = 0
    k: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.k <= self.n:
            raise ValueError(f"{self.k} bad ones of {self.n} requests cannot be")

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.n + other.n, self.k + other.k)

    def __sub__(self, part: Counts) -> Counts:
        return Counts(self.n - part.n, self.k - part.k)


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value that is no proportion, such as an F1 score; only checks with the method Threshold read it.

    Raises:
        ValueError: It is not a finite number.
    """

    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"{self.value} is no value to judge")


@dataclass(frozen=True, slots=True)
class NoData:
    """The provider answered, and has no series of this arm."""


@dataclass(frozen=True, slots=True)
class ProviderError:
    """The provider did not answer, or with what cannot be counted."""

    message: str


Seen: TypeAlias = Counts | Gauge | Histogram | NoData | ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one metric showed at the grid point ``at`` (Unix seconds), since the one before; per arm."""

    at: int
    arms: Mapping[Arm, Seen]
