"""Which revision can be gone back to: one that completed here, is not rejected, and has its Deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import RevisionStatus, RolloutOutcome
from modelramp.rollout.draft import identity
from modelramp.rollout.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelramp.rollout.facts import Facts
    from modelramp.rollout.view import View


def entry_of(revision: Revision) -> RevisionStatus:
    """A revision in the form of status."""
    return RevisionStatus(**identity(revision))


def completed(view: View) -> Iterator[str]:
    """Names of the revisions that completed a rollout here before stable did, newest first."""
    stable = view.status.stable.revision if view.status.stable else None
    seen_stable = False
    for entry in view.status.history:
        if entry.outcome is not RolloutOutcome.PROMOTED:
            continue
        if entry.revision == stable:
            seen_stable = True
        elif seen_stable:
            yield entry.revision


def rollback_target(view: View, to: str = "") -> RevisionStatus | None:
    """The last revision that completed before stable and may serve again; None when there is none.

    Args:
        view: where we are.
        to: a version or revision that a person named; empty: any.
    """
    for name in completed(view):
        workload = view.workload(name)
        if workload is None or workload.desired is None or name in view.rejected:
            continue
        if not to or to in (workload.revision.name, workload.revision.version):
            return entry_of(workload.revision)
    return None


def remembered(facts: Facts) -> Revision | None:
    """The revision that served when status was lost: by the apex Service, `spec.rollback`, or the route.

    Of two that share the route the older one is stable: a candidate is made later.
    """
    if facts.apex is not None and facts.apex.stable_revision is not None:
        name: str | None = facts.apex.stable_revision
    elif facts.rollback is not None:
        name = facts.rollback.to_revision
    else:
        name = _oldest_serving(facts)
    if name is None:
        return None
    if name in facts.workloads:
        return facts.workloads[name].revision
    wanted = facts.wanted
    return wanted if isinstance(wanted, Revision) and wanted.name == name else None


def _oldest_serving(facts: Facts) -> str | None:
    """By the route; None when it names a Service whose Deployment is gone: that may have been stable."""
    weights = facts.route.weights if facts.route is not None else {}
    by_service = {state.revision.service: state for state in facts.workloads.values()}
    serving = [by_service.get(service) for service, weight in weights.items() if weight]
    known = [state for state in serving if state is not None]
    if not known or len(known) < len(serving):
        return None
    return min(known, key=lambda state: state.created or facts.now).revision.name


def is_way_back(view: View, revision: Revision) -> bool:
    """Whether wanting this is its author's rollback: it completed before stable, and was not rejected."""
    return revision.name not in view.rejected and revision.name in set(completed(view))
