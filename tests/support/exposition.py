"""Recorded metrics pages, scraped and selected as Prometheus does it; for tests of what is asked and read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from modelramp.metrics.port import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FOLDER = Path(__file__).parents[1] / "fixtures" / "exposition"
_COUNTER = re.compile(r"^(# TYPE \S+) counter$", re.MULTILINE)
_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)?{(?P<matchers>.*)}", re.DOTALL)
_MATCHER = re.compile(r'(?P<label>\w+)(?P<how>=~|!~|!=|=)"(?P<value>(?:[^"\\]|\\.)*)"')
_OURS = {"=~": True, "=": True, "!~": False, "!=": False}


def page(name: str) -> str:
    """The text of a recorded page."""
    return (_FOLDER / f"{name}.txt").read_text()


def scrape(text: str, **target: str) -> list[Series]:
    """The series of a page with the labels of its target: zero at the first grid point, then as recorded."""
    # The parser gives every counter the suffix that OpenMetrics wants, also where the page has none.
    families = text_string_to_metric_families(_COUNTER.sub(r"\1 untyped", text))
    return [
        Series({"__name__": sample.name, **sample.labels, **target}, [(0, 0.0), (1, sample.value)])
        for family in families
        for sample in family.samples
    ]


def select(query: str, series: Iterable[Series]) -> list[Series]:
    """What a plain selector selects; a label that is not there is empty, expressions match as a whole."""
    found = _SELECTOR.fullmatch(query)
    assert found is not None, f"not a plain selector: {query}"
    rest = _MATCHER.sub("", found["matchers"])
    assert not rest.strip(","), f"not understood in the selector: {rest}"
    matchers = list(_MATCHER.finditer(found["matchers"]))
    return [
        one
        for one in series
        if found["name"] in {None, one.labels["__name__"]}
        and all(_matches(matcher, one.labels) for matcher in matchers)
    ]


def _matches(matcher: re.Match[str], labels: Mapping[str, str]) -> bool:
    value = re.sub(r"\\(.)", r"\1", matcher["value"])
    have = labels.get(matcher["label"], "")
    same = bool(re.fullmatch(value, have)) if "~" in matcher["how"] else have == value
    return same is _OURS[matcher["how"]]
