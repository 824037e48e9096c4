"""What stored videos are called: unguessable, and telling when the upload began (UUID version 7, RFC 9562, section 5.7)."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime
from pathlib import Path

from projectapi.project import Video

_RANDOM_BITS = 80
_VERSION, _VERSION_MASK = 0x7 << 76, 0xF << 76
_VARIANT, _VARIANT_MASK = 0b10 << 62, 0b11 << 62


def new_identity(begun_at: datetime) -> uuid.UUID:
    """Return a new name for a video whose upload began at this time, which it keeps to the millisecond."""
    drawn = secrets.randbits(_RANDOM_BITS) & ~(_VERSION_MASK | _VARIANT_MASK)
    return uuid.UUID(int=int(begun_at.timestamp() * 1000) << _RANDOM_BITS | _VERSION | _VARIANT | drawn)


def identity_of(video: Video) -> str:
    """Return what the names of all files of a video have in common."""
    return Path(video.path).stem


def begun_at(identity: str) -> datetime | None:
    """Return when the upload of the video with this name began, None where the name does not tell."""
    try:
        known = uuid.UUID(identity)
    except ValueError:
        return None
    # Those that are stored since before are of version 4, all at random.
    return datetime.fromtimestamp((known.int >> _RANDOM_BITS) / 1000, UTC) if known.version == 7 else None
