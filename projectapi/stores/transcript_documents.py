"""How a transcript looks inside its project's document: the field names on both sides, and what a change has to write."""

from __future__ import annotations

from typing import Any

import bson

from projectapi.errors import BodyTooLarge
from projectapi.transcript import JsonObject, Transcript

Document = dict[str, Any]

FIELD = "transcriptState"
TAG_FIELD = "lastWrite"

_MAX_BYTES = 8 * 2**20
"""Half of what MongoDB's document holds: a transcript must never keep its project's timeline from being saved."""

_SINGLE_WRITES_MAX = 50

_FIELDS = {
    "id": "id",
    "version": "version",
    "tag": TAG_FIELD,
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "segments": "segments",
    "language": "language",
    "model_used": "modelUsed",
    "processing_time": "processingTime",
    "duration": "duration",
    "confidence_score": "confidenceScore",
    "is_complete": "isComplete",
    "is_edited": "isEdited",
    "speaker_count": "speakerCount",
    "speakers": "speakers",
    "metadata": "metadata",
    "video_sha256": "videoSha256",
}


def transcript_from_project(project: Document) -> Transcript | None:
    """Return the transcript that a project's document embeds, None when there is none."""
    stored = project.get(FIELD)
    if stored is None:
        return None
    return Transcript(project_id=project["projectId"], **{name: stored.get(field) for name, field in _FIELDS.items()})


def values_to_store(before: Transcript | None, after: Transcript | None) -> Document:
    """Return what to set in the project's document so that the transcript `before` becomes the one `after`.

    It holds only what differs, so that an edited word does not carry hours of speech to the database. Raises BodyTooLarge.
    """
    if after is None:
        return {FIELD: None}
    whole = {field: getattr(after, name) for name, field in _FIELDS.items()}
    _check_size(whole)
    if before is None:
        return {FIELD: whole}
    differing = {field: whole[field] for name, field in _FIELDS.items() if getattr(before, name) != getattr(after, name)}
    if "segments" in differing:
        differing |= _differing_segments(before.segments, differing.pop("segments"))
    return {f"{FIELD}.{field}": value for field, value in differing.items()}


def too_large() -> BodyTooLarge:
    """Return the error for a transcript that its project's document cannot hold."""
    return BodyTooLarge(
        "This transcript is too large to be saved (the limit is about 8 MB). What was saved before is safe; leave out the "
        "words' own times, or divide the video among several projects."
    )


def _differing_segments(before: list[JsonObject], after: list[JsonObject]) -> Document:
    changed = [index for index, segment in enumerate(after) if index >= len(before) or segment != before[index]]
    if len(after) < len(before) or len(changed) > _SINGLE_WRITES_MAX:
        return {"segments": after}
    return {f"segments.{index}": after[index] for index in changed}


def _check_size(transcript: Document) -> None:
    if len(bson.encode(transcript)) > _MAX_BYTES:
        raise too_large()
