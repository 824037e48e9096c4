"""The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload): read strictly, written in one place."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import datetime

from flask import request
from werkzeug.http import http_date

from projectapi.errors import BadRequest, UnknownTusVersion
from projectapi.protocols import Checksum

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration,concatenation"
PARTS_MAX = 100

_ALGORITHMS = ("sha1", "sha256", "md5")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}")


def check_version() -> None:
    """Refuse a request of another version. Raises UnknownTusVersion."""
    if request.headers.get("Tus-Resumable") != VERSION:
        raise UnknownTusVersion(headers={"Tus-Version": VERSION})


def abilities(max_bytes: int) -> dict[str, str]:
    """Return the headers by which a server says what it can do."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ",".join(_ALGORITHMS),
    }


def progress(offset: int, expires_at: datetime, *, is_whole: bool) -> dict[str, str]:
    """Return the headers that say how far an upload is, and until when it may go on while it is not whole."""
    headers = {"Upload-Offset": str(offset), "Cache-Control": "no-store"}
    return headers if is_whole else {**headers, "Upload-Expires": http_date(expires_at)}


def number(header: str) -> int:
    """Return the number of bytes in this header. Raises BadRequest."""
    value = request.headers.get(header, "").strip()
    if not _NUMBER.fullmatch(value):
        raise BadRequest(f"The header {header} must be a number of bytes.")
    return int(value)


def metadata(header: str) -> dict[str, str]:
    """Return the pairs of `Upload-Metadata`: keys, each with a value in Base64 or none. Raises BadRequest."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in header.split(","))):
        key, _, encoded = part.partition(" ")
        if not _KEY.fullmatch(key) or key in pairs:
            raise BadRequest("The header Upload-Metadata must be a list of distinct keys, each with a value in Base64.")
        pairs[key] = _decoded(encoded, "Upload-Metadata").decode(errors="replace")
    return pairs


def concatenation() -> tuple[str, list[str]]:
    """Return `Upload-Concat` as it was sent and, if it asks for a whole, the names of the parts. Raises BadRequest."""
    header = request.headers.get("Upload-Concat", "").strip()
    kind, _, addresses = header.partition(";")
    parts = [address.rstrip("/").rpartition("/")[2] for address in addresses.split()]
    if header not in ("", "partial") and not (kind == "final" and 0 < len(parts) <= PARTS_MAX):
        raise BadRequest(f"The header Upload-Concat must be partial, or final; and the addresses of 1 to {PARTS_MAX} parts.")
    return header, parts


def checksum() -> Checksum | None:
    """Return what `Upload-Checksum` says that the body adds up to, None without it. Raises BadRequest."""
    header = request.headers.get("Upload-Checksum")
    if header is None:
        return None
    algorithm, _, encoded = header.strip().partition(" ")
    if algorithm not in _ALGORITHMS:
        raise BadRequest(f"The header Upload-Checksum must begin with one of {', '.join(_ALGORITHMS)}.")
    return Checksum(algorithm, _decoded(encoded, "Upload-Checksum"))


def _decoded(encoded: str, header: str) -> bytes:
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error as error:
        raise BadRequest(f"A value in the header {header} is not Base64.") from error
