"""Whatever came before: a deleted object goes within its limit, in order, or leaves what serves.

The invariants of every write are watched as in the other stories: no pods go that the route still sends to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE
from property import strategies
from property.actions import Edit
from property.simulation import Simulation
from property.trace import BrokenError, shares
from support.faults import Faults
from support.manifests import KEY

if TYPE_CHECKING:
    from property.actions import Action
    from support.world import World

pytestmark = pytest.mark.timeout(0)

# Two drains of 3 s and the limit of a minute; a refused write waits up to 5 minutes for its next turn.
LONGEST = 2 * 3 + 60 + 300 + 10
CHILDREN = (DEPLOYMENT, SERVICE, VIRTUAL_SERVICE)
POLICIES = ("Delete", "Orphan")
BEFORE = st.one_of(strategies.PEOPLE, strategies.FAULTS, strategies.HANDS)
MEANWHILE = st.lists(
    st.one_of(
        strategies.CRASH,
        strategies.FAIL,
        strategies.KILL,
        strategies.WAIT,
        st.builds(Edit, st.just("policy"), st.sampled_from(POLICIES)),
    ),
    max_size=5,
)


@given(BEFORE, MEANWHILE, st.sampled_from(POLICIES), st.booleans())
def test_deletion_ends_well(
    before: list[Action],
    meanwhile: list[Action],
    policy: str,
    cascade: bool,  # noqa: FBT001 - hypothesis gives it by position
) -> None:
    """Crashes, refusals, edits of the policy while it goes: the object is gone, and so is what is to go.

    Of a policy that changes nobody knows how far it had come: all goes, or what serves stays, and no less.
    """
    sim = Simulation()
    try:
        for action in before:
            sim.say("script", repr(action))
            action.run(sim)
            sim.world.settle()
        calm(sim, policy)
        stable = (sim.world.status.get("stable") or {}).get("service")
        there = stable in {body["metadata"]["name"] for body in sim.world.cluster.all(DEPLOYMENT)}
        held = bool(sim.world.body["metadata"].get("finalizers"))
        sim.say("script", f"deleted{' with --cascade=orphan' if cascade else ''}, {policy}")
        sim.world.cluster.remove(MODEL_DEPLOYMENT, *KEY, orphan=cascade)
        policies = {policy}
        for action in meanwhile:
            if isinstance(action, Edit) and sim.world.cluster.get(MODEL_DEPLOYMENT, *KEY) is None:
                continue
            sim.say("script", repr(action))
            action.run(sim)
            sim.world.settle()
            policies.add(sim.knobs["policy"])
        go(sim)
        stays = any(True for _ in children(sim.world)) if len(policies) > 1 else policy == "Orphan"
        if stays or cascade:
            what_serves_is_left(sim, stable if there else None, held=held)
        else:
            nothing_is_left(sim)
    except BrokenError:
        raise
    except Exception as error:
        raise sim.broken(f"{type(error).__name__}: {error}") from error


def calm(sim: Simulation, policy: str) -> None:
    """The story's faults end, and the operator has seen the policy."""
    world = sim.world
    world.cluster.faults = Faults()
    world.rival = None
    world.leader.lag(frozenset())
    sim.wish(policy=policy)
    world.restart()
    world.settle()


def go(sim: Simulation) -> None:
    """Time passes until the object is gone."""
    for _ in range(LONGEST):
        if sim.world.cluster.get(MODEL_DEPLOYMENT, *KEY) is None:
            break
        sim.world.tick()
    else:
        raise sim.broken(f"still there after {LONGEST} s: {sim.world.status}")
    sim.world.run(5)


def nothing_is_left(sim: Simulation) -> None:
    """No child is there."""
    left = [f"{kind} {body['metadata']['name']}" for kind, body in children(sim.world)]
    if left:
        raise sim.broken(f"left behind: {left}")


def what_serves_is_left(sim: Simulation, stable: str | None, *, held: bool) -> None:
    """Stable's pods, with all traffic, without owner."""
    owned = [str(kind) for kind, body in children(sim.world) if body["metadata"].get("ownerReferences")]
    if owned:
        raise sim.broken(f"still with an owner: {owned}")
    if not held:
        # The garbage collector alone was asked.
        return
    found = {body["metadata"]["name"] for body in sim.world.cluster.all(DEPLOYMENT)}
    if found != ({stable} if stable else set()):
        raise sim.broken(f"of {stable} there is left: {found}")
    route = sim.world.cluster.get(VIRTUAL_SERVICE, *KEY)
    if route is not None and shares(route) != {stable: 100}:
        raise sim.broken(f"the route is left at {shares(route)}")


def children(world: World) -> list[tuple[Any, dict[str, Any]]]:
    """What is there, but what belongs to Services."""
    return [(kind, body) for kind in CHILDREN for body in world.cluster.all(kind)]
