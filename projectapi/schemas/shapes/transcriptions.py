"""Answers of /transcriptions."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.fields import about
from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.schemas.shapes.fields import (
    Answer,
    flag_field,
    integer_field,
    list_field,
    moment_field,
    number_field,
    object_field,
    text_field,
)


class WordAnswer(Answer):
    """A word of a transcript."""

    text = text_field("As it is read.", "Um")
    start = number_field("In seconds of the video's time.", 0.1)
    end = number_field("In seconds of the video's time.", 0.25)
    confidence = number_field("How sure the recogniser was, from 0 to 1.", 0.9, allow_none=True)
    is_filler = flag_field("Whether it is an “um” or the like.", True)
    isFiller = flag_field("The same as `is_filler`.", True)
    speaker_id = fields.String(metadata=about("Who speaks; only there where it is known.", "s1"))


class SegmentWithoutWords(Answer):
    """A segment of a transcript where all words are in one list elsewhere."""

    id = text_field("Names the segment in its address.", "e3b0c44298fc1c14")
    start_time = number_field("In seconds of the video's time.", 0.0)
    end_time = number_field("In seconds of the video's time.", 0.25)
    text = text_field("What is said.", "Um")
    speaker_id = text_field("Who speaks.", "s1", allow_none=True)
    confidence = number_field("How sure the recogniser was, from 0 to 1.", 0.9, allow_none=True)
    is_edited = flag_field("Whether people changed it.", False)
    edited_text = text_field("What people made of the text.", None, allow_none=True)


class SegmentAnswer(SegmentWithoutWords):
    """A segment of a transcript."""

    words = list_field(fields.Nested(WordAnswer), "Word by word.")


class TranscriptionFields(Answer):
    """What is known of a transcript beside its words."""

    _id = text_field("Names the transcription.", EXAMPLE_ID)
    project_id = text_field("The project's `_id`.", EXAMPLE_ID)
    version = integer_field("Grows by one with every change.", 1)
    language = text_field("The language spoken.", "en", allow_none=True)
    model_used = text_field("What recognised the speech.", "base", allow_none=True)
    processing_time = number_field("How long that took, in seconds.", 2.5, allow_none=True)
    confidence_score = number_field("How sure it was, from 0 to 1.", 0.93, allow_none=True)
    is_complete = flag_field("Whether the whole video was transcribed.", True)
    is_edited = flag_field("Whether people changed something.", False)
    speaker_count = integer_field("How many people speak.", 1)
    speakers = object_field("What is known of each speaker, by `speaker_id`.", {"s1": {"name": "Ada"}})
    metadata = object_field("Whatever clients keep here.", {"source": "import"})
    created_at = moment_field("When it was made.")
    updated_at = moment_field("When it was changed last.")


class TranscriptionAnswer(TranscriptionFields):
    """A project's transcript."""

    segments = list_field(fields.Nested(SegmentAnswer), "In the order of time.")


class TranscriptState(TranscriptionFields):
    """A project's transcript as the project shows it: all words in one list."""

    segments = list_field(fields.Nested(SegmentWithoutWords), "In the order of time.")
    transcript = list_field(fields.Nested(WordAnswer), "All words.")
    duration = number_field("Length of the video, in seconds.", 3.04, allow_none=True)
