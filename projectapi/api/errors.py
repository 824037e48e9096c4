"""The one renderer of errors: whatever goes wrong, the client gets this shape and never an exception's text."""

from __future__ import annotations

import logging
from datetime import datetime

import orjson
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from projectapi.api.tracing import ERROR_CODE
from projectapi.errors import (
    BadRequest,
    BodyTooLarge,
    MethodNotAllowed,
    NotFound,
    ProjectApiError,
    UnsupportedMediaType,
)
from projectapi.schemas.times import wire_time

log = logging.getLogger("projectapi.errors")

blueprint = Blueprint("errors", __name__)

_BY_STATUS: dict[int, type[ProjectApiError]] = {
    kind.status: kind for kind in (BadRequest, NotFound, MethodNotAllowed, BodyTooLarge, UnsupportedMediaType)
}


def render(error: ProjectApiError, status: int | None = None) -> Response:
    """Return the answer for an error."""
    request.environ[ERROR_CODE] = error.code
    body = body_of(error, g.get("request_id"))
    return Response(body, status=status or error.status, mimetype="application/json", headers=error.headers)


def body_of(error: ProjectApiError, request_id: str | None) -> bytes:
    """Return the body for an error: the fields of both families of frontends, a stable code and the request's id."""
    body = {
        "success": False,
        "data": None,
        "message": error.text,
        "error": error.text,
        "detail": error.detail,
        "code": error.code,
        "requestId": request_id,
        **{name: wire_time(value) if isinstance(value, datetime) else value for name, value in error.extra.items()},
    }
    return orjson.dumps(body)


@blueprint.app_errorhandler(ProjectApiError)
def render_our_error(error: ProjectApiError) -> Response:
    """Answer an error of the domain; trouble on our side is logged with its cause."""
    g.source = error.source
    if error.status == 500:
        log.error("%s", error.code, exc_info=error)
    elif error.status > 500 and error.__cause__ is not None:
        log.warning("%s: %s", error.code, type(error.__cause__).__name__)
    elif error.status > 500:
        log.info("%s", error.code)
    return render(error)


@blueprint.app_errorhandler(HTTPException)
def render_http_error(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug refuse by themselves: unknown routes, methods, bodies."""
    kind = _BY_STATUS.get(error.code or 500, ProjectApiError if (error.code or 500) >= 500 else BadRequest)
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")}
    return render(kind(headers=kept), error.code)


@blueprint.app_errorhandler(Exception)
def render_unforeseen_error(error: Exception) -> Response:
    """Answer what nobody foresaw with a fixed sentence; the log has the rest."""
    log.error("internal_error", exc_info=error)
    return render(ProjectApiError())
