"""What goes out for a finished answer: one rule for the way through Flask and for the short way past it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from projectapi.api.codings import preferred_codings
from projectapi.api.conditional import tag_in_coding
from projectapi.protocols import Answer

JSON = "application/json"

Headers = list[tuple[str, str]]


class Wanted(NamedTuple):
    """What the client said of the answer that it wants: `started` is when it asked (`time.perf_counter`)."""

    accept_encoding: str
    known_tags: Mapping[str, str]
    started: float


class Representation(NamedTuple):
    """Status, headers and body of an answer, but for what every answer carries."""

    status: int
    headers: Headers
    body: bytes


def represent(answer: Answer, wanted: Wanted) -> Representation:
    """Return the answer in the best content coding, or 304 when the client has it already (RFC 9110, section 13.1.2)."""
    etag = answer.etag
    headers = source_headers(answer.source, wanted.started)
    # A browser may keep the bytes but asks each time whether they are still current.
    headers += [("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding, Origin")]
    if answer.age is not None:
        headers += [("Age", str(answer.age)), ("Warning", '110 - "Response is Stale"')]
    if etag and (etag in wanted.known_tags or "*" in wanted.known_tags):
        # The tag of the coding that the client holds (RFC 9110, section 15.4.5).
        return Representation(304, [*headers, ("ETag", wanted.known_tags.get(etag, etag))], b"")
    body, coding = answer.body or b"", None
    if answer.encoded is not None:
        body, coding = answer.encoded(preferred_codings(wanted.accept_encoding))
    headers.append(("Content-Type", JSON))
    if coding:
        headers.append(("Content-Encoding", coding))
    if etag:
        headers.append(("ETag", tag_in_coding(etag, coding) if coding else etag))
    return Representation(200, headers, body)


def next_link(path: str, query: Mapping[str, str], cursor: str) -> tuple[str, str]:
    """Return the header that leads to the page behind `cursor` of the list at `path` (RFC 8288)."""
    return "Link", f'<{path}?{urlencode({**query, "cursor": cursor})}>; rel="next"'


def source_headers(source: str, started: float) -> Headers:
    """Return the headers that tell where a read came from and how long it took since `started`."""
    milliseconds = (time.perf_counter() - started) * 1000
    return [("X-Cache", source), ("Server-Timing", f"cache;desc={source}, total;dur={milliseconds:.2f}")]
