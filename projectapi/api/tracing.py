"""One id for each request: in the log, in the answer's header and in the body of an error."""

from __future__ import annotations

import random
import re
import time

from flask import Flask, Response, g, request

from projectapi.request_id import request_id

ROUTE = "projectapi.route"
"""The key of WSGI's environment under which the template of the request's address is noted, for the metrics."""

ERROR_CODE = "projectapi.error_code"
"""The key under which the code of the error is noted that the request is answered with."""

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def init_app(app: Flask) -> None:
    """Let every answer of `app` carry the id of its request, which `AccessLog` gave it."""
    app.before_request(_remember_id)
    app.after_request(_add_headers)


def request_id_of(sent: str) -> str:
    """Return the id of a request: what its client `sent` as `X-Request-Id` if that is fit for a log, else a new one."""
    # No secret, so it is not drawn from the system, for which each request would give the interpreter away.
    return sent if _ACCEPTABLE.fullmatch(sent) else f"{random.getrandbits(64):016x}"


def headers_for(request_id: str) -> list[tuple[str, str]]:
    """Return the header by which an answer names its request."""
    return [("X-Request-Id", request_id)]


def _remember_id() -> None:
    g.started = time.perf_counter()
    g.request_id = request_id.get()
    if request.url_rule is not None:
        request.environ[ROUTE] = request.url_rule.rule


def _add_headers(response: Response) -> Response:
    response.headers.update(headers_for(g.get("request_id", "")))
    return response
