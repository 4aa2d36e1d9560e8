"""What a metrics provider would have of a world: its meter's counts as counters of the gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.judgement.evidence import Counts
from modelramp.metrics.service import ServiceRef
from support.counterstore import CounterStore
from support.world import KEY, START

if TYPE_CHECKING:
    from support.world import World

_PORT = 8080
# Longer than a look remembers a series: what was there before is no birth.
_BEFORE = 700
_OLD = 10_000


def provider(world: World, *services: str) -> CounterStore:
    """Errors and latency of these Services, second by second; seconds without data have no samples."""
    origin = int(START.timestamp())
    store = CounterStore(origin=origin)
    for name in services:
        service = ServiceRef(KEY[0], name, _PORT)
        errors, latency = (_counted(world, name, check) for check in ("error-rate", "latency"))
        store.add(service, {at: n - k for at, (n, k) in errors.items()}, response_code_class="2xx")
        store.add(service, {at: k for at, (_, k) in errors.items()}, response_code_class="5xx")
        store.add(service, {at: n - k for at, (n, k) in latency.items()}, le="500")
        store.add(service, {at: n for at, (n, _) in latency.items()}, le="+Inf")
    return store


def _counted(world: World, service: str, check: str) -> dict[int, tuple[float, float]]:
    """All requests and the bad ones so far, by second since the start."""
    origin = int(START.timestamp())
    total, bad = _OLD, 0
    found: dict[int, tuple[float, float]] = dict.fromkeys(range(-_BEFORE, 1), (total, bad))
    for at in sorted(world.meter.history):
        seen = world.meter.seen(at, service, check)
        if isinstance(seen, Counts):
            total, bad = total + seen.n, bad + seen.k
            found[at - origin] = (total, bad)
    return found


__all__ = ["provider"]
