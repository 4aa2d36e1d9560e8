"""The process: starts, loads, warms up, serves, and stops without failing a request."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from aiohttp import web

from digits.server import artifact, settings
from digits.server.app import Service
from digits.server.reader import PIXELS, Reader

# Proxies learn of a stopping pod a little after it does; until then they go on sending.
KEEP_ACCEPTING_SECONDS = 0.5
FINISH_SECONDS = 20.0

_log = logging.getLogger("digits.server")


async def _load(config: settings.Settings) -> Reader:
    """The model of this environment, after one prediction: the first is the slowest."""
    loaded = await asyncio.to_thread(
        artifact.load,
        uri=config.model_uri,
        digest=config.model_digest,
        model=config.model_name,
        version=config.model_version,
    )
    reader = Reader(loaded)
    await reader.answer((0.0,) * PIXELS)
    return reader


async def serve(config: settings.Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    Raises:
        ArtifactError: the artifact is not the one that was registered.
        OSError: the address cannot be listened on.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    service = Service(model=config.model_name, version=config.model_version)
    runner = web.AppRunner(service.app(), access_log=None, shutdown_timeout=FINISH_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.host, config.port).start()
        host, port = runner.addresses[0][:2]
        _log.info("listening on http://%s:%d", host, port)
        service.reader = await _load(config)
        _log.info("ready: %s %s (%s)", config.model_name, config.model_version, config.model_digest)
        await stop.wait()
        service.draining = True
        await asyncio.sleep(KEEP_ACCEPTING_SECONDS)
    finally:
        await runner.cleanup()
    _log.info("stopped")


def main() -> int:
    """Run the server; 1 if it cannot serve what it was told to."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        asyncio.run(serve(settings.read()))
    except (settings.SettingsError, artifact.ArtifactError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
