"""A metrics provider whose counters go bad at a known second, and that counts what it is asked."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from e2e.scriptedprometheus import RATE, ScriptedPrometheus

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Provider(ScriptedPrometheus):
    """Every cluster has 60 requests a second.

    Attributes:
        faults: Unix second from which on every request of a version fails.
        asked: queries by Unix second.
    """

    faults: dict[str, int] = field(default_factory=dict)
    asked: Counter[int] = field(default_factory=Counter)

    def series(self, query: str, times: range) -> Iterator[dict[str, object]]:
        """As Prometheus' JSON."""
        self.asked[int(time.time())] += 1
        return super().series(query, times)

    def _of(self, cluster: str, version: str, times: range, *, latency: bool) -> Iterator[dict[str, object]]:
        begin, fault = self._epoch, self.faults.get(version)
        if latency or fault is None:
            yield from super()._of(cluster, version, times, latency=latency)
            return
        good = {at: RATE * (min(at, fault) - begin) for at in times if at >= begin}
        counts = {"2xx": good, "5xx": {at: RATE * max(0, at - fault) for at in good}}
        for component, values in counts.items():
            labels = {"cluster_name": cluster, "pod": "gateway-0", "response_code_class": component}
            yield {"metric": labels, "values": [[at, str(value)] for at, value in values.items()]}
