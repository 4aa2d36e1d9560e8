"""Two revisions answered the same requests: is one of them wrong more often, and how often do they disagree?

With labels this is McNemar's test (1947): only the pairs in which exactly one of them is right count, and
without a difference each of the two is as likely to be it. Here it is an e-process, so it may be looked at
any number of times. It is a test of right and wrong answers; F1, precision and recall are none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from modelramp.judgement.special import clopper_pearson, log_beta, log_beta_sf

# A shadow is one run; this is how often a clean one may be called worse, at whatever length.
ALPHA = 0.01
_LOG_2 = math.log(2.0)


class Standing(StrEnum):
    """The candidate beside stable on the same requests."""

    WORSE = "Worse"
    BETTER = "Better"
    UNDECIDED = "Undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Counts of pairs of answers to the same request.

    Attributes:
        n: Pairs in all.
        differ: Pairs with different answers.
        labelled: Pairs with a known truth.
        worse: Labelled pairs in which the candidate alone was wrong.
        better: Labelled pairs in which stable alone was wrong.

    Raises:
        ValueError: A count is negative, or a part is more than its whole.
    """

    n: int = 0
    differ: int = 0
    labelled: int = 0
    worse: int = 0
    better: int = 0

    def __post_init__(self) -> None:
        discordant = self.worse + self.better
        whole = 0 <= self.differ <= self.n and 0 <= self.labelled <= self.n
        if not (
            whole and min(self.worse, self.better) >= 0 and discordant <= min(self.labelled, self.differ)
        ):
            raise ValueError(
                f"{self} cannot be: if one alone is right the answers differ, and a truth is known; "
                "so worse + better <= labelled, differ <= n"
            )

    def __add__(self, other: Pairs) -> Pairs:
        return Pairs(
            n=self.n + other.n,
            differ=self.differ + other.differ,
            labelled=self.labelled + other.labelled,
            worse=self.worse + other.worse,
            better=self.better + other.better,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the pairs say.

    As every figure relative to stable it can only raise an alarm: ``Undecided`` is no proof of being as good.

    Attributes:
        standing: ``Worse`` and ``Better`` are wrong in a share alpha of all runs at most.
        log_worse, log_better: ``ln E`` against "the candidate is no worse", "… no better".
        disagreement: Share of pairs with different answers; ``None`` without pairs.
        interval: Clopper–Pearson 95 % interval of it.
        n: Pairs in all.
        message: For people.
    """

    standing: Standing
    log_worse: float
    log_better: float
    disagreement: float | None
    interval: tuple[float, float] | None
    n: int
    message: str


def log_evidence(*, wins: float, losses: float) -> float:
    """``ln E`` against "a discordant pair is a win with probability ½ or less"; fractions are welcome.

    The alternative is uniform over (½, 1]. For each θ in it the product of 2θ per win and 2(1 − θ) per loss
    is a supermartingale under the hypothesis, and so is their mixture:
    ``ln E = lnB(1+wins, 1+losses) + ln P(θ > ½ | 1+wins, 1+losses) + (wins + losses + 1) ln 2``.
    By Ville's inequality it ever reaches 1/α with probability α at most.
    """
    a, b = 1.0 + wins, 1.0 + losses
    return log_beta(a, b) + log_beta_sf(0.5, a, b) + (wins + losses + 1.0) * _LOG_2


def compare(pairs: Pairs, *, alpha: float = ALPHA, phi: float = 1.0) -> Comparison:
    """What the pairs say, at any number of looks.

    Args:
        pairs: All pairs since the shadow began.
        alpha: Share of runs without a difference in which ``Worse`` (or ``Better``) is ever said, at most.
        phi: Dispersion: discordant pairs come in bursts of about this size (1 = independent).

    Raises:
        ValueError: alpha is not between 0 and 1, or phi under 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"pairs: alpha is {alpha}; give a share between 0 and 1, such as 0.01")
    if not 1.0 <= phi < math.inf:
        raise ValueError(f"pairs: phi is {phi}; a dispersion is at least 1")
    worse, better = pairs.worse / phi, pairs.better / phi
    log_worse = log_evidence(wins=worse, losses=better)
    log_better = log_evidence(wins=better, losses=worse)
    enough = -math.log(alpha)
    standing = Standing.UNDECIDED
    if max(log_worse, log_better) >= enough:
        standing = Standing.WORSE if log_worse > log_better else Standing.BETTER
    return Comparison(
        standing=standing,
        log_worse=log_worse,
        log_better=log_better,
        disagreement=pairs.differ / pairs.n if pairs.n else None,
        interval=clopper_pearson(pairs.differ, pairs.n) if pairs.n else None,
        n=pairs.n,
        message=_message(pairs, standing),
    )


def _message(pairs: Pairs, standing: Standing) -> str:
    if not pairs.n:
        return "no pair of answers yet"
    low, high = (100.0 * bound for bound in clopper_pearson(pairs.differ, pairs.n))
    text = (
        f"the answers differ in {100.0 * pairs.differ / pairs.n:.3g} % of {pairs.n:,} pairs "
        f"(95 % CI {low:.3g}–{high:.3g} %)"
    )
    if not pairs.labelled:
        return f"{text}; no labels, so nothing is known about which of them is right"
    figures = (
        f"the candidate alone was wrong in {pairs.worse:,} and stable alone in {pairs.better:,} "
        f"of {pairs.labelled:,} labelled pairs"
    )
    ends = {
        Standing.WORSE: "the candidate is worse",
        Standing.BETTER: "the candidate is better",
        Standing.UNDECIDED: "that does not tell them apart",
    }
    return f"{text}; {figures}: {ends[standing]}"
