"""The table of checks: what the operator has judged, and how long a proof takes by a client's own counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.api.analysis import MetricMethod
from modelramp.cli.wording import METRICS, NONE, percent, seconds
from modelramp.judgement.plan import prior_dispersion
from modelramp.judgement.proof import requests_to_proof
from modelramp.judgement.verdict import Outcome

if TYPE_CHECKING:
    from modelramp.api.status import AnalysisStatus
    from modelramp.cli.picture import Picture

PASS, FAIL, WATCHING, BLIND = "pass", "FAIL", "watching", "no data"
# What a client can count by itself.
_COUNTED = ("error-rate", "latency")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A line of the table, as text.

    Attributes:
        verdict: `pass`, `FAIL`, `watching`, or `no data`.
        enough: whether there is enough data, or when there should be.
    """

    metric: str
    label: str
    verdict: str
    value: str
    interval: str
    limit: str
    stable: str
    enough: str


def checks(picture: Picture) -> list[Check]:
    """The verdicts on what is being judged, or on what was taken back; nothing at other times."""
    judged = (picture.step is not None and picture.step.index > 0) or picture.bake is not None
    if not judged and picture.rejection is None:
        return []
    return [check_of(picture, entry) for entry in picture.status.analysis or []]


def check_of(picture: Picture, entry: AnalysisStatus) -> Check:
    """The line of one verdict."""
    low, high = entry.interval or (None, None)
    shown = _figure if _is_figure(picture, entry) else percent
    return Check(
        metric=entry.metric,
        label=METRICS.get(entry.metric, entry.metric),
        verdict=_verdict(picture, entry),
        value=shown(entry.value),
        interval=f"{percent(low).removesuffix(' %')}–{percent(high)}" if entry.interval else NONE,
        limit=shown(entry.threshold),
        stable=shown(entry.baseline),
        enough=_enough(picture, entry),
    )


def _is_figure(picture: Picture, entry: AnalysisStatus) -> bool:
    """Whether it is a gauge or a distance, and no share of requests."""
    plan = picture.status.plan
    metrics = plan.analysis.metrics if plan is not None else ()
    known = next((item for item in metrics if item.name == entry.metric), None)
    if known is None:
        return False
    return known.is_drift or (known.method is MetricMethod.THRESHOLD and entry.interval is None)


def _figure(value: float | None) -> str:
    return NONE if value is None else f"{value:.3g}"


def _verdict(picture: Picture, entry: AnalysisStatus) -> str:
    if entry.verdict == Outcome.PASS:
        return PASS
    if entry.verdict == Outcome.FAIL:
        return FAIL
    return BLIND if picture.reason == "Blind" and entry.message in picture.message else WATCHING


def _enough(picture: Picture, entry: AnalysisStatus) -> str:
    if entry.verdict == Outcome.PASS:
        return f"yes, n = {entry.n:,}"
    if entry.verdict == Outcome.FAIL or picture.step is None:
        return f"n = {entry.n:,}" if entry.n else "not yet"
    estimate = _estimate(picture, entry)
    if estimate is not None:
        return estimate
    if not entry.n:
        return "not yet"
    eta = f", about {seconds(entry.eta)} more" if entry.eta is not None else ""
    return f"n = {entry.n:,}{eta}"


def _estimate(picture: Picture, entry: AnalysisStatus) -> str | None:
    """From the client's counts since these weights; status tells of an open check only every ten minutes."""
    seen, candidate, plan = picture.seen, picture.status.candidate, picture.status.plan
    if seen is None or not seen.seconds or candidate is None or plan is None or picture.reason == "Blind":
        return None
    if entry.metric not in _COUNTED:
        return None
    count = seen.counts.get(candidate.revision)
    if count is None or not count.requests:
        return None
    bad = count.errors if entry.metric == "error-rate" else count.slow
    scale = prior_dispersion(plan.analysis.interval.total_seconds())
    more = requests_to_proof(n=count.requests / scale, k=bad / scale, null=entry.threshold)
    if more is None:
        return f"client: n = {count.requests:,}, over the limit"
    if not more:
        return f"client: n = {count.requests:,}, next look"
    return f"client: n = {count.requests:,}, ~{seconds(more * scale * seen.seconds / count.requests)}"
