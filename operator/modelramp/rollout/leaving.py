"""Deletion in order: whoever is sent to a revision finds pods, until the route is gone.

Our finalizer keeps the object until then. It is there while traffic is split, and always when what serves is
to stay; at other times the garbage collector needs no help.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from modelramp.api.modeldeployment import DeletionPolicy
from modelramp.rollout.facts import FINALIZER_WRITE
from modelramp.rollout.plan import (
    DeleteRevision,
    Effect,
    Release,
    RemoveRoute,
    RoutePlan,
    SetFinalizer,
    WriteApex,
    WriteRoute,
    WriteStatus,
)

if TYPE_CHECKING:
    from modelramp.api.status import ModelDeploymentStatus
    from modelramp.rollout.view import View

# Beyond the two drains: a mesh that takes no writes keeps nobody waiting for longer.
LIMIT = timedelta(minutes=1)
# The field's default, for a spec that cannot be read.
_DRAIN = timedelta(seconds=30)


class Stage(Enum):
    """How far a deletion is."""

    ROUTE = auto()
    """All traffic goes to stable, and what had some drains."""
    UNROUTE = auto()
    """The route goes, and stable drains."""
    RELEASE = auto()
    """Our finalizer goes, and the garbage collector takes what still has the object as owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What to do now.

    Attributes:
        until: when the stage ends; None: when something changes.
        forced: the time limit has ended it.
    """

    stage: Stage
    until: datetime | None = None
    forced: bool = False


def leaving(view: View) -> Leaving:
    """How far the deletion is, by what is seen alone: it goes on from there after any crash."""
    deletion, stable = view.facts.deletion, _stable(view)
    assert deletion is not None  # noqa: S101 - the caller looked
    if stable is None:
        # A namespace that is being deleted, or a foreground deletion, was quicker.
        return Leaving(stage=Stage.RELEASE)
    drained = _drained(view, stable)
    if deletion.orphan and drained is not None and drained <= view.now and _is_kept(view):
        return Leaving(stage=Stage.RELEASE)
    if deletion.endless:
        # What is to stay must not go because something else is broken.
        return Leaving(stage=Stage.ROUTE, until=drained)
    if deletion.foreground and not deletion.orphan:
        return Leaving(stage=Stage.RELEASE)
    limit = deletion.since + 2 * _drain(view) + LIMIT
    if deletion.orphan:
        until = drained if drained is not None and drained > view.now else limit
        now = Leaving(stage=Stage.ROUTE, until=min(until, limit))
    else:
        now = _in_order(view, drained, limit)
    over = view.now >= limit and now.stage is not Stage.RELEASE
    return Leaving(stage=Stage.RELEASE, forced=True) if over else now


def _in_order(view: View, drained: datetime | None, limit: datetime) -> Leaving:
    """The stages of a deletion that leaves nothing."""
    if view.facts.route is not None:
        if drained is None or drained > view.now:
            return Leaving(stage=Stage.ROUTE, until=min(drained or limit, limit))
        return Leaving(stage=Stage.UNROUTE, until=limit)
    if FINALIZER_WRITE in view.facts.refusals:
        # It came so far before: the status that says so begins no new drain.
        return Leaving(stage=Stage.RELEASE)
    # A route that is gone cannot say since when: our last word can.
    over = (view.facts.status_written or view.now) + _drain(view)
    if over > view.now:
        return Leaving(stage=Stage.UNROUTE, until=min(over, limit))
    return Leaving(stage=Stage.RELEASE)


def farewell(view: View, now: Leaving, status: WriteStatus, route: RoutePlan | None) -> tuple[Effect, ...]:
    """The writes of a deletion, in order; `route`: the one with all traffic for stable, if it can be had."""
    deletion, stable = view.facts.deletion, view.status.stable
    assert deletion is not None  # noqa: S101
    if now.stage is Stage.RELEASE or stable is None:
        rest = _left_over(view) if deletion.orphan else _without_owner(view)
        refused = view.facts.refusals.get(FINALIZER_WRITE)
        # Not in the pass that tries again: a status that is refused as well must not keep it from that.
        told = (status,) if refused is not None and refused.again > view.now else ()
        return (*rest, *told, SetFinalizer(present=False))
    if now.stage is Stage.UNROUTE:
        # The intent first: the drain is counted from it.
        return (status, *((RemoveRoute(),) if view.facts.route is not None else ()))
    effects: list[Effect] = []
    live, apex, revision = view.facts.route, view.facts.apex, view.revision(stable)
    # None gets its owner back: the garbage collector may be at work on what is not seen yet.
    if route is not None and live is not None:
        effects.append(WriteRoute(route=route, owned=live.owned and not deletion.orphan))
    if apex is not None:
        effects.append(WriteApex(revision=revision, owned=apex.owned and not deletion.orphan))
    if deletion.orphan and _is_owned(view):
        effects.append(Release(revision=revision))
    return (*effects, status)


def finalizer(
    view: View, status: ModelDeploymentStatus
) -> tuple[tuple[SetFinalizer, ...], tuple[SetFinalizer, ...]]:
    """What is to be done about the finalizer: first, before anything is split; last, when nothing is."""
    present, wanted = view.facts.finalizer, _is_needed(view, status)
    if present == wanted:
        return (), ()
    write = (SetFinalizer(present=wanted),)
    return (write, ()) if wanted else ((), write)


def _is_needed(view: View, status: ModelDeploymentStatus) -> bool:
    spec, candidate, route = view.facts.spec, status.candidate, view.facts.route
    if spec is not None and spec.deletion_policy is DeletionPolicy.ORPHAN:
        return True
    if status.stable is not None and candidate is not None and not candidate.direct:
        return True
    # It stays until the route says so, and while nobody knows what is wanted.
    split = route is not None and sum(1 for weight in route.weights.values() if weight) > 1
    return view.facts.finalizer and (split or spec is None)


def _stable(view: View) -> str | None:
    """Service of the revision that serves; None: none that still has pods."""
    stable = view.status.stable
    workload = view.workload(stable.revision) if stable is not None else None
    return stable.service if stable is not None and workload and workload.desired is not None else None


def _drain(view: View) -> timedelta:
    return view.facts.spec.drain if view.facts.spec is not None else _DRAIN


def _drained(view: View, stable: str) -> datetime | None:
    """When all but stable have drained; None: they still get traffic."""
    route = view.facts.route
    if route is None or not view.hosts:
        # No route, or one whose hosts are all another's: nothing can be mended.
        return view.now
    if {service for service, weight in route.weights.items() if weight} != {stable}:
        return None
    last = route.mark.time if route.mark else view.facts.status_written
    return (last or view.now) + _drain(view)


def _is_owned(view: View) -> bool:
    stable = view.status.stable
    workload = view.workload(stable.revision) if stable is not None else None
    return workload is not None and workload.owned


def _is_kept(view: View) -> bool:
    """Whether all that is to stay has no owner any more."""
    route, apex = view.facts.route, view.facts.apex
    routed = route is not None and route.owned and bool(view.hosts)
    return not (_is_owned(view) or routed or (apex is not None and apex.owned))


def _left_over(view: View) -> list[Effect]:
    """What `--cascade=orphan` took the owner from although it is not to stay; not what still has traffic."""
    stable = view.status.stable
    weights = view.facts.route.weights if view.facts.route is not None else {}
    return [
        DeleteRevision(revision=state.revision)
        for name, state in sorted(view.facts.workloads.items())
        if not state.owned and stable is not None and name != stable.revision
        if not weights.get(state.revision.service)
    ]


def _without_owner(view: View) -> list[Effect]:
    """What the garbage collector would leave of what is to go: `Orphan` had begun before it was `Delete`."""
    route, apex, stable = view.facts.route, view.facts.apex, view.status.stable
    workload = view.workload(stable.revision) if stable is not None else None
    effects: list[Effect] = []
    if route is not None and not route.owned:
        effects.append(RemoveRoute())
    if apex is not None and not apex.owned and stable is not None:
        effects.append(WriteApex(revision=view.revision(stable)))
    if workload is not None and (effects or not workload.owned):
        # The Service loses its owner before the Deployment, and is not seen.
        effects.append(DeleteRevision(revision=workload.revision))
    return effects
