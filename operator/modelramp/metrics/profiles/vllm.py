"""Profile ``vllm``: vLLM's OpenAI-compatible server.

vLLM's own counters know requests that ended well; failures are in those of its HTTP layer, by class of the
status. An answer that breaks off while it streams has already had its 200.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.definition import ERROR_RATE, FIRST_TOKEN, INTER_TOKEN, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

PROFILE = Profile(
    name="vllm",
    arms=PODS,
    requests={
        ERROR_RATE: Requests(
            names=("http_requests_total",),
            matchers='handler=~"/v[12]/.*|/(score|rerank|pooling|classify|tokenize)",handler!="/v1/models"',
            bad={"status": "5xx|5.."},
            differ=("handler", "method"),
        )
    },
    durations={
        FIRST_TOKEN: Histogram(
            names=("vllm:time_to_first_token_seconds_bucket",),
            edges=(
                *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
                *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
            ),
        ),
        INTER_TOKEN: Histogram(
            # 0.11 exports it under both names, with equal values: the second read replaces the first.
            names=("vllm:inter_token_latency_seconds_bucket", "vllm:time_per_output_token_seconds_bucket"),
            edges=(
                *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
                *(20.0, 40.0, 80.0),
            ),
            slower_than=0.1,
            note="counted are gaps between tokens, not requests, and those of one request go together",
        ),
        LATENCY: Histogram(
            names=("vllm:e2e_request_latency_seconds_bucket",),
            edges=(
                *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
                *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
            ),
            slower_than=60.0,
            note="to the last token: longer answers take longer",
        ),
    },
    gauges={
        "waiting-requests": "vllm:num_requests_waiting",
        "cache-usage": "vllm:kv_cache_usage_perc",
    },
)
