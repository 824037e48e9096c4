"""Cross-origin requests (Fetch standard, section 3.2): the frontends are served from other origins than the API.

Every answer carries the headers, errors and redirects too, and a preflight is answered before routing: a browser gives up on a
redirected or refused preflight although the request behind it would have worked.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_EXPOSED = "Age, Content-Disposition, ETag, Link, Location, Retry-After, Server-Timing, Warning, X-Cache, X-Request-Id"


def init_app(app: Flask, origins: Collection[str]) -> None:
    """Let browsers call `app` from these origins, and from no others."""
    allowed = frozenset(origins)

    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        if request.headers.get("Origin") not in allowed:
            return Response("Disallowed CORS origin", status=400, mimetype="text/plain")
        response = Response("OK", mimetype="text/plain")
        response.headers["Access-Control-Allow-Methods"] = _METHODS
        response.headers["Access-Control-Max-Age"] = "600"
        asked = request.headers.get("Access-Control-Request-Headers")
        if asked:
            response.headers["Access-Control-Allow-Headers"] = asked
        return response

    def add_headers(response: Response) -> Response:
        origin = request.headers.get("Origin")
        response.vary.add("Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        return response

    app.before_request(answer_preflight)
    app.after_request(add_headers)
