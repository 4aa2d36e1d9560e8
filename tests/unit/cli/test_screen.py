"""The screen says what serves, where the rollout is, how it goes and what to do, at any width."""

from __future__ import annotations

import io
import re
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from modelramp.cli.access import notes_of
from modelramp.cli.failure import Failure
from modelramp.cli.picture import picture
from modelramp.cli.screen import render, screen
from support.world import KEY
from unit.cli.conftest import STATES, counted, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelramp.cli.picture import Picture
    from support.world import World

    Worlds = Callable[[str], World]


def text(shown: Picture, width: int = 120, height: int = 24) -> str:
    """The screen as a terminal of that width shows it, without colours."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(screen(shown))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line(shown: str, start: str) -> str:
    """The line that starts so."""
    return next(found for found in shown.splitlines() if found.strip().startswith(start))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("state", STATES)
def test_no_line_is_wider_than_the_terminal(worlds: Worlds, state: str, width: int) -> None:
    """Every state can be drawn at every width, and a line never runs over the edge."""
    shown = text(look(worlds(state)), width)
    assert KEY[1] in shown
    assert max(len(found) for found in shown.splitlines()) <= width


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_at_80_columns(worlds: Worlds, state: str) -> None:
    """On the smallest usual terminal only events are shortened, and all of it fits 24 lines and a prompt."""
    world = worlds(state)
    seen = counted(world, stable=(950, 0, 2)) if look(world).status.stable else None
    lines = text(look(world, seen=seen), 80).splitlines()
    assert [found for found in lines if "…" in found and " UTC  " not in found] == []
    assert len(lines) < 26


def test_a_hold_says_where_it_is(worlds: Worlds) -> None:
    """Step, weight, time held and what comes next can be read from the first lines."""
    shown = text(look(worlds("holding")))
    assert re.search(r"fraud  Canary 1\.0\.0 → 1\.1\.0 .*step 2 of 4 · 20 % · held 20 of 60 s", shown)
    assert "✓ 5 % 60 s   ▶ 20 % █████░░░░░░░░░░░   ○ 50 % 60 s   ○ 100 %" in shown
    assert "next: 50 % in 40 s, if every check is proved" in shown


def test_a_hold_goes_on_between_two_looks(worlds: Worlds) -> None:
    """The progress is of the moment it is drawn at, and never over the hold."""
    shown = look(worlds("holding"))
    body = worlds("holding").body
    console = Console(file=io.StringIO(), width=120, color_system=None)
    console.print(render(body, now=shown.now + timedelta(seconds=15)))
    console.print(render(body, now=shown.now + timedelta(days=1)))
    assert isinstance(console.file, io.StringIO)
    assert "held 35 of 60 s" in console.file.getvalue()
    assert "held 60 of 60 s" in console.file.getvalue()


def test_time_with_a_wrong_route_is_not_held(worlds: Worlds) -> None:
    """Seconds in which the route was not as decided are taken off the progress."""
    body = deepcopy(worlds("holding").body)
    body["status"]["candidate"]["lostSeconds"] = 12.0
    step = picture(body, now=worlds("holding").now).step
    assert step is not None
    assert step.held == 8


def test_revisions_have_weight_and_pods(worlds: Worlds) -> None:
    """Both revisions with what was decided for them and pods that stand ready, one for the next step."""
    shown = text(look(worlds("holding")))
    assert re.search(r"1\.0\.0-\w{8}  stable +80 % +– +– +4/4", shown)
    assert re.search(r"1\.1\.0-\w{8}  candidate +20 % +– +– +2/2", shown)


def test_what_a_client_counted_is_shown(worlds: Worlds) -> None:
    """Share, number, errors and slow answers are the client's; answers of nobody are not hidden."""
    world = worlds("holding")
    seen = counted(world, stable=(780, 0, 39), candidate=(200, 3, 0), unnamed=(20, 20, 0))
    shown = text(look(world, seen=seen))
    assert re.search(r"stable +80 % +78 % +780 +4/4 +0 % +5 %", shown)
    assert re.search(r"candidate +20 % +20 % +200 +2/2 +1\.5 % +0 %", shown)
    assert re.search(r"\(none named\) +– +– +2 % +20 +– +100 %", shown)
    assert "seen: 1,000 answers that the client counted since these weights" in shown


