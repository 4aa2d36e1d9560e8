"""Counters of requests of which some are bad: by a label, or by a counter of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.judgement.evidence import Counts
from modelramp.metrics.profiles import series
from modelramp.metrics.profiles.arms import text
from modelramp.metrics.profiles.template import NAME, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.service import ServiceRef

_GOOD, _BAD = "good", "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Requests by how they ended.

    Attributes:
        names: Metrics that together count each request once.
        bad: A request is bad when one of these labels (or ``__name__``) matches the expression as a whole.
        has: Label without which a series does not count; "" = all that are selected do.
        differ: Further labels in which the counters of one process differ.
        matchers: PromQL matchers of the series that count, without the revision.
        always: Whether the counters of the bad are there from the first request on; where one is missing
            then, failures cannot be seen. False: no failure, no series.
    """

    names: tuple[str, ...]
    bad: Mapping[str, str]
    has: str = ""
    differ: tuple[str, ...] = ()
    matchers: str = ""
    always: bool = False


def template(counted: Requests, arms: Arms) -> Template:
    """How these counters are asked for and read."""
    expressions = {label: re.compile(wanted) for label, wanted in counted.bad.items()}

    def kind(labels: Mapping[str, str]) -> str | None:
        if counted.has and not labels.get(counted.has):
            return None
        bad = any(one.fullmatch(labels.get(label, "")) for label, one in expressions.items())
        return _BAD if bad else _GOOD

    def sums(kinds: Mapping[str, int]) -> Counts | str:
        if counted.always and _BAD not in kinds:
            return f"the provider has no {_missing(counted)} to see failures by"
        return Counts(n=sum(kinds.values()), k=kinds.get(_BAD, 0))

    def ratio(service: ServiceRef) -> str:
        arm = arms.matchers([service])
        good = [f'{label}!~"{text(wanted)}"' for label, wanted in counted.bad.items() if label != NAME]
        named = expressions.get(NAME)
        fine = [name for name in counted.names if named is None or not named.fullmatch(name)]
        return series.share(
            good=[series.selector((name,), counted.matchers, *good, arm) for name in fine],
            every=[series.selector((name,), counted.matchers, arm) for name in counted.names],
            plus=" + ",
        )

    return Template(
        arms=arms,
        selector=series.selector(counted.names, counted.matchers),
        ask=lambda services: series.selector(counted.names, counted.matchers, arms.matchers(services)),
        parts=frozenset({*counted.bad, *counted.differ}),
        kind=kind,
        sums=sums,
        ratio=ratio,
    )


def _missing(counted: Requests) -> str:
    named = counted.bad.get(NAME)
    if named is not None:
        return named
    return " or ".join(f'{counted.names[0]}{{{label}=~"{wanted}"}}' for label, wanted in counted.bad.items())
