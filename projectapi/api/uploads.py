"""The resource /media/uploads: videos that arrive in pieces, over connections that break (tus 1.0.0)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain

from flask import Blueprint, Response, request, url_for

from projectapi.api import tus
from projectapi.api.context import backend, owner, project_key
from projectapi.api.documentation import documented, file_of
from projectapi.api.idempotency import BODY_OF_BYTES
from projectapi.api.media import UPLOADING, record_video
from projectapi.api.uploading import body_chunks
from projectapi.errors import (
    BadRequest,
    ChecksumMismatch,
    DiskFull,
    InvalidVideo,
    MethodNotAllowed,
    NotFound,
    Unavailable,
    UnsupportedMediaType,
    UploadExpired,
    UploadLocked,
    UploadNotFound,
    UploadOffsetConflict,
    UploadOvertaken,
    VideoTooLarge,
)
from projectapi.project import ProjectKey
from projectapi.protocols import ResumableUpload, UploadPlan
from projectapi.schemas.loading import load
from projectapi.schemas.requests import MediaForm

blueprint = Blueprint("uploads", __name__, url_prefix="/media/uploads")

_PROJECT = MediaForm()
_LOST = (UploadNotFound, UploadExpired, UploadLocked)
_APPENDING = (*UPLOADING, *_LOST, ChecksumMismatch, UnsupportedMediaType, UploadOffsetConflict, UploadOvertaken)
_TOLD = ("Tus-Resumable", "Upload-Offset", "Upload-Expires", "Upload-Message")


@blueprint.before_request
def check_version() -> None:
    """Refuse requests of another version of the protocol; who only asks what there is need not know any."""
    if request.method != "OPTIONS":
        tus.check_version()


@blueprint.after_request
def say_version(response: Response) -> Response:
    """Tell the version of the protocol with every answer, errors too."""
    response.headers["Tus-Resumable"] = tus.VERSION
    return response


@blueprint.route("", methods=["OPTIONS"])
@blueprint.route("/<upload_id>", methods=["OPTIONS"])
def get_abilities(upload_id: str = "") -> Response:
    """Say which version, extensions and sizes this server takes."""
    return Response(headers=tus.abilities(backend().max_upload_bytes))


@blueprint.post("")
@documented(
    answer={},
    status=201,
    headers=("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Concat", "Upload-Checksum"),
    answer_headers=("Location", *_TOLD),
    errors=(*UPLOADING, *_LOST, ChecksumMismatch, UploadOvertaken),
)
def create_upload() -> Response:
    """Begin an upload, with its first bytes in the body if the client likes.

    `Upload-Length` is the number of bytes of the whole file, `Upload-Metadata` has `project_id`, and may have `filename` and
    `filetype` (which is not believed: what the file is decides). With `Upload-Concat`, the upload is a part (of no project
    yet), or all of the parts that are named, in this order.
    """
    concatenation, names = tus.concatenation()
    with ExitStack() as held:
        parts = [held.enter_context(_held(name)) for name in names]
        _refuse_unfinished(parts)
        upload_id = backend().uploads.create(_planned(concatenation, parts))
        upload = held.enter_context(_held(upload_id))
        with _forgotten_on_error(upload):
            if parts:
                upload.append(chain.from_iterable(part.chunks() for part in parts))
            elif request.mimetype == BODY_OF_BYTES:
                _receive(upload)
            message = _store_if_whole(upload)
        for part in parts:
            part.discard()
        return _told(upload, 201, message, Location=url_for("uploads.append", upload_id=upload_id))


@blueprint.route("/<upload_id>", methods=["HEAD"])
@documented(
    answer={},
    headers=("Tus-Resumable",),
    answer_headers=(*_TOLD, "Upload-Length", "Upload-Metadata", "Upload-Concat"),
    errors=(*_LOST, InvalidVideo, UploadOvertaken),
)
def get_offset(upload_id: str) -> Response:
    """Say how many bytes are safely on the disk: from there the client goes on.

    When all are there and the server was stopped before it made them the project's video, that is done now.
    """
    with _held(upload_id) as upload:
        try:
            message = _store_if_whole(upload)
        except (Unavailable, DiskFull) as error:
            # To any other error the well-known clients answer by sending everything again.
            raise UploadLocked from error
        plan = upload.plan
        said = {"Upload_Metadata": plan.metadata, "Upload_Concat": plan.concatenation}
        return _told(upload, 200, message, Upload_Length=str(plan.length), **said)


@blueprint.patch("/<upload_id>")
@documented(
    answer={},
    status=204,
    body=file_of(BODY_OF_BYTES),
    headers=("Tus-Resumable", "Upload-Offset", "Upload-Checksum"),
    answer_headers=_TOLD,
    errors=_APPENDING,
)
def append(upload_id: str) -> Response:
    """Take bytes in at `Upload-Offset`; the last ones make the upload the project's video, in place of the one it had."""
    if request.mimetype != BODY_OF_BYTES:
        raise UnsupportedMediaType(f"Send the bytes with Content-Type: {BODY_OF_BYTES}.")
    with _held(upload_id) as upload:
        if tus.number("Upload-Offset") != upload.offset:
            raise UploadOffsetConflict(headers={"Upload-Offset": str(upload.offset)})
        _receive(upload)
        return _told(upload, 204, _store_if_whole(upload))


