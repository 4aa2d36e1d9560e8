"""`ModelDeployment`: which version should serve, and how it gets there (what users write)."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from modelramp.api.analysis import Analysis
from modelramp.api.base import Duration, Record, Text, Time, rule, rules
from modelramp.api.modelversion import Model, Semver

NAME_RULE = rule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && self.metadata.name.size() <= 52",
    "metadata.name must begin with a letter, have only lower-case letters, digits and '-', and at most 52"
    " characters: the Services and the route are named after it",
)

Host = Annotated[
    str,
    Field(
        min_length=1,
        max_length=253,
        pattern=r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        description="A host name in lower case, such as fraud.example.com.",
    ),
]
GatewayName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9-]+/)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        description="An Istio Gateway as namespace/name.",
    ),
]
Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=64)]
Annotations = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]
PodSpec = Annotated[
    dict[str, Any],
    WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
]


class TemplateMetadata(Record):
    """Labels and annotations of the pods."""

    labels: Annotated[Labels | None, Field(description="Labels of the pods, beside the operator's own.")] = (
        None
    )
    annotations: Annotated[Annotations | None, Field(description="Annotations of the pods.")] = None


class PodTemplate(Record):
    """The pod template of a revision, as in a Deployment."""

    metadata: Annotated[TemplateMetadata | None, Field(description="Labels and annotations of the pods.")] = (
        None
    )
    spec: Annotated[
        PodSpec,
        Field(
            description=(
                "Pod specification as in a Deployment. MODEL_NAME, MODEL_VERSION, MODEL_URI and MODEL_DIGEST"
                " are put into the environment of every container."
            )
        ),
    ]


class Workload(Record):
    """What runs a revision."""

    template: Annotated[
        PodTemplate, Field(description="Per revision a Deployment and a Service are made of it.")
    ]


class IstioTraffic(Record):
    """Routing by a VirtualService that the operator owns."""

    hosts: Annotated[
        list[Host] | None,
        Field(max_length=32, description="Hosts to serve, beside the Service's own full name."),
    ] = None
    gateways: Annotated[
        list[GatewayName] | None,
        Field(max_length=16, description="Istio Gateways to serve the hosts at, beside the mesh."),
    ] = None


class Traffic(Record):
    """How requests reach the model."""

    istio: Annotated[IstioTraffic, Field(description="Routing by an Istio VirtualService.")]


class StrategyType(StrEnum):
    """The ways to move traffic."""

    CANARY = "Canary"


Weight = Annotated[
    int,
    Field(ge=1, le=99),
    # A rule instead of `maximum`: its message says what to write.
    WithJsonSchema(
        {
            "type": "integer",
            "x-kubernetes-validations": [
                rule(
                    "self >= 1 && self <= 99", "weight must be 1 to 99; 100 % follows the last step by itself"
                )
            ],
        }
    ),
]


STEP_RULE = rule(
    "!has(self.maxHold) || duration(self.maxHold) >= duration(self.hold)",
    "maxHold must be at least as long as hold",
    field=".maxHold",
)


class Step(Record):
    """One step of a canary."""

    model_config = ConfigDict(json_schema_extra=rules(STEP_RULE))

    weight: Annotated[
        Weight,
        Field(description="Percent of the traffic for the new version, 1 to 99; 100 is implied at the end."),
    ]
    hold: Annotated[Duration, Field(description="The least time at this weight, such as 24h.")]
    max_hold: Annotated[
        Duration | None,
        Field(
            description="Without proof so long, a person is asked; proof still moves it on. Default: 2 × hold"
        ),
    ] = None

    @model_validator(mode="after")
    def _check(self) -> Step:
        if self.max_hold is not None and self.max_hold < self.hold:
            raise ValueError("maxHold must be at least as long as hold")
        return self


def _rising(steps: list[Step]) -> None:
    for number, (before, after) in enumerate(pairwise(steps), start=2):
        if after.weight <= before.weight:
            raise ValueError(f"weights must rise: {after.weight} follows {before.weight} in step {number}")


class OnRevert(StrEnum):
    """How to go back to a revision that completed here before."""

    DIRECT = "Direct"
    CANARY = "Canary"


class Strategy(Record):
    """How traffic moves to a new version."""

    type: Annotated[StrategyType, Field(description="Canary: traffic moves in steps.")]
    steps: Annotated[
        list[Step],
        Field(
            min_length=1,
            max_length=20,
            description="Weights that strictly rise, each with its hold.",
            json_schema_extra={
                "x-kubernetes-validations": [
                    rule(
                        "self.map(s, s.weight).isSorted()"
                        " && self.all(s, self.filter(t, t.weight == s.weight).size() == 1)",
                        # Which weights these are would be too dear for the API server to say.
                        "weights must rise: each step's is greater than the one before, such as 5, 20, 50",
                    )
                ]
            },
        ),
    ]

    on_revert: Annotated[
        OnRevert,
        Field(
            description=(
                "A change back to a revision that completed here before: Direct switches once, when its pods"
                " are ready; Canary takes the steps again."
            )
        ),
    ] = OnRevert.DIRECT

    @model_validator(mode="after")
    def _check(self) -> Strategy:
        _rising(self.steps)
        return self


class RollbackPolicy(Record):
    """How a revision is taken back."""

    keep_previous: Annotated[
        Duration,
        Field(description="The bake: so long the previous revision stays warm, and judgement goes on."),
    ] = Field(default="1h", validate_default=True)


class RollbackReason(StrEnum):
    """Why a revision was rejected."""

    ERROR_RATE = "ErrorRate"
    LATENCY = "Latency"
    QUALITY = "Quality"
    PREDICTION_SHIFT = "PredictionShift"
    METRIC_LIMIT = "MetricLimit"
    WORKLOAD_FAILED = "WorkloadFailed"
    PROGRESS_DEADLINE = "ProgressDeadline"
    ABORTED = "Aborted"
    REQUESTED = "Requested"


RevisionName = Annotated[str, Field(min_length=1, max_length=63)]


class Rollback(Record):
    """A rejection. Only the operator writes it; Git never contains it."""

    rejected_revision: Annotated[RevisionName, Field(description="The revision that was taken back.")]
    to_revision: Annotated[RevisionName, Field(description="The revision that serves in its place.")]
    reason: Annotated[RollbackReason, Field(description="Why, in one word.")]
    message: Annotated[Text, Field(description="Why, in a sentence with the figures.")]
    time: Annotated[Time, Field(description="When the rejection was decided.")]


class DeletionPolicy(StrEnum):
    """What becomes of what serves when the object is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class ModelDeploymentSpec(Record):
    """Which version should serve, and how it gets there."""

    model: Annotated[Model, Field(description="The family of models.")]
    version: Annotated[
        Semver, Field(description="The version that should serve: ModelVersion <model>-<version>.")
    ]
    replicas: Annotated[
        int, Field(ge=1, le=1000, description="Pods of the revision that serves all traffic.")
    ] = 1
    workload: Annotated[Workload, Field(description="What runs a revision.")]
    port: Annotated[
        int, Field(ge=1, le=65535, description="The port the pods serve at, and the Services'.")
    ] = 8080
    traffic: Annotated[Traffic, Field(description="How requests reach the model.")]
    strategy: Annotated[
        Strategy | None,
        Field(description="How traffic moves to a new version. Left out: chosen by the change of version."),
    ] = None
    analysis: Annotated[
        Analysis | None,
        Field(
            description="What a revision is judged by. Left out: error rate 5 %, latency 5 %, critical 10 %."
        ),
    ] = None
    rollback_policy: Annotated[RollbackPolicy, Field(description="How a revision is taken back.")] = Field(
        default={}, validate_default=True
    )
    revision_history_limit: Annotated[
        int, Field(ge=0, le=50, description="Deployments kept at 0 replicas, for going back.")
    ] = 5
    progress_deadline: Annotated[
        Duration, Field(description="A revision that makes no progress so long is rejected.")
    ] = Field(default="30m", validate_default=True)
    drain: Annotated[
        Duration, Field(description="Time between a revision's last traffic and the end of its pods.")
    ] = Field(default="30s", validate_default=True)
    deletion_policy: Annotated[
        DeletionPolicy,
        Field(
            description=(
                "When the object is deleted: Delete takes everything along, in mid-rollout in order: route to"
                " stable, drain, route away, drain, the rest. Orphan leaves the stable revision, its Services"
                " and the route with all traffic for it, without owner. In a foreground deletion Kubernetes"
                " itself takes everything at once, whatever stands here."
            )
        ),
    ] = DeletionPolicy.DELETE
    paused: Annotated[
        bool, Field(description="Freezes the steps. A failing check still takes the candidate back.")
    ] = False
    rollback: Annotated[
        Rollback | None, Field(description="Written by the operator only: the revision that was taken back.")
    ] = None


__all__ = [
    "NAME_RULE",
    "DeletionPolicy",
    "IstioTraffic",
    "ModelDeploymentSpec",
    "OnRevert",
    "PodTemplate",
    "RevisionName",
    "Rollback",
    "RollbackPolicy",
    "RollbackReason",
    "Step",
    "Strategy",
    "StrategyType",
    "Traffic",
    "Workload",
]
