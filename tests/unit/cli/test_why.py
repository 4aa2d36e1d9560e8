"""`modelramp why` says for each check what it rests on, what is missing, and why a version went back."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from modelramp.cli.account import Basis
from modelramp.cli.figures import document
from modelramp.cli.gathering import Leader, account_of, answered, replayed
from modelramp.cli.picture import picture
from modelramp.cli.stretch import stretch_of
from modelramp.cli.telling import tell
from modelramp.controller.live import Live
from modelramp.controller.observe import status_written
from support.providers import provider
from support.world import KEY
from unit.cli.conftest import STATES, look

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelramp.cli.account import Account
    from support.counterstore import CounterStore
    from support.world import World

    Worlds = Callable[[str], World]

SETTLED = 30.0
"""Seconds after which counters are taken as complete."""


async def account(
    world: World,
    *,
    source: CounterStore | None = None,
    leader: Leader | str | None = None,
    after: float = 0.0,
) -> Account:
    """What there is to say of the world, some seconds later."""
    now = world.now + timedelta(seconds=after)
    shown = picture(world.body, now=now)
    live = leader.evidence if isinstance(leader, Leader) else None
    stretch = stretch_of(world.body, now=now, rejection=shown.rejection, live=live)
    replay = await replayed(source, stretch, shown) if stretch is not None else None
    written = status_written(world.body["metadata"])
    return account_of(shown, stretch=stretch, written=written, leader=leader, replay=replay)


def text(told: Account, width: int = 100, *, terminal: bool = False) -> str:
    """As it is printed, without colours."""
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    console = Console(
        file=file, width=width, color_system=None, force_terminal=terminal, _environ={"TERM": "xterm"}
    )
    tell(console, told)
    file.flush()
    file.seek(0)
    return file.read()


def services(world: World) -> list[str]:
    """The Services of all its revisions."""
    status = world.status
    found = [status[role]["service"] for role in ("stable", "candidate", "previous") if role in status]
    gone = [entry["revision"] for entry in status["rejectedRevisions"]]
    return found + [f"{KEY[1]}-{name.replace('.', '-')}" for name in gone]


def words(shown: str) -> str:
    """In one line, as a sentence may go over several."""
    return " ".join(shown.split())


async def test_a_hold_says_what_is_missing(worlds: Worlds) -> None:
    """Verdict, value, range, n, limit, stable, and the rest of the hold; the query can be copied whole."""
    world = worlds("holding")
    told = await account(world)
    shown = text(told)
    assert re.search(r"^  still missing: 40 s of the hold of 60 s *$", shown, re.MULTILINE)
    assert re.search(r"^  error rate  pass *$", shown, re.MULTILINE)
    assert "value 0 % (95 % range 0–3.6 %), n = 100; limit 5 %; stable has 0 %" in words(shown)
    assert "the proof is complete; alarm at 0 %" in shown
    assert f"    {world.status['analysis'][0]['query']}\n" in shown
    assert "from status, written 18 s ago (12:01:02 UTC)" in shown
    assert "give --prometheus URL to see the looks" in shown


async def test_what_is_not_proved_says_how_much_is_missing(worlds: Worlds) -> None:
    """The hold is over: the open check is named, with the time it needs at this rate."""
    told = await account(worlds("not proved"))
    shown = words(text(told))
    assert "still missing: proof for error-rate, in about 48 s at this rate" in shown
    assert "error rate watching" in shown
    assert "about 2,404 more requests at this rate" in shown
    assert re.search(r"proof at \d+ %; alarm at \d+ %", shown)


async def test_a_rollback_says_why_with_its_figures(worlds: Worlds) -> None:
    """Reason, value against limit and stable, what serves, how to go on; nothing is missing any more."""
    shown = words(text(await account(worlds("rolled back"))))
    assert "ROLLED BACK 2.0.0 → 1.0.0" in shown
    assert "error rate FAIL" in shown
    assert "value 30 % (95 % range 22.8–38 %), n = 150; limit 10 %; stable has 0 %" in shown
    assert "the alarm is raised" in shown
    assert "modelramp.dev/request=retry" in shown
    assert "missing" not in shown


async def test_a_bake_has_no_other_arm_and_a_tighter_alarm(worlds: Worlds) -> None:
    """The limit is that of the alarm; no step is waited for."""
    told = await account(worlds("baking"))
    shown = words(text(told))
    assert "alarm over 0.2 %" in shown
    assert "stable has –" in shown
    assert told.missing is None


async def test_who_is_blind_misses_data(worlds: Worlds) -> None:
    """No data is no proof: the checks say so, and since when."""
    shown = words(text(await account(worlds("blind"))))
    assert "error rate no data" in shown
    assert "no data of the candidate since 12:01:21 UTC" in shown
    assert "still missing: data for error-rate; data for latency" in shown


@pytest.mark.parametrize("state", ["first", "healthy", "deploying", "failed"])
async def test_where_nothing_is_judged_it_says_so(worlds: Worlds, state: str) -> None:
    """Without a rollout there are no figures, and what goes on is said."""
    world = worlds(state)
    told = await account(world, leader="nobody was there")
    shown = words(text(told))
    assert "no check has been judged" in shown
    assert look(world).message in shown
    assert told.blocks == ()


async def test_the_leaders_word_is_the_newest(worlds: Worlds) -> None:
    """Its verdicts take the place of those of status, and it is said that they are the operator's own."""
    world = worlds("holding")
    process = world.leader
    live = Live(store=process.store, evidence=process.collector, clock=lambda: world.now, lag=60.0)
    answer = live.of(KEY)
    assert answer is not None
    told = await account(world, leader=answered(json.loads(json.dumps(answer))))
    assert told.basis is Basis.LEADER
    assert "n = 1,000" in text(told)
    assert "as the operator judged at 12:01:20 UTC" in text(told)


