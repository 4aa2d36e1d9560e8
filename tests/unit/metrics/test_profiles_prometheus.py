"""Every profile's queries on a real Prometheus that scrapes the recorded pages as two pods or a gateway."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from devcluster import builds
from modelramp.api.analysis import QueryBy
from modelramp.judgement.evidence import Counts
from modelramp.metrics.port import SourceError
from modelramp.metrics.profiles import CATALOGUE, PROFILES, alert
from modelramp.metrics.profiles.arms import PODS
from modelramp.metrics.profiles.custom import Custom
from modelramp.metrics.profiles.diagnosis import explain, probe
from modelramp.metrics.prometheus import Prometheus
from modelramp.metrics.service import ServiceRef
from support.exposition import page, select

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from modelramp.metrics.port import Series

pytestmark = pytest.mark.cluster

NEW = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a", "httproute/ml/fraud/rule/0/backend/1")
OLD = ServiceRef("ml", "fraud-1", 80, "fraud", "1.0.0-0b", "httproute/ml/fraud/rule/0/backend/0")
START_LIMIT_S = 30.0
CHECKS = [(name, check) for name, checks in PROFILES.items() for check in checks]
CUSTOM = {
    "labels": Custom(query='model_requests_total{code=~"5.."}', total="model_requests_total"),
    "placeholders": Custom(
        query='model_requests_total{code=~"5..",modelramp_dev_revision=~"{{ revision }}"} # the failed',
        total="model_requests_total{modelramp_dev_revision='{{ revision }}'}",
    ),
}


# Istio's names for what a plain Envoy counts, where no Istio proxy is at hand.
SHAPED = "istio-shaped"
RELABEL = [
    {
        "source_labels": ["__name__", "response_code"],
        "separator": ";",
        "regex": "envoy_cluster_upstream_rq;[0-9]+|envoy_cluster_upstream_rq_time_(bucket|sum|count);",
        "action": "keep",
    },
    {
        "source_labels": ["__name__"],
        "regex": "envoy_cluster_upstream_rq",
        "target_label": "__name__",
        "replacement": "istio_requests_total",
    },
    {
        "source_labels": ["__name__"],
        "regex": "envoy_cluster_upstream_rq_time_(.+)",
        "target_label": "__name__",
        "replacement": "istio_request_duration_milliseconds_$1",
    },
    {
        "source_labels": ["cluster_name"],
        "regex": r"outbound\|[0-9]+\|[^|]*\|(.+)",
        "target_label": "destination_service",
    },
    {"regex": "cluster_name", "action": "labeldrop"},
]


def _jobs(address: str) -> list[dict[str, object]]:
    """A scrape job per page; pods are there twice, as the candidate's and as stable's."""
    shaped = {"targets": [address], "labels": {"namespace": "ingress", "pod": "g1", "reporter": "source"}}
    jobs: list[dict[str, object]] = [
        {
            "job_name": SHAPED,
            "metrics_path": "/envoy",
            "static_configs": [shaped],
            "metric_relabel_configs": RELABEL,
        }
    ]
    for name, profile in CATALOGUE.items():
        targets = [
            {
                "namespace": "ml",
                "pod": one.name,
                "modelramp_dev_deployment": "fraud",
                "modelramp_dev_revision": one.revision,
            }
            for one in (NEW, OLD)
        ]
        labels = targets if profile.arms is PODS else [{"namespace": "ingress", "pod": "g1"}]
        jobs.append(
            {
                "job_name": name,
                "metrics_path": f"/{name}",
                "static_configs": [{"targets": [address], "labels": one} for one in labels],
            }
        )
    return jobs


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def _pages() -> AsyncIterator[str]:
    async def show(request: web.Request) -> web.StreamResponse:
        return web.Response(text=page(request.match_info["name"]))

    app = web.Application()
    app.router.add_get("/{name}", show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _prometheus(folder: Path) -> AsyncIterator[Prometheus]:
    rule = {"alert": "FraudWaits", "expr": "vllm:num_requests_waiting > 0"}
    (folder / "rules.yaml").write_text(
        json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [rule]}]})
    )
    port = _port()
    async with _pages() as address:
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": _jobs(address),
        }
        (folder / "prometheus.yaml").write_text(json.dumps(config))
        process = await asyncio.create_subprocess_exec(
            builds.program("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        )
        source = Prometheus(f"http://127.0.0.1:{port}", timeout=5.0)
        try:
            await _scraped(source)
            yield source
        finally:
            source.close()
            process.kill()
            await process.wait()


async def _scraped(source: Prometheus) -> None:
    """Waits until every page has been read three times, so that a rate exists."""
    targets = 1 + sum(2 if profile.arms is PODS else 1 for profile in CATALOGUE.values())
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            try:
                up = await _now(source, "count_over_time(up[1m]) >= 3")
                if len(up) == targets and await _now(source, alert.query(["FraudWaits"])):
                    return
            except SourceError:
                pass
            await asyncio.sleep(0.3)


async def _now(source: Prometheus, query: str) -> Sequence[Series]:
    now = int(datetime.now(tz=UTC).timestamp())
    return await source.read(query, start=now, end=now, step=1)


def _identity(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


async def test_every_query_is_understood(tmp_path: Path) -> None:
    """Each template's query, its query for people and its probe; a gauge, predictions, an alert."""
    builds.build(("metrics",), quiet=True)
    async with _prometheus(tmp_path) as source:
        for profile, check in CHECKS:
            template = PROFILES[profile][check]
            found = await _now(source, template.query([NEW, OLD]))
            read = [template.read(one.labels) for one in found]
            assert {one[0] for one in read if one is not None} == {template.key(NEW), template.key(OLD)}, (
                profile,
                check,
            )
            assert None not in read, (profile, check, found)
            # What the tests without Prometheus select from a page is what Prometheus selects.
            everything = await _now(source, f'{{job="{profile}"}}')
            selected = {_identity(one.labels) for one in select(template.query([NEW, OLD]), everything)}
            assert selected == {_identity(one.labels) for one in found if one.labels["job"] == profile}, (
                profile,
                check,
            )
            for_people = await _now(source, template.for_people(NEW))
            # Counters of a page stand still: the share of nothing is NaN, but of one series.
            assert len(for_people) == 1, (profile, check)
            answer = await _now(source, probe(template))
            assert explain(template, NEW, answer) is None, (profile, check)
            stranger = ServiceRef("ml", "x", 80, "x", "x", "x")
            assert "it had no request yet" in (explain(template, stranger, answer) or ""), (profile, check)
        gauge = CATALOGUE["vllm"].gauge("waiting-requests")
        assert {gauge.read(one.labels) for one in await _now(source, gauge.query([NEW, OLD]))} == {
            gauge.key(NEW),
            gauge.key(OLD),
        }
        buckets = CATALOGUE["model"].prediction()
        assert len(await _now(source, buckets.query([NEW]))) == 11
        fires = await _now(source, alert.query(["FraudWaits"]))
        at = fires[0].points[0][0]
        assert "alert FraudWaits fires" in (alert.firing(fires, "FraudWaits", NEW, at=at) or "")


