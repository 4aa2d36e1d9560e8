"""From the metrics that users write to the questions that a provider is asked."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from modelramp.api.analysis import QueryBy
from modelramp.metrics.profiles.selection import Selection

if TYPE_CHECKING:
    from modelramp.api.analysis import Analysis, Metric
    from modelramp.metrics.service import ServiceRef


def selection_of(metric: Metric) -> Selection:
    """What is asked for a metric; `problem` says whether it can be."""
    return Selection(
        check=metric.name,
        profile=metric.profile.value,
        slower_than=metric.slower_than.total_seconds() if metric.slower_than else None,
        query=metric.query or "",
        total=metric.total or "",
        by=metric.by or QueryBy.REVISION,
    )


def selections(analysis: Analysis) -> dict[str, Selection]:
    """What is asked for each metric, by its name."""
    return {metric.name: selection_of(metric) for metric in analysis.metrics}


def problem(analysis: Analysis) -> str | None:
    """The first metric that no provider could answer, with the way out; None when all can be asked."""
    for number, metric in enumerate(analysis.metrics):
        chosen = selection_of(metric)
        try:
            chosen.question()
        except ValueError as error:
            return f"spec.analysis.metrics[{number}]: {error}"
        if chosen.is_figure and metric.direction is None:
            return (
                f"spec.analysis.metrics[{number}]: {metric.name} is a figure and not a share of requests:"
                " set method: Threshold and a direction"
            )
    return None


def for_people(analysis: Analysis, service: ServiceRef) -> dict[str, str]:
    """PromQL to paste, by name of the metric."""
    shown = {}
    for metric in analysis.metrics:
        try:
            shown[metric.name] = _shown(selection_of(metric), service)
        except ValueError:
            # It was refused before it was pinned; a plan of another release may have it.
            continue
    return shown


# Every pass shows them, and they change with the revision only.
@lru_cache(maxsize=1024)
def _shown(chosen: Selection, service: ServiceRef) -> str:
    return chosen.value().query([service]) if chosen.is_figure else chosen.counters().for_people(service)
