"""Container logs for `kubectl logs`, served as a kubelet serves them to the API server."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

from aiohttp import web

from devcluster import netns, parts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from devcluster.agent.container import Container
    from devcluster.agent.settings import Settings

_CHUNK = 65536


def tail_offset(path: Path, lines: int) -> int:
    """Where the last `lines` lines of the file begin."""
    if lines <= 0:
        return path.stat().st_size
    data = path.read_bytes()
    position = len(data) - (1 if data.endswith(b"\n") else 0)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1


async def serve(settings: Settings, find: Callable[[str, str, str], Container | None]) -> web.AppRunner:
    """Listen on the kubelet's port; only the API server's client certificate is let in."""

    async def answer(request: web.Request) -> web.StreamResponse:
        names = request.match_info
        container = find(names["namespace"], names["pod"], names["container"])
        query = request.query
        if container is None:
            return web.Response(status=404, text="no such container on this node\n")
        path = container.log(previous=query.get("previous") == "true")
        if not path.exists():
            return web.Response(status=400, text=f"container {names['container']!r} has no log yet\n")
        return await _stream(request, container, path)

    app = web.Application()
    app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(settings.authority))
    pki = settings.folder / "pki"
    tls.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    await web.TCPSite(runner, netns.NODE_ADDRESS, parts.KUBELET_PORT, ssl_context=tls).start()
    return runner


async def _stream(request: web.Request, container: Container, path: Path) -> web.StreamResponse:
    follow = request.query.get("follow") == "true"
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    lines = request.query.get("tailLines")
    with path.open("rb") as log:
        log.seek(0 if lines is None else tail_offset(path, int(lines)))
        while True:
            data = log.read(_CHUNK)
            if data:
                await response.write(data)
            elif not follow or container.log() != path or not container.running:
                break
            else:
                await asyncio.sleep(0.1)
    await response.write_eof()
    return response
