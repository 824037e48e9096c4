"""Answers of /jobs, and of what may become a job."""

from __future__ import annotations

from marshmallow import fields

from projectapi.schemas.fields import about
from projectapi.schemas.requests import EXAMPLE_ID
from projectapi.schemas.shapes.fields import Answer, moment_field, number_field, text_field

_WORK = "trim-video, remove-fillers, render-preview, export or transcribe."


class JobError(Answer):
    """Why a job failed."""

    code = text_field("One of the codes of errors.", "media_busy")
    message = text_field("A sentence for people who edit films.", "The server is busy with other videos.")


class JobAnswer(Answer):
    """Work that goes on in the background."""

    _id = text_field("Names the job in its address.", "5b0fa6c3d1e2948700aa11bb")
    kind = text_field(_WORK, "trim-video")
    project_id = text_field("The project's `_id`.", EXAMPLE_ID)
    owner = text_field("Who asked for it.", "anonymous")
    state = text_field("queued, running, finished, failed or cancelled.", "running")
    progress = number_field("How much is done, in percent.", 42.0)
    result = fields.Dict(
        allow_none=True,
        metadata=about("Once it has finished: what the request would have been answered with.", {"new_duration": 0.5}),
    )
    error = fields.Nested(JobError, allow_none=True, metadata={"description": "Once it has failed: why."})
    created_at = moment_field("When it was asked for.")
    started_at = moment_field("When the work was begun, the last time.", allow_none=True)
    finished_at = moment_field("When it was over.", allow_none=True)


class RenderedVideo(Answer):
    """A timeline as a file."""

    path = text_field("Where the file lies below /static/; the original where nothing was cut.", "trimmed/a.mp4")
    url = text_field("The address of the file.", "/static/trimmed/a.mp4")
    duration = number_field("In seconds.", 3.04)
