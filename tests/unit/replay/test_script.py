"""The scripted-series file: what it takes, and what it says to a wrong one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from modelramp.replay.load import ScriptError, load_script
from modelramp.replay.script import Script

if TYPE_CHECKING:
    from pathlib import Path

ARMS = {"candidate": {"rps": 1, "errors": 0.01}, "stable": {"rps": 19, "errors": 0.01}}


def _written(folder: Path, **content: Any) -> Path:  # noqa: ANN401 - YAML
    path = folder / "case.yaml"
    path.write_text(yaml.safe_dump({"phases": [{"for": "10m", **ARMS}]} | content))
    return path


def test_what_is_left_out_stays_as_it_was() -> None:
    """A later phase changes what it names; a figure that is null there has no data from then on."""
    script = Script.model_validate(
        {
            "phases": [
                {"for": "10m", **ARMS},
                {"for": "10m", "candidate": {"errors": 0.2, "burst": 5}},
                {"for": "10m", "candidate": {"errors": None}, "stable": {"rps": 9}},
            ]
        }
    )
    drawn = [(candidate, stable) for _, _, candidate, stable in script.drawn()]
    assert [candidate.errors for candidate, _ in drawn] == [0.01, 0.2, None]
    assert [candidate.burst for candidate, _ in drawn] == [1, 5, 5]
    assert [candidate.rps for candidate, _ in drawn] == [1, 1, 1]
    assert [stable.rps for _, stable in drawn] == [19, 19, 9]


def test_a_metric_that_no_phase_mentions_is_not_judged() -> None:
    """Errors alone are judged by the error rate alone; what the policy has no metric for is named."""
    script = Script.model_validate({"phases": [{"for": "10m", **ARMS}]})
    assert [metric.name for metric in script.judged.metrics] == ["error-rate"]
    assert script.judged.interval == timedelta(seconds=30)
    strict = {"metrics": [{"name": "latency", "limit": 0.1}, {"name": "error-rate", "limit": 0.1}]}
    slow = {
        "for": "10m",
        "candidate": {"rps": 1, "slow": 0},
        "stable": {"rps": 1, "predictions": {"mean": 0, "sd": 1}},
    }
    other = Script.model_validate({"policy": strict, "phases": [slow]})
    assert [metric.name for metric in other.judged.metrics] == ["latency"]
    assert other.unjudged == ("predictions",)


def test_a_policy_may_be_another_file(tmp_path: Path) -> None:
    """An analysis section, or an object with `spec.analysis`; the path is beside the case."""
    analysis = {"interval": "10s", "metrics": [{"name": "error-rate", "limit": 0.02}]}
    for content in (analysis, {"kind": "RolloutPolicy", "spec": {"analysis": analysis}}):
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump(content))
        script = load_script(_written(tmp_path, policy={"file": "policy.yaml"}))
        assert script.policy.metrics[0].limit == 0.02
        assert script.look_every == 10


WRONG = [
    ({"phases": []}, "phases: List should have at least 1 item"),
    ({"phase": []}, "phase: Extra inputs are not permitted"),
    (
        {"phases": [{"for": "10m", "candidate": {"rps": 1, "errors": 1.5}}]},
        "errors: must be a share of 0 to 1",
    ),
    ({"phases": [{"for": "10m", "candidate": {"rps": 1, "errors": "off"}}]}, "or down (provider error)"),
    (
        {"phases": [{"for": "10m", "candidate": {"rps": 1, "errors": 0}}]},
        "phases.0: give rps of candidate and",
    ),
    (
        {"phases": [{"for": "10m", **ARMS}], "rps": {"total": 5}},
        "phases.0: give rps of candidate and stable, or",
    ),
    ({"phases": [{"for": "45s", **ARMS}]}, "phases.0.for: must be a multiple of the interval of 30 s"),
    ({"phases": [{"for": "a day", **ARMS}]}, "phases.0.for: must be a duration"),
    ({"phases": [ARMS]}, "phases.0: give either `for`"),
    ({"phases": [{"looks": [{"candidate": {"requests": 3, "errors": 4}}]}]}, "4 of 3 requests cannot be"),
    (
        {"phases": [{"looks": [{"candidate": {"requests": 3, "errors": 0.5}}]}]},
        "errors: must be a whole number",
    ),
    ({"phases": [{"looks": [{"candidate": {"requests": 3}}], "for": "1m"}]}, "phases.0: give either `for`"),
    (
        {"phases": [{"looks": [{"candidate": {"requests": 3, "errors": 0}}]}], "history": "1h"},
        "history: is drawn",
    ),
    ({"phases": [{"for": "10m", "candidate": {"rps": 1}, "stable": {"rps": 1}}]}, "no metric of the policy"),
    ({"steps": [{"weight": 50, "hold": "1m"}, {"weight": 20, "hold": "1m"}]}, "weights must rise"),
    ({"policy": {"metrics": [{"name": "error-rate", "limit": 5}]}}, "policy.metrics.0: limit"),
    ({"policy": {"file": "nowhere.yaml"}}, "nowhere.yaml: cannot be read: No such file"),
    (
        {"expect": {"outcome": "Rejected"}},
        "expect.outcome: Input should be 'RolledBack', 'Promoted' or 'Holding'",
    ),
    ({"expect": {"outcome": "Holding", "after": "2h", "within": "1h"}}, "must not be before `after`"),
    ({"repeat": 0}, "repeat: Input should be greater than or equal to 1"),
    ({"phases": [{"for": "100000h", **ARMS}], "interval": "1s"}, "looks are too many"),
]


@pytest.mark.parametrize(("content", "said"), WRONG)
def test_a_wrong_file_is_told_what_is_wrong(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    """The message names the file and the field."""
    path = _written(tmp_path, **content)
    with pytest.raises(ScriptError) as caught:
        load_script(path)
    assert said in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [("phases: [", "is not YAML"), ("- 1", "must be a mapping"), ("\xff", "UTF-8"), (None, "No such file")],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    """No YAML, no text, no mapping, no file: each has its sentence."""
    path = tmp_path / "case.yaml"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ScriptError, match=said):
        load_script(path)
