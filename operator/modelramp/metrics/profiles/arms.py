"""How series tell the revisions of a model apart: by labels, never by guessing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from modelramp.metrics.service import ServiceRef

_FACT = re.compile(r"{(\w+)}")
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
# What a label's value is in a ServiceRef's words, for people.
_WORDS = {"deployment": "its ModelDeployment", "revision": "its revision", "cluster": "its router's cluster"}


def text(value: str) -> str:
    """The value within a PromQL string of double quotes."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def pattern(value: str) -> str:
    """The value as a regular expression (RE2) that matches nothing else, within a PromQL string."""
    return text(_SPECIAL.sub(r"\\\1", value))


def one_of(values: Iterable[str]) -> str:
    """A regular expression for any of the values, in their order, within a PromQL string."""
    return "|".join(pattern(value) for value in dict.fromkeys(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The labels that name a revision.

    Attributes:
        labels: Per label its value, with the fields of a `ServiceRef` in braces.
        remedy: What a person does when series lack these labels.
        merged: What a person does when one series stands for all revisions together; "" = cannot happen.
    """

    labels: Mapping[str, str]
    remedy: str
    merged: str = ""

    def unknown(self, service: ServiceRef) -> str | None:
        """Why this revision cannot be told apart, for people; None = it can.

        To be asked before the first look: a revision of which something is not known is found by no query.
        """
        for label, wanted in self.labels.items():
            for fact in _FACT.findall(wanted):
                if getattr(service, fact) == "":
                    return (
                        f"Service {service.namespace}/{service.name}: {_WORDS[fact]} is not known, by which"
                        f" the label {label} tells revisions apart"
                    )
        return None

    def values(self, service: ServiceRef) -> tuple[str, ...]:
        """The labels' values of a revision; one may be empty, see `unknown`."""
        facts = {name: getattr(service, name) for name in service.__slots__}
        return tuple(wanted.format_map(facts) for wanted in self.labels.values())

    def key(self, service: ServiceRef) -> str:
        """By what the revision's counters are found again: equal to `key_of` of each of its series."""
        return "/".join(self.values(service))

    def key_of(self, labels: Mapping[str, str]) -> str | None:
        """The key of a series; None = it does not say whose it is."""
        values = [labels.get(label, "") for label in self.labels]
        return "/".join(values) if all(values) else None

    def matchers(self, services: Sequence[ServiceRef]) -> str:
        """PromQL matchers that at least select these revisions; `key_of` tells them from others."""
        columns = zip(*(self.values(service) for service in services), strict=True)
        return ",".join(_matcher(label, values) for label, values in zip(self.labels, columns, strict=True))


def _matcher(label: str, values: Iterable[str]) -> str:
    known = [value for value in values if value]
    # An empty alternative would select what lacks the label.
    return f'{label}=~"{one_of(known)}"' if known else f'{label}="",{label}!=""'


# Pods carry these labels from the operator; the scrape configuration has to copy them onto the series.
PODS = Arms(
    labels={
        "namespace": "{namespace}",
        "modelramp_dev_deployment": "{deployment}",
        "modelramp_dev_revision": "{revision}",
    },
    remedy=(
        "copy the pods' labels onto the series, with podTargetLabels: [modelramp.dev/deployment,"
        " modelramp.dev/revision] in the PodMonitor, or with action: labelmap, regex:"
        " __meta_kubernetes_pod_label_(modelramp_dev_.+) in the scrape configuration"
    ),
)