async def test_envoys_series_under_istios_names(tmp_path: Path) -> None:
    """Relabelled, Envoy's page gives the profile istio the counts that the profile envoy takes from it."""
    builds.build(("metrics",), quiet=True)
    async with _prometheus(tmp_path) as source:
        for check, counted in (("error-rate", Counts(26, 3)), ("latency", Counts(26, 1))):
            template = PROFILES["istio"][check]
            increments = {}
            for one in await _now(source, template.query([NEW, OLD])):
                read = template.read(one.labels)
                assert read is not None
                key, (_, component) = read
                if one.labels["job"] == SHAPED and key == template.key(NEW):
                    increments[component] = int(one.points[0][1])
            assert template.tally(increments) == counted


async def test_custom_queries_on_a_real_prometheus(tmp_path: Path) -> None:
    """Both ways to tell arms apart give the counts of the page; a wrong query is refused with a reason."""
    builds.build(("metrics",), quiet=True)
    async with _prometheus(tmp_path) as source:
        for custom in CUSTOM.values():
            template = custom.template()
            found = await _now(source, template.query([NEW, OLD]))
            kinds: dict[tuple[str, str], float] = {}
            for one in found:
                read = template.read(one.labels)
                assert read is not None
                place = (read[0], one.labels["modelramp_kind"])
                kinds[place] = kinds.get(place, 0.0) + one.points[0][1]
            assert kinds == {
                (template.key(service), kind): value
                for service in (NEW, OLD)
                for kind, value in (("bad", 3.0), ("all", 44.0))
            }
            shares = [one.points[0][1] for one in await _now(source, template.for_people(NEW))]
            assert shares == [pytest.approx(3 / 44)] * len(shares)
            assert shares
        mean = "avg by (namespace, pod) (vllm:kv_cache_usage_perc)"
        named = f'label_replace({mean}, "service", "$1", "pod", "(.*)")'
        value = Custom(query=named, by=QueryBy.SERVICE).value()
        assert {value.read(one.labels) for one in await _now(source, value.query([NEW, OLD]))} >= {
            value.key(NEW),
            value.key(OLD),
        }
        wrong = Custom(query="model_requests_total{} model_requests_total{}", total="model_requests_total")
        with pytest.raises(SourceError, match="parse error"):
            await _now(source, wrong.template().query([NEW]))
