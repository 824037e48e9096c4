"""What a handler knows of the request at hand: the backend, who asks, and which project is meant."""

from __future__ import annotations

from typing import cast

from flask import current_app, request

from projectapi.project import ANONYMOUS, OWNER_MAX, ProjectKey
from projectapi.protocols import Backend
from projectapi.schemas.loading import invalid


def backend() -> Backend:
    """Return the parts that `create_app` put together."""
    return cast(Backend, current_app.extensions["projectapi"])


def owner() -> str:
    """Return who asks: see `owner_of`."""
    return owner_of(request.headers.get("X-User-Id", ""))


def owner_of(header: str) -> str:
    """Return whom the header `X-User-Id` names (any text of at most 128 characters), anonymous when it is empty.

    Raises ValidationFailed for a header that is too long or has control characters.
    """
    name = header.strip()
    if len(name) > OWNER_MAX or not name.isprintable():
        message = f"At most {OWNER_MAX} printable characters are allowed."
        raise invalid([{"type": "value_error", "loc": ["header", "X-User-Id"], "msg": message}])
    return name or ANONYMOUS


def owner_required() -> str | None:
    """Return whose a project must be: that of whoever asks where ownership is enforced, else None for anybody's."""
    return owner() if backend().ownership_enforced else None


def project_key(project_id: str) -> ProjectKey:
    """Return the key of a project as whoever asks may use it."""
    return ProjectKey(project_id, owner_required())
