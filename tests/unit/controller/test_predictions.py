"""Histograms of predictions in the evidence book: asked for as other counters, and counted the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from modelramp.api.analysis import Analysis, Metric, Profile
from modelramp.controller import questions
from modelramp.controller.book import Book, Subject
from modelramp.judgement.evidence import Evidence
from modelramp.judgement.plan import Check, Plan
from modelramp.judgement.shift import totals
from modelramp.judgement.verdict import Arm, Method
from modelramp.metrics.port import Series
from modelramp.metrics.service import ServiceRef

KEY = ("ml", "fraud")
ZERO = datetime(2026, 11, 21, 8, tzinfo=UTC)
ORIGIN = int(ZERO.timestamp())
NAME = "prediction-drift"
NEW = ServiceRef("ml", "fraud-2-0-0-0a", 80, "fraud", "2.0.0-0a")
OLD = ServiceRef("ml", "fraud-1-0-0-0b", 80, "fraud", "1.0.0-0b")
CHECK = Check(
    name=NAME, reason="PredictionShift", label="prediction", limit=0.25, method=Method.DRIFT, profile="model"
)
PLAN = Plan(checks=(CHECK,), interval=10)
EDGES = ("0.5", "1.0", "+Inf")


def _subject(checkpoint: Evidence | None = None) -> Subject:
    arms = {Arm.CANDIDATE: NEW, Arm.STABLE: OLD}
    since = ZERO + timedelta(seconds=3)
    return Subject(key=KEY, scope="r1/1", since=since, arms=arms, plan=PLAN, checkpoint=checkpoint)


def _pod(service: ServiceRef, pod: str, counts: list[tuple[int, int, int]]) -> list[Series]:
    """The buckets of one pod, cumulative over edges, at each grid point."""
    labels = {
        "__name__": "model_prediction_score_bucket",
        "namespace": service.namespace,
        "modelramp_dev_deployment": service.deployment,
        "modelramp_dev_revision": service.revision,
        "pod": pod,
    }
    return [
        Series(
            {**labels, "le": le},
            [(ORIGIN + 10 * at, float(sum(row[: place + 1]))) for at, row in enumerate(counts)],
        )
        for place, le in enumerate(EDGES)
    ]


def _grown(first: tuple[int, int, int], looks: int, *, reset: int = -1) -> list[tuple[int, int, int]]:
    rows, value = [], (0, 0, 0)
    for at in range(looks):
        value = (0, 0, 0) if at == reset else value
        value = (value[0] + first[0], value[1] + first[1], value[2] + first[2])
        rows.append(value)
    return rows


LOOKS = 40
STORED = [
    *_pod(NEW, "n1", _grown((1, 4, 0), LOOKS)),
    *_pod(NEW, "n2", _grown((2, 3, 1), LOOKS, reset=17)),
    *_pod(OLD, "o1", _grown((9, 1, 0), LOOKS)),
]


def _collect(looks: list[int], checkpoint: Evidence | None = None) -> Evidence:
    book = Book()
    book.track(_subject(checkpoint))
    for look in looks:
        for question in book.questions(10, ORIGIN + 10 * look):
            assert question.query.startswith("model_prediction_score_bucket{")
            span = range(question.start, question.end + 1)
            found = [
                Series(one.labels, [point for point in one.points if point[0] in span]) for one in STORED
            ]
            for _ in book.answered(question, found):
                pass
    evidence = book.evidence(KEY, "r1/1")
    assert evidence is not None
    return evidence


def test_each_arms_predictions_are_counted_by_bucket() -> None:
    """The increments since the step began, of all pods, a restart included; arms are not mixed."""
    candidate, stable = totals(_collect(list(range(LOOKS))).metrics[NAME])
    looks = LOOKS - 2  # the step's zero is the second grid point
    assert candidate.edges == (0.5, 1.0)
    assert list(candidate.counts) == [3 * looks, 7 * looks, looks]
    assert list(stable.counts) == [9 * looks, looks, 0]


def test_replay_equals_live() -> None:
    """Asked for look by look, at once, or from a checkpoint: the same evidence to the last bit."""
    live = _collect(list(range(LOOKS)))
    assert _collect([LOOKS - 1]) == live
    for cut in (2, 17, 30):
        stored = json.loads(json.dumps(_collect(list(range(cut))).to_dict()))
        assert _collect([LOOKS - 1], Evidence.from_dict(stored)) == live


def _asked(profile: Profile) -> Analysis:
    return Analysis(metrics=[Metric(name=NAME, profile=profile)])


def test_a_profile_without_predictions_is_refused_at_once() -> None:
    """Who asks a router for predictions reads what to do instead; the model's own histogram can be asked."""
    wrong = questions.problem(_asked(Profile.ENVOY))
    assert wrong is not None
    assert "spec.analysis.metrics[0]: profile envoy has no histogram of predictions" in wrong
    assert "use profile model" in wrong
    assert questions.problem(_asked(Profile.MODEL)) is None


def test_people_get_the_buckets_to_paste() -> None:
    """PromQL per bucket of the last hour, of the revision."""
    assert questions.for_people(_asked(Profile.MODEL), NEW)[NAME] == (
        'sum by (le) (increase(model_prediction_score_bucket{namespace=~"ml",'
        r'modelramp_dev_deployment=~"fraud",modelramp_dev_revision=~"2\\.0\\.0-0a"}[1h]))'
    )
