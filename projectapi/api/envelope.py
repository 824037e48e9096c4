"""Successful answers: the envelope, the headers of a cached read, and conditional requests on them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from projectapi.api.conditional import matches_none
from projectapi.protocols import Answer
from projectapi.schemas.answers import envelope

JSON = "application/json"


def success(data: Any, message: str, *, etag: str | None = None) -> Response:
    """Return 200 with the envelope around `data`."""
    response = Response(envelope(data, message), mimetype=JSON)
    if etag:
        response.headers["ETag"] = etag
    return response


def finished(answer: Answer) -> Response:
    """Return a finished answer, or 304 when the client has it already (RFC 9110, section 13.1.2)."""
    unchanged = answer.etag is not None and matches_none(answer.etag)
    response = Response(status=304) if unchanged else Response(answer.body, mimetype=JSON)
    if answer.etag:
        response.headers["ETag"] = answer.etag
        # A browser may keep the bytes but asks each time whether they are still current.
        response.headers["Cache-Control"] = "no-cache"
    if answer.next:
        query = {**request.args, "cursor": answer.next}
        response.headers["Link"] = f'<{request.base_url}?{urlencode(query)}>; rel="next"'
    return response
