"""Profile ``mlserver``: Seldon's MLServer.

Failures are those of every protocol, a request that makes no sense among them. Durations are those of REST
alone: what comes by gRPC is not in them.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.kserve import EDGES
from modelramp.metrics.profiles.requests import Requests
from modelramp.metrics.profiles.template import NAME

PROFILE = Profile(
    name="mlserver",
    arms=PODS,
    requests={
        ERROR_RATE: Requests(
            names=("model_infer_request_success_total", "model_infer_request_failure_total"),
            bad={NAME: "model_infer_request_failure_total"},
            always=True,
        )
    },
    durations={
        LATENCY: Histogram(
            names=("rest_server_request_duration_seconds_bucket",),
            # Health checks are requests, too.
            matchers='path=~".*/(infer|infer_stream|generate|generate_stream)"',
            edges=EDGES,
            differ=("method", "path", "status_code"),
            note="REST alone; what comes by gRPC is not timed",
        )
    },
)
