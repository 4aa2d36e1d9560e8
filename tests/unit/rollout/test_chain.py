"""The order in which the rules are asked."""

from __future__ import annotations

from modelramp.rollout.rules import RULES


def test_nothing_beats_a_failing_verdict_but_deletion_and_a_persons_abort() -> None:
    """The chain is the design's; what was added stands where its decision record says."""
    assert [rule.__name__ for rule in RULES] == [
        "deleting",
        "status_lost",
        "abort_or_rollback_requested",
        "verdict_fails",
        "workload_failed",
        "retry_requested",
        "rejected_revision",
        "newer_format",
        "reverted_or_superseded",
        "invalid_spec",
        "host_conflict",
        "stable_unready",
        "pause_requested",
        "resume_requested",
        "paused",
        "not_acknowledged",
        "clock_differs",
        "promote_or_skip_requested",
        "hold",
        "not_proved",
        "next_step",
        "bake",
        "start",
        "idle",
    ]
