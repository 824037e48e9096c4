"""Headers and parts of addresses, each said once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from projectapi.errors import (
    BadRequest,
    IdempotencyKeyReused,
    InvalidPrecondition,
    PreconditionFailed,
    ProjectApiError,
    RangeNotSatisfiable,
    UnknownTusVersion,
    ValidationFailed,
)
from projectapi.project import OWNER_MAX, JsonObject
from projectapi.schemas.requests import EXAMPLE_ID, EXAMPLE_VERSION_ID

_TAGS = '^([*]|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A header that a client may send: what it means, an example, and the errors that it can lead to."""

    description: str
    example: str
    errors: tuple[type[ProjectApiError], ...] = ()
    pattern: str | None = None
    max_length: int | None = None

    @property
    def schema(self) -> JsonObject:
        """What a value may be, as JSON Schema."""
        limits = {"pattern": self.pattern, "maxLength": self.max_length}
        return {"type": "string", "examples": [self.example], **{name: value for name, value in limits.items() if value}}


REQUEST_HEADERS = {
    "If-Match": RequestHeader(
        "Save only if the version with this entity tag is still the current one; without it the last one to save wins (every "
        "save of a timeline stays in its history).",
        '"3-0123456789abcdef"',
        (InvalidPrecondition, PreconditionFailed),
        _TAGS,
    ),
    "If-None-Match": RequestHeader(
        "Answer 304 without a body if the version with this entity tag is still the current one.",
        '"3-0123456789abcdef"',
        (InvalidPrecondition,),
        _TAGS,
    ),
    "Idempotency-Key": RequestHeader(
        "Makes it safe to send the request again: within 24 hours the same key is answered as it was the first time, and "
        "nothing is done twice.",
        "save-7f3c",
        (IdempotencyKeyReused, ValidationFailed),
        "^[!-~]{1,255}$",
        255,
    ),
    "X-User-Id": RequestHeader(
        "Who asks: the owner of what is created, and whose projects are listed; `anonymous` without it.",
        "ada",
        (ValidationFailed,),
        "^[ -~]*$",
        OWNER_MAX,
    ),
    "X-Request-Id": RequestHeader("Names the request in the server's log and in its answer; made up without it.", "tab-1-42"),
    "Range": RequestHeader("The bytes of the file that are wanted.", "bytes=0-99", (RangeNotSatisfiable,)),
    "If-Range": RequestHeader("Answer the range only if the file is still the one with this entity tag.", '"9f86d081884c7d65"'),
    "Content-Disposition": RequestHeader("The name of the file, for people.", 'attachment; filename="holiday.mp4"'),
    "X-File-Name": RequestHeader("The name of the file, percent-encoded.", "holiday.mp4"),
    "Tus-Resumable": RequestHeader("The version of the protocol: required.", "1.0.0", (UnknownTusVersion,)),
    "Upload-Length": RequestHeader("How many bytes the whole file has.", "25000", (BadRequest,)),
    "Upload-Offset": RequestHeader("Where the bytes of this request belong: required.", "0", (BadRequest,)),
    "Upload-Metadata": RequestHeader(
        "Keys, each with a value in Base64: `project_id` (required unless this is a part), `filename`, `filetype`.",
        "project_id NGYxYzBhNWQ5YmUyYTdjM2Q4ZTZmMDEy,filename ZmlsbS5tcDQ=",
        (BadRequest, ValidationFailed),
    ),
    "Upload-Checksum": RequestHeader(
        "What the bytes of this request add up to: `sha1`, `sha256` or `md5`, and the digest in Base64.",
        "sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
        (BadRequest,),
    ),
    "Upload-Concat": RequestHeader(
        "`partial`: this is a part of a file. `final;` and the addresses of parts: put these together.",
        "partial",
        (BadRequest,),
    ),
    "X-HTTP-Method-Override": RequestHeader("The method that is meant.", "DELETE"),
    "Prefer": RequestHeader(
        "RFC 7240. `return=representation`, where a save is answered: with the whole state. `respond-async`, where work takes "
        "a while: answer at once, with 202 and its job.",
        "return=representation",
    ),
}


