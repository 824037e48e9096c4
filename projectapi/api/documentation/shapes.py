"""From our fields to JSON Schema: what apispec cannot know of them."""

from __future__ import annotations

from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from projectapi.project import JsonObject
from projectapi.schemas.fields import Count, Flag, Number, Text
from projectapi.schemas.loading import RequestSchema
from projectapi.schemas.requests import EXAMPLE_ID, TimelineState
from projectapi.schemas.timeline_schema import TIMELINE_SCHEMA
from projectapi.schemas.transcriptions import FreeObject, Segments

_EXAMPLE_CLIP: JsonObject = {
    "id": f"video-clip-{EXAMPLE_ID}",
    "type": "video",
    "start_time": 0,
    "end_time": 3.04,
    "duration": 3.04,
    "original_start_time": 0,
    "source_path": f"http://localhost:8001/media/{EXAMPLE_ID}/video",
    "content": "Holiday",
    "properties": {"volume": 1, "speed": 1, "opacity": 1, "easing": "linear"},
    "keyframes": [],
}
_EXAMPLE_LAYER: JsonObject = {
    "id": f"video-layer-{EXAMPLE_ID}",
    "name": "Video",
    "type": "video",
    "order": 0,
    "is_visible": True,
    "is_locked": False,
    "is_muted": False,
    "is_main_video": True,
    "clips": [_EXAMPLE_CLIP],
}
EXAMPLE_STATE: JsonObject = {
    "layers": [_EXAMPLE_LAYER],
    "playhead_time": 0,
    "zoom": 1,
    "duration": 3.04,
    "markers": [{"id": "m1", "time": 1.5, "label": "Beach", "color": "#ffaa00"}],
    "selected_clips": [],
    "is_playing": False,
    "is_snapping": True,
}

_DEFINITIONS = {"#/$defs/anything": "StorableJson", "#/$defs/anything_with_any_keys": "AnyJson"}


def json_schemas() -> dict[str, JsonObject]:
    """Return the JSON Schemas of timelines, as components of an OpenAPI document."""
    state = {name: value for name, value in TIMELINE_SCHEMA.items() if name not in ("$schema", "$defs")}
    described = {
        "description": "A timeline. Keys that are not listed are kept as they come, at every depth.",
        "examples": [EXAMPLE_STATE],
    }
    fields_alone = {
        "description": "The fields of a timeline, beside others.",
        "type": "object",
        "properties": state["properties"],
        "examples": [EXAMPLE_STATE],
    }
    definitions = {_DEFINITIONS[f"#/$defs/{name}"]: schema for name, schema in TIMELINE_SCHEMA["$defs"].items()}
    states = {"TimelineState": {**state, **described}, "TimelineStateFields": fields_alone}
    return {name: _moved(schema) for name, schema in {**states, **definitions}.items()}


def marshmallow_plugin() -> MarshmallowPlugin:
    """Return the plugin by which apispec turns marshmallow schemas into components."""
    return _Plugin(schema_name_resolver=_name_of)


class _Converter(OpenAPIConverter):
    def schema2jsonschema(self, schema: Schema) -> JsonObject:
        """Return a marshmallow schema as JSON Schema, with its docstring and the spellings that it takes besides."""
        converted: JsonObject = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        converted["description"] = (schema.__doc__ or "").strip()
        if isinstance(schema, RequestSchema) and schema.camel_case:
            spellings = ", ".join(f"`{camel}`" for camel in schema.camel_case)
            converted["description"] += f"\n\nTaken for the same: {spellings}. Keys that are not listed are ignored."
        return converted


class _Plugin(MarshmallowPlugin):
    Converter = _Converter

    def init_spec(self, spec: APISpec) -> None:
        """Teach apispec our fields."""
        super().init_spec(spec)
        assert self.converter is not None
        self.converter.add_attribute_function(_own_fields)  # type: ignore[no-untyped-call]


def _own_fields(self: OpenAPIConverter, field: fields.Field[Any], ret: JsonObject, **_: Any) -> JsonObject:
    """Return what JSON Schema says of one of our own fields."""
    nullable = [{"type": "null"}] if field.allow_none else []
    if isinstance(field, TimelineState):
        reference = {"$ref": "#/components/schemas/TimelineState"}
        return {"anyOf": [reference, *nullable]} if nullable else reference
    if isinstance(field, Segments):
        return {"$ref": "#/components/schemas/Segments"}
    for kind, name in {Count: "integer", Number: "number", Flag: "boolean"}.items():
        if isinstance(field, kind):
            return {"type": [name, "null"] if nullable else name}
    if isinstance(field, FreeObject):
        return {"allOf": [{"type": "object"}, {"$ref": "#/components/schemas/StorableJson"}]}
    if isinstance(field, Text) and "pattern" not in field.metadata:
        return {"pattern": "^[^\\u0000]*$"}
    return {}


def _name_of(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return str(kind.__name__)


def _moved(schema: Any) -> Any:
    """Return a schema whose references lead to components.

    Its bounds stay behind: they are for whole numbers only, which JSON Schema cannot tell from large fractions like 1e300.
    """
    if isinstance(schema, dict):
        return {
            name: f"#/components/schemas/{_DEFINITIONS[value]}" if name == "$ref" else _moved(value)
            for name, value in schema.items()
            if name not in ("minimum", "maximum")
        }
    return [_moved(item) for item in schema] if isinstance(schema, list) else schema
