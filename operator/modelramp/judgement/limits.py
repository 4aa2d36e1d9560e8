"""Which shares a check is held against at this look: fixed ones, or those that follow stable's quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.judgement.plan import HIGHEST_LIMIT, Check
from modelramp.judgement.special import clopper_pearson

if TYPE_CHECKING:
    from modelramp.judgement.seen import Counts

# With fewer labels of the stable arm a frozen baseline knows more.
REFERENCE_LABELS = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of bad ones: what the alarm and the critical tier test against, and what is to be proved."""

    alarm: float
    critical: float | None
    proof: float


def limits(check: Check, stable: Counts) -> Limits | None:
    """The limits of a Sequential check; None while its quality has no reference.

    A reference that is measured has an error. The alarm must be sure that the candidate is worse, so it
    takes the lower bound of stable's quality; the proof must be sure that it is not, and takes the upper
    one (Clopper-Pearson, 95 %).

    Args:
        check: with the method Sequential.
        stable: the stable arm's labelled outcomes so far, k of them wrong.
    """
    quality = check.quality
    if quality is None:
        return Limits(check.null, check.critical_limit, check.limit)
    if stable.n and (stable.n >= REFERENCE_LABELS or quality.baseline is None):
        low, high = clopper_pearson(stable.k, stable.n)
        lower, upper = 1.0 - high, 1.0 - low
    elif quality.baseline is not None:
        lower = upper = quality.baseline
    elif check.alarm_limit is not None:
        return Limits(check.alarm_limit, None, check.alarm_limit)
    else:
        return None
    fail = _wrong(quality.fail, lower)
    return Limits(
        alarm=fail if check.alarm_limit is None else check.alarm_limit,
        critical=None if quality.critical is None else _wrong(quality.critical, lower),
        proof=_wrong(quality.fail, upper),
    )


def _wrong(part: float, reference: float) -> float:
    return min(HIGHEST_LIMIT, 1.0 - part * reference)
