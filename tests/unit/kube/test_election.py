"""The election under virtual time: never two at work, how soon the next one begins, what idling costs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import looptime  # noqa: F401 - its pytest plugin moves the loop's clock
import pytest

from modelramp.kube.election import Election, ElectionError
from modelramp.kube.lease import Timing
from support.leases import Connection, LeaseServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.looptime(start=0)]

START = datetime(2026, 11, 21, 8, tzinfo=UTC)
KEY = ("modelramp-system", "modelramp")
LEASE, DEADLINE, RETRY = 15, 10, 2
LATENCY = 0.1


def now() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()


class Process:
    """One operator that takes part; `spells` are the times between which it worked."""

    def __init__(self, server: LeaseServer, name: str, *, resumes: bool = False) -> None:
        self.connection = Connection(server)
        self.election = Election(
            cluster=self.connection,
            namespace=KEY[0],
            name=KEY[1],
            process=name,
            resumes=resumes,
            timing=Timing(),
            now=lambda: START + timedelta(seconds=now()),
        )
        self.spells: list[list[float]] = []
        self.stuck = False
        self.task = asyncio.create_task(self.election.run(self._work))

    async def _work(self) -> None:
        self.spells.append([now()])
        try:
            await asyncio.Event().wait()
        finally:
            while self.stuck:
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)
            self.spells[-1].append(now())

    @property
    def works(self) -> bool:
        """Whether it works now."""
        return bool(self.spells) and len(self.spells[-1]) == 1

    def kill(self) -> None:
        """SIGKILL: nothing of it reaches the server any more."""
        self.connection.cut = True
        self.task.cancel()

    async def stop(self) -> None:
        """SIGTERM."""
        self.task.cancel()
        await asyncio.wait([self.task])


class World:
    """A server and its processes."""

    def __init__(self) -> None:
        self.server = LeaseServer()
        self.processes: list[Process] = []

    def start(self, name: str, *, resumes: bool = False) -> Process:
        """One more process."""
        self.processes.append(Process(self.server, name, resumes=resumes))
        return self.processes[-1]

    async def pair(self, seconds: float = 5) -> tuple[Process, Process]:
        """A leader and a standby, after some time."""
        leader = self.start("a")
        await asyncio.sleep(0.5)
        standby = self.start("b")
        await asyncio.sleep(seconds)
        assert leader.works
        assert not standby.works
        return leader, standby

    @property
    def spec(self) -> dict[str, Any]:
        """What stands in the Lease."""
        spec: dict[str, Any] = self.server.objects[KEY]["spec"]
        return spec

    def assert_never_two(self) -> None:
        """No spell of work overlaps another's."""
        end = now()
        spells = sorted(
            (spell[0], spell[1] if len(spell) > 1 else end) for p in self.processes for spell in p.spells
        )
        assert all(first[1] <= second[0] for first, second in pairwise(spells)), spells


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """All processes end with the test."""
    made = World()
    yield made
    for process in made.processes:
        process.stuck = False
        process.task.cancel()
    await asyncio.gather(*(process.task for process in made.processes), return_exceptions=True)


async def test_one_works_and_the_other_stands_by(world: World) -> None:
    """The first creates the Lease at once; the second only reads for as long as it is renewed."""
    leader, standby = await world.pair(seconds=300)
    assert leader.spells == [[pytest.approx(0.02, abs=0.01)]]
    assert world.spec["holderIdentity"] == leader.election.identity
    assert world.spec["leaseTransitions"] == 0
    assert set(standby.connection.verbs()) == {"get"}
    assert (leader.election.held(), standby.election.held()) == (True, False)


async def test_what_an_idle_leader_and_a_standby_cost(world: World) -> None:
    """30 replaces a minute by the leader, which reads nothing; 30 reads a minute by the standby."""
    leader, standby = await world.pair()
    for process in (leader, standby):
        process.connection.requests.clear()
    await asyncio.sleep(60)
    assert set(leader.connection.verbs()) == {"replace"}
    assert 28 <= len(leader.connection.requests) <= 31
    assert 28 <= len(standby.connection.requests) <= 31


@pytest.mark.parametrize("into", [0.0, 0.3, 0.7, 1.1, 1.5, 1.9])
async def test_a_killed_leader_is_followed_within_lease_and_retry(world: World, into: float) -> None:
    """Wherever in its period it dies, the next one works within 17 s; the change is counted."""
    leader, standby = await world.pair(seconds=20 + into)
    leader.kill()
    killed = now()
    await asyncio.sleep(30)
    (spell,) = standby.spells
    assert LEASE - RETRY - LATENCY <= spell[0] - killed <= LEASE + RETRY + LATENCY
    assert world.spec["leaseTransitions"] == 1
    world.assert_never_two()


