"""What the OpenAPI document says before the first address."""

from __future__ import annotations

TAGS = {
    "health": "Who answers, and whether it is well.",
    "performance": "What the worker that answers knows of its own speed.",
    "metrics": "Numbers for a monitoring system.",
    "docs": "This documentation.",
    "auth": "A backend without accounts: one anonymous user, whatever token comes along.",
    "projects": "Projects: created, listed, changed, moved to the trash and brought back.",
    "timeline": "Timelines: saved as versions, patched, compared, restored.",
    "rendering": "Timelines as files.",
    "bundles": "Projects as files: out of one server, into another.",
    "media": "Videos: they arrive and play.",
    "cutting": "Videos are cut, and listened to.",
    "jobs": "Work that goes on in the background.",
    "whole_uploads": "Videos that arrive as the body of one request.",
    "uploads": "Videos that arrive in pieces, over connections that break: tus 1.0.0, for which there are clients.",
    "playback": "Videos that play.",
    "looks": "What editors show of a video: pictures of any moment, filmstrips, waveforms.",
    "transcriptions": "What is said in a video.",
}

INTRODUCTION = """The backend of a browser video editor.

**Answers.** Every JSON answer of a resource is `{"success", "data", "message", "error"}`. An error has the same keys and
`detail`, `code` and `requestId` as well; programs go by `code`. Dates are ISO 8601 in UTC, times and durations are seconds.

**Addresses** are answered with and without a slash at the end. GET answers HEAD too, and every address OPTIONS.

**Requests.** Keys that are not listed are ignored, never refused. JSON must be UTF-8, nest at most 64 levels deep, give no key
twice and have no whole number beyond 64 bits.

**Who asks** is said by `X-User-Id`, any text of up to 128 characters. An `Authorization` header is
ignored by all addresses but `/metrics`.

**Versions.** Saves are never lost: each save of a timeline is a version. With `If-Match` a save that somebody else was faster
than is refused with 412; without it the last one wins.

**Repeating.** A POST or PATCH with an `Idempotency-Key` may be sent again without harm.

**Trouble** answers 503 with `Retry-After`. Reads may then be answered with what was known last: `X-Cache: STALE`, `Age`.

**Errors.** `ErrorCode`, below, lists every code with its status and meaning."""
