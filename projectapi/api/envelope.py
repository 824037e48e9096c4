"""Successful answers: the envelope, the headers of a cached read, and conditional requests on them."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from flask import Response, g, request

from projectapi.api.codings import preferred_codings
from projectapi.api.conditional import known_tags, tag_in_coding
from projectapi.protocols import Answer
from projectapi.schemas.answers import envelope

JSON = "application/json"


def success(data: Any, message: str, *, etag: str | None = None) -> Response:
    """Return 200 with the envelope around `data`; a read that comes this way did not ask the cache."""
    response = Response(envelope(data, message), mimetype=JSON)
    if etag:
        response.headers["ETag"] = etag
    if request.method in ("GET", "HEAD"):
        _tell_source(response, "BYPASS")
    return response


def finished(answer: Answer) -> Response:
    """Return a finished answer, or 304 when the client has it already (RFC 9110, section 13.1.2)."""
    etag, known = answer.etag, known_tags()
    if etag and (etag in known or "*" in known):
        response = Response(status=304)
    else:
        response, etag = _with_body(answer)
    if etag:
        response.headers["ETag"] = etag
    # A browser may keep the bytes but asks each time whether they are still current.
    response.headers["Cache-Control"] = "no-cache"
    if answer.next:
        query = {**request.args, "cursor": answer.next}
        response.headers["Link"] = f'<{request.base_url}?{urlencode(query)}>; rel="next"'
    _tell_source(response, answer.source)
    if answer.age is not None:
        response.headers["Age"] = str(answer.age)
        response.headers["Warning"] = '110 - "Response is Stale"'
    return response


def _with_body(answer: Answer) -> tuple[Response, str | None]:
    if answer.encoded is None:
        return Response(answer.body, mimetype=JSON), answer.etag
    body, coding = answer.encoded(preferred_codings(request.headers.get("Accept-Encoding", "")))
    response = Response(body, mimetype=JSON)
    response.vary.add("Accept-Encoding")
    if coding is None:
        return response, answer.etag
    response.headers["Content-Encoding"] = coding
    return response, tag_in_coding(answer.etag, coding) if answer.etag else None


def _tell_source(response: Response, source: str) -> None:
    milliseconds = (time.perf_counter() - g.started) * 1000
    response.headers["X-Cache"] = source
    response.headers["Server-Timing"] = f"cache;desc={source}, total;dur={milliseconds:.2f}"
