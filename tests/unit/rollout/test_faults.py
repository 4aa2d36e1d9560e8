"""Who is to blame, in a rollout: what is told, what it keeps from moving, and what it never holds back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelramp.judgement.dispersion import Dispersion
from modelramp.kube.kinds import MODEL_VERSION
from modelramp.rollout.view import look
from support.manifests import model_version
from support.world import World

if TYPE_CHECKING:
    from modelramp.judgement.verdict import Verdict

FAULTS = {"DataDrift", "RoutingFault", "PredictionShift", "SharedFault"}
FAR = (0.55, 0.25, 0.15, 0.05)  # PSI 0.61 against as many in each bin
WARN = (0.35, 0.30, 0.20, 0.15)  # PSI 0.12
ANALYSIS = {
    "interval": "1s",
    "metrics": [
        {"name": "error-rate", "profile": "envoy", "limit": 0.05, "criticalLimit": 0.1},
        {"name": "prediction-drift", "profile": "model"},
    ],
}


@pytest.fixture
def world() -> World:
    """A world in which 1.0.0 serves everything."""
    made = World()
    made.deploy("1.0.0")
    made.settle()
    return made


def _conditions(world: World) -> set[str]:
    """The faults that status tells of."""
    return FAULTS & {item["type"] for item in world.status["conditions"]}


def _told(world: World) -> list[str]:
    """The faults that events tell of, in order."""
    return [reason for reason in world.reasons() if reason in FAULTS]


def _both(world: World, share: float) -> None:
    world.meter.bad = {(version, "error-rate"): share for version in ("1.0.0", "1.1.0")}


def test_errors_of_both_arms_are_held_and_told_once(world: World) -> None:
    """8 % in both arms, limit 5 %: no rollback, no step forward; one condition and one event say why."""
    _both(world, 0.08)
    world.deploy("1.1.0")
    world.run(90)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert "rollback" not in world.body["spec"]
    assert world.condition("SharedFault")["status"] == "True"
    assert "over 5 %, and so is stable with 8 %" in world.condition("SharedFault")["message"]
    assert world.status["summary"]["text"] == "NotProved: SharedFault"
    assert _told(world) == ["SharedFault"]


def test_a_rise_in_both_arms_blocks_the_pass(world: World) -> None:
    """From 1 % before to 3 % in both arms, limit 5 %: it is proved, but nothing moves on in an incident."""
    world.meter.rate = 100
    world.meter.past = {"error-rate": Dispersion(phi=1.0, looks=1000, bad=1000, requests=100_000)}
    _both(world, 0.03)
    world.deploy("1.1.0")
    world.run(90)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.status["summary"]["text"] == "NotProved: SharedFault"
    assert "held by SharedFault" in _verdicts(world)[0].message
    assert _told(world) == ["SharedFault"]


def test_the_same_rate_as_before_blocks_nothing(world: World) -> None:
    """3 % in both arms that stable had before as well is no incident."""
    world.meter.rate = 100
    world.meter.past = {"error-rate": Dispersion(phi=1.0, looks=1000, bad=3000, requests=100_000)}
    _both(world, 0.03)
    world.deploy("1.1.0")
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    assert _told(world) == []


def test_a_shared_fault_that_is_over_is_no_fault(world: World) -> None:
    """When both arms are well again the rollout goes on to its end, and nothing of the fault is left."""
    _both(world, 0.08)
    world.deploy("1.1.0")
    world.run(20)
    assert _conditions(world) == {"SharedFault"}
    world.meter.bad.clear()
    world.run(600, until=lambda: world.route == {"1.1.0": 100})
    world.run(5)
    assert _conditions(world) == set()
    assert _told(world) == ["SharedFault"]


def test_the_critical_tier_is_held_by_nothing(world: World) -> None:
    """From 8 % to 30 % in both arms, critical limit 10 %: the candidate goes back at once."""
    _both(world, 0.08)
    world.deploy("1.1.0")
    world.run(30)
    assert _conditions(world) == {"SharedFault"}
    _both(world, 0.3)
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    assert world.body["spec"]["rollback"]["reason"] == "ErrorRate"
    assert world.route == {"1.0.0": 100}
    assert _told(world) == ["SharedFault"]
    assert _conditions(world) == set()


def test_a_wrong_share_blocks_every_pass(world: World) -> None:
    """20 % of the requests where the route says 5 %: the step stays, and it is told with both figures."""
    world.deploy("1.1.0")
    world.meter.routed = {"1.0.0": 80, "1.1.0": 20}
    world.run(40)
    assert world.condition("RoutingFault")["status"] == "True"
    message = world.condition("RoutingFault")["message"]
    assert "the candidate gets 20 % of the requests" in message
    assert "instead of 5 %" in message
    world.run(50)
    assert world.route == {"1.0.0": 95, "1.1.0": 5}
    assert world.status["summary"]["text"] == "NotProved: RoutingFault"
    assert {entry["verdict"] for entry in world.status["analysis"]} == {"Inconclusive"}
    assert _told(world) == ["RoutingFault"]


def test_a_wrong_share_excuses_no_failure(world: World) -> None:
    """A candidate with 30 % errors goes back also when its share is not the configured one."""
    world.deploy("1.1.0")
    world.meter.routed = {"1.0.0": 80, "1.1.0": 20}
    world.run(20)
    world.meter.bad["1.1.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    assert world.body["spec"]["rollback"]["reason"] == "ErrorRate"


def test_a_route_that_gives_its_share_again_moves_on(world: World) -> None:
    """Once it is mended, what went wrong is forgotten within minutes of looks, and the step is left."""
    world.deploy("1.1.0")
    world.meter.routed = {"1.0.0": 80, "1.1.0": 20}
    world.run(20)
    assert _conditions(world) == {"RoutingFault"}
    world.meter.routed = {}
    world.run(300, until=lambda: world.route.get("1.1.0") == 20)


def test_two_equal_versions_blame_nobody(world: World) -> None:
    """An A/A rollout with 1 % errors and slow requests in both arms is promoted without any fault."""
    world.meter.rate = 100
    world.meter.bad = {
        (version, check): 0.01 for version in ("1.0.0", "1.1.0") for check in ("error-rate", "latency")
    }
    world.deploy("1.1.0")
    for _ in range(300):
        world.run(1)
        assert _conditions(world) == set()
        if world.route == {"1.1.0": 100}:
            break
    assert world.route == {"1.1.0": 100}
    assert _told(world) == []


def test_figures_that_change_are_no_news(world: World) -> None:
    """While a fault lasts, its growing counts cause no write of their own."""
    world.deploy("1.1.0")
    world.meter.routed = {"1.0.0": 80, "1.1.0": 20}
    world.run(125)
    world.cluster.writes.clear()
    world.run(300)
    assert world.cluster.writes == []


def test_uneven_load_is_told_with_the_latency(world: World) -> None:
    """One pod for 5 % and four for 95 %: no fault, but the latency's verdict says it is not comparable."""
    world.deploy("1.1.0")
    world.run(30)
    verdicts = {verdict.metric: verdict.message for verdict in _verdicts(world)}
    assert "latency is not compared" in verdicts["latency"]
    assert "latency is not compared" not in verdicts["error-rate"]
    assert _conditions(world) == set()


