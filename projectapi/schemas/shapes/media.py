"""Answers of /media."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.schemas.shapes.fields import Answer, list_field, number_field, text_field
from projectapi.schemas.shapes.transcriptions import WordAnswer


class UploadedVideo(Answer):
    """A stored video."""

    project_id = text_field("The project's `_id`.", EXAMPLE_ID)
    file_path = text_field("Where the file lies below /static/.", "videos/4f1c0a5d.mp4")
    duration = number_field("In seconds.", 3.04)


class Piece(Answer):
    """A piece of a video."""

    start = number_field("In seconds of the video's time.", 0.1)
    end = number_field("In seconds of the video's time.", 0.25)


class VideoWithoutFillers(Answer):
    """A copy of a video from which words were cut."""

    processed_video_path = text_field(
        "Where the copy lies below /static/; the original where nothing was cut.", "trimmed/a.mp4"
    )
    removed_segments = list_field(fields.Nested(Piece), "What was cut out.")


class TrimmedVideo(Answer):
    """A copy of the pieces of a video."""

    trimmed_video_path = text_field(
        "Where the copy lies below /static/; the original where everything was kept.", "trimmed/a.mp4"
    )
    new_duration = number_field("In seconds.", 0.5)


class WordsAnswer(Answer):
    """What was said in a video."""

    transcript = list_field(fields.Nested(WordAnswer), "Word by word.")
    duration = number_field("Length of the video, in seconds.", 3.04, allow_none=True)
