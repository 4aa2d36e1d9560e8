"""The main job on the real control plane: a good version all the way, a bad one back, and in between."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import pytest

from e2e.prometheus import paused

if TYPE_CHECKING:
    from devcluster import Cluster
    from e2e.driver import Driver
    from e2e.operatorprocess import OperatorProcess

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

# From a route's write to Envoy serving it: some 50 ms with a quick istiod; generous on a busy machine.
PROPAGATION_SECONDS = 2.0
SIGMAS = 4.0
# At 40 requests a second a check is proved within a few seconds, so that a step lasts as long as its hold.
PROVED_SOON = (40, 60)


def test_c02_steps_are_exact_and_seen_in_requests(rollout: Driver) -> None:
    """Steps are exactly 5, 20, 50, 100; weights always sum to 100; the client's counts follow them."""
    rollout.deployment("1.0.0", hold="5s")
    rollout.traffic(100)
    begun = time.time()
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 100, 90, "1.1.0 has 100 %")
    writes = [write for write in rollout.writes if write.at >= begun]
    assert all(sum(write.weights.values()) == 100 for write in writes)
    shares = [write.weights.get("1.1.0", 0) for write in writes]
    assert list(dict.fromkeys(shares)) == [5, 20, 50, 100]
    for share, after in ((5, 20), (20, 50), (50, 100)):
        start, end = rollout.write("1.1.0", share).at + PROPAGATION_SECONDS, rollout.write("1.1.0", after).at
        assert end - start + PROPAGATION_SECONDS >= 4.9
        seen = rollout.answers(since=start, before=end)
        n, k, p = len(seen), sum(answer.version == "1.1.0" for answer in seen), share / 100
        assert n > 100
        assert abs(k - n * p) <= SIGMAS * math.sqrt(n * p * (1 - p)) + 1, f"{k} of {n} at {share} %"


def test_c03_promotion_restarts_nothing_and_loses_no_request(rollout: Driver) -> None:
    """The pods that were judged are the pods that serve; nobody's request fails on the way."""
    rollout.deployment("1.0.0")
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 50, 60, "1.1.0 has 50 %")
    judged = rollout.pods("1.1.0")
    rollout.until(lambda: rollout.serving == "1.1.0", 60, "1.1.0 is stable")
    serving = rollout.pods("1.1.0")
    assert judged.items() <= serving.items()
    rollout.until(lambda: rollout.replicas("1.0.0") == 0, 30, "1.0.0 is let go after the bake")
    time.sleep(1)
    failed = [answer for answer in rollout.answers() if answer.failed]
    assert failed == []
    assert {"RolloutStarted", "StepEntered", "Promoted", "BakeEnded"} <= set(rollout.reasons())


def test_r01_errors_are_taken_back(rollout: Driver) -> None:
    """A third of errors: spec.rollback, all to stable, no failed request after, pods gone after the drain."""
    rollout.deployment("1.0.0", hold="20s")
    rollout.traffic(100)
    rollout.version("2.0.0")
    rollout.until(lambda: "rollback" in rollout.body["spec"], 60, "spec.rollback")
    rollback = rollout.body["spec"]["rollback"]
    assert rollback["reason"] == "ErrorRate"
    assert rollback["rejectedRevision"].startswith("2.0.0-")
    assert rollback["toRevision"].startswith("1.0.0-")
    assert rollout.body["spec"]["version"] == "2.0.0"
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to stable")
    back = rollout.writes[-1].at
    assert rollout.replicas("2.0.0") > 0, "scaled down before the drain"
    down = rollout.until(lambda: rollout.replicas("2.0.0") == 0, 30, "2.0.0 is scaled down")
    assert down - back >= 2.9
    time.sleep(2)
    late = [answer for answer in rollout.answers(since=back + PROPAGATION_SECONDS) if answer.failed]
    assert late == []
    assert all(answer.version == "1.0.0" for answer in rollout.answers(since=back + PROPAGATION_SECONDS))
    assert rollout.condition("RolledBack")["status"] == "True"
    assert rollout.condition("Stalled")["status"] == "True"
    analysis = {entry["metric"]: entry for entry in rollout.status["analysis"]}
    assert analysis["error-rate"]["verdict"] == "Fail"
    # The share in the stretch that raised the alarm: few requests, and chosen for being bad.
    assert analysis["error-rate"]["value"] > 0.1
    rollout.never(lambda: rollout.weights != {"1.0.0": 100}, 5, "a rejected revision got traffic again")


