"""What stands in a Lease, and when a process may take it. Pure; `election.py` reads and writes it.

The fields are those of Kubernetes' own leader election (coordination.k8s.io/v1 LeaseSpec), so that
`kubectl get lease` shows who leads and how often that has changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from modelramp.kube.kinds import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    Spec = Mapping[str, Any]

LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")

_ATTEMPT_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long what takes, in seconds; retry < deadline < lease.

    Attributes:
        lease: Others wait this long after the last renewal that they saw.
        deadline: The holder stops its work this long after its last renewal that was answered.
        retry: Between two renewals, and between two looks of a standby.
    """

    lease: float = 15.0
    deadline: float = 10.0
    retry: float = 2.0

    @property
    def attempt(self) -> float:
        """The longest that one attempt may take: a late answer must not delay the next attempt."""
        return _ATTEMPT_SHARE * self.retry


@dataclass(frozen=True, slots=True)
class Seen:
    """A state of the Lease, and when (monotonic seconds of who saw it) it runs out if it stays the same."""

    spec: Spec
    until: float

    @property
    def holder(self) -> str | None:
        """Who holds it; None when it was released."""
        return self.spec.get("holderIdentity") or None


def saw(before: Seen | None, spec: Spec, *, at: float, lease: float) -> Seen:
    """What is known after a look: time runs from the first look that saw this state, not from `renewTime`.

    Args:
        before: what was known.
        spec: what stands in the Lease now.
        at: when it was read, in monotonic seconds.
        lease: how long it lasts when it does not say so itself, in seconds.
    """
    if before is not None and before.spec == spec:
        return before
    return Seen(spec, at + (spec.get("leaseDurationSeconds") or lease))


def claimed(spec: Spec | None, *, identity: str, lease: float, now: datetime) -> dict[str, Any]:
    """The spec of a Lease (None: there is none yet) that `identity` renews or takes over."""
    before = spec or {}
    renewed = before.get("holderIdentity") == identity
    moment = _micro_time(now)
    return {
        **before,
        "holderIdentity": identity,
        "leaseDurationSeconds": math.ceil(lease),
        "acquireTime": before.get("acquireTime", moment) if renewed else moment,
        "renewTime": moment,
        "leaseTransitions": (before.get("leaseTransitions") or 0) + (spec is not None and not renewed),
    }


def released(spec: Spec | None, *, now: datetime) -> dict[str, Any]:
    """The spec of a Lease that anybody may take at once."""
    return {**(spec or {}), "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time(now)}


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
