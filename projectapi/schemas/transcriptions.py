"""What clients may send of transcripts.

Segments and words come by the ten thousand, so a compiled JSON Schema checks them; marshmallow checks the few fields around
them. Keys that are not known are ignored, and the spellings of other frontends and recognisers are taken for ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs
from marshmallow import ValidationError, fields

from projectapi.project import JsonObject
from projectapi.schemas.fields import Count, Flag, Number, Text, about
from projectapi.schemas.loading import RequestSchema, invalid
from projectapi.schemas.requests import EXAMPLE_ID, ID_MAX
from projectapi.schemas.schema_problems import problems
from projectapi.schemas.timeline_schema import check_json_value
from projectapi.transcript import SEGMENT_TEXT_MAX, SEGMENT_WORDS_MAX, SEGMENTS_MAX

_SPELLINGS_OF_SEGMENTS = {
    "_id": "id",
    "startTime": "start_time",
    "endTime": "end_time",
    "speakerId": "speaker_id",
    "isEdited": "is_edited",
    "editedText": "edited_text",
}
_SPELLINGS_OF_WORDS = {
    "word": "text",
    "start_time": "start",
    "startTime": "start",
    "end_time": "end",
    "endTime": "end",
    "isFiller": "is_filler",
    "speakerId": "speaker_id",
}

_TEXT: JsonObject = {"type": "string", "maxLength": SEGMENT_TEXT_MAX}
_SHORT_TEXT_OR_NULL: JsonObject = {"type": ["string", "null"], "maxLength": ID_MAX}
_SECONDS: JsonObject = {"type": "number", "description": "In seconds of the video's time; not negative."}
_CONFIDENCE: JsonObject = {"type": ["number", "null"], "description": "How sure the recogniser was, from 0 to 1."}
_SWITCH_OR_NULL: JsonObject = {"type": ["boolean", "null"]}
_SPEAKER: JsonObject = {**_SHORT_TEXT_OR_NULL, "description": "Who speaks."}

_WORD: JsonObject = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "maxLength": 1_000},
        "start": _SECONDS,
        "end": _SECONDS,
        "confidence": _CONFIDENCE,
        "is_filler": {**_SWITCH_OR_NULL, "description": "Whether it is an “um” or the like."},
        "speaker_id": _SPEAKER,
    },
    "required": ["text", "start", "end"],
}
_CHANGES: JsonObject = {
    "type": "object",
    "properties": {
        "id": {**_SHORT_TEXT_OR_NULL, "description": "Made up if it is missing; without a slash."},
        "start_time": _SECONDS,
        "end_time": _SECONDS,
        "text": _TEXT,
        "words": {"type": ["array", "null"], "items": _WORD, "maxItems": SEGMENT_WORDS_MAX},
        "speaker_id": _SPEAKER,
        "confidence": _CONFIDENCE,
        "is_edited": {**_SWITCH_OR_NULL, "description": "Whether people changed it."},
        "edited_text": {**_TEXT, "type": ["string", "null"], "description": "What people made of the text."},
    },
}
_SEGMENTS: JsonObject = {
    "type": "array",
    "items": {**_CHANGES, "required": ["start_time", "end_time", "text"]},
    "maxItems": SEGMENTS_MAX,
}

_EXAMPLE_WORD: JsonObject = {"text": "Um", "start": 0.1, "end": 0.25, "confidence": 0.9, "is_filler": True}
_EXAMPLE: JsonObject = {"start_time": 0.0, "end_time": 0.25, "text": "Um", "words": [_EXAMPLE_WORD]}

SEGMENTS: JsonObject = {**_SEGMENTS, "examples": [[_EXAMPLE]]}
SEGMENT_CHANGES: JsonObject = {**_CHANGES, "examples": [{"edited_text": "Hello", "is_edited": True}]}
"""How the documentation shows the bodies that no marshmallow schema checks."""

_segments_validator = jsonschema_rs.Draft202012Validator(_SEGMENTS)
_changes_validator = jsonschema_rs.Draft202012Validator(_CHANGES)

_STORED: dict[str, Callable[[Any], Any]] = {
    "words": lambda words: [_stored_word(word) for word in words or ()],
    "is_edited": bool,
}


def load_segments(value: Any) -> list[JsonObject]:
    """Return the segments that a body, a JSON array, brings, whole. Raises ValidationFailed."""
    segments = _respelled_segments(value)
    if not _segments_validator.is_valid(segments):
        raise invalid(problems(segments, _SEGMENTS, ("body",)))
    return [_whole_segment(segment) for segment in segments]


def load_segment_changes(value: Any) -> JsonObject:
    """Return what a body, a JSON object, changes in a segment; its id is not among that. Raises ValidationFailed."""
    changes = _respelled_segment(value)
    if not _changes_validator.is_valid(changes):
        raise invalid(problems(changes, _CHANGES, ("body",)))
    return {name: _stored(name, changes[name]) for name in _CHANGES["properties"] if name in changes and name != "id"}


def load_metadata(value: Any) -> JsonObject:
    """Return the free-form object that a body is. Raises ValidationFailed."""
    if not isinstance(value, dict):
        raise invalid([{"type": "object_type", "loc": ["body"], "msg": "A JSON object is expected."}])
    if found := check_json_value(value, ("body",)):
        raise invalid(found)
    return value


class FreeObject(fields.Field[JsonObject]):
    """A JSON object whose keys are the client's own, as far as the database can hold them."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> JsonObject:
        if not isinstance(value, dict):
            raise ValidationError("A JSON object is expected.")
        if found := check_json_value(value, (str(attr),)):
            raise ValidationError(found)
        return value


