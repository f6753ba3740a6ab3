"""The application: what it is made of, and in which order."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from inspect import signature
from typing import Any

from fastapi import FastAPI

from tokenkit.keys import Keyring
from tokenkit.service import problems
from tokenkit.service.bodies.json import KeepBody, ParametersBody
from tokenkit.service.boundary import Boundary
from tokenkit.service.logs import Logs
from tokenkit.service.metrics import Metrics
from tokenkit.service.observing import Observed
from tokenkit.service.routes import ROUTERS, tokens
from tokenkit.service.settings import ServiceSettings
from tokenkit.service.state import opened
from tokenkit.service.traces import NO_TRACES, NoTraces

DOCUMENT = "/v1/openapi.json"
"""Where the OpenAPI document is."""
# Newer versions of FastAPI tell OpenTelemetry what exceptions say, which may quote values.
_SILENT = {"telemetry": {"tracing": False, "metrics": False, "logs": False}}
_QUIET: dict[str, Any] = _SILENT if "telemetry" in signature(FastAPI).parameters else {}


def create_app(
    settings: ServiceSettings | None = None,
    keyring: Keyring | None = None,
    logs: Logs | None = None,
    traces: NoTraces = NO_TRACES,
) -> FastAPI:
    """Make the application; what it shares is opened when it starts.

    Parameters
    ----------
    settings
        What it is told; by default what the environment says.
    keyring
        The keys; by default the current keyring.
    logs
        The streams of logs; by default nothing is written.
    traces
        Takes spans; by default there are none.

    Examples
    --------
    >>> app = create_app(ServiceSettings())
    >>> "/v1/tokenize" in app.openapi()["paths"]
    True
    """
    chosen = settings or ServiceSettings.from_environment()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with opened(chosen, keyring, metrics, logs, traces) as state:
            app.state.service = state
            yield

    app = FastAPI(
        title="tokenkit",
        version="1",
        summary="Vaultless tokenization over HTTP.",
        lifespan=lifespan,
        openapi_url=DOCUMENT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        **_QUIET,
    )
    problems.register(app)
    direct = tokens.add_routes(app)
    app.add_middleware(Boundary, settings=chosen, direct=direct, metrics=metrics)
    app.add_middleware(
        Observed,
        metrics=metrics,
        logs=logs,
        slow_seconds=chosen.slow_seconds,
        traces=traces,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]  # FastAPI's way to extend it
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for model in (KeepBody, ParametersBody):
            found = model.model_json_schema(ref_template="#/components/schemas/{model}")
            found.pop("$defs", None)
            schemas[model.__name__] = found
        components.setdefault("securitySchemes", {}).setdefault(
            "bearer", {"type": "http", "scheme": "bearer"}
        )
        app.openapi_schema = document
    return app.openapi_schema
