"""HTTP and nothing else: a handler loads its schema, makes one call to a store, and answers."""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask

from projectapi.api import (
    access,
    auth,
    cors,
    docs,
    errors,
    fast_reads,
    health,
    idempotency,
    media,
    metrics,
    performance,
    projects,
    rendering,
    timeline,
    tracing,
    transcriptions,
)
from projectapi.api.json_provider import StrictJSONProvider
from projectapi.api.uploading import UploadRequest


def init_app(app: Flask, *, max_body_bytes: int, cors_origins: Collection[str], access_log: bool = True) -> None:
    """Give `app` the whole API; it finds the parts that it works with in ``app.extensions["projectapi"]``."""
    app.request_class = UploadRequest
    app.json = StrictJSONProvider(app)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    # What holds for every request, then the resources.
    tracing.init_app(app)
    cors.init_app(app, cors_origins)
    idempotency.init_app(app)
    for room in (errors, health, metrics, docs, auth, projects, timeline, rendering, media, transcriptions):
        app.register_blueprint(room.blueprint)
    health.init_app(app)
    performance.init_app(app)
    fast_reads.init_app(app, app.extensions["projectapi"], cors_origins)
    access.init_app(app, app.extensions["projectapi"].metrics, access_log)