def _header(description: str, example: Any, *, required: bool = False, **schema: Any) -> JsonObject:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "required": required, "schema": {"type": kind, "examples": [example], **schema}}


ANSWER_HEADERS: dict[str, JsonObject] = {
    "X-Request-Id": _header("Names the request in the server's log.", "tab-1-42", required=True),
    "ETag": _header("Stands for this very state of the resource: for `If-Match` and `If-None-Match`.", '"3-0123456789abcdef"'),
    "X-Cache": _header(
        "Where the answer comes from, also when it says that nothing is there: the cache, the database (`MISS`: it is cached "
        "now; `BYPASS`: it is not), or, with the database away, what was known last (`STALE`).",
        "HIT",
        enum=["HIT", "MISS", "BYPASS", "STALE"],
    ),
    "Age": _header("Only with `X-Cache: STALE`: how many seconds ago the answer was read from the database.", 12, minimum=0),
    "Warning": _header("Only with `X-Cache: STALE`.", '110 - "Response is Stale"'),
    "Server-Timing": _header("How long the answer took, in milliseconds.", "cache;desc=HIT, total;dur=0.84"),
    "Link": _header("The next page of the list (RFC 8288).", '</projects/?cursor=WyI>; rel="next"'),
    "Retry-After": _header("When to try again, in seconds.", 5, minimum=0),
    "WWW-Authenticate": _header("What kind of authentication is asked for (RFC 9110).", 'Bearer realm="metrics"'),
    "Accept-Patch": _header("The media types of patches that are taken.", "application/merge-patch+json"),
    "Accept-Ranges": _header("Says that ranges of bytes can be asked for.", "bytes"),
    "Content-Range": _header("Which bytes of how many these are.", "bytes 0-99/25000"),
    "Content-Disposition": _header("What the file is called.", f"inline; filename=video_{EXAMPLE_ID}.mp4"),
    "Last-Modified": _header("When the file was written.", "Sun, 22 Nov 2026 16:00:29 GMT"),
    "Location": _header("The address of the upload.", "/media/uploads/0123456789abcdef0123456789abcdef"),
    "Tus-Resumable": _header("The version of the protocol.", "1.0.0"),
    "Upload-Offset": _header("How many bytes are safely on the disk.", 0, minimum=0),
    "Upload-Length": _header("How many bytes the whole file has.", 25000, minimum=0),
    "Upload-Message": _header(
        "Once the whole has become the project's video: the sentence that uploads in one request are answered with.",
        "Video uploaded successfully",
    ),
    "Upload-Metadata": _header("As it was sent when the upload began.", "filename ZmlsbS5tcDQ="),
    "Upload-Concat": _header("As it was sent when the upload began.", "partial"),
    "Upload-Expires": _header("Until when the upload may go on.", "Mon, 23 Nov 2026 16:00:29 GMT"),
    "Idempotency-Replayed": _header("`true`: this is the answer that the same `Idempotency-Key` got before.", "true"),
}

SOURCE = ("X-Cache", "Server-Timing")
FROM_CACHE = ("ETag", "Age", "Warning", *SOURCE)
OF_FILES = ("ETag", "Accept-Ranges", "Content-Disposition", "Last-Modified")


def _part(description: str, example: Any, **schema: Any) -> JsonObject:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": description, "schema": {"type": kind, "examples": [example], **schema}}


ADDRESS_PARTS: dict[str, JsonObject] = {
    "project_id": _part("The project's `_id`.", EXAMPLE_ID),
    "timeline_id": _part("The `_id` of a version of a timeline.", EXAMPLE_VERSION_ID),
    "project_or_timeline_id": _part("The project's `_id`, or that of a version of its timeline.", EXAMPLE_ID),
    "upload_id": _part("The last part of the upload's address.", "0123456789abcdef0123456789abcdef"),
    "segment_id": _part("The `id` of a segment.", "e3b0c44298fc1c14"),
    "version": _part("The number of a version.", 1, minimum=0),
    "job_id": _part("The `_id` of a job.", "5b0fa6c3d1e2948700aa11bb"),
}

SECURITY_SCHEMES: dict[str, JsonObject] = {
    "metricsToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "The value of the setting METRICS_TOKEN. Outside of production no token is needed while it is missing.",
    },
}
