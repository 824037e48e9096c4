"""Everything that can go wrong, as projectapi's users meet it.

Each class is one kind of trouble: a stable ``code`` for programs, the HTTP ``status`` that fits it, and a sentence that a
film editor understands. The tree::

    ProjectApiError                     500  internal_error
    ├── HistoryDamaged                  500  history_damaged
    ├── BadRequest                      400  bad_request
    │   ├── MalformedJson               400  malformed_json
    │   ├── InvalidPrecondition         400  invalid_precondition
    │   ├── InvalidVideo                400  invalid_video
    │   ├── InvalidBundle               400  invalid_bundle
    │   └── UploadIncomplete            400  upload_incomplete
    ├── MetricsClosed                   401  metrics_closed
    ├── NotFound                        404  not_found
    │   ├── ProjectNotFound             404  project_not_found
    │   │   └── ProjectNotCarriedOver   404  project_not_carried_over
    │   ├── VideoNotFound               404  video_not_found
    │   │   └── VideoLost               410  video_lost
    │   ├── ThumbnailNotFound           404  thumbnail_not_found
    │   ├── TimelineVersionNotFound     404  timeline_version_not_found
    │   ├── TranscriptionNotFound       404  transcription_not_found
    │   ├── JobNotFound                 404  job_not_found
    │   └── UploadNotFound              404  upload_not_found
    ├── MethodNotAllowed                405  method_not_allowed
    ├── RequestTimedOut                 408  request_timeout
    ├── Conflict                        409  conflict
    │   ├── JobCancelled                409  job_cancelled
    │   └── UploadOffsetConflict        409  upload_offset_conflict
    ├── UploadExpired                   410  upload_expired
    ├── PreconditionFailed              412  precondition_failed
    │   └── UnknownTusVersion           412  unknown_tus_version
    ├── BodyTooLarge                    413  body_too_large
    │   ├── TimelineTooLarge            413  timeline_too_large
    │   └── VideoTooLarge               413  video_too_large
    ├── UnsupportedMediaType            415  unsupported_media_type
    ├── RangeNotSatisfiable             416  range_not_satisfiable
    ├── ValidationFailed                422  validation_failed
    │   └── IdempotencyKeyReused        422  idempotency_key_reused
    ├── UploadLocked                    423  upload_locked
    ├── ChecksumMismatch                460  checksum_mismatch
    ├── TooManyRequests                 429  too_many_requests
    ├── NotOffered                      501  not_offered
    ├── Unavailable                     503  unavailable
    │   ├── DatabaseUnavailable         503  database_unavailable
    │   ├── OutcomeUnknown              503  outcome_unknown
    │   ├── DatabaseTooNew              503  database_too_new
    │   ├── RestoreUnderWay             503  restore_under_way
    │   ├── SpeechUnavailable           503  speech_unavailable
    │   ├── StillListening              503  still_listening
    │   ├── JobInterrupted              503  job_interrupted
    │   ├── MediaBusy                   503  media_busy
    │   └── Overloaded                  503  overloaded
    └── DiskFull                        507  disk_full

The cause of an error (a driver's exception, say) is chained with ``from`` for the log and never shown to a client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

JsonObject = dict[str, Any]


class ProjectApiError(Exception):
    """Something went wrong that nobody foresaw; the parent of every error that reaches a client.

    ``detail`` may replace the sentence in the answer's ``detail`` by a list of field errors, and ``headers`` go out with
    the answer.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    sentence: ClassVar[str] = (
        "Something went wrong on the server. Your last saved work is safe; please try again in a moment."
    )

    def __init__(
        self,
        sentence: str | None = None,
        *,
        detail: Sequence[JsonObject] | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.text = sentence or self.sentence
        self.detail: str | list[JsonObject] = list(detail) if detail is not None else self.text
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})
        super().__init__(self.text)


class HistoryDamaged(ProjectApiError):
    """A stored revision cannot be read back as it was saved."""

    code = "history_damaged"
    sentence = (
        "This version of the timeline is damaged in the server's storage and cannot be opened. The other versions and your "
        "current work are not affected."
    )


