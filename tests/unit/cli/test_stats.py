"""The counts of a traffic client, from its own file to the share that a step was really given."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from modelramp.cli.failure import ExitCode, Failure
from modelramp.cli.stats import Counted, Tracker, read

if TYPE_CHECKING:
    from pathlib import Path


def counted(at: float, **requests: int) -> Counted:
    """The file at a moment, with so many requests by revision; a tenth of them errors."""
    rows: list[dict[str, Any]] = [
        {
            "version": "",
            "revision": name,
            "requests": n,
            "errors": n // 10,
            "slow": 0,
            "refused": 0,
            "share": 0,
        }
        for name, n in requests.items()
    ]
    recent = {"seconds": 10.0, "total": {}, "revisions": rows[:1]}
    return Counted.model_validate(
        {"at": at, "startedAt": 0.0, "rps": 20, "revisions": rows, "recent": recent}
    )


def test_counts_begin_again_with_new_weights() -> None:
    """What came before the weights changed is not part of the share that is shown for them."""
    tracker = Tracker()
    tracker.seen(counted(10, a=1000), scope="step 1")
    tracker.seen(counted(20, a=1900, b=100), scope="step 2")
    seen = tracker.seen(counted(30, a=2700, b=300), scope="step 2")
    assert seen is not None
    assert seen.requests == 1000
    assert seen.share("b") == 0.2
    assert seen.share("c") == 0.0
    assert seen.counts["b"].errors == 20
    assert seen.total["b"].requests == 300
    assert seen.seconds == 10


def test_weights_that_were_there_before_are_told_by_the_last_seconds() -> None:
    """Who looks in the middle of a step sees the client's last seconds, and that it is those."""
    seen = Tracker().seen(counted(10, a=1000, b=50), scope="step 1")
    assert seen is not None
    assert seen.period == "in the last 10 s"
    assert seen.seconds is None
    assert list(seen.counts) == ["a"]


def test_a_client_that_starts_again_does_not_count_backwards() -> None:
    """Its counts begin at 0; shares stay between 0 and 1."""
    tracker = Tracker()
    tracker.seen(counted(10, a=1000), scope="step 1")
    tracker.seen(counted(20, a=2000), scope="step 2")
    tracker.seen(counted(5, a=10), scope="step 2")
    seen = tracker.seen(counted(6, a=25, b=5), scope="step 2")
    assert seen is not None
    assert seen.counts["a"].requests == 15
    assert seen.share("b") == 0.25


def test_no_request_has_no_share() -> None:
    """Before the first answer at new weights nothing is claimed about them."""
    tracker = Tracker()
    tracker.seen(counted(10, a=1000), scope="step 1")
    seen = tracker.seen(counted(10, a=1000), scope="step 2")
    assert seen is not None
    assert seen.share("a") is None


def test_the_clients_own_file_can_be_read(tmp_path: Path) -> None:
    """The file that the example's client writes is understood, with what it counted."""
    from aiohttp import web  # noqa: PLC0415 - for this test alone

    from digits.traffic import Traffic  # noqa: PLC0415 - scikit-learn takes a while to load

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=503, headers={"x-model-version": "1", "x-model-revision": "1-abc"})

    async def send() -> None:
        app = web.Application()
        app.router.add_post("/predict", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        traffic = Traffic(
            url=f"http://127.0.0.1:{port}/predict", rps=100, max_requests=7, stats=tmp_path / "stats.json"
        )
        await traffic.start()
        await traffic.finished()
        await runner.cleanup()

    asyncio.run(send())
    found = read(tmp_path / "stats.json")
    assert found is not None
    assert found.total["1-abc"].requests == 7
    assert found.total["1-abc"].errors == 7


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """The client may start later than the watch."""
    assert read(tmp_path / "none.json") is None


@pytest.mark.parametrize("content", ["", "no json", json.dumps({"at": 1}), "[]"])
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """A wrong file is wrong usage; the message names it."""
    path = tmp_path / "other.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(Failure, match=r"other\.json is not the statistics of a traffic client") as caught:
        read(path)
    assert caught.value.code is ExitCode.USAGE
