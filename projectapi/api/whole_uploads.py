"""A video as the body of one request: the fastest way in, since nothing has to be taken apart."""

from __future__ import annotations

from urllib.parse import unquote

from flask import Blueprint, Response, request
from werkzeug.http import parse_options_header

from projectapi.api.context import backend, project_key
from projectapi.api.documentation import documented, enveloped, file_of
from projectapi.api.envelope import success
from projectapi.api.media import UPLOADING, record_video
from projectapi.api.uploading import body_chunks
from projectapi.errors import UnsupportedMediaType
from projectapi.schemas.shapes.media import UploadedVideo

blueprint = Blueprint("whole_uploads", __name__)


@blueprint.put("/media/<project_id>/video")
@documented(
    answer=enveloped(UploadedVideo),
    body=file_of("video/*", "application/octet-stream"),
    headers=("Content-Disposition", "X-File-Name"),
    errors=(*UPLOADING, UnsupportedMediaType),
)
def put_video(project_id: str) -> Response:
    """Store the request's body as the project's video, in place of the one it had; answers like the upload of a form.

    The body is the file itself, as `video/*`, `application/octet-stream` or without a type. Its name comes, if at all, in
    `Content-Disposition` (`attachment; filename="..."`) or, percent-encoded, in `X-File-Name`.
    """
    _refuse_what_is_no_video()
    key = project_key(project_id)
    # Before a byte is taken.
    backend().projects.get_summary(key)
    with backend().videos.receive(request.content_length) as part, backend().metrics.receiving(part):
        for data in body_chunks():
            part.write(data)
        video = backend().videos.accept(part, _file_name())
    message = record_video(key, video)
    return success({"project_id": key.id, "file_path": video.path, "duration": video.duration}, message)


def _refuse_what_is_no_video() -> None:
    is_video = request.mimetype.startswith("video/") or request.mimetype in ("", "application/octet-stream")
    if not is_video or request.content_encoding not in (None, "identity"):
        raise UnsupportedMediaType("Send the video itself as the body, with Content-Type: video/... and no Content-Encoding.")


def _file_name() -> str | None:
    name = parse_options_header(request.headers.get("Content-Disposition"))[1].get("filename")
    return name or unquote(request.headers.get("X-File-Name", "")) or None
