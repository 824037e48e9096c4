"""Requests of those who mean harm: what they send, and the status and code that it must get. `{id}` is a project's id."""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=edge"


@dataclass(frozen=True)
class Hostile:
    """One request and what must come of it."""

    method: str
    path: str
    body: bytes
    status: int
    code: str
    content_type: str = JSON


def part(name: str, value: bytes, file_name: str | None = None) -> bytes:
    """Return one part of a multipart body."""
    disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name else "")
    return b"--edge\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


def creation(name: str, body: bytes, status: int, code: str) -> dict[str, Hostile]:
    return {name: Hostile("POST", "/projects", body, status, code)}


def saving(name: str, state: bytes, status: int, code: str) -> dict[str, Hostile]:
    body = b'{"project_id": "{id}", "timeline_state": ' + state + b"}"
    return {name: Hostile("POST", "/timeline/", body, status, code)}


MALFORMED, INVALID, LARGE = (400, "malformed_json"), (422, "validation_failed"), (413, "body_too_large")

HOSTILE: dict[str, Hostile] = {
    # Too much of something, found out before any work.
    **saving("a hundred thousand levels of arrays", b"[" * 100_000, *MALFORMED),
    **saving("a hundred thousand levels of objects", b'{"a":' * 100_000, *MALFORMED),
    **saving("65 levels that are closed again", b"[" * 64 + b"]" * 64, *MALFORMED),
    **saving("a million arrays", b'{"a": [' + b"[]," * 1_000_000 + b"[]]}", *LARGE),
    **creation("a number of 100,000 digits", b'{"name": ' + b"9" * 100_000 + b"}", *MALFORMED),
    **creation("more bytes than are taken", b'{"name": "' + b"x" * (33 << 20) + b'"}', *LARGE),
    # Values that JSON or MongoDB does not have.
    **saving("not a number", b'{"zoom": NaN}', *MALFORMED),
    **saving("infinity", b'{"zoom": -Infinity}', *MALFORMED),
    **saving("a float without end", b'{"zoom": 1e400}', *MALFORMED),
    **saving("65 bits", b'{"zoom": 18446744073709551616}', *INVALID),
    **saving("64 bits without a sign", b'{"unknown": [{"n": 9223372036854775808}]}', *INVALID),
    **saving("65 bits below zero", b'{"unknown": -9223372036854775809}', *INVALID),
    **creation("NUL in a text", b'{"name": "a\\u0000b"}', *INVALID),
    **saving("NUL in a key", b'{"a\\u0000b": 1}', *INVALID),
    **saving("half of a letter", b'{"note": "\\ud83c"}', *MALFORMED),
    **saving("half of a letter in a key", b'{"\\udf00": 1}', *MALFORMED),
    **saving("bytes that are no UTF-8", b'{"note": "\xc3\x28"}', *MALFORMED),
    **saving("a long way to write a slash", b'{"note": "\xc0\xaf"}', *MALFORMED),
    # One thing for us and another for whoever looks at it before or after.
    **creation("a key twice", b'{"name": "a", "name": "b"}', *MALFORMED),
    **creation("a key twice, once in disguise", b'{"name": "a", "n\\u0061me": "b"}', *MALFORMED),
    **saving("a key twice, deep down", b'{"layers": [], "x": [{"y": {"z": 1, "z": 2}}]}', *MALFORMED),
    **creation("compressed", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xcaK\xccMU\xb2R\xaaP\xaa\x05\x00", *MALFORMED),
    **creation("XML", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>', *MALFORMED),
    # Extended JSON, by which a client would choose BSON types, and MongoDB's operators.
    **creation("an ObjectId", b'{"name": {"$oid": "0123456789abcdef01234567"}}', *INVALID),
    **creation("a malformed ObjectId", b'{"name": {"$oid": "zz"}}', *INVALID),
    **creation("a date", b'{"name": {"$date": "2026-01-01T00:00:00Z"}}', *INVALID),
    **creation("code", b'{"name": {"$code": "sleep(1000)"}}', *INVALID),
    **creation("a pattern", b'{"name": {"$regularExpression": {"pattern": "(a+)+$", "options": ""}}}', *INVALID),
    **saving("an ObjectId in a timeline", b'{"unknown": {"value": {"$oid": "0123456789abcdef01234567"}}}', *INVALID),
    **saving("an operator in a timeline", b'{"layers": [{"id": "a", "clips": [{"$where": "sleep(1000)"}]}]}', *INVALID),
    "any project": Hostile("POST", "/timeline/", b'{"project_id": {"$ne": null}, "timeline_state": {}}', *INVALID),
    "any project to cut": Hostile("POST", "/media/trim-video", b'{"project_id": {"$gt": ""}, "segments": []}', *INVALID),
    "any name": Hostile("PUT", "/projects/{id}", b'{"name": {"$set": {"createdBy": "me"}}}', *INVALID),
    "any project of a form": Hostile("POST", "/media/transcribe", b"project_id[$ne]=x", *INVALID, FORM),
    # Forms that cost more to read than to send.
    "2,000 parts": Hostile(
        "POST", "/media/upload", b"".join(part(f"f{n}", b"x") for n in range(2000)) + b"--edge--\r\n", *LARGE, MULTIPART
    ),
    "a field of a megabyte": Hostile(
        "POST", "/media/upload", part("project_id", b"x" * 2**20) + b"--edge--\r\n", *LARGE, MULTIPART
    ),
    "the head of a part without end": Hostile(
        "POST", "/media/upload", b"--edge\r\nContent-Disposition: form-data; " + b"x" * 2**20, *LARGE, MULTIPART
    ),
    "a line break in the name of a file": Hostile(
        "POST", "/media/upload", part("file", b"x", "a\r\nSet-Cookie: a=b") + b"--edge--\r\n", *INVALID, MULTIPART
    ),
    "a form that never ends": Hostile("POST", "/media/upload", part("file", b"x" * 5000, "a.mp4"), *INVALID, MULTIPART),
    "an id with slashes": Hostile("PUT", "/projects/..%2F..%2Fetc%2Fpasswd", b'{"name": "x"}', 404, "not_found"),
    # Ids that are paths, patterns or nothing.
    **{
        f"the id {identity[:20]}": Hostile("PUT", f"/projects/{identity}", b'{"name": "x"}', 404, "project_not_found")
        for identity in ("%2e%2e", "%00", "%5C..%5C", "$ne", "%7B%22$gt%22:%22%22%7D", ".*", "x" * 5000)
    },
}
