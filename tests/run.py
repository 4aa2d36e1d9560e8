"""What `make test` runs: the suites in order, each with its budget, and a control plane where one is needed.

The suites are plain pytest; this only brings the control plane up and down, and adds up. A suite that takes
longer than its budget is named as such but does not fail: machines differ.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
INSTANCE = "test"
_NOTHING_COLLECTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Tests that run together.

    Args:
        name: what it is called on the command line and in the table.
        budget: seconds it should take on two cores, with everything built.
        paths: what pytest collects.
        cluster: the tests are those that need a control plane, or those that do not.
        inside: run in the network namespace of an instance that the suites share.
        ignore: what pytest does not collect.
        options: what else pytest is told.
        deep: what it is told instead with `--full`.
    """

    name: str
    budget: float
    paths: tuple[str, ...]
    cluster: bool = True
    inside: bool = False
    ignore: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    deep: tuple[str, ...] = ()

    def command(self, *, full: bool, report: Path) -> list[str]:
        """How it is started."""
        marks = ["cluster" if self.cluster else "not cluster", *([] if full else ["not slow"])]
        python = [sys.executable, "-m"]
        within = [*python, "devcluster", "exec", "--instance", INSTANCE, "--"] if self.inside else []
        ignored = [f"--ignore={path}" for path in self.ignore]
        options = ["-q", "-m", " and ".join(marks), f"--junitxml={report}", "--durations=5", *ignored]
        options += self.deep if full else self.options
        return [*within, *python, "pytest", *options, *self.paths]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a suite, or of another piece of work that has a budget."""

    name: str
    budget: float
    seconds: float
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    good: bool

    def row(self) -> str:
        """A line of the table."""
        verdict = "ok" if self.good else "FAILED"
        late = ", over budget" if self.seconds > self.budget else ""
        counts = f"{self.passed:7} {self.failed:7} {self.skipped:8}"
        return f"{self.name:14} {self.budget:7.0f} s {self.seconds:7.1f} s {counts}  {verdict}{late}"


HEADER = f"{'suite':14} {'budget':>9} {'took':>9} {'passed':>7} {'failed':>7} {'skipped':>8}"
SUITES = (
    Suite(name="unit", budget=240, paths=("tests/unit", "tests/devcluster"), cluster=False),
    Suite(
        name="property",
        budget=240,
        paths=("tests/property",),
        cluster=False,
        options=("--hypothesis-profile=stories",),
        deep=("--hypothesis-profile=deep",),
    ),
    Suite(name="control-plane", budget=240, paths=("tests/devcluster",)),
    Suite(name="readme", budget=180, paths=("tests/readme",)),
    Suite(name="api", budget=90, paths=("tests/e2e/api",), inside=True),
    Suite(name="end-to-end", budget=1200, paths=("tests/e2e",), inside=True, ignore=("tests/e2e/api",)),
)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "tests")}


def _run(command: list[str]) -> int:
    sys.stdout.flush()
    return subprocess.run(
        command, cwd=ROOT, env=_environment(), stdin=subprocess.DEVNULL, check=False
    ).returncode


def read(report: Path) -> tuple[int, int, int]:
    """Tests that passed, failed and were skipped, from pytest's report; zeros when there is none."""
    if not report.exists():
        return 0, 0, 0
    found = [suite.attrib for suite in ET.parse(report).getroot().iter("testsuite")]  # noqa: S314 - our own file
    total, failures, errors, skipped = (
        sum(int(suite[key]) for suite in found) for key in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def run_suite(suite: Suite, *, full: bool) -> Outcome:
    """Run a suite to its end; a suite without a test has failed, too."""
    print(f"\n=== {suite.name}: budget {suite.budget:.0f} s ===", flush=True)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = _run(suite.command(full=full, report=report))
        passed, failed, skipped = read(report)
    if code == _NOTHING_COLLECTED:
        print(f"{suite.name}: no test was found in {', '.join(suite.paths)}")
    return Outcome(
        name=suite.name,
        budget=suite.budget,
        seconds=time.monotonic() - begin,
        passed=passed,
        failed=failed,
        skipped=skipped,
        good=code == 0,
    )


def _tool(name: str, budget: float, *arguments: str) -> Outcome:
    """Run the control plane's tool as a piece of work with a budget."""
    print(f"\n=== {name}: budget {budget:.0f} s ===", flush=True)
    begin = time.monotonic()
    code = _run([sys.executable, "-m", "devcluster", *arguments])
    return Outcome(name=name, budget=budget, seconds=time.monotonic() - begin, good=code == 0)


@contextmanager
def shared_instance(outcomes: list[Outcome]) -> Iterator[bool]:
    """One control plane for the suites that run inside; whether it is up. Its end comes in any case."""
    try:
        outcomes.append(_tool("up", 30, "up", "--instance", INSTANCE))
        yield outcomes[-1].good
    finally:
        outcomes.append(_tool("down", 15, "down", "--instance", INSTANCE))


def run(suites: list[Suite], *, full: bool) -> list[Outcome]:
    """Everything in order: what needs nothing, what makes its own control plane, what shares one."""
    outcomes = [run_suite(suite, full=full) for suite in suites if not suite.cluster]
    if not any(suite.cluster for suite in suites):
        return outcomes
    outcomes.append(_tool("build", 900, "build"))
    if not outcomes[-1].good:
        return outcomes
    outcomes += [run_suite(suite, full=full) for suite in suites if suite.cluster and not suite.inside]
    inside = [suite for suite in suites if suite.inside]
    if inside:
        with shared_instance(outcomes) as up:
            outcomes += [run_suite(suite, full=full) for suite in inside if up]
    return outcomes


def _stop(_number: int, _frame: object) -> None:
    sys.exit(143)


def main(arguments: list[str]) -> int:
    """Runs the suites that were named, or all; 0 when all of them passed."""
    names = [suite.name for suite in SUITES]
    parser = argparse.ArgumentParser(description="Runs the tests.")
    parser.add_argument("--full", action="store_true", help="the slow tests, too")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(names)} (default: all)")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.suites) - set(names))
    if unknown:
        parser.error(f"there is no suite {', '.join(unknown)}; there are {', '.join(names)}")
    signal.signal(signal.SIGTERM, _stop)
    begin = time.monotonic()
    outcomes = run([s for s in SUITES if not options.suites or s.name in options.suites], full=options.full)
    total = Outcome(
        name="total",
        budget=sum(outcome.budget for outcome in outcomes),
        seconds=time.monotonic() - begin,
        passed=sum(outcome.passed for outcome in outcomes),
        failed=sum(outcome.failed for outcome in outcomes),
        skipped=sum(outcome.skipped for outcome in outcomes),
        good=all(outcome.good for outcome in outcomes),
    )
    print("", HEADER, *(outcome.row() for outcome in [*outcomes, total]), sep="\n", flush=True)
    return 0 if total.good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
