"""What judgement says, in the words in which it is shown: a verdict never travels without its evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The three answers; what is not proved and not alarmed is ``Inconclusive``."""

    PASS = "Pass"  # noqa: S105  the word of the API, not a password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


class Tier(StrEnum):
    """How bad a failure is; ``Critical`` is not held back by anything."""

    FAIL = "Fail"
    CRITICAL = "Critical"


class Method(StrEnum):
    """How a check is judged: sequential tests on counts, the literal rule, or how far histograms differ."""

    SEQUENTIAL = "Sequential"
    THRESHOLD = "Threshold"
    DRIFT = "Drift"


class Direction(StrEnum):
    """Which values of a figure are the better ones."""

    LOWER = "Lower"
    HIGHER = "Higher"


class Arm(StrEnum):
    """One side of the comparison."""

    CANDIDATE = "candidate"
    STABLE = "stable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer for one metric in one scope.

    Attributes:
        metric: Name of the check, e.g. ``error-rate``.
        reason: Reason of a rollback that follows from a failure of this check (``ErrorRate``, ``Latency``);
            ``SharedFault`` on an ``Inconclusive`` that would be a ``Fail`` if stable were not over the limit.
        outcome: ``Fail`` only by an alarm, ``Pass`` only by a proof.
        tier: Set exactly when the outcome is ``Fail``.
        value: The candidate's share of bad requests, 0 to 1, a gauge's value, or a PSI; on ``Fail`` in the
            stretch that raised the alarm, otherwise in the whole scope. ``None`` without requests.
        baseline: The stable arm's share in the same time.
        interval: Clopper-Pearson 95 % interval of ``value``; ``None`` where that is no share.
        n: The candidate's requests behind ``value``.
        threshold: What ``value`` is held against.
        eta: Seconds until the proof is expected at the present rate; ``None`` when unknown or not needed.
        message: For people: number against limit, n, and what is missing.
        query: PromQL to paste.
        method: By which kind of rule.
        window: Seconds behind ``value``.
    """

    metric: str
    reason: str
    outcome: Outcome
    tier: Tier | None
    value: float | None
    baseline: float | None
    interval: tuple[float, float] | None
    n: int
    threshold: float
    eta: float | None
    message: str
    query: str
    method: Method = Method.SEQUENTIAL
    window: float | None = None
