"""The one path: snapshot → observe → decide → act, for one ModelDeployment at a time.

It may be run at any time, any number of times, from any state, and gets to the same place.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from modelramp.controller import questions
from modelramp.controller.act import Pass
from modelramp.controller.denied import ROUTER_MISSING
from modelramp.controller.observe import Reading, is_deleted, observe, read
from modelramp.controller.past import Asked
from modelramp.controller.snapshot import Snapshot
from modelramp.controller.subjects import subject_of
from modelramp.kube.errors import Fenced, Missing, Unavailable
from modelramp.kube.kinds import (
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MODEL_DEPLOYMENT,
    MODEL_VERSION,
    POD,
    SERVICE,
    VIRTUAL_SERVICE,
)
from modelramp.metrics.service import ServiceRef
from modelramp.rollout.decide import decide
from modelramp.rollout.facts import Facts, Refusal
from modelramp.rollout.plan import Plan, key_of
from modelramp.rollout.view import outline, scope_of
from modelramp.traffic import virtualservice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelramp.api.status import ModelDeploymentStatus
    from modelramp.controller.book import Subject
    from modelramp.controller.store import Key, Store
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Evidence
    from modelramp.kube.port import Cluster
    from modelramp.rollout.view import View

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)
# What is being installed is asked for more often than a policy that says no.
LONGEST_WAIT_FOR_ROUTER = timedelta(seconds=10)


class EvidenceSource(Protocol):
    """What the metrics collector offers a reconciliation."""

    def track(self, subject: Subject) -> None:
        """Counts this from now on."""
        ...

    def untrack(self, key: Key) -> None:
        """Counts nothing more for this key."""
        ...

    def evidence(self, key: Key, scope: str) -> Evidence | None:
        """What has been counted in this scope."""
        ...

    def past(self, asked: Asked) -> Mapping[str, Dispersion] | None:
        """How stable's errors came before the rollout; None while it is not known."""
        ...


