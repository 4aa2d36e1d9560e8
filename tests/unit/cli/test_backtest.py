"""`modelramp backtest` against an HTTP server that answers as Prometheus does."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner

from modelramp.cli.main import app
from modelramp.metrics.service import ServiceRef
from support.counterstore import CounterStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ORIGIN = int(START.timestamp())
NEW, OLD = ServiceRef("shop", "fraud-2", 80), ServiceRef("shop", "fraud-1", 80)
POLICY = "interval: 10s\nmetrics:\n- {name: error-rate, limit: 0.05, criticalLimit: 0.1}\n"


def _store() -> CounterStore:
    """Half of the candidate's requests fail from the tenth minute on."""
    store, times = CounterStore(origin=ORIGIN), range(-1000, 1201, 10)
    bad = {at: max(0, at - 600) for at in times}
    store.add(NEW, {at: 9000.0 + 2 * at - bad[at] for at in times})
    store.add(NEW, {at: 100.0 + bad[at] for at in times}, response_code_class="5xx")
    store.add(OLD, {at: 90_000.0 + 8 * at for at in times})
    return store


@contextmanager
def _prometheus(store: CounterStore) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            start, end, step = (round(float(asked[name][0])) for name in ("start", "end", "step"))
            result = [
                {"metric": one.labels, "values": [[at, str(value)] for at, value in one.points]}
                for one in store.answer(asked["query"][0], start=start, end=end, step=step)
            ]
            body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _run(folder: Path, url: str, *options: str) -> Any:  # noqa: ANN401 - click's result
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    times = ("--from", "2026-01-01T12:00:00Z", "--to", "2026-01-01T12:20:00Z")
    arms = ("--candidate", "shop/fraud-2:80", "--stable", "shop/fraud-1:80")
    given = ("--policy", str(policy), "--prometheus-url", url)
    return CliRunner().invoke(app, ["backtest", *arms, *times, *given, *options], env={"COLUMNS": "200"})


def test_people_see_when_it_would_have_been_taken_back(tmp_path: Path) -> None:
    """The changes of the verdict, the end of it, and a picture."""
    with _prometheus(_store()) as url:
        found = _run(tmp_path, url, "--svg", str(tmp_path / "picture.svg"))
    assert found.exit_code == 0, found.output
    assert "it would have been taken back at 2026-01-01 12:10:" in found.stdout
    assert "Pass" in found.stdout
    assert (tmp_path / "picture.svg").read_text().startswith("<svg")


def test_programs_see_every_look(tmp_path: Path) -> None:
    """120 looks of 20 minutes; A/A counts the failing verdicts."""
    with _prometheus(_store()) as url:
        told = json.loads(_run(tmp_path, url, "-o", "json", "--aa").stdout)
    assert len(told["looks"]) == 120
    assert told["looks"][0]["verdict"] == "Inconclusive"
    assert told["proved"] is not None
    assert told["falseAlarms"]["count"] == len(told["failed"]) > 1


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    """A provider that is not there, a time that is none, a Service that is none: exit code and sentence."""
    down = _run(tmp_path, "http://127.0.0.1:1")
    assert (down.exit_code, "cannot be reached" in down.stderr) == (3, True)
    for wrong in (("--from", "yesterday"), ("--candidate", "fraud"), ("--to", "2025-01-01T00:00:00Z")):
        found = _run(tmp_path, "http://127.0.0.1:1", *wrong)
        assert found.exit_code == 2, wrong


@pytest.mark.parametrize("content", ["metrics: 5", "[", ""])
def test_a_wrong_policy_is_wrong_usage(tmp_path: Path, content: str) -> None:
    """The file is named."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(content)
    found = _run(tmp_path, "http://127.0.0.1:1", "--policy", str(bad))
    assert found.exit_code == 2
    assert "bad.yaml" in found.stderr
