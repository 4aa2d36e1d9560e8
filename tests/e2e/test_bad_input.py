"""Bad input on a running operator: a message that says what is wrong; what serves keeps serving."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client import ApiException

from e2e.driver import Driver
from e2e.scriptedprometheus import RATE, ScriptedPrometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from devcluster import Cluster
    from e2e.operatorprocess import OperatorProcess

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

# The provider shows as many requests of both arms: the steps are near a half.
STEPS = (45, 55)
FIRST = {"1.0.0": 55, "1.1.0": 45}
BACK = {"1.0.0": 100}


@pytest.fixture
def rollout(scripted: Driver) -> Driver:
    """1.0.0 serves; every revision gets good requests until a test says otherwise."""
    return scripted


def begin(rollout: Driver, version: str = "1.1.0") -> None:
    """That version has its first weight."""
    rollout.version(version)
    rollout.until(lambda: rollout.share(version) == 45, 30, f"{version} has 45 %")


def stays(rollout: Driver, weights: dict[str, int], seconds: float = 5) -> None:
    """Nothing moves for so long."""
    rollout.never(lambda: rollout.weights != weights, seconds, f"the weights are not {weights} any more")


def test_unknown_version_in_mid_rollout(rollout: Driver, provider: ScriptedPrometheus) -> None:
    """A typo is named and nothing moves on; the candidate that fails meanwhile still goes back, for good."""
    begin(rollout)
    rollout.version("9.9.9")
    rollout.until(lambda: rollout.condition("VersionResolved")["reason"] == "VersionUnknown", 5, "said")
    said = rollout.condition("Ready")["message"]
    assert (
        f"ModelVersion {rollout.namespace}/digits-9.9.9 does not exist: apply it, or set spec.version" in said
    )
    stays(rollout, FIRST)
    provider.bad["1.1.0"] = 0.5
    rollout.until(lambda: rollout.weights == BACK, 15, "taken back")
    rollout.until(lambda: "rollback" in rollout.body["spec"], 5, "spec.rollback")
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.condition("RolledBack")["status"] == "True", 5, "rejected")
    stays(rollout, BACK, 3)


def test_version_of_another_model(rollout: Driver) -> None:
    """A model that has no such version: its name is said, and what serves keeps serving."""
    rollout.patch({"model": "churn", "version": "1.1.0"})
    rollout.until(lambda: rollout.condition("VersionResolved")["reason"] == "VersionUnknown", 5, "said")
    said = rollout.condition("Ready")["message"]
    assert f"ModelVersion {rollout.namespace}/churn-1.1.0 does not exist" in said
    assert "keeps serving" in said
    stays(rollout, BACK, 2)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{"weight": 60, "hold": "2s"}, {"weight": 40, "hold": "2s"}], "weights must rise"),
        ([{"weight": 100, "hold": "2s"}], "weight must be 1 to 99"),
        ([{"weight": 40, "hold": "0s"}], "must be a duration of at least 1s"),
        ([{"weight": 40, "hold": "banana"}], "must be a duration of at least 1s"),
        ([{"weight": 40, "hold": "2m", "maxHold": "1m"}], "maxHold must be at least as long as hold"),
    ],
    ids=["falling", "100", "0s", "banana", "maxHold"],
)
def test_wrong_steps_are_refused_in_mid_rollout(
    started: Driver, steps: list[dict[str, Any]], message: str
) -> None:
    """The API server says what is wrong and at which field; the rollout is as it was."""
    before = started.status["plan"]["id"]
    with pytest.raises(ApiException, match=message) as refused:
        started.patch({"strategy": {"steps": steps}})
    assert "spec.strategy.steps" in str(refused.value.body)
    assert started.status["plan"]["id"] == before
    assert started.weights == FIRST


@pytest.fixture(scope="module")
def started(
    installed: Cluster, models: Path, listener: OperatorProcess, provider: ScriptedPrometheus
) -> Iterator[Driver]:
    """1.1.0 stays at its first step for as long as this module's tests of the API server last."""
    assert listener.alive
    provider.clear()
    with Driver(installed, models, f"bad-{os.getpid()}-started") as driver:
        driver.deployment("1.0.0", hold="10m", weights=STEPS)
        begin(driver)
        yield driver


def test_image_that_cannot_start(rollout: Driver) -> None:
    """Rejected with the pod's own reason once the progress deadline is over; stable never lost a percent."""
    template = rollout.body["spec"]["workload"]["template"]
    template["spec"]["containers"][0]["image"] = "registry.invalid/digits:1"
    before = len(rollout.writes)
    rollout.patch({"workload": {"template": template}, "progressDeadline": "5s"})
    rollout.until(lambda: "rollback" in rollout.body["spec"], 30, "spec.rollback")
    rejection = rollout.body["spec"]["rollback"]
    assert rejection["reason"] == "WorkloadFailed"
    assert any(reason in rejection["message"] for reason in ("ErrImagePull", "ImagePullBackOff"))
    assert "registry.invalid/digits:1" in rejection["message"]
    rollout.until(lambda: rollout.condition("RolledBack")["status"] == "True", 5, "rejected")
    assert rejection["message"] in rollout.condition("Ready")["message"]
    assert "Ship another version" in rollout.condition("Ready")["message"]
    assert {tuple(write.weights.items()) for write in rollout.writes[before:]} <= {(("1.0.0", 100),)}


