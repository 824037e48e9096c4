"""Explain, field by field, why a value does not fit a JSON Schema.

The compiled validator answers yes or no in a millisecond, but lists its errors all at once: a hostile body of a million
wrong fields would keep a worker busy for minutes. This one is slower, knows only the keywords that our schemas use, finds
the problems one after another and stops when there are enough. Tests hold the two to the same verdict.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from projectapi.project import JsonObject
from projectapi.schemas.json_body import INTEGER_MESSAGE

PROBLEMS_MAX = 20

Loc = tuple[str | int, ...]
Problem = tuple[str, Loc, str]


def problems(value: Any, schema: JsonObject, loc: Loc) -> list[JsonObject]:
    """Return the first problems of a value as ``{type, loc, msg}``, none if it fits; `loc` is where the value stands."""
    found = islice(_Explainer(schema.get("$defs", {})).explain(value, schema, loc), PROBLEMS_MAX)
    return [{"type": kind, "loc": list(place), "msg": message} for kind, place, message in found]


class _Explainer:
    """Walks a value along its schema; `definitions` are what ``$ref`` may name."""

    def __init__(self, definitions: JsonObject) -> None:
        self._definitions = definitions

    def explain(self, value: Any, schema: JsonObject, loc: Loc) -> Iterator[Problem]:
        schema = self._resolved(schema)
        expected = schema.get("type")
        if expected is not None and not _has_type(value, expected):
            yield "wrong_type", loc, _type_message(expected)
        elif isinstance(value, dict):
            yield from self._explain_object(value, schema, loc)
        elif isinstance(value, list):
            yield from self._explain_array(value, schema, loc)
        else:
            yield from _explain_scalar(value, schema, loc)

    def _resolved(self, schema: JsonObject) -> JsonObject:
        reference = schema.get("$ref")
        resolved: JsonObject = schema if reference is None else self._definitions[reference.removeprefix("#/$defs/")]
        return resolved

    def _explain_object(self, value: JsonObject, schema: JsonObject, loc: Loc) -> Iterator[Problem]:
        known = schema.get("properties", {})
        for name in schema.get("required", ()):
            if name not in value:
                yield "missing", (*loc, name), "This field is required."
        keys_refused = "patternProperties" in schema
        for key, child in value.items():
            if keys_refused and (key.startswith("$") or "\0" in key):
                yield "key_not_allowed", (*loc, key), "A key must not begin with “$” or contain a NUL character."
                continue
            inner = known.get(key, schema.get("additionalProperties"))
            if inner is not None:
                yield from self.explain(child, inner, (*loc, key))

    def _explain_array(self, value: list[Any], schema: JsonObject, loc: Loc) -> Iterator[Problem]:
        most = schema.get("maxItems", math.inf)
        if len(value) > most:
            yield "too_long", loc, f"There may be at most {most:,} of these; there are {len(value):,}."
        for index, child in enumerate(value if "items" in schema else ()):
            yield from self.explain(child, schema["items"], (*loc, index))


def _explain_scalar(value: Any, schema: JsonObject, loc: Loc) -> Iterator[Problem]:
    if "enum" in schema and value not in schema["enum"]:
        yield "literal_error", loc, f"This must be one of: {', '.join(map(str, schema['enum']))}."
    if isinstance(value, str) and len(value) > schema.get("maxLength", math.inf):
        yield "string_too_long", loc, f"This may have at most {schema['maxLength']:,} characters."
    # To JSON Schema 1e300 is an integer, but it is stored as a double, which holds it.
    if isinstance(value, int) and not schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf):
        yield "int_out_of_range", loc, INTEGER_MESSAGE


_HAS_TYPE: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
}
_NAMES = {
    "object": "an object",
    "array": "an array",
    "string": "a text",
    "boolean": "true or false",
    "null": "null",
    "number": "a number",
}


def _has_type(value: Any, expected: str | list[str]) -> bool:
    names = [expected] if isinstance(expected, str) else expected
    return any(_HAS_TYPE[name](value) for name in names)


def _type_message(expected: str | list[str]) -> str:
    names = [expected] if isinstance(expected, str) else expected
    return f"This must be {' or '.join(_NAMES[name] for name in names)}."
