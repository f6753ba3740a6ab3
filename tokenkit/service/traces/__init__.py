"""Traces for OpenTelemetry: where the time of a request or a batch goes, without its values."""

from tokenkit.service.traces.opening import tracing
from tokenkit.service.traces.untraced import NO_TRACES, NoTraces

__all__ = ["NO_TRACES", "NoTraces", "tracing"]
