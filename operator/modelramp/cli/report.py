"""The same for programs: `-o json`. Keys are stable; a value that is not known is null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelramp.cli.picture import Picture, Row, Step


def report(shown: Picture, body: Mapping[str, Any]) -> dict[str, Any]:
    """The object's status as it is, and what the screen derives from it; times in seconds, shares 0 to 1."""
    step = shown.step
    return {
        "name": shown.name,
        "namespace": shown.namespace,
        "version": shown.version,
        "generation": shown.generation,
        "observed": shown.observed,
        "phase": shown.status.phase.value if shown.status.phase else None,
        "reason": shown.reason or None,
        "message": shown.message or None,
        "outcome": shown.outcome.value if shown.outcome else None,
        "step": step_of(step),
        "bake": step_of(shown.bake),
        "revisions": [_row(shown, row) for row in shown.rows],
        "seenPeriod": shown.seen.period if shown.seen else None,
        "trouble": shown.trouble,
        "status": body.get("status") or {},
    }


def step_of(step: Step | None) -> dict[str, Any] | None:
    """A step, or the bake."""
    if step is None:
        return None
    return {
        "index": step.index,
        "total": step.total,
        "weight": step.weight,
        "heldSeconds": round(step.held, 3),
        "holdSeconds": step.hold,
    }


def _row(shown: Picture, row: Row) -> dict[str, Any]:
    count = shown.seen.counts.get(row.revision) if shown.seen else None
    return {
        "revision": row.revision,
        "version": row.version,
        "role": row.role,
        "weight": row.weight,
        "readyReplicas": row.ready,
        "neededReplicas": row.needed,
        "seenShare": shown.seen.share(row.revision) if shown.seen else None,
        "seenRequests": (count.requests if count else 0) if shown.seen else None,
        "seenErrors": (count.errors if count else 0) if shown.seen else None,
        "seenSlow": (count.slow if count else 0) if shown.seen else None,
    }