def test_verdicts_come_with_their_figures(worlds: Worlds) -> None:
    """A proved check shows value, range, limit and how much data it rests on."""
    shown = text(look(worlds("holding")))
    assert re.search(r"error rate +pass +0 % +0–[\d.]+ % +5 % +0 % +yes, n = [\d,]+", shown)


def test_an_open_check_says_when_there_should_be_enough(worlds: Worlds) -> None:
    """The client's own counts say how long a proof takes; without them nothing is made up."""
    world = worlds("entered")
    assert line(text(look(world)), "error rate").split()[-2:] == ["not", "yet"]
    few = counted(world, stable=(950, 0, 0), candidate=(20, 0, 0))
    assert re.search(r"error rate +watching .*client: n = 20, ~\d+ (s|min)", text(look(world, seen=few)))
    bad = counted(world, stable=(950, 0, 0), candidate=(20, 8, 0))
    assert "client: n = 20, over the limit" in text(look(world, seen=bad))


def test_more_requests_bring_the_proof_nearer(worlds: Worlds) -> None:
    """The estimate falls as the client counts more in the same time."""
    world = worlds("entered")

    def wait(requests: int) -> int:
        seen = counted(world, stable=(950, 0, 0), candidate=(requests, 0, 0))
        found = re.search(r"~(\d+) s", line(text(look(world, seen=seen)), "error rate"))
        return int(found[1]) if found else 0

    assert wait(20) > wait(40) > wait(60)


def test_a_hold_without_proof_says_what_is_missing(worlds: Worlds) -> None:
    """The hold is over, the candidate stays, and the check that keeps it is named."""
    shown = text(look(worlds("not proved")))
    assert re.search(r"error rate +watching +4 %", shown)
    assert "stays at 5 % until there is proof for: error-rate" in shown


def test_blindness_is_not_shown_as_health(worlds: Worlds) -> None:
    """Without data the check says so and no next step is promised."""
    shown = text(look(worlds("blind")))
    assert re.search(r"error rate +no data", shown)
    assert "nothing moves on without data" in " ".join(shown.split())
    assert "next:" not in shown


def test_a_client_cannot_prove_what_the_operator_does_not_see(worlds: Worlds) -> None:
    """Without data no time of a proof is estimated from the client's counts."""
    world = worlds("blind")
    shown = text(look(world, seen=counted(world, stable=(800, 0, 0), candidate=(200, 0, 0))))
    assert "client:" not in shown


def test_a_client_that_stopped_is_told(worlds: Worlds) -> None:
    """Its last figures are not shown as if they were of this moment."""
    world = worlds("holding")
    seen = counted(world, stable=(800, 0, 0), candidate=(200, 0, 0))
    assert "nothing since" not in text(look(world, seen=seen))
    old = replace(seen, at=seen.at - 60)
    since = f"{world.now - timedelta(seconds=60):%H:%M:%S} UTC"
    assert f"it has counted nothing since {since}" in text(look(world, seen=old))


def test_the_newest_event_comes_first(worlds: Worlds) -> None:
    """An API server lists events by name: what is shown goes by time."""
    world = worlds("holding")
    events = sorted(world.cluster.events, key=lambda event: str(event["note"]))
    notes = notes_of(events, uid=world.body["metadata"]["uid"])
    assert [note.time for note in notes] == sorted((note.time for note in notes), reverse=True)
    assert "gets 20 %" in notes[0].message
    assert notes_of(events, uid="another") == ()


def test_fields_of_a_newer_operator_are_no_obstacle(worlds: Worlds) -> None:
    """What this command does not know is left out; what it cannot read is said."""
    body = deepcopy(worlds("holding").body)
    body["status"]["later"] = {"a": 1}
    body["status"]["candidate"]["later"] = 1
    assert picture(body, now=worlds("holding").now).step is not None
    body["status"]["phase"] = "Later"
    with pytest.raises(Failure, match=r"fraud: status\.phase cannot be read"):
        picture(body, now=worlds("holding").now)


def test_pods_that_start_are_counted(worlds: Worlds) -> None:
    """Before the first step one sees what it waits for."""
    shown = text(look(worlds("deploying")))
    assert "before step 1 of 4" in shown
    assert re.search(r"candidate +0 % +– +– +0/1", shown)
    assert "5 % needs 1 ready pod of" in shown


def test_a_change_that_nobody_answered_yet_is_told(worlds: Worlds) -> None:
    """Old figures are never shown as if they spoke of the new version."""
    shown = text(look(worlds("unseen")))
    assert "version 1.1.0 is wanted; the operator has not answered to this change yet" in shown


