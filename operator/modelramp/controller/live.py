"""What the leader has counted and judged at this moment: status has it only now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.api.base import format_time
from modelramp.controller.observe import observe, read
from modelramp.controller.reconciler import queries_for, take
from modelramp.rollout.assemble import analysis_of
from modelramp.rollout.view import look, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from modelramp.controller.reconciler import EvidenceSource
    from modelramp.controller.store import Key, Store

STANDBY = "this process stands by: another one leads and has the evidence"


class StandbyError(Exception):
    """Only the leader counts."""

    def __init__(self) -> None:
        super().__init__(STANDBY)


class Live:
    """Answers for one term; it reads only.

    Args:
        store: what was seen last.
        evidence: what is counted.
        clock: the time now, in UTC.
        lag: seconds after which a look's counters must be in.
    """

    def __init__(
        self, *, store: Store, evidence: EvidenceSource, clock: Callable[[], datetime], lag: float
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._clock = clock
        self._lag = lag

    def of(self, key: Key) -> dict[str, Any] | None:
        """A ModelDeployment's verdicts as now judged, as in status, and its evidence; None: not known.

        Returns:
            ``time``, ``scope`` (``<rollout>/<index>``), ``blind`` (why nothing can be seen, or null),
            ``analysis`` (empty when nothing is judged) and ``evidence`` (or null), as JSON objects.
        """
        snapshot = take(self._store, key)
        if snapshot is None:
            return None
        reading = read(snapshot.body)
        status = reading.status
        view = look(
            observe(
                snapshot,
                now=self._clock(),
                reading=reading,
                evidence=self._evidence.evidence(key, scope_of(status, status.plan)),
                lag=self._lag,
                queries=queries_for(snapshot, status),
            )
        )
        counted = view.evidence if view.checks is not None else None
        return {
            "namespace": key[0],
            "name": key[1],
            "time": format_time(view.now),
            "scope": view.scope,
            "blind": view.blind,
            "analysis": [analysis_of(verdict).wire() for verdict in view.verdicts],
            "evidence": counted.to_dict() if counted is not None else None,
        }
