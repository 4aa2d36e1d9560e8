"""A rollout in virtual time is the operator's: holds, proofs, alarms, no data, and when each happens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modelramp.judgement.evidence import Counts, NoData, ProviderError
from modelramp.judgement.verdict import Arm, Outcome
from modelramp.replay.run import HOLDING, PROMOTED, ROLLED_BACK, Run, met, quantiles, run, runs, shares
from modelramp.replay.script import Expect, Script
from modelramp.replay.walk import Walk, begin_at

STEPS = [{"weight": 10, "hold": "10m", "maxHold": "30m"}, {"weight": 50, "hold": "5m"}]
GOOD = {"requests": 300, "errors": 1}


def _script(phases: list[dict[str, Any]], **content: Any) -> Script:  # noqa: ANN401 - YAML
    return Script.model_validate({"interval": "30s", "steps": STEPS, "phases": phases} | content)


def _given(
    looks: int, *, candidate: dict[str, Any] | None, stable: dict[str, Any] | None = None
) -> dict[str, Any]:
    arms = {"candidate": candidate, "stable": stable or {"requests": 2700, "errors": 9}}
    return {"looks": [{name: arm for name, arm in arms.items() if arm is not None}] * looks}


def test_a_good_version_goes_all_the_way() -> None:
    """Ten minutes, five minutes, 100 %: not a look earlier or later."""
    found = run(_script([_given(60, candidate=GOOD)]), 1)
    assert (found.outcome, found.at, found.step, found.weight) == (PROMOTED, timedelta(minutes=15), 2, 50)
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.PASS]


def test_a_bad_version_is_taken_back_at_the_look_that_shows_it() -> None:
    """Half of the requests fail from the fourth minute on: back at the next look, with the reason."""
    bad = {"requests": 300, "errors": 150}
    found = run(_script([_given(8, candidate=GOOD), _given(20, candidate=bad)]), 1)
    assert (found.outcome, found.reason, found.step) == (ROLLED_BACK, "ErrorRate", 1)
    assert timedelta(minutes=4) < found.at <= timedelta(minutes=5)
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.FAIL]


def test_without_proof_it_holds() -> None:
    """Too few requests: it stays at the first step after its hold, and asks a person at maxHold."""
    few = {"requests": 1, "errors": 0}
    found = run(_script([_given(40, candidate=few)]), 1)
    assert (found.outcome, found.reason, found.step) == (HOLDING, "NotProved", 1)
    assert found.at == timedelta(minutes=20)
    assert [verdict.outcome for verdict in found.verdicts] == [Outcome.INCONCLUSIVE]


@pytest.mark.parametrize("blind", [None, {"requests": 300, "errors": "down"}], ids=["no data", "down"])
def test_nothing_moves_without_data(blind: dict[str, Any] | None) -> None:
    """Proved long ago, but unseen when the hold ends: it stays until the data are back, then goes on."""
    script = _script([_given(15, candidate=GOOD), _given(15, candidate=blind), _given(30, candidate=GOOD)])
    found = run(script, 1)
    assert found.outcome == PROMOTED
    # Seen again at the look after 15 minutes; the second step's hold is five more.
    assert found.at == timedelta(minutes=15, seconds=30) + timedelta(minutes=5)


def test_a_hold_ends_between_two_looks() -> None:
    """A hold of 45 s at looks of 30 s is over after 45 s."""
    steps = [{"weight": 10, "hold": "45s"}]
    many = {"requests": 3000, "errors": 1}
    found = run(_script([_given(10, candidate=many)], steps=steps), 1)
    assert (found.outcome, found.at) == (PROMOTED, timedelta(seconds=45))


@pytest.mark.parametrize("errors", [0.0, 0.05, 0.12])
def test_looks_that_decide_nothing_are_left_out_rightly(errors: float) -> None:
    """Deciding at each look, as in a cluster, ends at the same moment in the same way."""
    phase = {"for": "40m", "candidate": {"rps": 3, "errors": errors}, "stable": {"rps": 27, "errors": 0.01}}
    script = _script([phase])
    for seed in (1, 2):
        quick, every = run(script, seed), run(script, seed, every_look=True)
        assert quick == every


def test_counts_begin_after_the_acknowledgement() -> None:
    """What is counted in a step is what came in it: the requests of the step before are forgotten."""
    script = _script([_given(1, candidate=GOOD)])
    walk = Walk(strategy=script.strategy, analysis=script.judged, now=begin_at(30))
    seen = {Arm.CANDIDATE: {"error-rate": Counts(300, 1)}, Arm.STABLE: {"error-rate": Counts(2700, 9)}}
    for number in range(1, 22):
        walk.look(begin_at(30) + number * timedelta(seconds=30), seen)
    assert walk.weight == 50
    (verdict,) = walk.last().verdicts
    assert verdict.n == 300


def test_the_weight_is_that_of_the_step() -> None:
    """The route has the first step's weight from the beginning, and no arm is blamed for the other's data."""
    script = _script([_given(1, candidate=GOOD)])
    walk = Walk(strategy=script.strategy, analysis=script.judged, now=begin_at(30))
    assert walk.weight == 10
    assert not walk.over
    walk.look(begin_at(30) + timedelta(seconds=30), {Arm.CANDIDATE: {"error-rate": NoData()}, Arm.STABLE: {}})
    assert walk.last().blind is not None
    down = {"error-rate": ProviderError("refused")}
    walk.look(begin_at(30) + timedelta(seconds=60), {Arm.CANDIDATE: down, Arm.STABLE: {}})
    assert "refused" in (walk.last().blind or "")


def test_a_history_tells_of_bursts() -> None:
    """Stable failed one by one for a day: proof comes sooner than if bursts must be feared."""
    arm = {"errors": 0.01}
    phase = {"for": "2h", "candidate": {"rps": 0.5, **arm}, "stable": {"rps": 9.5, **arm}}
    steps = [{"weight": 5, "hold": "1m", "maxHold": "2h"}]
    times = [run(_script([phase], steps=steps, **more), 3).at for more in ({"history": "24h"}, {})]
    assert times[0] < times[1]


def _ended(outcome: str, minutes: int, reason: str = "") -> Run:
    at = timedelta(minutes=minutes)
    return Run(seed=1, outcome=outcome, reason=reason, at=at, step=1, weight=10, verdicts=())


def test_many_runs_are_a_distribution() -> None:
    """Shares of the outcomes and quantiles of the times."""
    found = [
        _ended(PROMOTED, 10),
        _ended(PROMOTED, 20),
        _ended(ROLLED_BACK, 30, "Latency"),
        _ended(HOLDING, 40),
    ]
    assert shares(found) == {"Promoted": 0.5, "RolledBack": 0.25, "Holding": 0.25}
    assert quantiles(found) == {"p5": 600, "p25": 600, "p50": 1200, "p75": 1800, "p95": 2400}


@pytest.mark.parametrize(
    ("expected", "share"),
    [
        ({"outcome": "RolledBack"}, 0.5),
        ({"outcome": "RolledBack", "reason": "ErrorRate"}, 0.25),
        ({"outcome": "RolledBack", "after": "15m"}, 0.25),
        ({"outcome": "RolledBack", "within": "15m"}, 0.25),
        ({"outcome": "RolledBack", "after": "10m", "within": "30m"}, 0.5),
        ({"outcome": "Holding", "reason": "NotProved"}, 0.0),
    ],
)
def test_what_is_expected(expected: dict[str, Any], share: float) -> None:
    """Outcome, reason, not before, not after: each counts."""
    found = [
        _ended(ROLLED_BACK, 10, "ErrorRate"),
        _ended(ROLLED_BACK, 30, "Latency"),
        _ended(PROMOTED, 20),
        _ended(HOLDING, 20, "Holding"),
    ]
    assert met(found, Expect.model_validate(expected)) == share


def test_each_repetition_has_its_seed() -> None:
    """Seeds count up from the file's; a run is the same whether alone or among others."""
    phase = {"for": "40m", "candidate": {"rps": 1, "errors": 0.08}, "stable": {"rps": 9, "errors": 0.01}}
    script = _script([phase], repeat=3, seed=5)
    found = runs(script)
    assert [item.seed for item in found] == [5, 6, 7]
    assert found[2] == run(script, 7)
