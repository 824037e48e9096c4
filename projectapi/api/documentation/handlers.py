"""What a handler says of itself: the decorator, and the words for what goes in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from marshmallow import Schema

from projectapi.errors import ProjectApiError
from projectapi.project import JsonObject
from projectapi.timeline.patching import JSON_PATCH, MERGE_PATCH

Shape = type[Schema] | JsonObject
"""A marshmallow schema, or a JSON Schema that may have such in it."""

Content = Mapping[str, Shape]
"""What a body may be: media types with their shapes."""

JSON = "application/json"
BYTES: JsonObject = {}

View = TypeVar("View", bound=Callable[..., Any])

_KEY = "documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What is known of a handler beside its routes and its docstring.

    `answer` is the body of `status`, None where the handler only ever refuses; `headers` names request headers and
    `answer_headers` those of a success. `stores` says whether it works with the database; `more` is laid over the finished
    operation.
    """

    answer: Content | None
    status: int = 200
    query: type[Schema] | None = None
    body: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    answer_headers: tuple[str, ...] = ()
    errors: tuple[type[ProjectApiError], ...] = ()
    stores: bool = True
    more: JsonObject = field(default_factory=dict)

    @property
    def is_read(self) -> bool:
        """Tell whether the answer to GET is JSON that shows what is stored."""
        return self.stores and JSON in (self.answer or {})


def documented(*, answer: Content | None, **more: Any) -> Callable[[View], View]:
    """Return a decorator that gives a handler its documentation; the options are the fields of `Documented`."""
    documentation = Documented(answer=answer, **more)

    def document(view: View) -> View:
        view.__dict__[_KEY] = documentation
        return view

    return document


def documentation_of(view: Callable[..., Any]) -> Documented | None:
    """Return what a handler says of itself, None when it says nothing."""
    documentation: Documented | None = getattr(view, _KEY, None)
    return documentation


def enveloped(data: Shape | list[type[Schema]] | None) -> Content:
    """Return the envelope of four keys around `data`: an object, an array of them, or null."""
    inside: Any = {"type": "null"} if data is None else data
    if isinstance(data, list):
        inside = {"type": "array", "items": data[0]}
    properties = {
        "success": {"const": True, "examples": [True]},
        "data": inside,
        "message": {"type": "string", "description": "For people.", "examples": ["Done"]},
        "error": {"type": "null"},
    }
    return {JSON: {"type": "object", "properties": properties, "required": list(properties)}}


def plain(shape: Shape) -> Content:
    """Return JSON without the envelope."""
    return {JSON: shape}


def file_of(*media_types: str) -> Content:
    """Return the bytes of a file of one of these types."""
    return {media_type: BYTES for media_type in media_types}


def json_body_of(shape: Shape) -> Content:
    """Return a JSON body."""
    return {JSON: shape}


def form_of(shape: type[Schema]) -> Content:
    """Return the fields of a form."""
    return {"multipart/form-data": shape, "application/x-www-form-urlencoded": shape}


def file_form_of(shape: type[Schema]) -> Content:
    """Return the fields of a form with a file in the field `file`."""
    file = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}
    return {"multipart/form-data": {"allOf": [shape, file]}}


def patch_of(shape: Shape, example: JsonObject, operations: list[JsonObject]) -> Content:
    """Return the two kinds of patches, each with its example; `shape` is what a merge patch may be."""
    merge = {"allOf": [shape], "description": "RFC 7396: null removes a key.", "examples": [example]}
    return {
        MERGE_PATCH: merge,
        JSON_PATCH: {"type": "array", "items": {"$ref": "#/components/schemas/PatchOperation"}, "examples": [operations]},
    }
