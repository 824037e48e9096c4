"""Cross-origin requests (Fetch standard, section 3.2): the frontends are served from other origins than the API.

Every answer carries the headers, errors and redirects too, and a preflight is answered before routing: a browser gives up on a
redirected or refused preflight although the request behind it would have worked.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_EXPOSED = (
    "Accept-Patch, Accept-Ranges, Age, Content-Disposition, Content-Range, ETag, Idempotency-Replayed, Link, Location, "
    "Retry-After, Server-Timing, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, "
    "Upload-Concat, Upload-Expires, Upload-Length, Upload-Message, Upload-Metadata, Upload-Offset, Warning, "
    "WWW-Authenticate, X-Cache, X-Request-Id"
)


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
        # Also where nobody asks from another origin: a shared cache must not give one origin what another got.
        response.vary.add("Origin")
        response.headers.extend(headers_for(request.headers.get("Origin"), allowed))
        return response

    app.before_request(answer_preflight)
    app.after_request(add_headers)


def headers_for(origin: str | None, allowed: Collection[str]) -> list[tuple[str, str]]:
    """Return the headers by which a browser lets a page of `origin` read an answer."""
    if origin is None or origin not in allowed:
        return []
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", _EXPOSED),
    ]
