"""The address from which a monitoring system fetches its numbers."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from projectapi.api.context import backend
from projectapi.api.documentation import documented, file_of
from projectapi.errors import MetricsClosed
from projectapi.project import JsonObject

blueprint = Blueprint("metrics", __name__)


# Either of the two: whether the token is needed is for the server's settings to say.
_TOKEN_OR_NONE: JsonObject = {"security": [{"metricsToken": []}, {}]}


@blueprint.get("/metrics")
@documented(answer=file_of("text/plain"), stores=False, errors=(MetricsClosed,), more=_TOKEN_OR_NONE)
def show_metrics() -> Response:
    """Return all numbers in the format of Prometheus, to whoever has the token for them."""
    token = backend().metrics_token
    sent = request.headers.get("Authorization", "")
    if token is not None and not hmac.compare_digest(sent.encode(), f"Bearer {token}".encode()):
        raise MetricsClosed(headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    text, content_type = backend().metrics.page()
    return Response(text, content_type=content_type)