async def test_a_leader_that_ends_lets_the_next_one_begin_within_a_retry(world: World) -> None:
    """The Lease is released, after the work has ended and not before."""
    leader, standby = await world.pair()
    asked = now()
    await leader.stop()
    assert world.spec["holderIdentity"] == ""
    assert now() - asked < LATENCY
    await asyncio.sleep(RETRY + LATENCY)
    assert standby.spells[0][0] - asked <= RETRY + LATENCY
    assert world.spec["leaseTransitions"] == 1
    world.assert_never_two()


async def test_a_leader_that_is_cut_off_stops_before_the_lease_runs_out(world: World) -> None:
    """Its work ends at the renew deadline, the other's begins seconds later; back on the net it stands by."""
    leader, standby = await world.pair(seconds=20)
    leader.connection.cut = True
    cut = now()
    await asyncio.sleep(30)
    assert DEADLINE - RETRY - LATENCY <= leader.spells[0][1] - cut <= DEADLINE
    assert standby.spells[0][0] - leader.spells[0][1] >= LEASE - DEADLINE - LATENCY
    leader.connection.cut = False
    await asyncio.sleep(60)
    assert standby.works
    assert not leader.works
    world.assert_never_two()


async def test_an_outage_for_all_ends_with_one_leader(world: World) -> None:
    """Two minutes without an API server: nobody works; then one does, and the other stands by."""
    await world.pair()
    for process in world.processes:
        process.connection.cut = True
    await asyncio.sleep(120)
    assert not any(process.works for process in world.processes)
    for process in world.processes:
        process.connection.cut = False
    await asyncio.sleep(20)
    assert sum(process.works for process in world.processes) == 1
    world.assert_never_two()


async def test_a_short_outage_is_no_change(world: World) -> None:
    """Six seconds without answers are ridden out: the leader works on, and is still the only one."""
    leader, standby = await world.pair()
    for process in world.processes:
        process.connection.cut = True
    await asyncio.sleep(DEADLINE - 2 * RETRY)
    for process in world.processes:
        process.connection.cut = False
    await asyncio.sleep(60)
    assert len(leader.spells) == 1
    assert leader.works
    assert standby.spells == []


async def test_a_lost_answer_is_not_taken_for_a_rival(world: World) -> None:
    """A renewal was done and its answer lost: the next is refused, a look shows our name, work goes on."""
    leader, standby = await world.pair()
    leader.connection.lose = True
    await asyncio.sleep(RETRY)
    leader.connection.lose = False
    await asyncio.sleep(60)
    assert "Fenced" in [outcome for _, _, outcome in leader.connection.requests]
    assert len(leader.spells) == 1
    assert leader.works
    assert standby.spells == []


async def test_a_slow_api_server_is_given_up_on_and_asked_again(world: World) -> None:
    """Answers that take longer than three quarters of a retry count as none: work ends at the deadline."""
    leader, standby = await world.pair()
    leader.connection.delay = 1.6
    slow = now()
    await asyncio.sleep(14)
    assert leader.spells[0][1] - slow <= DEADLINE
    begun = [at for verb, at, outcome in leader.connection.requests if at > slow and outcome == "cut short"]
    assert all(later - earlier <= RETRY + LATENCY for earlier, later in pairwise(begun))
    await asyncio.sleep(20)
    assert standby.works
    world.assert_never_two()


async def test_a_stalled_leader_does_nothing_when_it_goes_on(world: World) -> None:
    """Its clock went on while it stood still: it holds nothing from the first instant, and only looks."""
    leader = world.start("a")
    await asyncio.sleep(5)
    rival = {**world.spec, "holderIdentity": "b_1", "renewTime": "later"}
    world.server.store({**world.server.objects[KEY], "spec": rival})
    leader.connection.requests.clear()
    leader.election._clock = lambda: now() + LEASE
    assert not leader.election.held()
    await asyncio.sleep(RETRY + LATENCY)
    assert not leader.works
    assert set(leader.connection.verbs()) == {"get"}
    assert world.spec == rival


