"""What `make bench` reads out of an audit log."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from bench import audit, figures
from bench.provider import Provider

VERSION = "1.1.0"


def entry(at: float, **changes: Any) -> str:  # noqa: ANN401 - JSON
    """A line of the log, of a request that was answered at that second of a minute."""
    made = {
        "auditID": f"{at}-{sorted(changes.items())}",
        "verb": "patch",
        "user": {"username": audit.OPERATOR},
        "requestReceivedTimestamp": f"2026-01-01T00:00:{at - 0.01:09.6f}Z",
        "stageTimestamp": f"2026-01-01T00:00:{at:09.6f}Z",
        "responseStatus": {"code": 200},
    }
    return json.dumps(made | changes)


def route(at: float, share: int, **changes: Any) -> str:  # noqa: ANN401 - JSON
    """A write of a route."""
    items = [
        {"weight": weight, "headers": {"response": {"set": {audit.VERSION_HEADER: version}}}}
        for version, weight in (("1.0.0", 100 - share), (VERSION, share))
    ]
    target = {"resource": "virtualservices", "name": "d0000"}
    return entry(at, objectRef=target, requestObject={"spec": {"http": [{"route": items}]}}, **changes)


def start(log: list[audit.Request]) -> float:
    """Unix time of second 0."""
    return log[0].done - log[0].done % 60


def test_shares_are_the_changes_by_the_operator() -> None:
    """Repetitions, refused writes and those of others are no entries of a step."""
    log = audit.read(
        [
            route(1, 0),
            route(2, 5),
            route(3, 5),
            route(4, 95, user={"username": "admin"}),
            route(5, 20, responseStatus={"code": 409}),
            route(12, 20),
        ]
    )
    found = figures.shares(log, "d0000", VERSION, since=start(log))
    assert [share for _, share in found] == [5, 20]
    assert figures.holds(found) == pytest.approx([10.0])


def test_a_route_put_back_is_timed_from_the_edit() -> None:
    """From somebody else's write to the next of the operator's."""
    log = audit.read([route(2, 5), route(4, 95, user={"username": "admin"}), route(4.2, 5), route(9, 20)])
    assert figures.repairs(log, "d0000", since=0, before=log[-1].done + 1) == pytest.approx([0.2])


def test_requests_of_two_steps_are_counted_for_one_object() -> None:
    """Leases, other objects and other steps are not counted; events and children are."""
    steps = [route(1, 5), route(11, 20), route(21, 50), route(31, 100)]
    others = [
        entry(11.1, objectRef={"resource": "modeldeployments", "subresource": "status", "name": "d0000"}),
        entry(11.2, verb="create", objectRef={"resource": "events", "name": "d0000.17"}),
        entry(12, verb="update", objectRef={"resource": "leases", "name": "modelramp"}),
        entry(13, objectRef={"resource": "modeldeployments", "subresource": "status", "name": "d0001"}),
    ]
    log = audit.read([*steps, *others])
    writes = figures.shares(log, "d0000", VERSION, since=start(log))
    assert figures.requests_per_step(log, "d0000", writes) == {
        "patch virtualservices": 2,
        "patch modeldeployments/status": 1,
        "create events": 1,
    }


def test_a_watch_is_one_request() -> None:
    """Its begin and its end are two lines of one audit id."""
    first, last = (entry(at, verb="watch", auditID="a", objectRef={"resource": "pods"}) for at in (1, 50))
    (found,) = audit.read([first, last])
    assert found.done % 60 == 1


def test_seconds_that_are_cut_are_no_intervals() -> None:
    """The first and the last second of a span are left out; one without a query counts as 0."""
    assert figures.steady(Counter({10: 1, 11: 2, 13: 2, 14: 1})) == [2.0, 0.0, 2.0]


def test_the_provider_goes_bad_at_a_second() -> None:
    """Counters grow at the same rate before and after; from the fault on all growth is failures."""
    provider = Provider(_epoch=100, faults={VERSION: 110})
    query = 'envoy_cluster_upstream_rq_xx{cluster_name=~"outbound|80||d0000-1-1-0-0123abcd.bench.svc"}'
    query = query.replace("|", r"\\|")
    found = list(provider.series(query, range(109, 113)))
    by_class = {
        series["metric"]["response_code_class"]: [float(value) for _, value in series["values"]]  # type: ignore[index, attr-defined]
        for series in found
    }
    assert by_class == {"2xx": [540, 600, 600, 600], "5xx": [0, 0, 60, 120]}
