"""The Prometheus adapter against a local server that speaks its HTTP API, well and badly."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from modelramp.metrics.port import SourceError
from modelramp.metrics.prometheus import Prometheus

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/prom/api/v1/query_range", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/prom/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _client(url: str, timeout: float = 5.0) -> AsyncIterator[Prometheus]:  # noqa: ASYNC109
    prometheus = Prometheus(url, timeout=timeout)
    try:
        yield prometheus
    finally:
        prometheus.close()


def _matrix(result: Any) -> str:  # noqa: ANN401
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


async def _ask(prometheus: Prometheus) -> object:
    return await prometheus.read("up", start=100, end=160, step=30)


async def test_a_range_is_posted_and_read() -> None:
    """The query goes into the body of a POST, however long; values come back as numbers, NaN too."""
    asked: dict[str, str] = {}
    query = 'x{a=~"' + "|".join(f"outbound\\\\|{i}" for i in range(3000)) + '"}'

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.update({k: str(v) for k, v in (await request.post()).items()}, in_address=request.query_string)
        points = [[100, "4"], [130.0, "NaN"], [160, "+Inf"]]
        return web.Response(
            text=_matrix([{"metric": {"le": "5"}, "values": points}]), content_type="application/json"
        )

    async with _serving(handler) as url, _client(url) as prometheus:
        (series,) = await prometheus.read(query, start=100, end=160, step=30)
    assert asked == {"query": query, "start": "100", "end": "160", "step": "30", "in_address": ""}
    assert dict(series.labels) == {"le": "5"}
    assert [at for at, _ in series.points] == [100, 130, 160]
    assert series.points[0][1] == 4.0
    assert math.isnan(series.points[1][1])
    assert series.points[2][1] == math.inf


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (500, "oh no", "refused the query: HTTP Status Code 500"),
        (422, json.dumps({"status": "error", "error": "bad"}), "refused the query: HTTP Status Code 422"),
        (200, "<html>login</html>", "sent something that is not JSON"),
        (200, "", "sent something that is not JSON"),
        (200, "{}", "sent JSON that is no answer to a query"),
        (200, "[1]", "sent JSON that is no answer to a query"),
        (200, _matrix(None), "cannot be read"),
        (200, _matrix([{"metric": {}}]), "cannot be read"),
        (200, _matrix([{"metric": {}, "values": [[1, "x"]]}]), "cannot be read"),
        (200, _matrix([{"metric": [1], "values": []}]), "cannot be read"),
    ],
)
async def test_bad_answers_are_named(status: int, body: str, message: str) -> None:
    """Whatever comes instead of series is one kind of error that says what came."""
    calls = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        return web.Response(status=status, text=body)

    async with _serving(handler) as url, _client(url) as prometheus:
        with pytest.raises(SourceError, match=message):
            await _ask(prometheus)
    assert calls == 1, "it is the collector that tries again, at the next look"


async def test_refused_is_named() -> None:
    """A closed port is an error that names the address."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async with _serving(handler) as url:
        pass
    async with _client(url) as prometheus:
        with pytest.raises(SourceError, match=r"http://127\.0\.0\.1:\d+/prom cannot be reached"):
            await _ask(prometheus)


async def test_a_hanging_server_is_given_up() -> None:
    """A server that never answers costs the time limit, and the event loop stays free."""

    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    loop = asyncio.get_running_loop()
    async with _serving(handler) as url, _client(url, timeout=0.3) as prometheus:
        began, ticks = loop.time(), 0
        asking = asyncio.create_task(_ask(prometheus))
        while not asking.done():
            await asyncio.sleep(0.01)
            ticks += 1
        with pytest.raises(SourceError, match=r"did not answer within 0\.3 s"):
            await asking
        assert loop.time() - began < 2.0
        assert ticks >= 10


async def test_a_trickling_server_is_given_up() -> None:
    """A server that sends a byte now and then does not get around the time limit."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(20):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    async with _serving(handler) as url, _client(url, timeout=0.3) as prometheus:
        with pytest.raises(SourceError, match="did not answer within"):
            await asyncio.wait_for(_ask(prometheus), 1.5)
