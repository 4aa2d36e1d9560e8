"""Profile ``bentoml``: BentoML Services, by status of their HTTP endpoints."""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

# The page for people, its files, and probes are not requests to the model.
_ENDPOINTS = r'endpoint!~"/|/docs\\.json|/schema\\.json|/static_content/.*|/(healthz|livez|readyz|metrics)"'
_DIFFER = ("endpoint", "http_response_code")

PROFILE = Profile(
    name="bentoml",
    arms=PODS,
    requests={
        ERROR_RATE: Requests(
            names=("bentoml_service_request_total",),
            matchers=_ENDPOINTS,
            bad={"http_response_code": "5.."},
            differ=_DIFFER,
        )
    },
    durations={
        LATENCY: Histogram(
            names=("bentoml_service_request_duration_seconds_bucket",),
            matchers=_ENDPOINTS,
            edges=(
                *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0),
            ),
            differ=_DIFFER,
        )
    },
)
