"""A metrics provider in memory: it answers ranges like the real one, and can be made to fail."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelramp.metrics.port import Series, SourceError
from modelramp.metrics.profiles.envoy import cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelramp.metrics.service import ServiceRef


@dataclass
class CounterStore:
    """Samples by second since ``origin`` (Unix seconds), selected by the names in the query; and faults.

    ``hang``: queries never end; a text: those with it in them.
    """

    origin: int
    series: list[tuple[dict[str, str], dict[int, float]]] = field(default_factory=list)
    asked: list[tuple[str, int, int]] = field(default_factory=list)
    fault: str | None = None
    hang: bool | str = False

    def add(self, service: ServiceRef, samples: dict[int, float], pod: str = "g1", **labels: str) -> None:
        """One series."""
        if not labels:
            labels = {"response_code_class": "2xx"}
        name = "envoy_cluster_upstream_rq_time_bucket" if "le" in labels else "envoy_cluster_upstream_rq"
        self.series.append(
            ({"__name__": name, "cluster_name": cluster(service), "pod": pod, **labels}, samples)
        )

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """See the port; at each grid point the sample of exactly that time."""
        self.asked.append((query, start - self.origin, end - self.origin))
        await asyncio.sleep(0.01)
        if self.hang is True or (self.hang and self.hang in query):
            await asyncio.sleep(1e6)
        if self.fault is not None:
            raise SourceError(self.fault)
        return self.answer(query, start=start, end=end, step=step)

    def answer(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """What is stored."""
        metric = query.split("{", maxsplit=1)[0]
        names = re.search(r'cluster_name=~"(.*?)"', query)
        assert names is not None
        pattern = names[1].replace("\\\\", "\\")
        return [
            Series(
                labels,
                [
                    (at, samples[at - self.origin])
                    for at in range(start, end + 1, step)
                    if at - self.origin in samples
                ],
            )
            for labels, samples in self.series
            if labels["__name__"] == metric and re.fullmatch(pattern, labels["cluster_name"])
        ]
