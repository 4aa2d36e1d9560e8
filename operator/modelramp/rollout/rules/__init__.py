"""The chain: named rules in the order in which they are asked; the first that answers wins.

The order matters: nothing beats a failing verdict but deletion and a person's abort. A rule answers with a
draft of the next state, or passes with None.
"""

from __future__ import annotations

from collections.abc import Callable

from modelramp.rollout.draft import Draft
from modelramp.rollout.rules.back import (
    abort_or_rollback_requested,
    rejected_revision,
    retry_requested,
    status_lost,
    verdict_fails,
    workload_failed,
)
from modelramp.rollout.rules.changed import (
    host_conflict,
    invalid_spec,
    newer_format,
    reverted_or_superseded,
)
from modelramp.rollout.rules.deleting import deleting
from modelramp.rollout.rules.forward import bake, idle, next_step, start
from modelramp.rollout.rules.requests import (
    pause_requested,
    paused,
    promote_or_skip_requested,
    resume_requested,
)
from modelramp.rollout.rules.waiting import (
    clock_differs,
    hold,
    not_acknowledged,
    not_proved,
    stable_unready,
)
from modelramp.rollout.view import View

Rule = Callable[[View], Draft | None]

RULES: tuple[Rule, ...] = (
    deleting,
    status_lost,
    abort_or_rollback_requested,
    verdict_fails,
    workload_failed,
    retry_requested,
    rejected_revision,
    newer_format,
    reverted_or_superseded,
    invalid_spec,
    host_conflict,
    stable_unready,
    pause_requested,
    resume_requested,
    paused,
    not_acknowledged,
    clock_differs,
    promote_or_skip_requested,
    hold,
    not_proved,
    next_step,
    bake,
    start,
    idle,
)
