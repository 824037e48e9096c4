"""Names of files as users give them: kept for people to read, never used as a path."""

from __future__ import annotations

import re
import unicodedata

_LENGTH_MAX = 255
_NAMELESS = "video"


def readable_name(given: str | None) -> str:
    """Return the last part of `given`, of either kind of path, without control characters and at most 255 characters long.

    Characters that people do not see (controls, direction marks, lone surrogates) go: a log or a page that shows the name
    must not be led astray by it. What is left of nothing is called ``video``.
    """
    last = re.split(r"[/\\]", given or "")[-1]
    seen = "".join(" " if character.isspace() else character for character in last)
    seen = "".join(character for character in seen if unicodedata.category(character)[0] != "C")
    # NFC is the form that every system but old macOS types, so equal names stay equal.
    name = unicodedata.normalize("NFC", seen).strip(" .")
    if len(name) > _LENGTH_MAX:
        stem, dot, extension = name.rpartition(".")
        tail = dot + extension if 0 < len(extension) <= 10 else ""
        name = (stem if tail else name)[: _LENGTH_MAX - len(tail)] + tail
    return name or _NAMELESS