async def test_a_renewal_on_old_knowledge_is_refused(world: World) -> None:
    """It has not noticed that it stood still: the server refuses its renewal, and it stops at once."""
    leader = world.start("a")
    await asyncio.sleep(5)
    rival = {**world.spec, "holderIdentity": "b_1", "renewTime": "later"}
    world.server.store({**world.server.objects[KEY], "spec": rival})
    await asyncio.sleep(RETRY + LATENCY)
    assert leader.connection.verbs("Fenced") == ["replace"]
    assert not leader.works
    assert world.spec == rival


async def test_a_lease_deleted_by_hand_does_not_make_two(world: World) -> None:
    """The standby waits as long as for any other Lease; the leader makes it again, and goes on soon."""
    leader, standby = await world.pair()
    del world.server.objects[KEY]
    await asyncio.sleep(2 * RETRY + LATENCY)
    assert leader.works
    await asyncio.sleep(60)
    assert leader.works
    assert standby.spells == []
    world.assert_never_two()


async def test_of_two_that_take_a_free_lease_one_wins(world: World) -> None:
    """Both look and create in the same instant: the second is refused by the server, and waits."""
    first, second = world.start("a"), world.start("b")
    await asyncio.sleep(60)
    assert sum(process.works for process in world.processes) == 1
    assert "Fenced" in [outcome for p in (first, second) for _, _, outcome in p.connection.requests]
    world.assert_never_two()


async def test_a_restarted_process_resumes_its_own_lease_at_once(world: World) -> None:
    """Killed and started again under the same name: no wait, although nobody had released the Lease."""
    first = world.start("pod-1", resumes=True)
    await asyncio.sleep(5)
    first.kill()
    again = world.start("pod-1", resumes=True)
    await asyncio.sleep(LATENCY)
    assert again.works
    assert world.spec["leaseTransitions"] == 1


async def test_without_a_name_of_its_own_a_restart_waits(world: World) -> None:
    """The same host's name may be another process': it gets the whole lease."""
    first = world.start("host")
    await asyncio.sleep(5)
    first.kill()
    again = world.start("host")
    await asyncio.sleep(LEASE - LATENCY)
    assert not again.works
    await asyncio.sleep(RETRY)
    assert again.works


async def test_two_of_one_name_do_not_take_it_from_each_other_for_ever(world: World) -> None:
    """By mistake two share a name: the second takes over once, the first stands by like any other."""
    first = world.start("pod-1", resumes=True)
    await asyncio.sleep(5)
    second = world.start("pod-1", resumes=True)
    await asyncio.sleep(120)
    assert second.works
    assert len(first.spells) == len(second.spells) == 1


@pytest.mark.parametrize("broken", ["rights", "namespace"])
async def test_what_keeps_the_lease_from_being_used_is_said(world: World, broken: str) -> None:
    """Rights or namespace are missing at the start: the process ends, and says what to do."""
    if broken == "namespace":
        world.server.namespaces.clear()
    process = world.start("a")
    process.connection.forbidden = broken == "rights"
    with pytest.raises(
        ElectionError, match=r"modelramp-system/modelramp cannot be used: .*--no-leader-elect"
    ):
        await process.task
    assert process.spells == []


async def test_a_refusal_later_on_is_an_outage(world: World) -> None:
    """An API server that has just started may know no roles yet: the leader stops in time, and comes back."""
    process = world.start("a")
    await asyncio.sleep(5)
    process.connection.forbidden = True
    await asyncio.sleep(60)
    assert not process.works
    process.connection.forbidden = False
    await asyncio.sleep(LEASE + RETRY)
    assert process.works


async def test_work_that_does_not_end_ends_the_process(world: World) -> None:
    """It cannot be stopped before the Lease runs out: the process ends rather than work beside another."""
    leader, _ = await world.pair()
    leader.stuck = True
    leader.connection.cut = True
    await asyncio.sleep(LEASE + RETRY)
    assert leader.task.done()
    with pytest.raises(ElectionError, match="does not end"):
        await leader.task


async def test_a_failure_of_the_work_is_the_end_and_releases_the_lease(world: World) -> None:
    """What no retry can help ends this process, and the next one need not wait for the lease."""

    async def fails() -> None:
        await asyncio.sleep(3)
        raise ValueError("broken")

    election = Election(
        cluster=Connection(world.server),
        namespace=KEY[0],
        name=KEY[1],
        process="a",
        timing=Timing(),
        now=lambda: START,
    )
    with pytest.raises(ValueError, match="broken"):
        await election.run(fails)
    assert world.spec["holderIdentity"] == ""
