"""Projects as files: out of one server, into another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import IO, cast

from flask import Blueprint, Response, request

from projectapi.api.bodies import query
from projectapi.api.context import backend, owner, project_key
from projectapi.api.documentation import documented, enveloped, file_of
from projectapi.api.envelope import etag_of, success
from projectapi.api.idempotency import write_id
from projectapi.api.uploading import body_chunks
from projectapi.bundle.reading import Bundle
from projectapi.bundle.writing import BundledVideo, bundle_of
from projectapi.errors import (
    DatabaseUnavailable,
    DiskFull,
    InvalidBundle,
    InvalidVideo,
    MediaBusy,
    ProjectApiError,
    TimelineTooLarge,
    TimelineVersionNotFound,
    UnsupportedMediaType,
    UploadIncomplete,
    VideoLost,
    VideoNotFound,
    VideoTooLarge,
)
from projectapi.project import Project, ProjectKey, Revision, Video
from projectapi.schemas.answers import project_data
from projectapi.schemas.bundles import BundleQuery
from projectapi.schemas.shapes.projects import ProjectAnswer

blueprint = Blueprint("bundles", __name__, url_prefix="/projects")

MEDIA_TYPE = "application/zip"
_ALSO_TAKEN = ("application/x-zip-compressed", "application/octet-stream")

_QUERY = BundleQuery()
_PAGE = 200
_REFUSED = (InvalidBundle, InvalidVideo, UploadIncomplete, VideoTooLarge, TimelineTooLarge)


@blueprint.get("/<project_id>/export")
@documented(
    answer=file_of(MEDIA_TYPE), query=BundleQuery, answer_headers=("Content-Disposition",), errors=(VideoNotFound, VideoLost)
)
def export_project(project_id: str) -> Response:
    """Return the project as one zip file, by option with the timeline's history and with the video.

    It also holds the timeline as OpenTimelineIO (`timeline.otio`), which other editors open.
    """
    asked = query(_QUERY)
    key = project_key(project_id)
    project = backend().projects.get_project(key)
    video = _opened_video(project) if asked["video"] else None
    earlier = _earlier_versions(key, project) if asked["history"] else None
    response = Response(bundle_of(project, earlier, video), mimetype=MEDIA_TYPE)
    if video is not None:
        response.call_on_close(video.file.close)
    response.headers.set("Content-Disposition", "attachment", filename=f"{_file_name(project)}.zip")
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/import")
@documented(
    answer=enveloped(ProjectAnswer),
    body=file_of(MEDIA_TYPE),
    answer_headers=("ETag",),
    errors=(*_REFUSED, UnsupportedMediaType, MediaBusy, DiskFull),
)
def import_project() -> Response:
    """Make a new project, of whoever asks, of a zip file that an export gave: here or on another server.

    The body is the zip file itself. Ids and the time of the last change are new; all the rest is as it was.
    """
    if request.mimetype not in (MEDIA_TYPE, *_ALSO_TAKEN) or request.content_encoding not in (None, "identity"):
        raise UnsupportedMediaType("Send the bundle itself as the body, with Content-Type: application/zip.")
    with backend().videos.receive(request.content_length) as part, backend().metrics.receiving(part):
        for data in body_chunks():
            part.write(data)
        with Bundle(cast(IO[bytes], part), backend().max_upload_bytes) as bundle:
            project = _imported(bundle, _stored_video(bundle))
    return success(project_data(project), "Project imported successfully", etag=etag_of(project))


def _imported(bundle: Bundle, video: Video | None) -> Project:
    try:
        project = backend().imports.import_project(
            bundle.project, bundle.versions(), video=video, owner=owner(), write_id=write_id()
        )
    except DatabaseUnavailable:
        # Whatever is thought of its outcome, the record may name the file: it stays, and a sweep removes it if nothing does.
        raise
    except ProjectApiError:
        _discard(video)
        raise
    if video is not None and (project.video is None or project.video.path != video.path):
        # The same request was sent before and had been done.
        _discard(video)
    return project


def _stored_video(bundle: Bundle) -> Video | None:
    if bundle.video is None:
        return None
    videos = backend().videos
    with videos.receive(bundle.video_bytes) as part:
        for data in bundle.video_chunks():
            part.write(data)
        return videos.accept(part, bundle.video_file_name)


def _discard(video: Video | None) -> None:
    if video is not None:
        backend().videos.discard(video)


def _opened_video(project: Project) -> BundledVideo:
    if project.video is None:
        raise VideoNotFound
    path = backend().videos.path_of(project.video)
    try:
        # Opened before the first byte goes out: what is open may be replaced meanwhile.
        return BundledVideo(project.video, path.open("rb"))
    except FileNotFoundError as error:
        raise VideoNotFound from error


def _earlier_versions(key: ProjectKey, project: Project) -> Iterator[Revision]:
    timelines = backend().timelines
    newest = project.timeline.version if project.timeline else 0
    numbers: list[int] = []
    while page := timelines.list_revisions(key, limit=_PAGE, skip=len(numbers)):
        numbers += [revision.version for revision in page]

    def found() -> Iterator[Revision]:
        for number in sorted({number for number in numbers if number < newest}):
            # Deleted since it was listed.
            with suppress(TimelineVersionNotFound):
                yield timelines.get_revision(key, number)

    return found()


def _file_name(project: Project) -> str:
    seen = "".join(character if character.isalnum() or character in " -_." else "_" for character in project.name)
    return seen.strip(" .")[:100] or "project"
