"""What a pod's status says of its containers."""

from __future__ import annotations

import datetime as dt

import pytest

from devcluster.agent.status import (
    ContainerState,
    Running,
    Terminated,
    Waiting,
    conditions,
    phase,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RUNNING = Running(NOW)
GOOD = Terminated(0, "Completed", NOW, NOW)
BAD = Terminated(1, "Error", NOW, NOW)
CREATING = Waiting("ContainerCreating")
CRASHED = Waiting("CrashLoopBackOff")


def _state(state: Waiting | Running | Terminated, *, ready: bool = False) -> ContainerState:
    last = BAD if state is CRASHED else None
    return ContainerState("c", "image", state=state, ready=ready, last=last)


@pytest.mark.parametrize(
    ("init", "containers", "expected"),
    [
        ([], [CREATING], "Pending"),
        ([], [RUNNING, CREATING], "Pending"),
        ([], [RUNNING], "Running"),
        ([], [CRASHED], "Running"),
        ([], [GOOD, GOOD], "Succeeded"),
        ([], [GOOD, BAD], "Failed"),
        ([], [GOOD, RUNNING], "Running"),
        ([CRASHED], [CREATING], "Pending"),
        ([GOOD], [RUNNING], "Running"),
        ([BAD], [CREATING], "Failed"),
    ],
)
def test_phase(
    init: list[Waiting | Terminated], containers: list[Waiting | Running | Terminated], expected: str
) -> None:
    """The phase follows the states of all containers, init containers first."""
    assert phase([_state(s) for s in init], [_state(s) for s in containers]) == expected


def test_ready_needs_every_container_and_every_gate() -> None:
    """A pod is Ready only when its containers are and its readiness gates are True."""

    def ready(*, container: bool, gate: str) -> str:
        result = conditions(
            [],
            [_state(RUNNING, ready=container)],
            gates=["example/gate"],
            known=[{"type": "example/gate", "status": gate}],
            networked=True,
            now=NOW,
        )
        return str(next(c["status"] for c in result if c["type"] == "Ready"))

    assert ready(container=True, gate="True") == "True"
    assert ready(container=False, gate="True") == "False"
    assert ready(container=True, gate="False") == "False"


def test_unchanged_condition_keeps_its_transition_time() -> None:
    """Only a change of the status moves lastTransitionTime."""
    first = conditions([], [_state(RUNNING)], gates=[], known=[], networked=True, now=NOW)
    later = NOW + dt.timedelta(minutes=1)
    second = conditions([], [_state(RUNNING, ready=True)], gates=[], known=first, networked=True, now=later)
    times = {c["type"]: c["lastTransitionTime"] for c in second}
    assert times["Initialized"] == "2026-01-01T00:00:00Z"
    assert times["Ready"] == "2026-01-01T00:01:00Z"
