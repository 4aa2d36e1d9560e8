"""A ModelDeployment in a world without I/O: an API server in memory, its controllers, counted traffic.

Time moves only when a test says so. The operator's own code runs unchanged from the store to the writes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, MODEL_VERSION, VIRTUAL_SERVICE, Kind
from modelramp.traffic import virtualservice
from support.controllers import Controllers
from support.fakecluster import FakeCluster
from support.faults import Crash
from support.manifests import KEY, model_deployment, model_version
from support.meter import Meter
from support.process import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelramp.rollout.facts import Facts
    from modelramp.rollout.plan import Plan

__all__ = ["KEY", "START", "World", "model_deployment", "model_version"]

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


class World:
    """One ModelDeployment, its cluster, and the operator.

    Attributes:
        leader: the process that acts.
        rival: one that takes itself for the leader as well, while it acts; else a stand-by that watches.
        acting: the process whose pass is running; None: somebody else is at work.
        plans: what was decided, in order.
        weights: every set of weights the route was given, by version, with its time.
    """

    def __init__(self) -> None:
        self.now = START
        self.cluster = FakeCluster(clock=lambda: self.now)
        self.meter = Meter()
        self.controllers = Controllers(self.cluster, lambda: self.now)
        self.plans: list[tuple[Facts, Plan]] = []
        self.weights: list[tuple[datetime, dict[str, int]]] = []
        self.acting: Process | None = None
        self.rival: Process | None = None
        self._started = 0
        self.leader = self.start()
        self.cluster.watch(self._seen)

    @property
    def ready(self) -> dict[str, bool]:
        """Whether pods of a version become ready; missing: they do."""
        return self.controllers.ready

    def start(self) -> Process:
        """A new process: nothing is remembered but what is in the cluster."""
        self._started += 1
        return Process(
            f"p{self._started}",
            cluster=self.cluster,
            meter=self.meter,
            clock=lambda: self.now,
            decided=self._decided,
        )

    def restart(self) -> None:
        """The leader dies, and a new process takes its place."""
        self.leader = self.start()

    def _decided(self, facts: Facts, plan: Plan) -> None:
        self.plans.append((facts, plan))

    # -- the user ------------------------------------------------------------------------------------------

    def apply(self, kind: Kind, body: dict[str, Any]) -> None:
        """`kubectl apply`: a change keeps what the operator wrote."""
        metadata = body["metadata"]
        if self.cluster.get(kind, metadata["namespace"], metadata["name"]) is None:
            self.cluster.place(kind, body)
        else:

            def change(live: dict[str, Any]) -> None:
                rollback = live["spec"].get("rollback")
                live["spec"] = body["spec"] | ({"rollback": rollback} if rollback else {})

            self.cluster.edit(kind, metadata["namespace"], metadata["name"], change)

    def deploy(self, version: str, **spec: Any) -> None:  # noqa: ANN401 - JSON
        """Registers a version and asks for it."""
        if self.cluster.get(MODEL_VERSION, KEY[0], f"fraud-{version}") is None:
            self.apply(MODEL_VERSION, model_version(version))
        self.apply(MODEL_DEPLOYMENT, model_deployment(version, **spec))

    def request(self, text: str) -> None:
        """A request by annotation, `action/id`."""

        def change(live: dict[str, Any]) -> None:
            live["metadata"].setdefault("annotations", {})["modelramp.dev/request"] = text

        self.cluster.edit(MODEL_DEPLOYMENT, *KEY, change)

    # -- time ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Passes until nothing changes any more, at this moment."""
        for _ in range(50):
            self.controllers.run()
            if not self.leader.wants():
                return
            self.together([0])
        raise AssertionError("the operator does not come to rest")

    def together(self, turns: Sequence[int]) -> None:
        """One pass of each process that is named: they take turns as listed (0: leader, 1: rival)."""
        crew = [process for process in (self.leader, self.rival) if process is not None]
        passes = {number: crew[number].pass_() for number in sorted(set(turns)) if number < len(crew)}
        order = [number for number in turns if number in passes]
        while passes:
            number = order.pop(0) if order else min(passes)
            if number in passes and not self._turn(crew[number], passes[number]):
                del passes[number]

    def _turn(self, process: Process, work: Any) -> bool:  # noqa: ANN401 - a coroutine
        """Whether there is more to do."""
        self.acting = process
        try:
            work.send(None)
        except StopIteration:
            return False
        except Crash:
            self._died(process)
            return False
        finally:
            self.acting = None
        return True

    def _died(self, process: Process) -> None:
        if process is self.leader:
            self.restart()
        else:
            self.rival = None

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> None:
        """Lets time pass second by second, with a look at each."""
        self.settle()
        for _ in range(int(seconds)):
            if until and until():
                return
            self.tick()
        if until is not None:
            assert until(), f"not within {seconds} s: {self.status.get('summary')}"

    def tick(self) -> None:
        """One second."""
        self.now += timedelta(seconds=1)
        self.meter.tick(self.now, self.weights_by_service)
        for process in (self.leader, self.rival):
            if process is not None:
                process.look()
        self.settle()

    def unattended(self) -> None:
        """One second in which no process runs."""
        self.now += timedelta(seconds=1)
        self.meter.tick(self.now, self.weights_by_service)
        self.controllers.run()

    def jump(self, seconds: float) -> None:
        """Much time at once, with nobody looking but at its end."""
        self.now += timedelta(seconds=seconds)
        self.leader.woken = True
        self.settle()

    # -- what can be seen ----------------------------------------------------------------------------------

    @property
    def body(self) -> dict[str, Any]:
        """The ModelDeployment."""
        found = self.cluster.get(MODEL_DEPLOYMENT, *KEY)
        assert found is not None
        return found

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.body.get("status") or {}
        return found

    def condition(self, name: str) -> dict[str, Any]:
        """One of its conditions."""
        found: dict[str, Any] = next(item for item in self.status["conditions"] if item["type"] == name)
        return found

    @property
    def route(self) -> dict[str, int]:
        """Percent by version, as the route says now."""
        return _weights(self.cluster.get(VIRTUAL_SERVICE, *KEY))

    @property
    def weights_by_service(self) -> dict[str, int]:
        """The same by name of the Service: how requests are shared."""
        found = self.cluster.get(VIRTUAL_SERVICE, *KEY)
        return dict(virtualservice.read(found).weights) if found else {}

    def replicas(self, version: str) -> int:
        """Replicas asked for, of all revisions of a version."""
        return sum(
            item["spec"].get("replicas", 1)
            for item in self.cluster.all(DEPLOYMENT)
            if item["metadata"]["labels"]["modelramp.dev/version"] == version
        )

    def reasons(self) -> list[str]:
        """Reasons of the events, in order."""
        return [event["reason"] for event in self.cluster.events]

    def _seen(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        for process in (self.leader, self.rival):
            if process is not None:
                process.event(event, kind, body)
        if kind == VIRTUAL_SERVICE and event != "DELETED" and body["metadata"]["name"] == KEY[1]:
            weights = _weights(body)
            if not self.weights or self.weights[-1][1] != weights:
                self.weights.append((self.now, weights))


def _weights(route: dict[str, Any] | None) -> dict[str, int]:
    if route is None:
        return {}
    return {
        item["headers"]["response"]["set"]["x-model-version"]: item["weight"]
        for item in route["spec"]["http"][0]["route"]
    }
