"""What a revision is judged by: which figures, from where, and against which limits."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator

from modelramp.api.base import Duration, Record, rule, rules

ERROR_RATE = "error-rate"
QUALITY = "quality"
PREDICTION_DRIFT = "prediction-drift"
HIGHEST_SHARE = 0.9

_LATENCY = re.compile(r"([0-9]{1,6})(ms|s)")
_LATENCY_MESSAGE = "must be a time in ms or s, such as 250ms or 2s"


class Profile(StrEnum):
    """Where the figures of a metric come from."""

    ENVOY = "envoy"
    ISTIO = "istio"
    ENVOY_GATEWAY = "envoy-gateway"
    KSERVE = "kserve"
    TRITON = "triton"
    MLSERVER = "mlserver"
    VLLM = "vllm"
    BENTOML = "bentoml"
    MODEL = "model"
    CUSTOM = "custom"


class QueryBy(StrEnum):
    """Which labels of a query's answer name the revision."""

    REVISION = "Revision"
    SERVICE = "Service"


class MetricMethod(StrEnum):
    """How a metric is judged."""

    SEQUENTIAL = "Sequential"
    THRESHOLD = "Threshold"


class Better(StrEnum):
    """Which values of a figure are the better ones."""

    LOWER = "Lower"
    HIGHER = "Higher"


def _parse_latency(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _LATENCY.fullmatch(value) if isinstance(value, str) else None
    if not found or not int(found[1]):
        raise ValueError(_LATENCY_MESSAGE)
    return timedelta(milliseconds=int(found[1]) * (1 if found[2] == "ms" else 1000))


def format_latency(value: timedelta) -> str:
    """`250ms`, or `2s` for whole seconds."""
    milliseconds = round(value / timedelta(milliseconds=1))
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


Latency = Annotated[
    timedelta,
    BeforeValidator(_parse_latency),
    PlainSerializer(format_latency, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "maxLength": 8,
            "x-kubernetes-validations": [rule("self.matches('^0*[1-9][0-9]{0,5}(ms|s)$')", _LATENCY_MESSAGE)],
        }
    ),
]

Query = Annotated[str, Field(min_length=1, max_length=2048)]

LIMIT_RULE = rule(
    "!has(self.limit) || (has(self.method) && self.method == 'Threshold')"
    " || (self.limit > 0.0 && self.limit <= 0.9)",
    "must be a share over 0 and up to 0.9: write 0.05 for 5 %",
    field=".limit",
)
CRITICAL_RULE = rule(
    "!has(self.criticalLimit) || (has(self.method) && self.method == 'Threshold')"
    " || (self.criticalLimit > 0.0 && self.criticalLimit <= 0.9)",
    "must be a share over 0 and up to 0.9: write 0.05 for 5 %",
    field=".criticalLimit",
)
ORDER_RULE = rule(
    "!has(self.criticalLimit) || (has(self.limit) && (has(self.direction) && self.direction == 'Higher'"
    " ? self.criticalLimit < self.limit : self.criticalLimit > self.limit))",
    "criticalLimit must be greater than limit",
    field=".criticalLimit",
)
_IS_DRIFT = "self.name == 'prediction-drift' && !(has(self.profile) && self.profile == 'custom')"
NEEDS_LIMIT_RULE = rule(
    "has(self.limit) || (self.name == 'quality' && !(has(self.method) && self.method == 'Threshold'))"
    f" || ({_IS_DRIFT})",
    "a metric needs a limit; only quality and prediction-drift are held against stable without one",
)
DRIFT_RULE = rule(
    f"!({_IS_DRIFT}) || (!has(self.method) && !has(self.criticalLimit) && !has(self.relativeMargin)"
    " && !has(self.slowerThan) && !has(self.labelDelay))",
    "prediction-drift has a limit (a PSI) and minSamples only; leave method, criticalLimit, relativeMargin,"
    " slowerThan and labelDelay out",
)
DIRECTION_RULE = rule(
    "has(self.method) && self.method == 'Threshold' ? has(self.direction)"
    " : !has(self.direction) && !has(self.duration)",
    "method: Threshold needs a direction, Lower or Higher: which values are the better ones;"
    " direction and duration are for it alone",
)
QUERY_RULE = rule(
    "has(self.profile) && self.profile == 'custom' ? has(self.query)"
    " : !has(self.query) && !has(self.total) && !has(self.by)",
    "profile: custom needs a query; query, total and by are for it alone",
)


