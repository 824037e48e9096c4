"""Where a read came from: every answer says so, also one that is made by hand, and one that says that nothing is there."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, request

from projectapi.api.documentation.handlers import documentation_of
from projectapi.api.reading import source_headers


def init_app(app: Flask) -> None:
    """Let every read of `app` tell where it came from and how long it took."""
    app.after_request(_tell)


def _tell(response: Response) -> Response:
    if "X-Cache" not in response.headers and _was_read(response.status_code):
        response.headers.update(source_headers(g.get("source", "BYPASS"), g.started))
    return response


def _was_read(status: int) -> bool:
    # What is refused or fails shows nothing of what is stored.
    if request.method not in ("GET", "HEAD") or (status >= 400 and status != 404):
        return False
    documentation = documentation_of(current_app.view_functions.get(request.endpoint or "", _tell))
    return documentation is not None and documentation.is_read
