"""`modelramp why` as a person or a script runs it, against an API server on loopback."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from e2e.scriptedprometheus import ScriptedPrometheus
from modelramp.cli.main import app
from modelramp.controller.live import STANDBY, Live
from support.world import KEY, World
from unit.cli.apiserver import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


@pytest.fixture
def world() -> World:
    """A world of just before, 20 s into the first step to 1.1.0 and a minute after it."""
    made = World()
    made.now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=80)
    made.deploy("1.0.0")
    made.settle()
    made.deploy("1.1.0")
    made.run(20)
    return made


@pytest.fixture
def server(world: World) -> Iterator[ApiServer]:
    """That world behind HTTP."""
    with ApiServer(world) as made:
        yield made


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path) -> Path:
    """How to reach it."""
    return server.kubeconfig(tmp_path / "kubeconfig")


def run(kubeconfig: Path, *arguments: str, **environment: str) -> Result:
    """The command in this process."""
    given = {"KUBECONFIG": str(kubeconfig), "COLUMNS": "160", "MODELRAMP_PROMETHEUS_URL": ""} | environment
    return CliRunner().invoke(app, ["why", *arguments], env=given)


def told(done: Result) -> dict[str, Any]:
    """The JSON it wrote."""
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def leader(world: World) -> tuple[int, Any]:
    """The operator's answer."""
    process = world.leader
    live = Live(store=process.store, evidence=process.collector, clock=lambda: world.now, lag=60.0)
    return 200, live.of(KEY)


def test_the_leader_is_asked_through_the_api_server(
    world: World, server: ApiServer, kubeconfig: Path
) -> None:
    """By the proxy of its Service, with the user's own credentials: its figures are newer than status."""
    server.live = lambda: leader(world)
    found = told(run(kubeconfig, "fraud", "-o", "json"))
    assert (found["source"], found["leaderTrouble"]) == ("leader", None)
    assert found["checks"][0]["n"] == 1000 > world.status["analysis"][0]["n"]


def test_a_standby_is_not_the_last_word(world: World, server: ApiServer, kubeconfig: Path) -> None:
    """The Service has several processes behind it: it is asked again until the leader answers."""
    answers = [(503, {"message": STANDBY})] * 3
    server.live = lambda: answers.pop() if answers else leader(world)
    assert told(run(kubeconfig, "fraud", "-o", "json"))["source"] == "leader"
    server.live = lambda: (503, {"message": STANDBY})
    found = told(run(kubeconfig, "fraud", "-o", "json"))
    assert found["source"] == "status"
    assert "stands by" in found["leaderTrouble"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "no Service modelramp in namespace modelramp-system"),
        ((403, {"reason": "Forbidden", "message": "no"}), "you may not get services/proxy"),
        ((503, {"message": "no endpoints available"}), "does not answer"),
        ((200, {"answer": "of another server"}), "of another version"),
        ((200, {"time": "now", "analysis": []}), "of another version"),
    ],
)
def test_without_the_leader_status_says_how_old_it_is(
    server: ApiServer, kubeconfig: Path, answer: tuple[int, Any] | None, says: str
) -> None:
    """Whatever the operator's Service does: the verdicts of status, their age, and the cause, in one line."""
    if answer is not None:
        server.live = lambda: answer
    done = run(kubeconfig, "fraud")
    assert done.exit_code == 0, done.output
    line = next(line for line in done.stdout.splitlines() if "from status, written " in line)
    assert says in line
    assert "error rate  pass" in done.stdout


def test_another_namespace_of_the_operator(kubeconfig: Path) -> None:
    """The Service is looked for where the user says."""
    found = told(run(kubeconfig, "fraud", "-o", "json", "--operator-namespace", "ops"))
    assert "in namespace ops" in found["leaderTrouble"]


def test_prometheus_is_asked_by_http(kubeconfig: Path) -> None:
    """Each look since the step began is there; the verdict goes on from what status has counted."""
    with ScriptedPrometheus(_epoch=int(time.time()) - 3600) as prometheus:
        found = told(run(kubeconfig, "fraud", "-o", "json", "--prometheus", prometheus.url))
        shown = run(kubeconfig, "fraud", "--prometheus", prometheus.url).stdout
    assert (found["source"], found["looksTrouble"]) == ("prometheus", None)
    errors = found["checks"][0]
    assert {look["n"] for look in errors["looks"]} == {60}
    # Status was written at the second look, by an operator that saw 50 requests in each.
    assert errors["n"] == 2 * 50 + 60 * (len(errors["looks"]) - 2) >= 60 * 45
    assert "     5 % |-----" in shown
    assert "\x1b" not in shown


def test_prometheus_from_the_environment(kubeconfig: Path) -> None:
    """An address where nothing listens: exit code 0, the verdicts, and why there is no chart."""
    done = run(kubeconfig, "fraud", "-o", "json", MODELRAMP_PROMETHEUS_URL="http://127.0.0.1:1")
    found = told(done)
    assert "the looks could not be recomputed: Prometheus http://127.0.0.1:1" in found["looksTrouble"]
    assert [check["verdict"] for check in found["checks"]] == ["Pass", "Pass"]


def test_what_cannot_be_shown(server: ApiServer, kubeconfig: Path) -> None:
    """Exit codes 1, 2 and 3, each with a sentence."""
    unknown = run(kubeconfig, "frued")
    assert (unknown.exit_code, "did you mean fraud?" in unknown.stderr) == (1, True)
    assert run(kubeconfig, "fraud", "-o", "yaml").exit_code == 2
    server.stop()
    down = run(kubeconfig, "fraud")
    assert (down.exit_code, "does not answer" in down.stderr) == (3, True)
