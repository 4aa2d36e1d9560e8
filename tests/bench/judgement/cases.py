"""What is simulated: clean days, faults, revisions at the limit; in small pieces, each with its seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from bench import drift
from bench.judgement import ours
from bench.judgement.rivals import RIVALS
from bench.judgement.streams import DAY, ERRORS, INTERVAL, Traffic, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelramp.judgement.plan import Plan

Answer: TypeAlias = dict[str, Any]

RATES = (0.05, 0.2, 0.5, 1.0, 5.0)
CLEAN_ERRORS = (0.005, 0.01, 0.03)
BURSTS = (1, 5, 10)
DETECTION_RATES = (0.25, 1.0, 5.0)
# Longest time that is waited for an alarm, in looks.
PATIENCE = 600
LIMIT = 0.05
LIMIT_RATES = (0.5, 1.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A candidate's errors, and the design's median minutes by rate: alarm A, alarm B; None: it is silent."""

    errors: float
    burst: int
    a: tuple[int, int, int] | None
    b: tuple[int, int, int]


# design/judgement.md; B was simulated there with a false alarm in 10 days and has 100, so 1.5 times as long.
FAULTS = (
    Fault(errors=0.05, burst=1, a=None, b=(22, 8, 3)),
    Fault(errors=0.10, burst=1, a=(34, 9, 2), b=(8, 3, 1)),
    Fault(errors=0.20, burst=1, a=(6, 3, 1), b=(4, 3, 1)),
    Fault(errors=0.50, burst=1, a=(3, 1, 1), b=(3, 1, 1)),
    Fault(errors=0.10, burst=5, a=(146, 45, 8), b=(32, 9, 2)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of work.

    Attributes:
        kind: clean, fault, limit or drift.
        seed: of its own.
        runs: days, or runs.
        place: which cell of the table it is about.
    """

    kind: str
    seed: tuple[int, ...]
    runs: int
    place: dict[str, Any] = field(default_factory=dict)


def jobs(*, days: int, faults: int, limits: int, drifts: int, seed: int) -> list[Job]:
    """All pieces of work, each with so many runs (days, faults, days at the limit, comparisons)."""
    listed = [
        Job(kind="limit", seed=(seed, 3, a, b, part), runs=runs, place={"rps": rps, "burst": burst})
        for (a, rps), (b, burst) in product(enumerate(LIMIT_RATES), enumerate(BURSTS))
        for part, runs in _parts(limits, 25)
    ]
    listed += [
        Job(kind="fault", seed=(seed, 2, a, b, part), runs=runs, place={"rps": rps, "burst": burst})
        for (a, rps), (b, burst) in product(enumerate(DETECTION_RATES), enumerate((1, 5)))
        for part, runs in _parts(faults, 5)
    ]
    listed += [
        Job(
            kind="clean",
            seed=(seed, 1, a, b, c, d, part),
            runs=runs,
            place={"rps": rps, "errors": errors, "burst": burst, "wander": wander},
        )
        for (a, rps), (b, errors), (c, burst), (d, wander) in product(
            enumerate(RATES), enumerate(CLEAN_ERRORS), enumerate(BURSTS), enumerate(("together", "apart"))
        )
        for part, runs in _parts(days if wander == "together" else -(-2 * days // 5), 5)
    ]
    listed += [
        Job(kind="drift", seed=(seed, 4, place), runs=1, place={"n": n, "runs": drifts})
        for place, n in enumerate(drift.SIZES)
    ]
    return listed


def _parts(total: int, size: int) -> Iterator[tuple[int, int]]:
    for part, begun in enumerate(range(0, total, size)):
        yield part, min(size, total - begun)


def work(job: Job) -> tuple[Job, list[Answer]]:
    """Does a piece of work; an answer for each run."""
    rng = np.random.default_rng(job.seed)
    do = _KINDS[job.kind]
    return job, [do(rng, number, **job.place) for number in range(job.runs)]


def _plan(rng: np.random.Generator, traffic: Traffic) -> Plan:
    """The default plan, after a day of the stable arm alone."""
    return ours.default_plan(stream(rng, traffic).stable)


def _clean(
    rng: np.random.Generator, number: int, *, rps: float, errors: float, burst: int, wander: str
) -> Answer:
    """A day of a good revision: who takes it back?"""
    traffic = Traffic(
        rps=rps, errors=(errors, errors), burst=burst, slow=errors, wander=wander, swing=number % 2 == 1
    )
    plan, day = _plan(rng, traffic), stream(rng, traffic)
    found = ours.failure(day, plan)
    ours_said = None if found is None else f"{found.metric} {'B' if found.relative else 'A'}"
    others = {name: rule(day) for name, rule in RIVALS.items()} if wander == "together" else {}
    return {"ours": ours_said, "others": {name: look is not None for name, look in others.items()}}


def _fault(rng: np.random.Generator, number: int, *, rps: float, burst: int) -> Answer:  # noqa: ARG001
    """Minutes from a fault to the failing verdict, for every fault with these bursts."""
    good = Traffic(rps=rps, errors=(0.01, 0.01), burst=burst, wander="none")
    plan, day = _plan(rng, good), stream(rng, good)
    faults = [fault for fault in FAULTS if fault.burst == burst]
    broken = {
        fault: stream(
            rng, Traffic(rps=rps, errors=(fault.errors, 0.01), burst=burst, wander="none"), PATIENCE
        )
        for fault in faults
    }
    found: Answer = {}
    for fault, (name, rule) in product(faults, RIVALS.items()):
        look = rule(broken[fault])
        found[f"{fault.errors}/{name}/start"] = None if look is None else look * INTERVAL / 60
    for part in ("A", "B", "both"):
        judged = ours.only(plan, ERRORS, part=part)
        before = ours.last(day, judged)
        if before.metrics[ERRORS].alarm is not None:
            # A false alarm: that is counted elsewhere.
            continue
        for fault in faults:
            if part == "A" and fault.a is None:
                continue
            for when, evidence, after in (("start", None, 0), ("after 24 h", before, DAY)):
                alarm = ours.failure(broken[fault], judged, evidence, after=after)
                minutes = None if alarm is None else alarm.look * INTERVAL / 60
                found[f"{fault.errors}/{part}/{when}"] = minutes
    return found


def _limit(rng: np.random.Generator, number: int, *, rps: float, burst: int) -> Answer:
    """Whether a revision exactly at the limit is ever proved within a day, with and without a history."""
    traffic = Traffic(rps=rps, errors=(LIMIT, 0.01), burst=burst, wander="none")
    day = stream(rng, traffic)
    plans = {"history": _plan(rng, traffic)}
    if number % 2 == 0:
        plans["none"] = ours.default_plan()
    return {name: ours.passed(day, ours.only(plan, ERRORS)) is not None for name, plan in plans.items()}


def _drift(rng: np.random.Generator, number: int, *, n: int, runs: int) -> Answer:  # noqa: ARG001
    """Comparisons of distributions that are the same."""
    return {str(limit): asdict(seen) for limit, seen in drift.tally(n, runs=runs, rng=rng).items()}


_KINDS: Mapping[str, Callable[..., Answer]] = {
    "clean": _clean,
    "fault": _fault,
    "limit": _limit,
    "drift": _drift,
}