@blueprint.delete("/<upload_id>")
@documented(answer={}, status=204, headers=("Tus-Resumable",), answer_headers=("Tus-Resumable",), errors=_LOST)
def end_upload(upload_id: str) -> Response:
    """Give an upload up; a video that it has become already stays."""
    with _held(upload_id) as upload:
        upload.discard()
    return Response(status=204)


@blueprint.post("/<upload_id>")
@documented(
    answer={},
    status=204,
    headers=("Tus-Resumable", "X-HTTP-Method-Override", "Upload-Offset", "Upload-Checksum"),
    answer_headers=_TOLD,
    errors=(*_APPENDING, MethodNotAllowed),
)
def call_by_override(upload_id: str) -> Response:
    """Do what `X-HTTP-Method-Override` says, for clients behind something that lets only GET and POST pass."""
    method = request.headers.get("X-HTTP-Method-Override", "").upper()
    handler = {"PATCH": append, "DELETE": end_upload, "HEAD": get_offset}.get(method)
    if handler is None:
        raise MethodNotAllowed(headers={"Allow": "DELETE, HEAD, OPTIONS, PATCH"})
    return handler(upload_id)


def _planned(concatenation: str, parts: Sequence[ResumableUpload]) -> UploadPlan:
    """Return what the client wants to send, once its project, if it names one already, is known to be there."""
    if "Upload-Defer-Length" in request.headers:
        raise BadRequest("The length of the file must be known when its upload begins.")
    header = request.headers.get("Upload-Metadata", "")
    said = tus.metadata(header)
    key = project_key("")
    if concatenation != "partial":
        key = project_key(load(_PROJECT, said, where="header")["project_id"])
        backend().projects.get_summary(key)
    return UploadPlan(
        project_id=key.id,
        owner=key.owner,
        length=sum(part.plan.length for part in parts) if parts else tus.number("Upload-Length"),
        original_name=said.get("filename") or said.get("name"),
        metadata=header,
        concatenation=concatenation,
    )


def _refuse_unfinished(parts: Sequence[ResumableUpload]) -> None:
    if any(not part.plan.is_partial or part.offset < part.plan.length for part in parts):
        raise BadRequest("Only uploads that began as parts, and are whole, can be put together.")


@contextmanager
def _forgotten_on_error(upload: ResumableUpload) -> Iterator[None]:
    """Drop an upload that cannot even begin: nobody will ever know its address."""
    try:
        yield
    except BaseException:
        upload.discard()
        raise


@contextmanager
def _held(upload_id: str) -> Iterator[ResumableUpload]:
    """Have an upload for this request alone. Raises UploadNotFound also for somebody else's."""
    with backend().uploads.open(upload_id) as upload:
        if backend().ownership_enforced and upload.plan.owner != owner():
            raise UploadNotFound
        yield upload


def _receive(upload: ResumableUpload) -> None:
    checksum = tus.checksum()
    if upload.offset + (request.content_length or 0) > upload.plan.length:
        raise VideoTooLarge("More bytes came than were announced for this upload.")
    with backend().uploads.receiving():
        upload.append(body_chunks(upload.is_wanted_elsewhere), checksum)


def _store_if_whole(upload: ResumableUpload) -> str:
    """Make the upload the project's video if all of it is there, and say so; what can never become one is dropped."""
    if upload.plan.is_partial or upload.is_stored or upload.offset < upload.plan.length:
        return ""
    try:
        video = backend().videos.accept(upload.whole(), upload.plan.original_name)
        # It may have been left alone for a day; those that come in one request are not overtaken unseen.
        message = record_video(ProjectKey(upload.plan.project_id, upload.plan.owner), video, begun_at=upload.begun_at)
    except (BadRequest, NotFound, UploadOvertaken):
        upload.discard()
        raise
    upload.settle()
    return message


def _told(upload: ResumableUpload, status: int, message: str, **headers: str) -> Response:
    offset = upload.offset
    said = tus.progress(offset, upload.expires_at, is_whole=offset == upload.plan.length)
    named = {name.replace("_", "-"): value for name, value in {**headers, "Upload_Message": message}.items() if value}
    return Response(status=status, headers={**said, **named})
