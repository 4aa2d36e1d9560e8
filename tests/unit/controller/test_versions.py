"""The status of a ModelVersion: its digest, written once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from modelramp.controller.store import Store
from modelramp.controller.versions import VersionRecorder
from modelramp.kube.kinds import MODEL_VERSION
from support.fakecluster import FakeCluster
from support.world import model_version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ("shop", "fraud-1.0.0")


async def _recorded(cluster: FakeCluster, passes: int = 1) -> dict[str, Any]:
    store = Store((MODEL_VERSION,))
    for body in await cluster.list(MODEL_VERSION):
        store.put(MODEL_VERSION, body)
    recorder = VersionRecorder(store=store, cluster=cluster, clock=lambda: NOW)
    for _ in range(passes):
        await recorder.handle(KEY)
    found = cluster.get(MODEL_VERSION, *KEY)
    assert found is not None
    return found


async def test_a_record_gets_its_digest_once() -> None:
    """One write says the digest and Ready; further passes write nothing."""
    cluster = FakeCluster()
    cluster.place(MODEL_VERSION, model_version("1.0.0"))
    body = await _recorded(cluster, passes=3)
    assert body["status"]["digest"].startswith("v1:sha256:")
    assert body["status"]["conditions"][0]["status"] == "True"
    assert len(cluster.writes) == 1


async def test_the_wanted_stage_is_not_part_of_the_identity() -> None:
    """Another stage, the same digest."""
    cluster = FakeCluster()
    cluster.place(MODEL_VERSION, model_version("1.0.0"))
    before = (await _recorded(cluster))["status"]["digest"]

    def promote(body: dict[str, Any]) -> None:
        body["spec"]["stage"] = "Production"

    cluster.edit(MODEL_VERSION, *KEY, promote)
    assert (await _recorded(cluster))["status"]["digest"] == before


async def test_a_record_that_cannot_be_read_says_which_field() -> None:
    """What this release does not know is named, and there is no digest."""
    cluster = FakeCluster()
    body = model_version("1.0.0")
    body["spec"]["modelFormat"]["flavour"] = "new"
    cluster.place(MODEL_VERSION, body)
    status = (await _recorded(cluster))["status"]
    assert "digest" not in status
    assert "spec.modelFormat.flavour" in status["conditions"][0]["message"]
