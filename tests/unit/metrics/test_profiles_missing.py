"""Why there is no data: what a profile says when nothing is scraped or series do not name their revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelramp.metrics.port import Series
from modelramp.metrics.profiles import CATALOGUE, PROFILES
from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.diagnosis import explain, probe
from modelramp.metrics.service import ServiceRef
from support.exposition import page, scrape, select

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelramp.metrics.profiles.template import Template

NEW = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a", "httproute/ml/fraud/rule/0/backend/1")
PROFILE_CHECKS = [(name, check) for name, checks in PROFILES.items() for check in checks]


def _answer(template: Template, series: Iterable[Series]) -> list[Series]:
    """What `probe` gets: one series for each combination of the labels that name arms."""
    found = {
        tuple((label, one.labels[label]) for label in template.arms.labels if label in one.labels)
        for one in select(template.selector, series)
    }
    return [Series(dict(labels), [(1, 1.0)]) for labels in sorted(found)]


def _of_pod(profile: str, **labels: str) -> list[Series]:
    return scrape(page(profile), namespace="ml", pod="n1", **labels)


@pytest.mark.parametrize(("profile", "check"), PROFILE_CHECKS)
def test_nothing_scraped(profile: str, check: str) -> None:
    """Without any series the message names what was looked for, and what to scrape."""
    template = PROFILES[profile][check]
    message = explain(template, NEW, [])
    assert message is not None
    assert f"Prometheus has no {template.selector} at all" in message
    assert template.arms.remedy in message


@pytest.mark.parametrize("profile", [name for name, one in CATALOGUE.items() if one.arms is PODS])
def test_pods_without_the_label_of_their_revision(profile: str) -> None:
    """A scrape configuration that drops the pods' labels is named, with the two ways to mend it."""
    for template in PROFILES[profile].values():
        message = explain(template, NEW, _answer(template, _of_pod(profile)))
        assert message is not None
        assert (
            "without the labels namespace and modelramp_dev_deployment and modelramp_dev_revision" in message
        )
        assert "podTargetLabels: [modelramp.dev/deployment, modelramp.dev/revision]" in message
        assert "action: labelmap" in message


def test_envoy_with_tags_that_are_not_istios() -> None:
    """Envoy's own tags call the label otherwise: the message names the setting that is missing."""
    template = PROFILES["envoy"]["latency"]
    message = explain(template, NEW, _answer(template, scrape(page("envoy-gateway"))))
    assert message is not None
    assert "without the labels cluster_name: give Istio's proxies its stats_tags" in message


def test_only_other_revisions_are_there() -> None:
    """A candidate without a request yet is told from a broken scrape; what is there is listed."""
    template = PROFILES["vllm"]["error-rate"]
    series = _of_pod("vllm", modelramp_dev_deployment="fraud", modelramp_dev_revision="1.0.0-0b")
    message = explain(template, NEW, _answer(template, series))
    assert message is not None
    assert "of ml/fraud/1.0.0-0b, and none of ml/fraud/2.0.0-0a" in message
    assert "it had no request yet, or is not scraped" in message


def test_some_series_name_their_revision_and_some_do_not() -> None:
    """Two kinds of proxies in one Prometheus: what is named comes first, what is not is told as well."""
    template = PROFILES["envoy"]["latency"]
    old = [one for one in scrape(page("envoy")) if "fraud-1" in one.labels["cluster_name"]]
    message = explain(template, NEW, _answer(template, [*old, *scrape(page("envoy-gateway"))]))
    assert message is not None
    assert "none of outbound|80||fraud-2.ml.svc.cluster.local: it had no request yet" in message
    assert "other series have no cluster_name: give Istio's proxies its stats_tags" in message


def test_one_cluster_of_all_backends() -> None:
    """Envoy Gateway without filters has one cluster per rule: that is said, for waiting would not help."""
    template = PROFILES["envoy-gateway"]["error-rate"]
    text = page("envoy-gateway").replace("/backend/1", "").replace("/backend/0", "")
    message = explain(template, NEW, _answer(template, scrape(text)))
    assert message is not None
    assert "give each backendRef of the rule a filter" in message
    assert "clusterStatName" in message


@pytest.mark.parametrize(
    ("profile", "service", "words"),
    [
        ("vllm", ServiceRef("ml", "fraud-2", 80), "its ModelDeployment is not known"),
        ("vllm", ServiceRef("ml", "fraud-2", 80, "fraud"), "its revision is not known"),
        ("envoy-gateway", ServiceRef("ml", "fraud-2", 80), "its router's cluster is not known"),
    ],
)
def test_what_is_not_known_of_a_service(profile: str, service: ServiceRef, words: str) -> None:
    """A revision of which a label is not known is found by no query, and no series without the label is."""
    for template in PROFILES[profile].values():
        message = explain(template, service, [])
        assert message is not None
        assert words in message
        everything = scrape(page(profile), namespace="ml")
        assert not [one for one in select(template.query([service]), everything) if template.read(one.labels)]


def test_a_revision_that_is_there_needs_no_explanation() -> None:
    """Where the series are found, there is nothing to say."""
    template = PROFILES["istio"]["error-rate"]
    assert explain(template, NEW, _answer(template, scrape(page("istio")))) is None
    assert probe(template) == ('count by (destination_service) (istio_requests_total{reporter="source"})')