class Metric(Record):
    """One check of every step."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            LIMIT_RULE, CRITICAL_RULE, ORDER_RULE, NEEDS_LIMIT_RULE, DIRECTION_RULE, QUERY_RULE, DRIFT_RULE
        )
    )

    name: Annotated[
        str,
        Field(
            pattern="^[a-z]([a-z0-9-]*[a-z0-9])?$",
            max_length=63,
            description=(
                "error-rate: share of failed requests. latency: share of requests over 500 ms. quality: share"
                " of wrong answers. prediction-drift: how far predictions are from those of stable (PSI)."
                " Others as the profile has them; with profile custom any name."
            ),
        ),
    ]
    profile: Annotated[
        Profile, Field(description="Where the figures come from; envoy: the gateways' own statistics.")
    ] = Profile.ENVOY
    query: Annotated[
        Query | None,
        Field(
            description="PromQL of profile custom: with total, raw counters of bad requests; else any figure."
        ),
    ] = None
    total: Annotated[
        Query | None, Field(description="PromQL of profile custom: raw counters of all requests.")
    ] = None
    by: Annotated[
        QueryBy | None,
        Field(description="Which labels of the query's answer name the revision. Default: Revision."),
    ] = None
    # No default: a status that an earlier release has pinned reads as it was written.
    method: Annotated[
        MetricMethod | None,
        Field(
            description=(
                "Sequential (default): tests that hold at any traffic. Threshold: a value over its limit for"
                " a time."
            )
        ),
    ] = None
    limit: Annotated[
        float | None,
        Field(
            description=(
                "The share that is too much, such as 0.05 for 5 %; with Threshold the last value; of"
                " prediction-drift a PSI, default 0.25."
            )
        ),
    ] = None
    critical_limit: Annotated[float | None, Field(description="What nothing excuses; beyond limit.")] = None
    direction: Annotated[
        Better | None, Field(description="With Threshold: which values are the better ones.")
    ] = None
    duration: Annotated[
        Duration | None,
        Field(description="With Threshold: how long every look must say the same. Default: 5m."),
    ] = None
    relative_margin: Annotated[
        float | None,
        Field(
            gt=0,
            le=9,
            description="How much worse than stable is forgiven, such as 0.25 for a quarter. Default: 0.25.",
        ),
    ] = None
    slower_than: Annotated[
        Latency | None,
        Field(
            description="Of a latency: from when on a request is slow, such as 250ms. Default: the profile's."
        ),
    ] = None
    min_samples: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="No verdict with fewer requests.")
    ] = None
    label_delay: Annotated[
        Duration | None, Field(description="How late labels are; nothing is said of a step before.")
    ] = None

    @property
    def is_drift(self) -> bool:
        """Whether it is the drift of predictions; a user's own figure by that name is not."""
        return self.name == PREDICTION_DRIFT and self.profile is not Profile.CUSTOM

    @model_validator(mode="after")
    def _check(self) -> Metric:
        for name, value in (("limit", self.limit), ("criticalLimit", self.critical_limit)):
            if value is None:
                continue
            if not math.isfinite(value):
                raise ValueError(f"{name} must be a number")
            if self.method is not MetricMethod.THRESHOLD and not 0.0 < value <= HIGHEST_SHARE:
                raise ValueError(f"{name} must be a share over 0 and up to 0.9: write 0.05 for 5 %")
        others = (self.method, self.critical_limit, self.relative_margin, self.slower_than, self.label_delay)
        if self.is_drift and any(value is not None for value in others):
            raise ValueError(DRIFT_RULE["message"])
        self._check_limits()
        self._check_profile()
        return self

    def _check_limits(self) -> None:
        sequential = self.method is not MetricMethod.THRESHOLD
        if self.limit is None and not (sequential and self.name == QUALITY) and not self.is_drift:
            raise ValueError(NEEDS_LIMIT_RULE["message"])
        if (self.direction is None) is not sequential or (sequential and self.duration is not None):
            raise ValueError(DIRECTION_RULE["message"])
        if self.critical_limit is None:
            return
        if self.limit is None:
            raise ValueError("criticalLimit needs a limit")
        beyond = self.critical_limit - self.limit
        if (beyond >= 0.0) if self.direction is Better.HIGHER else (beyond <= 0.0):
            side = "less" if self.direction is Better.HIGHER else "greater"
            raise ValueError(
                f"criticalLimit {self.critical_limit:g} must be {side} than limit {self.limit:g}"
            )

    def _check_profile(self) -> None:
        custom = self.profile is Profile.CUSTOM
        given = [value for value in (self.query, self.total, self.by) if value is not None]
        if (custom and self.query is None) or (not custom and given):
            raise ValueError(QUERY_RULE["message"])


class Analysis(Record):
    """What a revision is judged by."""

    interval: Annotated[Duration, Field(description="Time between two looks at the metrics.")] = Field(
        default="30s", validate_default=True
    )
    metrics: Annotated[
        list[Metric],
        Field(
            min_length=1,
            max_length=10,
            description="The checks; each is proved at every step before the next one begins.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]


__all__ = [
    "CRITICAL_RULE",
    "DIRECTION_RULE",
    "DRIFT_RULE",
    "ERROR_RATE",
    "LIMIT_RULE",
    "NEEDS_LIMIT_RULE",
    "ORDER_RULE",
    "PREDICTION_DRIFT",
    "QUALITY",
    "QUERY_RULE",
    "Analysis",
    "Better",
    "Metric",
    "MetricMethod",
    "Profile",
    "QueryBy",
    "format_latency",
]
