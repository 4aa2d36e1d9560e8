"""The answers as Markdown: what was measured beside what is wanted; ✗ marks what is not met."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.judgement.cases import BURSTS, DETECTION_RATES, FAULTS, LIMIT_RATES, RATES
from bench.judgement.rivals import RIVALS
from bench.judgement.tables import table
from modelramp.judgement.drift import FAIL_LIMIT, WARN_LIMIT
from modelramp.judgement.special import clopper_pearson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bench.judgement.cases import Answer, Fault, Job

BEGIN, END = "<!-- make bench-judgement -->", "<!-- end of make bench-judgement -->"
BUDGET = 1.0
"""False rollbacks in 100 clean days."""
MOST_FALSE_PASSES = 0.05
SLACK = 1.5
"""Median detection times may be so many times the design's."""

CLEAN = (
    "A day is clean when both arms have the same shares of errors and of slow requests: 0.5, 1 or 3 %,"
    " and never over 3 % at any moment (labels: 5 % wrong). Errors come alone or in bursts of 5 and 10."
    " The share of slow requests wanders (log-normal, autocorrelated, half of it forgotten in 14 minutes)."
    " Every other day has a load that swings between 0.2 and 1.8 times, with peaks. The candidate has 5 %"
    " of the traffic. Judged each minute by all default metrics that are proportions (errors, latency,"
    " quality), after a day of stable alone. In the last column each arm's slow share wanders for itself:"
    " for minutes one of them really is slower, so that an alarm there is not simply false."
)
OTHERS = (
    "The others, on the same streams: more than 5 % of errors or of slow requests in the last 5 minutes,"
    " looked at each minute; a one-sided z-test of two proportions at 1 % on all counts so far, each"
    " minute from 30 requests on; Kayenta's default judge once an hour on the shares of 60 minutes (98 %"
    " interval of the Mann–Whitney shift against 0.25 of the Hodges–Lehmann estimate, outliers by 3 times"
    " the interquartile range), either metric critical."
)
FOUND = (
    "Median over the runs, error rate judged each minute, 1 % of errors before and on stable, after a"
    " day of stable alone. `A / B / first`: the absolute alarm alone, the relative one alone, the product."
    f" In brackets what is wanted: {SLACK} times the design's figures, which are for after 24 good hours."
)
QUICK = (
    f"The others, at the start of a step: {' / '.join(RIVALS)}. The first two are quick to alarm on clean"
    " days, too: see above."
)
AT_LIMIT = (
    "5 % of errors, limit 5 %, looked at each minute for a day: runs that were ever proved. Wanted: at"
    f" most {MOST_FALSE_PASSES:.0%} with a history of the stable arm (a day at 1 %, same bursts)."
)

NO_DRIFT = (
    "Both samples are from one distribution: five shapes of histograms (even bins, a normal, a skewed"
    " one), stable with 19 times as many, as many, and 10,000 observations."
)
LIMITS = (WARN_LIMIT, FAIL_LIMIT)

Answers = list[tuple["Job", "Answer"]]


def markdown(answers: Sequence[tuple[Job, list[Answer]]], *, head: str) -> str:
    """The whole section."""
    by_kind: dict[str, Answers] = defaultdict(list)
    for job, found in answers:
        by_kind[job.kind] += [(job, answer) for answer in found]
    parts = [head, *_clean(by_kind["clean"]), *_faults(by_kind["fault"]), *_limits(by_kind["limit"])]
    parts += _drifts(by_kind["drift"])
    return "\n".join(parts) + "\n"


def write(path: Path, section: str) -> None:
    """Puts the section in its place in the file, or at its end."""
    before = path.read_text(encoding="utf-8")
    start, _, rest = before.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{start.rstrip()}\n\n{BEGIN}\n{section}{END}\n{after.lstrip()}", encoding="utf-8")


# -- clean days --------------------------------------------------------------------------------------------


def _clean(answers: Answers) -> list[str]:
    if not answers:
        return []
    together = [(job, answer) for job, answer in answers if job.place["wander"] == "together"]
    apart = [(job, answer) for job, answer in answers if job.place["wander"] == "apart"]
    lines = ["### False rollbacks per 100 clean model-days", "", CLEAN]
    heads = ["", "Modelramp", *RIVALS, "Modelramp, latency wanders apart"]
    rows = []
    for title, chosen in _groups():
        cells = [_rate([_bad(a) for job, a in together if chosen(job)], BUDGET)]
        cells += [_rate([a["others"][name] for job, a in together if chosen(job)]) for name in RIVALS]
        cells.append(_rate([_bad(a) for job, a in apart if chosen(job)]))
        rows.append([title, *cells])
    lines += table(heads, rows)
    for title, some in (("together", together), ("apart", apart)):
        reasons = Counter(answer["ours"] for _, answer in some if answer["ours"])
        said = ", ".join(f"{name} {count}" for name, count in sorted(reasons.items())) or "none"
        lines.append(f"Alarms of Modelramp, latency wandering {title} ({len(some)} days): {said}.")
    lines += ["", OTHERS, ""]
    return lines


def _groups() -> list[tuple[str, Callable[[Job], bool]]]:
    listed: list[tuple[str, Callable[[Job], bool]]] = [("all", lambda _job: True)]
    listed += [(f"{rps} req/s", lambda job, rps=rps: job.place["rps"] == rps) for rps in RATES]  # type: ignore[misc]
    listed += [
        (f"bursts of {burst}", lambda job, burst=burst: job.place["burst"] == burst)  # type: ignore[misc]
        for burst in BURSTS
    ]
    return listed


def _bad(answer: Answer) -> bool:
    return answer["ours"] is not None


