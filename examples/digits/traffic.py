"""Sends real rows of the data set at a steady rate, and counts what came back from which revision.

    python -m digits.traffic --url http://127.0.0.1:8080/predict --host digits.example.com --rps 20 --for 60

It counts for itself, without the proxy's or the server's metrics, so that theirs can be checked against it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from digits import dataset, target
from digits.counts import Answer, Count, Tally, count, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATS_SECONDS = 0.5
_RECENT_SECONDS = 10.0
# A client that fell behind goes on at its rate, and does not make up for it in a burst.
_FORGIVEN_SECONDS = 1.0


def bodies(*, labels: bool) -> list[bytes]:
    """A request body for each row that no model was trained on, with its true label if wanted."""
    rows = dataset.load().held_out
    pairs = zip(rows.pixels.tolist(), rows.labels.tolist(), strict=True)
    return [
        json.dumps({"pixels": pixels, "label": label} if labels else {"pixels": pixels}).encode()
        for pixels, label in pairs
    ]


class Traffic:
    """A client with a steady rate, bounded in time and number of requests.

    Args:
        url: where to POST; an address on loopback, or within `allowed`.
        host: the Host header, which is what a gateway routes by; the URL's by default.
        rps: requests a second.
        seconds: stop sending after so long.
        max_requests: stop sending after so many.
        labels: send the true digit along, so that the server counts outcomes.
        allowed: networks that requests may go to.
        stats: a file that holds the counts as JSON, renewed each 0.5 s.
        timeout: seconds until a request without an answer has failed.
        connections: at most so many requests at once.

    Raises:
        TargetError: the URL leads somewhere else.
    """

    def __init__(
        self,
        *,
        url: str,
        host: str | None = None,
        rps: float = 20.0,
        seconds: float = 600.0,
        max_requests: int = 100_000,
        labels: bool = False,
        allowed: Iterable[target.Network] = (target.LOOPBACK,),
        stats: Path | None = None,
        timeout: float = 5.0,
        connections: int = 64,
    ) -> None:
        if rps <= 0:
            raise ValueError(f"rps is {rps}: a rate is over 0 requests a second")
        self._url = target.check(url, allowed=allowed)
        self._headers = {"Content-Type": "application/json"} | ({"Host": host} if host else {})
        self._rps = rps
        self._seconds = seconds
        self._max_requests = max_requests
        self._labels = labels
        self._stats = stats
        self._timeout = timeout
        self._places = asyncio.Semaphore(connections)
        self._connections = connections
        self._started_at = 0.0
        self._answers: list[Answer] = []
        self._counts: dict[tuple[str, str], Count] = {}
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to send, in the background."""
        if self._running:
            raise RuntimeError("this client was started before; make another")
        rows = itertools.cycle(await asyncio.to_thread(bodies, labels=self._labels))
        self._started_at = time.time()
        self._running = asyncio.create_task(self._run(rows))

    async def stop(self) -> Tally:
        """Send no more, wait for the answers that are due, and count."""
        self.end()
        return await self.finished()

    def end(self) -> None:
        """Send no more; callable from a signal handler."""
        self._stop.set()

    async def finished(self) -> Tally:
        """Wait until the time or the number of requests is used up, and count."""
        if self._running:
            await self._running
        return self.snapshot()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def snapshot(self) -> Tally:
        """The counts so far."""
        return Tally(by_revision=dict(self._counts))

    def answers(self, *, since: float = 0.0) -> list[Answer]:
        """Every answer so far to a request that was sent at or after `since`, Unix time."""
        return [answer for answer in self._answers if answer.sent_at >= since]

    def failed(self, *, since: float = 0.0) -> list[Answer]:
        """Requests sent at or after `since`, Unix time, that met a 5xx or no response."""
        return [answer for answer in self.answers(since=since) if answer.failed]

    def to_dict(self) -> dict[str, Any]:
        """The counts since the start and over the last 10 s, for JSON."""
        now = time.time()
        return {
            "at": now,
            "startedAt": self._started_at,
            "rps": self._rps,
            **self.snapshot().to_dict(),
            "recent": {"seconds": _RECENT_SECONDS}
            | tally(self.answers(since=now - _RECENT_SECONDS)).to_dict(),
        }

    async def _run(self, rows: Iterator[bytes]) -> None:
        writer = asyncio.create_task(self._write_stats())
        try:
            connector = aiohttp.TCPConnector(limit=self._connections)
            timeout = aiohttp.ClientTimeout(total=self._timeout)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                asyncio.TaskGroup() as requests,
            ):
                await self._send_all(rows, session=session, requests=requests)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            if self._stats:
                await asyncio.to_thread(self._replace_stats, self._stats)

    async def _send_all(
        self, rows: Iterator[bytes], *, session: aiohttp.ClientSession, requests: asyncio.TaskGroup
    ) -> None:
        clock = asyncio.get_running_loop().time
        due = clock()
        end = due + self._seconds
        for _ in range(self._max_requests):
            await self._places.acquire()
            if await self._stopped(until=min(due, end)) or clock() >= end:
                self._places.release()
                return
            requests.create_task(self._send(session, next(rows)))
            due = max(due + 1 / self._rps, clock() - _FORGIVEN_SECONDS)

    async def _stopped(self, *, until: float) -> bool:
        """Sleep until the loop's clock shows `until`, or less if told to stop."""
        try:
            async with asyncio.timeout_at(until):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, session: aiohttp.ClientSession, body: bytes) -> None:
        sent_at, started = time.time(), time.perf_counter()
        status, version, revision, problem = None, "", "", ""
        try:
            # A redirect could lead off this machine, so none is followed.
            async with session.post(
                self._url, data=body, headers=self._headers, allow_redirects=False
            ) as response:
                await response.read()
                status = response.status
                version = response.headers.get("x-model-version", "")
                revision = response.headers.get("x-model-revision", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{type(error).__name__}: {error}"
        finally:
            self._places.release()
        answer = Answer(
            sent_at=sent_at,
            seconds=time.perf_counter() - started,
            status=status,
            version=version,
            revision=revision,
            error=problem,
        )
        self._answers.append(answer)
        count(answer, into=self._counts)

    async def _write_stats(self) -> None:
        while self._stats:
            await asyncio.to_thread(self._replace_stats, self._stats)
            await asyncio.sleep(_STATS_SECONDS)

    def _replace_stats(self, path: Path) -> None:
        # A reader sees the old file or the new one, never half of one.
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)


