"""What a profile is: which series a router or a model server exports, as data.

A profile says what there is and what there is not: a check that a source cannot answer has a sentence that
names the source which can, so that a user reads it before the first rollout and not in the first outage.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from modelramp.metrics.profiles import histogram, requests, values
from modelramp.metrics.profiles.buckets import Buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.profiles.histogram import Histogram
    from modelramp.metrics.profiles.requests import Requests
    from modelramp.metrics.profiles.template import Template
    from modelramp.metrics.profiles.values import Value

ERROR_RATE = "error-rate"
LATENCY = "latency"
FIRST_TOKEN = "time-to-first-token"  # noqa: S105 - of text
INTER_TOKEN = "inter-token-latency"  # noqa: S105 - of text
QUALITY = "quality"
PREDICTION_DRIFT = "prediction-drift"


class UnknownCheckError(ValueError):
    """A profile cannot answer a check; the message says why, and what to use instead."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """The series of one kind of source.

    Attributes:
        name: As users write it.
        arms: How its series name a revision.
        requests: Per check, counters of which some are bad.
        durations: Per check, histograms of durations.
        predictions: Histogram of what the model answers, for drift; None = there is none.
        gauges: Per check, a gauge to hold against a limit.
        lacks: Per check that it cannot answer, why, and what to use instead.
    """

    name: str
    arms: Arms
    requests: Mapping[str, Requests] = field(default_factory=dict)
    durations: Mapping[str, Histogram] = field(default_factory=dict)
    predictions: Histogram | None = None
    gauges: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)

    def template(self, check: str, *, slower_than: float | None = None) -> Template:
        """How a check is asked.

        Args:
            check: Name of the check.
            slower_than: Of a latency: seconds from which a request is slow; None = the profile's own.

        Raises:
            UnknownCheckError: The profile has no such counters, or none as fast as that.
        """
        return _template(self, check, slower_than)

    def gauge(self, check: str) -> Value:
        """How a gauge is asked for.

        Raises:
            UnknownCheckError: The profile has no such gauge.
        """
        if check not in self.gauges:
            known = ", ".join(self.gauges) or "none"
            raise UnknownCheckError(f"profile {self.name} has no gauge {check}; it has {known}")
        return values.gauge(self.gauges[check], self.arms)

    def prediction(self) -> Buckets:
        """How the distribution of what the model answers is asked for.

        Raises:
            UnknownCheckError: The profile has no such histogram.
        """
        if self.predictions is None:
            raise UnknownCheckError(
                f"profile {self.name} has no histogram of predictions; export model_prediction_score yourself"
                " and use profile model"
            )
        return Buckets(self.predictions, self.arms)

    def templates(self) -> Mapping[str, Template]:
        """All checks on counters that the profile can answer, with its own edges."""
        return MappingProxyType({check: self.template(check) for check in (*self.requests, *self.durations)})


# One template per question: its parts are made once and shared by all rollouts.
@lru_cache(maxsize=1024)
def _template(profile: Profile, check: str, slower_than: float | None) -> Template:
    if check in profile.durations:
        try:
            return histogram.template(profile.durations[check], profile.arms, slower_than)
        except ValueError as error:
            raise UnknownCheckError(f"profile {profile.name}, {check}: {error}") from error
    if check in profile.requests:
        if slower_than is not None:
            raise UnknownCheckError(
                f"profile {profile.name}, {check}: slowerThan is for latencies; leave it out"
            )
        return requests.template(profile.requests[check], profile.arms)
    known = ", ".join((*profile.requests, *profile.durations)) or "nothing"
    why = profile.lacks.get(check, "no such check")
    raise UnknownCheckError(f"profile {profile.name} has no {check}: {why}; it has {known}")
