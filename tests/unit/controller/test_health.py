"""The HTTP server over real sockets: liveness, readiness, metrics."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from modelramp.controller.health import Server
from modelramp.controller.live import StandbyError
from modelramp.controller.store import Store
from modelramp.controller.telemetry import Telemetry
from modelramp.kube.kinds import MODEL_DEPLOYMENT, WATCHED


class Process:
    """A process whose state a test sets."""

    broken: str | None = None
    waiting: str | None = None
    counted: dict[str, Any] | None = None
    leads = True

    def evidence(self, key: tuple[str, str]) -> dict[str, Any] | None:
        """What it has counted of ml/fraud."""
        if not self.leads:
            raise StandbyError
        return self.counted if key == ("ml", "fraud") else None


async def get(server: Server, path: str) -> tuple[int, str]:
    """Status and text of one request."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


def serve(process: Process, telemetry: Telemetry) -> Server:
    """A server on a free port of the loopback address."""
    return Server(
        address="127.0.0.1",
        port=0,
        broken=lambda: process.broken,
        waiting=lambda: process.waiting,
        exposition=telemetry.exposition,
        evidence=process.evidence,
    )


async def test_readiness_waits_and_liveness_does_not() -> None:
    """While lists come in the process is alive but not ready; a broken one is neither; each says why."""
    process = Process()
    async with serve(process, Telemetry()) as server:
        process.waiting = "first lists are not complete"
        assert await get(server, "/healthz") == (200, "ok\n")
        assert await get(server, "/readyz") == (503, "first lists are not complete\n")
        process.waiting = None
        assert await get(server, "/readyz") == (200, "ok\n")
        process.broken = "watch has ended"
        assert await get(server, "/healthz") == (503, "watch has ended\n")
        assert await get(server, "/readyz") == (503, "watch has ended\n")


async def test_metrics_tell_of_passes_writes_and_phases() -> None:
    """Counted passes and requests, the queue, and ModelDeployments by phase, none of them by name."""
    telemetry, store = Telemetry(), Store(WATCHED)
    for number, phase in enumerate(("Healthy", "Healthy", "Progressing")):
        metadata = {"name": f"fraud-{number}", "namespace": "ml", "uid": str(number), "resourceVersion": "1"}
        store.put(MODEL_DEPLOYMENT, {"metadata": metadata, "status": {"phase": phase}})
    telemetry.observe(store=store, depth=lambda: 7, leads=lambda: True)
    telemetry.reconciled("ok", 0.01)
    telemetry.requested(MODEL_DEPLOYMENT, "apply", "Fenced", 0.02)
    telemetry.requested(MODEL_DEPLOYMENT, "list", "ok", 0.02)
    async with serve(Process(), telemetry) as server:
        status, text = await get(server, "/metrics")
    assert status == 200
    for line in (
        'modelramp_reconcile_duration_seconds_count{result="ok"} 1.0',
        'modelramp_writes_total{kind="ModelDeployment",outcome="Fenced",verb="apply"} 1.0',
        'modelramp_errors_total{error="Fenced",place="api"} 1.0',
        "modelramp_queue_depth 7.0",
        'modelramp_deployments{phase="Healthy"} 2.0',
        'modelramp_deployments{phase="Progressing"} 1.0',
    ):
        assert line in text
    assert "fraud-0" not in text
    assert 'verb="list",' not in text


async def test_evidence_is_told_by_who_leads() -> None:
    """JSON of what is known; 404 for what is not; 503 of a standby: each says why in words."""
    process = Process()
    process.counted = {"analysis": [], "evidence": None}
    async with serve(process, Telemetry()) as server:
        status, text = await get(server, "/api/evidence/ml/fraud")
        assert (status, json.loads(text)) == (200, process.counted)
        status, text = await get(server, "/api/evidence/ml/churn")
        assert (status, json.loads(text)) == (
            404,
            {"message": "the operator knows no ModelDeployment ml/churn"},
        )
        process.leads = False
        status, text = await get(server, "/api/evidence/ml/fraud")
        assert (status, "stands by" in json.loads(text)["message"]) == (503, True)


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    """Two operators on one port: the second does not start."""
    async with serve(Process(), Telemetry()) as first:
        second = Server(
            address="127.0.0.1",
            port=first.port,
            broken=lambda: None,
            waiting=lambda: None,
            exposition=bytes,
            evidence=lambda _: None,
        )
        with pytest.raises(OSError, match=str(first.port)):
            await second.start()
        await second.stop()
