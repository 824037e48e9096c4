"""Answers to requests that the application never sees, in its one shape of errors."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

from projectapi.api import cors, security, tracing
from projectapi.api.errors import body_of
from projectapi.errors import BadRequest, Overloaded, ProjectApiError
from projectapi.request_id import request_id

if TYPE_CHECKING:
    from projectapi.serving.connection import Connection

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]{1,300})[ \t]*\r\n", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id:[ \t]*([!-~]{1,128})[ \t]*\r\n", re.IGNORECASE)
_SAY_AGAIN_SECONDS = 10.0

_log = logging.getLogger(__name__)
_STATUS = {LimitRequestLine: 414, ExpectationFailed: 417, LimitRequestHeaders: 431, UnsupportedTransferCoding: 501}


CountRefusal = Callable[[str, int, str], None]
"""Is told the method, the status and the error's code of each request that is refused."""


def uncounted(method: str, status: int, code: str) -> None:
    """Count nothing."""


class Refusals:
    """Refuses requests on behalf of a worker; pages of `origins` may read why."""

    def __init__(self, origins: Collection[str] = (), count: CountRefusal = uncounted) -> None:
        self._origins = frozenset(origins)
        self._say_again_at = 0.0
        self._count = count

    def refuse(self, conn: Connection, error: ProjectApiError) -> None:
        """Refuse the request on this connection, and name it in the log."""
        with _naming(conn.head) as name:
            _log.info("A request was refused: %s", error.code)
            self._refuse(conn, error, name, error.status)

    def refuse_overload(self, conn: Connection, others: int) -> None:
        """Refuse the request because so many others are under way; the log says so now and then, not for each."""
        now = time.monotonic()
        if now >= self._say_again_at:
            _log.warning("Requests are refused: %d are under way and may wait.", others)
            self._say_again_at = now + _SAY_AGAIN_SECONDS
        with _naming(conn.head) as name:
            self._refuse(conn, Overloaded(), name, Overloaded.status)

    def explain(self, conn: Connection, failure: Exception) -> None:
        """Answer a request that gunicorn itself could not take."""
        with _naming(conn.head) as name:
            if isinstance(failure, ParseException):
                _log.info("A request was refused: %s", type(failure).__name__)
                self._refuse(conn, BadRequest(), name, _STATUS.get(type(failure), BadRequest.status))
            else:
                # It was counted where the application was called.
                _log.error("A request could not be answered.", exc_info=failure)
                self._send(conn, ProjectApiError(), name, ProjectApiError.status)

    def _refuse(self, conn: Connection, error: ProjectApiError, name: str, status: int) -> None:
        self._count(conn.head.partition(b" ")[0].decode("latin-1"), status, error.code)
        self._send(conn, error, name, status)

    def _send(self, conn: Connection, error: ProjectApiError, name: str, status: int) -> None:
        conn.send_at_once(_answer(error, conn.head, self._origins, name, status))


@contextmanager
def _naming(head: bytes) -> Iterator[str]:
    """Have the id of the request that begins with `head` in the log during the block; yields it."""
    name = tracing.request_id_of(_field(_REQUEST_ID, head) or "")
    token = request_id.set(name)
    try:
        yield name
    finally:
        request_id.reset(token)


def _answer(error: ProjectApiError, head: bytes, origins: Collection[str], name: str, status: int) -> bytes:
    reason = HTTPStatus(status)
    body = body_of(error, name)
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("Vary", "Origin"),
        *error.headers.items(),
        *tracing.headers_for(name),
        *security.headers_for("application/json"),
        *cors.headers_for(_field(_ORIGIN, head), origins),
    ]
    lines = [f"HTTP/1.1 {reason.value} {reason.phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii") + (b"" if head.startswith(b"HEAD ") else body)


def _field(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    found = pattern.search(head)
    return found[1].decode("ascii") if found else None
