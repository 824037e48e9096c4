"""Errors to Sentry and traces to OpenTelemetry, for those who have such a service: by a setting, with packages of their own.

Neither is told what people make: no bodies, no documents, no local variables, no users.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from projectapi.infra.redaction import mask, may_quote

if TYPE_CHECKING:
    from flask import Flask
    from opentelemetry.sdk.trace import TracerProvider
    from sentry_sdk.types import Event, Hint

_INSTALL = "is set, but its packages are not installed: pip install -r requirements-telemetry.txt"

log = logging.getLogger("projectapi.telemetry")


def report_errors(dsn: str, *, release: str, environment: str) -> None:
    """Send what is logged as an error to the Sentry project behind `dsn`; a log line says so when that cannot be."""
    if not _is_installed("sentry_sdk"):
        log.error("SENTRY_DSN %s", _INSTALL)
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release=release,
        environment=environment,
        max_request_body_size="never",
        # They hold timelines.
        include_local_variables=False,
        traces_sample_rate=0.0,
        before_send=_without_secrets,
    )


def _without_secrets(event: Event, _hint: Hint) -> Event:
    for error in event.get("exception", {}).get("values", []):
        error["value"] = "(left out)" if may_quote(error.get("module") or "") else mask(error.get("value") or "")
    return event


def trace(app: Flask, endpoint: str, *, release: str) -> TracerProvider | None:
    """Send a span for each request and each MongoDB command to the OTLP receiver at `endpoint` (HTTP, protobuf).

    To be called before the MongoClient is made, which takes the listeners that it finds then. What is answered before Flask
    routes has no span. Returns what sends them; None, and a log line, when the packages are missing.
    """
    if not _is_installed("opentelemetry.instrumentation.flask"):
        log.error("OTEL_EXPORTER_OTLP_ENDPOINT %s", _INSTALL)
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "projectapi", "service.version": release}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)  # type: ignore[no-untyped-call]
    if not PymongoInstrumentor().is_instrumented_by_opentelemetry:
        PymongoInstrumentor().instrument(tracer_provider=provider, capture_statement=False)
    return provider


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
