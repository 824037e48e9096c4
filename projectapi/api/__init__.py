"""HTTP and nothing else: a handler loads its schema, makes one call to a store, and answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from projectapi.api import (
    access,
    auth,
    bundles,
    cors,
    cutting,
    docs,
    errors,
    fast_reads,
    health,
    idempotency,
    jobs,
    looks,
    media,
    metrics,
    performance,
    playback,
    projects,
    rate_limits,
    rendering,
    security,
    sources,
    timeline,
    tracing,
    transcriptions,
    uploads,
    whole_uploads,
)
from projectapi.api.json_provider import StrictJSONProvider
from projectapi.api.uploading import UploadRequest

_ROOMS = (
    errors,
    health,
    performance,
    metrics,
    docs,
    auth,
    projects,
    bundles,
    timeline,
    rendering,
    media,
    looks,
    whole_uploads,
    uploads,
    playback,
    cutting,
    jobs,
    transcriptions,
)


def init_app(
    app: Flask,
    *,
    max_body_bytes: int,
    cors_origins: Collection[str],
    rate_limits_per_client: str | None,
    redis_pool: Any,
    trusted_proxies: int,
    strict_transport: bool,
    access_log: bool,
    database_seconds: float,
) -> None:
    """Give `app` the whole API; it finds the parts that it works with in ``app.extensions["projectapi"]``."""
    app.request_class = UploadRequest
    app.json = StrictJSONProvider(app)
    app.url_map.strict_slashes = False
    # A second slash would be answered with a redirect to whatever host the client named; there is nothing there.
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    # What holds for every request, then the resources.
    tracing.init_app(app)
    cors.init_app(app, cors_origins)
    security.init_app(app, strict_transport=strict_transport)
    if rate_limits_per_client:
        rate_limits.init_app(app, rate_limits_per_client, redis_pool)
    sources.init_app(app)
    idempotency.init_app(app)
    for room in _ROOMS:
        app.register_blueprint(room.blueprint)
    health.init_app(app)
    performance.init_app(app)
    if not rate_limits_per_client:
        # Past it nobody counts; and counting costs what it saves.
        fast_reads.init_app(app, app.extensions["projectapi"], cors_origins, strict_transport=strict_transport)
    if trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies)  # type: ignore[method-assign]
    # The outermost of all: it knows when a request came in, and gives it its id.
    access.init_app(app, app.extensions["projectapi"].metrics, access_log, database_seconds)
