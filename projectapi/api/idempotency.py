"""`Idempotency-Key` on POST and PATCH: said twice, done once (after the IETF draft of the same name).

The first answer is kept for a day and given again, also after the worker that gave it was killed. A request that was cut off
before it was answered is worked on again, under the same mark of its write: the stores find what was done and leave it at that.
"""

from __future__ import annotations

import hashlib
import logging
import re

from flask import Flask, Response, g, request

from projectapi.api.bodies import read_body
from projectapi.api.context import backend, owner
from projectapi.errors import ProjectApiError
from projectapi.protocols import RecordedAnswer
from projectapi.schemas.loading import invalid

log = logging.getLogger("projectapi.idempotency")

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT_HEADERS = ("Content-Type", "ETag", "Link", "Location")
_FILES = ("multipart/form-data", "application/zip", "application/x-zip-compressed", "application/octet-stream")
"""Bodies that hold files are read once, on their way to the disk."""

_REPLAYED = "Idempotency-Replayed"

BODY_OF_BYTES = "application/offset+octet-stream"
"""What tus sends: it names where its bytes belong, so that a repetition does no harm, and is too large to be read here."""


def init_app(app: Flask) -> None:
    """Let clients of `app` repeat requests without harm."""
    app.before_request(_begin)
    app.after_request(_finish)


def write_id() -> str | None:
    """Return the mark of the write that the request at hand asks for, if the client may send it again."""
    mark: str | None = g.get("write_id")
    return mark


def _begin() -> Response | None:
    sent = request.headers.get("Idempotency-Key")
    if sent is None or request.method not in ("POST", "PATCH") or request.mimetype == BODY_OF_BYTES:
        return None
    if request.routing_exception is not None:
        # What no handler answers does nothing that would have to be remembered.
        return None
    if not _KEY.fullmatch(sent):
        message = "1 to 255 printable ASCII characters without spaces are allowed."
        raise invalid([{"type": "value_error", "loc": ["header", "Idempotency-Key"], "msg": message}])
    key = hashlib.sha256(f"{owner()}\0{sent}".encode()).hexdigest()
    remembered = backend().idempotency.begin(key, _fingerprint())
    if (answer := remembered.answer) is not None:
        return Response(answer.body, answer.status, {**answer.headers, _REPLAYED: "true"})
    g.idempotency_key, g.write_id = key, remembered.write_id
    return None


def _finish(response: Response) -> Response:
    key = g.get("idempotency_key")
    # A refusal changed nothing and may turn out otherwise the next time; only what was done is final.
    if key is not None and 200 <= response.status_code < 300 and not response.is_streamed:
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        try:
            backend().idempotency.finish(key, RecordedAnswer(response.status_code, headers, response.get_data()))
        except ProjectApiError:
            # The work is done and the answer stands; a repetition finds the work by its mark.
            log.warning("an answer could not be kept for repetitions", exc_info=True)
    return response


def _fingerprint() -> str:
    """Return what tells this request from another; of an uploaded file only the length is known before it is read."""
    parts = (request.method, request.full_path, request.headers.get("If-Match", ""), str(request.content_length))
    digest = hashlib.sha256("\0".join(parts).encode())
    if request.mimetype not in _FILES:
        digest.update(read_body(cache=True))
    return digest.hexdigest()
