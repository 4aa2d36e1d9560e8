"""The account for programs: `modelramp why -o json`. Keys are stable; a value that is not known is null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelramp.api.base import format_time
from modelramp.cli.report import step_of

if TYPE_CHECKING:
    from modelramp.cli.account import Account, Block, Point


def document(account: Account) -> dict[str, Any]:
    """All of it; times in RFC 3339, durations in seconds, shares 0 to 1.

    ``proof`` and ``alarm`` are how near they are: 1 and over is there.
    """
    shown = account.picture
    return {
        "name": shown.name,
        "namespace": shown.namespace,
        "version": shown.version,
        "phase": shown.status.phase.value if shown.status.phase else None,
        "reason": shown.reason or None,
        "message": shown.message or None,
        "outcome": shown.outcome.value if shown.outcome else None,
        "step": step_of(shown.step),
        "bake": step_of(shown.bake),
        "rejection": shown.rejection.wire() if shown.rejection else None,
        "source": account.basis.value,
        "time": format_time(account.at) if account.at else None,
        "ageSeconds": round((shown.now - account.at).total_seconds(), 3) if account.at else None,
        "leaderTrouble": account.unasked,
        "looksTrouble": account.unseen,
        "missing": list(account.missing) if account.missing is not None else None,
        "checks": [_block(block) for block in account.blocks],
    }


def _block(block: Block) -> dict[str, Any]:
    entry = block.entry
    return {
        "metric": entry.metric,
        "verdict": entry.verdict,
        "tier": entry.tier,
        "shown": block.check.verdict,
        "value": entry.value,
        "interval": entry.interval,
        "n": entry.n,
        "limit": entry.threshold,
        "stableRatio": block.ratio,
        "stable": entry.baseline,
        "etaSeconds": entry.eta,
        "message": entry.message,
        "query": entry.query,
        "proof": block.proof,
        "alarm": block.alarm,
        "looks": [_point(point) for point in block.points],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "time": format_time(point.at),
        "value": point.value,
        "n": point.candidate.n,
        "bad": point.candidate.k,
        "stableN": point.stable.n,
        "stableBad": point.stable.k,
        "proof": point.proof,
        "alarm": point.alarm,
    }
