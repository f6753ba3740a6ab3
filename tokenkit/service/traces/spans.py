"""Spans: their names, and what they say of what was done."""

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from tokenkit.service.traces.untraced import Answer, Attribute, NoTraces, Told

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from tokenkit.batches.batch import Batch

_SERVER_ERROR: Final = 500
_PARENT: Final = b"traceparent"
_WELL_FORMED = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


class Traces(NoTraces):
    """Spans of requests, token operations and batches.

    They hold names of schemes, keys, policies and routes, ids of requests and batches, counts and
    times. What an exception says is never among them, and of a caller's headers only the ids of
    `traceparent` are taken: what a caller puts into `tracestate` or `baggage` could be anything.

    Parameters
    ----------
    provider
        Makes the spans, and exports them.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._tracer = provider.get_tracer("tokenkit")

    @contextmanager
    def span(self, name: str, **attributes: Attribute) -> Generator[None, None, None]:
        """Time a step of what is done."""
        with self._begun(name, attributes):
            yield

    @contextmanager
    def request(self, headers: Iterable[tuple[bytes, bytes]]) -> Generator[Answer, None, None]:
        """Time a request, as a part of the caller's own trace if it has one."""
        with self._begun("request", {}, parent=_parent(headers), server=True) as span:
            yield _Answer(span)

    @contextmanager
    def batch(self, batch: "Batch") -> Generator[Told, None, None]:
        """Time the work on a batch; its outcome is told at the end."""
        known: dict[str, Attribute] = {
            "batch_id": str(batch.id),
            "attempt": batch.attempt,
            "policy": batch.policy,
            "bytes": batch.size,
        }
        with self._begun(f"batch {batch.operation}", known) as span:
            yield lambda outcome: span.set_attribute("tokenkit.outcome", outcome)

    @contextmanager
    def _begun(
        self,
        name: str,
        attributes: dict[str, Attribute],
        *,
        parent: Context | None = None,
        server: bool = False,
    ) -> Generator[Span, None, None]:
        known: dict[str, Any] = {
            f"tokenkit.{one}": value for one, value in attributes.items() if value is not None
        }
        with self._tracer.start_as_current_span(
            name,
            context=parent,
            kind=SpanKind.SERVER if server else SpanKind.INTERNAL,
            attributes=known,
            # Both would take over what the exception says.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as exc:
                span.set_attribute("error.type", getattr(exc, "code", None) or type(exc).__name__)
                span.set_status(StatusCode.ERROR)
                raise


class _Answer(Answer):
    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, method: str, route: str, status: int, request_id: str) -> None:
        """Say how it was answered."""
        self._span.update_name(f"{method} {route}")
        self._span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "tokenkit.request_id": request_id,
            }
        )
        if status >= _SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)


def _parent(headers: Iterable[tuple[bytes, bytes]]) -> Context:
    for name, value in headers:
        if name == _PARENT:
            found = _WELL_FORMED.fullmatch(value)
            if found is None:
                break
            given = trace.SpanContext(
                int(found[1], 16),
                int(found[2], 16),
                is_remote=True,
                trace_flags=trace.TraceFlags(int(found[3], 16)),
            )
            if given.is_valid:
                return trace.set_span_in_context(trace.NonRecordingSpan(given), Context())
            break
    return Context()
