"""Traces as the environment asks for them."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

from tokenkit.errors import InvalidRequest
from tokenkit.service.traces.untraced import NO_TRACES, NoTraces

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_DISABLED: Final = "OTEL_SDK_DISABLED"


@contextmanager
def tracing(environ: Mapping[str, str] = os.environ) -> Generator[NoTraces, None, None]:
    """Export spans over OTLP for as long as this lasts, if OpenTelemetry's variables name where.

    `OTEL_EXPORTER_OTLP_ENDPOINT` turns it on, and all other variables of OpenTelemetry's SDK mean
    what they mean there (`OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, ...). Spans are exported from
    a thread of their own, and dropped while nobody takes them.

    Parameters
    ----------
    environ
        The environment.

    Raises
    ------
    InvalidRequest
        If they are asked for, and the extra `telemetry` isn't there.

    Examples
    --------
    >>> with tracing({}) as traces, traces.span("tokenize"):
    ...     pass
    """
    asked = any(environ.get(name) for name in _ENDPOINTS)
    if not asked or environ.get(_DISABLED, "").lower() == "true":
        yield NO_TRACES
        return
    try:
        from tokenkit.service.traces.exporting import exporting  # noqa: PLC0415 - an extra
    except ImportError:
        raise InvalidRequest(
            f"{_ENDPOINTS[0]} is set, and what exports traces isn't installed",
            hint="pip install 'tokenkit-vaultless[telemetry]', or unset it",
        ) from None
    with exporting() as traces:
        yield traces
