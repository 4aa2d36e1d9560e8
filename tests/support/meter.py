"""Counted traffic in place of a metrics provider, and what one process has counted of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelramp.controller.book import begun
from modelramp.judgement.evidence import (
    Counts,
    Evidence,
    Look,
    NoData,
    ProviderError,
    advance,
    counted_until,
    interrupted,
)
from modelramp.judgement.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from modelramp.controller.book import Subject
    from modelramp.controller.past import Asked
    from modelramp.judgement.dispersion import Dispersion
    from modelramp.judgement.evidence import Seen

Shares = tuple[float, ...]
# A model's answers fall into four bins of the same width; as many in each, if a test does not say.
EDGES, FLAT = (0.25, 0.5, 0.75), (0.25, 0.25, 0.25, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One second: whether there was data, and a `Meter` as it was; `weights` are what requests really got."""

    there: bool
    rate: int
    bad: Mapping[tuple[str, str], float]
    answers: Mapping[str, Shares]
    weights: Mapping[str, int]

    def requests(self, service: str) -> int:
        """Of a Service: the rate, as many times as its weight is larger than the least."""
        least = min((weight for weight in self.weights.values() if weight), default=1)
        own = (weight for name, weight in self.weights.items() if weight and _is_of(service, name))
        return round(self.rate * next(own, least) / least)


@dataclass
class Meter:
    """What happens to requests, and whether it can be seen.

    Attributes:
        bad: share of bad requests by version and check; missing: none.
        answer: what is seen instead of counts: no data, or an error (what it hides is counted later).
        rate: requests a second of the arm with the lesser weight.
        answers: share of predictions in each bin by version; missing: as many in each.
        routed: the weights that requests really get, by version; empty: those of the route.
        past: how stable's errors came before, by check.
        history: by second, see `Moment`.
    """

    bad: dict[tuple[str, str], float] = field(default_factory=dict)
    answer: NoData | ProviderError | None = None
    rate: int = 50
    answers: dict[str, Shares] = field(default_factory=dict)
    routed: dict[str, int] = field(default_factory=dict)
    past: dict[str, Dispersion] = field(default_factory=dict)
    history: dict[int, Moment] = field(default_factory=dict)

    def tick(self, now: datetime, weights: Mapping[str, int] | None = None) -> None:
        """What happened in the second before `now`, with the route's weights by Service."""
        self.history[int(now.timestamp())] = Moment(
            there=not isinstance(self.answer, NoData),
            rate=self.rate,
            bad=dict(self.bad),
            answers=dict(self.answers),
            weights=dict(self.routed or weights or {}),
        )

    def seen(self, at: int, service: str, check: str) -> Seen:
        """What one look shows of a revision's Service."""
        moment = self.history.get(at)
        if moment is None or not moment.there:
            return NoData()
        n = moment.requests(service)
        if check == "prediction-drift":
            shares = (shares for version, shares in moment.answers.items() if _is_of(service, version))
            return Histogram(EDGES, tuple(round(n * share) for share in next(shares, FLAT)))
        for (version, name), share in moment.bad.items():
            if name == check and _is_of(service, version):
                return Counts(n=n, k=round(n * share))
        return Counts(n=n, k=0)


def _is_of(service: str, name: str) -> bool:
    """Whether a Service is the one of that name, or of that version."""
    return service == name or f"-{name.replace('.', '-')}-" in service


class Collector:
    """What one process counts: as the real one, looks that were missed are replayed from the checkpoint."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._subjects: dict[tuple[str, str], Subject] = {}
        self._books: dict[tuple[str, str], Evidence] = {}

    def track(self, subject: Subject) -> None:
        """As the real one."""
        known = self._books.get(subject.key)
        if known is None or known.scope != subject.scope:
            self._books[subject.key] = begun(subject)
        self._subjects[subject.key] = subject

    def untrack(self, key: tuple[str, str]) -> None:
        """As the real one."""
        self._subjects.pop(key, None)
        self._books.pop(key, None)

    def evidence(self, key: tuple[str, str], scope: str) -> Evidence | None:
        """As the real one."""
        known = self._books.get(key)
        return known if known and known.scope == scope else None

    def past(self, asked: Asked) -> Mapping[str, Dispersion]:
        """What a test says of the time before, for each check that it is asked of."""
        return {name: known for name, known in self._meter.past.items() if name in asked.selections}

    def look(self, now: datetime) -> bool:
        """One look of every subject, on the grid; whether anything new was seen."""
        before = dict(self._books)
        for key, subject in self._subjects.items():
            for check in subject.plan.checks:
                self._count(key, subject, check.name, int(now.timestamp()))
        return before != self._books

    def _count(self, key: tuple[str, str], subject: Subject, check: str, until: int) -> None:
        evidence, interval = self._books[key], subject.plan.interval
        if isinstance(self._meter.answer, ProviderError):
            self._books[key] = interrupted(evidence, check, self._meter.answer.message, subject.plan)
            return
        for at in range(counted_until(evidence, check, subject.plan) + interval, until + 1, interval):
            arms = {arm: self._meter.seen(at, service.name, check) for arm, service in subject.arms.items()}
            evidence = advance(evidence, check, Look(at=at, arms=arms), subject.plan)
        self._books[key] = evidence
