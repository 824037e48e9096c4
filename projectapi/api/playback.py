"""Playing the video of a project."""

from __future__ import annotations

from flask import Blueprint, Response

from projectapi.api.context import backend, project_key
from projectapi.api.documentation import documented, file_of
from projectapi.api.media import FILE_HEADERS, video_of
from projectapi.api.ranges import file_with_ranges
from projectapi.errors import NotFound, VideoLost, VideoNotFound

blueprint = Blueprint("playback", __name__)


@blueprint.get("/media/<project_id>/video")
@documented(answer=file_of("video/*"), headers=FILE_HEADERS, errors=(NotFound, VideoNotFound, VideoLost))
def get_video(project_id: str) -> Response:
    """Return the original video (never a trimmed one), whole or the ranges that were asked for; its ETag is its SHA-256."""
    try:
        return _opened(project_id)
    except NotFound:
        # Replaced between the look at its record and the look at its file: the record names the new one now.
        return _opened(project_id)


def _opened(project_id: str) -> Response:
    video = video_of(project_key(project_id))
    name = f"video_{project_id}.{video.path.rpartition('.')[2]}"
    return file_with_ranges(backend().videos.path_of(video), video.content_type, etag=video.sha256, name=name)
