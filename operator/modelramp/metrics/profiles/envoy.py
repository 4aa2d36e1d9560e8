"""Profile ``envoy``: the upstream statistics of the gateways and sidecars, per Service of a revision.

Istio's stats_tags put the cluster's name into the label ``cluster_name``. Envoy exports every answer under
two names, with the label ``response_code`` and again with ``response_code_class``: only the latter is
selected, or all would count double. A Service without a failure has no ``5xx`` series: that is zero
failures, not no data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.judgement.evidence import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelramp.metrics.counters import Sample
    from modelramp.metrics.service import ServiceRef

_LABEL = "cluster_name"
_NAME = "__name__"
_EDGE_MS = 500.0


@dataclass(frozen=True, slots=True)
class Template:
    """One question to the provider, asked for many Services at once.

    Attributes:
        selector: PromQL selector of raw counters, with a place for the alternatives of the cluster's name.
        component_label: The label that tells the counters of one process apart.
        component: Reads its value; None = not one of ours.
        needs: Components without which the counters of a process cannot be counted.
        counts: From the increments of one process, per component, to requests and bad ones.
        ratio: PromQL for people: the bad share over five minutes, with places for the cluster's name.
    """

    selector: str
    component_label: str
    component: Callable[[str], str | None]
    needs: frozenset[str]
    counts: Callable[[Mapping[str, int]], Counts]
    ratio: str

    def query(self, services: Sequence[ServiceRef]) -> str:
        """The selector for these Services."""
        return self.selector % "|".join(_pattern(service) for service in services)

    def read(self, labels: Mapping[str, str]) -> tuple[str, Sample] | None:
        """Of a series: the cluster's name, and which counter of which process it is; None = not ours."""
        component = self.component(labels.get(self.component_label, ""))
        if component is None or _LABEL not in labels:
            return None
        process = tuple(sorted((k, v) for k, v in labels.items() if k not in {_NAME, self.component_label}))
        return labels[_LABEL], (process, component)

    def for_people(self, service: ServiceRef) -> str:
        """PromQL to paste: the bad share of the last five minutes."""
        return self.ratio.replace("CLUSTER", cluster(service))


def cluster(service: ServiceRef) -> str:
    """Istio's name of a Service's outbound cluster."""
    return f"outbound|{service.port}||{service.name}.{service.namespace}.svc.cluster.local"


def _pattern(service: ServiceRef) -> str:
    # RE2 within a PromQL string: the backslash itself is escaped once more
    return re.sub(r"([.|])", r"\\\\\1", cluster(service))


def _answer_class(value: str) -> str | None:
    return value or None


def _answers(increments: Mapping[str, int]) -> Counts:
    return Counts(n=sum(increments.values()), k=increments.get("5xx", 0))


def _edge(value: str) -> str | None:
    """Prometheus 3 writes ``500`` as ``500.0``."""
    try:
        edge = float(value)
    except ValueError:
        return None
    if edge == _EDGE_MS:
        return "fast"
    return "all" if edge == float("inf") else None


def _durations(increments: Mapping[str, int]) -> Counts:
    requests = increments.get("all", 0)
    return Counts(n=requests, k=max(0, requests - increments.get("fast", 0)))


_ANSWERS = "envoy_cluster_upstream_rq"
_DURATIONS = "envoy_cluster_upstream_rq_time_bucket"


def _ratio(good: str, every: str) -> str:
    # not bad/all: without a failure there is no series of failures, and the quotient would be empty
    return f"1 - sum(rate({good}[5m])) / sum(rate({every}[5m]))"


TEMPLATES: Mapping[str, Template] = {
    "error-rate": Template(
        selector=_ANSWERS + '{response_code_class!="",response_code="",cluster_name=~"%s"}',
        component_label="response_code_class",
        component=_answer_class,
        needs=frozenset(),
        counts=_answers,
        ratio=_ratio(
            _ANSWERS + '{response_code_class=~"[1-4]xx",cluster_name="CLUSTER"}',
            _ANSWERS + '{response_code_class!="",cluster_name="CLUSTER"}',
        ),
    ),
    "latency": Template(
        selector=_DURATIONS + '{le=~"500|500\\\\.0|\\\\+Inf",cluster_name=~"%s"}',
        component_label="le",
        component=_edge,
        needs=frozenset({"all", "fast"}),
        counts=_durations,
        ratio=_ratio(
            _DURATIONS + '{le=~"500|500\\\\.0",cluster_name="CLUSTER"}',
            _DURATIONS + '{le="+Inf",cluster_name="CLUSTER"}',
        ),
    ),
}
