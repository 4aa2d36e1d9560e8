"""Gauges, and other figures that are held against a limit as they are (``method: Threshold``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.service import ServiceRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One figure per revision.

    Attributes:
        arms: How the answer names a revision.
        ask: PromQL whose answer has one series for each of these revisions.
    """

    arms: Arms
    ask: Callable[[Sequence[ServiceRef]], str]

    def query(self, services: Sequence[ServiceRef]) -> str:
        """PromQL for these revisions."""
        return self.ask(services)

    def key(self, service: ServiceRef) -> str:
        """By what `read` names the figure of a revision."""
        return self.arms.key(service)

    def read(self, labels: Mapping[str, str]) -> str | None:
        """The key of the revision whose figure a series is; None = it does not say."""
        return self.arms.key_of(labels)


def gauge(metric: str, arms: Arms) -> Value:
    """The mean of a gauge over a revision's processes."""
    by = ",".join(arms.labels)
    return Value(arms=arms, ask=lambda services: f"avg by ({by}) ({metric}{{{arms.matchers(services)}}})")
