"""Profile ``envoy-gateway``: the upstream statistics of Envoy Gateway's proxies, per backend of a rule.

Left alone, Envoy Gateway makes one cluster of all backends of a rule, and then nothing tells the revisions
apart. A filter on each ``backendRef`` makes it one cluster per backend, ``…/rule/<n>/backend/<m>``;
``clusterStatName`` in the EnvoyProxy would give all of them the same name again.
"""

from __future__ import annotations

from modelramp.metrics.profiles.arms import Arms
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.envoy import EDGES
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

PROFILE = Profile(
    name="envoy-gateway",
    arms=Arms(
        labels={"envoy_cluster_name": "{cluster}"},
        remedy="scrape port 19001, path /stats/prometheus, of Envoy Gateway's proxies",
        merged=(
            "Envoy Gateway made one cluster of all backends: give each backendRef of the rule a filter (a"
            " RequestHeaderModifier does), and leave clusterStatName out of the EnvoyProxy"
        ),
    ),
    requests={
        ERROR_RATE: Requests(names=("envoy_cluster_upstream_rq_xx",), bad={"envoy_response_code_class": "5"})
    },
    durations={LATENCY: Histogram(names=("envoy_cluster_upstream_rq_time_bucket",), unit="ms", edges=EDGES)},
)