class BadRequest(ProjectApiError):
    """The request cannot be understood."""

    code = "bad_request"
    status = 400
    sentence = "The request could not be understood."


class MalformedJson(BadRequest):
    """The body says that it is JSON and is not."""

    code = "malformed_json"
    sentence = "The request's body is not valid JSON."


class InvalidPrecondition(BadRequest):
    """``If-Match`` or ``If-None-Match`` is not a list of entity tags (RFC 9110, section 8.8.3)."""

    code = "invalid_precondition"
    sentence = (
        'The headers If-Match and If-None-Match must be "*" or a list of quoted entity tags, as an earlier answer gave them.'
    )


class InvalidVideo(BadRequest):
    """The file is no video that this server can read."""

    code = "invalid_video"
    sentence = "Invalid file type. Only MP4, MOV, AVI, MKV files are allowed."


class UploadIncomplete(BadRequest):
    """The body ended, or stood still, before all bytes that were announced had come."""

    code = "upload_incomplete"
    sentence = "The upload broke off before its end. The project is unchanged; please upload the video again."


class MetricsClosed(ProjectApiError):
    """The request lacks the token with which the numbers of the server may be read."""

    code = "metrics_closed"
    status = 401
    sentence = (
        "The numbers of this server are for those who run it: send the token of its setting METRICS_TOKEN as a bearer token. "
        "In production nobody can read them while that setting is missing."
    )


class InvalidBundle(BadRequest):
    """The file is no project bundle, or one that cannot be trusted; nothing of it was taken."""

    code = "invalid_bundle"
    sentence = "This file is no project bundle of projectapi, or it was changed or damaged. Nothing was imported."


class NotFound(ProjectApiError):
    """Nothing lives at this address."""

    code = "not_found"
    status = 404
    sentence = "Not Found"


class ProjectNotFound(NotFound):
    """No project has this id, or it was deleted, or it belongs to somebody else."""

    code = "project_not_found"
    sentence = "Project not found"


class ProjectNotCarriedOver(ProjectNotFound):
    """The id was given out by the backend of the time before storage was permanent."""

    code = "project_not_carried_over"
    sentence = (
        "Project not found: projects are now stored permanently, but those made before this version lived only in the "
        "server's memory and could not be carried over. Please create the project again and upload its video once more; "
        "from now on it stays."
    )


class VideoNotFound(NotFound):
    """The project has no video."""

    code = "video_not_found"
    sentence = "Video file not found"


class VideoLost(VideoNotFound):
    """The project has a video whose file is gone from the server's disk."""

    code = "video_lost"
    status = 410
    sentence = (
        "The video's file is no longer on the server's disk. The project is safe, and its video must be uploaded again: upload "
        "the same file, and it is attached to the timeline and the history as it was."
    )


class ThumbnailNotFound(NotFound):
    """The project has no thumbnail."""

    code = "thumbnail_not_found"
    sentence = "Thumbnail not found"


class TimelineVersionNotFound(NotFound):
    """The project's history has no such version."""

    code = "timeline_version_not_found"
    sentence = "Timeline version not found"


class TranscriptionNotFound(NotFound):
    """The project has no transcript, or the transcript has no such segment."""

    code = "transcription_not_found"
    sentence = "Transcription not found"


class UploadNotFound(NotFound):
    """No resumable upload has this address: it was ended, swept away, or belongs to somebody else."""

    code = "upload_not_found"
    sentence = "There is no such upload (any more). Please begin the upload again."


class JobNotFound(NotFound):
    """No job has this id, or it is forgotten: records of jobs are kept for a day."""

    code = "job_not_found"
    sentence = "This job is not known any more. Ask for the same thing again: what was already made is used again."


class MethodNotAllowed(ProjectApiError):
    """The address exists and does not know this method."""

    code = "method_not_allowed"
    status = 405
    sentence = "Method Not Allowed"


