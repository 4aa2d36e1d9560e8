"""Asking a container whether it started, is alive, is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import aiohttp

from devcluster.agent import spec
from devcluster.agent.process import Process, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_OUTPUT = 500


@dataclass(frozen=True, slots=True)
class Verdict:
    """A threshold was reached; `text` says what was wrong with the last answer."""

    good: bool
    text: str


Report: TypeAlias = "Callable[[Verdict], None]"


class Prober:
    """Runs the probes of one container.

    Args:
        container: its part of the pod's spec.
        address: of the pod.
        run: starts a command in the container's surroundings, with its output in a file of its own.
        scratch: that file.
    """

    def __init__(
        self,
        container: Mapping[str, Any],
        *,
        address: str,
        run: Callable[[list[str]], Process],
        scratch: Path,
    ) -> None:
        self._container = container
        self._address = address
        self._run = run
        self._scratch = scratch

    async def ask(self, probe: Mapping[str, Any]) -> tuple[bool, str]:
        """One answer and what was wrong with it."""
        timeout = float(probe.get("timeoutSeconds", 1))
        try:
            async with asyncio.timeout(timeout):
                if "httpGet" in probe:
                    return await self._http(probe["httpGet"])
                if "tcpSocket" in probe:
                    return await self._tcp(probe["tcpSocket"])
                if "exec" in probe:
                    return await self._exec(probe["exec"]["command"])
        except TimeoutError:
            return False, f"no answer in {timeout:g} s"
        except (aiohttp.ClientError, OSError, StartError, spec.ConfigError) as error:
            return False, str(error) or repr(error)
        return False, "the node agent knows the probes httpGet, tcpSocket and exec only"

    async def _http(self, action: Mapping[str, Any]) -> tuple[bool, str]:
        port = spec.port_number(self._container, action["port"])
        scheme = action.get("scheme", "HTTP").lower()
        url = f"{scheme}://{action.get('host') or self._address}:{port}{action.get('path') or '/'}"
        headers = {"User-Agent": "kube-probe/1.36"}
        headers |= {header["name"]: header["value"] for header in action.get("httpHeaders", [])}
        connector = aiohttp.TCPConnector(force_close=True, ssl=False)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            good = 200 <= answer.status < 400
            return good, "" if good else f"HTTP probe failed with statuscode: {answer.status}"

    async def _tcp(self, action: Mapping[str, Any]) -> tuple[bool, str]:
        port = spec.port_number(self._container, action["port"])
        _, writer = await asyncio.open_connection(action.get("host") or self._address, port)
        writer.close()
        return True, ""

    async def _exec(self, command: list[str]) -> tuple[bool, str]:
        self._scratch.unlink(missing_ok=True)
        process = self._run(command)
        try:
            code = await asyncio.shield(process.ended)
        except asyncio.CancelledError:
            await process.stop(grace=0)
            raise
        return code == 0, self._scratch.read_text(errors="replace")[:_OUTPUT]


async def follow(
    prober: Prober,
    probe: Mapping[str, Any],
    report: Report,
    *,
    eager: bool,
) -> None:
    """Probe for ever and report each time a threshold is reached.

    Args:
        prober: who asks.
        probe: its settings, with Kubernetes' defaults for what is absent.
        report: gets the verdicts.
        eager: ask ten times a second until the first good answer.
    """
    await asyncio.sleep(float(probe.get("initialDelaySeconds", 0)))
    period = float(probe.get("periodSeconds", 10))
    threshold = spec.Threshold(int(probe.get("successThreshold", 1)), int(probe.get("failureThreshold", 3)))
    passed = False
    while True:
        ok, text = await prober.ask(probe)
        verdict = threshold.observe(ok=ok)
        if verdict is not None:
            report(Verdict(verdict, text))
        passed = passed or ok
        await asyncio.sleep(period if passed or not eager else min(period, 0.1))
