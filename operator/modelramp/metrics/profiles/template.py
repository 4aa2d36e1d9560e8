"""One question to the provider, asked for many revisions at once, and how its answer is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelramp.judgement.evidence import Counts
    from modelramp.metrics.counters import Sample
    from modelramp.metrics.profiles.arms import Arms
    from modelramp.metrics.service import ServiceRef

NAME = "__name__"
_END = "|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """Raw counters of requests, and which of them are bad.

    Attributes:
        arms: How its series name a revision.
        selector: PromQL of all series that the template can read, of whatever revision.
        ask: PromQL of the raw counters of these revisions.
        parts: Labels that tell the counters of one process apart; a process' counters start together.
        kind: What a series counts; None = nothing of ours.
        sums: From a process' increments per kind to requests and bad ones; a text = what is wrong with them.
        ratio: PromQL for people: the bad share of the last five minutes.
        spelled: Labels that the kind stands for, however they are spelled.
        process: Labels that alone name a process, where nobody knows what else there is; empty = all that are
            not among ``parts``.
        note: What people should know of the figure; "" = nothing.
        ordered, apart: Made of the others: the parts in order, and the labels that name no process.
    """

    arms: Arms
    selector: str
    ask: Callable[[Sequence[ServiceRef]], str]
    parts: frozenset[str]
    kind: Callable[[Mapping[str, str]], str | None]
    sums: Callable[[Mapping[str, int]], Counts | str]
    ratio: Callable[[ServiceRef], str]
    spelled: frozenset[str] = frozenset()
    process: frozenset[str] = frozenset()
    note: str = ""
    # Made once: a look reads many series.
    ordered: tuple[str, ...] = field(init=False)
    apart: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ordered", tuple(sorted(self.parts)))
        object.__setattr__(self, "apart", frozenset({NAME, *self.parts, *self.spelled}))

    def query(self, services: Sequence[ServiceRef]) -> str:
        """The selector for these revisions."""
        return self.ask(services)

    def key(self, service: ServiceRef) -> str:
        """By what `read` names the series of a revision."""
        return self.arms.key(service)

    def read(self, labels: Mapping[str, str]) -> tuple[str, Sample] | None:
        """Of a series: the revision's key, and which counter of which process it is; None = not ours."""
        key, kind = self.arms.key_of(labels), self.kind(labels)
        if key is None or kind is None:
            return None
        if self.process:
            parts = tuple(sorted(labels.keys() - self.process - self.spelled))
            process = tuple(sorted((k, v) for k, v in labels.items() if k in self.process))
        else:
            parts = self.ordered
            process = tuple(sorted((k, v) for k, v in labels.items() if k not in self.apart))
        return key, (process, _END.join((kind, *(labels.get(label, "") for label in parts))))

    def tally(self, increments: Mapping[str, int]) -> Counts | str:
        """From the increments of one process, per component, to its requests and bad ones.

        Returns:
            The counts, or, for people, what keeps them from being counted.
        """
        kinds: dict[str, int] = {}
        for component, count in increments.items():
            kind = component.partition(_END)[0]
            kinds[kind] = kinds.get(kind, 0) + count
        return self.sums(kinds)

    def for_people(self, service: ServiceRef) -> str:
        """PromQL to paste: the bad share of the last five minutes."""
        return self.ratio(service)
