"""Profile ``envoy``: the upstream statistics of the gateways and sidecars, per Service of a revision.

Istio's stats_tags put the cluster's name into the label ``cluster_name``. Envoy exports every answer under
two names, with the label ``response_code`` and again with ``response_code_class``: only the latter is
selected, or all would count double. A Service without a failure has no ``5xx`` series: that is zero
failures, not no data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.metrics.profiles.arms import Arms
from modelramp.metrics.profiles.definition import ERROR_RATE, LATENCY, Profile
from modelramp.metrics.profiles.histogram import Histogram
from modelramp.metrics.profiles.requests import Requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.service import ServiceRef

# Milliseconds; Envoy's own, and also those of Istio's histograms.
EDGES = (
    *(0.5, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 3e4, 6e4),
    *(3e5, 6e5, 1.8e6, 3.6e6),
)

PROFILE = Profile(
    name="envoy",
    arms=Arms(
        labels={"cluster_name": "outbound|{port}||{name}.{namespace}.svc.cluster.local"},
        remedy=(
            "give Istio's proxies its stats_tags, which put the cluster's name into cluster_name, and let"
            " proxyStatsMatcher keep cluster.outbound"
        ),
    ),
    requests={
        ERROR_RATE: Requests(
            names=("envoy_cluster_upstream_rq",),
            matchers='response_code_class!="",response_code=""',
            bad={"response_code_class": "5xx"},
            has="response_code_class",
        )
    },
    durations={
        LATENCY: Histogram(names=("envoy_cluster_upstream_rq_time_bucket",), unit="ms", edges=EDGES),
    },
)

TEMPLATES: Mapping[str, Template] = PROFILE.templates()


def cluster(service: ServiceRef) -> str:
    """Istio's name of a Service's outbound cluster."""
    return PROFILE.arms.key(service)
