"""Prometheus metrics. With several gateway processes they are summed over all (``PROMETHEUS_MULTIPROC_DIR``)."""

import os
from collections.abc import Collection, Iterable, Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from server.backends import Backend
from server.record import Record

CONTENT_TYPE = CONTENT_TYPE_LATEST
MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# prometheus_client looks at it once, too.
SEVERAL = MULTIPROCESS_VARIABLE in os.environ

_FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DURATION_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)
_NONE = "-"  # label of a request that reached no model


class Metrics:
    """The gateway's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("himed_requests", "Requests.", ["path", "model", "status"], registry=registry)
        self.outcomes = Counter("himed_outcomes", "How requests ended.", ["model", "outcome"], registry=registry)
        self.tokens = Counter("himed_tokens", "Tokens, as backends counted them.", ["model", "kind"], registry=registry)
        self.first_token = Histogram(
            "himed_time_to_first_token_seconds",
            "From a streamed request to the first bytes of its answer.",
            ["model"],
            buckets=_FIRST_TOKEN_S,
            registry=registry,
        )
        self.duration = Histogram(
            "himed_request_duration_seconds",
            "From a request to its answer's last byte.",
            ["path", "model"],
            buckets=_DURATION_S,
            registry=registry,
        )
        self.open_requests = Gauge(
            "himed_open_requests", "Requests being answered.", registry=registry, multiprocess_mode="livesum"
        )
        self.open_streams = Gauge(
            "himed_open_streams", "Streams being sent.", ["model"], registry=registry, multiprocess_mode="livesum"
        )
        self.backend_up = Gauge(
            "himed_backend_up", "1 while it is asked.", ["backend"], registry=registry, multiprocess_mode="livemin"
        )
        self.backend_open = Gauge(
            "himed_backend_open_requests",
            "Requests that it is answering.",
            ["backend"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.verdicts = Counter(
            "himed_language_verdicts",
            "Whether medical answers were in their question's language.",
            ["model", "language", "verdict"],
            registry=registry,
        )

    def observe(self, record: Record, path: str) -> None:
        """Count a request that has ended. ``path`` is the route's, so that clients cannot invent labels."""
        model = record.model or _NONE
        self.requests.labels(path, model, str(record.status)).inc()
        self.outcomes.labels(model, record.outcome).inc()
        self.duration.labels(path, model).observe(record.elapsed_s)
        for kind, count in (("prompt", record.prompt_tokens), ("completion", record.completion_tokens)):
            if count:
                self.tokens.labels(model, kind).inc(count)
        if record.streamed and record.first_token_s is not None:
            self.first_token.labels(model).observe(record.first_token_s)
        if record.verdict is not None:
            self.verdicts.labels(model, record.language or _NONE, record.verdict).inc()

    def show(self, backends: Iterable[Backend]) -> None:
        """Note the state of the backends, as this process sees it."""
        for backend in backends:
            self.backend_up.labels(backend.name).set(backend.up)
            self.backend_open.labels(backend.name).set(backend.open)

    def render(self, backends: Collection[Backend]) -> bytes:
        """The metrics in Prometheus' text format."""
        if not SEVERAL:
            self.backend_up.clear()  # of backends that a reload has taken out
            self.backend_open.clear()
            self.show(backends)
            return generate_latest(self.registry)
        self.show(backends)
        registry = CollectorRegistry()
        registry.register(_AllProcesses({backend.name for backend in backends}))
        return generate_latest(registry)


class _AllProcesses(Collector):
    """The sums over all gateway processes, whose gauges keep the labels of backends that are there no more."""

    def __init__(self, backends: Collection[str]) -> None:
        self._backends = backends
        self._files = multiprocess.MultiProcessCollector(CollectorRegistry())  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """Each metric."""
        for metric in self._files.collect():  # type: ignore[no-untyped-call]
            metric.samples = [
                sample for sample in metric.samples if sample.labels.get("backend") in (None, *self._backends)
            ]
            yield metric