def test_r02_latency_is_taken_back(rollout: Driver) -> None:
    """Two in five requests over 500 ms: the same, with the reason Latency."""
    rollout.deployment("1.0.0", hold="30s")
    rollout.traffic(100)
    rollout.version("2.1.0")
    rollout.until(lambda: "rollback" in rollout.body["spec"], 60, "spec.rollback")
    assert rollout.body["spec"]["rollback"]["reason"] == "Latency"
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to stable")


def test_r05_retry_and_a_new_version(rollout: Driver) -> None:
    """`retry` starts the same revision over with new evidence; another version clears spec.rollback."""
    rollout.deployment("1.0.0", hold="20s")
    rollout.traffic(100)
    rollout.version("2.0.0")
    rollout.until(
        lambda: (rollout.status.get("summary") or {}).get("text") == "RolledBack: ErrorRate", 60, "back"
    )
    again = time.time()
    rollout.request("retry/once")
    rollout.until(lambda: (rollout.status.get("lastRequest") or {}).get("result") == "Done", 10, "answered")
    rollout.until(lambda: rollout.share("2.0.0") == 5, 20, "2.0.0 is tried again")
    rollout.until(lambda: rollout.share("2.0.0") == 0, 60, "and taken back again")
    assert [w.weights.get("2.0.0", 0) for w in rollout.writes if w.at >= again][:2] == [5, 0]
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 5, 20, "1.1.0 begins")
    rollout.until(lambda: "rollback" not in rollout.body["spec"], 5, "spec.rollback is gone")
    assert [entry["version"] for entry in rollout.status["rejectedRevisions"]] == ["2.0.0"]


def test_revert_in_mid_rollout_ends_it_at_once(rollout: Driver) -> None:
    """Back to stable in Git: the candidate has no traffic within a second, and nothing is rejected."""
    rollout.deployment("1.0.0", hold="20s")
    rollout.traffic(50)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 5, 30, "1.1.0 has 5 %")
    asked = time.time()
    rollout.version("1.0.0")
    assert rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to 1.0.0") - asked < 1.0
    rollout.until(lambda: rollout.status["history"][0]["outcome"] == "Reverted", 5, "outcome Reverted")
    assert rollout.status.get("rejectedRevisions", []) == []
    assert "rollback" not in rollout.body["spec"]


def test_abort_by_a_person(rollout: Driver) -> None:
    """`abort` is a rollback with the reason Aborted."""
    rollout.deployment("1.0.0", hold="30s")
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 5, 30, "1.1.0 has 5 %")
    rollout.request("abort/because")
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to 1.0.0")
    assert rollout.body["spec"]["rollback"]["reason"] == "Aborted"


def test_r08_failure_in_the_bake(rollout: Driver) -> None:
    """A revision that fails right after its promotion goes back to the one before, which is still warm."""
    rollout.deployment("1.0.0", hold="3s", rollbackPolicy={"keepPrevious": "60s"})
    rollout.traffic(100)
    # Promoted by mistake of nobody: the limits were generous, and then were not.
    generous = [{"name": "error-rate", "limit": 0.6}, {"name": "latency", "limit": 0.6}]
    rollout.patch({"version": "2.0.0", "analysis": {"interval": "1s", "metrics": generous}})
    rollout.until(lambda: rollout.serving == "2.0.0" or "rollback" in rollout.body["spec"], 90, "promoted")
    rollout.until(lambda: "rollback" in rollout.body["spec"], 60, "taken back in the bake")
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 5, "all to 1.0.0")
    rollout.until(lambda: rollout.serving == "1.0.0", 5, "1.0.0 is stable again")
    assert "Promoted" in rollout.reasons()


