"""Which revision can be gone back to: one that completed here, is not rejected, and has its Deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import RevisionStatus, RolloutOutcome
from modelramp.rollout.draft import identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelramp.rollout.revision import Revision
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


def is_way_back(view: View, revision: Revision) -> bool:
    """Whether wanting this is its author's rollback: it completed before stable, and was not rejected."""
    return revision.name not in view.rejected and revision.name in set(completed(view))
