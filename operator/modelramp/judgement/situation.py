"""All that blame is found from: what both arms were sent, answered and got wrong, at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from modelramp.judgement.drift import FAIL_LIMIT, WARN_LIMIT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.judgement.evidence import Counts
    from modelramp.judgement.histogram import Histogram


class Kind(StrEnum):
    """What a distribution is of."""

    INPUT = "input"
    PREDICTION = "prediction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One distribution as both arms show it now, and as it was when their versions were made.

    Attributes:
        name: As in ``baseline.histograms`` and ``expectedShift``.
        kind: Of an input, or of what the model answers.
        candidate, stable: Accumulated since the step began; ``None`` = not exported.
        candidate_frozen, stable_frozen: From the ModelVersions; where one has none, that of the other stands
            in for an input.
    """

    name: str
    kind: Kind
    candidate: Histogram | None = None
    stable: Histogram | None = None
    candidate_frozen: Histogram | None = None
    stable_frozen: Histogram | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Requests that the router sent to each arm, as it counted them, without retries and mirrors.

    Attributes:
        candidate, stable: Requests since the weights last changed, without the first look after it.
        weight: The candidate's configured share, 0 to 1.
        looks: Looks since that change; the first is not judged.
        pinned: The step is by headers or sticky, so requests are not drawn one by one.
        phi: Dispersion of the counts (1 = drawn one by one).

    Raises:
        ValueError: A count is negative, or the weight is no share.
    """

    candidate: int
    stable: int
    weight: float
    looks: int
    pinned: bool = False
    phi: float = 1.0

    def __post_init__(self) -> None:
        if (
            min(self.candidate, self.stable) < 0
            or not 0.0 <= self.weight <= 1.0
            or not 1.0 <= self.phi < math.inf
        ):
            raise ValueError(f"{self} cannot be: counts are 0 or more, the weight 0 to 1 and phi at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Bad requests of both arms in the same stretch: that of the alarm, or the whole step.

    Attributes:
        metric, label: Name of the check, and what people call it.
        candidate, stable: Counts in the stretch.
        before: Stable alone before the rollout; ``None`` = not known.
        limit: The share that is still accepted.
        phi: Dispersion: bad requests come in bursts of about this size (1 = independent); all evidence is
            divided by it.

    Raises:
        ValueError: phi is under 1, or the limit is no share over 0.
    """

    metric: str
    label: str
    candidate: Counts
    stable: Counts
    before: Counts | None = None
    limit: float
    phi: float = 1.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.phi < math.inf or not 0.0 < self.limit < 1.0:
            raise ValueError(f"{self} cannot be: phi is at least 1, and the limit a share over 0 and under 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests per arm in the same stretch and the ready replicas that shared them.

    ``metrics`` are the checks of latency, which are not compared under different loads.
    """

    candidate: int
    stable: int
    candidate_replicas: int
    stable_replicas: int
    metrics: frozenset[str] = frozenset({"latency"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """PSI at which a shift of predictions is a warning and a failure; inputs are held against ``fail``."""

    warn: float = WARN_LIMIT
    fail: float = FAIL_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything together; what is not known is left out.

    ``expected_shift`` names the distributions that are meant to change with the candidate.
    """

    distributions: Sequence[Distribution] = ()
    routing: Routing | None = None
    rates: Sequence[Rates] = ()
    load: Load | None = None
    expected_shift: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
