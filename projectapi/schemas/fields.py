"""Strict marshmallow fields: no silent conversion from one type to another, and everything bounded."""

from __future__ import annotations

import math
from typing import Any

from marshmallow import ValidationError, fields, validate

from projectapi.schemas.json_body import INTEGER_MAX


def about(description: str, *examples: Any) -> dict[str, Any]:
    """Return the `metadata` by which a field tells its readers what it is, with the unit of a number, and examples of it."""
    return {"description": description, **({"examples": list(examples)} if examples else {})}


class Text(fields.String):
    """A string of `low` to `high` characters without NUL."""

    def __init__(self, *, low: int = 0, high: int, **options: Any) -> None:
        super().__init__(validate=validate.Length(min=low, max=high), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **options)
        if "\x00" in text:
            raise ValidationError("A NUL character is not allowed.")
        return text


class Number(fields.Field[float]):
    """A finite JSON number from `low` to `high`; integers stay integers, and strings and booleans are no numbers."""

    def __init__(self, *, low: float = -INTEGER_MAX, high: float = INTEGER_MAX, **options: Any) -> None:
        super().__init__(validate=validate.Range(min=low, max=high), **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValidationError("Not a valid number.")
        return value


class Count(Number):
    """A whole JSON number, not negative."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> float:
        if isinstance(value, float):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(value, attr, data, **options)


class Flag(fields.Boolean):
    """true or false, and nothing that merely means it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return value


class QueryInteger(fields.Integer):
    """A whole number from `low` to `high` in a query string."""

    def __init__(self, *, low: int, high: int, **options: Any) -> None:
        super().__init__(validate=validate.Range(min=low, max=high), **options)


class QueryNumber(fields.Float):
    """A finite number from `low` to `high` in a query string."""

    def __init__(self, *, low: float, high: float, **options: Any) -> None:
        super().__init__(allow_nan=False, validate=validate.Range(min=low, max=high), **options)
