"""Answers of /projects."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.fields import about
from projectapi.schemas.requests import EXAMPLE_ID, TimelineState
from projectapi.schemas.shapes.fields import Answer, flag_field, integer_field, moment_field, number_field, text_field
from projectapi.schemas.shapes.transcriptions import TranscriptState


class ProjectAnswer(Answer):
    """A project; dates are there in both spellings, because existing frontends read camelCase."""

    _id = text_field("Names the project in every address; whoever knows it may use the project.", EXAMPLE_ID)
    name = text_field("Shown in the list of projects.", "Holiday")
    description = text_field("Whatever is worth knowing.", "Video uploaded on 11/22/2026", allow_none=True)
    user_id = text_field("The owner: what `X-User-Id` was when the project was created.", "anonymous")
    created_at = moment_field("When it was created.")
    createdAt = moment_field("The same as `created_at`.")
    updated_at = moment_field("When anything of it was changed last.")
    updatedAt = moment_field("The same as `updated_at`.")
    thumbnail = text_field("Address of a picture; null without a video.", f"/media/{EXAMPLE_ID}/thumbnail", allow_none=True)
    duration = number_field("Length of the video, in seconds; null without a video.", 3.04, allow_none=True)
    status = fields.String(
        required=True, metadata={**about("`deleted` in the trash.", "active"), "enum": ["active", "deleted"]}
    )
    is_deleted = flag_field("Whether it lies in the trash.", False)
    deleted_at = moment_field("When it went there; null otherwise.", None, allow_none=True)
    version = integer_field("Grows by one with every change.", 2)
    timeline_state = TimelineState(
        required=True, allow_none=True, metadata=about("The saved timeline; null before the first save and in lists.")
    )
    transcript_state = fields.Nested(
        TranscriptState, required=True, allow_none=True, metadata=about("The transcript; null when there is none and in lists.")
    )


class VideoRecord(Answer):
    """What probing found in a stored video."""

    path = text_field("Where the file lies below /static/.", "videos/4f1c0a5d.mp4")
    thumbnail_path = text_field("Where its picture lies below /static/.", "thumbnails/thumb_4f1c0a5d.jpg", allow_none=True)
    original_name = text_field("What the file was called.", "holiday.mp4")
    content_type = text_field("Its media type.", "video/mp4")
    bytes = integer_field("Its size, in bytes.", 25_000)
    sha256 = text_field("The hash of its bytes, hexadecimal.", "9f86d081884c7d659a2feaa0c55ad015")
    container = text_field("The format of the file.", "mp4")
    video_codec = text_field("How the pictures are coded.", "h264")
    audio_codec = text_field("How the sound is coded; null without sound.", "aac", allow_none=True)
    width = integer_field("In pixels, before rotation.", 160)
    height = integer_field("In pixels, before rotation.", 120)
    frame_rate = number_field("In frames per second.", 25.0, allow_none=True)
    rotation = integer_field("In degrees clockwise.", 0)
    duration = number_field("In seconds.", 3.04)


class StoredProject(ProjectAnswer):
    """A project as it is stored."""

    video_path = text_field("Where the video lies below /static/.", "videos/4f1c0a5d.mp4", allow_none=True)
    video = fields.Nested(VideoRecord, required=True, allow_none=True, metadata=about("What is known of the video's file."))


class DebugAnswer(Answer):
    """A project as it is stored, without the key `error` of the envelope."""

    success = flag_field("Always true.", True)
    data = fields.Nested(StoredProject, required=True)
    message = text_field("For people.", "Project found")
