"""What a transcript is, and how it changes: data, limits and pure rules.

A segment is a JSON object ``{id, start_time, end_time, text, words, speaker_id, confidence, is_edited, edited_text}``, a word
in it ``{text, start, end, confidence, is_filler}`` and perhaps ``speaker_id``; times are seconds of the video's own time.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean
from typing import Any

from projectapi.errors import BodyTooLarge, TranscriptionNotFound, ValidationFailed

JsonObject = dict[str, Any]
Loc = tuple[str | int, ...]

SEGMENTS_MAX = 20_000
SEGMENT_TEXT_MAX = 10_000
SEGMENT_WORDS_MAX = 2_000

_PAUSE_SECONDS = 0.8
_SPOKEN_WORDS_MAX = 60
_SENTENCE_ENDS = (".", "!", "?", "…")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is said in a project's video, at one version.

    `version` grows by one with every change, `tag` marks the write that made it (both together are the strong entity tag).
    `processing_time` and `duration` (of the video) are in seconds; `speakers` and `metadata` are the clients' own.
    `video_sha256` names the video that was listened to, None when no recogniser did.
    """

    id: str
    project_id: str
    version: int
    tag: str
    created_at: datetime
    updated_at: datetime
    segments: list[JsonObject] = field(default_factory=list)
    language: str | None = None
    model_used: str | None = None
    processing_time: float | None = None
    duration: float | None = None
    confidence_score: float | None = None
    is_complete: bool = False
    is_edited: bool = False
    speaker_count: int = 0
    speakers: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    video_sha256: str | None = None

    @property
    def words(self) -> list[JsonObject]:
        """All words, segment after segment."""
        return [word for segment in self.segments for word in segment["words"]]

    def tells_of(self, video_sha256: str) -> bool:
        """Tell whether this is the whole of what is said in a video, so that nobody needs to listen to it again.

        What people wrote or edited stands, whatever video they had before them.
        """
        written = self.is_edited or self.video_sha256 is None
        return self.is_complete and (written or self.video_sha256 == video_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognisedSpeech:
    """What a speech recogniser heard: the words in order of time; `processing_time` and `duration` are in seconds."""

    words: Sequence[JsonObject]
    language: str | None
    model_used: str | None
    processing_time: float | None
    duration: float | None
    video_sha256: str | None = None


def with_values(transcript: Transcript, values: JsonObject) -> Transcript:
    """Return the transcript with these fields in place of its own.

    What follows from new segments (confidence, speakers, whether anything was edited) is worked out unless `values` says it.
    Raises ValidationFailed and BodyTooLarge as `with_more_segments` does.
    """
    rest = dict(values)
    if "segments" in rest:
        transcript = _with_segments(transcript, _admitted(rest.pop("segments"), set(), ("body", "segments")))
    return replace(transcript, **rest)


def with_more_segments(transcript: Transcript, segments: Sequence[JsonObject]) -> Transcript:
    """Return the transcript with these segments after its own; those without an id get one.

    Raises ValidationFailed for times that run backwards and for an id that is taken, BodyTooLarge for too many segments.
    """
    taken = {segment["id"] for segment in transcript.segments}
    return _with_segments(transcript, [*transcript.segments, *_admitted(segments, taken, ("body",))])


def with_changed_segment(transcript: Transcript, segment_id: str, values: JsonObject) -> Transcript:
    """Return the transcript with other `values` in one segment, which counts as edited when its words read otherwise now.

    Raises TranscriptionNotFound, and ValidationFailed for times that run backwards.
    """
    index = _index_of(transcript, segment_id)
    before = transcript.segments[index]
    changed = {**before, **values, "id": segment_id}
    _check_times(changed, ("body",))
    if "is_edited" not in values and any(changed[name] != before[name] for name in ("text", "edited_text")):
        changed["is_edited"] = True
    if changed == before:
        return transcript
    return _with_segments(transcript, [*transcript.segments[:index], changed, *transcript.segments[index + 1 :]])


def without_segment(transcript: Transcript, segment_id: str) -> Transcript:
    """Return the transcript, edited now, without one segment. Raises TranscriptionNotFound."""
    index = _index_of(transcript, segment_id)
    left = [*transcript.segments[:index], *transcript.segments[index + 1 :]]
    return replace(_with_segments(transcript, left), is_edited=True)


def with_speech(transcript: Transcript, speech: RecognisedSpeech) -> Transcript:
    """Return the transcript with recognised words in place of its segments; only its metadata stays."""
    segments = [_segment_of(words) for words in _sentences(speech.words)]
    return replace(
        _with_segments(replace(transcript, speakers={}, confidence_score=None), segments),
        language=speech.language,
        model_used=speech.model_used,
        processing_time=speech.processing_time,
        duration=speech.duration,
        video_sha256=speech.video_sha256,
        is_complete=True,
    )


def _with_segments(transcript: Transcript, segments: list[JsonObject]) -> Transcript:
    if len(segments) > SEGMENTS_MAX:
        raise BodyTooLarge(f"A transcript may have at most {SEGMENTS_MAX:,} segments.")
    confidences = [segment["confidence"] for segment in segments if segment["confidence"] is not None]
    speakers = {segment["speaker_id"] for segment in segments if segment["speaker_id"] is not None}
    return replace(
        transcript,
        segments=segments,
        confidence_score=fmean(confidences) if confidences else transcript.confidence_score,
        speaker_count=len(speakers | transcript.speakers.keys()),
        is_edited=transcript.is_edited or any(segment["is_edited"] for segment in segments),
    )


def _admitted(segments: Sequence[JsonObject], taken: set[str], loc: Loc) -> list[JsonObject]:
    """Return the segments, each with an id that is not `taken`; `loc` is where in the request they stand."""
    admitted = []
    for index, segment in enumerate(segments):
        place = (*loc, index)
        _check_times(segment, place)
        segment_id = segment["id"] or secrets.token_hex(8)
        if segment_id in taken:
            raise _wrong((*place, "id"), "Another segment of this transcript has this id already.")
        if "/" in segment_id:
            raise _wrong((*place, "id"), "A segment's id becomes part of its address, so it must not contain a slash.")
        taken.add(segment_id)
        admitted.append({**segment, "id": segment_id})
    return admitted


def _check_times(segment: JsonObject, place: Loc) -> None:
    if segment["start_time"] < 0:
        raise _wrong((*place, "start_time"), "A segment cannot start before the video does.")
    if segment["end_time"] < segment["start_time"]:
        raise _wrong((*place, "end_time"), "A segment cannot end before it starts.")
    for index, word in enumerate(segment["words"]):
        if not 0 <= word["start"] <= word["end"]:
            raise _wrong((*place, "words", index), "A word cannot start before the video does or end before it starts.")


def _wrong(loc: Loc, message: str) -> ValidationFailed:
    sentence = f"{'.'.join(map(str, loc[1:]))}: {message}"
    return ValidationFailed(sentence, detail=[{"type": "value_error", "loc": list(loc), "msg": message}])


def _index_of(transcript: Transcript, segment_id: str) -> int:
    for index, segment in enumerate(transcript.segments):
        if segment["id"] == segment_id:
            return index
    raise TranscriptionNotFound("The transcript has no such segment.")


def _sentences(words: Sequence[JsonObject]) -> Iterator[list[JsonObject]]:
    """Divide words where the speaker pauses or ends a sentence, and at the latest after a minute's worth of a breath."""
    spoken: list[JsonObject] = []
    for word in words:
        if spoken and _is_complete(spoken, word):
            yield spoken
            spoken = []
        spoken.append(word)
    if spoken:
        yield spoken


def _is_complete(spoken: list[JsonObject], following: JsonObject) -> bool:
    last = spoken[-1]
    pause = following["start"] - last["end"]
    return len(spoken) == _SPOKEN_WORDS_MAX or pause > _PAUSE_SECONDS or last["text"].endswith(_SENTENCE_ENDS)


def _segment_of(words: list[JsonObject]) -> JsonObject:
    confidences = [word["confidence"] for word in words if word.get("confidence") is not None]
    return {
        "id": secrets.token_hex(8),
        "start_time": words[0]["start"],
        "end_time": words[-1]["end"],
        "text": " ".join(word["text"] for word in words),
        "words": words,
        "speaker_id": words[0].get("speaker_id"),
        "confidence": fmean(confidences) if confidences else None,
        "is_edited": False,
        "edited_text": None,
    }