def _rate(hits: Sequence[bool], most: float | None = None) -> str:
    """Per 100 days, with the 95 % interval."""
    if not hits:
        return "–"
    bad, days = sum(hits), len(hits)
    low, high = clopper_pearson(bad, days)
    missed = " ✗" if most is not None and 100 * bad / days > most else ""
    return f"{100 * bad / days:.1f} ({100 * low:.1f}–{100 * high:.1f}){missed}"


# -- faults ------------------------------------------------------------------------------------------------


def _faults(answers: Answers) -> list[str]:
    if not answers:
        return []
    lines = ["### Minutes from a fault to the failing verdict", ""]
    lines.append(FOUND)
    for when in ("after 24 h", "start"):
        said = "after 24 good hours" if when == "after 24 h" else "at the start of a step"
        heads = [f"errors, {said}", *(f"{rate} req/s" for rate in DETECTION_RATES)]
        rows = [
            [
                _named(fault),
                *(_detection(answers, fault, rate, when) for rate in DETECTION_RATES),
            ]
            for fault in FAULTS
        ]
        lines += table(heads, rows)
    lines.append(QUICK)
    rows = [[_named(fault), *(_others(answers, fault, rate) for rate in DETECTION_RATES)] for fault in FAULTS]
    lines += table(["errors", *(f"{rate} req/s" for rate in DETECTION_RATES)], rows)
    runs = Counter((job.place["rps"], job.place["burst"]) for job, _ in answers)
    lines += [f"Runs of each cell: {min(runs.values())}.", ""]
    return lines


def _named(fault: Fault) -> str:
    return f"{fault.errors:.0%}" + (f" in bursts of {fault.burst}" if fault.burst > 1 else "")


def _others(answers: Answers, fault: Fault, rate: float) -> str:
    times = (_times(answers, fault, rate, f"{name}/start") for name in RIVALS)
    return " / ".join(_minutes(median(some) if some else None) for some in times)


def _times(answers: Answers, fault: Fault, rate: float, key: str) -> list[float]:
    """Minutes of all runs; infinite where there was no alarm."""
    found = [
        answer[f"{fault.errors}/{key}"]
        for job, answer in answers
        if job.place == {"rps": rate, "burst": fault.burst} and f"{fault.errors}/{key}" in answer
    ]
    return [float("inf") if minutes is None else minutes for minutes in found]


def _detection(answers: Answers, fault: Fault, rate: float, when: str) -> str:
    place = DETECTION_RATES.index(rate)
    designed = [fault.a[place] if fault.a else None, fault.b[place]]
    designed.append(min(minutes for minutes in designed if minutes is not None))
    said, wanted, missed = [], [], ""
    for part, figure in zip(("A", "B", "both"), designed, strict=True):
        times = _times(answers, fault, rate, f"{part}/{when}")
        found = median(times) if times else None
        said.append(_minutes(found))
        wanted.append(_minutes(None if figure is None else SLACK * figure))
        if part == "both" and found is not None and figure is not None and found > SLACK * figure:
            missed = " ✗"
    return f"{' / '.join(said)} [{' / '.join(wanted)}]{missed}"


def _minutes(value: float | None) -> str:
    if value is None:
        return "–"
    return "never" if value == float("inf") else f"{value:g}"


# -- at the limit ------------------------------------------------------------------------------------------


def _limits(answers: Answers) -> list[str]:
    if not answers:
        return []
    lines = ["### A revision exactly at the limit", ""]
    lines.append(AT_LIMIT)
    rows = []
    for burst in BURSTS:
        row = [f"bursts of {burst}" if burst > 1 else "no bursts"]
        for rate in LIMIT_RATES:
            some = [answer for job, answer in answers if job.place == {"rps": rate, "burst": burst}]
            row.append(_passes([answer["history"] for answer in some], MOST_FALSE_PASSES))
            row.append(_passes([answer["none"] for answer in some if "none" in answer]))
        rows.append(row)
    heads = [""]
    for rate in LIMIT_RATES:
        heads += [f"{rate} req/s", "no history"]
    return [*lines, *table(heads, rows)]


def _passes(hits: Sequence[bool], most: float | None = None) -> str:
    if not hits:
        return "–"
    share = sum(hits) / len(hits)
    missed = " ✗" if most is not None and share > most else ""
    return f"{share:.1%} ({sum(hits)} of {len(hits)}){missed}"


# -- drift -------------------------------------------------------------------------------------------------


def _drifts(answers: Answers) -> list[str]:
    if not answers:
        return []
    lines = ["### Drift where there is none", "", NO_DRIFT]
    heads, rows = ["n of the candidate"], []
    for limit in LIMITS:
        heads += [f"PSI over {limit:g}", f"verdicts at {limit:g}", "of these: drift"]
    for job, answer in answers:
        row = [f"{job.place['n']:,}"]
        for limit in LIMITS:
            seen = answer[str(limit)]
            row += [f"{seen['over'] / seen['runs']:.1%}", f"{seen['passed'] + seen['failed']:,}"]
            row.append(f"{seen['failed']}")
        rows.append(row)
    runs = answers[0][1][str(LIMITS[0])]["runs"]
    return [*lines, *table(heads, rows), f"{runs:,} comparisons in each row.", ""]


def summary(answers: Sequence[tuple[Job, list[Answer]]]) -> dict[str, Any]:
    """The figures that a gate would ask for."""
    clean = [
        a
        for job, found in answers
        for a in found
        if job.kind == "clean" and job.place["wander"] == "together"
    ]
    limit = [a for job, found in answers for a in found if job.kind == "limit"]
    return {
        "cleanDays": len(clean),
        "falseRollbacks": sum(_bad(answer) for answer in clean),
        "limitRuns": len(limit),
        "falsePasses": sum(answer["history"] for answer in limit),
    }
