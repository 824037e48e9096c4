"""Videos are cut, and listened to: the part of /media that makes something new of them."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.background import accepted, answered, or_a_job, prefers_async, waited_for
from projectapi.api.bodies import form, json_body
from projectapi.api.context import backend, owner, project_key
from projectapi.api.documentation import documented, form_of, json_body_of
from projectapi.api.envelope import success
from projectapi.api.media import NO_VIDEO, video_file, video_of
from projectapi.errors import DiskFull, JobCancelled, JobInterrupted, MediaBusy, SpeechUnavailable, StillListening
from projectapi.project import JsonObject, Project, ProjectKey, Video
from projectapi.protocols import JobKind, JobRequest, JobState
from projectapi.schemas.loading import invalid
from projectapi.schemas.requests import MediaForm, RemoveFillersRequest, TrimRequest, span_of
from projectapi.schemas.shapes.media import TrimmedVideo, VideoWithoutFillers, WordsAnswer
from projectapi.schemas.transcription_answers import transcribed
from projectapi.timeline.cut import without
from projectapi.transcript import Transcript

blueprint = Blueprint("cutting", __name__, url_prefix="/media")

_CUTTING = (*NO_VIDEO, MediaBusy, DiskFull, JobInterrupted, JobCancelled)

_FORM, _TRIM, _FILLERS = MediaForm(), TrimRequest(), RemoveFillersRequest()


@blueprint.post("/trim-video")
@documented(body=json_body_of(TrimRequest), errors=_CUTTING, **or_a_job(TrimmedVideo))
def trim_video() -> Response:
    """Cut segments out of a copy of the video; the original stays as it is."""
    body = json_body(_TRIM)
    key = project_key(body["project_id"])
    segments = [[segment["start_time"], segment["duration"]] for segment in body["segments"]]
    asked = work_on(key, video_of(key), JobKind.TRIM_VIDEO, {"segments": segments})
    return answered(asked, "Video trimmed successfully")


@blueprint.post("/remove-fillers")
@documented(body=json_body_of(RemoveFillersRequest), errors=_CUTTING, **or_a_job(VideoWithoutFillers))
def remove_fillers() -> Response:
    """Cut the selected words, or the transcript's filler words, out of a copy of the video."""
    body = json_body(_FILLERS)
    key = project_key(body["project_id"])
    project = backend().projects.get_project(key)
    video = video_file(project.video)
    kept, removed = without(_spans(body, project), video.duration)
    if not kept:
        message = "These words are all there is: nothing of the video would be left."
        raise invalid([{"type": "value_error", "loc": ["body", "selected_words"], "msg": message}])
    arguments = {
        "segments": [[segment.start, segment.duration] for segment in kept],
        "removed": [{"start": segment.start, "end": segment.end} for segment in removed],
    }
    return answered(work_on(key, video, JobKind.REMOVE_FILLERS, arguments), "Filler words removed successfully")


@blueprint.post("/transcribe")
@documented(
    body=form_of(MediaForm),
    errors=(*NO_VIDEO, SpeechUnavailable, StillListening, MediaBusy, DiskFull, JobInterrupted, JobCancelled),
    **or_a_job(WordsAnswer),
)
def transcribe() -> Response:
    """Return what is said in the video; without `Prefer: respond-async` an answer in time is one with words.

    Frontends take any 2xx for words: who waits for longer than a request may take gets 503, and the words the next time.
    """
    key = project_key(form(_FORM)["project_id"])
    project = backend().projects.get_project(key)
    video = video_file(project.video)
    if project.transcript is not None and project.transcript.tells_of(video.sha256):
        return _with_words(project.transcript)
    asked = work_on(key, video, JobKind.TRANSCRIBE, {})
    backend().jobs.find(asked)
    job = backend().jobs.submit(asked)
    if prefers_async():
        return accepted(job)
    job = waited_for(job)
    if job.state is not JobState.FINISHED:
        raise StillListening(headers={"Location": f"/jobs/{job.id}"})
    return _with_words(backend().transcripts.get_transcript(key))


def work_on(key: ProjectKey, video: Video, kind: JobKind, arguments: JsonObject) -> JobRequest:
    """Return a request for work in the name of whoever asks."""
    return JobRequest(kind=kind, project_id=key.id, owner=owner(), video=video, arguments=arguments)


def _spans(body: JsonObject, project: Project) -> list[tuple[float, float]]:
    spans = [span for word in body["selected_words"] or [] if (span := span_of(word))]
    if body["auto_detect"]:
        words = project.transcript.words if project.transcript else []
        spans += [(word["start"], word["end"]) for word in words if word["is_filler"]]
    return spans


def _with_words(transcript: Transcript) -> Response:
    return success(transcribed(transcript.words, transcript.duration), "Audio transcribed successfully")
