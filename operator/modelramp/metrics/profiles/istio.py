"""Profile ``istio``: Istio's standard metrics as the caller's proxy reports them, per Service of a revision.

Only ``reporter="source"``: the callee's proxy names one of the Services that select its pod, and a stable
pod is selected by two, its revision's and the model's.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import Arms
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.envoy import EDGES
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

_SOURCE = 'reporter="source"'
_HOW = ("grpc_response_status", "response_code", "response_flags")

PROFILE = Profile(
    name="istio",
    arms=Arms(
        labels={"destination_service": "{name}.{namespace}.svc.cluster.local"},
        remedy=(
            "keep destination_service when you customise Istio's metrics (Telemetry tagOverrides), and scrape"
            ' the gateways and the callers: the series wanted have reporter="source"'
        ),
    ),
    requests={
        ERROR_RATE: Requests(
            names=("istio_requests_total",),
            matchers=_SOURCE,
            # Of gRPC: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, which
            # come with the HTTP status 200.
            bad={"response_code": "5..", "grpc_response_status": "2|4|12|13|14|15"},
            differ=_HOW,
        )
    },
    durations={
        LATENCY: Histogram(
            names=("istio_request_duration_milliseconds_bucket",),
            matchers=_SOURCE,
            unit="ms",
            edges=EDGES,
            differ=_HOW,
        )
    },
)
