"""Answers to requests that the application never sees, in its one shape of errors."""

from __future__ import annotations

import re
from collections.abc import Collection
from http import HTTPStatus

from projectapi.api import cors, security, tracing
from projectapi.api.errors import body_of
from projectapi.errors import ProjectApiError

_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([!-~]{1,300})[ \t]*\r\n", re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id:[ \t]*([!-~]{1,128})[ \t]*\r\n", re.IGNORECASE)


def refusal(error: ProjectApiError, head: bytes, origins: Collection[str], status: int | None = None) -> bytes:
    """Return the whole answer, with status line and headers, to the request that begins with `head`.

    A page of one of `origins` may read it; the connection is to be closed behind it.
    """
    reason = HTTPStatus(status or error.status)
    request_id = tracing.request_id_of(_field(_REQUEST_ID, head) or "")
    body = body_of(error, request_id)
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("Vary", "Origin"),
        *error.headers.items(),
        *tracing.headers_for(request_id),
        *security.headers_for("application/json"),
        *cors.headers_for(_field(_ORIGIN, head), origins),
    ]
    lines = [f"HTTP/1.1 {reason.value} {reason.phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("ascii") + (b"" if head.startswith(b"HEAD ") else body)


def _field(pattern: re.Pattern[bytes], head: bytes) -> str | None:
    found = pattern.search(head)
    return found[1].decode("ascii") if found else None
