"""Refusals and failures in the documentation: read off the tree of errors."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator
from itertools import groupby

from projectapi import errors
from projectapi.errors import ProjectApiError, all_errors
from projectapi.project import JsonObject

_HEADERS = {
    errors.MetricsClosed: ("WWW-Authenticate",),
    errors.PreconditionFailed: ("ETag",),
    errors.UnsupportedMediaType: ("Accept-Patch",),
    errors.RangeNotSatisfiable: ("Content-Range", "Accept-Ranges"),
}


def meaning_of(kind: type[ProjectApiError]) -> str:
    """Return what an error stands for, in one sentence."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("``", "`")


def failure_responses(kinds: Collection[type[ProjectApiError]]) -> dict[str, JsonObject]:
    """Return the answers, by status, of an operation that can fail in these ways."""
    by_status = groupby(sorted(set(kinds), key=lambda kind: (kind.status, kind.code)), key=lambda kind: kind.status)
    return {str(status): _response(list(group)) for status, group in by_status}


def example_of(kind: type[ProjectApiError]) -> JsonObject:
    """Return the body of an error as a client gets it."""
    problem = {"type": "missing", "loc": ["body", "name"], "msg": "Missing data for required field."}
    of_validation = issubclass(kind, errors.ValidationFailed) and kind is not errors.IdempotencyKeyReused
    sentence = f"name: {problem['msg']}" if of_validation else kind.sentence
    body: JsonObject = {
        "success": False,
        "data": None,
        "message": sentence,
        "error": sentence,
        "detail": [problem] if of_validation else sentence,
        "code": kind.code,
        "requestId": "tab-1-42",
    }
    return {**body, "currentVersion": 3} if kind is errors.PreconditionFailed else body


def error_schemas() -> dict[str, JsonObject]:
    """Return the one shape of errors, and what stands in it."""
    text: JsonObject = {"type": "string"}
    properties: dict[str, JsonObject] = {
        "success": {"const": False},
        "data": {"type": "null"},
        "message": {**text, "description": "A sentence for people who edit films."},
        "error": {**text, "description": "The same as `message`."},
        "detail": {
            "anyOf": [text, {"type": "array", "items": {"$ref": "#/components/schemas/Problem"}}],
            "description": "The same as `message`, or every field that is wrong.",
        },
        "code": {"$ref": "#/components/schemas/ErrorCode"},
        "requestId": {"type": ["string", "null"], "description": "The same as the header X-Request-Id."},
    }
    of_lost_races: dict[str, JsonObject] = {
        "currentVersion": {"type": "integer", "description": "Only with 412: the version that is current now."},
        "currentETag": {**text, "description": "Only with 412: its entity tag."},
        "currentUpdatedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "Only with 412: since when it is current.",
        },
    }
    place: JsonObject = {"type": "array", "items": {"type": ["string", "integer"]}, "description": "The way to the field."}
    return {
        "Error": {"type": "object", "properties": {**properties, **of_lost_races}, "required": list(properties)},
        "Problem": {
            "type": "object",
            "properties": {"type": text, "loc": place, "msg": text},
            "required": ["type", "loc", "msg"],
        },
        "ErrorCode": {
            "type": "string",
            "enum": [kind.code for kind in all_errors()],
            "description": "For programs; never changes.\n\n" + "\n".join(error_table()),
        },
    }


def error_table() -> Iterator[str]:
    """Yield the lines of a table of all errors, in Markdown."""
    yield "| status | code | meaning |"
    yield "| --- | --- | --- |"
    for kind in all_errors():
        yield f"| {kind.status} | `{kind.code}` | {meaning_of(kind)} |"


def _response(kinds: list[type[ProjectApiError]]) -> JsonObject:
    codes: JsonObject = {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}
    headers = {name for kind in kinds for name in _HEADERS.get(kind, ())}
    if any(kind.retry_after_seconds is not None for kind in kinds):
        headers.add("Retry-After")
    return {
        "description": "\n".join(f"- `{kind.code}`: {meaning_of(kind)}" for kind in kinds),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ["X-Request-Id", *sorted(headers)]},
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Error"}, codes]},
                "examples": {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds},
            }
        },
    }
