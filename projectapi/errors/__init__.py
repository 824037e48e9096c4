"""Everything that can go wrong, as projectapi's users meet it.

Each class is one kind of trouble: a stable ``code`` for programs, the HTTP ``status`` that fits it, and a sentence that a
film editor understands. One file per subject; the tree::

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
    ├── UploadOvertaken                 410  upload_overtaken
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
    ├── TooManyRequests                 429  too_many_requests
    ├── ChecksumMismatch                460  checksum_mismatch
    ├── NotOffered                      501  not_offered
    ├── Unavailable                     503  unavailable
    │   ├── DatabaseUnavailable         503  database_unavailable
    │   │   ├── DatabaseBusy            503  database_busy
    │   │   └── OutcomeUnknown          503  outcome_unknown
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

# Every class of these files, without a list: one that was forgotten in it would be missing in the documentation, too.
from projectapi.errors.base import *
from projectapi.errors.base import ProjectApiError
from projectapi.errors.jobs import *
from projectapi.errors.projects import *
from projectapi.errors.requests import *
from projectapi.errors.unavailable import *
from projectapi.errors.uploads import *
from projectapi.errors.videos import *


def all_errors() -> list[type[ProjectApiError]]:
    """Return every error that a client can meet, by status and code."""
    found = [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, ProjectApiError)]
    return sorted(found, key=lambda kind: (kind.status, kind.code))
