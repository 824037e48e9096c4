"""Files with byte ranges (RFC 9110, section 14), without which a browser cannot seek in a video."""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast
from urllib.parse import quote

from flask import Response, request
from werkzeug.http import parse_date
from werkzeug.wsgi import wrap_file

from projectapi.api.context import backend
from projectapi.errors import NotFound, RangeNotSatisfiable

RANGES_MAX = 16
"""Most ranges that one request may ask for; with more, or with overlaps, it gets the whole file (section 14.2)."""

_RANGES = re.compile(r"bytes=\s*(.+)", re.ASCII | re.IGNORECASE)
_RANGE = re.compile(r"\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)
_READ_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a file from `start` to `end`, which is the last one."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.end - self.start + 1


class FileSlice(io.FileIO):
    """A file that ends after a span of it. It has a descriptor at the right place, so that the kernel can send it."""

    def __init__(self, path: Path, span: Span) -> None:
        super().__init__(path)
        self.move_to(span)

    def move_to(self, span: Span) -> None:
        """Go on with another span of the same file, whatever its path leads to by now."""
        self.seek(span.start)
        self._end = span.end + 1

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes from the current place, and none behind the end of the span."""
        left = max(0, self._end - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left)) or b""


def file_with_ranges(path: Path, media_type: str, *, etag: str | None = None, name: str | None = None) -> Response:
    """Return a file inline, or the ranges of it that were asked for, or 304 when the client has it already.

    Several ranges are answered as `multipart/byteranges`. A Range header that is malformed, in another unit, or asks for more
    than is sensible is ignored, as the standard allows. Where a proxy is set up to send files (``X-Accel-Redirect``), it does
    all of this. Raises RangeNotSatisfiable when all ranges lie behind the end, and NotFound for a file that is gone.
    """
    try:
        return _answer(path, media_type, etag, name)
    except FileNotFoundError as error:
        # Replaced since its address was looked up.
        raise NotFound from error


def _answer(path: Path, media_type: str, etag: str | None, name: str | None) -> Response:
    found = path.stat()
    response = _bare(found, media_type, etag, name)
    if (prefix := backend().x_accel_prefix) is not None:
        # The media folder is flat: a folder, a file.
        response.headers["X-Accel-Redirect"] = prefix + quote(f"{path.parent.name}/{path.name}")
        return response
    response.make_conditional(request.environ)
    if response.status_code == 304:
        return response
    return _filled(response, path, found.st_size)


def _bare(found: os.stat_result, media_type: str, etag: str | None, name: str | None) -> Response:
    """Return the answer without its body."""
    response = Response(mimetype=media_type)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "no-cache"
    response.headers.set("Content-Disposition", "inline", **({"filename": name} if name else {}))
    response.last_modified = datetime.fromtimestamp(int(found.st_mtime), UTC)
    response.set_etag(etag or f"{found.st_mtime_ns:x}-{found.st_size:x}")
    return response


def _filled(response: Response, path: Path, size: int) -> Response:
    """Put into the answer what of the file was asked for."""
    spans = _wanted_spans(response, size)
    if spans is None:
        _fill(response, path, Span(0, size - 1))
    elif not spans:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    elif len(spans) == 1:
        response.status_code = 206
        response.headers["Content-Range"] = _content_range(spans[0], size)
        _fill(response, path, spans[0])
    else:
        response.status_code = 206
        _fill_with_parts(response, path, spans, size)
    return response


def _fill(response: Response, path: Path, span: Span) -> None:
    """Let the server send a span by itself if it can (``wsgi.file_wrapper``: sendfile, no copy through this process)."""
    response.content_length = span.length
    if request.method != "HEAD":
        response.direct_passthrough = True
        response.response = wrap_file(request.environ, cast(IO[bytes], FileSlice(path, span)), _READ_BYTES)


def _fill_with_parts(response: Response, path: Path, spans: Sequence[Span], size: int) -> None:
    boundary = secrets.token_hex(16)
    kind = response.content_type
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {_content_range(span, size)}\r\n\r\n".encode()
        for span in spans
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()
    response.content_type = f"multipart/byteranges; boundary={boundary}"
    response.content_length = sum(map(len, heads)) + sum(span.length for span in spans) + len(tail)
    # Opened before the first byte goes out: the file may be replaced meanwhile.
    file = FileSlice(path, spans[0])
    response.call_on_close(file.close)
    response.response = _parts(file, list(zip(heads, spans, strict=True)), tail)


def _parts(file: FileSlice, parts: Sequence[tuple[bytes, Span]], tail: bytes) -> Iterator[bytes]:
    for head, span in parts:
        yield head
        file.move_to(span)
        while data := file.read(_READ_BYTES):
            yield data
    yield tail


def _content_range(span: Span, size: int) -> str:
    return f"bytes {span.start}-{span.end}/{size}"


def _wanted_spans(response: Response, size: int) -> list[Span] | None:
    """Return the spans that were asked for, none if all lie behind the end; None stands for the whole file."""
    found = _RANGES.fullmatch(request.headers.get("Range", ""))
    # Ranges are defined for GET alone (RFC 9110, section 14.2).
    if found is None or request.method != "GET" or _is_about_another(response):
        return None
    asked = [_RANGE.fullmatch(part) for part in found[1].split(",") if part.strip()]
    if not asked or len(asked) > RANGES_MAX:
        return None
    spans = []
    for match in asked:
        if match is None or match.groups() == ("", "") or _is_backwards(*match.groups()):
            return None
        span = _span(size, *match.groups())
        if span.start <= span.end:
            spans.append(span)
    return None if _overlap(spans) else spans


def _is_backwards(first: str, last: str) -> bool:
    return bool(first and last) and int(last) < int(first)


def _span(size: int, first: str, last: str) -> Span:
    if not first:
        return Span(max(0, size - int(last)), size - 1)
    return Span(int(first), min(int(last or size - 1), size - 1))


def _overlap(spans: Sequence[Span]) -> bool:
    """Tell whether some byte would be sent twice, which nobody needs but who wants to keep a server busy."""
    ordered = sorted(spans, key=lambda span: span.start)
    return any(later.start <= earlier.end for earlier, later in zip(ordered, ordered[1:], strict=False))


def _is_about_another(response: Response) -> bool:
    """Tell whether `If-Range` names another state of the file, for which the whole of this one is the answer."""
    condition = request.headers.get("If-Range", "").strip()
    if not condition or condition == response.headers["ETag"]:
        return False
    return parse_date(condition) is None or parse_date(condition) != response.last_modified
