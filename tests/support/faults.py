"""What can go wrong with one write, for tests that let it go wrong at a chosen place."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from modelramp.kube.errors import Fenced, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelramp.kube.kinds import Kind


class Crash(BaseException):
    """The process died here. It stands for SIGKILL, so that no `except Exception` may catch it."""


class Fault(Enum):
    """What happens to a write instead of, or after, its being done."""

    CRASH_BEFORE = auto()
    """The process dies; nothing was written."""
    CRASH_AFTER = auto()
    """It was written; the process dies before it hears so."""
    REFUSE = auto()
    """An admission policy says no."""
    FENCE = auto()
    """409: somebody else was first."""
    UNAVAILABLE = auto()
    """Nothing was written, and there is no answer."""
    LOSE_ANSWER = auto()
    """It was written, and there is no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write request, as it reached the API server.

    `manager` is None for deletions and events; `changed` is False when it was refused or changed nothing.
    """

    verb: str
    kind: Kind
    namespace: str
    name: str
    manager: str | None = None
    subresource: str | None = None
    changed: bool = False

    def __str__(self) -> str:
        target = f"{self.kind}/{self.subresource}" if self.subresource else str(self.kind)
        return f"{self.verb} {target} {self.namespace}/{self.name} by {self.manager}"


@dataclass(slots=True)
class Injection:
    """A fault that waits for its write: the `skip`-th after the matching ones, once (or `times` times)."""

    fault: Fault
    skip: int
    times: int
    matching: Callable[[Write], bool]


@dataclass(slots=True)
class Faults:
    """The faults still to come."""

    waiting: list[Injection] = field(default_factory=list)

    def inject(
        self,
        fault: Fault,
        *,
        skip: int = 0,
        times: int = 1,
        matching: Callable[[Write], bool] = lambda _: True,
    ) -> None:
        """Lets the next matching write go wrong, after `skip` that go well."""
        self.waiting.append(Injection(fault, skip, times, matching))

    def before(self, write: Write) -> Fault | None:
        """Raises what keeps the write from being done; else the fault that comes after it."""
        fault = self._take(write)
        if fault is Fault.CRASH_BEFORE:
            raise Crash(f"before {write}")
        if fault is Fault.REFUSE:
            raise Refused(403, "Forbidden", f"policy 'injected' denied: {write}")
        if fault is Fault.FENCE:
            raise Fenced(f"injected conflict: {write}")
        if fault is Fault.UNAVAILABLE:
            raise Unavailable(f"injected: no connection: {write}")
        return fault

    def after(self, fault: Fault | None, write: Write) -> None:
        """Raises what keeps the caller from hearing that it was done."""
        if fault is Fault.CRASH_AFTER:
            raise Crash(f"after {write}")
        if fault is Fault.LOSE_ANSWER:
            raise Unavailable(f"injected: answer lost: {write}")

    def _take(self, write: Write) -> Fault | None:
        for injection in self.waiting:
            if not injection.matching(write):
                continue
            if injection.skip:
                injection.skip -= 1
                continue
            injection.times -= 1
            if not injection.times:
                self.waiting.remove(injection)
            return injection.fault
        return None
