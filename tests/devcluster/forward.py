"""Port forward from the host's loopback into an instance's namespace.

The bring-up makes the listening sockets on the host and starts this process inside the namespace with them. A
socket stays where it was made: clients come in on the host, connections go out inside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket

_CHUNK = 65536


def listen() -> socket.socket:
    """A listening socket on a free port of the current namespace's loopback."""
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    server.set_inheritable(True)
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
    """`python -m devcluster.forward DESCRIPTOR=ADDRESS:PORT …`."""
    parser = argparse.ArgumentParser(prog="devcluster.forward", description=__doc__)
    parser.add_argument("routes", nargs="+", metavar="DESCRIPTOR=ADDRESS:PORT")
    routes = []
    for route in parser.parse_args().routes:
        descriptor, _, target = route.partition("=")
        host, _, port = target.rpartition(":")
        routes.append((socket.socket(fileno=int(descriptor)), host, int(port)))
    asyncio.run(_run(routes))


if __name__ == "__main__":
    main()
