"""Conditional requests on entity tags (RFC 9110, section 13)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import request

from projectapi.errors import InvalidPrecondition
from projectapi.project import EntityTag

_ENTITY_TAGS = re.compile(r'\s*(W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*(,\s*(W/)?"[\x21\x23-\x7e\x80-\xff]*"\s*)*')
_OURS = re.compile(r'"(\d{1,15})(?:-([0-9a-f]{16}))?"')
_NEVER = EntityTag(-1, "")
_CODING = re.compile(r'-(?:zstd|br|gzip)"$')


def expected_tag() -> EntityTag | None:
    """Return the version that the request's `If-Match` names, None when any will do. Raises InvalidPrecondition.

    A weak tag never matches, and neither does another server's: they stand for a version that never is. Of several tags the
    newest counts, since whoever has seen it knows that the older ones are no longer current.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    _check(header)
    strong = [_OURS.fullmatch(_plain(part)) for part in header.split(",")]
    ours = [EntityTag(int(tag[1]), tag[2] or "") for tag in strong if tag]
    return max(ours, key=lambda tag: tag.version, default=_NEVER)


def known_tags() -> Mapping[str, str]:
    """Return the entity tags of the request's `If-None-Match`: see `tags_of`."""
    return tags_of(request.headers.get("If-None-Match"))


def tags_of(header: str | None) -> Mapping[str, str]:
    """Return the entity tags of an `If-None-Match`, by what they are without a coding; "*" stands for itself.

    Raises InvalidPrecondition.
    """
    if header is None:
        return {}
    if header.strip() == "*":
        return {"*": "*"}
    _check(header)
    sent = [part.strip().removeprefix("W/") for part in header.split(",")]
    return {_plain(tag): tag for tag in sent}


def tag_in_coding(etag: str, coding: str) -> str:
    """Return the tag of an answer in a content coding: other bytes need another strong tag (RFC 9110, section 8.8.3.3)."""
    return f'{etag[:-1]}-{coding}"'


def _plain(tag: str) -> str:
    return _CODING.sub('"', tag.strip())


def _check(header: str) -> None:
    if not _ENTITY_TAGS.fullmatch(header):
        raise InvalidPrecondition
