"""Profile ``alert``: a Prometheus alert as a gate. While it fires, no step is left.

Prometheus exports an alert only while it is pending or firing: that it is silent and that there is no such
alert look alike. `missing` tells them apart by the rules that Prometheus has loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.metrics.profiles.arms import one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelramp.metrics.port import Series
    from modelramp.metrics.service import ServiceRef


def query(names: Sequence[str]) -> str:
    """PromQL of all series of these alerts that fire; one query serves all rollouts."""
    return f'ALERTS{{alertstate="firing",alertname=~"{one_of(names)}"}}'


def firing(series: Iterable[Series], name: str, service: ServiceRef, *, at: int) -> str | None:
    """Whether an alert that concerns this revision fires at the grid point ``at``; its labels, for people.

    An alert without a label that names a namespace, a ModelDeployment, a Service or a revision concerns all.
    One with such labels concerns only what all of them name.
    """
    for one in series:
        if one.labels.get("alertname") != name or not concerns(one.labels, service):
            continue
        if any(time == at and value == 1.0 for time, value in one.points):
            apart = {"__name__", "alertname", "alertstate"}
            labels = ", ".join(
                f'{key}="{value}"' for key, value in sorted(one.labels.items()) if key not in apart
            )
            return f"alert {name} fires" + (f" ({labels})" if labels else "")
    return None


def concerns(labels: Mapping[str, str], service: ServiceRef) -> bool:
    """Whether what an alert's labels name is this revision, or the whole that it is part of."""
    names = {
        "namespace": {service.namespace},
        "destination_service_namespace": {service.namespace},
        "service": {service.name, service.deployment},
        "destination_service_name": {service.name, service.deployment},
        "modelramp_dev_deployment": {service.deployment},
        "modelramp_dev_revision": {service.revision},
        "revision": {service.revision, service.name},
    }
    return all(labels[label] in wanted for label, wanted in names.items() if labels.get(label))


def missing(answer: Mapping[str, Any], name: str) -> str | None:
    """Whether Prometheus has no alert of that name, for people; None = it has one.

    Args:
        answer: What ``/api/v1/rules?type=alert`` says, as parsed JSON.
        name: Of the alert.
    """
    groups = (answer.get("data") or {}).get("groups") or []
    known = {rule.get("name") for group in groups for rule in group.get("rules") or []}
    if name in known:
        return None
    return (
        f"Prometheus has no alerting rule {name}: an alert that does not exist never fires; load the rule"
        " first"
    )
