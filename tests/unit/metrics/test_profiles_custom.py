"""A user's own PromQL: what is refused at once, how names get into it, and how its answer is counted."""

from __future__ import annotations

import pytest

from modelramp.api.analysis import QueryBy
from modelramp.judgement.evidence import Counts, NoData, ProviderError, Seen
from modelramp.judgement.verdict import Arm
from modelramp.metrics.counters import Counters
from modelramp.metrics.looks import grid, step
from modelramp.metrics.port import Series
from modelramp.metrics.profiles.custom import Custom
from modelramp.metrics.profiles.promql import QueryError, check, render
from modelramp.metrics.service import ServiceRef

NEW = ServiceRef("ml", "fraud-2", 80, "fraud", "2.0.0-0a")
OLD = ServiceRef("ml", "fraud-1", 80, "fraud", "1.0.0-0b")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("  ", "the query is empty"),
        ("x" * 5000, "at most 4096"),
        ("sum(rate(x[5m])", r"'\(' is not closed"),
        ("x) or vector(1) or (y", r"'\)' closes nothing"),
        ('x{a="b}', 'begins with " does not end'),
        ("x{a='b}", "begins with ' does not end"),
        ('x{a="{{ revison }}"}', "no placeholder {{ revison }}; there are {{ namespace }}"),
        ("x{a={{ revision }}}", "{{ revision }} is outside of a string"),
        ("{{ service }}_total", "{{ service }} is outside of a string"),
    ],
)
def test_what_cannot_be_a_query_is_refused(query: str, words: str) -> None:
    """Each mistake is named before Prometheus is asked, and nothing breaks out of the query around it."""
    with pytest.raises(QueryError, match=words):
        check(query, counter=False)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("rate(x_total[5m])", r"rate\(\) gives no raw counter"),
        ("sum by (revision) (x_total)", r"sum\(\) gives no raw counter: a sum falls when a pod goes"),
        ("sum_over_time(x[1h])", r"sum_over_time\(\) gives no raw counter"),
    ],
)
def test_counters_are_raw(query: str, words: str) -> None:
    """What Prometheus has already summed or extrapolated cannot be counted exactly, and is refused."""
    check(query, counter=False)
    with pytest.raises(QueryError, match=words):
        check(query, counter=True)


@pytest.mark.parametrize(
    "query",
    [
        'x_total{job="rate(", path=~`/a\\.b`} # sum(y)',
        "label_replace(x_total, 'service', '$1', 'pod', '(.*)-.*')",
        'rate_total{a="}"}',
    ],
)
def test_what_is_within_strings_and_comments_is_left_alone(query: str) -> None:
    """Brackets, functions and quotes within strings, comments and names are no reason to refuse."""
    check(query, counter=True)


@pytest.mark.parametrize(
    ("query", "made"),
    [
        ('x{a="{{ revision }}"}', 'x{a="2.0.0-0a"}'),
        ('x{a=~"{{revision}}-.*"}', r'x{a=~"2\\.0\\.0-0a-.*"}'),
        ("x{a!~'{{ revision }}'}", r"x{a!~'2\\.0\\.0-0a'}"),
        ("x{a=~`{{ revision }}`}", r"x{a=~`2\.0\.0-0a`}"),
        (
            'x{a="{{ namespace }}/{{ service }}:{{ port }}", b!="{{ deployment }}"}',
            'x{a="ml/fraud-2:80", b!="fraud"}',
        ),
    ],
)
def test_names_are_put_in_literally(query: str, made: str) -> None:
    """A name matches itself alone: behind =~ its dots are dots, in each of the three quotes."""
    check(query, counter=False)
    assert render(query, NEW) == made


@pytest.mark.parametrize("name", ['a"} or vector(1) #', "a|.*", "", "a\\"])
def test_what_is_no_name_is_never_put_in(name: str) -> None:
    """A value that no Kubernetes object can have would be another query: it is refused."""
    with pytest.raises(QueryError, match="no name to put into a query"):
        render('x{a="{{ service }}"}', ServiceRef("ml", name, 80))


