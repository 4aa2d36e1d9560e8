"""A ModelDeployment in a world without I/O: an API server in memory, its controllers, counted traffic.

Time moves only when a test says so. The operator's own code runs unchanged from the store to the writes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelramp.controller.reconciler import Reconciler
from modelramp.controller.store import Store
from modelramp.judgement.evidence import Counts, Evidence, Look, NoData, ProviderError, advance, first_look
from modelramp.kube.errors import Fenced
from modelramp.kube.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    SERVICE,
    VIRTUAL_SERVICE,
    WATCHED,
    Kind,
)
from support.fakecluster import FakeCluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelramp.controller.book import Subject
    from modelramp.rollout.facts import Facts
    from modelramp.rollout.plan import Plan

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
KEY = ("shop", "fraud")
DIGEST = "sha256:" + "0" * 64


def model_version(version: str, *, changelog: str = "") -> dict[str, Any]:
    """A ModelVersion of the family fraud."""
    spec: dict[str, Any] = {
        "model": "fraud",
        "version": version,
        "modelFormat": {"name": "onnx"},
        "artifacts": [{"role": "model", "uri": f"s3://models/{version}", "digest": DIGEST}],
    }
    if changelog:
        spec["changelog"] = changelog
    return {"metadata": {"namespace": KEY[0], "name": f"fraud-{version}"}, "spec": spec}


def model_deployment(version: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The ModelDeployment fraud: steps 5, 20, 50 of a minute each, looked at each second."""
    defaults: dict[str, Any] = {
        "model": "fraud",
        "version": version,
        "replicas": 4,
        "workload": {"template": {"spec": {"containers": [{"name": "model", "image": "server:1"}]}}},
        "port": 8080,
        "traffic": {"istio": {"hosts": ["fraud.example.com"], "gateways": ["istio-ingress/main"]}},
        "strategy": {
            "type": "Canary",
            "steps": [{"weight": weight, "hold": "60s"} for weight in (5, 20, 50)],
        },
        "analysis": {
            "interval": "1s",
            "metrics": [
                {"name": "error-rate", "profile": "envoy", "limit": 0.05, "criticalLimit": 0.1},
                {"name": "latency", "profile": "envoy", "limit": 0.05},
            ],
        },
        "rollbackPolicy": {"keepPrevious": "2m"},
        "drain": "10s",
        "progressDeadline": "5m",
        "revisionHistoryLimit": 5,
    }
    return {"metadata": {"namespace": KEY[0], "name": KEY[1]}, "spec": defaults | spec}


@dataclass
class Meter:
    """Counts traffic in place of a metrics provider.

    Attributes:
        bad: share of bad requests by version and check; missing: none.
        answer: what a look shows instead of counts: no data, or an error.
        rate: requests a second and arm.
    """

    bad: dict[tuple[str, str], float] = field(default_factory=dict)
    answer: NoData | ProviderError | None = None
    rate: int = 50
    subjects: dict[tuple[str, str], Subject] = field(default_factory=dict)
    books: dict[tuple[str, str], Evidence] = field(default_factory=dict)

    def track(self, subject: Subject) -> None:
        """As the collector."""
        known = self.books.get(subject.key)
        if known is None or known.scope != subject.scope:
            same = (
                subject.checkpoint
                if subject.checkpoint and subject.checkpoint.scope == subject.scope
                else None
            )
            self.books[subject.key] = same or Evidence(scope=subject.scope, since=subject.since)
        self.subjects[subject.key] = subject

    def untrack(self, key: tuple[str, str]) -> None:
        """As the collector."""
        self.subjects.pop(key, None)
        self.books.pop(key, None)

    def evidence(self, key: tuple[str, str], scope: str) -> Evidence | None:
        """As the collector."""
        known = self.books.get(key)
        return known if known and known.scope == scope else None

    def look(self, now: datetime) -> None:
        """One look of every subject, on the grid."""
        at = int(now.timestamp())
        for key, subject in self.subjects.items():
            if at % subject.plan.interval or at <= first_look(subject.since, subject.plan.interval):
                continue
            for check in subject.plan.checks:
                arms = {arm: self._seen(service.name, check.name) for arm, service in subject.arms.items()}
                self.books[key] = advance(self.books[key], check.name, Look(at=at, arms=arms), subject.plan)

    def _seen(self, service: str, check: str) -> Counts | NoData | ProviderError:
        if self.answer is not None:
            return self.answer
        for (version, name), share in self.bad.items():
            if name == check and f"-{version.replace('.', '-')}-" in service:
                return Counts(n=self.rate, k=round(self.rate * share))
        return Counts(n=self.rate, k=0)


