"""Patches in request bodies: RFC 7396 and RFC 6902."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import request

from projectapi.api.bodies import read_body
from projectapi.errors import UnsupportedMediaType
from projectapi.schemas.json_body import parse_json
from projectapi.timeline.patching import ACCEPT_PATCH, JSON_PATCH, MERGE_PATCH, Patched, apply_patch

Patch = Callable[[Any], Patched]


def patch_of_request() -> Patch:
    """Return what the request's patch does to a document.

    Raises UnsupportedMediaType with `Accept-Patch` (RFC 5789, section 2.2) and MalformedJson; what is returned raises
    ValidationFailed, and Conflict for a failed `test`.
    """
    media_type = request.mimetype
    if media_type not in (MERGE_PATCH, JSON_PATCH):
        raise UnsupportedMediaType(
            f"Send a patch as {MERGE_PATCH} or {JSON_PATCH}.", headers={"Accept-Patch": ACCEPT_PATCH}
        )
    patch = parse_json(read_body())
    return lambda document: apply_patch(media_type, document, patch)
