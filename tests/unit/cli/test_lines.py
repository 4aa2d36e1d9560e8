"""Without a terminal each change is one plain line, once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelramp.cli.lines import changes
from support.world import World
from unit.cli.conftest import counted, look

if TYPE_CHECKING:
    from modelramp.cli.picture import Picture


def told(world: World, seconds: int) -> list[str]:
    """The lines of so many seconds, looked at each second; the client counts by the weights."""
    lines: list[str] = []
    before: Picture | None = None
    for _ in range(seconds):
        shown = look(world)
        weights = {row.role: (row.weight * 10, 0, 0) for row in shown.rows}
        shown = look(world, seen=counted(world, **weights))
        lines += changes(before, shown)
        before = shown
        world.run(1)
    return lines


def told_without_time(lines: list[str]) -> list[str]:
    """The lines without time of day, name, and hashes."""
    return [re.sub(r"-[0-9a-f]{8}\b", "", line.split("  ", 2)[2]) for line in lines]


def test_a_good_rollout_reads_as_a_story() -> None:
    """Start, each step, each proof, what the client saw of each step, and the end, in their order."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("1.1.0")
    lines = told_without_time(told(world, 200))
    story = [
        "version 1.1.0 is wanted; waiting for the operator",
        "Canary 1.0.0 → 1.1.0: 5 % → 20 % → 50 % → 100 %",
        "step 1 of 4: 5 % to 1.1.0 for 60 s",
        "error rate: pass",
        "the client counted 1,000 answers since these weights: 1.0.0 95 % (decided: 95 %), 1.1.0 5 %",
        "step 2 of 4: 20 % to 1.1.0 for 60 s",
        "over 500 ms: pass",
        "step 3 of 4: 50 % to 1.1.0 for 60 s",
        "PROMOTED 1.0.0 → 1.1.0",
    ]
    at = -1
    for part in story:
        at = next(number for number, line in enumerate(lines) if number > at and line.startswith(part))
    assert [line for line in lines if line.startswith("step ")] == [
        line for line in story if line.startswith("step ")
    ]


def test_a_rollback_is_told_with_its_figures() -> None:
    """The failing check, why it went back, what serves, and the command for a retry."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("2.0.0")
    world.meter.bad["2.0.0", "error-rate"] = 0.3
    lines = told_without_time(told(world, 20))
    assert "error rate: FAIL, 30 %" in " | ".join(lines)
    at = lines.index("ROLLED BACK 2.0.0 → 1.0.0: ErrorRate")
    assert lines[at + 1].startswith("error rate 30 % (95 % CI")
    assert lines[at + 2].startswith("All traffic is on 1.0.0 again")
    assert "modelramp.dev/request=retry/" in lines[-1]


def test_nothing_new_is_no_line() -> None:
    """A picture that is the same but for the time is not told again."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    world.deploy("1.1.0")
    world.run(20)
    first = look(world)
    world.run(5)
    assert changes(None, first)
    assert changes(first, look(world)) == []


def test_what_is_wrong_is_told_when_it_begins_and_when_it_ends() -> None:
    """A silent API server is a line, and its return is another."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    good, bad = look(world), look(world, trouble="the API server has not answered since 12:00:00 UTC")
    assert [line.split("  ", 2)[2] for line in changes(good, bad)] == [bad.trouble]
    assert changes(bad, bad) == []
    assert [line.split("  ", 2)[2] for line in changes(bad, good)] == ["the API server answers again"]


def test_lines_carry_no_control_characters() -> None:
    """What a cluster says cannot break a line of a log or steer a terminal."""
    world = World()
    world.deploy("1.0.0")
    world.settle()
    bad = look(world, trouble="a\nb\x1b[2Jc\x07")
    lines = changes(look(world), bad)
    assert len(lines) == 1
    assert not re.search(r"[\x00-\x1f]", lines[0])