class World:
    """One ModelDeployment, its cluster, and the operator.

    Attributes:
        ready: whether pods of a version become ready; missing: they do.
        plans: what was decided, in order.
        weights: every set of weights the route was given, by version, with its time.
    """

    def __init__(self) -> None:
        self.now = START
        self.cluster = FakeCluster(clock=lambda: self.now)
        self.meter = Meter()
        self.ready: dict[str, bool] = {}
        self.plans: list[tuple[Facts, Plan]] = []
        self.weights: list[tuple[datetime, dict[str, int]]] = []
        self._due: datetime | None = self.now
        self._changed = True
        self.cluster.watch(self._seen)
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is remembered but what is in the cluster."""
        self.store = Store(WATCHED)
        for kind in WATCHED:
            for body in asyncio.run(self.cluster.list(kind)):
                self.store.put(kind, body)
            self.store.mark_listed(kind)
        self.meter.books.clear()
        self.meter.subjects.clear()
        self.operator = Reconciler(
            store=self.store,
            cluster=self.cluster,
            evidence=self.meter,
            clock=lambda: self.now,
            decided=lambda facts, plan: self.plans.append((facts, plan)),
        )
        self._changed = True

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
            self._controllers()
            if not self._changed and (self._due is None or self._due > self.now):
                return
            self._changed = False
            self._due = asyncio.run(self._pass())
        raise AssertionError("the operator does not come to rest")

    async def _pass(self) -> datetime | None:
        for _ in range(10):
            try:
                return await self.operator.handle(KEY)
            except Fenced:
                continue
        raise AssertionError("the operator is fenced for ever")

    def run(self, seconds: float, *, until: Callable[[], bool] | None = None) -> None:
        """Lets time pass second by second, with a look and a pass at each."""
        self.settle()
        for _ in range(int(seconds)):
            if until and until():
                return
            self.now += timedelta(seconds=1)
            self.meter.look(self.now)
            self._changed = True
            self.settle()
        if until is not None:
            assert until(), f"not within {seconds} s: {self.status.get('summary')}"

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

    # -- the rest of the cluster ---------------------------------------------------------------------------

    def _seen(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        self._changed = True
        metadata = body["metadata"]
        if event == "DELETED":
            self.store.drop(kind, metadata["namespace"], metadata["name"], metadata["uid"])
        else:
            self.store.put(kind, body)
        if kind == VIRTUAL_SERVICE and event != "DELETED":
            weights = _weights(body)
            if not self.weights or self.weights[-1][1] != weights:
                self.weights.append((self.now, weights))

    def _controllers(self) -> None:
        """Deployments get pods, Services get EndpointSlices."""
        for body in self.cluster.all(DEPLOYMENT):
            labels = body["metadata"]["labels"]
            ready = self.ready.get(labels["modelramp.dev/version"], True)
            count = body["spec"].get("replicas", 1) if ready else 0
            self._slice(body, count)
            available = "True" if count or not body["spec"].get("replicas", 1) else "False"
            said = [
                {"type": "Available", "status": available, "lastTransitionTime": self._stamp(body, available)}
            ]
            if (body.get("status") or {}).get("conditions") != said:
                self._tell(body["metadata"]["name"], said)

    def _tell(self, name: str, conditions: list[dict[str, str]]) -> None:
        def change(live: dict[str, Any]) -> None:
            live.setdefault("status", {})["conditions"] = conditions

        who = {"manager": "kube-controller-manager", "subresource": "status"}
        self.cluster.edit(DEPLOYMENT, KEY[0], name, change, **who)

    def _stamp(self, body: dict[str, Any], status: str) -> str:
        known = (body.get("status") or {}).get("conditions") or [{}]
        if known[0].get("status") == status:
            return str(known[0]["lastTransitionTime"])
        return self.now.isoformat().replace("+00:00", "Z")

    def _slice(self, body: dict[str, Any], count: int) -> None:
        name = body["metadata"]["name"]
        endpoints = [{"addresses": [f"10.0.0.{n + 1}"], "conditions": {"ready": True}} for n in range(count)]
        live = self.cluster.get(ENDPOINT_SLICE, KEY[0], name)
        if live is None:
            service = self.cluster.get(SERVICE, KEY[0], name)
            assert service is not None, f"Deployment {name} without its Service"
            labels = {**service["metadata"]["labels"], "kubernetes.io/service-name": name}
            owner = {"kind": "Service", "name": name, "uid": service["metadata"]["uid"]}
            metadata = {"namespace": KEY[0], "name": name, "labels": labels, "ownerReferences": [owner]}
            self.cluster.place(ENDPOINT_SLICE, {"metadata": metadata, "endpoints": endpoints})
        elif live["endpoints"] != endpoints:

            def change(slice_: dict[str, Any]) -> None:
                slice_["endpoints"] = endpoints

            self.cluster.edit(ENDPOINT_SLICE, KEY[0], name, change)


def _weights(route: dict[str, Any] | None) -> dict[str, int]:
    if route is None:
        return {}
    return {
        item["headers"]["response"]["set"]["x-model-version"]: item["weight"]
        for item in route["spec"]["http"][0]["route"]
    }
