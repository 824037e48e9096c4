"""The resource /transcriptions: what is said in a project's video."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.bodies import json_body, json_value
from projectapi.api.conditional import expected_tag
from projectapi.api.context import backend, project_key
from projectapi.api.documentation import documented, enveloped, json_body_of
from projectapi.api.envelope import etag_of, finished, success
from projectapi.api.idempotency import write_id
from projectapi.errors import Conflict, ProjectNotCarriedOver, ProjectNotFound, TranscriptionNotFound
from projectapi.protocols import Answer
from projectapi.schemas.answers import envelope
from projectapi.schemas.shapes.transcriptions import TranscriptionAnswer
from projectapi.schemas.transcription_answers import transcription_data
from projectapi.schemas.transcriptions import (
    SEGMENT_CHANGES,
    SEGMENTS,
    TranscriptionCreation,
    TranscriptionUpdate,
    load_metadata,
    load_segment_changes,
    load_segments,
)
from projectapi.transcript import Transcript

blueprint = Blueprint("transcriptions", __name__, url_prefix="/transcriptions")

_ANSWER, _NO_TRANSCRIPTION = enveloped(TranscriptionAnswer), (TranscriptionNotFound,)

_CREATION, _UPDATE = TranscriptionCreation(), TranscriptionUpdate()


@blueprint.post("")
@blueprint.post("/")
@documented(
    answer=_ANSWER,
    body=json_body_of(TranscriptionCreation),
    answer_headers=("ETag",),
    errors=(ProjectNotFound, ProjectNotCarriedOver, Conflict),
)
def create_transcription() -> Response:
    """Give a project its transcription."""
    values = json_body(_CREATION)
    key = project_key(values.pop("project_id"))
    transcript = backend().transcripts.create_transcript(key, values, write_id=write_id())
    return _with_transcript(transcript, "Transcription created successfully")


@blueprint.get("/<project_id>")
@documented(answer=_ANSWER, headers=("If-None-Match",), errors=_NO_TRANSCRIPTION)
def get_transcription(project_id: str) -> Response:
    """Return a project's transcription."""
    transcript = backend().transcripts.get_transcript(project_key(project_id))
    body = envelope(transcription_data(transcript), "Transcription found")
    return finished(Answer(body=body, etag=etag_of(transcript)))


@blueprint.put("/<project_id>")
@documented(answer=_ANSWER, body=json_body_of(TranscriptionUpdate), headers=("If-Match",), errors=_NO_TRANSCRIPTION)
def update_transcription(project_id: str) -> Response:
    """Change what the body names of a transcription."""
    transcript = backend().transcripts.update_transcript(project_key(project_id), json_body(_UPDATE), expected_tag())
    return _with_transcript(transcript, "Transcription updated successfully")


@blueprint.delete("/<project_id>")
@documented(answer=enveloped(None), headers=("If-Match",), errors=_NO_TRANSCRIPTION)
def delete_transcription(project_id: str) -> Response:
    """Delete a project's transcription."""
    backend().transcripts.delete_transcript(project_key(project_id), expected_tag())
    return success(None, "Transcription deleted successfully")


@blueprint.post("/<project_id>/segments")
@documented(answer=_ANSWER, body=json_body_of(SEGMENTS), headers=("If-Match",), errors=_NO_TRANSCRIPTION)
def add_segments(project_id: str) -> Response:
    """Append segments, given as a JSON array, to a transcription."""
    segments = load_segments(json_value())
    key = project_key(project_id)
    transcript = backend().transcripts.add_segments(key, segments, expected_tag(), write_id=write_id())
    return _with_transcript(transcript, f"Added {len(segments)} segments")


@blueprint.put("/<project_id>/segments/<segment_id>")
@documented(answer=_ANSWER, body=json_body_of(SEGMENT_CHANGES), headers=("If-Match",), errors=_NO_TRANSCRIPTION)
def update_segment(project_id: str, segment_id: str) -> Response:
    """Change what the body names of one segment."""
    changes = load_segment_changes(json_value())
    transcript = backend().transcripts.update_segment(project_key(project_id), segment_id, changes, expected_tag())
    return _with_transcript(transcript, "Segment updated successfully")


@blueprint.delete("/<project_id>/segments/<segment_id>")
@documented(answer=_ANSWER, headers=("If-Match",), errors=_NO_TRANSCRIPTION)
def delete_segment(project_id: str, segment_id: str) -> Response:
    """Delete one segment."""
    transcript = backend().transcripts.delete_segment(project_key(project_id), segment_id, expected_tag())
    return _with_transcript(transcript, "Segment deleted successfully")


@blueprint.put("/<project_id>/metadata")
@documented(
    answer=_ANSWER,
    body=json_body_of({"type": "object", "examples": [{"source": "import"}]}),
    headers=("If-Match",),
    errors=_NO_TRANSCRIPTION,
)
def set_metadata(project_id: str) -> Response:
    """Put the body, any JSON object, in place of a transcription's metadata."""
    values = {"metadata": load_metadata(json_value())}
    transcript = backend().transcripts.update_transcript(project_key(project_id), values, expected_tag())
    return _with_transcript(transcript, "Metadata updated successfully")


def _with_transcript(transcript: Transcript, message: str) -> Response:
    return success(transcription_data(transcript), message, etag=etag_of(transcript))