def test_a_promotion_shows_the_bake(worlds: Worlds) -> None:
    """After 100 % one sees how long the way back stays open, and the alarm's own limit."""
    shown = text(look(worlds("baking")))
    assert re.search(r"PROMOTED +1\.0\.0 → 1\.1\.0 .*100 % · bake 30 of 120 s", shown)
    assert re.search(r"1\.0\.0-\w{8} +previous +0 %", shown)
    assert "alarm over" in shown


def test_a_rollback_says_why_and_what_to_do(worlds: Worlds) -> None:
    """Versions, figures against the limit, what serves, that it is final, and the command for a retry."""
    world = worlds("rolled back")
    shown = text(look(world, seen=counted(world, stable=(950, 0, 0), rejected=(50, 15, 1))))
    assert re.search(r"ROLLED BACK +2\.0\.0 → 1\.0\.0", shown)
    assert re.search(r"Error rate 30 % \(95 % CI [\d.]+–[\d.]+ %, n=\d+\) in \d+ s is over 10 %", shown)
    assert re.search(r"All traffic is on 1\.0\.0-\w{8} again, 3 s after the rollout began", shown)
    assert re.search(r"50 requests to 2\.0\.0-\w{8}: 15 met an error, 1 took over 500 ms", shown)
    assert "will not be tried again" in shown
    assert "kubectl annotate mdep fraud -n shop --overwrite modelramp.dev/request=retry/$(date +%s)" in shown
    assert re.search(r"error rate +FAIL +30 %", shown)
    assert re.search(r"2\.0\.0-\w{8} +rejected +0 % +5 % +50 +– +30 % +2 %", shown)


def test_a_command_that_is_too_long_can_still_be_copied(worlds: Worlds) -> None:
    """Where it does not fit in a line it ends with a backslash at a space."""
    shown = text(look(worlds("rolled back")), 80).splitlines()
    first = next(number for number, found in enumerate(shown) if "kubectl annotate" in found)
    assert shown[first].rstrip().endswith("--overwrite \\")
    assert shown[first + 1].strip() == "modelramp.dev/request=retry/$(date +%s)"


def test_a_first_revision_that_fails_says_so(worlds: Worlds) -> None:
    """With nothing to go back to, the reason and what to correct are on the screen."""
    shown = text(look(worlds("failed")))
    assert re.search(r"FAILED +1\.0\.0", shown)
    assert "correct the template or the version" in " ".join(shown.split())


def test_a_silent_api_server_is_told(worlds: Worlds) -> None:
    """What is shown may be old, and says so."""
    assert "has not answered" in text(look(worlds("holding"), trouble="it has not answered since 12:00"))


def test_many_steps_fit_a_line(worlds: Worlds) -> None:
    """Twenty steps lose their holds and weights, not the step under way."""
    shown = look(worlds("holding"))
    assert shown.step is not None
    assert shown.status.plan is not None
    steps = [
        shown.status.plan.strategy.steps[0].model_copy(update={"weight": weight})
        for weight in range(4, 84, 4)
    ]
    strategy = shown.status.plan.strategy.model_copy(update={"steps": steps})
    plan = shown.status.plan.model_copy(update={"strategy": strategy})
    many = replace(
        shown,
        status=shown.status.model_copy(update={"plan": plan}),
        step=replace(shown.step, index=7, total=21, weight=28),
    )
    assert (
        line(text(many, 80), "✓").strip() == "✓ ✓ ✓ ✓ ✓ ✓ ▶ 28 % ██░░░░░░ ○ ○ ○ ○ ○ ○ ○ ○ ○ ○ ○ ○ ○ ○ 100 %"
    )


def test_texts_of_the_cluster_do_not_steer_the_terminal(worlds: Worlds) -> None:
    """Escape sequences and markup in a message or an event are shown as harmless text."""
    world = worlds("deploying")
    shown = look(world)
    note = replace(shown.notes[0], message="evil \x1b[2J\x07 [red]text[/red]")
    conditions = [
        item.model_copy(update={"message": "bad\x1b]0;title\x07 [bold]end"})
        for item in shown.status.conditions
    ]
    status = shown.status.model_copy(update={"conditions": conditions})
    out = text(replace(shown, notes=(note,), status=status))
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "[red]text[/red]" in out
    assert "[bold]end" in out
