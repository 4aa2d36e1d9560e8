"""`make bench-judgement`: how often judgement is wrong and how soon it is right, on traffic that is known."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

ROOT = Path(__file__).resolve().parents[3]
# This folder is no place to import from: its modules are `bench.judgement.…`.
sys.path[:1] = [str(ROOT / "tests"), str(ROOT / "operator")]

from bench.judgement import report  # noqa: E402 - the paths come first
from bench.judgement.cases import Answer, Job, jobs, work  # noqa: E402

PROCESSES = 2
# Without a terminal to draw on, a line for so many pieces of work.
PLAIN_EVERY = 20
FULL = {"days": 12, "faults": 21, "limits": 200, "drifts": 1000}
QUICK = {"days": 1, "faults": 1, "limits": 1, "drifts": 2}


def measure(listed: list[Job], *, processes: int, console: Console) -> list[tuple[Job, list[Answer]]]:
    """Does all pieces of work, in so many processes; answers come in the order of the pieces."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        tasks = {
            kind: progress.add_task(kind, total=sum(job.runs for job in listed if job.kind == kind))
            for kind in dict.fromkeys(job.kind for job in listed)
        }
        found = []
        # A fresh interpreter: nothing is inherited from threads that draw.
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            for job, answers in pool.imap(work, listed):
                found.append((job, answers))
                progress.advance(tasks[job.kind], job.runs)
                if not console.is_terminal and len(found) % PLAIN_EVERY == 0:
                    console.print(f"{len(found)} of {len(listed)} pieces of work")
        return found


def machine() -> str:
    """What this ran on, in a few words."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    kind = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{os.cpu_count()} cores ({kind}), Python {platform.python_version()}"


def main() -> int:
    """Simulates all and writes the section of the documentation."""
    parser = argparse.ArgumentParser(description="Simulates judgement on traffic that is known.")
    parser.add_argument("--quick", action="store_true", help="one run of each case: does it work at all?")
    parser.add_argument("--days", type=int, help="clean days of each case")
    parser.add_argument("--faults", type=int, help="runs of each fault")
    parser.add_argument("--limits", type=int, help="runs of each case at the limit")
    parser.add_argument("--drifts", type=int, help="comparisons of each shape, reference and size")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--docs", type=Path, help="the file that has the section; none: only the terminal")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="where the answers go as JSON")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    sizes = {
        name: size if (asked := getattr(options, name)) is None else asked for name, size in sizes.items()
    }
    console, begun = Console(), time.monotonic()
    listed = jobs(**sizes, seed=options.seed)
    answers = measure(listed, processes=options.processes, console=console)
    minutes = (time.monotonic() - begun) / 60
    head = (
        "## Judgement\n\n`make bench-judgement` (seed"
        f" {options.seed}): {time.strftime('%Y-%m-%d')}, {machine()}, {options.processes} processes,"
        f" {minutes:.1f} minutes; load of the machine when it ended: {os.getloadavg()[0]:.1f}.\n"
    )
    section = report.markdown(answers, head=head)
    console.print(section, markup=False, soft_wrap=True)
    console.print(report.summary(answers))
    if options.answers:
        told = [{"kind": job.kind, "place": job.place, "answers": found} for job, found in answers]
        options.answers.write_text(json.dumps(told))
    if options.docs:
        report.write(options.docs, section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