async def test_without_the_leader_it_says_how_old_status_is(worlds: Worlds) -> None:
    """One line: how old, and why nobody newer was asked."""
    told = await account(worlds("holding"), leader="you may not get services/proxy")
    line = next(line for line in text(told).splitlines() if "from status" in line)
    assert "written 18 s ago" in line
    assert line.rstrip().endswith("you may not get services/proxy")


async def test_looks_are_recomputed_as_they_were_seen(worlds: Worlds) -> None:
    """The replay has at each look what the operator had, and goes on to the looks after its last write."""
    world = worlds("holding")
    shown = replace(look(world), now=world.now + timedelta(seconds=SETTLED))
    stretch = stretch_of(world.body, now=shown.now, rejection=None)
    assert stretch is not None
    found = await replayed(provider(world, *services(world)), stretch, shown)
    assert not isinstance(found, str)
    written = world.status["evidence"]
    after = dict(found.looks)[written["metrics"]["latency"]["at"]]
    assert after.to_dict() == written
    live = world.leader.collector.evidence(KEY, written["scope"])
    assert found.evidence == live
    assert [entry.n for entry in found.analysis] == [1000, 1000]
    assert len(found.looks) == 20


async def test_recomputed_verdicts_are_newer_than_status(worlds: Worlds) -> None:
    """Where the leader cannot be asked, Prometheus says what it would say."""
    world = worlds("holding")
    source = provider(world, *services(world))
    told = await account(world, source=source, leader="it does not answer", after=SETTLED)
    assert told.basis is Basis.PROMETHEUS
    assert "n = 1,000" in text(told)
    assert "20 looks of 1 s, 12:01:01–12:01:20 UTC" in text(told)
    assert len(source.asked) == 2, "one question for each check"


async def test_looks_of_a_rollback_end_with_it(worlds: Worlds) -> None:
    """Each look of the failing step with its errors, over the limit, up to the alarm and no further."""
    world = worlds("rolled back")
    source = provider(world, *services(world))
    told = await account(world, source=source, after=3600.0)
    errors = told.blocks[0]
    assert [(point.candidate.n, point.candidate.k) for point in errors.points] == [(50, 15)] * 3
    assert errors.points[-1].alarm is not None
    assert errors.points[-1].alarm >= 1.0 > (errors.points[0].alarm or 0.0)
    assert told.basis is Basis.STATUS
    assert errors.entry.n == 150


async def test_a_comparison_with_stable_is_no_limit() -> None:
    """Worse than stable, though within the limit: the ratio is named, the chart has the limit."""
    world = STATES["healthy"]()
    world.meter.bad = {("1.1.0", "error-rate"): 0.02}
    world.deploy("1.1.0")
    world.run(58, until=lambda: "rollback" in world.body["spec"])
    told = await account(world, source=provider(world, *services(world)), after=SETTLED)
    shown = words(text(told))
    assert "limit 1.25 × stable; stable has 0 %" in shown
    assert told.blocks[0].line == 0.05
    assert "5 % |---" in shown
    assert "the alarm is raised" in shown


