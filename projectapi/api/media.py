"""The resource /media: videos arrive and play."""

from __future__ import annotations

import logging
from datetime import datetime
from mimetypes import guess_type
from typing import cast

from flask import Blueprint, Response, request
from werkzeug.datastructures import FileStorage

from projectapi.api.bodies import form, query
from projectapi.api.context import backend, owner, project_key
from projectapi.api.documentation import documented, enveloped, file_form_of, file_of
from projectapi.api.envelope import success
from projectapi.api.looks import LOOKING, frame_at
from projectapi.api.ranges import file_with_ranges
from projectapi.api.uploading import UploadRequest, reading_form
from projectapi.errors import (
    DatabaseUnavailable,
    DiskFull,
    InvalidVideo,
    MediaBusy,
    NotFound,
    ProjectApiError,
    ProjectNotCarriedOver,
    ProjectNotFound,
    ThumbnailNotFound,
    UploadIncomplete,
    UploadOvertaken,
    VideoLost,
    VideoNotFound,
    VideoTooLarge,
)
from projectapi.project import ProjectKey, Video
from projectapi.protocols import ForeignDisk
from projectapi.schemas.loading import invalid
from projectapi.schemas.looks import FrameRequest
from projectapi.schemas.requests import MediaForm
from projectapi.schemas.shapes.media import UploadedVideo

log = logging.getLogger("projectapi.media")

blueprint = Blueprint("media", __name__)

NO_VIDEO = (ProjectNotFound, ProjectNotCarriedOver, VideoNotFound, VideoLost)
UPLOADING = (ProjectNotFound, ProjectNotCarriedOver, InvalidVideo, UploadIncomplete, VideoTooLarge, MediaBusy, DiskFull)
FILE_HEADERS = ("Range", "If-Range", "If-None-Match")

_FORM, _FRAME = MediaForm(), FrameRequest()


@blueprint.post("/media/upload")
@documented(answer=enveloped(UploadedVideo), body=file_form_of(MediaForm), errors=UPLOADING)
def upload_video() -> Response:
    """Store a video as the project's, in place of the one it had."""
    videos = backend().videos
    with videos.receive(request.content_length) as part, backend().metrics.receiving(part):
        cast(UploadRequest, request).receive_into(part, backend().max_upload_bytes)
        with reading_form():
            file = _uploaded_file()
        if cast(object, file.stream) is not part:
            # Only the first file of the body went to the disk.
            message = "The first file of the form must be in this field."
            raise invalid([{"type": "value_error", "loc": ["body", "file"], "msg": message}])
        key = project_key(form(_FORM)["project_id"])
        # Before the costly work, and before anything of the project's is touched.
        backend().projects.get_summary(key)
        video = videos.accept(part, file.filename)
    message = record_video(key, video)
    return success({"project_id": key.id, "file_path": video.path, "duration": video.duration}, message)


def record_video(key: ProjectKey, video: Video, *, begun_at: datetime | None = None) -> str:
    """Make a stored file the project's video, and return the sentence that says so; only then may the files of the old one go.

    It also says when that is the file that the project had, so that everything fits it as before. Raises UploadOvertaken when
    the upload of the one that it has began after `begun_at`, if that is given.
    """
    try:
        if begun_at is not None:
            _refuse_overtaken(key, begun_at)
        replaced = backend().projects.set_video(key, video)
    except DatabaseUnavailable:
        # Whatever is thought of its outcome, the record may name the new file: that stays, and a sweep removes it if none does.
        raise
    except ProjectApiError:
        backend().videos.discard(video)
        raise
    if replaced is not None:
        _discard_replaced(replaced)
    if replaced is None or replaced.sha256 != video.sha256:
        return "Video uploaded successfully"
    return "Video uploaded successfully. It is the same file as before: the project's timeline fits it as it was."


def _refuse_overtaken(key: ProjectKey, begun_at: datetime) -> None:
    current = backend().projects.get_summary(key).video
    later = backend().videos.begun_at(current) if current else None
    if later is not None and later > begun_at:
        raise UploadOvertaken


def _discard_replaced(video: Video) -> None:
    try:
        backend().media_disk.refuse_foreign()
        backend().videos.discard(video)
    except (OSError, ProjectApiError, ForeignDisk):
        # The new video is recorded; what is left of the old one is the sweep's business.
        log.warning("the files of a replaced video could not be deleted", exc_info=True)


@blueprint.get("/media/<project_id>/thumbnail")
@documented(answer=file_of("image/jpeg"), query=FrameRequest, headers=FILE_HEADERS, errors=(*LOOKING, ThumbnailNotFound))
def get_thumbnail(project_id: str) -> Response:
    """Return a picture of the video, or what is seen in it at the time ``t`` in seconds."""
    asked = query(_FRAME)
    if asked["t"] is not None:
        return frame_at(project_id, asked["t"], asked["v"])
    video = backend().projects.get_summary(project_key(project_id)).video
    if video is None:
        raise ThumbnailNotFound
    try:
        path = backend().videos.thumbnail_path_of(video)
    except ThumbnailNotFound:
        # Gone from the disk: made again, of the same moment.
        path = backend().looks.frame_at(video, min(1.0, video.duration / 2))
    return file_with_ranges(path, "image/jpeg")


@blueprint.get("/static/<path:path>")
@documented(answer=file_of("*/*"), headers=FILE_HEADERS, errors=(NotFound,), stores=False)
def get_static_file(path: str) -> Response:
    """Return a file of the media folder."""
    file = backend().videos.static_path(path)
    refuse_others_file(path)
    return file_with_ranges(file, guess_type(file.name)[0] or "application/octet-stream")


def refuse_others_file(path: str) -> None:
    """Raise NotFound, where ownership is enforced, for a media file that is not of a project of whoever asks."""
    if backend().ownership_enforced and not backend().projects.owns_file(owner(), path):
        raise NotFound


def video_of(key: ProjectKey) -> Video:
    """Return the project's video. Raises ProjectNotFound, VideoNotFound."""
    return video_file(backend().projects.get_summary(key).video)


def video_file(video: Video | None) -> Video:
    """Return a project's video if it has one and the file is there. Raises VideoNotFound."""
    if video is None:
        raise VideoNotFound
    backend().videos.path_of(video)
    return video


def _uploaded_file() -> FileStorage:
    file = request.files.get("file")
    if file is None:
        message = "A file is expected in this field of a multipart form."
        raise invalid([{"type": "missing", "loc": ["body", "file"], "msg": message}])
    return file
