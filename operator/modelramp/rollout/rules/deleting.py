"""The rule that is asked first: the object is being deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import Phase
from modelramp.rollout.draft import Display, Draft, unchanged
from modelramp.rollout.leaving import Leaving, Stage, leaving
from modelramp.rollout.plan import Notice

if TYPE_CHECKING:
    from modelramp.rollout.view import View

REASON = "Deleting"


def deleting(view: View) -> Draft | None:
    """The object is going: in order while our finalizer is on it, else it is not ours to do anything."""
    if view.facts.deletion is None:
        return None
    if not view.facts.finalizer:
        message = "being deleted; the route, the Services and the pods go with it"
        display = Display(phase=Phase.DELETING, reason=REASON, message=message)
        return unchanged(view, rule="deleting", display=display).but(silent=True)
    now = leaving(view)
    draft = unchanged(view, rule="deleting", display=_display(view, now))
    return draft.but(
        leaving=now,
        candidate=None,
        previous=None,
        paused=None,
        back=True,
        notices=tuple(_notices(view, now)),
        requeue_at=now.until,
    )


def _display(view: View, now: Leaving) -> Display:
    facts, stable = view.facts, view.status.stable
    name = stable.revision if stable is not None else "no revision"
    if facts.deletion is not None and facts.deletion.orphan:
        message = (
            f"being deleted: {name}, its Services and the route stay, without owner; what else had traffic"
            " drains first"
        )
        text = "Deleting: leaving what serves"
    elif now.stage is Stage.RELEASE:
        message, text = "being deleted: the finalizer goes, and all with it", "Deleting: going"
    elif now.stage is Stage.UNROUTE:
        message, text = (
            f"being deleted: the route is taken away; {name} drains, then all goes",
            "Deleting: unrouted",
        )
    else:
        message = f"being deleted: {name} gets all traffic; what else had some drains, then the route goes"
        text = "Deleting: draining"
    return Display(phase=Phase.DELETING, reason=REASON, message=message, text=text)


def _notices(view: View, now: Leaving) -> list[Notice]:
    candidate, stable = view.status.candidate, view.status.stable
    told = []
    if candidate is not None and stable is not None and now.stage is not Stage.RELEASE:
        message = f"{candidate.revision} goes to 0 %: the object is being deleted in mid-rollout"
        told.append(Notice(reason=REASON, message=message))
    orphan = view.facts.deletion is not None and view.facts.deletion.orphan
    if now.forced:
        message = (
            "deleted although traffic could not be given to one revision in order within its time: what has"
            " traffic and no owner any more stays as it is"
            if orphan
            else "deleted although traffic could not be taken away in order within its time: requests may"
            " have failed until the route was gone"
        )
        told.append(Notice(reason="DeletionForced", message=message, warning=True))
    elif orphan and now.stage is Stage.RELEASE and _stays(view) and stable is not None:
        message = f"{stable.revision}, its Services and the route stay, without owner"
        told.append(Notice(reason="Orphaned", message=message))
    return told


def _stays(view: View) -> bool:
    stable = view.status.stable
    workload = view.workload(stable.revision) if stable is not None else None
    return workload is not None and not workload.owned
