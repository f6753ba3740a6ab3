"""Metrics for Prometheus: what the service does, counted without a value, an id or a user's name.

With several workers each process writes its counts into files of a folder, and whichever is asked
adds them up (``PROMETHEUS_MULTIPROC_DIR``; `tokenkit serve` makes the folder).
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from tokenkit.service.guards import TokenCall, TokenResult

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client knows the folder of several workers."""
UNMATCHED = "unmatched"
"""The route of requests whose path there isn't; paths have ids in them."""
_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """What is counted elsewhere in the process, as it stands now.

    Attributes
    ----------
    counters
        By the metric's name and the values of its labels; they only grow.
    gauges
        The same of what goes up and down.
    """

    counters: Mapping[tuple[str, ...], float]
    gauges: Mapping[tuple[str, ...], float]


class Metrics:
    """The service's metrics in this process.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.request("POST", "/v1/tokenize", 200, 0.004)
    >>> b'route="/v1/tokenize",status="200"} 1.0' in metrics.exposed("")[0]
    True
    """

    def __init__(self) -> None:
        self._shared = FOLDER_VARIABLE in os.environ
        self._registry = CollectorRegistry()
        registry = self._registry
        self._requests = Counter(
            "tokenkit_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._duration = Histogram(
            "tokenkit_http_request_duration_seconds",
            "How long answers took.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._values = Counter(
            "tokenkit_values",
            "Values that were tokenized, and tokens that were detokenized.",
            ["operation", "scheme", "key", "outcome"],
            registry=registry,
        )
        self._counters = {
            name: Counter(f"tokenkit_{name}", text, labels, registry=registry)
            for name, text, labels in _COUNTERS
        }
        self._gauges = {
            name: Gauge(
                f"tokenkit_{name}",
                text,
                labels,
                registry=registry,
                multiprocess_mode="livemax" if name in _LARGEST else "livesum",
            )
            for name, text, labels in _GAUGES
        }
        self._collectors: list[Collector] = []
        self._known: dict[tuple[str, ...], float] = {}
        self._routes: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._columns: dict[tuple[str, ...], Counter] = {}
        self._sampled: Callable[[], Sample] | None = None
        self.in_flight = self.shed = self.received_bytes = self.sent_bytes = 0

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        key = (method, route, status)
        found = self._routes.get(key)
        if found is None:
            found = self._routes[key] = (
                self._requests.labels(method, route, str(status)),
                self._duration.labels(method, route),
            )
        found[0].inc()
        found[1].observe(seconds)

    def values(self, operation: str, scheme: str, key: str, *, done: int, failed: int) -> None:
        """Count values of an operation; those that didn't fit have an outcome of their own."""
        for outcome, count in (("done", done), ("failed", failed)):
            if count:
                labels = (operation, scheme, key, outcome)
                found = self._columns.get(labels)
                if found is None:
                    found = self._columns[labels] = self._values.labels(*labels)
                found.inc(count)

    def sample_from(self, sampled: Callable[[], Sample]) -> None:
        """Say where the counts are taken from that other parts of the service keep."""
        self._sampled = sampled

    def collect_from(self, collector: Collector) -> None:
        """Say who is asked whenever the metrics are: about what all workers share."""
        self._collectors.append(collector)
        if not self._shared:
            self._registry.register(collector)

    def sample(self) -> None:
        """Take those counts over; workers do so every second, since one can't ask another."""
        if self._sampled is None:
            return
        found = self._sampled()
        for (name, *labels), value in found.counters.items():
            counter = self._counters[name]
            # One that has counted nothing yet is there as 0, so that its first step is seen.
            child = counter.labels(*labels) if labels else counter
            grown = value - self._known.get((name, *labels), 0.0)
            if grown > 0:
                child.inc(grown)
                self._known[name, *labels] = value
        for (name, *labels), value in found.gauges.items():
            gauge = self._gauges[name]
            (gauge.labels(*labels) if labels else gauge).set(value)

    def exposed(self, accept: str) -> tuple[bytes, str]:
        """Write all metrics, of all workers, in the form that was asked for; gives its type too."""
        self.sample()
        registry = self._registry
        if self._shared:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            for collector in self._collectors:
                registry.register(collector)
        encode, media_type = choose_encoder(accept)
        return encode(registry), media_type


@contextmanager
def shared_folder() -> Iterator[None]:
    """Make a folder in which the workers that are started within put their counts."""
    before = os.environ.get(FOLDER_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="tokenkit-metrics-", dir=before) as folder:
        os.environ[FOLDER_VARIABLE] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER_VARIABLE]
            if before is not None:
                os.environ[FOLDER_VARIABLE] = before


def forget_worker(process_id: int) -> None:
    """Take what a worker that died held out of the gauges; what it counted stays."""
    mark_process_dead(process_id)  # type: ignore[no-untyped-call]


_COUNTERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("audit_records", "Records for the audit log, by whether they were written.", ("outcome",)),
    ("audit_batches", "Transactions in which they were written.", ()),
    ("cache_requests", "Looks into caches, by whether they found something.", ("cache", "result")),
    ("http_body_bytes", "Bytes of bodies that came and went.", ("direction",)),
    ("limit_refusals", "Requests that were refused by a limit or a quota.", ("limit",)),
    ("limit_redis_failures", "Times that Redis couldn't be asked.", ()),
    ("log_lines", "Lines of the logs, by what became of them.", ("stream", "outcome")),
    ("process_cpu_seconds", "Processor time of the service's processes.", ("mode",)),
    ("process_io_bytes", "What they read from disks and wrote to them.", ("direction",)),
)
_GAUGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("http_requests_in_flight", "Requests that are being answered.", ()),
    ("audit_queue_records", "Records that wait for the audit log.", ()),
    ("audit_lag_seconds", "How long the one that has waited longest has waited.", ()),
    ("cache_entries", "What caches hold.", ("cache",)),
    ("cache_capacity_entries", "What they hold at most.", ("cache",)),
    ("database_connections", "Connections to PostgreSQL.", ("state",)),
    ("thread_queue_calls", "Calls that wait for a thread, or have one.", ()),
    ("processes", "The service's processes that answer.", ()),
    ("process_resident_memory_bytes", "Their memory.", ()),
    ("process_open_fds", "Files and connections that they have open.", ()),
    ("process_threads", "Their threads.", ()),
    ("process_oldest_seconds", "How long the oldest of them has run.", ()),
)
_LARGEST = {"audit_lag_seconds", "process_oldest_seconds"}


class MetricsGuard:
    """Counts the values of token operations, by scheme and key.

    Parameters
    ----------
    metrics
        Where they are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def before(self, call: TokenCall) -> None:
        """Do nothing: it isn't known yet what fits."""

    async def after(self, call: TokenCall, result: TokenResult) -> None:
        """Count the values."""
        failed, rule = result.failed, call.column.rule
        self._metrics.values(
            call.operation, rule.scheme.name, rule.key, done=call.count - failed, failed=failed
        )

    async def failed(self, call: TokenCall) -> None:
        """Do nothing: the request is counted by its status."""
