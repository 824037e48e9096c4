"""Fields of answers: always there, and described."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from projectapi.schemas.fields import about

EXAMPLE_MOMENT = "2026-11-22T16:00:29.507Z"


class Answer(Schema):
    """The parent of all answers: more keys may come with newer versions, and clients leave those aside."""

    class Meta:
        unknown = EXCLUDE


def text_field(description: str, *examples: Any, **options: Any) -> fields.String:
    """Return the field of a text."""
    return fields.String(required=True, metadata=about(description, *examples), **options)


def integer_field(description: str, *examples: Any, **options: Any) -> fields.Integer:
    """Return the field of a whole number."""
    return fields.Integer(required=True, metadata=about(description, *examples), **options)


def number_field(description: str, *examples: Any, **options: Any) -> fields.Float:
    """Return the field of a number; the description has its unit."""
    return fields.Float(required=True, metadata=about(description, *examples), **options)


def flag_field(description: str, example: bool) -> fields.Boolean:
    """Return the field of true or false."""
    return fields.Boolean(required=True, metadata=about(description, example))


def moment_field(description: str, example: str | None = EXAMPLE_MOMENT, **options: Any) -> fields.DateTime:
    """Return the field of a date with its time."""
    return fields.DateTime(required=True, metadata=about(f"{description} ISO 8601, UTC.", example), **options)


def list_field(inner: Any, description: str) -> fields.List[Any]:
    """Return the field of an array."""
    return fields.List(inner, required=True, metadata=about(description))


def object_field(description: str, example: dict[str, Any]) -> fields.Dict:
    """Return the field of an object whose keys are the clients' own."""
    return fields.Dict(required=True, metadata=about(description, example))
