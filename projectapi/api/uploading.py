"""How an upload's bytes reach the disk without a detour: straight from the socket into a part file."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from flask import Request, request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_input_stream

from projectapi.api.bodies import well_formed
from projectapi.errors import UploadIncomplete
from projectapi.project import FORM_OVERHEAD_BYTES
from projectapi.protocols import IncomingFile

_CHUNK_BYTES, _SLOW_CHUNK_BYTES = 64 * 1024, 1024
"""How much is read at a time, and how much of a slow client: of a read that breaks off nothing is left."""
_QUICK_SECONDS = 0.1
_LOOK_UP_SECONDS = 2.0
_SILENCE_SECONDS = 60.0


class UploadRequest(Request):
    """Writes the first file of a multipart body straight into the part file that a handler named."""

    part: IncomingFile | None = None

    def receive_into(self, part: IncomingFile, max_bytes: int) -> None:
        """Let the file of this request be written into `part`; call it before `files` or `form` are read."""
        self.part = part
        self.max_content_length = max_bytes + FORM_OVERHEAD_BYTES

    def _get_file_stream(self, *args: Any, **options: Any) -> IO[bytes]:
        # Werkzeug would spool the file to a temporary place first and so write a large video twice.
        part, self.part = self.part, None
        if part is not None:
            return cast(IO[bytes], part)
        return super()._get_file_stream(*args, **options)


def body_chunks(gives_way: Callable[[], bool] = bool) -> Iterator[bytes]:
    """Yield the request's body as it comes, whatever its size, 64 KiB at most at a time.

    Raises UploadIncomplete when fewer bytes come than were announced, when nothing comes for a minute, when far too little
    comes for long (`serving.pace`), and as soon as nothing comes for two seconds while `gives_way` says that somebody else
    waits: a client that lost its network cannot say goodbye.
    A body in chunks, without a length, never gives way.
    """
    stream = get_input_stream(request.environ)
    received = 0
    # gunicorn's reader of chunks is over after its first time-out: to look up and read on would take a half for the whole.
    is_chunked = request.content_length is None
    with _socket_waiting(_SILENCE_SECONDS if is_chunked else _LOOK_UP_SECONDS):
        for data in _chunks(stream, _always if is_chunked else gives_way):
            received += len(data)
            yield data
    # gunicorn ends the body quietly where the connection ended.
    if request.content_length is not None and received < request.content_length:
        raise UploadIncomplete


def _always() -> bool:
    return True


def _chunks(stream: IO[bytes], gives_way: Callable[[], bool]) -> Iterator[bytes]:
    size = _SLOW_CHUNK_BYTES
    while True:
        began = time.monotonic()
        data = _next_chunk(stream, size, gives_way)
        if not data:
            return
        is_quick = time.monotonic() - began < _QUICK_SECONDS
        size = min(2 * size, _CHUNK_BYTES) if is_quick else _SLOW_CHUNK_BYTES
        yield data


def _next_chunk(stream: IO[bytes], size: int, gives_way: Callable[[], bool]) -> bytes:
    silent_since = time.monotonic()
    while True:
        try:
            return stream.read(size)
        except TimeoutError as error:
            if gives_way() or time.monotonic() - silent_since > _SILENCE_SECONDS:
                raise UploadIncomplete from error
        except Exception as error:
            # A broken connection, or a body that is not well formed, for which servers have errors of their own.
            raise UploadIncomplete from error


@contextmanager
def reading_form() -> Iterator[None]:
    """Raise UploadIncomplete when the connection breaks, or is silent for a minute, while a form is read in this block."""
    with _socket_waiting(_SILENCE_SECONDS):
        try:
            with well_formed():
                yield
        except ClientDisconnected as error:
            # Werkzeug's word for every error of the connection.
            raise UploadIncomplete from error


@contextmanager
def _socket_waiting(seconds: float) -> Iterator[None]:
    """Let reads from a silent client end with TimeoutError, where the server lends us its socket."""
    connection: socket.socket | None = request.environ.get("gunicorn.socket")
    if connection is None:
        yield
        return
    before = connection.gettimeout()
    connection.settimeout(seconds)
    try:
        yield
    finally:
        connection.settimeout(before)