@pytest.mark.parametrize("how", ["refused", "hangs"])
def test_provider_that_does_not_answer(rollout: Driver, provider: ScriptedPrometheus, how: str) -> None:
    """Nothing moves; the message has the address and what happened there; an answer, and it goes on."""
    begin(rollout)
    if how == "refused":
        provider.close()
    else:
        provider.hangs = True
    try:
        text = "cannot be reached" if how == "refused" else "did not answer within"
        rollout.until(lambda: text in rollout.condition("Ready")["message"], 25, "said")
        assert provider.url in rollout.condition("Ready")["message"]
        stays(rollout, rollout.weights, 3)
        assert "rollback" not in rollout.body["spec"]
    finally:
        if how == "refused":
            provider.open()
        provider.hangs = False
    rollout.until(lambda: rollout.serving == "1.1.0", 40, "goes on")


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
def test_values_that_count_nothing(rollout: Driver, provider: ScriptedPrometheus, value: str) -> None:
    """No data is not good data: nothing moves, the message has the counter; it goes on with right ones."""
    provider.odd["1.1.0"] = value
    begin(rollout)
    said = "nan" if value == "NaN" else "inf"
    rollout.until(lambda: f"sent {said} as a counter" in rollout.condition("Ready")["message"], 20, "said")
    assert "digits-1-1-0-" in rollout.condition("Ready")["message"]
    stays(rollout, FIRST)
    assert "rollback" not in rollout.body["spec"]
    provider.clear()
    rollout.until(lambda: rollout.serving == "1.1.0", 40, "goes on")


def test_several_series_for_one_arm_are_added(rollout: Driver, provider: ScriptedPrometheus) -> None:
    """Two gateways, and only the second sees failures: the share is that of all requests of both."""
    provider.odd["1.1.0"] = "several"
    provider.bad["1.1.0"] = 0.6
    begin(rollout)
    rollout.until(lambda: rollout.weights == BACK, 15, "taken back")
    seen = next(entry for entry in rollout.status["analysis"] if entry["metric"] == "error-rate")
    assert seen["value"] == 0.3
    assert seen["n"] % (2 * RATE) == 0


def test_status_of_a_newer_release(rollout: Driver, provider: ScriptedPrometheus) -> None:
    """Nothing moves forward, and the way out is said; a failing candidate still goes back."""
    begin(rollout)
    arguments = ("patch", "mdep", "digits", "-n", rollout.namespace, "--subresource=status", "--type=merge")
    rollout.cluster.kubectl(*arguments, "-p", '{"status": {"format": 2}}')
    rollout.until(lambda: rollout.condition("Stalled")["reason"] == "NewerFormat", 5, "said")
    assert "run the release that wrote it" in rollout.condition("Stalled")["message"]
    stays(rollout, FIRST)
    assert rollout.status["format"] == 2
    provider.bad["1.1.0"] = 0.5
    rollout.until(lambda: rollout.weights == BACK, 15, "taken back")
    assert rollout.status["format"] == 2


def test_counters_that_begin_again(rollout: Driver, provider: ScriptedPrometheus) -> None:
    """A gateway that restarts every few seconds: a good revision passes, a bad one is taken back."""
    provider.odd |= {"1.0.0": "reset", "1.1.0": "reset", "2.0.0": "reset"}
    begin(rollout)
    rollout.until(lambda: rollout.serving == "1.1.0", 40, "promoted")
    rollout.until(lambda: not rollout.status.get("previous"), 20, "the bake is over")
    provider.bad["2.0.0"] = 0.3
    begin(rollout, "2.0.0")
    rollout.until(lambda: rollout.weights == {"1.1.0": 100}, 15, "taken back")
    assert rollout.body["spec"]["rollback"]["reason"] == "ErrorRate"


def test_clocks_that_differ(rollout: Driver, provider: ScriptedPrometheus) -> None:
    """Prometheus's clock is a minute ahead: nothing moves on, it says so; a failing candidate still goes."""
    begin(rollout)
    provider.ahead = 60.0
    rollout.until(lambda: "clock" in rollout.condition("Ready")["message"], 10, "said")
    said = rollout.condition("Ready")["message"]
    assert "behind that of the Prometheus: synchronise the clocks" in said
    stays(rollout, FIRST)
    provider.ahead = 0.0
    rollout.until(lambda: rollout.share("1.1.0") == 55, 15, "goes on")
    provider.ahead = -60.0
    rollout.until(lambda: "ahead of that" in rollout.condition("Ready")["message"], 10, "said")
    provider.bad["1.1.0"] = 1.0
    rollout.until(lambda: rollout.weights == BACK, 10, "taken back")
