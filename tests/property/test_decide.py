"""`decide` on facts of every kind, the impossible included: it answers, and it comes to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from modelramp.rollout.decide import decide
from modelramp.rollout.plan import Notice, WriteRoute
from property.facts import after, all_facts

if TYPE_CHECKING:
    from modelramp.rollout.facts import Facts

pytestmark = pytest.mark.timeout(0)
MOST_PASSES = 8
EXAMPLES = 15 * settings().max_examples


@settings(max_examples=EXAMPLES)
@given(all_facts())
def test_every_question_has_an_answer(facts: Facts) -> None:
    """No facts make `decide` raise; a route that is wanted sums to 100, each part of it above 0."""
    plan = decide(facts)
    for effect in plan.effects:
        if isinstance(effect, WriteRoute):
            assert sum(effect.route.weights.values()) == 100
            assert all(weight > 0 for weight in effect.route.weights.values())


@settings(max_examples=EXAMPLES)
@given(all_facts())
def test_what_is_carried_out_is_not_decided_again(facts: Facts) -> None:
    """At one moment, a few passes reach a state in which the plan changes nothing and tells nothing."""
    told = []
    for _ in range(MOST_PASSES):
        plan = decide(facts)
        told.append(plan.rule)
        then = after(facts, plan)
        if then == facts:
            notices = [effect for effect in plan.effects if isinstance(effect, Notice)]
            assert not notices, f"told at every pass: {notices}, after {told}"
            return
        facts = then
    raise AssertionError(f"it does not come to rest: {told}: {facts.status}")
