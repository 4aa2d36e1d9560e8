"""Two operators on the real control plane: one works, the other takes over, and no request notices."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from e2e.driver import Driver
from e2e.operatorprocess import PORT, OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devcluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

_log = logging.getLogger(__name__)

LEASE_SECONDS, RETRY_SECONDS = 15.0, 2.0
HOLD_SECONDS = 24.0
# Quickly proved, so that a step lasts as long as its hold.
PROVED_SOON = (40, 60)


class Pair:
    """Two operators, of which one works."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._cluster = cluster
        self.leader = OperatorProcess(cluster, folder, name="one", port=PORT)
        self.standby = OperatorProcess(cluster, folder, name="two", port=PORT + 1)

    def start(self) -> None:
        """Starts both; the first to start leads."""
        self.leader.start()
        self.until_leads(self.leader, LEASE_SECONDS + RETRY_SECONDS)
        self.standby.start()

    def stop(self) -> None:
        """Ends both, stopped ones too."""
        for process in (self.leader, self.standby):
            if process.alive:
                process.signal(signal.SIGCONT)
                process.terminate()

    def swap(self) -> None:
        """The other leads from now on."""
        self.leader, self.standby = self.standby, self.leader

    def until_leads(self, process: OperatorProcess, seconds: float) -> float:
        """Waits until it works; the time (monotonic) at which that was seen."""
        end = time.monotonic() + seconds
        while not process.leads:
            assert time.monotonic() < end, f"does not lead after {seconds} s:\n{process.tail()}"
            time.sleep(0.02)
        return time.monotonic()

    @property
    def lease(self) -> dict[str, Any]:
        """What stands in the Lease."""
        text = self._cluster.kubectl("get", "lease", "modelramp", "-n", "modelramp-system", "-o", "json")
        spec: dict[str, Any] = json.loads(text)["spec"]
        return spec


@pytest.fixture
def pair(installed: Cluster, process: OperatorProcess, tmp_path: Path) -> Iterator[Pair]:
    """Two operators instead of the session's one."""
    process.terminate()
    made = Pair(installed, tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def rollout(installed: Cluster, models: Path, pair: Pair) -> Iterator[Driver]:
    """A namespace of the test's own."""
    assert pair.leader.leads
    with Driver(installed, models, f"leader-{os.getpid()}-{time.monotonic_ns() % 10**6}") as driver:
        yield driver


def writes(process: OperatorProcess) -> dict[str, float]:
    """Write requests that it has sent and that were done, by kind and verb."""
    found = re.findall(r"^modelramp_writes_total\{(.*)\} (\S+)$", process.metrics(), re.MULTILINE)
    return {labels: float(value) for labels, value in found if 'outcome="ok"' in labels}


def changed(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """What has been written in between."""
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


def test_x02_a_killed_leader_is_followed(rollout: Driver, pair: Pair) -> None:
    """SIGKILL early in a hold: it lasts as long as ever. At its end: the next move within lease and retry."""
    rollout.deployment("1.0.0", hold=f"{HOLD_SECONDS:g}s", weights=PROVED_SOON)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    transitions = pair.lease["leaseTransitions"]
    time.sleep(3)
    pair.leader.kill()
    rollout.until(lambda: rollout.share("1.1.0") == 60, 40, "1.1.0 has 60 %")
    held = rollout.write("1.1.0", 60).at - rollout.write("1.1.0", 40).at
    assert HOLD_SECONDS - 0.1 <= held < HOLD_SECONDS + 1.5
    assert pair.lease["holderIdentity"].startswith("two_")
    assert pair.lease["leaseTransitions"] == transitions + 1
    pair.leader.start()
    pair.swap()

    time.sleep(max(0, rollout.write("1.1.0", 60).at + HOLD_SECONDS - 1.5 - time.time()))
    killed = time.time()
    pair.leader.kill()
    rollout.until(lambda: rollout.share("1.1.0") == 100, 40, "1.1.0 has 100 %")
    taken = rollout.write("1.1.0", 100).at - killed
    _log.info("a hold of %g s lasted %.2f s; next move %.2f s after the kill", HOLD_SECONDS, held, taken)
    assert taken < LEASE_SECONDS + RETRY_SECONDS + 1
    shares = [write.weights.get("1.1.0", 0) for write in rollout.writes]
    assert [share for share in dict.fromkeys(shares) if share] == [40, 60, 100]
    assert [answer for answer in rollout.answers() if answer.failed] == []


@pytest.mark.slow
def test_x04_a_stalled_leader_does_nothing_when_it_goes_on(rollout: Driver, pair: Pair) -> None:
    """SIGSTOP for longer than the lease, the other moves on, SIGCONT: not one write; it can lead again."""
    rollout.deployment("1.0.0", hold=f"{HOLD_SECONDS:g}s", weights=PROVED_SOON)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    time.sleep(1)
    before = writes(pair.leader)
    pair.leader.signal(signal.SIGSTOP)
    rollout.until(lambda: rollout.share("1.1.0") == 60, 40, "1.1.0 has 60 %")
    held = rollout.write("1.1.0", 60).at - rollout.write("1.1.0", 40).at
    assert HOLD_SECONDS - 0.1 <= held < HOLD_SECONDS + 1.5
    seen = len(rollout.writes)
    pair.leader.signal(signal.SIGCONT)
    rollout.never(lambda: len(rollout.writes) != seen, 5, "the route was written")
    done = changed(before, writes(pair.leader))
    assert [key for key in done if 'kind="Lease"' not in key] == []
    assert sum(done.values()) <= 1, "more than the renewal that it may have sent before it stood still"
    assert not pair.leader.leads
    assert pair.standby.leads
    pair.standby.terminate()
    pair.until_leads(pair.leader, RETRY_SECONDS + 1)
    rollout.never(lambda: len(rollout.writes) != seen, 2, "the route was written")


def test_a_leader_that_ends_hands_over_within_a_retry(pair: Pair) -> None:
    """SIGTERM: the Lease is released, and the standby, which was ready all the time, works a moment later."""
    transitions = pair.lease["leaseTransitions"]
    asked = time.monotonic()
    pair.leader.signal(signal.SIGTERM)
    took = pair.until_leads(pair.standby, LEASE_SECONDS) - asked
    _log.info("the next one led %.2f s after SIGTERM", took)
    assert took < RETRY_SECONDS + 0.5
    assert pair.lease["holderIdentity"].startswith("two_")
    assert pair.lease["leaseTransitions"] == transitions + 1


def test_idle_operators_write_nothing_but_the_lease(rollout: Driver, pair: Pair) -> None:
    """While a ModelDeployment serves the leader renews every retry period; the standby writes nothing."""
    rollout.deployment("1.0.0")
    time.sleep(3)
    leader, standby = writes(pair.leader), writes(pair.standby)
    time.sleep(20)
    assert changed(standby, writes(pair.standby)) == {}
    ((what, times),) = changed(leader, writes(pair.leader)).items()
    assert 'kind="Lease"' in what
    assert 9 <= times <= 11
