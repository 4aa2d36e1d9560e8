"""What a client saw, per revision: pure counting over answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

SLOW_SECONDS = 0.5
SERVER_ERROR = 500
CLIENT_ERROR = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request and what became of it.

    Attributes:
        sent_at: Unix time, seconds.
        seconds: until the whole body was read, or until the failure.
        status: of the response; None where there was none.
        version: header `x-model-version`, empty where missing.
        revision: header `x-model-revision`, empty where missing.
        error: why there was no response, empty otherwise.
    """

    sent_at: float
    seconds: float
    status: int | None
    version: str = ""
    revision: str = ""
    error: str = ""

    @property
    def failed(self) -> bool:
        """No response, or a 5xx."""
        return self.status is None or self.status >= SERVER_ERROR

    @property
    def refused(self) -> bool:
        """A 4xx: the request, not the model, was wrong (or no route was there yet)."""
        return self.status is not None and CLIENT_ERROR <= self.status < SERVER_ERROR

    @property
    def slow(self) -> bool:
        """Took longer than 500 ms."""
        return self.seconds > SLOW_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Requests to one revision; `errors` are 5xx and missing responses."""

    requests: int = 0
    errors: int = 0
    refused: int = 0
    slow: int = 0

    def plus(self, answer: Answer) -> Count:
        """With one more answer."""
        return Count(
            requests=self.requests + 1,
            errors=self.errors + answer.failed,
            refused=self.refused + answer.refused,
            slow=self.slow + answer.slow,
        )

    def to_dict(self) -> dict[str, int]:
        """For JSON."""
        return {"requests": self.requests, "errors": self.errors, "refused": self.refused, "slow": self.slow}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts by (version, revision)."""

    by_revision: dict[tuple[str, str], Count]

    @property
    def total(self) -> Count:
        """Over all revisions."""
        counts = self.by_revision.values()
        return Count(
            requests=sum(count.requests for count in counts),
            errors=sum(count.errors for count in counts),
            refused=sum(count.refused for count in counts),
            slow=sum(count.slow for count in counts),
        )

    def version(self, version: str) -> Count:
        """Over all revisions of a version."""
        found = {key: count for key, count in self.by_revision.items() if key[0] == version}
        return Tally(by_revision=found).total

    def to_dict(self) -> dict[str, Any]:
        """For JSON: `total`, and a list of `revisions` with the share of requests each got."""
        total = self.total
        return {
            "total": total.to_dict(),
            "revisions": [
                {"version": version, "revision": revision, "share": count.requests / total.requests}
                | count.to_dict()
                for (version, revision), count in sorted(self.by_revision.items())
            ],
        }


def count(answer: Answer, *, into: dict[tuple[str, str], Count]) -> None:
    """Add one answer to running counts."""
    key = (answer.version, answer.revision)
    into[key] = into.get(key, Count()).plus(answer)


def tally(answers: Iterable[Answer]) -> Tally:
    """Count the answers."""
    by_revision: dict[tuple[str, str], Count] = {}
    for answer in answers:
        count(answer, into=by_revision)
    return Tally(by_revision=by_revision)
