"""Leader election on a Lease: of several processes one works, the others stand by with a warm store.

What keeps two from working at once, in this order:

- The holder renews every retry period. When no renewal has been answered for the renew deadline it stops its
  work by itself, before anybody else may take the Lease (deadline < lease).
- Clocks of different machines are not compared. Times in the Lease are for people; a process counts the lease
  on its own monotonic clock, from when it saw the Lease change.
- The Lease is only replaced under the resourceVersion that was read: of two that try, one wins.
- `held` is asked before each write, so that a process that was stopped and goes on does not begin one.
- What is on its way all the same is refused by the resourceVersion of the object that it would change.

A process that has lost the Lease stays, as a standby: its watches and its store are sound, and Kubernetes
restarts ended processes later and later, in an outage above all. It keeps nothing of its work, though:
`work` is begun anew for each term, as it would be in a new process.

The price: one replace of the Lease in each retry period by the holder (30 a minute by default, also with one
replica), and as many reads by each standby.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from modelramp.kube.errors import ClusterError, Fenced, Missing, Refused, Unauthorized
from modelramp.kube.lease import LEASE, Seen, Timing, claimed, released, saw

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from datetime import datetime

    from modelramp.kube.kinds import Kind

    Body = dict[str, Any]
    Change = Callable[[Mapping[str, Any] | None], Body]

_TICK = 0.001

_log = structlog.get_logger(__name__)


class ElectionError(Exception):
    """The Lease cannot be used, or what it protects cannot be stopped. Only another start can help."""


class Leases(Protocol):
    """What an election needs of a cluster's client; `Unavailable` and `Refused` as in the port."""

    async def read(self, kind: Kind, namespace: str, name: str) -> Body:
        """The object; `Missing` when it is not there."""
        ...

    async def create(self, kind: Kind, body: Body) -> Body:
        """Creates it; `Fenced` when it is there already, `Missing` when its namespace is not."""
        ...

    async def replace(self, kind: Kind, body: Body) -> Body:
        """Replaces it; `Fenced` when its resourceVersion is no longer that of `body`."""
        ...


