"""The model server as a process: answers, metrics, refusals, and a stop that fails nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from digits import dataset
from digits.server.app import Service
from digits.server.artifact import Artifact
from digits.server.reader import Reader
from digits.traffic import Traffic
from digits.train import measure
from unit.examples.processes import environment, injected, serving

if TYPE_CHECKING:
    from pathlib import Path


def sample(text: str, name: str, **labels: str) -> float | None:
    """The value of one series of a metrics page, None where it is not there."""
    for family in text_string_to_metric_families(text):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return found.value
    return None


async def ask(url: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status and body of one prediction."""
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.json()


async def page(url: str) -> str:
    """The metrics page of a server."""
    async with aiohttp.ClientSession() as session, session.get(url + "/metrics") as response:
        return await response.text()


async def test_answers_name_the_version_and_are_counted(trained: Path, tmp_path: Path) -> None:
    """A prediction says who made it; requests, latency, score and outcome are counted, the warm-up is not."""
    rows = dataset.load().held_out
    async with serving(trained, "1.1.0", log=tmp_path / "log") as server:
        status, body = await ask(
            server.predict, {"pixels": rows.pixels[0].tolist(), "label": int(rows.labels[0])}
        )
        assert (status, body["model"], body["version"]) == (200, "digits", "1.1.0")
        correct = body["digit"] == rows.labels[0]
        await ask(server.predict, {"pixels": [1, 2, 3]})
        text = await page(server.url)
    who = {"model": "digits", "version": "1.1.0"}
    assert sample(text, "model_requests_total", code="200", **who) == 1
    assert sample(text, "model_requests_total", code="400", **who) == 1
    assert sample(text, "model_requests_total", code="500", **who) == 0
    assert sample(text, "model_request_duration_seconds_bucket", le="0.5", **who) == 2
    assert sample(text, "model_prediction_score_count", **who) == 1
    assert sample(text, "model_outcome_total", correct="true", **who) == int(correct)
    assert sample(text, "model_outcome_total", correct="false", **who) == int(not correct)


async def test_wrong_input_is_the_callers_fault(trained: Path, tmp_path: Path) -> None:
    """Too few pixels, an impossible pixel and no JSON at all are 400 with the field, never 500."""
    async with serving(trained, "1.0.0", log=tmp_path / "log") as server:
        short = await ask(server.predict, {"pixels": [0.0] * 63})
        bright = await ask(server.predict, {"pixels": [0.0] * 63 + [17.0]})
        async with aiohttp.ClientSession() as session, session.post(server.predict, data=b"?") as response:
            garbage = response.status
    assert (short[0], bright[0], garbage) == (400, 400, 400)
    assert "pixels" in short[1]["error"]
    assert "pixels.63" in bright[1]["error"]


async def test_ready_only_with_a_model(trained: Path) -> None:
    """Alive at once; ready only from when a model is there until it stops, and then callers are sent away."""
    service = Service(model="digits", version="1.0.0")
    async with TestClient(TestServer(service.app())) as client:

        async def statuses() -> tuple[int, int]:
            return (await client.get("/healthz")).status, (await client.get("/readyz")).status

        assert await statuses() == (200, 503)
        assert (await client.post("/predict", json={"pixels": [0.0] * 64})).status == 503
        content = (trained / "artifacts" / "digits-1.0.0.json").read_bytes()
        service.reader = Reader(Artifact.model_validate_json(content))
        assert await statuses() == (200, 200)
        service.draining = True
        assert await statuses() == (200, 503)
        assert (await client.get("/healthz")).headers["Connection"] == "close"


async def test_2_0_0_fails_on_exactly_the_rows_it_cannot_prepare(trained: Path, tmp_path: Path) -> None:
    """Sent every held-out row once, the client, the server's metrics and the model agree on the errors."""
    rows = dataset.load().held_out
    content = (trained / "artifacts" / "digits-2.0.0.json").read_bytes()
    expected = round(measure(Artifact.model_validate_json(content), rows)["failing"] * len(rows))
    async with serving(trained, "2.0.0", log=tmp_path / "log") as server:
        traffic = Traffic(url=server.predict, rps=300, max_requests=len(rows))
        await traffic.start()
        counts = await traffic.finished()
        text = await page(server.url)
    assert counts.version("2.0.0").requests == len(rows)
    assert counts.version("2.0.0").errors == expected
    assert sample(text, "model_requests_total", code="500") == expected


async def test_2_1_0_takes_over_half_a_second_where_it_asks(trained: Path, tmp_path: Path) -> None:
    """The first 60 rows are slow exactly where the model is unsure, for client and metrics alike."""
    rows = dataset.load().held_out
    content = (trained / "artifacts" / "digits-2.1.0.json").read_bytes()
    reader = Reader(Artifact.model_validate_json(content))
    unsure = sum(reader.needs_second_reader(reader.predict(row.tolist())) for row in rows.pixels[:60])
    async with serving(trained, "2.1.0", log=tmp_path / "log") as server:
        traffic = Traffic(url=server.predict, rps=30, max_requests=60)
        await traffic.start()
        counts = await traffic.finished()
        text = await page(server.url)
    quick = sample(text, "model_request_duration_seconds_bucket", le="0.5")
    assert unsure >= 0.3 * 60
    assert (counts.total.requests, counts.total.errors, counts.total.slow) == (60, 0, unsure)
    assert quick == 60 - unsure


async def test_stopping_fails_no_request(trained: Path, tmp_path: Path) -> None:
    """After SIGTERM it accepts for a while, finishes what is in flight, and exits with 0."""
    async with serving(trained, "2.1.0", log=tmp_path / "log") as server:
        traffic = Traffic(url=server.predict, rps=40)
        await traffic.start()
        await asyncio.sleep(1.0)
        told_at = time.time()
        server.process.terminate()
        await asyncio.sleep(0.35)
        await traffic.stop()
        async with asyncio.timeout(10):
            code = await server.process.wait()
    after = traffic.answers(since=told_at)
    assert traffic.failed() == []
    assert len(after) >= 5
    assert any(answer.slow for answer in after)
    assert code == 0


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MODEL_DIGEST", "sha256:" + "0" * 64, "was registered: the file was changed after registration"),
        ("MODEL_DIGEST", "", "MODEL_DIGEST"),
        ("MODEL_URI", "file:///none.json", "file:///none.json cannot be read"),
        ("MODEL_VERSION", "9.9.9", "say digits 9.9.9"),
        ("PORT", "many", "PORT"),
    ],
)
def test_what_cannot_be_served_ends_the_process(
    trained: Path, variable: str, value: str, message: str
) -> None:
    """A wrong digest, artifact or setting exits with 1 and one line that says which."""
    env = environment(**injected(trained, "1.0.0"), PORT="0") | {variable: value}
    command = [sys.executable, "-m", "digits.server"]
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)
    last = done.stderr.splitlines()[-1]
    assert (done.returncode, last.startswith("error: ")) == (1, True)
    assert message in last
    assert "Traceback" not in done.stderr
