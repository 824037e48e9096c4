"""Read JSON from strangers: strictly, quickly, and never deeper or larger than asked.

orjson does the parsing and refuses NaN, infinities, lone surrogates, bytes that are not UTF-8 and a byte order mark. What it
lets through is refused here: deep nesting (before anything is parsed), keys given twice (it keeps the last), and integers
that 64 bits do not hold (it makes floats of them, so that other digits would come back than were sent).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Any

import orjson

from projectapi.errors import BodyTooLarge, MalformedJson, ValidationFailed
from projectapi.project import JsonObject

MAX_DEPTH = 64
MAX_KEYS = 2_000_000
MAX_CONTAINERS = 200_000
"""Objects and arrays: three times as many as a timeline of 20,000 clips has."""
MAX_VALUES = 2_000_000
"""Values that a comma parts from the one before: two bytes of a body can cost Python sixty."""

INTEGER_MIN = -(2**63)
INTEGER_MAX = 2**63 - 1
INTEGER_MESSAGE = "The number is too large: whole numbers must fit into 64 bits."

_ERRORS_MAX = 20

_OPENING, _CLOSING = b"[]"
_BRACES_TO_BRACKETS = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_ALL_BUT_COLONS = bytes(set(range(256)) - set(b':"'))
_ALL_BUT_COMMAS = bytes(set(range(256)) - set(b',"'))
_STRING = re.compile(rb'"[^"]*"?')

_DIGITS_TO_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_AS_LONG_AS_INTEGER_MAX = re.compile(b"0" * 19 + b"0*")

# A pass over all brackets that removes the innermost pairs is quick and empties every ordinary document. What is left of a deep
# one is counted in a single slower pass: one removal per level would cost a hostile body 64 passes.
_PEELINGS = 8

# A substitution holds what it leaves between two strings as an object each: between millions, that is most of a gigabyte.
_PIECE_BYTES = 2**18


def parse_json(
    body: bytes,
    *,
    max_depth: int = MAX_DEPTH,
    max_keys: int = MAX_KEYS,
    max_containers: int = MAX_CONTAINERS,
    max_values: int = MAX_VALUES,
) -> Any:
    """Return the value of a JSON text (RFC 8259, in UTF-8).

    Raises MalformedJson for what is no JSON, nests too deeply or gives a key twice; BodyTooLarge for too many keys, values,
    objects and arrays; ValidationFailed, with the place of each, for integers outside of signed 64 bits.
    """
    _check_encoding(body)
    unescaped = _without_escapes(body)
    _check_shape(unescaped, max_depth, max_containers)
    _check_counts(unescaped, max_keys, max_values)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedJson(f"The request's body is not valid JSON: see line {error.lineno}, column {error.colno}.") from error
    _check_integers(body)
    _check_keys(body, unescaped, value)
    return value


def _check_encoding(body: bytes) -> None:
    if not body:
        raise MalformedJson("The request has no body, but JSON is expected.")
    if body.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) or b"\0" in body[:4]:
        raise MalformedJson("JSON must be sent as UTF-8 without a byte order mark.")


def _check_shape(unescaped: bytes, max_depth: int, max_containers: int) -> None:
    brackets = _outside_strings(unescaped, _ALL_BUT_BRACKETS)
    if brackets.count(_OPENING) > max_containers:
        raise BodyTooLarge(f"The request has more than {max_containers:,} objects and arrays.")
    if _nests_deeper(brackets, max_depth):
        raise MalformedJson(f"The request's JSON is nested more than {max_depth} levels deep.")


def _check_counts(unescaped: bytes, max_keys: int, max_values: int) -> None:
    # Counting strings too is much quicker, and enough for nearly every document.
    if unescaped.count(b",") > max_values and len(_outside_strings(unescaped, _ALL_BUT_COMMAS)) > max_values:
        raise BodyTooLarge(f"The request has more than {max_values:,} values.")
    if unescaped.count(b":") > max_keys and _count_keys(unescaped) > max_keys:
        raise BodyTooLarge(f"The request has more than {max_keys:,} fields.")


def _without_escapes(text: bytes) -> bytes:
    """Return a JSON text without escaped quotes, so that every quote left begins or ends a string.

    Nothing else keeps its meaning. Every step is exact up to the first error in the text, which is as far as a parser gets.
    """
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text


def _outside_strings(unescaped: bytes, unwanted: bytes) -> bytes:
    marks = unescaped.translate(_BRACES_TO_BRACKETS, unwanted)
    # Most strings hold nothing that is looked for and are a bare pair of quotes now: dropping those first saves most of the
    # work, and an odd quote of a run stays, so that the parity is right.
    return b"".join(_without_strings(marks.replace(b'""', b"")))


def _without_strings(marks: bytes) -> Iterator[bytes]:
    is_inside = False
    for start in range(0, len(marks), _PIECE_BYTES):
        piece = marks[start : start + _PIECE_BYTES]
        yield _STRING.sub(b"", b'"' + piece if is_inside else piece)
        is_inside ^= piece.count(b'"') % 2 == 1


def _count_keys(unescaped: bytes) -> int:
    return len(_outside_strings(unescaped, _ALL_BUT_COLONS))


def _nests_deeper(brackets: bytes, limit: int) -> bool:
    for _ in range(min(_PEELINGS, limit)):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
        limit -= 1
    steps = {_OPENING: 1, _CLOSING: -1}
    return any(depth > limit for depth in accumulate(map(steps.__getitem__, brackets)))


def _check_integers(body: bytes) -> None:
    if not _may_have_oversized(body):
        return
    places = islice(_oversized(json.loads(body, parse_int=_integer), ["body"]), _ERRORS_MAX)
    problems = [{"type": "int_out_of_range", "loc": loc, "msg": INTEGER_MESSAGE} for loc in places]
    if problems:
        raise ValidationFailed(INTEGER_MESSAGE, detail=problems)


def _may_have_oversized(body: bytes) -> bool:
    """Tell whether a run of 19 digits or more stands where an integer may stand: only then is a slow look worth its time."""
    # With one digit for all, the search is for a fixed text, which is ten times quicker than for a class of bytes.
    for run in _AS_LONG_AS_INTEGER_MAX.finditer(body.translate(_DIGITS_TO_ZEROS)):
        before, after = body[run.start() - 1 : run.start()], body[run.end() : run.end() + 1]
        if before in b"-[:, \t\r\n" and after in b",]} \t\r\n":
            return True
    return False


class _Oversized:
    """Stands where an integer was too large."""


def _integer(digits: str) -> int | _Oversized:
    # Converting thousands of digits is slow, and Python refuses it.
    fits = len(digits) <= 20 and INTEGER_MIN <= int(digits) <= INTEGER_MAX
    return 0 if fits else _Oversized()


def _oversized(value: Any, loc: list[str | int]) -> Iterator[list[str | int]]:
    if isinstance(value, _Oversized):
        yield loc
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _oversized(child, [*loc, key])
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _oversized(child, [*loc, index])


def _check_keys(body: bytes, unescaped: bytes, value: Any) -> None:
    """Refuse a text that gives a key of an object twice: a parsed object is written back with fewer keys than it had."""
    written = orjson.dumps(value)
    # Browsers write JSON as orjson does; then there is nothing to count.
    if written != body and _count_keys(unescaped) != _count_keys(_without_escapes(written)):
        json.loads(body, object_pairs_hook=_refuse_duplicates)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> JsonObject:
    found: JsonObject = {}
    for key, value in pairs:
        if key in found:
            raise MalformedJson(f"The request's JSON gives the key “{key[:100]}” twice in one object.")
        found[key] = value
    return found
