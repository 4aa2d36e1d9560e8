"""Status that another release wrote: each one's is frozen, and decided on as that release did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from modelramp.api.base import parse_time
from modelramp.api.status import FORMAT, ModelDeploymentStatus
from modelramp.controller.act import covers
from modelramp.controller.observe import observe
from modelramp.controller.reconciler import take
from modelramp.controller.store import Store
from modelramp.controller.stored import read_status, status_to_write
from modelramp.kube.kinds import MODEL_DEPLOYMENT, WATCHED
from modelramp.rollout.decide import decide
from modelramp.rollout.plan import WriteRoute
from support.world import KEY, World

FROZEN = sorted((Path(__file__).parents[2] / "fixtures/status").glob("v*.yaml"))
ANNOTATION = "modelramp.dev/request"


@pytest.mark.parametrize("file", FROZEN, ids=lambda file: file.stem)
def test_frozen_status_is_decided_on_as_ever(file: Path) -> None:
    """All of it is understood; the rule and the weights are those of the release that wrote it."""
    frozen = yaml.safe_load(file.read_text())
    store = Store(WATCHED)
    for body in frozen["objects"]:
        store.put(next(kind for kind in WATCHED if kind.kind == body["kind"]), body)
    snapshot = take(store, KEY)
    assert snapshot is not None
    assert covers(read_status(snapshot.body).wire(), snapshot.body["status"])
    facts = observe(snapshot, now=parse_time(frozen["now"]))
    plan = decide(facts)
    assert plan.rule == frozen["rule"]
    route = next(effect.route for effect in plan.effects if isinstance(effect, WriteRoute))
    assert {item.revision.version: item.weight for item in route.destinations} == frozen["weights"]


def test_every_state_is_frozen() -> None:
    """Rolling, paused, baking and rolled back: the states that a new release must not forget."""
    assert {file.stem for file in FROZEN} >= {"v1-rolling", "v1-paused", "v1-baking", "v1-rolled-back"}


@pytest.fixture
def newer() -> World:
    """1.1.0 has 5 %; then a newer release has written status, in words that this one does not know."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("1.1.0")
    world.run(30, until=lambda: world.route == {"1.0.0": 95, "1.1.0": 5})

    def change(live: dict[str, Any]) -> None:
        live["status"] |= {"format": FORMAT + 1, "cohorts": [{"name": "eu"}]}
        live["status"]["candidate"]["shadow"] = {"mirror": 10}
        live["status"]["phase"] = "Shadowing"

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, change, subresource="status")
    world.settle()
    return world


def test_newer_format_moves_nothing_forward(newer: World) -> None:
    """Proved long ago, asked to promote: the weights stay, and the condition says why and what to do."""
    newer.run(300)
    newer.request("promote/1")
    newer.run(10)
    assert newer.route == {"1.0.0": 95, "1.1.0": 5}
    assert newer.plans[-1][1].rule == "newer_format"
    said = newer.condition("Stalled")
    assert (said["status"], said["reason"]) == ("True", "NewerFormat")
    assert f"status has format {FORMAT + 1}, this release reads {FORMAT}" in said["message"]
    assert "run the release that wrote it" in said["message"]
    assert newer.status["lastRequest"]["result"] == "Refused"


def test_newer_format_loses_nothing(newer: World) -> None:
    """What this release cannot read is still there after it has written status, the format included."""
    assert newer.condition("Ready")["reason"] == "NewerFormat"
    assert newer.status["format"] == FORMAT + 1
    assert newer.status["cohorts"] == [{"name": "eu"}]
    assert newer.status["candidate"]["shadow"] == {"mirror": 10}


def test_newer_format_still_goes_back(newer: World) -> None:
    """A failing candidate is taken back all the same, and is not tried again by this release."""
    newer.meter.bad["1.1.0", "error-rate"] = 0.5
    newer.run(60, until=lambda: newer.route == {"1.0.0": 100})
    assert newer.body["spec"]["rollback"]["reason"] == "ErrorRate"
    assert newer.status["format"] == FORMAT + 1
    newer.request("retry/1")
    newer.run(60)
    assert newer.route == {"1.0.0": 100}


def test_unreadable_parts_stay_in_lists() -> None:
    """A rejection with a reason of the future is not read, and not lost when another is added."""
    rejection = {
        "revision": "1.1.0-aaaaaaaa",
        "toRevision": "1.0.0-bbbbbbbb",
        "version": "1.1.0",
        "digest": "v1:0",
        "reason": "Aborted",
        "time": "2026-01-01T12:00:00.000Z",
        "message": "",
    }
    future = rejection | {"revision": "1.2.0-cccccccc", "reason": "Cohort"}
    body = {"status": {"format": FORMAT + 1, "rejectedRevisions": [future]}}
    assert read_status(body).rejected_revisions == []
    added = ModelDeploymentStatus.model_validate({"format": FORMAT + 1, "rejectedRevisions": [rejection]})
    assert status_to_write(body, added)["rejectedRevisions"] == [rejection, future]


def test_garbage_of_a_known_format_counts_as_lost() -> None:
    """What no release has written is not guessed at."""
    assert read_status({"status": {"format": FORMAT, "stable": 5}}) == ModelDeploymentStatus()
    assert read_status({"status": {"format": FORMAT + 1, "stable": 5}}).stable is None


def test_status_lost_after_an_override_does_not_repeat_it() -> None:
    """Whether a request was answered is lost with status: it is refused, not carried out again."""
    world = World()
    world.deploy("1.0.0")
    world.settle()

    def override(live: dict[str, Any]) -> None:
        live["metadata"]["annotations"] = {ANNOTATION: "promote/1", f"{ANNOTATION}-override": "true"}

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, override)
    world.settle()
    world.deploy("1.1.0")
    world.run(30, until=lambda: world.route == {"1.0.0": 95, "1.1.0": 5})

    def wipe(live: dict[str, Any]) -> None:
        live["status"] = {}

    world.cluster.edit(MODEL_DEPLOYMENT, *KEY, wipe, subresource="status")
    world.run(20)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.status["lastRequest"]["result"] == "Refused"
    assert "ask again with another id" in world.status["lastRequest"]["message"]
