"""ModelDeployment on a real API server: what is refused in which words, and what defaults are."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from support.api import analysis, canary, deployment

if TYPE_CHECKING:
    from support.api import Api

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("weights", [(20, 5), (5, 5), (5, 50, 20)])
def test_weights_must_rise(api: Api, name: str, weights: tuple[int, ...]) -> None:
    """Weights that fall or stay are refused, with right ones shown."""
    said = api.refusal(deployment(name, strategy=canary(*((weight, "1h") for weight in weights))))
    assert "spec.strategy.steps" in said
    assert "weights must rise: each step's is greater than the one before, such as 5, 20, 50" in said


@pytest.mark.parametrize("weight", [100, 0, -5])
def test_weight_is_1_to_99(api: Api, name: str, weight: int) -> None:
    """100 % is not a step; the message says so."""
    said = api.refusal(deployment(name, strategy=canary((weight, "1h"))))
    assert "spec.strategy.steps[0].weight" in said
    assert "weight must be 1 to 99; 100 % follows the last step by itself" in said


@pytest.mark.parametrize("hold", ["0s", "banana", "", "1d", "1.5h", "-5m", "30"])
def test_hold_must_be_a_duration(api: Api, name: str, hold: str) -> None:
    """Whatever is wrong with a duration, the message is ours and shows right ones."""
    said = api.refusal(deployment(name, strategy=canary((5, hold))))
    assert "spec.strategy.steps[0].hold" in said
    assert "must be a duration of at least 1s, in hours, minutes and seconds, such as 90s, 30m or 24h" in said


def test_max_hold_is_not_shorter_than_hold(api: Api, name: str) -> None:
    """A limit that ends before the hold does is refused at its field; as long as the hold is taken."""
    step = {"weight": 5, "hold": "24h", "maxHold": "23h59m"}
    said = api.refusal(deployment(name, strategy={"type": "Canary", "steps": [step]}))
    assert "spec.strategy.steps[0].maxHold" in said
    assert "maxHold must be at least as long as hold" in said
    api.apply(deployment(name, strategy={"type": "Canary", "steps": [step | {"maxHold": "24h"}]}))


@pytest.mark.parametrize("wrong", ["v2.1.0", "2.1", "2.1.0+build", "02.1.0", "2.1.0-RC1", "latest", ""])
def test_version_must_be_semver(api: Api, name: str, wrong: str) -> None:
    """What is no semantic version is refused at its field, with right ones shown."""
    said = api.refusal(deployment(name, version=wrong))
    assert "spec.version" in said
    assert "must be a semantic version" in said
    assert "such as" in said


@pytest.mark.parametrize("hold", ["1s", "90s", "24h", "168h", "1h30m", "999999h"])
def test_durations_are_taken_as_written(api: Api, name: str, hold: str) -> None:
    """A right duration is kept as it was written."""
    found = api.apply(deployment(name, strategy=canary((5, hold))))
    assert found["spec"]["strategy"]["steps"][0]["hold"] == hold


@pytest.mark.parametrize("critical", [0.05, 0.01])
def test_critical_limit_is_above_the_limit(api: Api, name: str, critical: float) -> None:
    """A critical limit that is not above the limit is refused."""
    said = api.refusal(deployment(name, analysis=analysis(criticalLimit=critical)))
    assert "spec.analysis.metrics[0].criticalLimit" in said
    assert "criticalLimit must be greater than limit" in said


@pytest.mark.parametrize("wrong", ["1fraud", "fraud.eu", "f" * 53])
def test_name_of_a_deployment_can_name_services(api: Api, wrong: str) -> None:
    """A name that no Service could have, with the revision behind it, is refused, with the reason."""
    said = api.refusal(deployment(wrong))
    assert "metadata.name must begin with a letter" in said
    assert "at most 52 characters: the Services and the route are named after it" in said


def test_longest_name_is_taken(api: Api) -> None:
    """52 characters are not too many."""
    name = f"f{uuid.uuid4().hex}".ljust(52, "x")
    assert api.apply(deployment(name))["metadata"]["name"] == name


def test_defaults_are_seen_in_the_live_object(api: Api, name: str) -> None:
    """Who reads the object sees what holds; what a policy decides is not there."""
    spec = api.apply(deployment(name, analysis=analysis()))["spec"]
    found = {
        key: spec[key] for key in ("replicas", "port", "revisionHistoryLimit", "progressDeadline", "drain")
    }
    assert found == {
        "replicas": 1,
        "port": 8080,
        "revisionHistoryLimit": 5,
        "progressDeadline": "30m",
        "drain": "30s",
    }
    assert spec["rollbackPolicy"] == {"keepPrevious": "1h"}
    assert spec["analysis"]["interval"] == "30s"
    assert spec["analysis"]["metrics"][0]["profile"] == "envoy"
    assert "strategy" not in spec
    assert "rollback" not in spec


def test_pod_specification_is_kept_as_written(api: Api, name: str) -> None:
    """The pod's specification is Kubernetes' own: nothing of it is pruned."""
    pod = {"containers": [{"name": "model", "image": "model", "args": ["--x"]}], "schedulerName": "other"}
    found = api.apply(deployment(name, workload={"template": {"spec": pod}}))
    assert found["spec"]["workload"]["template"]["spec"] == pod
