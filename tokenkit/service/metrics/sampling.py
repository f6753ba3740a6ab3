"""The counts that the parts of the service keep, put together for the metrics."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sqlalchemy.pool import QueuePool

from tokenkit.access.cache import MOST_HELD
from tokenkit.service.logs.streams import STREAMS
from tokenkit.service.metrics import Sample
from tokenkit.service.metrics.system import process_counters, process_gauges

if TYPE_CHECKING:
    from tokenkit.service.state import ServiceState


def sampled(state: "ServiceState") -> Sample:
    """Look at every part now."""
    counters: dict[tuple[str, ...], float] = {
        ("audit_records", "written"): state.audit.written,
        ("audit_records", "failed"): state.audit.failed,
        ("audit_batches",): state.audit.batches,
        ("limit_refusals", "rate"): state.limits.refused,
        ("limit_refusals", "quota"): state.quotas.refused,
        ("limit_refusals", "in_flight"): state.metrics.shed,
        ("http_body_bytes", "received"): state.metrics.received_bytes,
        ("http_body_bytes", "sent"): state.metrics.sent_bytes,
        ("limit_redis_failures",): state.limits.away,
        **process_counters(),
    }
    if state.logs is not None:
        writer = state.logs.writer
        for stream in STREAMS:
            counters["log_lines", stream, "written"] = writer.written[stream]
            counters["log_lines", stream, "dropped"] = writer.dropped[stream]
    gauges: dict[tuple[str, ...], float] = {
        ("http_requests_in_flight",): state.metrics.in_flight,
        ("audit_queue_records",): state.audit.waiting,
        ("audit_lag_seconds",): state.audit.lag,
        ("thread_queue_calls",): state.waiting,
        **process_gauges(),
    }
    for name, hits, misses, held, size in _caches(state):
        counters["cache_requests", name, "hit"] = hits
        counters["cache_requests", name, "miss"] = misses
        gauges["cache_entries", name] = held
        gauges["cache_capacity_entries", name] = size
    pool = state.database.engine.pool
    if isinstance(pool, QueuePool):
        gauges["database_connections", "in_use"] = pool.checkedout()
        gauges["database_connections", "idle"] = pool.checkedin()
    return Sample(counters, gauges)


def _caches(state: "ServiceState") -> Iterator[tuple[str, int, int, int, int]]:
    for cache in (state.records.states, state.records.places, state.idempotency.finished):
        counts = cache.counts
        yield cache.name, counts.hits, counts.misses, counts.held, counts.size
    columns, rights = state.columns, state.rights
    size = state.settings.column_calls
    yield "columns", columns.hits, columns.misses, len(columns), size
    yield "sessions_and_api_keys", rights.hits, rights.misses, rights.held_now, 2 * MOST_HELD
