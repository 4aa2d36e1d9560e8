"""A proxy in front of the API server that sees each write of the operator, and can end the operator there.

It listens in the cluster's network namespace without TLS, passes the operator's token on, streams watches.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import yaml
from aiohttp import web

from devcluster import netns

if TYPE_CHECKING:
    from collections.abc import Callable

    from devcluster import Cluster

WRITING = ("POST", "PUT", "PATCH", "DELETE")
# Of one connection, not of the message; aiohttp sets its own.
_HOP = {"connection", "host", "keep-alive", "transfer-encoding", "content-length", "upgrade"}


class Side(StrEnum):
    """On which side of a write the operator ends."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Trap:
    """What is counted, and where the operator ends.

    Attributes:
        namespace: only writes to objects in it count; events do not.
        at: the write, from 1; 0: none.
        side: BEFORE: the API server never hears of it; AFTER: it is done, and the operator never hears of it.
        writes: what has been written, such as "PATCH modeldeployments/digits/status 200".
        sprung: whether the operator was ended.
    """

    namespace: str
    at: int = 0
    side: Side = Side.BEFORE
    writes: list[str] = field(default_factory=list)
    sprung: bool = False

    @property
    def passed(self) -> bool:
        """Whether the operator is not about to be ended: it was, or there was no such write so far."""
        return self.sprung or not self.at or len(self.writes) < self.at

    def counts(self, request: web.BaseRequest) -> bool:
        """Whether this request is one of the writes."""
        inside = f"/namespaces/{self.namespace}/" in request.path
        return inside and request.method in WRITING and not request.path.endswith("/events")


class ApiProxy:
    """Runs on an event loop of its own, beside the test.

    Args:
        cluster: whose API server it stands before.
        account: whose token the kubeconfig holds, as `namespace/name`.
        kill: ends the operator at once.
    """

    def __init__(self, cluster: Cluster, account: str, kill: Callable[[], None]) -> None:
        self._server = cluster.server
        self._kill = kill
        config: dict[str, Any] = yaml.safe_load(cluster.kubeconfig(service_account=account).read_text())
        authority = config["clusters"][0]["cluster"].pop("certificate-authority-data")
        self._trust = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
        with netns.inside(cluster.instance.namespace):
            self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        config["clusters"][0]["cluster"]["server"] = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.kubeconfig: str = yaml.safe_dump(config)
        self.trap = Trap(namespace="")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(ssl=self._trust, limit=0),
        )
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket).start()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        trap = self.trap
        if not trap.counts(request):
            return await self._pass_on(request)
        number = len(trap.writes) + 1
        what = f"{request.method} {request.path.partition(f'/namespaces/{trap.namespace}/')[2]}"
        trap.writes.append(what)
        if number == trap.at and trap.side is Side.BEFORE:
            return await self._spring(trap)
        body = await request.read()
        # Its end must not take back what the API server was told.
        status, headers, answer = await asyncio.shield(self._write(request, body))
        trap.writes[number - 1] = f"{what} {status}"
        if number == trap.at:
            return await self._spring(trap)
        return web.Response(status=status, headers=headers, body=answer)

    async def _spring(self, trap: Trap) -> web.Response:
        # With the operator its connection ends, and with that what is done for it.
        await asyncio.shield(self._end_operator(trap))
        # Nobody is there to read it.
        return web.Response(status=502)

    async def _end_operator(self, trap: Trap) -> None:
        await asyncio.to_thread(self._kill)
        trap.sprung = True

    async def _write(self, request: web.BaseRequest, body: bytes) -> tuple[int, dict[str, str], bytes]:
        async with self._forward(request, body) as answer:
            return answer.status, _kept(answer.headers), await answer.read()

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        async with self._forward(request, await request.read()) as answer:
            told = web.StreamResponse(status=answer.status, headers=_kept(answer.headers))
            # The operator may be gone by now.
            with suppress(ConnectionError):
                await told.prepare(request)
                async for chunk in answer.content.iter_any():
                    await told.write(chunk)
                await told.write_eof()
            return told

    def _forward(self, request: web.BaseRequest, body: bytes) -> Any:  # noqa: ANN401 - aiohttp's own
        return self._session.request(
            request.method,
            f"{self._server}{request.raw_path}",
            headers=_kept(request.headers),
            data=body or None,
            allow_redirects=False,
        )


def _kept(headers: Any) -> dict[str, str]:  # noqa: ANN401 - aiohttp's multidict
    return {name: value for name, value in headers.items() if name.lower() not in _HOP}
