"""Every profile on a recorded page of what it is for: arms apart, requests and bad ones as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelramp.judgement.evidence import Counts, NoData, ProviderError, Seen
from modelramp.judgement.verdict import Arm
from modelramp.metrics.counters import Counters
from modelramp.metrics.looks import grid, step
from modelramp.metrics.profiles import CATALOGUE, PROFILES
from modelramp.metrics.profiles.buckets import Distribution
from modelramp.metrics.profiles.definition import UnknownCheckError
from modelramp.metrics.service import ServiceRef
from support.exposition import page, scrape, select

if TYPE_CHECKING:
    from modelramp.metrics.port import Series
    from modelramp.metrics.profiles.template import Template

NEW = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a", "httproute/ml/fraud/rule/0/backend/1")
OLD = ServiceRef("ml", "fraud-1", 80, "fraud", "1.0.0-0b", "httproute/ml/fraud/rule/0/backend/0")
ROUTERS = ("envoy", "istio", "envoy-gateway")
# Per profile and check, what the candidate and stable counted; of pods, stable has two like the candidate's.
COUNTED = {
    ("envoy", "error-rate"): (Counts(26, 3), Counts(61, 1)),
    ("envoy", "latency"): (Counts(26, 1), Counts(61, 0)),
    ("istio", "error-rate"): (Counts(46, 6), Counts(760, 0)),
    ("istio", "latency"): (Counts(44, 4), Counts(760, 0)),
    ("envoy-gateway", "error-rate"): (Counts(26, 3), Counts(61, 1)),
    ("envoy-gateway", "latency"): (Counts(26, 1), Counts(61, 0)),
    ("kserve", "latency"): (Counts(42, 2), Counts(84, 4)),
    ("triton", "error-rate"): (Counts(50, 4), Counts(100, 8)),
    ("triton", "time-to-first-token"): (Counts(46, 2), Counts(92, 4)),
    ("mlserver", "error-rate"): (Counts(42, 4), Counts(84, 8)),
    ("mlserver", "latency"): (Counts(42, 2), Counts(84, 4)),
    ("vllm", "error-rate"): (Counts(45, 3), Counts(90, 6)),
    ("vllm", "time-to-first-token"): (Counts(40, 6), Counts(80, 12)),
    ("vllm", "inter-token-latency"): (Counts(4900, 100), Counts(9800, 200)),
    ("vllm", "latency"): (Counts(40, 0), Counts(80, 0)),
    ("bentoml", "error-rate"): (Counts(42, 3), Counts(84, 6)),
    ("bentoml", "latency"): (Counts(42, 2), Counts(84, 4)),
    ("model", "error-rate"): (Counts(44, 3), Counts(88, 6)),
    ("model", "quality"): (Counts(40, 5), Counts(80, 10)),
    ("model", "latency"): (Counts(44, 4), Counts(88, 8)),
}


def _pod(profile: str, service: ServiceRef, name: str) -> list[Series]:
    return scrape(
        page(profile),
        namespace=service.namespace,
        pod=name,
        modelramp_dev_deployment=service.deployment,
        modelramp_dev_revision=service.revision,
    )


def _scraped(profile: str) -> list[Series]:
    """All there is in Prometheus: the gateway's page, or those of the pods of both revisions and a third."""
    if profile in ROUTERS:
        return scrape(page(profile), namespace="ingress", pod="g1")
    rest = ServiceRef("ml", "other-2", 80, "other", NEW.revision)
    pods = ((NEW, "n1"), (OLD, "o1"), (OLD, "o2"), (rest, "r1"))
    return [series for service, name in pods for series in _pod(profile, service, name)]


def _look(template: Template, series: list[Series]) -> dict[Arm, Seen]:
    selected = select(template.query([NEW, OLD]), series)
    keys = {Arm.CANDIDATE: template.key(NEW), Arm.STABLE: template.key(OLD)}
    counters, seen = Counters(window=600), grid(selected, template)
    looks = [step(counters, at, seen=seen, clusters=keys, template=template) for at in (0, 1)]
    return dict(looks[1].arms)


def test_every_template_has_a_recorded_page() -> None:
    """No check of any profile is left out of these tests."""
    assert COUNTED.keys() == {(name, check) for name, checks in PROFILES.items() for check in checks}


@pytest.mark.parametrize(("profile", "check"), COUNTED, ids=str)
def test_what_happened_is_counted(profile: str, check: str) -> None:
    """Requests and bad ones of each revision are those of the page, without another model's of that name."""
    candidate, stable = COUNTED[profile, check]
    look = _look(PROFILES[profile][check], _scraped(profile))
    assert look == {Arm.CANDIDATE: candidate, Arm.STABLE: stable}


@pytest.mark.parametrize(("profile", "check"), COUNTED, ids=str)
def test_a_revision_without_series_has_no_data(profile: str, check: str) -> None:
    """The stable revision's series never stand in for those of a candidate that has none."""
    template = PROFILES[profile][check]
    series = [one for one in _scraped(profile) if template.arms.key_of(one.labels) != template.key(NEW)]
    look = _look(template, series)
    assert look[Arm.CANDIDATE] == NoData()
    assert isinstance(look[Arm.STABLE], Counts)


