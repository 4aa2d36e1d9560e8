"""`modelramp baseline` on files: what it prints, which edges it takes, and how it refuses."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from typer.testing import CliRunner

from modelramp.cli.main import app
from modelramp.judgement.drift import drift
from modelramp.judgement.histogram import Histogram
from modelramp.judgement.verdict import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

ROWS = 1000


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A thousand rows; every fourth has no amount."""
    path = tmp_path / "rows.csv"
    lines = [f"{n / ROWS},{'' if n % 4 == 0 else n},{n}-x" for n in range(1, ROWS + 1)]
    path.write_text("\n".join(["score,amount,id", *lines, ""]))
    return path


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["baseline", *map(str, arguments)])


def test_yaml_to_paste(rows: Path) -> None:
    """Columns become histograms in YAML, each list on its line, with quantiles for edges."""
    result = _run(rows, "-c", "prediction=score", "-c", "amount", "--bins", 4)
    assert result.exit_code == 0, result.output
    assert "    le: [0.25, 0.5, 0.75]\n    counts: [250, 250, 250, 250]\n" in result.stdout
    prediction, amount = yaml.safe_load(result.stdout)["baseline"]["histograms"]
    assert prediction == {"name": "prediction", "le": [0.25, 0.5, 0.75], "counts": [250] * 4}
    assert (amount["name"], sum(amount["counts"])) == ("amount", 750)
    assert result.stderr == "note: amount: 250 rows without a value are left out\n"


def test_json_on_given_edges(rows: Path) -> None:
    """Edges are given for one histogram or for all; the output is JSON and nothing else."""
    arguments = ("-c", "a=score", "-c", "b=score", "--edges", "0.5", "--edges", "b=0.1,0.2", "-o", "json")
    found = json.loads(_run(rows, *arguments).stdout)["baseline"]["histograms"]
    assert found == [
        {"name": "a", "le": [0.5], "counts": [500, 500]},
        {"name": "b", "le": [0.1, 0.2], "counts": [100, 100, 800]},
    ]


def test_what_is_frozen_is_a_reference_for_drift(rows: Path) -> None:
    """Live counts on the same edges are compared with it: the same shares pass, others fail."""
    (frozen,) = yaml.safe_load(_run(rows, "-c", "score", "--edges", "0.25,0.5,0.75").stdout)["baseline"][
        "histograms"
    ]
    reference = Histogram(tuple(frozen["le"]), tuple(frozen["counts"]))
    assert drift(Histogram(reference.edges, (500, 510, 490, 500)), reference).outcome is Outcome.PASS
    assert drift(Histogram(reference.edges, (900, 500, 400, 200)), reference).outcome is Outcome.FAIL


def test_parquet_is_read_like_csv(rows: Path, tmp_path: Path) -> None:
    """The same rows in Parquet, missing values too, give the same output."""
    lines = [line.split(",") for line in rows.read_text().splitlines()[1:]]
    path = tmp_path / "rows.parquet"
    table = {
        "score": [float(line[0]) for line in lines],
        "amount": [int(line[1]) if line[1] else None for line in lines],
    }
    parquet.write_table(pa.table(table), path, row_group_size=300)
    arguments = ("-c", "score", "-c", "amount")
    from_csv, from_parquet = (_run(source, *arguments) for source in (rows, path))
    assert from_parquet.exit_code == 0, from_parquet.output
    assert from_parquet.output == from_csv.output


def test_without_pyarrow_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parquet without pyarrow is wrong usage, with the command that installs it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = _run(tmp_path / "rows.parquet", "-c", "score")
    assert result.exit_code == 2
    assert "reading Parquet needs pyarrow" in result.stderr
    assert "pip install pyarrow" in result.stderr


def test_a_small_baseline_is_said_to_be_too_small(rows: Path) -> None:
    """Too few rows ever to tell drift are frozen all the same, with a note."""
    small = rows.with_name("small.csv")
    small.write_text("".join(rows.read_text().splitlines(keepends=True)[:301]))
    result = _run(small, "-c", "score")
    assert result.exit_code == 0
    assert result.stderr == "note: score has 300 values; drift over 0.10 can be told from more than 450\n"


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("score\n1\n", ["-c", "amount"], "has no column 'amount'; it has score"),
        ("", ["-c", "score"], "has no column 'score'; it has none at all"),
        ("score,score\n1,2\n", ["-c", "score"], "the column score is there twice"),
        ("score\n1\nx\n", ["-c", "score"], "line 3, column score: 'x' is not a finite number"),
        ("score\ninf\n", ["-c", "score"], "line 2, column score: 'inf' is not a finite number"),
        ("score,b\n1\n", ["-c", "score"], "line 2: 1 cells, but the header has 2"),
        ("score\n1\n1\n", ["-c", "score"], "histogram score: there is no edge among its values"),
        ("score\n1\n2\n", ["-c", "score", "-c", "score"], "histogram score is there twice"),
        ("score\n1\n2\n", ["-c", "score", "--edges", "x=1"], "--edges x: there is no histogram of that name"),
        ("score\n1\n2\n", ["-c", "score", "--edges", "1;2"], "--edges 1;2: give numbers with commas"),
        ("score\n1\n2\n", [], "give a file and its columns"),
        ("score\n1\n2\n", ["-c", "score", "-m", "x"], "--metric needs --prometheus"),
        ("score\n1\n2\n", ["--prometheus", "http://127.0.0.1:1"], "takes --metric, not a file"),
    ],
)
def test_wrong_usage_is_said_in_a_sentence(
    tmp_path: Path, text: str, arguments: list[str], message: str
) -> None:
    """What is wrong in a file or in the options is exit code 2 and names the place; nothing is printed."""
    path = tmp_path / "rows.csv"
    path.write_text(text)
    result = _run(path, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("rows.csv", None, "No such file"),
        ("rows.json", b"{}", "only .csv and .parquet files can be read"),
        ("rows.csv", b"\xff\xfe\x00", "is not CSV in UTF-8"),
        ("rows.parquet", b"nothing of the kind", "is not Parquet"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    """A file that is missing or something else is named in the error."""
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    result = _run(path, "-c", "score")
    assert result.exit_code == 2, result.output
    assert f"error: {path}" in result.stderr
    assert message in result.stderr


def test_a_column_without_values_cannot_be_frozen(tmp_path: Path) -> None:
    """No data is an error of its own, not an empty histogram."""
    path = tmp_path / "rows.csv"
    path.write_text("score,b\n,1\nNaN,2\n")
    result = _run(path, "-c", "score")
    assert result.exit_code == 1
    assert "the column score has no values" in result.stderr
