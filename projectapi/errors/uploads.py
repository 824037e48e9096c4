"""What can be wrong with a resumable upload."""

from __future__ import annotations

from projectapi.errors.base import ProjectApiError
from projectapi.errors.requests import Conflict, NotFound, PreconditionFailed


class UploadNotFound(NotFound, code="upload_not_found"):
    """No resumable upload has this address: it was ended, swept away, or belongs to somebody else."""

    sentence = "There is no such upload (any more). Please begin the upload again."


class UploadExpired(ProjectApiError, code="upload_expired", status=410):
    """The resumable upload was left alone for too long."""

    sentence = "This upload was left unfinished for too long and is gone. Please begin it again."


class UploadOvertaken(ProjectApiError, code="upload_overtaken", status=410):
    """While the resumable upload was on its way, a video whose upload began later became the project's."""

    sentence = (
        "A video whose upload was begun after this one has become the project's in the meantime, and stays. If you want this "
        "one in its place, please upload it again."
    )


class UploadLocked(ProjectApiError, code="upload_locked", status=423):
    """Another request is at work on this resumable upload; ``Retry-After`` (seconds) says when to try again."""

    sentence = "This upload is being worked on. Nothing of it is lost; please try again in a few seconds."
    retry_after_seconds = 2


class UploadOffsetConflict(Conflict, code="upload_offset_conflict"):
    """The bytes that were sent do not begin where those that the server has end (tus 1.0, PATCH)."""

    sentence = "The server has another number of bytes of this upload. Ask for its offset and go on from there."


class ChecksumMismatch(ProjectApiError, code="checksum_mismatch", status=460):
    """The bytes that arrived are not those whose checksum was sent; they were dropped (tus 1.0, checksum)."""

    sentence = "The bytes were damaged on their way and were dropped. Please send them again."


class UnknownTusVersion(PreconditionFailed, code="unknown_tus_version"):
    """The header ``Tus-Resumable`` is missing or names a version other than 1.0.0."""

    sentence = "Resumable uploads need the header Tus-Resumable: 1.0.0."
