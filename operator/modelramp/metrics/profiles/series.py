"""PromQL of raw counters, put together from parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.metrics.profiles.arms import one_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def selector(names: Sequence[str], *matchers: str) -> str:
    """The series of any of these metrics that match all of the matchers; empty ones are left out."""
    wanted = [matcher for matcher in matchers if matcher]
    if len(names) == 1:
        return f"{names[0]}{{{','.join(wanted)}}}"
    return f'{{__name__=~"{one_of(names)}",{",".join(wanted)}}}' if wanted else _bare(names)


def _bare(names: Sequence[str]) -> str:
    return f'{{__name__=~"{one_of(names)}"}}'


def share(*, good: Sequence[str], every: Sequence[str], plus: str) -> str:
    """The bad share of the last five minutes, for people.

    Not bad/all: without a failure there is no series of failures, and the quotient would be empty. Metrics of
    several names are summed one by one: ``rate`` drops the name, and then two series could be the same.

    Args:
        good: Selectors of the good ones.
        every: Selectors of all.
        plus: What joins the sums of several selectors: `` + ``, or `` or `` for names of one and the same.
    """
    return f"1 - {_total(good, plus)} / {_total(every, plus)}"


def _total(selectors: Sequence[str], plus: str) -> str:
    sums = [f"sum(rate({one}[5m]))" for one in selectors]
    return sums[0] if len(sums) == 1 else f"({plus.join(sums)})"
