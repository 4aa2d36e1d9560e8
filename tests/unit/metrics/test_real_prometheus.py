"""The adapter, the profile and the collector on a real Prometheus that scrapes a page of Envoy's counters."""

from __future__ import annotations

import asyncio
import math
import socket
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from devcluster import builds
from modelramp.controller.collector import Collector, Subject, Timing
from modelramp.judgement.evidence import Counts, Evidence
from modelramp.judgement.judge import blind
from modelramp.judgement.plan import Plan, error_rate, latency
from modelramp.judgement.verdict import Arm
from modelramp.metrics.port import SourceError
from modelramp.metrics.profiles.envoy import TEMPLATES, cluster
from modelramp.metrics.prometheus import Prometheus
from modelramp.metrics.service import ServiceRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

NEW, OLD = ServiceRef("ml", "fraud-2", 80), ServiceRef("ml", "fraud-1", 80)
PLAN = Plan(checks=(error_rate(), latency()), interval=1)
KEY = ("ml", "fraud")
START_LIMIT_S = 30.0


class Page:
    """What an Envoy gateway would say: answers under both names, and buckets; None = the gateway is gone."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.good: Counter[ServiceRef] = Counter()
        self.bad: Counter[ServiceRef] = Counter()
        self.gone = False

    async def show(self, _: web.Request) -> web.StreamResponse:
        """The exposition."""
        if self.gone:
            return web.Response(status=503)
        lines = ["# TYPE envoy_cluster_upstream_rq counter"]
        for name, code, counts in (("2xx", "200", self.good), ("5xx", "503", self.bad)):
            for service, count in counts.items():
                labels = f'cluster_name="{cluster(service)}"'
                lines.append(f'envoy_cluster_upstream_rq{{{labels},response_code_class="{name}"}} {count}')
                lines.append(f'envoy_cluster_upstream_rq{{{labels},response_code="{code}"}} {count}')
        lines.append("# TYPE envoy_cluster_upstream_rq_time histogram")
        for service in self.good:
            total = self.good[service] + self.bad[service]
            for edge, count in (("250", self.good[service]), ("500", self.good[service]), ("+Inf", total)):
                labels = f'cluster_name="{cluster(service)}",le="{edge}"'
                lines.append(f"envoy_cluster_upstream_rq_time_bucket{{{labels}}} {count}")
        return web.Response(text="\n".join(lines) + "\n")


@asynccontextmanager
async def _page(page: Page) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/metrics", page.show)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "prometheus.yaml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        f"scrape_configs: [{{job_name: gateway, static_configs: [{{targets: ['{target}']}}]}}]\n"
    )
    process = await asyncio.create_subprocess_exec(
        builds.program("prometheus", "prometheus"),
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    source = Prometheus(f"http://127.0.0.1:{port}", timeout=2.0)
    try:
        await _ready(source)
        yield source
    finally:
        source.close()
        process.kill()
        await process.wait()


async def _ready(source: Prometheus) -> None:
    async with asyncio.timeout(START_LIMIT_S):
        while True:
            now = int(_now().timestamp())
            try:
                if await source.read("up == 1", start=now, end=now, step=1):
                    return
            except SourceError:
                pass
            await asyncio.sleep(0.2)


def _now() -> datetime:
    return datetime.now(tz=UTC)


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    builds.build(("metrics",), quiet=True)


async def _traffic(page: Page, *, seconds: float, errors: int = 0) -> None:
    """Per tenth of a second 10 requests to stable, and 2 to the candidate of which ``errors`` fail."""
    for _ in range(round(seconds * 10)):
        page.good[OLD] += 10
        page.good[NEW] += 2 - errors
        if errors:
            page.bad[NEW] += errors
        await asyncio.sleep(0.1)


async def test_every_request_counts_once_on_a_real_prometheus(tmp_path: Path) -> None:
    """A burst in a newborn series, silence of the gateway, and a restart from a checkpoint: exact counts."""
    page, woken = Page(), Counter[tuple[str, str]]()
    page.good[OLD], page.good[NEW] = 1000, 50
    async with _page(page) as target, _prometheus(tmp_path, target) as source:
        await asyncio.sleep(2.5)
        since = _now()
        subject = Subject(
            key=KEY, scope="r/0", since=since, arms={Arm.CANDIDATE: NEW, Arm.STABLE: OLD}, plan=PLAN
        )

        def collector() -> Collector:
            timing = Timing(scrape_interval=1.0, timeout=3.0)
            return Collector(source=source, clock=_now, timing=timing, wake=lambda key: woken.update([key]))

        async def settled(one: Collector) -> Evidence:
            await asyncio.sleep(4.5)
            evidence = one.evidence(KEY, "r/0")
            assert evidence is not None
            return evidence

        first = collector()
        first.track(subject)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(first.run())
            await asyncio.sleep(2.5)
            await _traffic(page, seconds=2.0)
            await _traffic(page, seconds=1.0, errors=1)
            seen = await settled(first)
            assert seen.metrics["error-rate"].candidate == Counts(60, 10)
            assert seen.metrics["error-rate"].stable == Counts(300, 0)
            assert seen.metrics["latency"].candidate == Counts(60, 10)
            assert blind(seen, PLAN, _now()) is None
            page.gone = True
            gone = await settled(first)
            assert gone.metrics["error-rate"].candidate == Counts(60, 10)
            assert "no data of the candidate since" in (blind(gone, PLAN, _now()) or "")
            page.gone = False
            await _traffic(page, seconds=1.0)
            back = await settled(first)
            assert back.metrics["error-rate"].candidate == Counts(80, 10)
            assert blind(back, PLAN, _now()) is None
            run.cancel()
        second = collector()
        second.track(subject)
        async with asyncio.TaskGroup() as group:
            run = group.create_task(second.run())
            again = await settled(second)
            assert again.metrics["error-rate"].candidate == Counts(80, 10)
            assert again.metrics["error-rate"].stable == back.metrics["error-rate"].stable
            run.cancel()
    assert woken[KEY] > 5


@pytest.mark.parametrize(("check", "share"), [("error-rate", 0.25), ("latency", 0.25)])
async def test_the_query_for_people_gives_the_share(tmp_path: Path, check: str, share: float) -> None:
    """What a verdict offers to paste into Prometheus does answer with the share of bad requests."""
    page = Page()
    page.good[NEW], page.bad[NEW] = 10_000, 1_000  # near zero, rate() extrapolates each series its own way
    query = TEMPLATES[check].for_people(NEW)
    async with _page(page) as target, _prometheus(tmp_path, target) as source:
        await asyncio.sleep(2.5)
        page.good[NEW] += 75
        page.bad[NEW] += 25
        async with asyncio.timeout(10):
            while True:
                now = int(_now().timestamp())
                series = await source.read(query, start=now, end=now, step=1)
                value = series[0].points[0][1] if series else math.nan
                if value > 0.1:
                    break
                await asyncio.sleep(0.3)
    assert value == pytest.approx(share, abs=0.01)


async def test_hundreds_of_names_fit_into_a_question(tmp_path: Path) -> None:
    """A selector as long as a question may hold is accepted, and finds the one name that is there."""
    page = Page()
    page.good[NEW] = 1
    names = [ServiceRef("ml", f"model-{number}", 80) for number in range(300)]
    async with _page(page) as target, _prometheus(tmp_path, target) as source:
        await asyncio.sleep(1.5)
        now = int(_now().timestamp())
        for template in TEMPLATES.values():
            series = await source.read(template.query([*names, NEW]), start=now, end=now, step=1)
            assert {one.labels["cluster_name"] for one in series} == {cluster(NEW)}
