"""`ModelDeployment.status`: the operator's durable memory, and what people see.

`phase` and `summary` are for people and never read back. `evidence` is the checkpoint of the sufficient
statistics; the judgement's own module gives it meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from modelramp.api.analysis import Analysis
from modelramp.api.base import Record, Text, Time
from modelramp.api.conditions import Conditions
from modelramp.api.modeldeployment import RevisionName, RollbackReason, Strategy

FORMAT = 1


class Phase(StrEnum):
    """A word for the screen; never read back."""

    PENDING = "Pending"
    DEPLOYING = "Deploying"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    BAKING = "Baking"
    HEALTHY = "Healthy"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    FAILED = "Failed"
    DELETING = "Deleting"


class RevisionStatus(Record):
    """A revision that serves, or is to serve."""

    revision: Annotated[RevisionName, Field(description="Name of the revision: version and hash.")]
    version: Annotated[str, Field(max_length=63, description="Version of the model.")]
    digest: Annotated[str, Field(max_length=80, description="Digest of the ModelVersion's record.")]
    service: Annotated[str, Field(max_length=63, description="Its Deployment and Service.")]


class StableStatus(RevisionStatus):
    """The revision that is known to be good."""

    weight: Annotated[int, Field(ge=0, le=100, description="Percent of the traffic.")] = 0
    ready_replicas: Annotated[int, Field(ge=0, description="Pods that are ready.")] = 0


class CandidateStatus(StableStatus):
    """The revision that is on its way."""

    step: Annotated[
        int,
        Field(
            ge=0,
            le=21,
            description="The step it is at, from 1; 0 before the first, one past the last at 100 %.",
        ),
    ] = 0
    step_started_at: Annotated[Time | None, Field(description="When this step was decided.")] = None
    lost_seconds: Annotated[
        float, Field(ge=0, description="Seconds of this step in which the route was not as decided.")
    ] = 0.0
    lost_until: Annotated[Time | None, Field(description="Up to when lostSeconds is counted.")] = None
    direct: Annotated[
        bool | None, Field(description="Going back to a revision that completed here: one switch, no steps.")
    ] = None
    resumed_at: Annotated[Time | None, Field(description="When a person last resumed this step.")] = None


class PauseCause(StrEnum):
    """Why a rollout is paused."""

    REQUEST = "Request"
    NOT_PROVED = "NotProved"


class PausedStatus(Record):
    """A rollout that waits for a person."""

    by: Annotated[str, Field(max_length=253, description="Who asked for it.")] = ""
    reason: Annotated[Text, Field(description="Why.")]
    since: Annotated[Time, Field(description="Since when.")]
    cause: Annotated[PauseCause, Field(description="Request, or NotProved at maxHold.")]


class PreviousStatus(RevisionStatus):
    """The revision before stable: kept warm while stable is baking."""

    keep_until: Annotated[Time, Field(description="The end of the bake.")]


class PlanStatus(Record):
    """What a rollout was started with. It does not change when a policy does."""

    id: Annotated[
        str, Field(max_length=63, description="Name of the rollout, also in the route's step annotation.")
    ]
    hash: Annotated[str, Field(max_length=63, description="Hash of strategy and analysis.")]
    revision: Annotated[RevisionName, Field(description="The revision that is rolled out.")]
    strategy: Annotated[Strategy, Field(description="The steps.")]
    analysis: Annotated[Analysis, Field(description="The checks.")]
    started_at: Annotated[Time, Field(description="When the rollout began.")]
    bake_limits: Annotated[
        dict[str, float] | None,
        Field(max_length=10, description="Limits of the bake, from stable's own share in its last hold."),
    ] = None
    history: Annotated[
        dict[str, Annotated[list[float], Field(min_length=3, max_length=4)]] | None,
        Field(
            max_length=10,
            description="How stable's errors came before the rollout: dispersion, looks, bad, all requests.",
        ),
    ] = None
    expected_shift: Annotated[
        list[Annotated[str, Field(max_length=63)]] | None,
        Field(max_length=64, description="Distributions that are meant to change, by the ModelVersion."),
    ] = None


class AnalysisStatus(Record):
    """The verdict on one metric, with its evidence."""

    metric: Annotated[str, Field(max_length=63, description="Name of the check.")]
    verdict: Annotated[str, Field(max_length=31, description="Pass, Fail or Inconclusive.")]
    tier: Annotated[
        str | None, Field(max_length=31, description="Of a failing verdict: Fail or Critical.")
    ] = None
    value: Annotated[float | None, Field(description="The candidate's share.")] = None
    baseline: Annotated[float | None, Field(description="The stable revision's share in the same time.")] = (
        None
    )
    interval: Annotated[
        list[float] | None, Field(max_length=2, description="95 % confidence interval of value.")
    ] = None
    n: Annotated[int, Field(ge=0, description="The candidate's requests that were counted.")] = 0
    threshold: Annotated[float, Field(description="The limit.")]
    eta: Annotated[float | None, Field(description="Seconds until there should be enough data.")] = None
    message: Annotated[Text, Field(description="A sentence for people.")] = ""
    query: Annotated[str, Field(max_length=4096, description="PromQL to see for yourself.")] = ""


class RejectedRevision(Record):
    """A revision that is not tried again without `retry`."""

    revision: Annotated[RevisionName, Field(description="The revision that was taken back.")]
    to_revision: Annotated[RevisionName, Field(description="The revision that serves in its place.")]
    version: Annotated[str, Field(max_length=63, description="Its version.")]
    digest: Annotated[str, Field(max_length=80, description="Its digest.")]
    reason: Annotated[RollbackReason, Field(description="Why, in one word.")]
    message: Annotated[Text, Field(description="Why, in a sentence.")] = ""
    time: Annotated[Time, Field(description="When it was decided.")]


class RequestResult(StrEnum):
    """What became of a person's request."""

    DONE = "Done"
    REFUSED = "Refused"


