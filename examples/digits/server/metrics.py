"""What the server tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

# 0.5 s is the limit that rollouts are judged by: without that edge the share over it would be a guess.
DURATION_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SCORE_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class Metrics:
    """The counters of one served version, in a registry of its own."""

    def __init__(self, *, model: str, version: str) -> None:
        self._registry = CollectorRegistry()
        both = ("model", "version")
        requests = Counter(
            "model_requests", "Predictions asked for.", (*both, "code"), registry=self._registry
        )
        duration = Histogram(
            "model_request_duration_seconds",
            "Time to answer.",
            both,
            buckets=DURATION_EDGES,
            registry=self._registry,
        )
        score = Histogram(
            "model_prediction_score",
            "Score of the answer.",
            both,
            buckets=SCORE_EDGES,
            registry=self._registry,
        )
        outcome = Counter(
            "model_outcome", "Answers whose truth is known.", (*both, "correct"), registry=self._registry
        )
        # A series that exists from the start is 0 where nothing happened, instead of missing.
        self._requests = {code: requests.labels(model, version, str(code)) for code in (200, 400, 500, 503)}
        self._outcome = {
            correct: outcome.labels(model, version, str(correct).lower()) for correct in (True, False)
        }
        self._duration = duration.labels(model, version)
        self._score = score.labels(model, version)

    def request(self, *, code: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests[code].inc()
        self._duration.observe(seconds)

    def prediction(self, score: float) -> None:
        """Count one prediction by its score."""
        self._score.observe(score)

    def outcome(self, *, correct: bool) -> None:
        """Count one prediction whose truth came with the request."""
        self._outcome[correct].inc()

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self._registry)
