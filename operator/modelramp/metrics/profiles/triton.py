"""Profile ``triton``: NVIDIA Triton Inference Server.

Requests and failures are counters of their own. Durations are sums of microseconds: a mean, of which no share
of slow requests can be had.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, FIRST_TOKEN, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests
from modelramp.metrics.profiles.template import NAME

PROFILE = Profile(
    name="triton",
    arms=PODS,
    requests={
        ERROR_RATE: Requests(
            names=("nv_inference_request_success", "nv_inference_request_failure"),
            # What a client gave up on says nothing of the model; older releases have no reason.
            matchers='reason!="CANCELED"',
            bad={NAME: "nv_inference_request_failure"},
            differ=("reason",),
            always=True,
        )
    },
    durations={
        FIRST_TOKEN: Histogram(
            names=("nv_inference_first_response_histogram_ms_bucket",),
            unit="ms",
            edges=(100.0, 500.0, 2000.0, 5000.0),
            note=(
                "of decoupled models only, and off unless Triton runs with"
                " --metrics-config histogram_latencies=true"
            ),
        )
    },
    gauges={"pending-requests": "nv_inference_pending_request_count"},
    lacks={
        LATENCY: (
            "Triton sums microseconds (nv_inference_request_duration_us) and has no histogram of requests;"
            " use what the router counts, profile istio or envoy"
        )
    },
)
