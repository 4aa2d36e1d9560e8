"""Conditions as the API conventions and kstatus want them: `kubectl wait` and Argo CD read these."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelramp.api.base import Record, Time


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The conditions of a ModelDeployment."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    AVAILABLE = "Available"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    PAUSED = "Paused"
    ANALYSIS_PASSED = "AnalysisPassed"
    TRAFFIC_CONFIGURED = "TrafficConfigured"
    VERSION_RESOLVED = "VersionResolved"
    SPEC_WRITTEN = "SpecWritten"
    FINALIZER_WRITTEN = "FinalizerWritten"


class Condition(Record):
    """One condition; `lastTransitionTime` moves only when `status` does."""

    type: Annotated[str, Field(max_length=63, description="What is spoken of.")]
    status: Annotated[ConditionStatus, Field(description="Whether it holds.")]
    observed_generation: Annotated[int | None, Field(description="The generation this speaks of.")] = None
    last_transition_time: Annotated[Time, Field(description="When the status last changed.")]
    reason: Annotated[str, Field(min_length=1, max_length=63, description="One word for programs.")]
    message: Annotated[str, Field(max_length=2048, description="A sentence for people.")]


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=24,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]

__all__ = ["Condition", "ConditionStatus", "ConditionType", "Conditions"]
