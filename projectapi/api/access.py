"""What is kept of each request, whichever way it takes: a line in the log, a count; and its id for every other line."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Flask

from projectapi.api.tracing import ERROR_CODE, ROUTE, request_id_of
from projectapi.database_budget import database_budget
from projectapi.errors import ProjectApiError
from projectapi.protocols import Metrics
from projectapi.request_id import request_id

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("projectapi.access")


_NO_ROUTE = "(none)"


def init_app(app: Flask, metrics: Metrics, logged: bool, database_seconds: float) -> None:
    """Have each request of `app` counted and, if `logged`, told; to be called last, so that no way goes around it.

    `database_seconds` is how long one request may wait for the database in all.
    """
    app.wsgi_app = AccessLog(app.wsgi_app, metrics, logged, database_seconds)  # type: ignore[method-assign]


class AccessLog:
    """WSGI middleware around everything: gives the request its id and its budget, counts it, and logs how it was answered.

    The time counts until the answer begins: what a client takes to fetch a video is not the server's doing.
    """

    def __init__(self, answering: WSGIApplication, metrics: Metrics, logged: bool, database_seconds: float) -> None:
        self._answering = answering
        self._metrics = metrics
        self._logged = logged
        self._database_seconds = database_seconds

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        started = time.perf_counter()
        begun: list[Any] = ["500", []]

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            begun[:] = status, headers
            return start_response(status, headers, *more)

        outer = request_id.set(request_id_of(environ.get("HTTP_X_REQUEST_ID", "")))
        try:
            with database_budget(self._database_seconds):
                return self._answering(environ, start)
        finally:
            seconds = time.perf_counter() - started
            status = int(begun[0][:3])
            self._metrics.count_request(environ["REQUEST_METHOD"], environ.get(ROUTE, _NO_ROUTE), status, seconds)
            if status >= 400:
                self._count_error(environ, status)
            if self._logged and log.isEnabledFor(logging.INFO):
                _log(environ, status, begun[1], seconds)
            request_id.reset(outer)

    def _count_error(self, environ: WSGIEnvironment, status: int) -> None:
        # Health checks say with 503 how others are. What broke outside of Flask has no code of its own.
        code = environ.get(ERROR_CODE) or (ProjectApiError.code if status == ProjectApiError.status else None)
        if code is not None:
            self._metrics.count_error(status, code)


def _log(environ: WSGIEnvironment, status: int, headers: list[tuple[str, str]], seconds: float) -> None:
    sent = dict(headers)
    # The path comes percent-decoded: a line feed in it would begin a line of its own.
    path = quote(environ.get("PATH_INFO", "").encode("latin-1", "replace"), safe="/:@+,=~$!*'()")
    milliseconds = seconds * 1000
    fields = {
        "event": "request",
        "method": environ["REQUEST_METHOD"],
        "path": path,
        "status": status,
        "milliseconds": round(milliseconds, 3),
        "bytes": int(sent["Content-Length"]) if "Content-Length" in sent else None,
        "cache": sent.get("X-Cache"),
    }
    line = "%s %s %s %.2f ms %s bytes %s"
    values = (fields["method"], path, status, milliseconds, sent.get("Content-Length", "-"), sent.get("X-Cache", "-"))
    # Made by hand: to look for the calling line, as the logger does, would cost more than all the rest.
    record = logging.LogRecord(log.name, logging.INFO, "", 0, line, values, None)
    record.fields = fields
    log.handle(record)
