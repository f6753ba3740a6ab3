"""Spans over OTLP, by OpenTelemetry's SDK; the extra `telemetry` has what this needs."""

import os
from collections.abc import Generator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tokenkit.service.traces.spans import Traces


@contextmanager
def exporting() -> Generator[Traces, None, None]:
    """Export spans for as long as this lasts, as OpenTelemetry's variables say."""
    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {SERVICE_NAME: "tokenkit"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield Traces(provider)
    finally:
        provider.shutdown()
