"""A story: actions are done in a world, every write is watched, and the end must be a good one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    SERVICE,
    VIRTUAL_SERVICE,
)
from property.actions import UNKNOWN, WEIGHTS
from property.invariants import Watch
from property.trace import BrokenError, Trace, describe, shares
from support.faults import Faults
from support.world import KEY, START, World, model_deployment, model_version

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelramp.kube.kinds import Kind
    from property.actions import Action
    from support.process import Process

LONGEST_WAY = 600
"""Seconds in which a world that is left alone gets where it should be."""


class Simulation:
    """A world in which 1.0.0 serves everything, and what happens to it.

    Attributes:
        knobs: what the user wants.
        refusing: a policy refuses writes, now or earlier.
    """

    def __init__(self) -> None:
        self.world = World()
        self.trace = Trace()
        self.knobs: dict[str, Any] = {
            "version": "1.0.0",
            "image": "server:1",
            "steps": 0,
            "hold": 6,
            "limit": 0.05,
            "replicas": 4,
            "paused": False,
            "on_revert": "Direct",
            "invalid": False,
            "policy": "Delete",
        }
        self.asked = 0
        self.refusing = False
        self.watch = Watch(self)
        self.watch.configured()
        self.world.cluster.watch(self._seen)
        self._apply()
        self.world.settle()
        self.second()

    # -- acting --------------------------------------------------------------------------------------------

    def play(self, script: Sequence[Action]) -> None:
        """Does it all, and sees that it comes to a good end.

        Raises:
            BrokenError: an invariant does not hold; it tells the story.
        """
        try:
            for action in script:
                self.say("script", repr(action))
                action.run(self)
                self.world.settle()
            self.end()
        except BrokenError:
            raise
        except Exception as error:
            raise self.broken(f"{type(error).__name__}: {error}") from error

    def second(self) -> None:
        """One second passes."""
        before = len(self.world.plans)
        self.watch.before_second()
        self.world.tick()
        self.watch.after_second()
        rules = Counter(plan.rule for _, plan in self.world.plans[before:])
        if rules and set(rules) - {"hold", "idle", "bake"}:
            self.say("decided", ", ".join(f"{rule} ×{n}" for rule, n in rules.items()))

    def wish(self, **knobs: Any) -> None:  # noqa: ANN401 - values of a manifest
        """The user edits the spec."""
        self.knobs |= knobs
        self.watch.configured()
        self._apply()

    def ask(self, action: str, *, override: bool = False, reason: str = "", to: str = "") -> None:
        """The user asks for something, under an id of its own."""
        self.asked += 1
        wanted = {
            "request": f"{action}/{self.asked}",
            "request-override": "true" if override else "",
            "request-reason": reason,
            "request-to": to,
        }

        def change(live: dict[str, Any]) -> None:
            notes = live["metadata"].setdefault("annotations", {})
            for name, value in wanted.items():
                notes.pop(f"modelramp.dev/{name}", None)
                if value:
                    notes[f"modelramp.dev/{name}"] = value

        self.watch.asked(action, override=override)
        self.world.cluster.edit(MODEL_DEPLOYMENT, *KEY, change)

    def stand_by(self) -> Process:
        """The second process."""
        if self.world.rival is None:
            self.world.rival = self.world.start()
        return self.world.rival

    def _apply(self) -> None:
        knobs, world = self.knobs, self.world
        version = knobs["version"]
        if version != UNKNOWN and world.cluster.get(MODEL_VERSION, KEY[0], f"fraud-{version}") is None:
            world.apply(MODEL_VERSION, model_version(version))
        world.apply(MODEL_DEPLOYMENT, model_deployment(version, **self._spec()))

    def _spec(self) -> dict[str, Any]:
        knobs = self.knobs
        steps = [{"weight": weight, "hold": f"{knobs['hold']}s"} for weight in WEIGHTS[knobs["steps"]]]
        if knobs["invalid"]:
            steps = [*steps, steps[0]]
        metrics = [
            {"name": name, "profile": "envoy", "limit": knobs["limit"]} for name in ("error-rate", "latency")
        ]
        container = {"name": "model", "image": knobs["image"]}
        return {
            "replicas": knobs["replicas"],
            "paused": knobs["paused"],
            "workload": {"template": {"spec": {"containers": [container]}}},
            "strategy": {"type": "Canary", "steps": steps, "onRevert": knobs["on_revert"]},
            "analysis": {"interval": "1s", "metrics": metrics},
            "rollbackPolicy": {"keepPrevious": "8s"},
            "drain": "3s",
            "deletionPolicy": knobs["policy"],
            "progressDeadline": "20s",
            "revisionHistoryLimit": 2,
        }

    # -- the end -------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Faults stop, metrics are good: what is wanted serves, or the last good one; then nothing stirs."""
        self.say("script", "faults stop, metrics are good, the user's mistakes are corrected")
        world = self.world
        world.cluster.faults = Faults()
        world.rival = None
        world.leader.lag(frozenset())
        # Whoever decided last may have been behind.
        world.leader.woken = True
        world.meter.answer, world.meter.rate, world.meter.bad = None, 50, {}
        world.ready.clear()
        if self.knobs["version"] == UNKNOWN:
            world.apply(MODEL_VERSION, model_version(UNKNOWN))
        self.wish(paused=False, invalid=False)
        world.settle()
        if (world.status.get("paused") or {}).get("cause") == "Request":
            self.ask("resume")
        for second in range(LONGEST_WAY):
            # What was in back-off first sees what is wanted now.
            if second > 2 and self._arrived():
                break
            self.second()
        else:
            raise self.broken(f"it does not get where it should within {LONGEST_WAY} s: {world.status}")
        for _ in range(14):
            self.second()
        self._clean()
        self._idle()

    def _arrived(self) -> bool:
        status, route = self.world.status, shares(self.world.cluster.get(VIRTUAL_SERVICE, *KEY))
        stable = status.get("stable") or {}
        if status.get("candidate") or route != {stable.get("service"): 100}:
            return False
        wanted = self.wanted()
        rejected = {entry["revision"] for entry in status.get("rejectedRevisions") or ()}
        if stable["revision"] in rejected:
            return False
        return bool(wanted == stable["revision"] or wanted in rejected)

    def wanted(self) -> str:
        """Name of the revision the user asks for, as the last look resolved it; empty: none."""
        facts, _ = self.world.plans[-1]
        return getattr(facts.wanted, "name", "")

    def _clean(self) -> None:
        """Only stable runs; the rest is drained, and the apex knows who serves."""
        stable = self.world.status["stable"]
        for body in self.world.cluster.all(DEPLOYMENT):
            name, replicas = body["metadata"]["name"], body["spec"].get("replicas")
            if replicas != (self.knobs["replicas"] if name == stable["service"] else 0):
                raise self.broken(f"at the end {name} has {replicas} replicas")
        apex = self.world.cluster.get(SERVICE, *KEY) or {"metadata": {}}
        selected = (apex["metadata"].get("annotations") or {}).get("modelramp.dev/stable-revision")
        if selected != stable["revision"]:
            raise self.broken(f"at the end the apex selects {selected}")
        ready = self.world.condition("Ready")
        if (ready["status"] == "True") != (self.wanted() == stable["revision"]):
            raise self.broken(f"at the end Ready is {ready}")

    def _idle(self) -> None:
        """An hour without a request."""
        self.world.cluster.writes.clear()
        events = len(self.world.cluster.events)
        for seconds in (1, 30, 600, 3600):
            self.world.jump(seconds)
        if self.world.cluster.writes or len(self.world.cluster.events) != events:
            raise self.broken(
                f"an idle operator writes: {[str(write) for write in self.world.cluster.writes]}"
            )

    # -- telling -------------------------------------------------------------------------------------------

    def since_start(self, moment: datetime) -> float:
        """Seconds."""
        return (moment - START).total_seconds()

    def say(self, who: str, text: str) -> None:
        """A line of the trace."""
        self.trace.say(self.since_start(self.world.now), who, text)

    def broken(self, what: str) -> BrokenError:
        """What is to be raised."""
        return self.trace.broken(self.since_start(self.world.now), what)

    def _seen(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        who = self.world.acting
        if kind != ENDPOINT_SLICE and (kind != DEPLOYMENT or who):
            self.say(who.name if who else "world", describe(event, kind, body))
        self.watch.seen(event, kind, body)
