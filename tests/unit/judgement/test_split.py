"""How the arms shared the requests: what is counted, from which look on, and how it is stored."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from modelramp.judgement.evidence import Counts, Evidence, Look, NoData, ProviderError, Seen, advance
from modelramp.judgement.plan import Plan, error_rate
from modelramp.judgement.split import BLOCK_LOOKS, Part, Split
from modelramp.judgement.verdict import Arm

CHECK = error_rate()
PLAN = Plan(checks=(CHECK,), interval=60)
ROUTED = replace(PLAN, checks=(replace(CHECK, routed=True),))
NEW = Evidence(scope="r/1", since=datetime(2026, 11, 21, 8, tzinfo=UTC))
FIRST = int(NEW.since.timestamp())


def _fold(looks: list[tuple[Seen, Seen]], plan: Plan, evidence: Evidence = NEW, begun: int = 0) -> Evidence:
    for number, (candidate, stable) in enumerate(looks, begun + 1):
        look = Look(at=FIRST + 60 * number, arms={Arm.CANDIDATE: candidate, Arm.STABLE: stable})
        evidence = advance(evidence, "error-rate", look, plan)
    return evidence


def test_the_first_look_is_not_counted() -> None:
    """Proxies take a new weight at different moments: requests count from the second look on."""
    split = Split().add(50, 50)
    assert (split.looks, split.total) == (1, Part())
    split = split.add(5, 95)
    assert (split.looks, split.total.candidate, split.total.stable) == (2, 5, 95)


def test_what_is_long_ago_is_forgotten() -> None:
    """A wrong share is counted for one block of looks at least, and not after the second."""
    split = Split().add(1, 1)
    for _ in range(BLOCK_LOOKS):
        split = split.add(20, 80)
    for _ in range(BLOCK_LOOKS):
        split = split.add(5, 95)
    assert split.total.candidate == (20 + 5) * BLOCK_LOOKS
    split = split.add(5, 95)
    assert split.total.candidate == 5 * (BLOCK_LOOKS + 1)


def test_only_looks_that_show_both_arms_count() -> None:
    """What one arm's missing series leave out is no share; an arm without requests is one."""
    seen: list[tuple[Seen, Seen]] = [
        (Counts(9, 0), Counts(9, 0)),
        (NoData(), Counts(100, 1)),
        (Counts(10, 0), NoData()),
        (ProviderError("down"), Counts(100, 1)),
        (Counts(0, 0), Counts(100, 1)),
        (Counts(7, 0), Counts(93, 1)),
    ]
    split = _fold(seen, ROUTED).metrics["error-rate"].split
    assert split is not None
    assert (split.looks, split.total.candidate, split.total.stable) == (3, 7, 193)


def test_what_the_router_does_not_count_tells_no_share() -> None:
    """A model server's own counters are of those requests that arrived: nothing is kept of them."""
    assert _fold([(Counts(5, 0), Counts(95, 0))] * 3, PLAN).metrics["error-rate"].split is None


@pytest.mark.parametrize(("size", "low", "high"), [(1, 1.0, 1.3), (10, 8.0, 12.0)])
def test_requests_in_sessions_are_seen(size: int, low: float, high: float) -> None:
    """Requests that are drawn one by one have a dispersion near 1, sessions of ten one near ten."""
    rng = np.random.default_rng(7)
    split = Split()
    for _ in range(2000):
        sessions = int(rng.poisson(200))
        mine = int(rng.binomial(sessions, 0.2))
        split = split.add(mine * size, (sessions - mine) * size)
    assert low <= split.phi <= high


def test_a_checkpoint_loses_no_bit() -> None:
    """Stored on the way and gone on from there, the split is the same, also from a status without one."""
    looks: list[tuple[Seen, Seen]] = [(Counts(n % 7, 0), Counts(90 + n % 11, 1)) for n in range(300)]
    for cut in (0, 1, 2, 120, 121, 122, 250):
        stored = json.loads(json.dumps(_fold(looks[:cut], ROUTED).to_dict()))
        assert _fold(looks[cut:], ROUTED, Evidence.from_dict(stored), cut) == _fold(looks, ROUTED), cut
    old = _fold(looks[:5], PLAN).to_dict()
    assert "split" not in old["metrics"]["error-rate"]
    assert Evidence.from_dict(old).metrics["error-rate"].split is None
