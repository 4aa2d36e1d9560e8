"""From the audit log to figures: pure, so that what is measured can be read and tested.

All figures are samples, one for each object or occasion; the report makes medians of them.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.audit import OPERATOR, by_operator, weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.audit import Request

Write = tuple[float, int]
"""Unix time in seconds and percent."""


def shares(log: Sequence[Request], name: str, version: str, *, since: float) -> list[Write]:
    """When the operator gave a version another share of one object's route; the first entry is over 0."""
    found: list[Write] = []
    for request in log:
        if request.name != name or request.user != OPERATOR or request.done < since:
            continue
        share = (weights(request) or {}).get(version, 0)
        if weights(request) is not None and share != (found[-1][1] if found else 0):
            found.append((request.done, share))
    return found


def ready(log: Sequence[Request], prefix: str, resource: str, *, before: float) -> float | None:
    """When something whose name begins so was last written before a time: pods/status, endpointslices."""
    times = [
        request.done
        for request in log
        if request.resource == resource
        and request.name.startswith(prefix)
        and request.good
        and request.done < before
    ]
    return max(times, default=None)


def holds(writes: Sequence[Write]) -> list[float]:
    """Seconds between the entries of steps."""
    return [after - before for (before, _), (after, _) in pairwise(writes)]


def requests_per_step(log: Sequence[Request], name: str, writes: Sequence[Write]) -> Counter[str]:
    """Requests of one object from the middle of the first hold to that of the third, by verb and resource.

    That is two entries of a step with the hold between them: halve them.
    """
    (first, _), (second, _), (third, _), *after = writes
    begin, end = (first + second) / 2, (third + after[0][0]) / 2 if after else third + (second - first) / 2
    return Counter(
        f"{request.verb} {request.resource}"
        for request in by_operator(log, begin=begin, end=end)
        if _concerns(request, name)
    )


def _concerns(request: Request, name: str) -> bool:
    return request.name == name or request.name.startswith((f"{name}-", f"{name}."))


def requests(log: Sequence[Request], *, begin: float, end: float) -> Counter[str]:
    """The operator's requests of a span, by verb and resource."""
    return Counter(f"{request.verb} {request.resource}" for request in by_operator(log, begin=begin, end=end))


def repairs(log: Sequence[Request], name: str, *, since: float, before: float) -> list[float]:
    """Seconds from an edit of a route by somebody else to the operator's next write of it."""
    routes = [
        request
        for request in log
        if request.resource == "virtualservices"
        and request.name == name
        and request.good
        and since <= request.done < before
    ]
    edits = [request.done for request in routes if request.user != OPERATOR]
    own = [request.done for request in routes if request.user == OPERATOR]
    return [min(done for done in own if done > edit) - edit for edit in edits if any(d > edit for d in own)]


def steady(counts: Counter[int]) -> list[float]:
    """Queries in each whole second but the first and the last, which are cut."""
    return [float(counts[second]) for second in range(min(counts) + 1, max(counts))] if counts else []
