"""From Envoy's series to looks: both names of an answer, several gateways, missing edges, and silence."""

from __future__ import annotations

import math

import pytest

from modelramp.judgement.evidence import Counts, NoData, ProviderError, Seen
from modelramp.judgement.verdict import Arm
from modelramp.metrics.counters import Counters
from modelramp.metrics.looks import grid, step
from modelramp.metrics.port import Series
from modelramp.metrics.profiles import PROFILES
from modelramp.metrics.profiles.envoy import cluster
from modelramp.metrics.service import ServiceRef

NEW, OLD = ServiceRef("ml", "fraud-2", 80), ServiceRef("ml", "fraud-1", 80)
ARMS = {Arm.CANDIDATE: cluster(NEW), Arm.STABLE: cluster(OLD)}


def _rq(service: ServiceRef, values: list[float | None], pod: str = "g1", **labels: str) -> Series:
    points = [(number, value) for number, value in enumerate(values) if value is not None]
    name = "envoy_cluster_upstream_rq"
    return Series({"__name__": name, "cluster_name": cluster(service), "pod": pod, **labels}, points)


def _looks(check: str, series: list[Series], points: int) -> list[dict[Arm, Seen]]:
    template = PROFILES["envoy"][check]
    counters, seen = Counters(window=600), grid(series, template)
    looks = [step(counters, at, seen=seen, clusters=ARMS, template=template) for at in range(points)]
    return [dict(look.arms) for look in looks]


def test_names_are_istios() -> None:
    """The cluster's name is the one that Istio gives to a Service without a subset."""
    assert cluster(NEW) == "outbound|80||fraud-2.ml.svc.cluster.local"


def test_query_escapes_names() -> None:
    """Bars and dots of the names are literal in the pattern; both arms are in one query."""
    query = PROFILES["envoy"]["error-rate"].query([NEW, OLD])
    assert r"outbound\\|80\\|\\|fraud-2\\.ml\\.svc\\.cluster\\.local|outbound\\|80\\|\\|fraud-1\\." in query


def test_errors_are_5xx_summed_over_gateways() -> None:
    """Requests of all classes and all gateways are summed, failures are those of class 5xx."""
    series = [
        _rq(NEW, [10, 14], response_code_class="2xx"),
        _rq(NEW, [1, 3], response_code_class="4xx"),
        _rq(NEW, [0, 2], response_code_class="5xx"),
        _rq(NEW, [5, 6], pod="g2", response_code_class="2xx"),
        _rq(OLD, [90, 99], response_code_class="2xx"),
    ]
    assert _looks("error-rate", series, 2)[1] == {Arm.CANDIDATE: Counts(9, 2), Arm.STABLE: Counts(9, 0)}


def test_both_names_of_an_answer_count_once() -> None:
    """Series by single code, which a query by hand may bring along, are not counted beside their class."""
    series = [
        _rq(NEW, [10, 14], response_code_class="2xx"),
        _rq(NEW, [10, 14], response_code="200"),
        _rq(OLD, [1, 1], response_code_class="2xx"),
    ]
    assert _looks("error-rate", series, 2)[1][Arm.CANDIDATE] == Counts(4, 0)


def test_silence_is_not_zero() -> None:
    """An arm without any series has no data; one whose counters stand still has no requests."""
    series = [_rq(OLD, [7, 7], response_code_class="2xx")]
    assert _looks("error-rate", series, 2)[1] == {Arm.CANDIDATE: NoData(), Arm.STABLE: Counts()}


@pytest.mark.parametrize("edge", ["500", "500.0"])
def test_latency_counts_what_is_over_500_ms(edge: str) -> None:
    """Slow ones are all but those in the bucket of 500 ms, in the spelling of Prometheus 2 and 3."""
    series = [
        _rq(NEW, [100, 120], le="+Inf"),
        _rq(NEW, [99, 112], le=edge),
        _rq(NEW, [50, 60], le="250"),
    ]
    assert _looks("latency", series, 2)[1][Arm.CANDIDATE] == Counts(20, 7)


def test_a_new_spelling_of_the_edge_is_no_birth() -> None:
    """An upgrade of Prometheus in the middle of a step counts nothing twice."""
    series = [
        _rq(NEW, [100, 120, 130], le="+Inf"),
        _rq(NEW, [100, 120, None], le="500"),
        _rq(NEW, [None, None, 130], le="500.0"),
    ]
    assert _looks("latency", series, 3)[2][Arm.CANDIDATE] == Counts(10, 0)


def test_latency_without_the_edge_is_an_error() -> None:
    """Without the bucket of 500 ms not every request is slow: the provider is to blame."""
    seen = _looks("latency", [_rq(NEW, [100, 120], le="+Inf")], 2)[1][Arm.CANDIDATE]
    assert isinstance(seen, ProviderError)
    assert "no le of 500" in seen.message


def test_a_restarted_gateway_does_not_make_requests_slow() -> None:
    """After a restart both buckets begin again, also when only one of them fell."""
    series = [_rq(NEW, [10, 12], le="+Inf"), _rq(NEW, [9, 5], le="500")]
    assert _looks("latency", series, 2)[1][Arm.CANDIDATE] == Counts(12, 7)


@pytest.mark.parametrize("value", [math.nan, math.inf, -3.0, 1.5])
def test_values_that_cannot_be_counted_are_named(value: float) -> None:
    """The arm's look is an error that names the value and the series; the other arm counts on."""
    series = [
        _rq(NEW, [10, value], response_code_class="2xx"),
        _rq(OLD, [10, 11], response_code_class="2xx"),
    ]
    look = _looks("error-rate", series, 2)[1]
    candidate = look[Arm.CANDIDATE]
    assert isinstance(candidate, ProviderError)
    assert str(value) in candidate.message
    assert "fraud-2" in candidate.message
    assert look[Arm.STABLE] == Counts(1, 0)
