"""What the operator says about itself: metrics of bounded cardinality, and log lines as JSON objects.

No metric carries the name of a ModelDeployment: thousands of them would cost more than they tell.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter as Tally
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from modelramp.kube.kinds import MODEL_DEPLOYMENT
from modelramp.metrics.port import SourceError
from modelramp.rollout.plan import Notice, WriteStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from prometheus_client.core import Metric

    from modelramp.controller.settings import LogFormat, LogLevel
    from modelramp.controller.store import Store
    from modelramp.kube.kinds import Kind
    from modelramp.metrics.port import Series, Source
    from modelramp.rollout.facts import Facts
    from modelramp.rollout.plan import Plan

_READING = ("list", "get")

# Without local variables: credentials are among them.
_TRACEBACK = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

_log = structlog.get_logger(__name__)


class Telemetry:
    """The operator's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reconcile = Histogram(
            "modelramp_reconcile_duration_seconds",
            "Time of one pass over one ModelDeployment.",
            ["result"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self._requests = Histogram(
            "modelramp_api_request_duration_seconds",
            "Time of one request to the API server.",
            ["verb"],
            buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self._writes = Counter(
            "modelramp_writes_total",
            "Write requests to the API server.",
            ["kind", "verb", "outcome"],
            registry=self.registry,
        )
        self._errors = Counter(
            "modelramp_errors_total",
            "Failures, by the place where they happened and their class.",
            ["place", "error"],
            registry=self.registry,
        )
        self._decisions = Counter(
            "modelramp_decisions_total",
            "Plans carried out, by the rule that answered.",
            ["rule"],
            registry=self.registry,
        )
        self._look_lag = Histogram(
            "modelramp_look_lag_seconds",
            "Time from when counters were complete to when they were judged.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
            registry=self.registry,
        )

    def reconciled(self, result: str, seconds: float) -> None:
        """One pass: `ok`, `fenced` or `error`, and how long it took."""
        self._reconcile.labels(result).observe(seconds)

    def requested(self, kind: Kind, verb: str, outcome: str, seconds: float) -> None:
        """One request to the API server: `ok`, or the name of the error it ended in."""
        self._requests.labels(verb).observe(seconds)
        if verb not in _READING:
            self._writes.labels(kind.kind, verb, outcome).inc()
        if outcome != "ok":
            self._errors.labels("api", outcome).inc()

    def failed(self, place: str, error: BaseException) -> None:
        """A failure outside of requests to the API server."""
        self._errors.labels(place, type(error).__name__).inc()

    def decided(self, facts: Facts, plan: Plan) -> None:
        """A plan that was carried out; what people are told of it is logged as well."""
        self._decisions.labels(plan.rule).inc()
        status = next((item.status for item in plan.effects if isinstance(item, WriteStatus)), None)
        shown = status and (status.candidate or status.stable)
        for notice in plan.effects:
            if isinstance(notice, Notice):
                _log.info(
                    notice.message,
                    namespace=facts.namespace,
                    deployment=facts.name,
                    version=shown.version if shown else None,
                    step=status.summary.step if status and status.summary else None,
                    reason=notice.reason,
                )

    def looked(self, lag: float) -> None:
        """A look at the metrics that was judged `lag` seconds after it could have been."""
        self._look_lag.observe(lag)

    def observe(self, *, store: Store, depth: Callable[[], int], leads: Callable[[], bool]) -> None:
        """Reads what changes by itself whenever the metrics are asked for: there is no copy to go stale.

        Args:
            store: for the phases of ModelDeployments.
            depth: keys that are due and wait for a worker.
            leads: whether this process works, or stands by.
        """
        self.registry.register(_State(store, depth, leads))

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class MeteredSource:
    """A metrics provider whose answers are timed and whose failures are counted.

    Args:
        source: the provider.
        telemetry: where it is counted.
        clock: the time now, aware.
        delay: seconds after which counters are taken as complete.
    """

    def __init__(
        self, source: Source, *, telemetry: Telemetry, clock: Callable[[], datetime], delay: float
    ) -> None:
        self._source = source
        self._telemetry = telemetry
        self._clock = clock
        self._delay = delay

    async def read(self, query: str, *, start: int, end: int, step: int) -> Sequence[Series]:
        """As the provider."""
        try:
            found = await self._source.read(query, start=start, end=end, step=step)
        except SourceError as error:
            self._telemetry.failed("metrics", error)
            raise
        self._telemetry.looked(self._clock().timestamp() - end - self._delay)
        return found


class _State(Collector):
    """Gauges that are computed when asked for: there is no second copy that could be wrong."""

    def __init__(self, store: Store, depth: Callable[[], int], leads: Callable[[], bool]) -> None:
        self._store = store
        self._depth = depth
        self._leads = leads

    def collect(self) -> Iterable[Metric]:
        """Called for each scrape."""
        yield GaugeMetricFamily(
            "modelramp_queue_depth",
            "ModelDeployments that are due and wait for a worker.",
            value=self._depth(),
        )
        yield GaugeMetricFamily(
            "modelramp_leader", "1 while this process works, 0 while it stands by.", value=int(self._leads())
        )
        phases = Tally(
            str((body.get("status") or {}).get("phase") or "Pending")
            for body in self._store.all(MODEL_DEPLOYMENT)
        )
        family = GaugeMetricFamily("modelramp_deployments", "ModelDeployments by phase.", labels=["phase"])
        for phase, number in sorted(phases.items()):
            family.add_metric([phase], number)
        yield family


def set_up_logging(level: LogLevel, form: LogFormat) -> None:
    """Sends everything, kopf's lines included, to standard error in one form.

    Lines of a pass carry `namespace`, `deployment` and, where known, `version` and `step`.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: list[Any] = (
        [structlog.processors.ExceptionRenderer(_TRACEBACK), structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=())],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
