"""A ModelDeployment in mid-rollout that is deleted, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import DEPLOYMENT, MODEL_DEPLOYMENT, SERVICE, VIRTUAL_SERVICE, Kind
from support.world import KEY, World

if TYPE_CHECKING:
    from datetime import datetime

DRAIN = 10
ALL = {"1.0.0": 100}
HALF = {"1.0.0": 50, "1.1.0": 50}


def serving(**spec: Any) -> World:  # noqa: ANN401 - JSON
    """A world in which 1.0.0 serves everything."""
    world = World()
    world.deploy("1.0.0", **spec)
    world.settle()
    return world


def half(**spec: Any) -> World:  # noqa: ANN401 - JSON
    """1.1.0 has 50 %."""
    steps = [{"weight": 50, "hold": "10m"}]
    world = serving(strategy={"type": "Canary", "steps": steps}, **spec)
    world.deploy("1.1.0", strategy={"type": "Canary", "steps": steps}, **spec)
    world.run(2)
    assert world.route == HALF
    return world


def delete(world: World, *, orphan: bool = False) -> None:
    """`kubectl delete mdep`."""
    world.cluster.remove(MODEL_DEPLOYMENT, *KEY, orphan=orphan)


def gone(world: World) -> bool:
    """Whether the object is gone."""
    return world.cluster.get(MODEL_DEPLOYMENT, *KEY) is None


def finalizers(world: World) -> list[str]:
    """Those of the object."""
    found: list[str] = world.body["metadata"].get("finalizers", [])
    return found


def left(world: World) -> dict[str, list[str]]:
    """Names of what is there, by kind."""
    kinds: tuple[Kind, ...] = (DEPLOYMENT, SERVICE, VIRTUAL_SERVICE)
    return {
        kind.kind: sorted(item["metadata"]["name"] for item in world.cluster.all(kind))
        for kind in kinds
        if world.cluster.all(kind)
    }


def owners(world: World) -> list[Any]:
    """Owner references of all that is there."""
    kinds = (DEPLOYMENT, SERVICE, VIRTUAL_SERVICE)
    bodies = [body for kind in kinds for body in world.cluster.all(kind)]
    return [item for body in bodies for item in body["metadata"].get("ownerReferences", [])]


def until_gone(world: World, seconds: int = 300) -> dict[str, datetime]:
    """Lets time pass until the object is gone; when the route had one arm, when it and the pods went."""
    seen: dict[str, datetime] = {}
    world.settle()
    for _ in range(seconds):
        if world.route == ALL:
            seen.setdefault("stable", world.now)
        if world.cluster.get(VIRTUAL_SERVICE, *KEY) is None:
            seen.setdefault("unrouted", world.now)
        if not world.cluster.all(DEPLOYMENT):
            seen.setdefault("pods", world.now)
        if gone(world):
            return seen | {"gone": world.now}
        world.tick()
    raise AssertionError(f"still there after {seconds} s: {world.status}")
