"""One process of the operator, driven by hand: what it has seen, when it wakes, and its passes step by step.

No event loop: the memory cluster only ever yields, so that a test may let two processes take turns.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from modelramp.controller.reconciler import Reconciler
from modelramp.controller.store import Store
from modelramp.controller.workers import FENCED_AT_ONCE
from modelramp.kube.errors import ClusterError, Fenced
from modelramp.kube.kinds import WATCHED, Kind
from support.manifests import KEY
from support.meter import Collector, Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from modelramp.rollout.facts import Facts
    from modelramp.rollout.plan import Plan
    from support.fakecluster import FakeCluster

T = TypeVar("T")


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end that waits for nothing but its turn."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            found: T = end.value
            return found


class Process:
    """A process from its start on.

    Attributes:
        lagging: kinds whose watch events are held back.
        due: when the next pass is due without an event.
        woken: an event or a look asks for a pass.
        clock_trouble: what is said of this machine's clock.
        others: further ModelDeployments that were woken.
    """

    def __init__(
        self,
        name: str,
        *,
        cluster: FakeCluster,
        meter: Meter,
        clock: Callable[[], datetime],
        decided: Callable[[Facts, Plan], None],
    ) -> None:
        self.name = name
        self.store = Store(WATCHED)
        for kind in WATCHED:
            for body in drive(cluster.list(kind)):
                self.store.put(kind, body)
            self.store.mark_listed(kind)
        self.collector = Collector(meter)
        self._clock = clock
        self.clock_trouble: str | None = None
        self.others: set[tuple[str, str]] = set()
        self._reconciler = Reconciler(
            store=self.store,
            cluster=cluster,
            evidence=self.collector,
            clock=clock,
            decided=decided,
            clocks=lambda: self.clock_trouble,
            wake=self.others.add,
        )
        self.lagging: frozenset[Kind] = frozenset()
        self._late: list[tuple[str, Kind, dict[str, Any]]] = []
        self._passing = False
        self.due: datetime | None = None
        self.woken = True
        self._fenced = 0

    def event(self, event: str, kind: Kind, body: dict[str, Any]) -> None:
        """A watch event: taken in, or held back."""
        if kind in self.lagging or self._passing:
            self._late.append((event, kind, body))
            return
        metadata = body["metadata"]
        if event == "DELETED":
            version = int(metadata["resourceVersion"])
            place = (kind, metadata["namespace"], metadata["name"], metadata["uid"])
            concerned = self.store.drop(*place, version=version)
        else:
            concerned = self.store.put(kind, body)
        self.woken |= KEY in concerned

    def lag(self, kinds: frozenset[Kind]) -> None:
        """Holds events of these kinds back from now on; those of others come in, late ones too."""
        self.lagging, late = kinds, self._late
        self._late = []
        for item in late:
            self.event(*item)

    def look(self) -> None:
        """A look at the metrics."""
        self.woken |= self.collector.look(self._clock())

    def wants(self) -> bool:
        """Whether a pass is due."""
        return self.woken or (self.due is not None and self.due <= self._clock())

    async def pass_(self) -> None:
        """One pass, and what the worker makes of its failures.

        Events come after the answers of the pass's own writes: they tell nothing new then, and wake nobody.
        """
        self.woken, self.due = False, None
        self._passing = True
        try:
            await self._pass()
        finally:
            self._passing = False
            self.lag(self.lagging)

    async def _pass(self) -> None:
        try:
            self.due = await self._reconciler.handle(KEY)
        except Fenced:
            self._fenced += 1
            if self._fenced <= FENCED_AT_ONCE:
                self.woken = True
                return
            self.due = self._clock() + timedelta(seconds=1)
        except ClusterError:
            self.due = self._clock() + timedelta(seconds=1)
        self._fenced = 0
