"""The API server's audit log as requests: the one witness of what was asked and when it was done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OPERATOR = "system:serviceaccount:modelramp-system:modelramp"
VERSION_HEADER = "x-model-version"
_DONE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that the API server answered.

    Attributes:
        begun: Unix time in seconds at which it came in.
        done: Unix time in seconds at which it was answered; of a watch: at which it began.
        user: who asked.
        verb: as RBAC has it.
        resource: plural, with `/subresource`; "" for addresses that are no objects.
        name: of the object; "" for lists and for creations with generated names.
        code: HTTP status.
        body: what was sent, where the audit policy keeps it.
    """

    begun: float
    done: float
    user: str
    verb: str
    resource: str
    name: str
    code: int
    body: Mapping[str, Any]

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return self.code < _DONE


def read(lines: Iterable[str]) -> list[Request]:
    """Every request once, in order of their answers; a watch has a line for its begin and one for its end."""
    seen: dict[str, Request] = {}
    for line in lines:
        entry = json.loads(line)
        seen.setdefault(entry["auditID"], _request(entry))
    return sorted(seen.values(), key=lambda request: request.done)


def _request(entry: Mapping[str, Any]) -> Request:
    target = entry.get("objectRef") or {}
    parts = [target.get("resource", ""), target.get("subresource", "")]
    return Request(
        begun=_unix(entry["requestReceivedTimestamp"]),
        done=_unix(entry["stageTimestamp"]),
        user=entry["user"].get("username", ""),
        verb=entry["verb"],
        resource="/".join(part for part in parts if part),
        name=target.get("name", ""),
        code=(entry.get("responseStatus") or {}).get("code", 0),
        body=entry.get("requestObject") or {},
    )


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def weights(request: Request) -> dict[str, int] | None:
    """Percent by version that a write of one of our routes asks for; None for any other request."""
    if request.resource != "virtualservices" or not request.good or "spec" not in request.body:
        return None
    (rule,) = request.body["spec"]["http"]
    return {
        route["headers"]["response"]["set"][VERSION_HEADER]: route.get("weight", 100)
        for route in rule["route"]
    }


def by_operator(requests: Iterable[Request], *, begin: float, end: float) -> Iterator[Request]:
    """Its requests of a span of Unix time; renewals of its Lease and of its watches apart."""
    return (
        request
        for request in requests
        if request.user == OPERATOR
        and begin <= request.done < end
        and request.resource != "leases"
        and request.verb != "watch"
    )
