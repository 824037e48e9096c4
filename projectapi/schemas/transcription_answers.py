"""What clients get of transcripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from projectapi.project import JsonObject
from projectapi.schemas.times import wire_time
from projectapi.transcript import Transcript


def transcription_data(transcript: Transcript) -> JsonObject:
    """Return a transcript as the /transcriptions addresses answer it."""
    segments = [{**segment, "words": list(map(word_data, segment["words"]))} for segment in transcript.segments]
    return _with_segments(transcript, segments)


def transcript_state(transcript: Transcript | None) -> JsonObject | None:
    """Return a transcript as projects show it: all its words in one list, as POST /media/transcribe answers them.

    Its segments are the same as elsewhere but for their words, since there may be hours of those and nobody needs them twice.
    """
    if transcript is None:
        return None
    segments = [{name: segment[name] for name in segment if name != "words"} for segment in transcript.segments]
    return {**_with_segments(transcript, segments), **transcribed(transcript.words, transcript.duration)}


def transcribed(words: list[JsonObject], duration: float | None) -> JsonObject:
    """Return the `data` of POST /media/transcribe."""
    return {"transcript": list(map(word_data, words)), "duration": duration}


def word_data(word: Mapping[str, Any]) -> JsonObject:
    """Return a word with its mark of a filler in both spellings: one frontend reads `isFiller`, scripts `is_filler`."""
    return {**word, "isFiller": word["is_filler"]}


def _with_segments(transcript: Transcript, segments: list[JsonObject]) -> JsonObject:
    return {
        "_id": transcript.id,
        "project_id": transcript.project_id,
        "version": transcript.version,
        "segments": segments,
        "language": transcript.language,
        "model_used": transcript.model_used,
        "processing_time": transcript.processing_time,
        "confidence_score": transcript.confidence_score,
        "is_complete": transcript.is_complete,
        "is_edited": transcript.is_edited,
        "speaker_count": transcript.speaker_count,
        "speakers": transcript.speakers,
        "metadata": transcript.metadata,
        "created_at": wire_time(transcript.created_at),
        "updated_at": wire_time(transcript.updated_at),
    }
