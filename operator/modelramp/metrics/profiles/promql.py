"""What a user's PromQL must be before Prometheus sees it, and how names are put into it.

Prometheus alone can say whether a query is right; this finds, at once and without it, what would break the
query that ours is wrapped around it, and what would be counted wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelramp.metrics.profiles.arms import pattern, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelramp.metrics.service import ServiceRef

LONGEST = 4096
FACTS = ("namespace", "deployment", "revision", "service", "port")
_PLACEHOLDER = re.compile(r"{{\s*(\w*)\s*}}")
_NAME = re.compile(r"[A-Za-z0-9._+-]*")
# A string of any of the three quotes, a comment, or anything else.
_TOKEN = re.compile(
    r"""(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)|(?P<comment>\#[^\n]*)|(?P<other>.)""",
    re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}
_RATES = re.compile(r"\b(rate|irate|increase|delta|idelta|deriv|\w+_over_time|histogram_quantile)\s*\(")
_SUMS = re.compile(
    r"\b(sum|avg|min|max|count|group|stddev|stdvar|topk|bottomk|quantile|count_values|limitk|limit_ratio)"
    r"\s*(?:(?:by|without)\s*\([^)]*\)\s*)?\("
)


class QueryError(ValueError):
    """A user's PromQL cannot be used; the message says where and what to write instead."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def check(query: str, *, counter: bool) -> None:
    """Whether a query can be used.

    Args:
        query: As the user wrote it.
        counter: It has to give raw counters, whose increments are counted here.

    Raises:
        QueryError: It is empty, too long, unbalanced, has a placeholder that is unknown or outside of a
            string, or is no raw counter though it has to be.
    """
    if not query.strip():
        raise QueryError("the query is empty")
    if len(query) > LONGEST:
        raise QueryError(f"the query has {len(query)} characters; at most {LONGEST} are allowed")
    bare = _checked(query)
    if not counter:
        return
    rates, sums = _RATES.search(bare), _SUMS.search(bare)
    if rates:
        raise QueryError(
            f"{rates[1]}() gives no raw counter: leave it out, increments are counted exactly, look by look"
        )
    if sums:
        raise QueryError(
            f"{sums[1]}() gives no raw counter: a sum falls when a pod goes, which looks like a restart;"
            " leave it out, processes are summed after their increments are known"
        )


def has_placeholders(query: str) -> bool:
    """Whether the query is asked for each revision by itself."""
    return _PLACEHOLDER.search(query) is not None


def render(query: str, service: ServiceRef) -> str:
    """The query with the names of one revision, which cannot mean anything else in it.

    A name is put into a string literally; behind ``=~`` and ``!~`` as a regular expression that matches it
    alone.

    Raises:
        QueryError: The query was not `check`-ed, or a name is none that Kubernetes gives.
    """
    made: list[str] = []
    for token in _tokens(query):
        if token.kind == "text" and has_placeholders(token.text):
            before = "".join(made).rstrip()
            expression = before.endswith(("=~", "!~"))
            made.append(_filled(token.text, service, expression=expression))
        else:
            made.append(token.text)
    return "".join(made)


def _filled(literal: str, service: ServiceRef, *, expression: bool) -> str:
    facts = {
        "namespace": service.namespace,
        "deployment": service.deployment,
        "revision": service.revision,
        "service": service.name,
        "port": str(service.port),
    }

    def fill(found: re.Match[str]) -> str:
        value = facts[found[1]]
        if not value or not _NAME.fullmatch(value):
            raise QueryError(f"{found[0]} is {value!r} here, which is no name to put into a query")
        if not expression:
            return text(value)
        # In backquotes a backslash is itself; elsewhere the string takes one away.
        return pattern(value).replace("\\\\", "\\") if literal[0] == "`" else pattern(value)

    return _PLACEHOLDER.sub(fill, literal)


def _tokens(query: str) -> Iterator[_Token]:
    for found in _TOKEN.finditer(query):
        yield _Token(found.lastgroup or "", found[0])


def _checked(query: str) -> str:
    """The query without its strings and comments, once brackets, quotes and placeholders are right."""
    bare: list[str] = []
    open_: list[str] = []
    for token in _tokens(query):
        if token.kind == "text":
            for name in _PLACEHOLDER.findall(token.text):
                if name not in FACTS:
                    known = ", ".join("{{ " + fact + " }}" for fact in FACTS)
                    raise QueryError("there is no placeholder {{ " + name + " }}; there are " + known)
            bare.append('""')
        elif token.kind == "other":
            _bracket(token.text, open_)
            bare.append(token.text)
    if open_:
        raise QueryError(f"{open_[-1]!r} is not closed")
    outside = _PLACEHOLDER.search("".join(bare))
    if outside:
        raise QueryError(f"{outside[0]} is outside of a string: write it between quotes, as a label's value")
    return "".join(bare)


def _bracket(character: str, open_: list[str]) -> None:
    if character in _PAIRS.values():
        open_.append(character)
    elif character in _PAIRS:
        if not open_ or open_.pop() != _PAIRS[character]:
            raise QueryError(f"{character!r} closes nothing")
    elif character in "\"'`":
        raise QueryError(f"a string that begins with {character} does not end")
