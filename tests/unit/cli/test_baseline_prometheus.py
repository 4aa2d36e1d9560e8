"""`modelramp baseline` on a real Prometheus that scrapes a histogram of prometheus_client."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Histogram, start_http_server
from typer.testing import CliRunner

from devcluster import builds
from modelramp.cli import buckets
from modelramp.cli.failure import Failure
from modelramp.cli.main import app
from modelramp.judgement.histogram import Histogram as Bins
from modelramp.metrics.port import Series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

LIMIT_S = 30.0
SCORES = (0.1, 0.4, 0.4, 0.9, 1.7)


def _free() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _value(url: str, query: str) -> float:
    """An instant query's only value; -1 while there is none."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={query}", timeout=2) as answer:  # noqa: S310
            result = json.load(answer)["data"]["result"]
    except OSError:
        return -1.0
    return float(result[0]["value"][1]) if result else -1.0


def _wait(url: str, query: str, value: float) -> None:
    end = time.monotonic() + LIMIT_S
    while _value(url, query) != value:
        assert time.monotonic() < end, f"{query} is {_value(url, query)}, not {value}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prometheus that saw ten scores before and 500 after the moment from which it is asked."""
    builds.build(("metrics",), quiet=True)
    folder: Path = tmp_path_factory.mktemp("prometheus")
    registry = CollectorRegistry()
    histogram = Histogram("score", "Scores.", ["model"], buckets=(0.25, 0.5, 1.0), registry=registry)
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    port = _free()
    (folder / "prometheus.yaml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs: [{job_name: model, static_configs: "
        f"[{{targets: ['127.0.0.1:{server.server_address[1]}']}}]}}]\n"
    )
    process = subprocess.Popen(
        [
            builds.program("prometheus", "prometheus"),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(10):
            histogram.labels("fraud").observe(0.1)
            histogram.labels("other").observe(0.1)
        _wait(url, "sum(score_count)", 20)
        for score in SCORES * 100:
            histogram.labels("fraud").observe(score)
        # A range ends at a whole second, which may be before the latest scrape.
        _wait(url, "sum(score_count%20offset%201s)", 520)
        yield url
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
        thread.join()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["baseline", *arguments])


@pytest.mark.cluster
def test_increments_of_a_range_are_exact(prometheus: str) -> None:
    """What was counted since Prometheus first saw the series is frozen, on the edges of the histogram."""
    result = _run(
        "--prometheus", prometheus, "-m", 'prediction=score{model="fraud"}', "--from", "60s", "-o", "json"
    )
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["baseline"]["histograms"]
    assert found == {"name": "prediction", "le": [0.25, 0.5, 1.0], "counts": [100, 200, 100, 100]}


@pytest.mark.cluster
def test_given_edges_must_be_edges_of_the_histogram(prometheus: str) -> None:
    """Edges that it has make it coarser; others are refused, as nothing is known about them."""
    coarse = _run("--prometheus", prometheus, "-m", "score", "--from", "60s", "--edges", "0.5", "-o", "json")
    assert json.loads(coarse.stdout)["baseline"]["histograms"] == [
        {"name": "score", "le": [0.5], "counts": [300, 200]}
    ]
    other = _run("--prometheus", prometheus, "-m", "score", "--from", "60s", "--edges", "0.4")
    assert other.exit_code == 2
    assert "nothing is known about the edges [0.4]" in other.stderr


@pytest.mark.cluster
def test_nothing_there_is_an_error(prometheus: str) -> None:
    """A metric that is not there, or counted nothing in that time, is exit code 1, with what to check."""
    missing = _run("--prometheus", prometheus, "-m", "scores")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "has no series scores_bucket in this time" in missing.stderr
    still = _run("--prometheus", prometheus, "-m", 'score{model="other"}', "--from", "60s")
    assert still.exit_code == 1
    assert "counted nothing in this time" in still.stderr


def test_no_prometheus_is_exit_code_three() -> None:
    """Where nobody listens the address is named."""
    url = f"http://127.0.0.1:{_free()}"
    result = _run("--prometheus", url, "-m", "score")
    assert result.exit_code == 3
    assert url in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--prometheus needs --metric"),
        (["-m", "sum(score)"], "give the name of a histogram"),
        (["-m", "score", "--from", "yesterday"], "--from yesterday: give a time as"),
        (["-m", "score", "--from", "2026-01-02T00:00:00"], "--from 2026-01-02T00:00:00: give a time as"),
        (["-m", "score", "--from", "1h", "--to", "2h"], "--from 1h is not before --to 2h"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_asked(arguments: list[str], message: str) -> None:
    """Wrong options are exit code 2, although nobody listens at the address."""
    result = _run("--prometheus", "http://127.0.0.1:1", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


def _series(le: str | None, *points: tuple[int, float], pod: str = "a") -> Series:
    return Series({"pod": pod} | ({} if le is None else {"le": le}), points)


def test_restarts_and_new_pods_count_whole() -> None:
    """A counter that fell began again, and a pod that appears later began at zero."""
    inf = float("inf")
    seen = buckets.counted(
        [
            _series("1", (60, 5.0), (120, 7.0), (180, 1.0)),
            _series("+Inf", (60, 9.0), (120, 12.0), (180, 4.0)),
            _series("1", (120, 2.0), (180, 2.0), pod="b"),
            _series("+Inf", (120, 3.0), (180, inf), pod="b"),
        ],
        step=60,
    )
    assert seen == Bins((1.0,), (2 + 1 + 2, 1 + 3 + 1))


def test_series_without_le_are_refused() -> None:
    """What is not a classic histogram is an error, not an empty one."""
    with pytest.raises(ValueError, match="no label le"):
        buckets.counted([_series(None, (60, 1.0))], step=60)
    with pytest.raises(ValueError, match="Inf"):
        buckets.counted([_series("1", (60, 1.0))], step=60)


def test_queries_of_metrics() -> None:
    """The suffix is added where it is missing and the labels are kept; functions are refused."""
    assert buckets.query('score{model="a b"}') == 'score_bucket{model="a b"}'
    assert buckets.query("score_bucket") == "score_bucket"
    assert buckets.name_of("ns:score_bucket") == "ns:score"
    with pytest.raises(Failure, match="no functions"):
        buckets.query("rate(score[5m])")