def table(counts: Tally) -> str:
    """The counts as lines for people."""
    lines = [f"{'revision':<32} {'requests':>8} {'share':>7} {'errors':>7} {'> 500 ms':>8} {'refused':>7}"]
    for row in counts.to_dict()["revisions"]:
        name = row["revision"] or row["version"] or "(unnamed)"
        lines.append(
            f"{name:<32} {row['requests']:>8} {row['share']:>7.1%} {row['errors']:>7} {row['slow']:>8}"
            f" {row['refused']:>7}"
        )
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m digits.traffic", description="Send real rows, count answers."
    )
    parser.add_argument("--url", required=True, help="http://ADDRESS:PORT/predict")
    parser.add_argument("--host", help="Host header, for example digits.example.com")
    parser.add_argument("--rps", type=float, default=20.0, help="requests a second (default: 20)")
    parser.add_argument("--for", dest="seconds", type=float, default=60.0, help="seconds (default: 60)")
    parser.add_argument("--count", type=int, default=100_000, help="requests at most (default: 100000)")
    parser.add_argument("--labels", action="store_true", help="send the true digit along")
    parser.add_argument("--stats", type=Path, help="keep the counts in this JSON file")
    parser.add_argument("--pod-network", help="also allow this network, inside a cluster's namespace only")
    return parser.parse_args()


async def _command(arguments: argparse.Namespace) -> Tally:
    pods = [target.pod_network(arguments.pod_network)] if arguments.pod_network else []
    traffic = Traffic(
        url=arguments.url,
        host=arguments.host,
        rps=arguments.rps,
        seconds=arguments.seconds,
        max_requests=arguments.count,
        labels=arguments.labels,
        allowed=[target.LOOPBACK, *pods],
        stats=arguments.stats,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, traffic.end)
    await traffic.start()
    return await traffic.finished()


def main() -> int:
    """Send, then print the counts; 2 for wrong usage."""
    try:
        counts = asyncio.run(_command(_arguments()))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(table(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
