"""/healthz, /readyz, /metrics and /api/evidence. An answer at all proves that the event loop is alive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from modelramp.controller.live import StandbyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from modelramp.controller.store import Key

_SHUTDOWN_TIMEOUT = 1.0


class Server:
    """The HTTP server; use it as an async context manager.

    Args:
        address: what to listen on.
        port: its port; 0 takes a free one (see `port`).
        broken: what keeps the process from doing its work for good (then it should be restarted), or None.
        waiting: what the process still waits for before it does its work, or None.
        exposition: all metrics in Prometheus' text format.
        evidence: what is counted and judged of a ModelDeployment now; None: it is not known. It raises
            `StandbyError` where nothing is counted.
    """

    def __init__(
        self,
        *,
        address: str,
        port: int,
        broken: Callable[[], str | None],
        waiting: Callable[[], str | None],
        exposition: Callable[[], bytes],
        evidence: Callable[[Key], dict[str, Any] | None],
    ) -> None:
        self._address = address
        self._port = port
        self._exposition = exposition
        self._evidence = evidence
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", _probe(broken)),
                web.get("/readyz", _probe(lambda: broken() or waiting())),
                web.get("/metrics", self._metrics),
                web.get("/api/evidence/{namespace}/{name}", self._judged),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Listens.

        Raises:
            OSError: the address is not ours, or the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, self._address, self._port).start()

    async def stop(self) -> None:
        """Closes the port and all connections; more than once is fine."""
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _judged(self, request: web.Request) -> web.Response:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        try:
            found = self._evidence((namespace, name))
        except StandbyError as error:
            return web.json_response({"message": str(error)}, status=503)
        if found is None:
            message = f"the operator knows no ModelDeployment {namespace}/{name}"
            return web.json_response({"message": message}, status=404)
        return web.json_response(found)


def _probe(problem: Callable[[], str | None]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        found = problem()
        return web.Response(text=f"{found or 'ok'}\n", status=503 if found else 200)

    return answer