class Segments(fields.Field[list[JsonObject]]):
    """The segments of a whole transcript."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[JsonObject]:
        segments = _respelled_segments(value)
        if not _segments_validator.is_valid(segments):
            raise ValidationError(problems(segments, _SEGMENTS, (str(attr),)))
        return [_whole_segment(segment) for segment in segments]


class TranscriptionUpdate(RequestSchema):
    """Body of PUT /transcriptions/{project_id}: only what it names is changed."""

    camel_case = {
        "modelUsed": "model_used",
        "processingTime": "processing_time",
        "confidenceScore": "confidence_score",
        "isComplete": "is_complete",
        "isEdited": "is_edited",
        "speakerCount": "speaker_count",
    }

    segments = Segments()
    language = Text(high=100, allow_none=True, metadata=about("The language spoken.", "en"))
    model_used = Text(high=ID_MAX, allow_none=True, metadata=about("What recognised the speech.", "base"))
    processing_time = Number(low=0, high=1e9, allow_none=True, metadata=about("How long that took, in seconds.", 2.5))
    confidence_score = Number(allow_none=True, metadata=about("How sure it was, from 0 to 1.", 0.93))
    is_complete = Flag(metadata=about("Whether the whole video was transcribed.", True))
    is_edited = Flag(metadata=about("Whether people changed something.", False))
    speaker_count = Count(low=0, high=10_000, metadata=about("How many people speak.", 1))
    speakers = FreeObject(metadata=about("What is known of each speaker, by `speaker_id`.", {"s1": {"name": "Ada"}}))
    metadata = FreeObject(metadata=about("Whatever clients want to keep here.", {"source": "import"}))


class TranscriptionCreation(TranscriptionUpdate):
    """Body of POST /transcriptions/."""

    camel_case = {**TranscriptionUpdate.camel_case, "projectId": "project_id"}

    project_id = Text(low=1, high=ID_MAX, required=True, metadata=about("The project's `_id`.", EXAMPLE_ID))


def _respelled_segments(value: Any) -> Any:
    return [_respelled_segment(segment) for segment in value] if isinstance(value, list) else value


def _respelled_segment(value: Any) -> Any:
    segment = _respelled(value, _SPELLINGS_OF_SEGMENTS)
    if isinstance(segment, dict) and isinstance(segment.get("words"), list):
        return {**segment, "words": [_respelled(word, _SPELLINGS_OF_WORDS) for word in segment["words"]]}
    return segment


def _respelled(value: Any, spellings: Mapping[str, str]) -> Any:
    if not isinstance(value, dict) or spellings.keys().isdisjoint(value):
        return value
    return {**{ours: value[theirs] for theirs, ours in spellings.items() if theirs in value}, **value}


def _whole_segment(segment: JsonObject) -> JsonObject:
    return {name: _stored(name, segment.get(name)) for name in _CHANGES["properties"]}


def _stored(name: str, value: Any) -> Any:
    return _STORED[name](value) if name in _STORED else value


def _stored_word(word: JsonObject) -> JsonObject:
    stored = {
        "text": word["text"],
        "start": word["start"],
        "end": word["end"],
        "confidence": word.get("confidence"),
        "is_filler": bool(word.get("is_filler")),
    }
    return {**stored, "speaker_id": word["speaker_id"]} if word.get("speaker_id") else stored