class RequestStatus(Record):
    """The answer to the last request made by annotation."""

    id: Annotated[str, Field(max_length=253, description="The request's own id.")]
    action: Annotated[str, Field(max_length=63, description="What was asked for.")]
    result: Annotated[RequestResult, Field(description="Whether it was done.")]
    message: Annotated[Text, Field(description="What was done, or why not.")]


class RolloutOutcome(StrEnum):
    """How a rollout ended."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    REVERTED = "Reverted"
    SUPERSEDED = "Superseded"


class HistoryEntry(Record):
    """A rollout that has ended."""

    revision: Annotated[RevisionName, Field(description="The revision that was rolled out.")]
    version: Annotated[str, Field(max_length=63, description="Its version.")]
    digest: Annotated[str, Field(max_length=80, description="Its digest.")]
    outcome: Annotated[RolloutOutcome, Field(description="How it ended.")]
    started: Annotated[Time, Field(description="When it began.")]
    ended: Annotated[Time, Field(description="When it ended.")]
    reason: Annotated[str, Field(max_length=63, description="Why, in one word.")] = ""


class Summary(Record):
    """What the columns of `kubectl get` show."""

    step: Annotated[str, Field(max_length=15, description="Step of all steps, such as 2/4.")] = "-"
    text: Annotated[str, Field(max_length=253, description="What is going on, or why.")] = ""


class ModelDeploymentStatus(Record):
    """What the operator knows and remembers of a ModelDeployment."""

    observed_generation: Annotated[int | None, Field(description="The generation this status speaks of.")] = (
        None
    )
    phase: Annotated[Phase | None, Field(description="A word for people.")] = None
    conditions: Annotated[Conditions, Field(description="State in the terms of the API conventions.")] = (
        Field(default_factory=list)
    )
    plan: Annotated[PlanStatus | None, Field(description="What the present rollout was started with.")] = None
    stable: Annotated[StableStatus | None, Field(description="The revision that is known to be good.")] = None
    candidate: Annotated[CandidateStatus | None, Field(description="The revision on its way.")] = None
    previous: Annotated[PreviousStatus | None, Field(description="The one before stable, while baking.")] = (
        None
    )
    promoted_at: Annotated[Time | None, Field(description="When stable reached 100 %.")] = None
    paused: Annotated[PausedStatus | None, Field(description="Why nothing moves on.")] = None
    selector: Annotated[
        str | None, Field(max_length=512, description="Label selector of the pods that serve; for the HPA.")
    ] = None
    replicas: Annotated[int | None, Field(ge=0, description="Pods of all revisions that serve.")] = None
    analysis: Annotated[list[AnalysisStatus] | None, Field(max_length=20, description="The verdicts.")] = None
    evidence: Annotated[
        dict[str, Any] | None,
        WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        Field(description="Checkpoint of the counts that the verdicts rest on."),
    ] = None
    summary: Annotated[Summary | None, Field(description="What the columns show.")] = None
    rejected_revisions: Annotated[
        list[RejectedRevision], Field(max_length=50, description="What is not tried again without a retry.")
    ] = Field(default_factory=list)
    last_request: Annotated[RequestStatus | None, Field(description="The answer to the last request.")] = None
    history: Annotated[
        list[HistoryEntry], Field(max_length=10, description="The last rollouts, newest first.")
    ] = Field(default_factory=list)
    format: Annotated[int | None, Field(description="Version of this status' meaning.")] = None


__all__ = [
    "FORMAT",
    "AnalysisStatus",
    "CandidateStatus",
    "HistoryEntry",
    "ModelDeploymentStatus",
    "PauseCause",
    "PausedStatus",
    "Phase",
    "PlanStatus",
    "PreviousStatus",
    "RejectedRevision",
    "RequestResult",
    "RequestStatus",
    "RevisionStatus",
    "RolloutOutcome",
    "StableStatus",
    "Summary",
]
