"""Events for people, in the form of `events.k8s.io/v1`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelramp.controller.snapshot import Body
    from modelramp.rollout.plan import Notice

CONTROLLER = "modelramp.dev/operator"
NOTE_LENGTH = 1024


def event_body(about: Body, notice: Notice, *, now: datetime) -> dict[str, Any]:
    """The Event. Its name is made of its content and time, so that a repeated write is the same event."""
    metadata = about["metadata"]
    content = f"{metadata['uid']}/{notice.reason}/{notice.message}/{now.isoformat()}"
    suffix = hashlib.sha256(content.encode()).hexdigest()[:16]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{suffix}", "namespace": metadata["namespace"]},
        "eventTime": now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": CONTROLLER,
        "action": notice.reason,
        "reason": notice.reason,
        "note": notice.message[:NOTE_LENGTH],
        "type": "Warning" if notice.warning else "Normal",
        "regarding": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
    }