def test_x01_a_killed_operator_does_not_touch_the_hold(rollout: Driver, operator: OperatorProcess) -> None:
    """SIGKILL in a hold: it lasts as long as it would have, neither shortened nor repeated."""
    rollout.deployment("1.0.0", hold="12s", weights=PROVED_SOON)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    time.sleep(4)
    operator.kill()
    time.sleep(2)
    operator.start()
    rollout.until(lambda: rollout.share("1.1.0") == 60, 30, "1.1.0 has 60 %")
    held = rollout.write("1.1.0", 60).at - rollout.write("1.1.0", 40).at
    assert 11.9 <= held < 13.5


def test_killed_between_the_rejection_and_the_route(rollout: Driver, operator: OperatorProcess) -> None:
    """Only `spec.rollback` was written when the operator died: the next one finishes the rollback."""
    rollout.deployment("1.0.0", hold="60s")
    rollout.traffic(50)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 5, 30, "1.1.0 has 5 %")
    operator.kill()
    status = rollout.status
    rollout.patch(
        {
            "rollback": {
                "rejectedRevision": status["candidate"]["revision"],
                "toRevision": status["stable"]["revision"],
                "reason": "ErrorRate",
                "message": "error rate 31 % over 5 %",
                "time": "2026-01-01T00:00:00Z",
            }
        }
    )
    rollout.never(lambda: rollout.weights != {"1.0.0": 95, "1.1.0": 5}, 2, "somebody else moved the traffic")
    operator.start()
    rollout.until(lambda: rollout.weights == {"1.0.0": 100}, 10, "all to 1.0.0")
    rollout.until(lambda: rollout.replicas("1.1.0") == 0, 30, "1.1.0 is scaled down")
    assert rollout.condition("RolledBack")["status"] == "True"


def test_x03_a_route_edited_by_hand_is_put_back(rollout: Driver) -> None:
    """Put back within half a second; nothing is skipped; the hold is not shortened."""
    rollout.deployment("1.0.0", hold="8s", weights=PROVED_SOON)
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 40, 30, "1.1.0 has 40 %")
    time.sleep(2)
    rollout.edit_route([0, 100])
    wrong, right = {"1.0.0": 0, "1.1.0": 100}, {"1.0.0": 60, "1.1.0": 40}
    rollout.until(lambda: any(w.weights == wrong for w in rollout.writes), 5, "the edit was seen")
    edited = next(w for w in rollout.writes if w.weights == wrong)
    rollout.until(lambda: rollout.weights == right, 5, "put back")
    repaired = next(w for w in rollout.writes if w.at >= edited.at and w.weights == right)
    assert repaired.at - edited.at < 0.5
    rollout.until(lambda: rollout.share("1.1.0") == 60, 30, "1.1.0 has 60 %")
    assert rollout.write("1.1.0", 60).at - rollout.write("1.1.0", 40).at >= 7.9
    assert "RouteRepaired" in rollout.reasons()


def test_m01_metrics_gone_hold_the_rollout(rollout: Driver, installed: Cluster) -> None:
    """Prometheus stops answering in mid-step: neither passed nor failed; it goes on when it answers again."""
    rollout.deployment("1.0.0", hold="6s")
    rollout.traffic(100)
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 5, 30, "1.1.0 has 5 %")
    with paused(installed):
        rollout.never(lambda: rollout.weights != {"1.0.0": 95, "1.1.0": 5}, 14, "moved without data")
        assert rollout.condition("Ready")["reason"] in {"Blind", "NotProved"}
        assert "rollback" not in rollout.body["spec"]
    rollout.until(lambda: rollout.share("1.1.0") == 20, 30, "goes on")
