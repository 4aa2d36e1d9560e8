"""Which counters a user's metric means: the one place where its fields become a question to the provider."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from modelramp.api.analysis import QueryBy
from modelramp.metrics.profiles import CATALOGUE
from modelramp.metrics.profiles.custom import Custom
from modelramp.metrics.profiles.definition import PREDICTION_DRIFT, UnknownCheckError

if TYPE_CHECKING:
    from modelramp.metrics.profiles.buckets import Buckets
    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.profiles.values import Value

CUSTOM = "custom"
ALERT = "alert"
NAMES = (*CATALOGUE, CUSTOM, ALERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A metric's fields that say what is counted. Equal selections are one question for all rollouts.

    Attributes:
        profile: One of `NAMES`.
        check: Name of the check in the profile; of ``custom``, the metric's own.
        slower_than: Of a latency: seconds from which a request is slow; None = the profile's own.
        query, total, by: Of ``custom``, see `Custom`.
    """

    check: str
    profile: str = "envoy"
    slower_than: float | None = None
    query: str = ""
    total: str = ""
    by: QueryBy = QueryBy.REVISION

    @property
    def is_figure(self) -> bool:
        """Whether it is a figure as it is, and no counters."""
        if self.profile == CUSTOM:
            return not self.total
        return self.profile in CATALOGUE and self.check in CATALOGUE[self.profile].gauges

    @property
    def is_distribution(self) -> bool:
        """Whether it is all buckets of a histogram; a user's own query by that name is not."""
        return self.check == PREDICTION_DRIFT and self.profile != CUSTOM

    def counters(self) -> Template | Buckets:
        """How raw counters are asked for and read, whatever is made of them.

        Raises:
            ValueError: See `template`.
        """
        return _buckets(self) if self.is_distribution else _template(self)

    def question(self) -> Value | Template | Buckets:
        """How it is asked for, whatever it is.

        Raises:
            ValueError: See `template`.
        """
        return self.value() if self.is_figure else self.counters()

    def template(self) -> Template:
        """How requests and bad ones are asked for and read.

        Raises:
            ValueError: There is no such profile, it has no such counters, or a query cannot be used; the
                message is for people and names the next step.
        """
        return _template(self)

    def value(self) -> Value:
        """How a figure is asked for that is held against a limit as it is.

        Raises:
            ValueError: See `template`.
        """
        return _value(self)


@lru_cache(maxsize=1024)
def _template(chosen: Selection) -> Template:
    if chosen.profile == CUSTOM:
        _queries(chosen)
        if not chosen.total:
            raise UnknownCheckError(
                f"metric {chosen.check}: without total its query is a figure; use method: Threshold, or add"
                " total, the raw counters of all requests"
            )
        return Custom(query=chosen.query, total=chosen.total, by=chosen.by).template()
    _known(chosen)
    return CATALOGUE[chosen.profile].template(chosen.check, slower_than=chosen.slower_than)


@lru_cache(maxsize=1024)
def _buckets(chosen: Selection) -> Buckets:
    _known(chosen)
    if chosen.slower_than is not None:
        raise UnknownCheckError(f"metric {chosen.check}: slowerThan is for latencies; leave it out")
    return CATALOGUE[chosen.profile].prediction()


@lru_cache(maxsize=1024)
def _value(chosen: Selection) -> Value:
    if chosen.profile == CUSTOM:
        _queries(chosen)
        if chosen.total:
            raise UnknownCheckError(
                f"metric {chosen.check}: method: Threshold compares the query itself; leave total out"
            )
        return Custom(query=chosen.query, by=chosen.by).value()
    _known(chosen)
    return CATALOGUE[chosen.profile].gauge(chosen.check)


def _queries(chosen: Selection) -> None:
    if not chosen.query:
        raise UnknownCheckError(f"metric {chosen.check}: profile custom needs a query")


def _known(chosen: Selection) -> None:
    if chosen.profile == ALERT:
        raise UnknownCheckError(f"metric {chosen.check}: an alert is a gate, it has no counts and no figure")
    if chosen.profile not in CATALOGUE:
        raise UnknownCheckError(
            f"metric {chosen.check}: there is no profile {chosen.profile}; there are {', '.join(NAMES)}"
        )
    if chosen.query or chosen.total:
        raise UnknownCheckError(
            f"metric {chosen.check}: profile {chosen.profile} has its own queries; for yours use profile"
            " custom"
        )
