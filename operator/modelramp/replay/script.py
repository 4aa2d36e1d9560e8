"""The scripted-series file: what happens to requests, phase by phase, and what should come of it.

This is the seam for anyone's own cases, so an error names the field and says what may stand there.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from modelramp.api.analysis import Analysis
from modelramp.api.base import Duration
from modelramp.api.modeldeployment import Step, Strategy, StrategyType
from modelramp.rollout.policy import BUILT_IN_ANALYSIS, built_in_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

DOWN: Literal["down"] = "down"
METRICS = {"errors": "error-rate", "slow": "latency", "wrong": "quality", "predictions": "predictions"}
"""Which metric a figure of the file belongs to."""

ARMS = ("candidate", "stable")
MOST_LOOKS = 1_000_000


def _share(value: object) -> object:
    known = value is None or value == DOWN
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if not known and not number:
        raise ValueError(f"must be a share of 0 to 1, null (no data) or {DOWN} (provider error)")
    return value


def _count(value: object) -> object:
    if value is None or value == DOWN or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise ValueError(f"must be a whole number, null (no data) or {DOWN} (provider error)")


Share = Annotated[float | Literal["down"] | None, BeforeValidator(_share)]
Count = Annotated[Annotated[int, Field(ge=0)] | Literal["down"] | None, BeforeValidator(_count)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Predictions(_Strict):
    """Scores: a normal distribution, clipped to 0 to 1."""

    mean: Annotated[float, Field(ge=0, le=1)]
    sd: Annotated[float, Field(gt=0, le=10)]


class Total(_Strict):
    """Requests a second of both arms together; they share them by the step's weight."""

    total: Annotated[float, Field(ge=0)]


class Figures(_Strict):
    """What one arm's requests are like.

    Attributes:
        rps: requests a second; None: the arm has its part of `rps: {total: …}`.
        errors, slow, wrong: share that failed, took too long, was labelled wrong; None: no data.
        burst: bad requests in a row, of each kind.
        predictions: the distribution of the scores.
    """

    rps: Annotated[float | None, Field(ge=0)] = None
    errors: Share = None
    slow: Share = None
    wrong: Share = None
    burst: Annotated[int, Field(ge=1)] = 1
    predictions: Predictions | None = None

    def then(self, later: Figures) -> Figures:
        """With what a later phase says; what it leaves out stays as it was."""
        return self.model_copy(update={name: getattr(later, name) for name in later.model_fields_set})


class Given(_Strict):
    """What one arm counted in one look."""

    requests: Annotated[int, Field(ge=0)]
    errors: Count = None
    slow: Count = None
    wrong: Count = None

    @model_validator(mode="after")
    def _check(self) -> Given:
        for name in ("errors", "slow", "wrong"):
            count = getattr(self, name)
            if isinstance(count, int) and count > self.requests:
                raise ValueError(f"{name}: {count} of {self.requests} requests cannot be")
        return self


class GivenLook(_Strict):
    """One look whose counts are given; an arm that is left out has no data."""

    candidate: Given | None = None
    stable: Given | None = None


class Phase(_Strict):
    """A stretch of time: how long its counts are drawn, or the looks themselves."""

    length: Annotated[Duration | None, Field(alias="for")] = None
    rps: Total | None = None
    candidate: Figures = Figures()
    stable: Figures = Figures()
    looks: Annotated[list[GivenLook] | None, Field(min_length=1)] = None

    @model_validator(mode="after")
    def _check(self) -> Phase:
        if (self.length is None) == (self.looks is None):
            raise ValueError("give either `for` (how long it lasts) or `looks` (the counts)")
        if self.looks is not None and self.model_fields_set - {"looks"}:
            raise ValueError("`looks` gives the counts: leave `rps`, `candidate` and `stable` out")
        return self


class Expect(_Strict):
    """What should come of it; times count from the start of the phases.

    Attributes:
        share: part of the repeated runs of which it must be true.
    """

    outcome: Literal["RolledBack", "Promoted", "Holding"]
    reason: str | None = None
    after: Duration | None = None
    within: Duration | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _check(self) -> Expect:
        if self.after is not None and self.within is not None and self.within < self.after:
            raise ValueError("within: must not be before `after`")
        return self