class Election:
    """Takes part in the election for one Lease while `run` runs. Make it in the event loop.

    Args:
        cluster: where the Lease is. Let it have connections of its own: a renewal may not queue.
        namespace: of the Lease.
        name: of the Lease.
        process: what people read in the Lease; a random part is added.
        resumes: take over at once when the Lease is found held by a process of this name at the start: it is
            the one before us, which is known to have ended. Only for names that no two share.
        timing: see `Timing`.
        now: the time that people read in the Lease (aware).
    """

    def __init__(
        self,
        *,
        cluster: Leases,
        namespace: str,
        name: str,
        process: str,
        resumes: bool = False,
        timing: Timing,
        now: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._process = process
        self._resumes = resumes
        self._timing = timing
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self.identity = f"{process}_{uuid.uuid4().hex[:12]}"
        self._seen: Seen | None = None
        self._looked = False
        # As we wrote it last. Who writes it again under its resourceVersion writes what is still ours.
        self._body: Body | None = None
        self._until = -math.inf

    def held(self) -> bool:
        """Whether this process leads, by its own clock alone."""
        return self._clock() < self._until

    async def run(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Runs `work()` whenever this process holds the Lease, and cancels it when it no longer does.

        Ends by cancellation, then the Lease is released after the work has ended; or with what `work` raised.

        Raises:
            ElectionError: the Lease cannot be used (rights, namespace), or the work did not end in time.
            Unauthorized: the credentials are no longer valid.
        """
        try:
            while True:
                await self._acquire()
                await self._lead(work)
        finally:
            await self._release()

    # -- standby -------------------------------------------------------------------------------------------

    async def _acquire(self) -> None:
        """Returns when the Lease is ours."""
        while True:
            begun = self._clock()
            try:
                async with asyncio.timeout(self._timing.attempt):
                    if await self._take():
                        return
            except Unauthorized:
                raise
            except (Fenced, Missing):
                _log.debug("another process was first", lease=self._name)
            except (ClusterError, TimeoutError) as error:
                # Once it has worked, a no is of an API server that has just started and knows no roles yet.
                if isinstance(error, Refused) and not self._looked:
                    raise self._unusable(error) from error
                self._failed("looking at the Lease failed", error)
            again = begun + self._timing.retry
            if self._seen and self._seen.until > self._clock():
                again = min(again, self._seen.until)
            await asyncio.sleep(max(_TICK, again - self._clock()))

    async def _take(self) -> bool:
        """One look; takes the Lease if it is free."""
        try:
            body = await self._cluster.read(LEASE, self._namespace, self._name)
        except Missing:
            body = None
        free = self._free(body and body.get("spec"), at=self._clock())
        self._looked = True
        if free:
            await self._write(body, self._claimed)
        return free

    def _free(self, spec: Mapping[str, Any] | None, *, at: float) -> bool:
        """Whether this process may take a Lease that it has just seen like this."""
        before = self._seen
        if spec is None:
            # Deleted by somebody: whoever held it may not know that yet.
            return before is None or at >= before.until
        self._seen = seen = saw(before, spec, at=at, lease=self._timing.lease)
        holder = seen.holder
        if holder is None or holder == self.identity:
            return True
        if before is None or before.holder != holder:
            _log.info("another process leads", lease=self._name, holder=holder)
        if self._resumes and not self._looked and holder.rpartition("_")[0] == self._process:
            return True
        return at >= seen.until

    # -- leader --------------------------------------------------------------------------------------------

    async def _lead(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Works and renews until the Lease is lost."""
        _log.info("leading", lease=self._name, identity=self.identity)
        task = asyncio.create_task(work(), name="work")
        try:
            again = self._clock() + self._timing.retry
            renewed = True
            while renewed:
                await asyncio.wait({task}, timeout=max(0, min(again, self._until) - self._clock()))
                again = self._clock() + self._timing.retry
                renewed = not task.done() and await self._renew()
        finally:
            self._until = -math.inf
            task.cancel()
            await asyncio.wait({task}, timeout=self._timing.lease - self._timing.deadline)
            if not task.done():
                # Then it must not be released either.
                self._body = None
        if not task.done():
            raise ElectionError(f"the Lease {self._name} is lost, and the work for it does not end")
        if not task.cancelled():
            task.result()
        _log.warning("no longer leading", lease=self._name, identity=self.identity)

    async def _renew(self) -> bool:
        """One attempt; whether this process still leads."""
        left = self._until - self._clock()
        if left <= 0:
            return False
        try:
            async with asyncio.timeout(min(self._timing.attempt, left)):
                return await self._change(self._claimed)
        except Unauthorized:
            raise
        except (ClusterError, TimeoutError) as error:
            self._failed("renewing the Lease failed", error)
            return self.held()

    async def _change(self, change: Change) -> bool:
        """Writes the Lease if it is still ours."""
        try:
            with suppress(Fenced):
                await self._write(self._body, change)
                return True
            # It is another's, or an earlier write of ours was done and its answer lost.
            body = await self._cluster.read(LEASE, self._namespace, self._name)
            if body.get("spec", {}).get("holderIdentity") != self.identity:
                return False
            await self._write(body, change)
        except (Fenced, Missing):
            return False
        return True

    async def _write(self, body: Body | None, change: Change) -> None:
        """Replaces (None: creates) the Lease, and counts its time from before the request was sent."""
        sent = self._clock()
        spec = change(body and body.get("spec"))
        if body is not None:
            self._body = await self._cluster.replace(LEASE, {**body, "spec": spec})
        else:
            metadata = {"namespace": self._namespace, "name": self._name}
            try:
                self._body = await self._cluster.create(LEASE, {"metadata": metadata, "spec": spec})
            except Missing as error:
                raise self._unusable(error) from error
        self._until = sent + self._timing.deadline

    def _claimed(self, spec: Mapping[str, Any] | None) -> Body:
        return claimed(spec, identity=self.identity, lease=self._timing.lease, now=self._now())

    async def _release(self) -> None:
        """Lets the next one begin at once instead of after the lease."""
        if self._body is None:
            return
        try:
            async with asyncio.timeout(self._timing.attempt):
                await self._change(lambda spec: released(spec, now=self._now()))
        except (ClusterError, TimeoutError) as error:
            self._failed("releasing the Lease failed", error)
        finally:
            self._until = -math.inf

    # -- words ---------------------------------------------------------------------------------------------

    def _failed(self, what: str, error: Exception) -> None:
        _log.warning(what, lease=self._name, cause=type(error).__name__, message=str(error) or "too slow")

    def _unusable(self, error: ClusterError) -> ElectionError:
        return ElectionError(
            f"the Lease {self._namespace}/{self._name} cannot be used: {error}. It needs that namespace, and "
            "the rights to get, create and update leases.coordination.k8s.io there (see the Role in rbac.yaml"
            "); a single process can do without: --no-leader-elect"
        )
