"""Headers by which browsers treat what they get with care. Each costs every answer something: there are few."""

from __future__ import annotations

from flask import Flask, Response, request

Headers = tuple[tuple[str, str], ...]

CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of a page that loads nothing; one that does adds to it what it loads."""

# Cross-origin: the frontends show our videos and pictures on pages of other origins.
_EVERYWHERE: Headers = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "cross-origin"))

# Files have no policy: browsers apply it to the page that they build around a video that is opened by itself.
_BY_MEDIA_TYPE: dict[str, Headers] = {
    "application/json": (*_EVERYWHERE, ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")),
    "text/html": (*_EVERYWHERE, ("Content-Security-Policy", CLOSED), ("Referrer-Policy", "no-referrer")),
}
_STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000")


def init_app(app: Flask, *, strict_transport: bool) -> None:
    """Let every answer of `app` carry the headers; with `strict_transport` browsers that came by HTTPS keep to it."""

    def add_headers(response: Response) -> Response:
        # What a 304 says replaces what the browser has kept, and this one does not know of which type that is.
        media_type = response.mimetype if response.mimetype and response.status_code != 304 else ""
        for name, value in headers_for(media_type, strict_transport and request.scheme == "https"):
            # A page may need a policy of its own.
            response.headers.setdefault(name, value)
        return response

    app.after_request(add_headers)


def headers_for(media_type: str, strict_transport: bool = False) -> Headers:
    """Return the headers of an answer of this type; `strict_transport` only where the request came by HTTPS (RFC 6797)."""
    headers = _BY_MEDIA_TYPE.get(media_type, _EVERYWHERE)
    return (*headers, _STRICT_TRANSPORT) if strict_transport else headers
