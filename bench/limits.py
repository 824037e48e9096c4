"""What can be had at most: constant bytes of a project's size, from plain WSGI and from Flask."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response

from bench.timelines import CLIPS, compact, timeline

_BODIES = {str(clips): compact({"data": timeline(clips)}) for clips in CLIPS}


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer /projects/{clips} with constant bytes, without any framework."""
    body = _BODIES.get(environ["PATH_INFO"].rpartition("/")[2], b"")
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


flask_app = Flask(__name__)


@flask_app.get("/projects/<clips>")
def constant(clips: str) -> Response:
    """Answer with constant bytes; nothing is looked up."""
    return Response(_BODIES[clips], mimetype="application/json")