@pytest.mark.parametrize(
    ("profile", "check"), [("triton", "error-rate"), ("mlserver", "error-rate")], ids=str
)
def test_a_failure_counter_that_is_gone_is_said(profile: str, check: str) -> None:
    """Where failures have a counter of their own, no such counter is not the same as no failure."""
    series = [one for one in _scraped(profile) if "failure" not in one.labels["__name__"]]
    seen = _look(PROFILES[profile][check], series)[Arm.CANDIDATE]
    assert isinstance(seen, ProviderError)
    assert "_request_failure" in seen.message
    assert "to see failures by" in seen.message
    assert 'pod="n1"' in seen.message


@pytest.mark.parametrize(
    ("profile", "check", "words"),
    [
        ("kserve", "error-rate", "no counter of failures; use what the router counts"),
        ("triton", "latency", "sums microseconds"),
        ("istio", "quality", "no such check"),
    ],
)
def test_what_a_source_cannot_answer_is_said_at_once(profile: str, check: str, words: str) -> None:
    """A check that the source has no counters for names the reason and what there is instead."""
    with pytest.raises(UnknownCheckError, match=words) as raised:
        CATALOGUE[profile].template(check)
    assert f"profile {profile} has no {check}" in str(raised.value)
    assert "it has " in str(raised.value)


@pytest.mark.parametrize(
    ("seconds", "counted", "note"),
    [
        (0.5, Counts(44, 4), ""),
        (1.0, Counts(44, 0), ""),
        (
            0.3,
            Counts(44, 6),
            (
                "300 ms is no edge of istio_request_duration_milliseconds_bucket:"
                " what takes over 250 ms is counted as slow"
            ),
        ),
    ],
)
def test_slow_is_what_is_over_the_next_lower_edge(seconds: float, counted: Counts, note: str) -> None:
    """Where the limit is no edge the one below counts, which calls more requests slow; people are told."""
    template = CATALOGUE["istio"].template("latency", slower_than=seconds)
    assert _look(template, _scraped("istio"))[Arm.CANDIDATE] == counted
    assert template.note == note


def test_faster_than_every_edge_is_refused() -> None:
    """A limit under the lowest edge cannot be counted; the edges are named."""
    with pytest.raises(UnknownCheckError, match=r"0\.001 s is under every edge of request_pre.*0\.005"):
        CATALOGUE["kserve"].template("latency", slower_than=0.001)


def test_slower_than_is_for_latencies_only() -> None:
    """A duration at a check that has none is a mistake, not ignored."""
    with pytest.raises(UnknownCheckError, match="slowerThan is for latencies"):
        CATALOGUE["istio"].template("error-rate", slower_than=0.5)


def test_istios_callee_is_not_counted() -> None:
    """A callee's proxy names another Service of the pod: its report is not even asked for."""
    names = {
        one.labels["destination_service"]
        for one in _scraped("istio")
        if one.labels.get("reporter") == "destination"
    }
    assert names == {"fraud.ml.svc.cluster.local"}
    assert 'reporter="source"' in PROFILES["istio"]["error-rate"].query([NEW])


def test_predictions_come_bucket_by_bucket() -> None:
    """The buckets of the model's own histogram, not cumulative, with those over the last edge."""
    buckets = CATALOGUE["model"].prediction()
    found = [buckets.read(one.labels) for one in select(buckets.query([NEW]), _scraped("model"))]
    values = {
        one.labels["le"]: one.points[1][1]
        for one in _pod("model", NEW, "n1")
        if "score_bucket" in one.labels["__name__"]
    }
    components = {sample[1] for key, sample in filter(None, found) if key == buckets.key(NEW)}
    increments = {part: int(values[_spelled(part)]) for part in components}
    assert buckets.distribution(increments) == Distribution(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0), (6, 4, 4, 4, 4, 4, 4, 4, 4, 2, 0)
    )


def _spelled(component: str) -> str:
    edge = component.partition("|")[0]
    return "+Inf" if edge == "inf" else edge


def test_a_profile_without_predictions_says_so() -> None:
    """Drift of predictions needs a histogram that only the model's owner can export."""
    with pytest.raises(UnknownCheckError, match="use profile model"):
        CATALOGUE["istio"].prediction()


def test_gauges_are_means_over_a_revisions_pods() -> None:
    """A gauge is asked for both arms in one query that names them by the labels of pods."""
    gauge = CATALOGUE["triton"].gauge("pending-requests")
    assert gauge.query([NEW, OLD]) == (
        "avg by (namespace,modelramp_dev_deployment,modelramp_dev_revision)"
        ' (nv_inference_pending_request_count{namespace=~"ml",modelramp_dev_deployment=~"fraud",'
        r'modelramp_dev_revision=~"2\\.0\\.0-0a|1\\.0\\.0-0b"})'
    )
    with pytest.raises(UnknownCheckError, match="it has waiting-requests, cache-usage"):
        CATALOGUE["vllm"].gauge("pending-requests")
