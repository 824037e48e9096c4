"""Successful answers: the envelope, and finished answers on their way through Flask."""

from __future__ import annotations

from typing import Any, Protocol

from flask import Response, g, request

from projectapi.api.conditional import known_tags
from projectapi.api.reading import JSON, Wanted, next_link, represent
from projectapi.project import EntityTag
from projectapi.protocols import Answer
from projectapi.schemas.answers import envelope


class Versioned(Protocol):
    """What is stored in versions: a project, a timeline, a transcript."""

    @property
    def version(self) -> int: ...
    @property
    def tag(self) -> str: ...


def etag_of(thing: Versioned) -> str:
    """Return the entity tag by which clients name this version of `thing`."""
    return str(EntityTag(thing.version, thing.tag))


def success(data: Any, message: str, *, etag: str | None = None) -> Response:
    """Return 200 with the envelope around `data`; a read that comes this way did not ask the cache."""
    if request.method in ("GET", "HEAD"):
        return finished(Answer(body=envelope(data, message), etag=etag))
    response = Response(envelope(data, message), mimetype=JSON)
    if etag:
        response.headers["ETag"] = etag
    return response


def finished(answer: Answer) -> Response:
    """Return a finished answer, or 304 when the client has it already; the next page of a list is in `Link`."""
    wanted = Wanted(request.headers.get("Accept-Encoding", ""), known_tags(), g.started)
    status, headers, body = represent(answer, wanted)
    response = Response(body, status=status)
    response.headers.update(headers)
    if answer.next:
        response.headers.update([next_link(request.path, request.args, answer.next)])
    return response
