"""Profile ``kserve``: KServe's Python model servers (sklearnserver, xgbserver, huggingfaceserver, your own).

They time their steps and count nothing else: no status, no failures. A runtime that KServe only starts
(Triton, MLServer, vLLM) has a profile of its own.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram

# Seconds; the defaults of Python's Prometheus client.
EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

PROFILE = Profile(
    name="kserve",
    arms=PODS,
    durations={
        LATENCY: Histogram(
            names=("request_predict_seconds_bucket",),
            edges=EDGES,
            note="time in predict() alone, failed predictions included, without queue and preprocessing",
        )
    },
    lacks={
        ERROR_RATE: (
            "KServe's Python servers have no counter of failures; use what the router counts, profile istio"
            " or envoy, or count requests yourself, profile model"
        )
    },
)
