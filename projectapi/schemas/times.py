"""How moments look on the wire."""

from __future__ import annotations

from datetime import UTC, datetime


def wire_time(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 in UTC with a Z, to the millisecond, or None."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
