"""What a saved timeline may look like: one JSON Schema (draft 2020-12) for requests and for MongoDB's own validator.

It holds what the frontends need to load a timeline again, and what BSON can store; everything else is theirs. Unknown keys are
kept anywhere, a clip's ``end_time`` is never compared with anything, and a text's or array's bound is there to stop abuse, far
beyond what an editor makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsonschema_rs

from projectapi.project import JsonObject
from projectapi.schemas.json_body import INTEGER_MAX, INTEGER_MIN
from projectapi.schemas.schema_problems import problems

LAYER_TYPES = ("video", "audio", "text", "effect", "overlay")

TEXT_MAX = 1_000
LAYERS_MAX = 1_000
CLIPS_PER_LAYER_MAX = 100_000
MARKERS_MAX = 100_000
SELECTED_CLIPS_MAX = 1_000_000

_INTEGER_BOUNDS: JsonObject = {"minimum": INTEGER_MIN, "maximum": INTEGER_MAX}
_STORABLE_KEYS: JsonObject = {"patternProperties": {"^\\$": False, "\\u0000": False}}
_ANY_JSON: JsonObject = {"type": ["object", "array", "string", "number", "boolean", "null"], **_INTEGER_BOUNDS}

_ANYTHING: JsonObject = {"$ref": "#/$defs/anything"}
_ANYTHING_WITH_ANY_KEYS: JsonObject = {"$ref": "#/$defs/anything_with_any_keys"}
_DEFINITIONS: JsonObject = {
    "anything": {**_ANY_JSON, "items": _ANYTHING, "additionalProperties": _ANYTHING, **_STORABLE_KEYS},
    "anything_with_any_keys": {
        **_ANY_JSON,
        "items": _ANYTHING_WITH_ANY_KEYS,
        "additionalProperties": _ANYTHING_WITH_ANY_KEYS,
    },
}


def _object(properties: JsonObject, required: Sequence[str] = ()) -> JsonObject:
    schema = {"type": "object", "properties": properties, "additionalProperties": _ANYTHING, **_STORABLE_KEYS}
    return {**schema, "required": list(required)} if required else schema


def _said(schema: JsonObject, description: str) -> JsonObject:
    return {**schema, "description": description}


def _array(items: JsonObject, most: int) -> JsonObject:
    return {"type": "array", "items": items, "maxItems": most}


_TEXT: JsonObject = {"type": "string", "maxLength": TEXT_MAX}
_NUMBER: JsonObject = {"type": "number", **_INTEGER_BOUNDS}
_NUMBER_OR_NULL: JsonObject = {"type": ["number", "null"], **_INTEGER_BOUNDS}
_SWITCH_OR_NULL: JsonObject = {"type": ["boolean", "null"]}
_LONG_TEXT_OR_NULL: JsonObject = {"type": ["string", "null"]}

_CLIP = _object(
    {
        "id": _TEXT,
        "type": _TEXT,
        "start_time": _said(_NUMBER, "Where the clip begins, in seconds of the timeline."),
        "end_time": _said(_NUMBER, "In seconds; kept as it comes and never compared with anything."),
        "duration": _said(_NUMBER, "Its length, in seconds."),
        "original_start_time": _said(_NUMBER_OR_NULL, "Where it begins, in seconds of the video."),
        "source_path": _said(_LONG_TEXT_OR_NULL, "Where the frontend plays it from."),
        "content": _said(_LONG_TEXT_OR_NULL, "What the frontend writes on it."),
        "properties": {"type": ["object", "null"], "additionalProperties": _ANYTHING_WITH_ANY_KEYS},
        "keyframes": {"type": ["array", "null"], "items": _ANYTHING},
    },
    required=("id", "type", "start_time", "end_time", "duration"),
)
_LAYER = _object(
    {
        "id": _TEXT,
        "name": _TEXT,
        "type": {"type": "string", "enum": list(LAYER_TYPES)},
        "is_visible": _SWITCH_OR_NULL,
        "is_locked": _SWITCH_OR_NULL,
        "is_muted": _SWITCH_OR_NULL,
        "is_main_video": _said(_SWITCH_OR_NULL, "The layer that cuts, previews and exports are made of."),
        "order": _said(_NUMBER_OR_NULL, "The place from below to above."),
        "clips": _array(_CLIP, CLIPS_PER_LAYER_MAX),
    },
    required=("id", "name", "type"),
)
_MARKER = _object(
    {
        "id": _TEXT,
        "time": _said(_NUMBER_OR_NULL, "In seconds of the timeline."),
        "label": _LONG_TEXT_OR_NULL,
        "color": _LONG_TEXT_OR_NULL,
    }
)
_TIMELINE = _object(
    {
        "layers": _array(_LAYER, LAYERS_MAX),
        "playhead_time": _said(_NUMBER_OR_NULL, "In seconds of the timeline."),
        "zoom": _said(_NUMBER_OR_NULL, "As the frontend counts it."),
        "duration": _said(_NUMBER_OR_NULL, "In seconds."),
        "markers": _array(_MARKER, MARKERS_MAX),
        "selected_clips": _said(_array(_TEXT, SELECTED_CLIPS_MAX), "Ids of clips, also of some that are gone."),
        "is_playing": _SWITCH_OR_NULL,
        "is_snapping": _SWITCH_OR_NULL,
    }
)

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
TIMELINE_SCHEMA: JsonObject = {"$schema": _DRAFT, **_TIMELINE, "$defs": _DEFINITIONS}
_FREE_SCHEMA: JsonObject = {"$schema": _DRAFT, **_ANYTHING, "$defs": _DEFINITIONS}

_timeline_validator = jsonschema_rs.Draft202012Validator(TIMELINE_SCHEMA)
_free_validator = jsonschema_rs.Draft202012Validator(_FREE_SCHEMA)


def check_timeline(state: Any, loc: Sequence[str | int] = ("timeline_state",)) -> list[JsonObject]:
    """Return what is wrong with a timeline's state, the first 20 problems as ``{type, loc, msg}``; none if it can be saved."""
    return [] if _timeline_validator.is_valid(state) else problems(state, TIMELINE_SCHEMA, tuple(loc))