class Script(_Strict):
    """A whole file.

    Attributes:
        policy: the analysis; left out: the built-in one.
        interval: time between looks; left out: the policy's.
        steps: left out: the built-in ones of a major version.
        history: how long the stable arm was seen alone before.
        repeat: runs, each with a seed of its own: `seed`, `seed` + 1, …
    """

    policy: Analysis = BUILT_IN_ANALYSIS
    interval: Duration | None = None
    steps: Annotated[list[Step], Field(min_length=1, max_length=20)] = built_in_strategy(None, "1.0.0").steps
    seed: int = 1
    history: Duration | None = None
    rps: Total | None = None
    phases: Annotated[list[Phase], Field(min_length=1)]
    repeat: Annotated[int, Field(ge=1, le=10_000)] = 1
    expect: Expect | None = None

    @property
    def strategy(self) -> Strategy:
        """The steps as a strategy."""
        return Strategy(type=StrategyType.CANARY, steps=self.steps)

    @property
    def look_every(self) -> int:
        """Seconds between looks."""
        return int((self.interval or self.policy.interval).total_seconds())

    @property
    def mentioned(self) -> frozenset[str]:
        """The figures that any phase speaks of."""
        arms: list[BaseModel] = [arm for phase in self.phases for arm in (phase.candidate, phase.stable)]
        for phase in self.phases:
            for look in phase.looks or ():
                arms += [arm for arm in (look.candidate, look.stable) if arm is not None]
        return frozenset(name for arm in arms for name in arm.model_fields_set & METRICS.keys())

    @property
    def judged(self) -> Analysis:
        """The policy without the metrics that no phase mentions."""
        names = {METRICS[figure] for figure in self.mentioned}
        metrics = [metric for metric in self.policy.metrics if metric.name in names]
        interval = timedelta(seconds=self.look_every)
        return self.policy.model_copy(update={"metrics": metrics, "interval": interval})

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The figures that the file mentions and the policy has no metric for."""
        known = {metric.name for metric in self.policy.metrics}
        return tuple(sorted(figure for figure in self.mentioned if METRICS[figure] not in known))

    def looks(self, phase: Phase) -> int:
        """How many looks a phase lasts."""
        if phase.looks is not None:
            return len(phase.looks)
        assert phase.length is not None  # noqa: S101 - the phase's own rule
        return int(phase.length.total_seconds()) // self.look_every

    def drawn(self) -> Iterator[tuple[Phase, Total | None, Figures, Figures]]:
        """The phases with the figures that hold in each: together, the candidate's, the stable arm's."""
        total, candidate, stable = self.rps, Figures(), Figures()
        for phase in self.phases:
            total = phase.rps or total
            candidate, stable = candidate.then(phase.candidate), stable.then(phase.stable)
            yield phase, total, candidate, stable

    @model_validator(mode="after")
    def _check(self) -> Script:
        Strategy(type=StrategyType.CANARY, steps=self.steps)
        every = self.look_every
        for number, phase in enumerate(self.phases):
            if phase.length is not None and int(phase.length.total_seconds()) % every:
                raise ValueError(f"phases.{number}.for: must be a multiple of the interval of {every} s")
        longest = sum(self.looks(phase) for phase in self.phases)
        if longest > MOST_LOOKS:
            raise ValueError(f"phases: {longest:,} looks are too many; {MOST_LOOKS:,} at most")
        for number, (phase, total, candidate, stable) in enumerate(self.drawn()):
            own = [arm.rps for arm in (candidate, stable) if arm.rps is not None]
            if phase.length is not None and len(own) != (0 if total else len(ARMS)):
                raise ValueError(
                    f"phases.{number}: give rps of candidate and stable, or `rps: {{total: …}}` of both"
                )
        if self.history is not None and self.phases[0].looks is not None:
            raise ValueError("history: is drawn with the first phase's figures, which must not be `looks`")
        if not self.judged.metrics:
            names = ", ".join(sorted(figure for figure, name in METRICS.items() if name != "predictions"))
            raise ValueError(f"phases: no metric of the policy is mentioned; give one of {names}")
        return self
