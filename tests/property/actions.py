"""What may happen in a story: users, faults, metrics, time. Each action prints as what rebuilds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelramp.judgement.evidence import NoData, ProviderError
from modelramp.kube.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    SERVICE,
    VIRTUAL_SERVICE,
    WATCHED,
)
from support.faults import Fault
from support.manifests import KEY

if TYPE_CHECKING:
    from modelramp.kube.kinds import Kind
    from property.simulation import Simulation
    from support.faults import Write

VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
UNKNOWN = "9.9.9"
REQUESTS = ("promote", "skip-step", "pause", "resume", "abort", "retry", "rollback", "dance")
WEIGHTS = ((5, 20, 50), (20, 50), (10,), (5, 25, 50, 75))
KINDS: dict[str, Kind] = {
    "object": MODEL_DEPLOYMENT,
    "route": VIRTUAL_SERVICE,
    "deployments": DEPLOYMENT,
    "endpoints": ENDPOINT_SLICE,
    "apex": SERVICE,
}


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    seconds: int

    def run(self, sim: Simulation) -> None:
        """See the class."""
        for _ in range(self.seconds):
            sim.second()


@dataclass(frozen=True)
class Want:
    """The user asks for a version, which may be one that does not exist."""

    version: str

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.wish(version=self.version)


@dataclass(frozen=True)
class Edit:
    """The user changes one thing in the spec; what there is: the knobs of the simulation."""

    what: str
    value: Any

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.wish(**{self.what: self.value})


@dataclass(frozen=True)
class Ask:
    """The user makes a request by annotation."""

    action: str
    override: bool = False
    reason: str = ""
    to: str = ""

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.ask(self.action, override=self.override, reason=self.reason, to=self.to)


@dataclass(frozen=True)
class Strip:
    """A sync with Replace=true takes `spec.rollback` away."""

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.world.cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda live: live["spec"].pop("rollback", None))


@dataclass(frozen=True)
class LoseStatus:
    """The status is lost."""

    def run(self, sim: Simulation) -> None:
        """See the class."""
        who = {"manager": "kubectl", "subresource": "status"}
        sim.world.cluster.edit(MODEL_DEPLOYMENT, *KEY, lambda live: live.pop("status", None), **who)


@dataclass(frozen=True)
class BreakRoute:
    """Somebody turns the weights of the route around, or deletes it."""

    delete: bool = False

    def run(self, sim: Simulation) -> None:
        """See the class."""
        if sim.world.cluster.get(VIRTUAL_SERVICE, *KEY) is None:
            return
        if self.delete:
            sim.world.cluster.remove(VIRTUAL_SERVICE, *KEY)
            return

        def change(body: dict[str, Any]) -> None:
            items = body["spec"]["http"][0]["route"]
            weights = [item["weight"] for item in items]
            for item, weight in zip(items, reversed(weights), strict=True):
                item["weight"] = weight

        sim.world.cluster.edit(VIRTUAL_SERVICE, *KEY, change)


@dataclass(frozen=True)
class Metrics:
    """From now on so large a share of a version's requests is bad."""

    version: str
    check: str
    share: float

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.world.meter.bad = {**sim.world.meter.bad, (self.version, self.check): self.share}


@dataclass(frozen=True)
class Provider:
    """The metrics provider answers, has no data, or fails; or so many requests come a second."""

    state: str
    rate: int = 50

    def run(self, sim: Simulation) -> None:
        """See the class."""
        states: dict[str, NoData | ProviderError] = {
            "no data": NoData(),
            "error": ProviderError("connection refused"),
        }
        sim.world.meter.answer = states.get(self.state)
        sim.world.meter.rate = self.rate


@dataclass(frozen=True)
class Pods:
    """Pods of a version become ready, or do not."""

    version: str
    ready: bool

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.world.ready[self.version] = self.ready


@dataclass(frozen=True)
class Fail:
    """One of the coming writes goes wrong: any, or one to status, spec, route, apex, a Deployment."""

    fault: Fault
    target: str = "any"
    skip: int = 0
    times: int = 1

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.refusing |= self.fault is Fault.REFUSE
        sim.world.cluster.faults.inject(self.fault, skip=self.skip, times=self.times, matching=self._hits)

    def _hits(self, write: Write) -> bool:
        status = write.subresource == "status"
        return {
            "any": True,
            "status": status,
            "spec": write.kind == MODEL_DEPLOYMENT and not status,
            "route": write.kind == VIRTUAL_SERVICE,
            "apex": write.kind == SERVICE and write.name == KEY[1],
            "deployment": write.kind == DEPLOYMENT,
        }[self.target]


@dataclass(frozen=True)
class Kill:
    """The operator dies between two passes; a new process, or the stand-by, goes on."""

    stand_by: bool = False

    def run(self, sim: Simulation) -> None:
        """See the class."""
        if self.stand_by and sim.world.rival is not None:
            sim.world.leader, sim.world.rival = sim.world.rival, None
            sim.world.leader.woken = True
        else:
            sim.world.restart()


@dataclass(frozen=True)
class Outage:
    """No process runs for so long; at its begin somebody may turn the weights of the route around."""

    seconds: int
    edited: bool = False

    def run(self, sim: Simulation) -> None:
        """See the class."""
        if self.edited:
            BreakRoute().run(sim)
        sim.watch.away()
        for _ in range(self.seconds):
            sim.world.unattended()
        sim.world.rival = None
        sim.world.restart()


@dataclass(frozen=True)
class Lag:
    """Watches of these kinds fall behind (none: all catch up); of the leader, or of the stand-by."""

    kinds: tuple[str, ...] = ()
    stand_by: bool = False

    def run(self, sim: Simulation) -> None:
        """See the class."""
        kinds = frozenset(WATCHED) if "all" in self.kinds else frozenset(KINDS[name] for name in self.kinds)
        process = sim.stand_by() if self.stand_by else sim.world.leader
        process.lag(kinds)


@dataclass(frozen=True)
class Both:
    """The stand-by takes itself for the leader, too: both have a pass at once, in these turns."""

    turns: tuple[int, ...]

    def run(self, sim: Simulation) -> None:
        """See the class."""
        sim.stand_by()
        sim.world.together([*self.turns, 0, 1])


Action = (
    Wait
    | Want
    | Edit
    | Ask
    | Strip
    | LoseStatus
    | BreakRoute
    | Metrics
    | Provider
    | Pods
    | Fail
    | Kill
    | Outage
    | Lag
    | Both
)