class Reconciler:
    """Brings one ModelDeployment after the other to where it should be.

    Args:
        store: what was seen last; takes the answers of writes.
        cluster: where writes go.
        evidence: what is counted.
        clock: the time now, in UTC.
        lag: seconds after which a look's counters must be in.
        decided: called with each plan that was carried out; for telemetry.
        clocks: what is wrong with our clock; None when nothing.
        wake: called with others that a write concerns: who waits for a host that was given up.
    """

    def __init__(
        self,
        *,
        store: Store,
        cluster: Cluster,
        evidence: EvidenceSource,
        clock: Callable[[], datetime],
        lag: float = 60.0,
        decided: Callable[[Facts, Plan], None] = lambda _facts, _plan: None,
        clocks: Callable[[], str | None] = lambda: None,
        wake: Callable[[Key], None] = lambda _key: None,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._evidence = evidence
        self._clock = clock
        self._lag = lag
        self._decided = decided
        self._clocks = clocks
        self._wake = wake
        self._refusals: dict[Key, dict[str, tuple[Refusal, timedelta]]] = {}
        self._readings: dict[Key, tuple[tuple[str, str], Reading]] = {}
        self._deleting: dict[Key, datetime] = {}

    async def handle(self, key: Key) -> datetime | None:
        """One pass. Gives the time at which to look again at the latest; None: when something changes."""
        snapshot = take(self._store, key)
        if snapshot is None:
            self._evidence.untrack(key)
            self._refusals.pop(key, None)
            self._readings.pop(key, None)
            self._deleting.pop(key, None)
            return None
        now = self._clock()
        facts = self._facts(key, snapshot, now)
        plan = decide(facts)
        self._track(key, outline(facts))
        writes = Pass(
            cluster=self._cluster,
            sink=self._store,
            snapshot=snapshot,
            status=facts.status,
            now=now,
            clock=self._clock,
            refusals=facts.refusals,
        )
        try:
            await writes.run(plan)
        except Fenced:
            await self._catch_up(key)
            raise
        finally:
            for other in writes.concerned - {key}:
                self._wake(other)
            news = self._remember(key, writes, plan, now)
        self._decided(facts, plan)
        # Our own writes wake nobody: what follows from them is looked at here.
        if writes.changed or news:
            return now
        again = (refusal.again for refusal, _ in self._refusals.get(key, {}).values())
        return min((time for time in (plan.requeue_at, *again) if time is not None), default=None)

    def _facts(self, key: Key, snapshot: Snapshot, now: datetime) -> Facts:
        reading = self._read(key, snapshot)
        status = reading.status
        evidence = self._evidence.evidence(key, scope_of(status, status.plan))
        refusals = {what: refusal for what, (refusal, _) in self._refusals.get(key, {}).items()}
        if is_deleted(snapshot.body):
            self._deleting.setdefault(key, now)
        else:
            self._deleting.pop(key, None)
        facts = observe(
            snapshot,
            now=now,
            evidence=evidence,
            lag=self._lag,
            queries=queries_for(snapshot, status),
            refusals=refusals,
            reading=reading,
            clock=self._clocks(),
            deleting_since=self._deleting.get(key),
        )
        asked = _past_of(key, facts)
        return replace(facts, past=self._evidence.past(asked)) if asked else facts

    async def _catch_up(self, key: Key) -> None:
        """Reads what may be behind in the store, so that a watch that lags holds nothing up."""
        for kind in (MODEL_DEPLOYMENT, VIRTUAL_SERVICE):
            with suppress(Missing, Unavailable):
                for other in self._store.put(kind, await self._cluster.read(kind, *key)) - {key}:
                    self._wake(other)

    def _read(self, key: Key, snapshot: Snapshot) -> Reading:
        """What the ModelDeployment says; kept from pass to pass while something is on its way."""
        metadata = snapshot.body["metadata"]
        state = (metadata["uid"], metadata["resourceVersion"])
        known = self._readings.pop(key, None)
        reading = known[1] if known is not None and known[0] == state else read(snapshot.body)
        if reading.status.candidate is not None or reading.status.previous is not None:
            self._readings[key] = (state, reading)
        return reading

    def _remember(self, key: Key, writes: Pass, plan: Plan, now: datetime) -> bool:
        """Refusals wait twice as long each time, so that a policy that says no is not asked for ever.

        Returns:
            Whether there is something new to tell.
        """
        before = self._refusals.get(key, {})
        planned = {key_of(effect) for effect in plan.effects}
        known = {
            what: entry for what, entry in before.items() if what in planned and what not in writes.succeeded
        }
        for refused in writes.refused:
            _, last = known.get(refused.what, (None, FIRST_WAIT / 2))
            longest = LONGEST_WAIT_FOR_ROUTER if refused.reason == ROUTER_MISSING else LONGEST_WAIT
            wait = min(last * 2, longest)
            refusal = Refusal(reason=refused.reason, message=refused.message, again=now + wait)
            known[refused.what] = (refusal, wait)
        self._refusals.pop(key, None)
        if known:
            self._refusals[key] = known
        return _told(before) != _told(known)

    def _track(self, key: Key, view: View) -> None:
        subject = subject_of(key, view)
        if subject is None:
            self._evidence.untrack(key)
        else:
            self._evidence.track(subject)


def _past_of(key: Key, facts: Facts) -> Asked | None:
    """Whose past is wanted: stable's, from a rollout's start to its first weight."""
    status, plan = facts.status, facts.status.plan
    if plan is None or status.stable is None or status.candidate is None or status.candidate.step:
        return None
    stable = facts.workloads.get(status.stable.revision)
    if stable is None or status.candidate.direct:
        return None
    revision = stable.revision
    return Asked(
        key=key,
        rollout=plan.id,
        stable=ServiceRef(facts.namespace, revision.service, revision.port, facts.name, revision.name),
        interval=int(plan.analysis.interval.total_seconds()),
        selections=questions.selections(plan.analysis),
    )


def _told(refusals: Mapping[str, tuple[Refusal, timedelta]]) -> set[tuple[str, str, str]]:
    return {(what, refusal.reason, refusal.message) for what, (refusal, _) in refusals.items()}


def take(store: Store, key: Key) -> Snapshot | None:
    """The objects that concern a ModelDeployment; None when it is gone."""
    body = store.get(MODEL_DEPLOYMENT, *key)
    if body is None:
        return None
    namespace, name = key
    spec = body.get("spec") or {}
    route = store.get(VIRTUAL_SERVICE, namespace, name)
    hosts = {host for _, host in virtualservice.wanted_hosts(body)}
    rivals = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item
        for host in hosts
        for item in store.routes_of(host)
    }
    rivals.pop(key, None)
    return Snapshot(
        body=body,
        version=store.get(MODEL_VERSION, namespace, f"{spec.get('model')}-{spec.get('version')}"),
        deployments=store.children(DEPLOYMENT, key),
        pods=store.children(POD, key),
        slices=store.children(ENDPOINT_SLICE, key),
        apex=store.get(SERVICE, namespace, name),
        route=route,
        rivals=[rivals[item] for item in sorted(rivals)],
    )


def queries_for(snapshot: Snapshot, status: ModelDeploymentStatus) -> Mapping[str, str]:
    """PromQL for people, by name of the metric, for the revision that is judged."""
    judged = status.candidate or status.stable
    if judged is None or status.plan is None:
        return {}
    metadata = snapshot.body["metadata"]
    port = (snapshot.body.get("spec") or {}).get("port", 8080)
    service = ServiceRef(metadata["namespace"], judged.service, port, metadata["name"], judged.revision)
    return questions.for_people(status.plan.analysis, service)
