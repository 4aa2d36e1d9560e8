"""What must hold at every write: it watches the API server, and knows the script, but nothing of the product.

Weights are the truth that users meet; each change of them must be explained by what was configured,
by the counted metrics, and by what people asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from modelramp.api.base import parse_time
from modelramp.kube.kinds import DEPLOYMENT, ENDPOINT_SLICE, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE
from property.actions import WEIGHTS
from property.oracle import may_be_proved
from property.reasons import service_of, unfounded
from property.trace import shares
from support.manifests import KEY

if TYPE_CHECKING:
    from datetime import datetime

    from modelramp.kube.kinds import Kind
    from property.simulation import Simulation

DRAIN = timedelta(seconds=3)


@dataclass
class Stay:
    """The time that a set of weights has been ours to keep.

    Attributes:
        weights: percent by Service, as the operator wrote them.
        since: when it wrote them first.
        wrong: since when somebody else's weights stand there; None: ours do.
        lost: how long they were wrong before.
        clean: nothing has happened since that excuses a longer stay.
        exact: what was seen of the route was never late, so that the lost time is known.
        holds: holds that were configured meanwhile (seconds).
        limits: limits that were configured meanwhile.
        asked: a person asked to go on; True: without proof.
    """

    weights: dict[str, int]
    since: datetime
    wrong: datetime | None = None
    lost: timedelta = field(default_factory=timedelta)
    clean: bool = True
    exact: bool = True
    holds: set[int] = field(default_factory=set)
    limits: set[float] = field(default_factory=set)
    asked: set[bool] = field(default_factory=set)


def _steps(status: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    # A rollout that an edit restarts in the second in which it began has the same id.
    return ((status.get("plan") or {}).get("strategy") or {}).get("steps")


class Watch:
    """The invariants."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self._stay: Stay | None = None
        self._status: dict[str, Any] = {}
        self._served: set[str] = set()
        self._rejected: set[str] = set()
        self._left: set[str] = set()
        self._last_traffic: dict[str, datetime] = {}
        self._replicas: dict[str, int] = {}
        self._steps: set[int] = {0}
        self._wanted_replicas: list[int] = []
        self._pending: set[bool] = set()

    # -- the script ----------------------------------------------------------------------------------------

    def asked(self, action: str, *, override: bool) -> None:
        """A person asks for something."""
        if action == "retry":
            self._left.clear()
            self._rejected.clear()
        self._pending = {override} if action in ("promote", "skip-step") else set()
        if self._stay:
            self._stay.asked |= self._pending

    def configured(self) -> None:
        """The user edits the spec."""
        sim, stay = self._sim, self._stay
        self._steps.add(sim.knobs["steps"])
        self._wanted_replicas = [*self._wanted_replicas[-60:], sim.knobs["replicas"]]
        if stay is not None:
            stay.holds.add(sim.knobs["hold"])
            stay.limits.add(sim.knobs["limit"])

    def away(self) -> None:
        """Nobody is there to go on in time."""
        if self._stay:
            self._stay.clean = False

    def before_second(self) -> None:
        """What goes on now excuses what is done in the next second."""
        sim, stay = self._sim, self._stay
        if stay is None:
            return
        stay.clean &= not self._excuse()
        stay.exact &= not (sim.world.leader.lagging or sim.world.rival)

    def after_second(self) -> None:
        """A step whose hold is over and whose proof is there is left in that very second."""
        stay, candidate = self._stay, self._status.get("candidate")
        if stay is None or not candidate or len(stay.weights) == 1 or len(stay.holds) != 1:
            return
        stay.clean &= not self._excuse()
        over = stay.since + timedelta(seconds=max(stay.holds)) + stay.lost
        if stay.clean and stay.exact and stay.wrong is None and self._sim.world.now > over:
            raise self._sim.broken(f"the hold ended at {self._sim.since_start(over)} s but the step stays")

    def _excuse(self) -> bool:
        sim, world = self._sim, self._sim.world
        knobs, meter = sim.knobs, world.meter
        return bool(
            world.cluster.faults.waiting
            or world.leader.lagging
            or world.leader.due == world.now
            or meter.answer
            or meter.rate < 50
            or any(meter.bad.values())
            or not all(world.ready.values())
            or knobs["paused"]
            or knobs["invalid"]
            or self._status.get("paused")
            or knobs["version"] != (self._status.get("candidate") or {}).get("version")
        )

    # -- what is written -----------------------------------------------------------------------------------

    def seen(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        """Every change of every object, by whomever."""
        if kind == VIRTUAL_SERVICE:
            self._route(event, body)
        elif kind == MODEL_DEPLOYMENT:
            self._object(body)
        elif kind in (DEPLOYMENT, SERVICE):
            self._workload(event, kind, body)

    def _route(self, event: str, body: dict[str, Any]) -> None:
        now, live = self._sim.world.now, {} if event == "DELETED" else shares(body)
        for service in self._replicas:
            if live.get(service):
                self._last_traffic.pop(service, None)
            else:
                self._last_traffic.setdefault(service, now)
        if self._sim.world.acting is None:
            if self._stay and self._stay.wrong is None and live != self._stay.weights:
                self._stay.wrong = now
            return
        if event == "DELETED":
            self._unrouted()
            return
        if sum(live.values()) != 100 or any(weight < 1 for weight in live.values()):
            raise self._sim.broken(f"weights {live}")
        before = self._stay.weights if self._stay else {}
        if live != before:
            self._moved(before, live)
            knobs = self._sim.knobs
            self._stay = Stay(weights=live, since=now, holds={knobs["hold"]}, limits={knobs["limit"]})
        elif self._stay and self._stay.wrong:
            self._stay.lost += now - self._stay.wrong
            self._stay.wrong = None

    def _unrouted(self) -> None:
        """Only with its object does the route go, and not while it sends to two."""
        body = self._sim.world.cluster.get(MODEL_DEPLOYMENT, *KEY)
        if body is not None and "deletionTimestamp" not in body["metadata"]:
            raise self._sim.broken("the operator takes the route away")
        if body is not None and len(self._stay.weights if self._stay else ()) > 1:
            raise self._sim.broken("the route goes before its traffic has one revision")

    def _moved(self, before: dict[str, int], after: dict[str, int]) -> None:
        """The operator gives other weights than it gave before."""
        for service in before:
            if not after.get(service) and service in self._rejected:
                self._left.add(service)
        for service, weight in after.items():
            if weight <= before.get(service, 0):
                continue
            if service in self._left:
                raise self._sim.broken(f"{service} was rejected and gets {weight} % without a retry")
            if weight == 100:
                self._served.add(service)
        why = unfounded(self._sim, after)
        if why:
            raise self._sim.broken(f"{before} → {after}: nothing stands behind that: {why}")

    # -- what is decided -----------------------------------------------------------------------------------

    def _object(self, body: dict[str, Any]) -> None:
        old, new = self._status, body.get("status") or {}
        self._status = new
        pin = body["spec"].get("rollback")
        names = [pin["rejectedRevision"]] if pin else []
        names += [entry["revision"] for entry in new.get("rejectedRevisions") or ()]
        self._rejected |= {service_of(name) for name in names}
        if self._sim.world.acting is None or not new:
            return
        was, now = old.get("candidate") or {}, new.get("candidate") or {}
        stable = new.get("stable") or {}
        promoted = bool(was) and stable.get("revision") == was["revision"] and bool(old.get("stable"))
        if was.get("direct"):
            if promoted and was["service"] not in self._served:
                raise self._sim.broken(f"{was['service']} is gone back to but never served")
            return
        same = now.get("revision") == was.get("revision")
        same = same and (new.get("plan") or {}).get("id") == (old.get("plan") or {}).get("id")
        if promoted:
            self._promoted(old, was)
        elif same and now and now["step"] > was["step"]:
            self._stepped(new, was, now)
        elif same and now and now["step"] < was["step"] and _steps(new) == _steps(old):
            raise self._sim.broken(f"{now['revision']}: step {was['step']} → {now['step']}")
        elif now and not same and now["step"] != 0:
            raise self._sim.broken(f"{now['revision']} begins at step {now['step']}")
        if stable and not old.get("stable") and not was:
            self._served.add(stable["service"])

    def _promoted(self, old: dict[str, Any], was: dict[str, Any]) -> None:
        last = len(old["plan"]["strategy"]["steps"])
        if was["step"] != last and not self._pending:
            raise self._sim.broken(f"{was['revision']} is promoted from step {was['step']} of {last}")
        self._capacity(was, 100)
        self._leaves(was)
        self._pending = set()
        self._served.add(was["service"])

    def _stepped(self, new: dict[str, Any], was: dict[str, Any], now: dict[str, Any]) -> None:
        if now["step"] != was["step"] + 1:
            raise self._sim.broken(f"step {was['step']} → {now['step']} of {now['revision']}")
        weights = tuple(step["weight"] for step in new["plan"]["strategy"]["steps"])
        if weights not in [WEIGHTS[index] for index in self._steps]:
            raise self._sim.broken(f"steps {weights} were never configured")
        self._capacity(now, weights[now["step"] - 1])
        if was["step"]:
            self._leaves(was)
            self._pending = set()

    def _leaves(self, was: dict[str, Any]) -> None:
        """The candidate leaves a step: that step's weights, hold and proof, unless a person asked."""
        sim, stay, service = self._sim, self._stay, was["service"]
        now = sim.world.now
        asked = self._pending | (stay.asked if stay else set())
        if True in asked:
            return
        if stay is None or service not in stay.weights or len(stay.weights) == 1:
            raise sim.broken(
                f"{service} leaves step {was['step']}, whose weights the route never had: {stay}"
            )
        held = now - stay.since
        least = timedelta(seconds=min(stay.holds | {sim.knobs["hold"]}))
        least += stay.lost if stay.exact else timedelta()
        if held < least and False not in asked:
            raise sim.broken(f"{service} leaves step {was['step']} after {held}, before {least}")
        limit = max(stay.limits | {sim.knobs["limit"]})
        missing = may_be_proved(sim.world.meter, service, limit, since=stay.since, until=now)
        if missing:
            raise sim.broken(f"{service} leaves step {was['step']} unproved: {missing}")

    def _capacity(self, candidate: dict[str, Any], weight: int) -> None:
        """The pods for a weight are ready, as far as the process that decides can know."""
        acting = self._sim.world.acting
        assert acting is not None
        needed = max(1, math.ceil(min(self._known_replicas()) * weight / 100))
        slices = acting.store.children(ENDPOINT_SLICE, KEY)
        mine = [
            item
            for item in slices
            if item["metadata"]["labels"].get("kubernetes.io/service-name") == candidate["service"]
        ]
        ready = sum(len(item["endpoints"]) for item in mine)
        if ready < needed:
            raise self._sim.broken(f"{candidate['revision']} gets {weight} % with {ready} of {needed} pods")

    def _known_replicas(self) -> list[int]:
        lagging = self._sim.world.leader.lagging or self._sim.world.rival
        return self._wanted_replicas if lagging else [self._sim.knobs["replicas"]]

    def _is_overdue(self) -> bool:
        """A deletion is past two drains and a minute: what is to go goes as it is."""
        body = self._sim.world.cluster.get(MODEL_DEPLOYMENT, *KEY) or {"metadata": {}}
        since = body["metadata"].get("deletionTimestamp")
        limit = 2 * DRAIN + timedelta(minutes=1)
        return since is not None and self._sim.world.now - parse_time(since) >= limit

    # -- workloads -----------------------------------------------------------------------------------------

    def _workload(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        name, sim = body["metadata"]["name"], self._sim
        weight = shares(sim.world.cluster.get(VIRTUAL_SERVICE, *KEY)).get(name, 0)
        if event == "DELETED":
            if weight and sim.world.acting and name != KEY[1] and not self._is_overdue():
                raise sim.broken(f"{kind} {name} is deleted with {weight} % of the traffic")
            return
        if kind != DEPLOYMENT:
            return
        before, replicas = self._replicas.get(name), body["spec"].get("replicas", 1)
        self._replicas[name] = replicas
        if before is None or replicas >= before or sim.world.acting is None:
            return
        stable = (self._status.get("stable") or {}).get("service")
        if weight and stable == name and replicas < min(self._known_replicas()):
            raise sim.broken(f"stable {name} is scaled to {replicas} with {weight} %")
        if weight and replicas < max(1, math.ceil(min(self._known_replicas()) * weight / 100)):
            raise sim.broken(f"{name} is scaled to {replicas} with {weight} %")
        since = self._last_traffic.get(name)
        if not replicas and since and sim.world.now - since < DRAIN:
            raise sim.broken(f"{name} is scaled to 0 while it drains")