def test_other_answers_of_the_candidate_take_it_back(world: World) -> None:
    """Shifted predictions of the candidate alone: rolled back for PredictionShift, with the PSI."""
    world.meter.answers = {"1.1.0": FAR}
    world.deploy("1.1.0", analysis=ANALYSIS)
    world.run(50, until=lambda: "rollback" in world.body["spec"])
    rollback = world.body["spec"]["rollback"]
    assert rollback["reason"] == "PredictionShift"
    assert "PSI 0.6" in rollback["message"]
    assert _told(world) == ["PredictionShift"]


def test_answers_that_moved_in_both_arms_are_nobodys_fault(world: World) -> None:
    """The same shift in both arms is not the candidate's: it is promoted."""
    world.meter.answers = {"1.0.0": FAR, "1.1.0": FAR}
    world.deploy("1.1.0", analysis=ANALYSIS)
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    assert _told(world) == []


def test_a_small_shift_is_a_warning(world: World) -> None:
    """PSI between 0.10 and 0.25 is told, and keeps nothing from moving on."""
    world.meter.rate = 100
    world.meter.answers = {"1.1.0": WARN}
    world.deploy("1.1.0", analysis=ANALYSIS)
    world.run(30)
    assert world.condition("PredictionShift")["status"] == "True"
    assert _told(world) == ["PredictionShift"]
    world.run(300, until=lambda: world.route == {"1.1.0": 100})


def test_a_shift_that_the_version_declares_is_none(world: World) -> None:
    """With expectedShift: [prediction] in its ModelVersion, a version that answers otherwise is promoted."""
    version = model_version("1.1.0")
    version["spec"]["expectedShift"] = ["prediction"]
    world.apply(MODEL_VERSION, version)
    world.meter.answers = {"1.1.0": FAR}
    world.deploy("1.1.0", analysis=ANALYSIS)
    world.run(5)
    assert world.status["plan"]["expectedShift"] == ["prediction"]
    world.run(300, until=lambda: world.route == {"1.1.0": 100})
    assert _told(world) == []


def test_the_frozen_histogram_of_the_version_is_known(world: World) -> None:
    """Where stable exports no predictions the candidate is held against the one in its ModelVersion."""
    version = model_version("1.1.0")
    frozen = {"name": "prediction", "le": [0.25, 0.5, 0.75], "counts": [1000, 1000, 1000, 1000]}
    version["spec"]["baseline"] = {"histograms": [frozen]}
    world.apply(MODEL_VERSION, version)
    world.meter.answers = {"1.0.0": (0.0, 0.0, 0.0, 0.0), "1.1.0": FAR}
    world.deploy("1.1.0", analysis=ANALYSIS)
    world.run(50, until=lambda: "rollback" in world.body["spec"])
    assert "against its frozen baseline" in world.body["spec"]["rollback"]["message"]


def _verdicts(world: World) -> tuple[Verdict, ...]:
    """What is said of the last moment in which two arms were judged."""
    views = (look(facts) for facts, _ in reversed(world.plans))
    return next(view.verdicts for view in views if view.evidence and view.evidence.metrics)