class RequestTimedOut(ProjectApiError):
    """The client began a request and stopped sending, or sent too slowly; nothing was changed."""

    code = "request_timeout"
    status = 408
    sentence = "The connection stopped in the middle of the request, so nothing was changed. Please try again."


class Conflict(ProjectApiError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409
    sentence = "This cannot be done in the state that things are in now."


class JobCancelled(Conflict):
    """The job that the request waited for was cancelled."""

    code = "job_cancelled"
    sentence = "This work was cancelled. Your project and the original video are untouched."


class UploadOffsetConflict(Conflict):
    """The bytes that were sent do not begin where those that the server has end (tus 1.0, PATCH)."""

    code = "upload_offset_conflict"
    sentence = "The server has another number of bytes of this upload. Ask for its offset and go on from there."


class UploadExpired(ProjectApiError):
    """The resumable upload was left alone for too long."""

    code = "upload_expired"
    status = 410
    sentence = "This upload was left unfinished for too long and is gone. Please begin it again."


class PreconditionFailed(ProjectApiError):
    """Somebody else saved first: the version named in ``If-Match`` is no longer the current one."""

    code = "precondition_failed"
    status = 412
    sentence = (
        "Somebody else saved a newer version in the meantime (perhaps you, in another tab). Nothing was overwritten: load "
        "the current version, or save again without a precondition; both stay in the history."
    )


class UnknownTusVersion(PreconditionFailed):
    """The header ``Tus-Resumable`` is missing or names a version other than 1.0.0."""

    code = "unknown_tus_version"
    sentence = "Resumable uploads need the header Tus-Resumable: 1.0.0."


class BodyTooLarge(ProjectApiError):
    """The request's body is larger than this server takes."""

    code = "body_too_large"
    status = 413
    sentence = "The request is too large for this server."


class TimelineTooLarge(BodyTooLarge):
    """The timeline does not fit into one MongoDB document (16 MiB)."""

    code = "timeline_too_large"
    sentence = (
        "This timeline is too large to be saved (the limit is about 16 MB). Your last saved version is safe; split the "
        "project, or remove clips or data that is no longer needed."
    )


class VideoTooLarge(BodyTooLarge):
    """The video has more bytes than ``MAX_UPLOAD_BYTES``."""

    code = "video_too_large"
    sentence = "File size too large. Maximum size is 2GB."


class UnsupportedMediaType(ProjectApiError):
    """The body's media type is not one that this address takes."""

    code = "unsupported_media_type"
    status = 415
    sentence = "This address does not take a body of this media type."


class RangeNotSatisfiable(ProjectApiError):
    """The range that was asked for begins behind the end of the file."""

    code = "range_not_satisfiable"
    status = 416
    sentence = "The file is shorter than the place that was asked for."


class ValidationFailed(ProjectApiError):
    """Fields are missing, of the wrong type or out of bounds; ``detail`` lists each as ``{type, loc, msg}``."""

    code = "validation_failed"
    status = 422
    sentence = "The request has fields that are missing or wrong."


class IdempotencyKeyReused(ValidationFailed):
    """The `Idempotency-Key` was used within the last 24 hours for a different request."""

    code = "idempotency_key_reused"
    sentence = "This Idempotency-Key belongs to another request. Send a new key with each new request."


class UploadLocked(ProjectApiError):
    """Another request is at work on this resumable upload; ``Retry-After`` (seconds) says when to try again."""

    code = "upload_locked"
    status = 423
    sentence = "This upload is being worked on. Nothing of it is lost; please try again in a few seconds."

    def __init__(self, sentence: str | None = None, **options: Any) -> None:
        super().__init__(sentence, **options)
        self.headers.setdefault("Retry-After", "2")


class ChecksumMismatch(ProjectApiError):
    """The bytes that arrived are not those whose checksum was sent; they were dropped (tus 1.0, checksum)."""

    code = "checksum_mismatch"
    status = 460
    sentence = "The bytes were damaged on their way and were dropped. Please send them again."


class TooManyRequests(ProjectApiError):
    """One client asks more often than ``RATE_LIMITS`` allows; ``Retry-After`` (seconds) says when it may again."""

    code = "too_many_requests"
    status = 429
    sentence = "Too many requests came from your network in a short time. Please wait a moment and try again."

    def __init__(self, sentence: str | None = None, **options: Any) -> None:
        super().__init__(sentence, **options)
        self.headers.setdefault("Retry-After", "1")


class NotOffered(ProjectApiError):
    """The address belongs to a function that this backend has decided not to have."""

    code = "not_offered"
    status = 501
    sentence = "This backend has no accounts: your work is saved without signing in."


class Unavailable(ProjectApiError):
    """Something that the request needs is away for the moment; ``Retry-After`` (seconds) says when to try again."""

    code = "unavailable"
    status = 503
    sentence = "The server cannot do this right now. Please try again in a few seconds."
    retry_after_seconds: ClassVar[int] = 5

    def __init__(self, sentence: str | None = None, **options: Any) -> None:
        super().__init__(sentence, **options)
        self.headers.setdefault("Retry-After", str(self.retry_after_seconds))


class DatabaseUnavailable(Unavailable):
    """MongoDB cannot be reached or does not answer in time; nothing was changed."""

    code = "database_unavailable"
    sentence = (
        "Your work is safe on this page; the server cannot reach its database right now. Please try again in a few seconds."
    )


class OutcomeUnknown(DatabaseUnavailable):
    """The database went away in the middle of a write and could not be asked whether it was done."""

    code = "outcome_unknown"
    sentence = (
        "Your work is safe on this page; the server lost its database while saving and cannot tell yet whether the save "
        "arrived. Saving again does no harm. Please try again in a few seconds."
    )


class DatabaseTooNew(Unavailable):
    """A newer version of projectapi has worked on this database; this one would not understand all of it."""

    code = "database_too_new"
    sentence = "The server's program is older than its database; nothing was changed. A newer version of it must be installed."
    retry_after_seconds = 60

    @classmethod
    def found(cls, version: int, known: int) -> Self:
        """Return the error for a database of schema version `version` where the code knows `known`."""
        return cls(
            f"The database has schema version {version} and this version of projectapi knows only {known}: nothing was "
            "changed; run the newer version of projectapi that made the database what it is."
        )


class RestoreUnderWay(Unavailable):
    """A backup is being restored into the database, or its restoring was cut off; what is there is not whole."""

    code = "restore_under_way"
    sentence = (
        "The server's data is being restored from a backup. Nothing can be opened or saved until that is finished; please try "
        "again in a few minutes."
    )
    retry_after_seconds = 60


class SpeechUnavailable(Unavailable):
    """No speech recogniser is installed, or it cannot work now."""

    code = "speech_unavailable"
    sentence = "Transcription is not available on this server. Everything else works: open the timeline from the projects page."
    retry_after_seconds = 3600


class StillListening(Unavailable):
    """The transcript is being made; the same request finds it when it is done."""

    code = "still_listening"
    sentence = "The transcription takes a while and goes on in the background. Please ask for it again in a moment."
    retry_after_seconds = 10


class JobInterrupted(Unavailable):
    """The process that did the work died, and died again when the work was repeated."""

    code = "job_interrupted"
    sentence = (
        "The server was interrupted while it worked on this, more than once. Your project and the original video are "
        "untouched; please try again."
    )


class MediaBusy(Unavailable):
    """As many videos are being worked on as this machine can bear."""

    code = "media_busy"
    sentence = "The server is busy with other videos. Please try again in a few seconds."


class Overloaded(Unavailable):
    """As many requests wait for this server as it lets wait."""

    code = "overloaded"
    sentence = "The server has more to do than it can answer right now; nothing was changed. Please try again in a few seconds."
    retry_after_seconds = 2


class DiskFull(ProjectApiError):
    """The media disk has no room for the file; nothing of it was kept."""

    code = "disk_full"
    status = 507
    sentence = "The server's disk is full, so the video was not stored. What was there before is untouched."
