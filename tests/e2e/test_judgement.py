"""Verdicts of a running operator on what a scripted provider shows of both arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from e2e.driver import Driver
    from e2e.scriptedprometheus import ScriptedPrometheus

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

BACK = {"1.0.0": 100}


def begin(rollout: Driver) -> None:
    """1.1.0 has its first weight."""
    rollout.version("1.1.0")
    rollout.until(lambda: rollout.share("1.1.0") == 45, 30, "1.1.0 has 45 %")


def verdict(rollout: Driver, metric: str = "error-rate") -> str:
    """What status says of a metric."""
    found = [entry for entry in rollout.status.get("analysis") or [] if entry["metric"] == metric]
    return str(found[0]["message"]) if found else ""


def test_worse_than_stable_under_the_limit(scripted: Driver, provider: ScriptedPrometheus) -> None:
    """3 % of errors where stable has none: under the limit of 5 %, and taken back all the same."""
    provider.bad["1.1.0"] = 0.034
    begin(scripted)
    scripted.until(lambda: scripted.weights == BACK, 60, "taken back")
    rollback = scripted.body["spec"]["rollback"]
    assert rollback["reason"] == "ErrorRate"
    assert "stable" in rollback["message"]


def test_errors_that_rise_in_both_arms(scripted: Driver, provider: ScriptedPrometheus) -> None:
    """Over the limit in both: held and told; once stable is well again the candidate is taken back."""
    provider.bad |= {"1.0.0": 0.084, "1.1.0": 0.084}
    begin(scripted)
    scripted.never(lambda: "rollback" in scripted.body["spec"], 20, "taken back for what is not its fault")
    assert scripted.share("1.1.0") == 45
    provider.bad["1.0.0"] = 0.0
    scripted.until(lambda: scripted.weights == BACK, 60, "taken back")


def test_critical_in_both_arms(scripted: Driver, provider: ScriptedPrometheus) -> None:
    """Half of all requests fail in both arms: nothing holds that back."""
    provider.bad |= {"1.0.0": 0.5, "1.1.0": 0.5}
    begin(scripted)
    scripted.until(lambda: scripted.weights == BACK, 30, "taken back")


def test_a_metric_that_nobody_can_answer(scripted: Driver) -> None:
    """Told before the first look: which metric, why, and what to use instead; what serves goes on."""
    scripted.patch(
        {"analysis": {"interval": "1s", "metrics": [{"name": "latency", "profile": "triton", "limit": 0.05}]}}
    )
    scripted.until(lambda: scripted.condition("VersionResolved")["reason"] == "InvalidSpec", 5, "said")
    said = scripted.condition("VersionResolved")["message"]
    assert said.startswith("spec.analysis.metrics[0]: profile triton has no latency: ")
    assert scripted.weights == BACK
