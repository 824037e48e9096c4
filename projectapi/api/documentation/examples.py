"""Examples of whole bodies, made of the examples of their fields: nobody has to keep them in step."""

from __future__ import annotations

from typing import Any

from projectapi.project import JsonObject

_REFERENCE = "#/components/schemas/"
_OF_TYPE = {"boolean": True, "integer": 1, "number": 0.5, "string": "text", "null": None}


class Examples:
    """Makes examples of JSON Schemas; `schemas` are those that a reference may name."""

    def __init__(self, schemas: JsonObject) -> None:
        self._schemas = schemas

    def of(self, schema: JsonObject) -> Any:
        """Return an example of what a schema describes: its own, or one with an example in every field."""
        if "$ref" in schema:
            return self.of({**self._schemas[schema["$ref"].removeprefix(_REFERENCE)], **_beside_reference(schema)})
        if "examples" in schema:
            return schema["examples"][0]
        for keyword in ("const", "default"):
            if keyword in schema:
                return schema[keyword]
        if "enum" in schema:
            return schema["enum"][0]
        if "allOf" in schema:
            return {name: value for part in schema["allOf"] for name, value in self.of(part).items()}
        if "anyOf" in schema:
            return self.of(schema["anyOf"][0])
        return self._of_type(schema)

    def _of_type(self, schema: JsonObject) -> Any:
        kinds = schema.get("type", "object")
        kind = kinds if isinstance(kinds, str) else kinds[0]
        if kind == "array":
            return [self.of(schema["items"])]
        if kind == "object":
            return {name: self.of(inner) for name, inner in schema.get("properties", {}).items()}
        return _OF_TYPE[kind]


def _beside_reference(schema: JsonObject) -> JsonObject:
    return {name: value for name, value in schema.items() if name in ("examples", "default")}
