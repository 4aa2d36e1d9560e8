"""Figures as people read them, and a verdict that has them all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelramp.judgement.seen import Counts
from modelramp.judgement.special import clopper_pearson
from modelramp.judgement.verdict import Verdict

if TYPE_CHECKING:
    from modelramp.judgement.plan import Check
    from modelramp.judgement.verdict import Outcome

_NONE = Counts()


def say(
    check: Check,
    outcome: Outcome,
    message: str,
    *,
    seen: Counts = _NONE,
    stable: Counts = _NONE,
    eta: float | None = None,
    threshold: float | None = None,
    window: float | None = None,
) -> Verdict:
    """A verdict on counts, with share, baseline and interval; ``threshold`` is the alarm's if left out."""
    return Verdict(
        metric=check.name,
        reason=check.reason,
        outcome=outcome,
        tier=None,
        value=seen.k / seen.n if seen.n else None,
        baseline=stable.k / stable.n if stable.n else None,
        interval=clopper_pearson(seen.k, seen.n) if seen.n else None,
        n=seen.n,
        threshold=check.null if threshold is None else threshold,
        eta=eta,
        message=message,
        query=check.query,
        method=check.method,
        window=window,
    )


def figures(counts: Counts) -> str:
    """A share with its interval and the requests behind it."""
    low, high = clopper_pearson(counts.k, counts.n)
    bounds = f"{number(low)}–{number(high)} %"
    return f"{percent(counts.k / counts.n)} (95 % CI {bounds}, n={counts.n:,})"


def number(share: float) -> str:
    """A share in percent, without the sign."""
    value = 100.0 * share
    digits = 1 if value == 0.0 or value >= 0.1 else 3  # noqa: PLR2004
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") if value else "0"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{number(share)} %"


def clock(at: float) -> str:
    """A time of day, in UTC; ``at`` in Unix seconds."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%H:%M:%S UTC")


def duration(seconds: float) -> str:
    """A length of time in its largest unit of which there are two."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(1, round(seconds))} s"
