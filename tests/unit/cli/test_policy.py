"""`modelramp policy test` as a person or a script meets it: output, exit codes, and the examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from modelramp.cli.main import app

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parents[3] / "examples" / "policies").glob("*.yaml")
    if "phases" in yaml.safe_load(path.read_text())
)
BAD = {
    "looks": [{"candidate": {"requests": 50, "errors": 30}, "stable": {"requests": 950, "errors": 9}}] * 10
}


def _run(folder: Path, *options: str, **content: Any) -> Any:  # noqa: ANN401 - click's result
    path = folder / "case.yaml"
    steps = [{"weight": 5, "hold": "1h"}]
    path.write_text(yaml.safe_dump({"interval": "60s", "steps": steps, "phases": [BAD]} | content))
    return CliRunner().invoke(app, ["policy", "test", str(path), *options])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_come_out_as_they_say(path: Path) -> None:
    """Every example has an expectation, and it holds."""
    assert "expect" in yaml.safe_load(path.read_text())
    found = CliRunner().invoke(app, ["policy", "test", str(path)])
    assert (found.exit_code, "as expected" in found.stdout) == (0, True), found.output


def test_there_are_examples() -> None:
    """The folder was found."""
    assert len(EXAMPLES) >= 6


def test_people_read_what_happened_and_why(tmp_path: Path) -> None:
    """Outcome, time, step, and the figures of each check."""
    found = _run(tmp_path)
    assert found.exit_code == 0
    assert "RolledBack: ErrorRate after " in found.stdout
    assert "at step 1 of 2, 5 % (seed 1)" in found.stdout
    assert "error rate 60 %" in found.stdout


def test_programs_read_the_same(tmp_path: Path) -> None:
    """One run is a list of one, with the verdicts it ended on."""
    (run,) = json.loads(_run(tmp_path, "-o", "json", seed=3).stdout)
    assert (run["seed"], run["outcome"], run["reason"], run["step"]) == (3, "RolledBack", "ErrorRate", 1)
    assert 0 < run["at"] <= 600
    (check,) = run["analysis"]
    assert (check["metric"], check["verdict"]) == ("error-rate", "Fail")
    assert check["value"] == pytest.approx(0.6)


def test_repeated_runs_are_a_distribution(tmp_path: Path) -> None:
    """The runs, the share of each outcome, the quantiles of the times, and how many are as expected."""
    expect = {"outcome": "RolledBack"}
    found = _run(tmp_path, "-o", "json", repeat=3, expect=expect)
    told = json.loads(found.stdout)
    assert [run["seed"] for run in told["runs"]] == [1, 2, 3]
    assert told["shares"] == {"Promoted": 0.0, "RolledBack": 1.0, "Holding": 0.0}
    assert told["at"]["p50"] == told["runs"][0]["at"]
    assert told["asExpected"] == 1.0


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"outcome": "RolledBack", "reason": "ErrorRate", "within": "10m"}, 0),
        ({"outcome": "RolledBack", "reason": "Latency"}, 1),
        ({"outcome": "RolledBack", "after": "10m"}, 1),
        ({"outcome": "Promoted"}, 1),
        ({"outcome": "Promoted", "share": 0.0}, 0),
    ],
)
def test_the_exit_code_says_whether_it_is_as_expected(
    tmp_path: Path, expect: dict[str, Any], code: int
) -> None:
    """0 when it is, 1 when it is not; the output of either says so."""
    found = _run(tmp_path, expect=expect)
    assert found.exit_code == code
    assert ("NOT AS EXPECTED" in found.stdout) == (code == 1)
    assert _run(tmp_path, "-o", "json", expect=expect).exit_code == code


def test_a_wrong_file_is_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2, the field is named, and nothing is printed as a result."""
    found = _run(tmp_path, interval="1 minute")
    assert found.exit_code == 2
    assert "case.yaml: interval: must be a duration" in found.stderr
    assert found.stdout == ""


def test_what_is_not_judged_is_said(tmp_path: Path) -> None:
    """Labels in the file without a metric for them in the policy are not silently passed."""
    arm = {"requests": 50, "errors": 0, "slow": 1}
    policy = {"metrics": [{"name": "error-rate", "limit": 0.05}]}
    found = _run(tmp_path, phases=[{"looks": [{"candidate": arm, "stable": arm}]}], policy=policy)
    assert "not judged, the policy has no metric for it: slow" in found.stdout
