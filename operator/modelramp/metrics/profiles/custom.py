"""Profile ``custom``: PromQL of a user.

Two ways to say whose a series is. Its labels do, and then one query serves all revisions. Or the query has
placeholders, and then it is asked once for each revision; the answers are marked with the revision by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.api.analysis import QueryBy
from modelramp.judgement.evidence import Counts
from modelramp.metrics.profiles import promql
from modelramp.metrics.profiles.arms import PODS, Arms, text
from modelramp.metrics.profiles.template import Template
from modelramp.metrics.profiles.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelramp.metrics.service import ServiceRef

_KIND, _ARM = "modelramp_kind", "modelramp_arm"
_BAD, _ALL = "bad", "all"
# What Prometheus gives to the series of one target; what else differs is what the target itself says.
_TARGET = frozenset({"namespace", "pod", "instance", "job"})


_ARMS = {
    QueryBy.REVISION: PODS,
    QueryBy.SERVICE: Arms(
        labels={"namespace": "{namespace}", "service": "{name}"},
        remedy="let the query return the labels namespace and service, the name of the revision's Service",
    ),
}
_MARKED = Arms(labels={_ARM: "{namespace}/{name}"}, remedy="this label is put there by the operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A user's own metric.

    Attributes:
        query: With ``total``: raw counters of bad requests. Without: any figure, one per revision.
        total: Raw counters of all requests, the bad ones among them; "" = the query is a figure.
        by: Which labels name the revision, where the query has no placeholders.

    Raises:
        QueryError: A query cannot be used; see `promql.check`.
    """

    query: str
    total: str = ""
    by: QueryBy = QueryBy.REVISION

    def __post_init__(self) -> None:
        for name, query in self._queries().items():
            try:
                promql.check(query, counter=bool(self.total))
            except promql.QueryError as error:
                raise promql.QueryError(f"{name}: {error}") from error
        placed = {name: promql.has_placeholders(query) for name, query in self._queries().items()}
        if len(set(placed.values())) > 1:
            raise promql.QueryError("query and total must both have placeholders, or neither")

    @property
    def each(self) -> bool:
        """Whether it is asked for each revision by itself, which costs as many queries in one."""
        return promql.has_placeholders(self.query)

    @property
    def arms(self) -> Arms:
        """How the answer names a revision."""
        return _MARKED if self.each else _ARMS[self.by]

    def template(self) -> Template:
        """How the share of bad requests is asked for and read.

        Raises:
            ValueError: There is no ``total``.
        """
        if not self.total:
            raise ValueError("without total there are no counts: ask for the value")
        return Template(
            arms=self.arms,
            selector="" if self.each else self._counters([None]),
            ask=lambda services: self._counters(services if self.each else [None]),
            parts=frozenset(),
            process=_TARGET | {_ARM},
            spelled=frozenset({_KIND}),
            kind=lambda labels: labels.get(_KIND),
            sums=_sums,
            ratio=self._ratio,
        )

    def value(self) -> Value:
        """How the figure is asked for and read.

        Raises:
            ValueError: There is a ``total``.
        """
        if self.total:
            raise ValueError("with total there are counts: ask for the template")
        return Value(
            arms=self.arms,
            ask=lambda services: " or ".join(
                _for(self.query, service) for service in (services if self.each else [None])
            ),
        )

    def _queries(self) -> dict[str, str]:
        return {"query": self.query, "total": self.total} if self.total else {"query": self.query}

    def _counters(self, services: Sequence[ServiceRef | None]) -> str:
        return " or ".join(
            _marked(_for(query, service), _KIND, kind)
            for service in services
            for kind, query in ((_BAD, self.query), (_ALL, self.total))
        )

    def _ratio(self, service: ServiceRef) -> str:
        if self.each:
            bad, every = (promql.render(query, service) for query in (self.query, self.total))
            return f"sum(\n{bad}\n) / sum(\n{every}\n)"
        by = ",".join(self.arms.labels)
        return f"sum by ({by}) (\n{self.query}\n) / sum by ({by}) (\n{self.total}\n)"


def _for(query: str, service: ServiceRef | None) -> str:
    # On lines of its own: a comment at its end must not hide what follows.
    if service is None:
        return f"(\n{query}\n)"
    return _marked(f"(\n{promql.render(query, service)}\n)", _ARM, _MARKED.key(service))


def _marked(query: str, label: str, value: str) -> str:
    return f'label_replace({query}, "{label}", "{text(value)}", "", "")'


def _sums(kinds: Mapping[str, int]) -> Counts | str:
    requests, bad = kinds.get(_ALL), kinds.get(_BAD, 0)
    if requests is None:
        return "total gives no counter"
    if bad > requests:
        return (
            f"total counts {requests} requests and query {bad} bad ones: total has to have the bad ones too,"
        )
    return Counts(n=requests, k=bad)
