"""What changed between two moments, in plain lines: `--watch` where there is no terminal to draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelramp.api.status import Phase
from modelramp.cli import ending, steps
from modelramp.cli.checks import WATCHING, checks
from modelramp.cli.picture import Outcome
from modelramp.cli.wording import clock, percent, plain, request, seconds

if TYPE_CHECKING:
    from modelramp.cli.picture import Picture


def changes(before: Picture | None, after: Picture) -> list[str]:
    """A line for each thing that is new in `after`, with its time of day; nothing when all is as before."""
    found = [
        *_trouble(before, after),
        *_wanted(before, after),
        *_rollout(before, after),
        *_counted(before, after),
        *_step(before, after),
        *_verdicts(before, after),
        *_end(before, after),
        *_message(before, after),
    ]
    return [f"{clock(after.now)}  {after.name}  {plain(line)}" for line in found]


def _trouble(before: Picture | None, after: Picture) -> list[str]:
    was = before.trouble if before else None
    if after.trouble == was:
        return []
    return [after.trouble or "the API server answers again"]


def _wanted(before: Picture | None, after: Picture) -> list[str]:
    if after.observed or (before is not None and before.generation == after.generation):
        return []
    return [f"version {after.version} is wanted; waiting for the operator"]


def _rollout(before: Picture | None, after: Picture) -> list[str]:
    plan, candidate = after.status.plan, after.status.candidate
    if plan is None or candidate is None:
        return []
    if before is not None and before.status.plan is not None and before.status.plan.id == plan.id:
        return []
    if after.before is None:
        return [f"first revision {candidate.revision}"]
    weights = " → ".join(f"{step.weight} %" for step in plan.strategy.steps)
    return [f"Canary {after.before} → {candidate.version}: {weights} → 100 %"]


def _counted(before: Picture | None, after: Picture) -> list[str]:
    """What the client had seen of the weights that are over now."""
    if before is None or before.seen is None or before.scope == after.scope or not before.seen.requests:
        return []
    seen = before.seen
    shares = ", ".join(
        f"{row.revision} {percent(seen.share(row.revision))} (decided: {row.weight} %)" for row in before.rows
    )
    return [f"the client counted {seen.requests:,} answers {seen.period}: {shares}"]


def _step(before: Picture | None, after: Picture) -> list[str]:
    step, candidate = after.step, after.status.candidate
    if step is None or candidate is None or not step.index:
        return []
    known = before.status.candidate if before else None
    if known is not None and (known.revision, known.step) == (candidate.revision, candidate.step):
        return []
    return [
        f"step {step.index} of {step.total}: {step.weight} % to {candidate.revision} for {seconds(step.hold)}"
    ]


def _verdicts(before: Picture | None, after: Picture) -> list[str]:
    known = {check.metric: check.verdict for check in checks(before)} if before else {}
    return [
        f"{check.label}: {check.verdict}, {check.value} ({check.interval}), limit {check.limit},"
        f" stable has {check.stable}, {check.enough}"
        for check in checks(after)
        if check.verdict != known.get(check.metric, WATCHING)
    ]


def _end(before: Picture | None, after: Picture) -> list[str]:
    if after.outcome is None or (before is not None and before.outcome is after.outcome):
        return []
    if after.outcome is Outcome.PROMOTED and after.status.stable is not None:
        path = (
            f"{after.before} → {after.status.stable.version}" if after.before else after.status.stable.version
        )
        return [f"PROMOTED {path}"]
    if after.rejection is not None:
        first, second = request("retry", name=after.name, namespace=after.namespace)
        return [
            f"ROLLED BACK {after.rejection.version} → {after.before}: {after.rejection.reason.value}",
            after.rejection.message,
            *ending.facts(after, after.rejection),
            f"{after.rejection.revision} will not be tried again; to have it tried again: {first} {second}",
        ]
    return []


def _message(before: Picture | None, after: Picture) -> list[str]:
    """What the operator says, where no other line has said it."""
    problems = [f"{item.reason}: {item.message}" for item in after.problems]
    known = [f"{item.reason}: {item.message}" for item in before.problems] if before else []
    found = [problem for problem in problems if problem not in known]
    told = after.reason == "Holding" or after.status.phase is Phase.ROLLED_BACK
    if after.message and not told and (before is None or before.message != after.message):
        found.append(after.message)
    if not after.message and before is None:
        found.append(steps.following(after))
    return found
