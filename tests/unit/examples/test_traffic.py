"""The client's counts are those of the server it talks to."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from digits.counts import Answer, tally
from digits.traffic import Traffic
from unit.examples.processes import environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Gateway:
    """A real HTTP server that misbehaves on a timetable and writes down what it did.

    Of each ten requests the 3rd, 6th and 9th go to revision b, which fails two and refuses the last;
    revision a answers the 5th after 0.6 s. It closes the connection after each 7th.
    """

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self._number = itertools.count(1)

    async def predict(self, request: web.Request) -> web.Response:
        """Answer by the timetable."""
        number = next(self._number)
        self.hosts.append(request.host)
        self.bodies.append(await request.json())
        place = number % 10
        if place == 5:
            await asyncio.sleep(0.6)
        status = {3: 503, 6: 500, 9: 404}.get(place, 200)
        revision = ("2.0.0", "digits-2-0-0-b") if place in {3, 6, 9} else ("1.0.0", "digits-1-0-0-a")
        headers = dict(zip(("x-model-version", "x-model-revision"), revision, strict=True))
        response = web.Response(status=status, headers=headers)
        if number % 7 == 0:
            response.force_close()
        return response

    @asynccontextmanager
    async def at(self) -> AsyncIterator[str]:
        """The URL while it runs."""
        app = web.Application()
        app.router.add_post("/predict", self.predict)
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url("/predict"))


async def test_counts_by_revision_are_exact() -> None:
    """Over 100 requests, closed connections among them, each column is what the server did."""
    gateway = Gateway()
    async with gateway.at() as url:
        traffic = Traffic(url=url, host="digits.example.com", rps=60, max_requests=100)
        await traffic.start()
        counts = await traffic.finished()
    stable, candidate = counts.version("1.0.0"), counts.version("2.0.0")
    assert stable.to_dict() == {"requests": 70, "errors": 0, "refused": 0, "slow": 10}
    assert candidate.to_dict() == {"requests": 30, "errors": 20, "refused": 10, "slow": 0}
    assert sorted(counts.by_revision) == [("1.0.0", "digits-1-0-0-a"), ("2.0.0", "digits-2-0-0-b")]
    assert set(gateway.hosts) == {"digits.example.com"}
    assert tally(traffic.answers()) == counts


@pytest.mark.parametrize("labels", [True, False])
async def test_requests_are_real_rows(*, labels: bool) -> None:
    """Each body has 64 pixels, no two alike, and the true label only where asked for."""
    gateway = Gateway()
    async with gateway.at() as url:
        traffic = Traffic(url=url, rps=200, max_requests=20, labels=labels)
        await traffic.start()
        await traffic.finished()
    assert len({tuple(body["pixels"]) for body in gateway.bodies}) == 20
    assert {len(body["pixels"]) for body in gateway.bodies} == {64}
    assert {"label" in body for body in gateway.bodies} == {labels}


async def test_the_rate_is_steady_and_the_time_bounded() -> None:
    """50 requests a second for two seconds are 100, spread evenly."""
    async with Gateway().at() as url:
        traffic = Traffic(url=url, rps=50, seconds=2.0)
        started = time.time()
        await traffic.start()
        counts = await traffic.finished()
    first_half = [answer for answer in traffic.answers() if answer.sent_at < started + 1.0]
    assert 90 <= counts.total.requests <= 101
    assert 35 <= len(first_half) <= 65


async def test_a_server_that_is_gone_is_counted_as_errors() -> None:
    """Refused connections are failures without a version, found again by the time they were sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    traffic = Traffic(url=f"http://127.0.0.1:{port}/predict", rps=50, max_requests=10)
    before = time.time()
    await traffic.start()
    counts = await traffic.finished()
    assert counts.version("").to_dict() == {"requests": 10, "errors": 10, "refused": 0, "slow": 0}
    assert len(traffic.failed(since=before)) == 10
    assert traffic.failed(since=time.time()) == []
    assert "Connect" in traffic.failed()[0].error


async def test_no_answer_in_time_is_an_error() -> None:
    """A request that outlasts the time-out failed, and was slow."""
    async with Gateway().at() as url:
        traffic = Traffic(url=url, rps=50, max_requests=5, timeout=0.55)
        await traffic.start()
        counts = await traffic.finished()
    lost = [answer for answer in traffic.answers() if answer.status is None]
    assert (len(lost), counts.version("").errors, counts.version("").slow) == (1, 1, 1)


async def test_stop_ends_early_with_what_was_counted() -> None:
    """Stopping takes no longer than the answers that are due, and the file holds the final counts."""
    async with Gateway().at() as url:
        traffic = Traffic(url=url, rps=20, seconds=600)
        await traffic.start()
        await asyncio.sleep(0.5)
        async with asyncio.timeout(5):
            counts = await traffic.stop()
    assert 1 <= counts.total.requests <= 15


async def test_the_stats_file_follows_and_is_always_whole(tmp_path: Path) -> None:
    """Read over and over while it is renewed, the file is complete JSON whose counts only rise."""
    stats = tmp_path / "stats.json"
    seen: list[int] = []
    async with Gateway().at() as url:
        traffic = Traffic(url=url, rps=50, seconds=2.0, stats=stats)
        await traffic.start()
        running = asyncio.create_task(traffic.finished())
        while not running.done():
            if stats.exists():
                seen.append(json.loads(stats.read_text())["total"]["requests"])
            await asyncio.sleep(0.01)
        counts = await running
    final = json.loads(stats.read_text())
    assert seen == sorted(seen)
    assert len(set(seen)) >= 3
    assert final["total"] == counts.total.to_dict()
    assert {row["revision"] for row in final["recent"]["revisions"]} == {"digits-1-0-0-a", "digits-2-0-0-b"}
    assert sum(row["share"] for row in final["revisions"]) == pytest.approx(1)
    assert await asyncio.to_thread(lambda: list(tmp_path.iterdir())) == [stats]


async def test_the_command_prints_the_counts(tmp_path: Path) -> None:
    """As a program it sends --count requests and ends with a line for each revision."""
    async with Gateway().at() as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *["-m", "digits.traffic", "--url", url, "--rps", "50", "--count", "20", "--labels"],
            *["--stats", str(tmp_path / "stats.json")],
            env=environment(),
            stdout=subprocess.PIPE,
        )
        output, _ = await process.communicate()
    rows = [line.split() for line in output.decode().splitlines()[1:]]
    assert process.returncode == 0
    assert rows == [
        ["digits-1-0-0-a", "14", "70.0%", "0", "2", "0"],
        ["digits-2-0-0-b", "6", "30.0%", "4", "0", "2"],
    ]


def test_the_command_refuses_foreign_addresses() -> None:
    """Wrong usage exits with 2 and one line, without sending anything."""
    command = [sys.executable, "-m", "digits.traffic", "--url", "http://203.0.113.9/predict"]
    done = subprocess.run(command, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: http://203.0.113.9/predict: 203.0.113.9 is not within 127.0.0.0/8")


def test_slow_is_over_half_a_second() -> None:
    """Exactly 500 ms is not slow, as a bucket with the edge 0.5 counts it."""
    edge = [Answer(sent_at=0, seconds=seconds, status=200) for seconds in (0.5, 0.5001)]
    assert [answer.slow for answer in edge] == [False, True]
