"""Log lines: one JSON object each, whoever writes them, and without credentials."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from modelramp.controller.telemetry import MeteredSource, Telemetry, set_up_logging
from modelramp.metrics.port import Series, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Puts the process's logging back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_libraries_are_json_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, logger and event; the keys of a pass go into every line of it."""
    set_up_logging("info", "json")
    with structlog.contextvars.bound_contextvars(namespace="ml", deployment="fraud"):
        structlog.get_logger("ours").info("step", version="1.1.0", step="2/4")
        logging.getLogger("kopf").warning("theirs %s", 1)
    structlog.get_logger("ours").debug("too much")
    ours, theirs = lines(capsys)
    assert ours | {"timestamp": ""} == {
        "event": "step",
        "level": "info",
        "logger": "ours",
        "namespace": "ml",
        "deployment": "fraud",
        "version": "1.1.0",
        "step": "2/4",
        "timestamp": "",
    }
    assert (theirs["event"], theirs["deployment"], theirs["level"]) == ("theirs 1", "fraud", "warning")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variables(form: Any, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ANN401
    """Locals hold tokens: the error and its place are logged, the values around it are not."""
    set_up_logging("info", form)

    def fail(hidden: str) -> None:
        raise ValueError(f"failed after {len(hidden)} characters")

    hidden = chr(66) + "earer eyJ"
    try:
        fail(hidden)
    except ValueError:
        structlog.get_logger("ours").exception("pass failed")
    told = capsys.readouterr().err
    assert "failed after 10 characters" in told
    assert "test_telemetry.py" in told
    assert hidden not in told


class Provider:
    """A metrics provider that answers, or fails."""

    def __init__(self, error: SourceError | None = None) -> None:
        self._error = error

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """One series."""
        assert (query, start, step) == ("up", 90, 10)
        if self._error:
            raise self._error
        return [Series({}, [(end, 1.0)])]


async def test_the_lag_of_a_look_is_measured() -> None:
    """From when the counters were complete (end of the range and the delay) to the answer."""
    telemetry = Telemetry()
    clock = lambda: datetime.fromtimestamp(102.5, tz=UTC)  # noqa: E731
    source = MeteredSource(Provider(), telemetry=telemetry, clock=clock, delay=2.0)
    (found,) = await source.read("up", start=90, end=100, step=10)
    assert found.points == [(100, 1.0)]
    told = telemetry.exposition().decode()
    assert "modelramp_look_lag_seconds_sum 0.5" in told


async def test_a_provider_that_fails_is_counted_and_fails() -> None:
    """The error goes on to whoever asked, and into the metrics."""
    telemetry = Telemetry()
    provider = Provider(SourceError("connection refused"))
    source = MeteredSource(provider, telemetry=telemetry, clock=lambda: datetime.now(UTC), delay=0.0)
    with pytest.raises(SourceError):
        await source.read("up", start=90, end=100, step=10)
    assert (
        'modelramp_errors_total{error="SourceError",place="metrics"} 1.0' in telemetry.exposition().decode()
    )
