"""Files with byte ranges (RFC 9110, section 14), without which a browser cannot seek in a video."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask import Response, request, send_file

from projectapi.errors import NotFound, RangeNotSatisfiable

_RANGES = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII)


def file_with_ranges(path: Path, media_type: str, *, etag: str | None = None, name: str | None = None) -> Response:
    """Return a file inline, or the one range of it that was asked for, or 304 when the client has it already.

    A Range header that is malformed, in another unit, or asks for several ranges at once is ignored, as the standard allows.
    Raises RangeNotSatisfiable for a range that lies behind the end.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        # Replaced since its address was looked up.
        raise NotFound from error
    environ = _with_usable_range(size, etag)
    response = send_file(path, media_type, download_name=name, conditional=False, etag=etag or True, max_age=0)
    response.make_conditional(environ, accept_ranges=True, complete_length=size)
    return response


def _is_about_another(etag: str | None) -> bool:
    """Tell whether `If-Range` names another state of the file, for which the whole of this one is the answer."""
    condition = request.headers.get("If-Range")
    return condition is not None and condition.strip() != f'"{etag}"'


def _with_usable_range(size: int, etag: str | None) -> dict[str, Any]:
    """Return the request's environment with a Range header that cannot be refused, or none when it is to be ignored."""
    environ = {name: value for name, value in request.environ.items() if name != "HTTP_RANGE"}
    found = _RANGES.fullmatch(request.headers.get("Range", ""))
    if found is None or found.groups() == ("", ""):
        return environ
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last or size - 1), size - 1)
        if last and int(last) < int(first):
            return environ
    if start > end and not _is_about_another(etag):
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"})
    if start > end:
        return environ
    return {**environ, "HTTP_RANGE": f"bytes={start}-{end}"}
