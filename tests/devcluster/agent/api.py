"""The agent's client of the API server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_log = logging.getLogger(__name__)
_GONE = 410
_NOT_FOUND = 404
_REFUSED = 400


class ApiError(Exception):
    """The API server refused; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """One session; made inside a running loop."""

    def __init__(self, server: str, *, authority: Path, certificate: Path, key: Path) -> None:
        tls = ssl.create_default_context(cafile=str(authority))
        tls.load_cert_chain(certificate, key)
        self._session = aiohttp.ClientSession(
            server,
            connector=aiohttp.TCPConnector(ssl=tls, limit=64),
            timeout=aiohttp.ClientTimeout(total=30),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def call(
        self, method: str, path: str, body: object = None, *, content: str = "application/json"
    ) -> dict[str, Any]:
        """The decoded answer.

        Raises:
            ApiError: refused.
            aiohttp.ClientError: no answer.
        """
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, path, data=data, headers={"Content-Type": content}
        ) as answer:
            text = await answer.text()
            if answer.status >= _REFUSED:
                raise ApiError(answer.status, f"{method} {path}: {answer.status} {text[:300]}")
            result: dict[str, Any] = json.loads(text)
            return result

    async def find(self, path: str) -> dict[str, Any] | None:
        """GET, or None when there is no such object."""
        try:
            return await self.call("GET", path)
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def watch(self, path: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Events of a collection for ever: ("LIST", all of it) at each (re)start, then single changes."""
        version = ""
        while True:
            try:
                if not version:
                    listing = await self.call("GET", path)
                    version = listing["metadata"]["resourceVersion"]
                    yield "LIST", listing
                async for event in self._events(path, version):
                    if event["type"] == "ERROR":
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
            except ApiError as error:
                version = "" if error.code == _GONE else version
                _log.warning("watch of %s: %s", path, error)
                await asyncio.sleep(0.5)
            except (aiohttp.ClientError, TimeoutError) as error:
                _log.warning("watch of %s: %r", path, error)
                await asyncio.sleep(0.5)

    async def _events(self, path: str, version: str) -> AsyncIterator[dict[str, Any]]:
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
        async with self._session.get(path, params=query, timeout=timeout) as answer:
            if answer.status >= _REFUSED:
                raise ApiError(answer.status, await answer.text())
            buffer = b""
            # A pod with a long command line exceeds the line limit of the stream reader.
            async for chunk in answer.content.iter_any():
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    yield json.loads(line)

    async def event(
        self, pod: dict[str, Any], reason: str, message: str, *, now: str, warning: bool = False
    ) -> None:
        """Tell about a pod; a refusal is of no consequence."""
        metadata = pod["metadata"]
        involved = {"kind": "Pod", "apiVersion": "v1"} | {
            k: metadata[k] for k in ("name", "namespace", "uid")
        }
        node = pod["spec"].get("nodeName", "")
        body = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "type": "Warning" if warning else "Normal",
            "source": {"component": "kubelet", "host": node},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        with contextlib.suppress(ApiError, aiohttp.ClientError, TimeoutError):
            await self.call("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", body)
