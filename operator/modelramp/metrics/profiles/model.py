"""Profile ``model``: counters that a model's own server exports by these names.

No server knows whether an answer was right: that only its owner can export. These names are what the
operator looks for; ``examples/digits/server/metrics.py`` has them.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, QUALITY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

PROFILE = Profile(
    name="model",
    arms=PODS,
    requests={
        ERROR_RATE: Requests(names=("model_requests_total",), bad={"code": "5.."}),
        # Wrong ones among those whose truth is known.
        QUALITY: Requests(names=("model_outcome_total",), bad={"correct": "false"}),
    },
    durations={
        LATENCY: Histogram(
            names=("model_request_duration_seconds_bucket",),
            edges=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
        )
    },
    predictions=Histogram(
        names=("model_prediction_score_bucket",),
        unit="",
        edges=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    ),
)
