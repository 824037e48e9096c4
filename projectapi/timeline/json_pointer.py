"""Read and write JSON Pointers (RFC 6901)."""

from __future__ import annotations

import re

Tokens = tuple[str, ...]
Path = tuple[str | int, ...]
"""A place in one document: object keys as strings, array indexes as integers; () is the whole document."""

_BAD_ESCAPE = re.compile(r"~(?![01])")
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


def parse_pointer(pointer: str) -> Tokens:
    """Return a pointer's reference tokens, unescaped. Raises ValueError when it is none."""
    if pointer and not pointer.startswith("/"):
        raise ValueError("a JSON Pointer is empty or begins with a slash")
    if _BAD_ESCAPE.search(pointer):
        raise ValueError("in a JSON Pointer, ~ is written ~0 and / inside a key is written ~1")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def parse_index(token: str) -> int | None:
    """Return the array index that a token spells, None when it spells none (RFC 6901, section 4: no sign, no leading zero)."""
    return int(token) if _ARRAY_INDEX.fullmatch(token) else None


def format_pointer(path: Path) -> str:
    """Return the JSON Pointer to a place."""
    return "".join(f"/{escape_token(str(step))}" for step in path)


def escape_token(token: str) -> str:
    """Return a key as a reference token."""
    return token.replace("~", "~0").replace("/", "~1") if "~" in token or "/" in token else token