async def test_a_rollback_whose_evidence_is_gone_is_recomputed_whole(worlds: Worlds) -> None:
    """Status may have dropped the counts: then all looks since the rollout began are shown."""
    world = worlds("rolled back")
    body = world.body | {"status": {k: v for k, v in world.status.items() if k != "evidence"}}
    shown = replace(look(world), now=world.now + timedelta(hours=1))
    stretch = stretch_of(body, now=shown.now, rejection=shown.rejection)
    assert stretch is not None
    found = await replayed(provider(world, *services(world)), stretch, shown)
    assert not isinstance(found, str)
    assert found.evidence is not None
    assert found.evidence.metrics["error-rate"].candidate.k == 45


async def test_a_bake_that_failed_is_recomputed_without_another_arm() -> None:
    """After the promotion there is one arm only: what was counted then is of it alone."""
    world = STATES["baking"]()
    world.meter.bad["1.1.0", "error-rate"] = 0.3
    world.run(60, until=lambda: "rollback" in world.body["spec"])
    told = await account(world, source=provider(world, *services(world)), after=600.0)
    errors = told.blocks[0]
    assert errors.check.verdict == "FAIL"
    assert sum(point.candidate.k for point in errors.points) > 0
    assert {point.stable.n for point in errors.points} == {0}


async def test_a_gap_is_not_drawn_as_zero(worlds: Worlds) -> None:
    """Looks without data have a sign of their own in the chart."""
    world = worlds("blind")
    source = provider(world, *services(world))
    told = await account(world, source=source)
    seen = [point.value for point in told.blocks[0].points]
    assert seen[:20] == [0.0] * 20
    assert set(seen[20:]) == {None}
    assert "??????" in text(told)
    assert "······" in text(told, terminal=True)


async def test_before_the_first_look_there_is_nothing_to_recompute(worlds: Worlds) -> None:
    """Status stays the newest, and it is said why there is no chart."""
    world = worlds("entered")
    source = provider(world, *services(world))
    told = await account(world, source=source, after=SETTLED)
    assert (told.basis, source.asked) == (Basis.STATUS, [])
    assert "the counters of the first look are not complete yet" in text(told)


async def test_a_provider_that_is_down_is_said(worlds: Worlds) -> None:
    """Verdicts of status stay, with a sentence in place of the chart."""
    world = worlds("holding")
    source = provider(world, *services(world))
    source.fault = "connection refused"
    told = await account(world, source=source, after=SETTLED)
    assert told.basis is Basis.STATUS
    assert "the looks could not be recomputed: connection refused" in words(text(told))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("state", STATES)
async def test_no_line_but_a_query_is_wider_than_the_terminal(worlds: Worlds, state: str, width: int) -> None:
    """Every state at every width, with charts where there are looks."""
    world = worlds(state)
    source = provider(world, *services(world))
    shown = text(await account(world, source=source, after=SETTLED), width, terminal=True)
    queries = {f"    {entry['query']}" for entry in world.status.get("analysis") or []}
    assert max(len(line) for line in shown.splitlines() if line not in queries) <= width


async def test_without_a_terminal_it_is_ascii_and_has_no_control_characters(worlds: Worlds) -> None:
    """A chart in a log has no block characters, and nothing that steers a terminal."""
    world = worlds("rolled back")
    source = provider(world, *services(world))
    told = await account(world, source=source)
    plain, drawn = text(told), text(told, terminal=True)
    assert "###" in plain
    assert "\x1b" not in plain
    assert not set("▁▂▃▄▅▆▇█╌┤") & set(plain)
    assert "███" in drawn


@pytest.mark.parametrize("state", STATES)
async def test_json_has_the_same_keys_in_every_state(worlds: Worlds, state: str) -> None:
    """Programs find every key, and each look with its counts."""
    world = worlds(state)
    source = provider(world, *services(world))
    found = json.loads(json.dumps(document(await account(world, source=source, after=SETTLED))))
    assert list(found) == [
        *("name", "namespace", "version", "phase", "reason", "message", "outcome", "step", "bake"),
        *("rejection", "source", "time", "ageSeconds", "leaderTrouble", "looksTrouble", "missing", "checks"),
    ]
    for check in found["checks"]:
        assert check["limit"] > 0
        assert check["verdict"] in ("Pass", "Fail", "Inconclusive")
    if state == "rolled back":
        (errors, _) = found["checks"]
        assert [errors[key] for key in ("verdict", "tier", "n", "value")] == ["Fail", "Critical", 150, 0.3]
        assert found["rejection"]["reason"] == "ErrorRate"
        assert [look["bad"] for look in errors["looks"]] == [15, 15, 15]
    if state == "holding":
        assert found["missing"] == ["10 s of the hold of 60 s"]
        assert sum(look["n"] for look in found["checks"][0]["looks"]) == found["checks"][0]["n"] == 1000