def _series(query: str, values: list[float], **labels: str) -> Series:
    return Series({"__name__": "hits_total", "modelramp_kind": query, **labels}, list(enumerate(values)))


def _look(custom: Custom, series: list[Series]) -> dict[Arm, Seen]:
    template = custom.template()
    keys = {Arm.CANDIDATE: template.key(NEW), Arm.STABLE: template.key(OLD)}
    counters, seen = Counters(window=600), grid(series, template)
    looks = [step(counters, at, seen=seen, clusters=keys, template=template) for at in (0, 1)]
    return dict(looks[1].arms)


HITS = Custom(query='hits_total{code=~"5.."}', total="hits_total")
ARM = {"namespace": "ml", "modelramp_dev_deployment": "fraud", "modelramp_dev_revision": NEW.revision}


def test_one_query_for_all_revisions() -> None:
    """Without placeholders nothing of a revision is in the query: the answer's labels tell them apart."""
    template = HITS.template()
    assert (
        template.query([NEW, OLD])
        == template.query([OLD])
        == (
            'label_replace((\nhits_total{code=~"5.."}\n), "modelramp_kind", "bad", "", "") or'
            ' label_replace((\nhits_total\n), "modelramp_kind", "all", "", "")'
        )
    )


def test_bad_ones_are_counted_among_all() -> None:
    """Series of a pod are summed, the bad ones once; a pod without a failure has none of them."""
    series = [
        _series("all", [10, 30], code="200", pod="p1", **ARM),
        _series("all", [1, 5], code="503", pod="p1", **ARM),
        _series("bad", [1, 5], code="503", pod="p1", **ARM),
        _series("all", [7, 9], code="200", pod="p2", **ARM),
    ]
    assert _look(HITS, series) == {Arm.CANDIDATE: Counts(26, 4), Arm.STABLE: NoData()}


def test_a_total_without_the_bad_ones_is_said() -> None:
    """More bad requests than requests is a mistake in the two queries, not a share of over 100 %."""
    series = [_series("all", [10, 11], pod="p1", **ARM), _series("bad", [0, 3], pod="p1", **ARM)]
    seen = _look(HITS, series)[Arm.CANDIDATE]
    assert isinstance(seen, ProviderError)
    assert "total counts 1 requests and query 3 bad ones: total has to have the bad ones too" in seen.message


def test_placeholders_are_asked_once_per_revision() -> None:
    """Each revision's counters are marked with it, so that one answer serves both arms."""
    custom = Custom(
        query='hits_total{app="{{ service }}",code=~"5.."}', total='hits_total{app="{{ service }}"}'
    )
    template = custom.template()
    query = template.query([NEW, OLD])
    assert query.count("hits_total{") == 4
    assert query.count('"modelramp_arm", "ml/fraud-2"') == 2
    series = [
        _series("all", [1, 3], modelramp_arm="ml/fraud-2"),
        _series("all", [4, 9], modelramp_arm="ml/fraud-1"),
    ]
    assert _look(custom, series) == {Arm.CANDIDATE: Counts(2, 0), Arm.STABLE: Counts(5, 0)}


@pytest.mark.parametrize(
    ("query", "total", "words"),
    [
        ("(x", "", r"query: '\(' is not closed"),
        ("x", "sum(x)", r"total: sum\(\) gives no raw counter"),
        ('x{a="{{ service }}"}', "x", "both have placeholders, or neither"),
    ],
)
def test_which_of_the_two_queries_is_wrong_is_said(query: str, total: str, words: str) -> None:
    """The message begins with the field that it is about."""
    with pytest.raises(QueryError, match=words):
        Custom(query=query, total=total)


def test_a_figure_by_the_name_of_a_service() -> None:
    """A figure may be any PromQL; its labels namespace and service say whose it is."""
    value = Custom(query="avg by (namespace, service) (f1_score)", by=QueryBy.SERVICE).value()
    assert value.query([NEW, OLD]) == "(\navg by (namespace, service) (f1_score)\n)"
    assert value.read({"namespace": "ml", "service": "fraud-2"}) == value.key(NEW)
    assert value.read({"service": "fraud-2"}) is None
