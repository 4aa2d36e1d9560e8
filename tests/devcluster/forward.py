"""Port forward from the host's loopback into an instance's namespace.

The listening sockets are made on the host, then the process moves into the namespace for good: a socket stays
where it was made, so clients come in on the host and connections go out inside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket

from devcluster import netns

_CHUNK = 65536


def free_port() -> int:
    """A port of the host's loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback of the current namespace."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", port))
    server.listen(128)
    server.settimeout(0)
    return server


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end of the stream, then pass the end on."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


async def _serve(server: socket.socket, host: str, port: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            far_reader, far_writer = await asyncio.open_connection(host, port)
            with contextlib.closing(far_writer):
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    listener = await asyncio.start_server(connected, sock=server)
    await listener.serve_forever()


async def _run(routes: list[tuple[socket.socket, str, int]]) -> None:
    await asyncio.gather(*(_serve(server, host, port) for server, host, port in routes))


def main() -> None:
    """`python -m devcluster.forward NAMESPACE LOCAL=ADDRESS:PORT …`."""
    parser = argparse.ArgumentParser(prog="devcluster.forward", description=__doc__)
    parser.add_argument("namespace")
    parser.add_argument("routes", nargs="+", metavar="LOCAL=ADDRESS:PORT")
    arguments = parser.parse_args()
    routes = []
    for route in arguments.routes:
        local, _, target = route.partition("=")
        host, _, port = target.rpartition(":")
        routes.append((listen(int(local)), host, int(port)))
    netns.enter(arguments.namespace)
    asyncio.run(_run(routes))


if __name__ == "__main__":
    main()
