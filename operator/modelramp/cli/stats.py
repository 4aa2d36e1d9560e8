"""What a client counted for itself: the JSON file that a traffic client keeps beside a rollout.

The file holds `at` (Unix time), `revisions` (a list with `revision`, `requests`, `errors`, `slow`) since the
client began, and `recent` with the same for its last `seconds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from modelramp.cli.failure import ExitCode, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Count(BaseModel):
    """Requests to one revision; `errors` are 5xx and missing responses, `slow` took over 500 ms."""

    model_config = ConfigDict(frozen=True)

    revision: str = ""
    requests: int
    errors: int
    slow: int

    def plus(self, other: Count) -> Count:
        """Both together."""
        return Count(
            revision=self.revision,
            requests=self.requests + other.requests,
            errors=self.errors + other.errors,
            slow=self.slow + other.slow,
        )

    def minus(self, before: Count | None) -> Count:
        """What was added since."""
        if before is None:
            return self
        return Count(
            revision=self.revision,
            requests=max(0, self.requests - before.requests),
            errors=max(0, self.errors - before.errors),
            slow=max(0, self.slow - before.slow),
        )


class _Recent(BaseModel):
    seconds: float
    revisions: list[Count]


class Counted(BaseModel):
    """The file at one moment."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    at: float
    revisions: list[Count]
    recent: _Recent

    @property
    def total(self) -> Mapping[str, Count]:
        """By revision, since the client began."""
        return _by_revision(self.revisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the client counted, as far as the present weights are concerned.

    Attributes:
        period: since when, in words.
        seconds: length of that period; None when the client only tells of its last seconds.
        at: Unix time of the figures.
        counts: by revision, in that period; the empty name: answers that named no revision.
        total: by revision, since the client began.
    """

    period: str
    seconds: float | None
    at: float
    counts: Mapping[str, Count] = field(default_factory=dict)
    total: Mapping[str, Count] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """All requests of the period."""
        return sum(count.requests for count in self.counts.values())

    def share(self, revision: str) -> float | None:
        """The part of the period's requests that met this revision; None without requests."""
        if not self.requests:
            return None
        count = self.counts.get(revision)
        return (count.requests if count else 0) / self.requests


class Tracker:
    """Counts from the moment the weights changed: the file alone knows only all time and the last seconds."""

    def __init__(self) -> None:
        self._scope: object = None
        self._base: Counted | None = None

    def seen(self, counted: Counted | None, *, scope: object) -> Seen | None:
        """The counts since `scope` became what it is; of the last seconds when that was not watched.

        Args:
            counted: the file now; None when there is none yet.
            scope: changes whenever the weights do.
        """
        if counted is None:
            return None
        if self._scope is None:
            self._scope = scope
        elif scope != self._scope or (self._base is not None and counted.at < self._base.at):
            self._scope, self._base = scope, counted
        if self._base is None:
            recent = counted.recent
            return Seen(
                period=f"in the last {recent.seconds:.0f} s",
                seconds=None,
                at=counted.at,
                counts=_by_revision(recent.revisions),
                total=counted.total,
            )
        before = self._base.total
        return Seen(
            period="since these weights",
            seconds=counted.at - self._base.at,
            at=counted.at,
            counts={name: count.minus(before.get(name)) for name, count in counted.total.items()},
            total=counted.total,
        )


def read(path: Path) -> Counted | None:
    """The file as it is now; None while it is not there.

    Raises:
        Failure: it is something else.
    """
    try:
        return Counted.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        why = f"{error.errors()[0]['msg']}" if isinstance(error, ValidationError) else str(error)
        raise Failure(
            f"--stats {path} is not the statistics of a traffic client: {why}; give the file that the client"
            " keeps (its own --stats)",
            code=ExitCode.USAGE,
        ) from error


def _by_revision(counts: list[Count]) -> dict[str, Count]:
    found: dict[str, Count] = {}
    for count in counts:
        known = found.get(count.revision)
        found[count.revision] = count.plus(known) if known else count
    return found