def check_json_value(value: Any, loc: Sequence[str | int]) -> list[JsonObject]:
    """Return what keeps free-form JSON (metadata, say) from being stored: keys with ``$`` or NUL, integers over 64 bits."""
    return [] if _free_validator.is_valid(value) else problems(value, _FREE_SCHEMA, tuple(loc))


_BSON_TYPES = {
    "object": ["object"],
    "array": ["array"],
    "string": ["string"],
    "boolean": ["bool"],
    "null": ["null"],
    "number": ["int", "long", "double"],
}
_ALSO_IN_MONGODB = ("enum", "required", "maxLength", "maxItems")


def mongodb_schema() -> JsonObject:
    """Return the timeline's schema for MongoDB's ``$jsonSchema`` (draft 4 with ``bsonType``).

    MongoDB knows neither references nor schemas that are just false, so the rules on unknown keys are the request check's
    alone. Bounds of integers are left out: BSON cannot break them, and they would refuse large doubles.
    """
    return _for_mongodb(TIMELINE_SCHEMA)


def _for_mongodb(schema: JsonObject) -> JsonObject:
    converted = {keyword: schema[keyword] for keyword in _ALSO_IN_MONGODB if keyword in schema}
    if "type" in schema:
        names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        kinds = [kind for name in names for kind in _BSON_TYPES[name]]
        converted["bsonType"] = kinds[0] if len(kinds) == 1 else kinds
    if "properties" in schema:
        converted["properties"] = {key: _for_mongodb(inner) for key, inner in schema["properties"].items()}
    if "items" in schema and (items := _for_mongodb(schema["items"])):
        converted["items"] = items
    return converted
